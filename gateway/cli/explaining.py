"""`ocpp-gateway translate --explain`: what the tables of a pair say of what leaves; and captures as its input."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from gateway.cli.migrating import ROUNDS
from gateway.cli.plain_answers import plain_answer
from gateway.cli.recordings import by_charger, lines_of
from gateway.cli.translate import Conversation, why
from translators import PAIRS, NoTranslation, Options, path
from translators.losses import Ledger, ledger


class Explained:
    """Remembers which CALL is being worked on."""

    def __init__(self, charger: str, csms: str) -> None:
        self._tables = _tables(charger, csms)
        self._source, self._action = "charger", ""

    def heard(self, text: str) -> None:
        """A line of input."""
        try:
            line = msgspec.json.decode(text)
            source, frame = line["from"], line["frame"]
            if frame[0] == 2 and source in ("charger", "csms"):
                self._source, self._action = source, frame[2]
        except (msgspec.MsgspecError, LookupError, TypeError):
            pass

    def add(self, leaving: dict[str, Any]) -> dict[str, Any]:
        """What leaves, with `because`: the CALL that brought it about, what becomes of that, and why each loss is one."""
        because: dict[str, Any] = {"from": self._source, "action": self._action}
        for table in self._tables:
            message = table.message(self._source, self._action)
            if message is not None:
                because |= {"fate": message.fate, "becomes": list(message.to)} | (
                    {"why": message.why} if message.why else {}
                )
                break
        lost = [
            {"field": each.field, "kind": each.kind, "becomes": row.becomes, "why": row.note}
            for each in leaving["losses"]
            if (row := self._row(each.field)) is not None
        ]
        return leaving | {"because": because | ({"losses": lost} if lost else {})}

    def _row(self, field: str) -> Any:
        for table in self._tables:
            for part in ("request", self._action, "message"):
                if (row := table.field(self._source, self._action, part, field)) is not None:
                    return row
        return None


def _tables(charger: str, csms: str) -> list[Ledger]:
    """Of each pair on the way."""
    try:
        modules = path(charger, csms)
    except NoTranslation:
        return []
    found = [ledger(a.removeprefix("ocpp"), b.removeprefix("ocpp")) for a, b, module in PAIRS if module in modules]
    return [each for each in found if each is not None]


def from_capture(charger: str, csms: str, options_file: Path | None, file: Path, *, explain: bool) -> int:
    """Everything that the chargers of a capture said, and what would leave; the CSMS agrees with all."""
    try:
        options = msgspec.json.decode(options_file.read_bytes(), type=Options) if options_file else Options()
        for name, lines in by_charger(lines_of([file], charger)).items():
            talk = Conversation(charger, csms, options)
            explained = Explained(charger, csms) if explain else None
            for line in lines:
                frame = line.frame
                if line.source != "charger" or not frame or frame[0] != 2:
                    continue
                told = {"from": "charger", "frame": frame} | ({"at": line.at} if line.at else {})
                _write({"charger": name, **told})
                for leaving in _leaving(talk, told, charger, csms, explained):
                    _write(leaving)
    except (OSError, msgspec.MsgspecError, NoTranslation, ValueError) as error:
        print(f"translate: {why(error)}", file=sys.stderr)
        return 2
    return 0


def _leaving(
    talk: Conversation, told: dict[str, Any], charger: str, csms: str, explained: Explained | None
) -> Iterator[dict[str, Any]]:
    text = msgspec.json.encode(told).decode()
    if explained is not None:
        explained.heard(text)
    waiting, rounds = talk.feed(text), 0
    while waiting and rounds < ROUNDS:
        leaving, rounds = waiting.pop(0), rounds + 1
        yield leaving if explained is None else explained.add(leaving)
        sent = msgspec.json.decode(msgspec.json.encode(leaving["frame"]))
        if sent[0] == 2:
            side = leaving["to"]
            said = plain_answer(csms if side == "csms" else charger, sent[2], sent[3], rounds)
            back = [4, sent[1], "NotImplemented", "", {}] if said is None else [3, sent[1], said]
            waiting += talk.feed(msgspec.json.encode({"from": side, "frame": back}).decode())


def _write(item: dict[str, Any]) -> None:
    sys.stdout.write(msgspec.json.encode(item).decode() + "\n")
