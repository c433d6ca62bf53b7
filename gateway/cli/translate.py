"""`ocpp-gateway translate`: a conversation on standard input, what leaves on standard output. No network, no store.

It drives the same session and link that a hub drives, so what it shows is what the gateway does.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol, TextIO

import msgspec

from gateway.edge.actions import FROM_CHARGER
from gateway.edge.guard import SENT
from gateway.hub.effects import Effects
from gateway.hub.link import Link
from gateway.hub.observer import Observer
from gateway.hub.session import Session
from gateway.ids import new_id
from gateway.journal.entry import Entry, Head, ToCharger
from translators import NoTranslation, Options, translator
from translators.dialogue import Out
from translators.frames import Send, decode, decode_21, encode
from translators.losses import Loss

REPLAY_MS = 300_000
"""How long a CALL under the same message id gets the same answer (spec 8.1); a running gateway has its edges for that."""
FAR_TIMEOUT_MS = 25_000
"""Far-leg answer timeout T_far of the translation spec, 1.2."""


class Line(msgspec.Struct, rename={"source": "from"}):
    """One input line."""

    source: Literal["charger", "csms", "control"]
    frame: msgspec.Raw
    at: str | None = None


class BadLine(ValueError):
    """An input line that is no step of a conversation."""


class _Losses(Observer):
    """Remembers what each frame lost until it leaves."""

    __slots__ = ("_by_frame",)

    def __init__(self, by_frame: dict[tuple[str, str], tuple[Loss, ...]]) -> None:
        self._by_frame = by_frame

    def translated(self, link: Link, step: Out) -> None:
        if step.losses:
            self._by_frame[(step.to, step.frame.id)] = step.losses


class Conversation:
    """One charger and one CSMS, from their first frame to their last."""

    def __init__(self, charger: str, csms: str, options: Options, ids: Callable[[], str] = new_id) -> None:
        """`ids` gives the ids of what the gateway says of its own."""
        self._version = charger
        self._offset_ms = 0
        self._seq = 0
        self._ids: dict[int, Any] = {}
        self._entries: dict[int, str] = {}
        self._heard: dict[str, tuple[bytes, int, int]] = {}
        """Message id -> the frame, its seq and when it came."""
        self._answers: dict[int, ToCharger] = {}
        self._billing: dict[str, int] = {}
        """What a billing message says -> seq of the last one that said it."""
        self._losses: dict[tuple[str, str], tuple[Loss, ...]] = {}
        self.effects = Effects()
        self.session = Session("translate", self.effects, _Losses(self._losses), call_timeout_ms=FAR_TIMEOUT_MS)
        now = self._now()
        # Before there is a link: when the charger connected is not known, its timestamps are taken as they are.
        self.session.opened("translate", 1, charger, now, gate_open=True)
        translating = translator(charger, csms, b"", options, ids)
        translating.assume(options.registered, len(options.topology) or 2)  # spec 12: two single-connector EVSEs
        self.session.links["csms"] = Link(
            "csms",
            self.session,
            translating,
            versions=(charger, csms),
            primary=True,
            policy="close" if options.upstream_down_policy == "disconnect_charger" else "buffer",
            call_timeout_ms=FAR_TIMEOUT_MS,
            attempts=options.tx_attempts,
            retry_ms=round(options.tx_retry_interval * 1000),
        )
        self.session.connected("csms", now)

    def _now(self) -> int:
        return time.time_ns() // 1_000_000 + self._offset_ms

    def feed(self, text: str) -> list[dict[str, Any]]:
        """Take one input line; the frames that leave, in order. Raises BadLine."""
        try:
            line = msgspec.json.decode(text, type=Line)
            now = self._now() if line.at is None else _milliseconds(line.at)
            match line.source:
                case "charger":
                    self._from_charger(bytes(line.frame), now)
                case "csms":
                    heard = (decode_21 if self._version == "ocpp2.1" else decode)(line.frame)
                    if not isinstance(heard, Send):  # none is for a charger
                        self.session.from_upstream("csms", heard, now)
                case "control":
                    self._control(msgspec.json.decode(line.frame, type=list[Any]))
        except (msgspec.MsgspecError, ValueError, IndexError) as error:
            raise BadLine(str(error)) from error
        return self._leaving()

    def _from_charger(self, raw: bytes, now: int) -> None:
        elements = msgspec.json.decode(raw, type=list[Any])
        self._seq += 1
        head = Head("translate", 1, self._seq, self._version, "translate", now)
        if elements and elements[0] == 2:
            id, action = elements[1], elements[2]
            if not isinstance(action, str):
                raise BadLine("the action of a CALL is a string")
            self._ids[self._seq] = id
            kind = FROM_CHARGER.get(self._version, {}).get(action, "K1")
            if kind not in ("K2", "K3") and self._replayed(str(id), raw, now):
                return
            head = msgspec.structs.replace(head, action=action, message_id=str(id), cls=kind)
            entry = Entry(f"{now}-{self._seq}", "call", head, raw, self._mint(action, now))
            self._entries[self._seq] = entry.id
            content = f"{action} {elements[3:4]}"
            asked = self._billing.get(content, 0)
            if asked and asked not in self._answers:
                again = msgspec.structs.replace(head, of=self._entries[asked])
                self.session.repeated(msgspec.structs.replace(entry, kind="repeat", head=again), now)
                return
            if kind == "K0":
                self._billing[content] = self._seq
            self.session.called("csms", entry, now)
        elif elements and elements[0] in (5, 6) and self._version == "ocpp2.1":
            unanswered = decode_21(raw)
            action = unanswered.action if isinstance(unanswered, Send) else ""
            if action not in ("", SENT):
                return
            head = msgspec.structs.replace(head, action=action, message_id=unanswered.id, cls="K2")
            self.session.called("csms", Entry(f"{now}-{self._seq}", "call", head, encode(unanswered)), now)
        else:
            self.session.answered(Entry(f"{now}-{self._seq}", "answer", head, raw), now)

    def _replayed(self, id: str, raw: bytes, now: int) -> bool:
        """Whether this CALL came before: its answer leaves once more, if there is one yet."""
        frame, seq, at = self._heard.get(id, (b"", 0, 0))
        answer = self._answers.get(seq)
        if frame == raw and now - at <= REPLAY_MS and (answer is None or answer.kind == "answer"):
            if answer is not None:
                self.effects.to_charger.append(("translate", msgspec.structs.replace(answer, seq=self._seq)))
            return True
        self._heard[id] = raw, self._seq, now
        return False

    def _mint(self, action: str, now: int) -> int:
        return now // 1000 + self._seq if action == "StartTransaction" else 0

    def _control(self, words: list[Any]) -> None:
        now = self._now()
        match words:
            case ["csms_down"]:
                self.session.disconnected("csms", now)
            case ["csms_up"]:
                self.session.connected("csms", now)
            case ["tick", int() | float() as seconds]:
                # Step from deadline to deadline, so that what is due in between happens in its order.
                end = now + round(seconds * 1000)
                while (due := self.session.deadline()) and due <= end:
                    self._offset_ms += max(due - self._now(), 0) + 1
                    self.session.tick(self._now())
                self._offset_ms += max(end - self._now(), 0)
                self.session.tick(self._now())
            case _:
                raise BadLine(f"unknown control frame {words}")

    def _leaving(self) -> list[dict[str, Any]]:
        lines: list[dict[str, Any]] = []
        effects = self.effects.take()
        for _, item in effects.to_charger:
            if item.kind in ("answer", "error"):
                self._answers[item.seq] = item
            match item.kind:
                case "answer":
                    frame: Any = [3, self._ids.get(item.seq), msgspec.Raw(item.body)]
                    losses = self._losses.pop(("charger", self._entries.get(item.seq, "")), ())
                case "error":
                    frame = [
                        4,
                        self._ids.get(item.seq),
                        *msgspec.json.decode(b"[" + item.body + b"]", type=list[msgspec.Raw]),
                    ]
                    losses = ()
                case "call":
                    frame = msgspec.Raw(item.body)
                    losses = self._losses.pop(("charger", item.message_id), ())
                case "close":
                    continue
            lines.append({"to": "charger", "frame": frame, "losses": losses})
        for _, raw in effects.to_upstream:
            losses = self._losses.pop(("csms", decode_21(raw).id), ())
            lines.append({"to": "csms", "frame": msgspec.Raw(raw), "losses": losses})
        return lines


def _milliseconds(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


class Explaining(Protocol):
    """Adds to what leaves why it is so."""

    def heard(self, text: str) -> None: ...
    def add(self, leaving: dict[str, Any]) -> dict[str, Any]: ...


def command(
    charger: str,
    csms: str,
    options_file: Path | None,
    source: Iterable[str] | None = None,
    sink: TextIO | None = None,
    *,
    explain: Explaining | None = None,
) -> int:
    """Run the conversation on `source` (standard input) to its end. Returns the exit code: 2 for bad arguments or a bad line."""
    source, sink = source or sys.stdin, sink or sys.stdout
    try:
        options = msgspec.json.decode(options_file.read_bytes(), type=Options) if options_file else Options()
        conversation = Conversation(charger, csms, options)
    except (OSError, msgspec.MsgspecError, NoTranslation, ValueError) as error:
        print(f"translate: {why(error)}", file=sys.stderr)
        return 2
    code = 0
    for text in source:
        if not text.strip():
            continue
        try:
            if explain is not None:
                explain.heard(text)
            for leaving in conversation.feed(text):
                if explain is not None:
                    leaving = explain.add(leaving)
                sink.write(msgspec.json.encode(leaving).decode() + "\n")
        except BadLine as error:
            print(f"translate: {error}: {text.strip()[:200]}", file=sys.stderr)
            code = 2
        sink.write('{"done":true}\n')
        sink.flush()
    return code


def why(error: Exception) -> str:
    """In words."""
    return f"{error.filename}: cannot be read: {error.strerror}" if isinstance(error, OSError) else str(error)
