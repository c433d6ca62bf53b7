"""What a charger's frames are worth: processed, answered with a CALLERROR, dropped, or the end of the connection.

Pure: one `Guard` per connection knows which CALLs are open in either direction; times are given. Well-formed frames take
one msgspec decode with the payload left raw; everything else is looked at element by element. What is tolerated and
what each defect gets is data: malformed.yaml (reliability 6.3).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar, Final

import msgspec

from gateway.edge.actions import FROM_CHARGER, FROM_CSMS, SIGNED, canonical
from gateway.edge.jsontext import (
    BOUNDS,
    LONGEST_TEXT,
    Bounds,
    as_text,
    doubled,
    escaped,
    has_not_numbers,
    header_id,
    is_id,
    long_number,
    long_text,
    mended,
    sound,
    too_deep,
)
from gateway.edge.reactions import REACTIONS, WINDOW_MS
from gateway.edge.verdict import Refuse, Take, Verdict
from gateway.journal.entry import Class

LONGEST_ID: Final = 128
AGAIN_MS: Final = 5_000
"""After which the same CALL under the same id is no twin but another attempt of a charger that has waited for its answer."""


class Open(msgspec.Struct, frozen=True, gc=False):
    """A charger's CALL that waits for its answer."""

    id: bytes
    """The message id as JSON text, exactly as received."""
    digest: int
    received: int
    deadline: int
    action: str


class _Call(msgspec.Struct, tag=2, array_like=True, frozen=True, gc=False):
    id: msgspec.Raw
    action: str
    payload: msgspec.Raw = msgspec.Raw()


class _Result(msgspec.Struct, tag=3, array_like=True, frozen=True, gc=False):
    id: msgspec.Raw
    payload: msgspec.Raw = msgspec.Raw()


class _Error(msgspec.Struct, tag=4, array_like=True, frozen=True, gc=False):
    id: msgspec.Raw
    code: str
    description: str
    details: msgspec.Raw


_decode = msgspec.json.Decoder(_Call | _Result | _Error).decode
_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode
_json = msgspec.json.encode

_BITS = {
    version: {action: 1 << number for number, action in enumerate(actions)} for version, actions in FROM_CHARGER.items()
}
SENT: Final = "NotifyPeriodicEventStream"
"""The one message of 2.1 that is sent without an answer."""
_STREAM: Final = b'"NotifyPeriodicEventStream"'
_SHORT: Final = 8
"""Bytes of a payload in which there is no room for a number that is none, nor for two keys."""
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,49}")
"""What an action that no version knows may look like to be forwarded."""
_TYPES = {b'"2"': b"2", b'"3"': b"3", b'"4"': b"4", b"2.0": b"2", b"3.0": b"3", b"4.0": b"4"}


