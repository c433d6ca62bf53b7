"""What a fleet would lose behind a CSMS of another OCPP version: its captured frames are translated for one that agrees with
everything."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import msgspec

from gateway.capture import Line
from gateway.cli.plain_answers import Numbers, plain_answer
from gateway.cli.translate import BadLine, Conversation
from gateway.routes import facts_of
from translators import NoTranslation, Options
from translators.losses import ledger

ROUNDS: Final = 50
"""Answers that one frame may bring about, one after the other."""


class Loss(msgspec.Struct):
    """A member that is lost."""

    action: str
    """Of the charger's CALL, or of the CSMS's."""
    field: str
    kind: str
    count: int
    note: str


class Refused(msgspec.Struct):
    """A message that does not come through."""

    action: str
    why: str
    count: int


class Kind(msgspec.Struct):
    """Chargers of one vendor and model; both empty: of those that are not known to have booted."""

    vendor: str
    model: str
    version: str
    chargers: int = 0
    messages: int = 0
    """CALLs of the chargers."""
    exact: int = 0
    """Of these, without any loss."""
    begun_before: int = 0
    """CALLs besides, of transactions whose beginning was not heard: what would become of them cannot be told."""
    losses: list[Loss] = []
    refused: list[Refused] = []
    commands: dict[str, int] = {}
    """What their CSMS asked of them: the new one must be able to ask it, in its own version."""


class Report(msgspec.Struct):
    """Of a fleet."""

    to: str
    chargers: int
    messages: int
    exact: int
    begun_before: int
    kinds: list[Kind]


def report(chargers: dict[str, list[Line]], to: str, kinds: dict[str, tuple[str, str]] | None = None) -> Report:
    """The report for captured frames of these chargers. `kinds`: charger -> vendor and model, of those that do not boot there."""
    found: dict[tuple[str, str, str], _Tally] = {}
    for charger, lines in chargers.items():
        version = next((each.version for each in lines if each.version), "")
        vendor, model = _who(lines, version) or (kinds or {}).get(charger, ("", ""))
        tally = found.setdefault((vendor, model, version), _Tally(vendor, model, version))
        tally.kind.chargers += 1
        _Charger(charger, version, to, tally).play(lines)
    done = [each.done(to) for _, each in sorted(found.items())]
    return Report(
        to,
        sum(each.chargers for each in done),
        sum(each.messages for each in done),
        sum(each.exact for each in done),
        sum(each.begun_before for each in done),
        done,
    )


class _Tally:
    """Counts for one kind."""

    def __init__(self, vendor: str, model: str, version: str) -> None:
        self.kind = Kind(vendor, model, version, losses=[], refused=[], commands={})
        self.losses: Counter[tuple[str, str, str]] = Counter()
        self.refused: Counter[tuple[str, str]] = Counter()
        self.commands: Counter[str] = Counter()

    def done(self, to: str) -> Kind:
        kind = self.kind
        kind.losses = [
            Loss(action, field, each, count, _note(kind.version, to, action, field))
            for (action, field, each), count in self.losses.most_common()
        ]
        kind.refused = [Refused(action, why, count) for (action, why), count in self.refused.most_common()]
        kind.commands = dict(self.commands.most_common())
        return kind


class _Charger:
    """One charger and a CSMS of the other version that agrees with everything."""

    def __init__(self, charger: str, version: str, to: str, tally: _Tally) -> None:
        self._version, self._to, self._tally = version, to, tally
        self._numbers = Numbers()
        self._begun: set[str] = set()
        """Transactions of 2.x."""
        self._count = 0
        self._recorded: dict[str, Any] = {}
        self._talk: Conversation | None = None

    def play(self, lines: list[Line]) -> None:
        answers = {
            (each.conn, each.frame[1]): each.frame
            for each in lines
            if each.source != "charger" and each.frame and each.frame[0] in (3, 4) and len(each.frame) > 2
        }
        first = next(
            (each.frame[2] for each in lines if each.frame and each.frame[0] == 2 and each.source == "charger"), ""
        )
        try:
            self._talk = Conversation(self._version, self._to, Options(registered=first != "BootNotification"))
        except (NoTranslation, ValueError) as error:
            self._tally.refused[("*", str(error))] += len(lines)
            return
        for line in lines:
            frame = line.frame
            if not frame or frame[0] != 2 or len(frame) < 4 or not isinstance(frame[2], str):
                continue
            if line.source != "charger":
                self._tally.commands[frame[2]] += 1
                continue
            self._call(line, frame, answers.get((line.conn, frame[1])))

    def _unheard(self, action: str, payload: Any) -> bool:
        """Whether a CALL belongs to a transaction whose beginning was not heard."""
        if not isinstance(payload, dict):
            return False
        if action in ("MeterValues", "StopTransaction") and "transactionId" in payload:
            return not self._numbers.knows(payload["transactionId"])
        if action != "TransactionEvent" or not isinstance(info := payload.get("transactionInfo"), dict):
            return False
        id = str(info.get("transactionId"))
        if payload.get("eventType") == "Started":
            self._begun.add(id)
        return id not in self._begun

    def _call(self, line: Line, frame: list[Any], recorded: Any) -> None:
        if self._unheard(frame[2], frame[3]):
            self._tally.kind.begun_before += 1
            return
        self._count += 1
        kind, action = self._tally.kind, frame[2]
        kind.messages += 1
        id = f"m{self._count}"  # chargers number their messages anew after a restart
        payload = self._numbers.live(frame[3])
        exact, answer = True, None
        try:
            leaving = self._feed("charger", [2, id, action, payload], line.at)
            for _ in range(ROUNDS):
                if not leaving:
                    break
                one = leaving.pop(0)
                lost = [(each.field, each.kind) for each in one["losses"]]
                sent = msgspec.json.decode(msgspec.json.encode(one["frame"]))
                for field, each in lost:
                    self._tally.losses[(action, field, each)] += 1
                exact = exact and not lost
                if sent[0] == 2:
                    side = one["to"]
                    version = self._to if side == "csms" else self._version
                    said = plain_answer(version, sent[2], sent[3], self._count)
                    back = [4, sent[1], "NotImplemented", "", {}] if said is None else [3, sent[1], said]
                    leaving += self._feed(side, back, line.at)
                elif one["to"] == "charger" and sent[1] == id:
                    answer = sent
        except BadLine as bad:
            self._tally.refused[(action, f"cannot be read: {bad}"[:120])] += 1
            return
        if answer is not None and answer[0] == 4:
            self._tally.refused[(action, f"{answer[2]}: {answer[3]}"[:120])] += 1
        elif exact:
            kind.exact += 1
        if action == "StartTransaction" and answer is not None and answer[0] == 3 and recorded and recorded[0] == 3:
            self._numbers.learn(recorded[2], answer[2])

    def _feed(self, side: str, frame: list[Any], at: str) -> list[dict[str, Any]]:
        assert self._talk is not None
        return self._talk.feed(msgspec.json.encode({"from": side, "frame": frame, "at": at or None}).decode())


def _who(lines: list[Line], version: str) -> tuple[str, str] | None:
    """Vendor and model, if it boots there."""
    for line in lines:
        frame = line.frame
        if frame and line.source == "charger" and frame[0] == 2 and len(frame) > 3 and frame[2] == "BootNotification":
            facts = facts_of(version, msgspec.json.encode(frame[3]))
            return facts.vendor, facts.model
    return None


def _note(version: str, to: str, action: str, field: str) -> str:
    """What the tables say of a member."""
    tables = ledger(version.removeprefix("ocpp"), to.removeprefix("ocpp"))
    if tables is None:
        return ""
    for part in ("request", action, "message"):
        row = tables.field("charger", action, part, field)
        if row is not None and row.note:
            return row.note
    return ""
