"""What a charger says: judged, counted and paced, and given on to be stored."""

from __future__ import annotations

import asyncio
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Final, TypeAlias

import structlog

from gateway import tap, tracing
from gateway.edge import quirks, seeing
from gateway.edge.actions import bills
from gateway.edge.counters import SAMPLE, count
from gateway.edge.fingerprint import NONE, Fingerprint, fingerprint
from gateway.edge.knocking import Knocking
from gateway.edge.overload import SHED
from gateway.edge.pace import Pace
from gateway.edge.verdict import Refuse, Take
from gateway.journal.entry import Head
from gateway.wheel import Timer
from translators.values import format_time

if TYPE_CHECKING:
    from gateway.edge.gate import Gate
    from gateway.edge.listener import Edge

log = structlog.get_logger(__name__)

CROWD: Final = 500
"""CALLs of all chargers that wait for their answers here; when there are more, who sends without waiting is read less often, so that
the others do not wait behind them."""
CROWD_SECONDS: Final = 1.0
PINGS_SECONDS: Final = 10.0
"""Within which `limits.ping_rate` times as many pings are borne; one more closes the socket with 1008 (row W09)."""

Pending: TypeAlias = tuple[Take, Head, Fingerprint]


class Hearing(Knocking):
    """The way in of a charger's connection, once it is let in."""

    __slots__ = (
        *("_beat_at", "_home", "_pace", "_pings", "_pings_since", "_reopen", "_sends", "_thaw", "_waiting", "epoch"),
    )

    def __init__(self, edge: Edge, gate: Gate, source: str = "") -> None:
        """`source`: address of the client if it is not the peer."""
        super().__init__(edge, gate, source)
        self._home = edge.id
        self._reopen: Timer | None = None
        self._thaw: Timer | None = None
        """Until it fires the charger, which has sent too fast, is not read."""
        self._pace: Pace | None = None
        self._sends: Pace | None = None
        """Of messages that nobody answers: beyond it they are dropped."""
        self._beat_at = 0
        """When a Heartbeat that did not wait for the answers before it was last told (ms)."""
        self._waiting: list[Pending] | None = None
        self._pings = 0
        self._pings_since = 0.0
        self.epoch = 0
        """Number of this connection; 0 until the journal has given it."""

    # For the connection.

    def _append(self, pending: Pending) -> None:
        """Have a frame stored."""
        raise NotImplementedError

    def _answer(self, seq: int, kind: str, body: bytes, outcome: str = "") -> None:
        """Answer the open CALL `seq`."""
        raise NotImplementedError

    def _write(self, frame: bytes, kind: str, action: str) -> None:
        """Send a frame, counted."""
        raise NotImplementedError

    def part(self, reason: str, code: int, text: str) -> None:
        """Close for a reason of ours."""
        raise NotImplementedError

    # From the charger.

    def on_binary(self) -> None:
        self._edge.counters.binary += 1
        count(self._edge.counters.malformed, "W01")
        if self.guard.strict:
            self.part("protocol_error", 1003, "binary frame")

    def on_ping(self) -> None:
        now = self.last_received
        if now - self._pings_since > PINGS_SECONDS:
            self._pings, self._pings_since = 0, now
        self._pings += 1
        if self._pings > self._edge.limits.ping_rate * PINGS_SECONDS and self.is_open:
            count(self._edge.counters.malformed, "W09")
            self.part("protocol_error", 1008, "too many pings")

    def on_text(self, data: bytes) -> None:
        edge, guard = self._edge, self.guard
        now = edge.now_ms()
        counters = edge.counters
        counters.received_bytes += len(data)
        counters.sizes[(len(data) - 1).bit_length()] += 1
        counters.received += 1
        began = 0.0 if counters.received & SAMPLE else perf_counter()
        verdict = guard.read(data, now)
        if type(verdict) is Refuse:
            self._malformed(verdict, data)
            return
        take = verdict
        assert isinstance(take, Take)
        if take.row:
            quirks.malformed(counters, take.row, guard.version)
            log.debug("malformed_frame", charger_id=self.charger, row=take.row, close=0)
        mark = NONE
        if take.kind == "call":
            edge.counted("in", "call", take.action, guard.version)
            edge.counters.in_flight += 1
            if guard.hurried:
                self._spend(len(data))
                if take.action == "Heartbeat" and self._beats_fast(now):
                    count(counters.limits, "heartbeat_rate")
                    self._shed(take)
                    return
            if edge.overload >= SHED and take.cls == "K2":
                count(counters.limits, "memory_shed")
                self._shed(take)
                return
            mark = fingerprint(take.action, take.cls, take.payload, take.message_id, self.epoch)
            if guard.full:
                self._fill()
        elif take.kind == "send":
            edge.counted("in", "send" if take.action else "error", take.action, guard.version)
            if not self._has_room(len(data)):
                return
        else:
            edge.counted("in", "result" if take.frame.startswith(b"[3") else "error", take.action, guard.version)
        head = Head(
            self.charger,
            self.epoch,
            take.seq,
            guard.version,
            self._home,
            now,
            take.action,
            take.message_id,
            take.cls,
            take.deadline,
            mark.key,
        )
        if tracing.armed:
            head = tracing.current.said(head, take.kind)
        if began and counters.observe_decoding is not None:
            counters.observe_decoding(perf_counter() - began)
        self._append((take, head, mark))

    def _malformed(self, refuse: Refuse, data: bytes) -> None:
        edge = self._edge
        self._spend(len(data))
        if tap.armed:
            seeing.malformed(self.charger, self.guard.version, refuse, data, edge.now_ms())
        quirks.malformed(edge.counters, refuse.row, self.guard.version)
        if refuse.row[:3] in ("R28", "R29", "R33"):
            edge.counters.unmatched += 1
        elif refuse.row != "R16":
            log.info("malformed_frame", charger_id=self.charger, row=refuse.row, close=refuse.close)
        if refuse.row != "R16" and bills(data):  # R16: it came before, and its answer is under way
            kept = edge.journal.quarantine(self.charger, self.guard.version, refuse.row, data)
            kept.add_done_callback(partial(self._quarantined, refuse))
        else:
            edge.counters.refused += 1
            self._tell(refuse)

    def _quarantined(self, refuse: Refuse, kept: asyncio.Future[None]) -> None:
        """A billing frame is refused only once it is kept; without an answer the charger sends it again."""
        counters = self._edge.counters
        if kept.cancelled() or kept.exception() is not None:
            counters.refused += 1
            return
        counters.quarantined += 1
        self._tell(refuse)

    def _tell(self, refuse: Refuse) -> None:
        if refuse.reply:
            self._write(refuse.reply, "error", "")
        if refuse.close:
            self.part("protocol_error", refuse.close, "too many malformed frames")

    def _spend(self, size: int) -> None:
        """A message that did not wait for the answers to those before: too many of them, and we stop reading for a while."""
        limits, now = self._edge.limits, self._edge.wheel.loop.time()
        if self._pace is None:
            self._pace = Pace(limits, now)
        wait = self._pace.spend(size, limits, now)
        if self._edge.counters.in_flight > CROWD:
            wait = max(wait, CROWD_SECONDS)
        if wait <= 0 or self._thaw is not None:
            return
        count(self._edge.counters.limits, "frame_rate")
        if self._pace.too_long(limits, now):
            count(self._edge.counters.limits, "pause_longest")
            self.part("chatty", 1013, "too many messages")
            return
        self._edge.counters.paused += 1
        self.pause()
        self._thaw = self._edge.wheel.after(wait, self._thawed)

    def _thawed(self) -> None:
        self._thaw = None
        self._edge.counters.paused -= 1
        self._read_on()

    def _has_room(self, size: int) -> bool:
        """Whether a SEND goes on (row S16). One that does not is dropped, and costs the charger what any hurried message does."""
        limits, now = self._edge.limits, self._edge.wheel.loop.time()
        if self._sends is None:
            self._sends = Pace(limits, now)
        if self._sends.take(limits, now):
            return True
        count(self._edge.counters.limits, "send_rate")
        self._edge.counters.refused += 1
        self._spend(size)
        return False

    def _beats_fast(self, now: int) -> bool:
        """Whether a Heartbeat that does not wait for the answers before it is one of too many (row S10)."""
        rate = self._edge.limits.heartbeat_rate
        if not rate or self.guard.strict or now - self._beat_at >= 1000 / rate:
            self._beat_at = now
            return False
        return True

    def _shed(self, take: Take) -> None:
        """A heartbeat while memory is short, or one of too many: it is answered here, and goes nowhere."""
        self._answer(take.seq, "result", b'{"currentTime":"%b"}' % format_time(self._edge.now_ms()).encode())

    def _fill(self) -> None:
        """As many CALLs are open as may be: read on when one is answered, or gives up (row R20)."""
        self.pause()
        if self._reopen is None:
            delay = (self.guard.oldest_deadline - self._edge.now_ms()) / 1000
            self._reopen = self._edge.wheel.after(max(delay, 0) + 0.001, self._expire)

    def _expire(self) -> None:
        self._reopen = None
        self._overdue()
        if self.guard.full:
            self._fill()
        else:
            self._read_on()

    def _overdue(self) -> None:
        """What was not answered in time. What this process still holds back for the store did not even reach the CSMS."""
        edge = self._edge
        for call in self.guard.expire(edge.now_ms()):
            edge.ended(call.action, "timeout" if self._waiting is None else "gateway_error")

    def _read_on(self) -> None:
        if self._paused and self.epoch and self._waiting is None and not self.guard.full and self._thaw is None:
            if self._reopen is not None:
                self._reopen.cancel()
                self._reopen = None
            self.resume()