class Guard:
    """The two directions of one charger connection."""

    __slots__ = (
        "_actions",
        "_asked",
        "_asked_action",
        "_bits",
        "_expired",
        "_looked",
        "_open",
        "_reactions",
        "_strikes",
        "_told",
        "bounds",
        "budget_ms",
        "forward",
        "seq",
        "version",
    )

    strict: ClassVar[bool] = False
    """Nothing is tolerated."""

    def __init__(self, version: str, budget_ms: int = 25_000, bounds: Bounds = BOUNDS) -> None:
        """`version`: the subprotocol. `budget_ms`: how long a charger's CALL waits for its answer."""
        self.version = version
        self.seq = 0
        """Number of the last frame taken, from 1."""
        self.budget_ms = budget_ms
        self.bounds = bounds
        self.forward = False
        """Actions that no version knows are taken too (row R22)."""
        self._actions = FROM_CHARGER[version]
        self._bits = _BITS[version]
        self._looked = 0
        """Actions whose first payload was looked at for doubled keys: a charger that writes them does so each time."""
        self._reactions = REACTIONS[version]
        self._open: dict[int, Open] = {}
        self._asked = ""
        self._asked_action = ""
        self._expired = ""
        self._told = b""
        """Id of the CALL that was answered last: in 2.1 a charger may say once that it cannot use that answer."""
        self._strikes: dict[str, list[int]] | None = None

    # Towards the charger.

    @property
    def idle(self) -> bool:
        """Whether no CALL is open in either direction."""
        return not self._open and not self._asked

    @property
    def full(self) -> bool:
        """Whether reading must stop until a CALL is answered."""
        return len(self._open) >= self.bounds.open

    @property
    def hurried(self) -> bool:
        """Whether the charger does not wait for its answers."""
        return len(self._open) > 1

    @property
    def oldest_deadline(self) -> int:
        """When the first open CALL gives up (ms); 0: none is open."""
        return min((call.deadline for call in self._open.values()), default=0)

    def answered(self, seq: int, now: int) -> Open | None:
        """The CALL `seq` is being answered: gives it, once. None: not open any more, or too late; write nothing."""
        call = self._open.get(seq)
        if call is None or now > call.deadline:
            return None
        self._told = call.id
        if len(self._open) > 1:
            return self._open.pop(seq)
        self._open = {}  # an emptied one would keep its room
        return call

    def expire(self, now: int) -> list[Open]:
        """Forgets the CALLs whose deadline has passed, and gives them."""
        late = [seq for seq, call in self._open.items() if now > call.deadline]
        return [self._open.pop(seq) for seq in late]

    def abandon(self) -> list[Open]:
        """The connection is gone: gives the CALLs that will never be answered."""
        left = list(self._open.values())
        self._open.clear()
        return left

    def asked(self, message_id: str, action: str = "") -> None:
        """A CALL goes out to the charger. An earlier one that is still open counts as timed out."""
        if self._asked:
            self._expired = self._asked
        self._asked = message_id
        self._asked_action = action

    # From the charger.

    def read(self, data: bytes, now: int) -> Verdict:
        """Judges one text message. `now` in ms."""
        brackets = data.count(b"[") + data.count(b"{")
        bounds = self.bounds
        if (brackets > bounds.depth or len(data) > 2 * bounds.nodes) and too_deep(data, bounds):
            return self._broken(data, "R37", now)
        try:
            frame = _decode(data)
        except (msgspec.MsgspecError, RecursionError):
            return self._slow(data, now)
        id = bytes(frame.id)
        if type(frame) is _Call:
            payload = bytes(frame.payload)
            cls = self._actions.get(frame.action)
            # `endswith`: there is nothing after the payload, and no blank either
            if (
                cls is None
                or id[0] != 0x22
                or not 2 < len(id) <= 38
                or payload[:1] != b"{"
                or data[-1 - len(payload) : -1] != payload
            ):
                return self._slow(data, now)
            return self._call(data, data, id, frame.action, cls, payload, now, "")
        ours = type(frame) is _Result and self._asked and id[1:-1] == self._asked.encode()
        if ours and bytes(frame.payload)[:1] == b"{":
            return self._answer(data, "")
        return self._slow(data, now)

    def _call(
        self, data: bytes, frame: bytes, id: bytes, action: str, cls: Class, payload: bytes, now: int, row: str
    ) -> Verdict:
        if len(payload) > _SHORT:
            try:
                sound(payload)
            except (msgspec.MsgspecError, RecursionError):
                return self._refuse("R40", now, id)
            if long_number(payload):
                return self._refuse("R40", now, id)
            if len(payload) > LONGEST_TEXT and action != "DataTransfer" and long_text(payload):
                return self._refuse("R37.text", now, id)
            bit = self._bits.get(action.removesuffix(SIGNED), 0)
            if not self._looked & bit:
                self._looked |= bit
                row = row or ("R38" if doubled(payload) else "")
        digest = hash(data)
        for seq, call in self._open.items():
            if call.digest == digest and call.id == id and now <= call.deadline:
                if now - call.received < AGAIN_MS:
                    return Refuse("R16")
                # Its answer may have been lost on its way here: this one gets it, whatever comes for the other.
                self._open[seq] = msgspec.structs.replace(call, deadline=-1)
                break
        self.seq += 1
        deadline = now + self.budget_ms
        self._open[self.seq] = Open(id, digest, now, deadline, action)
        return Take("call", self.seq, frame, as_text(id), action, cls, payload, deadline, row)

    def _answer(self, frame: bytes, row: str) -> Take:
        self.seq += 1
        message_id, self._asked = self._asked, ""
        return Take("answer", self.seq, frame, message_id, self._asked_action, row=row)

    def _slow(self, data: bytes, now: int, row: str = "") -> Verdict:
        """Frames that are not exactly as they should be. `row`: what was mended."""
        if data.startswith(b"\xef\xbb\xbf"):
            row, data = row or "R35", data[3:]
        if data[-1:] in (b"\x00", b" ", b"\r", b"\n", b"\t"):
            row, data = row or "R34", data.rstrip(b"\x00 \r\n\t")
        try:
            parts = [bytes(part) for part in _elements(data)]
        except RecursionError:
            return self._broken(data, "R37", now)
        except msgspec.ValidationError:
            return self._refuse("R02", now)
        except msgspec.MsgspecError as exc:
            if (whole := mended(data)) != data:
                return self._slow(whole, now, row or "R39")
            if (whole := escaped(data)) != data:
                return self._slow(whole, now, row or "Q25")
            trailing = "trailing characters" in str(exc)
            return self._broken(data, "R36" if has_not_numbers(data) else "R34.second" if trailing else "R03", now)
        if not parts:
            return self._refuse("R04", now)
        kind = parts[0]
        if kind in _TYPES:
            row, kind = row or "R09", _TYPES[kind]
        if kind == b"2":
            return self._slow_call(data, parts, row, now)
        if kind == b"3" or kind == b"4":
            return self._slow_answer(data, kind, parts, row, now)
        id = parts[1] if len(parts) > 1 and is_id(parts[1]) else b'"-1"'
        if (
            kind == b"6"
            and self.version == "ocpp2.1"
            and len(parts) == 4
            and parts[2] == _STREAM
            and parts[3][:1] == b"{"
        ):
            frame = b"[6,%b,%b,%b]" % (_json(as_text(id)), _STREAM, parts[3])
            return self._unanswered(frame, id, SENT, now) or self._refuse("R11", now)
        if kind == b"5" and self.version == "ocpp2.1" and id == self._told:
            self._told = b""
            frame = b"[5,%b,%b,%b,%b]" % (_json(as_text(id)), *_error(parts))
            return self._unanswered(frame, id, "", now) or self._refuse("R10", now)
        return self._refuse("R10" if kind == b"5" else "R11" if kind == b"6" else "R08", now, id)

    def _unanswered(self, frame: bytes, id: bytes, action: str, now: int) -> Take | None:
        """Whatever is wrong with it, nobody hears of it."""
        try:
            sound(frame)
        except (msgspec.MsgspecError, RecursionError):
            return None
        self.seq += 1
        return Take("send", self.seq, frame, as_text(id), action, "K2")

    def _slow_call(self, data: bytes, parts: Sequence[bytes], row: str, now: int) -> Verdict:
        if len(parts) < 2:
            return self._refuse("R05", now)
        id = parts[1]
        if not is_id(id):
            return self._refuse("R15", now)
        if id[0] != 0x22:
            row = row or "R12"
        elif len(id) == 2:
            row = row or "R13"
        elif len(id) > 38 and len(text := as_text(id)) > 36:
            if len(text) > LONGEST_ID:
                return self._refuse("R14.long", now, id)
            row = row or "R14"
        if len(parts) < 3:
            return self._refuse("R05.action", now, id)
        if parts[2][:1] != b'"':
            return self._refuse("R21", now, id)
        action = as_text(parts[2])
        cls = self._actions.get(action)
        if cls is None and action.endswith(SIGNED) and not self.version.startswith("ocpp1"):
            cls = self._actions.get(action.removesuffix(SIGNED))
        if cls is None:
            name, cls = canonical(self.version, action), "K3"
            if name:
                row, action, cls = row or "R23", name, self._actions[name]
            elif (kind := _unknown(self.version, action)) != "R22" or not (self.forward and _NAME.fullmatch(action)):
                return self._refuse(kind, now, id)
        payload = parts[3] if len(parts) > 3 else b"{}"
        if len(parts) < 4:
            row = row or "R06"
        elif len(parts) > 4:
            row = row or "R07"
        if payload == b"null":
            row, payload = row or "R27", b"{}"
        if payload[:1] != b"{":
            return self._refuse("R26", now, id)
        frame = b"[2,%b,%b,%b]" % (_json(as_text(id)), _json(action), payload) if row else data
        return self._call(data, frame, id, action, cls, payload, now, row)

    def _slow_answer(self, data: bytes, kind: bytes, parts: list[bytes], row: str, now: int) -> Verdict:
        id = as_text(parts[1]) if len(parts) > 1 and is_id(parts[1]) else None
        if kind == b"4" and id == "-1" and self._asked:
            row, id = "R33", self._asked
        if not self._asked or id != self._asked:
            late = bool(self._expired) and id == self._expired
            return self._refuse("R33" if id == "-1" else "R29" if late else "R28", now)
        if kind == b"3":
            payload = parts[2] if len(parts) > 2 and parts[2] != b"null" else b"{}"
            return self._answer(b"[3,%b,%b]" % (_json(id), payload), row)
        told = _error(parts)
        if tuple(parts[2:]) != told:
            row = row or "R31"
        return self._answer(b"[4,%b,%b,%b,%b]" % (_json(id), *told) if row else data, row)

    def _broken(self, data: bytes, row: str, now: int) -> Refuse:
        """Not JSON, or too much of it: answered if the header can be read nevertheless."""
        id = header_id(data)
        return self._refuse("R01", now) if id is None else self._refuse(row, now, id)

    def _refuse(self, row: str, now: int, id: bytes = b'"-1"', why: str = "") -> Refuse:
        reaction = self._reactions[row]
        reply = b""
        if reaction.kind == "error":
            reply = b'[4,%b,"%b",%b,{}]' % (id, reaction.code.encode(), _json(why or reaction.title))
        close = 0
        if reaction.strikes:
            if self._strikes is None:
                self._strikes = {}
            times = [at for at in self._strikes.get(reaction.strikes, ()) if now - at < WINDOW_MS]
            times.append(now)
            self._strikes[reaction.strikes] = times
            if len(times) >= reaction.limit:
                close = reaction.close
        return Refuse(row, reply, close)


def _error(parts: Sequence[bytes]) -> tuple[bytes, bytes, bytes]:
    """Code, description and details of a CALLERROR."""
    return (
        parts[2] if len(parts) > 2 and parts[2][:1] == b'"' else b'"GenericError"',
        parts[3] if len(parts) > 3 and parts[3][:1] == b'"' else b'""',
        parts[4] if len(parts) > 4 and parts[4][:1] == b"{" else b"{}",
    )


def _unknown(version: str, action: str) -> str:
    if action in FROM_CSMS[version]:
        return "R24"
    if any(action in actions for actions in FROM_CHARGER.values()):
        return "R25"
    return "R22"
