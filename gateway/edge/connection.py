"""One charger's socket: frames in to the journal, what the hub decided out to the charger."""

from __future__ import annotations

import asyncio
import random
from functools import partial
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import structlog

from gateway import failpoints, tap, tracing
from gateway.edge import quirks, seeing
from gateway.edge.counters import count, odd
from gateway.edge.guard import Open
from gateway.edge.hearing import Hearing, Pending
from gateway.journal.appending import Appended
from gateway.journal.entry import Head, ToCharger
from gateway.journal.errors import StoreDown
from gateway.treatment import USUAL, Treatment, decode
from gateway.wheel import Timer

if TYPE_CHECKING:
    from gateway.edge.gate import Gate
    from gateway.edge.listener import Edge

log = structlog.get_logger(__name__)

HOLD: Final = 8.0
"""Seconds for which a charger's frames wait for the store to come back; then its socket is closed with 1013, soon."""
LEAVE_SECONDS: Final = 10.0
"""For open exchanges to finish before a socket is closed that could as well be at another edge."""
LONG_SILENCE: Final = 900.0
"""Seconds that a charger may be silent which does not answer pings."""
PATIENT: Final = Treatment(silence=LONG_SILENCE)
SILENT_INTERVALS: Final = 3
"""Ping intervals without any inbound byte after which a charger is dead."""

_REASONS: Final = {1001: "upstream_down", 1008: "duplicate_identity"}
"""Code of a close that a hub asks for -> label of disconnects."""


class ChargerConnection(Hearing):
    """Created per accepted socket. `charger`, `version` and `guard` are set by the handshake, `epoch` by the journal;
    nothing is read between."""

    __slots__ = (
        "_alive",
        "_hold",
        "_pinged_at",
        "manners",
    )

    def __init__(self, edge: Edge, gate: Gate, source: str = "") -> None:
        """`source`: address of the client if it is not the peer."""
        super().__init__(edge, gate, source)
        self._alive: Timer | None = None
        self._hold: Timer | None = None
        self._pinged_at = 0.0
        self.manners = USUAL

    @property
    def version(self) -> str:
        return self.guard.version

    @property
    def idle(self) -> bool:
        """Whether nothing is open in either direction."""
        return self.guard.idle and self._waiting is None

    def part(self, reason: str, code: int, text: str) -> None:
        """Close for a reason of ours."""
        self.reason = self.reason or reason
        if self.manners.reset and self.is_open:
            odd(self._edge.counters, "close_reset", self.version)
            self.reset()
            return
        self.close(code, text)

    def on_open(self) -> None:
        if not self.charger:  # listen.subprotocol_mismatch: complete_then_close
            self._edge.refused(self.reason)
            self.close(1002, "no subprotocol in common")
            return
        self.pause()  # frames wait until the journal knows this connection
        self._edge.opened(self)
        interval = self.gate.ping_interval
        if interval:
            # Chargers that reconnect at once must not be pinged at once for ever after.
            self._alive = self._edge.wheel.after(interval * random.uniform(0.5, 1), self._tick)
        self._edge.spawn(self._register())

    async def _register(self) -> None:
        edge = self._edge
        give_up = edge.wheel.loop.time() + HOLD + edge.grace()
        head = Head(self.charger, 0, 0, self.version, self._home, edge.now_ms())
        while True:
            if not self.is_open or not edge.owns(self):
                return
            try:
                self.epoch, home = await edge.journal.connect(head)
                break
            except StoreDown:
                if edge.wheel.loop.time() > give_up:
                    self.part("store_down", 1013, "store unavailable")
                    return
                await asyncio.sleep(0.2)
        if not self.is_open or not edge.owns(self):
            edge.farewell(self._closing_head())
            return
        log.info(
            "charger_connected",
            charger_id=self.charger,
            ocpp_version=self.version.removeprefix("ocpp"),
            connection_id=self.epoch,
        )
        if home and home != self._home:
            edge.taken_over(self)
            edge.supersede(home, self.charger, self.epoch)
        self.resume()

    # The journal.

    def _append(self, pending: Pending) -> None:
        journal = self._edge.journal
        if self._waiting is not None:
            self._waiting.append(pending)
        elif not journal.healthy:
            self._wait(pending)
        else:
            take, head, mark = pending
            kind: Literal["call", "answer"] = "answer" if take.kind == "answer" else "call"
            appended = journal.append(kind, head, take.frame, ttl=mark.ttl, mint_tx=mark.mint_tx)
            appended.then(partial(self._appended, pending))

    def _appended(self, pending: Pending, appended: asyncio.Future[Appended]) -> None:
        if appended.cancelled():
            return
        exc = appended.exception()
        if exc is None:
            if failpoints.armed:
                failpoints.hit("after_append")
            if self._hold is not None and self._waiting is None:
                self._hold.cancel()
                self._hold = None
            result = appended.result()
            if tracing.armed:
                tracing.current.stored(pending[1], result.outcome, result.id)
            count(self._edge.counters.appended, result.outcome)
            if result.outcome == "answered":
                if tap.armed:
                    seeing.answered(pending[1], pending[0].frame, result.body, self._edge.now_ms())
                quirks.again(self._edge.counters, pending[0].action, self.guard.version)
                self._answer(pending[0].seq, "result", result.body)
            elif result.outcome == "repeat":
                quirks.again(self._edge.counters, pending[0].action, self.guard.version)
            elif result.outcome == "stale":
                self.part("duplicate_identity", 1008, "superseded")
        elif isinstance(exc, StoreDown):
            take, _, mark = pending
            if mark.key:
                self._wait(pending)
                return
            # It may or may not be stored: nothing but the charger itself may send it again.
            call = self.guard.answered(take.seq, 0)
            if call is not None:
                self._edge.ended(call.action, "gateway_error")
                self._read_on()
        else:
            log.error("append_failed", charger_id=self.charger, exc_info=exc)
            self.part("other", 1011, "internal error")

    def _wait(self, pending: Pending) -> None:
        """Keep a frame until the store is back, and read no others."""
        if not self.is_open:
            return
        if self._waiting is None:
            self._waiting = []
            self.pause()
            self._edge.holding.add(self)
            if self._hold is None:
                self._hold = self._edge.wheel.after(HOLD + self._edge.grace(), self._give_up)
            self._edge.retry_soon()
        self._waiting.append(pending)

    def _give_up(self) -> None:
        self.part("store_down", 1013, "store unavailable")

    def recovered(self) -> None:
        """The store is back: append what waited, in order, and read on."""
        waiting, self._waiting = self._waiting, None
        for pending in waiting or ():
            self._append(pending)
        # The hold goes on until an append has succeeded: a full store is there and takes nothing.
        if self._waiting is None:
            self._read_on()

    # Towards the charger.

    def deliver(self, item: ToCharger) -> None:
        """Do what a hub decided. An item for a newer connection of the charger says that this one is superseded."""
        if item.epoch != self.epoch:
            if item.epoch > self.epoch > 0:
                self.part("duplicate_identity", 1008, "superseded")
            return
        if item.kind == "answer":
            self._answer(item.seq, "result", item.body)
        elif item.kind == "error":
            self._answer(item.seq, "error", item.body, item.outcome)
        elif item.kind == "call":
            parts = item.body.split(b'"', 4)
            action = parts[3].decode(errors="replace") if len(parts) == 5 else ""
            if item.trace and tracing.armed:
                tracing.current.asked_charger(item, action, self.version)
            if item.message_id:
                self.guard.asked(item.message_id, action)
                self._write(item.body, "call", action)
            else:
                self._write(item.body, "error", "")
        elif item.kind == "treat":
            self.treat(decode(item.body))
        elif item.code == 1006:
            self.reason = self.reason or "kicked"
            self.abort()
        elif item.code == 1012:
            self._leave(self._edge.wheel.loop.time() + LEAVE_SECONDS)
        else:
            reason = _REASONS.get(item.code, "kicked")
            self.part(reason, item.code or 1000, item.body.decode(errors="replace"))

    def treat(self, manners: Treatment) -> None:
        """How a charger of this kind is treated."""
        self.manners = manners
        wanted = manners.versions
        # Once: one that comes with the same version again has no other, or not here.
        if wanted and self.version not in wanted and self._edge.pin(self.charger, wanted):
            self._leave(self._edge.wheel.loop.time() + LEAVE_SECONDS)

    def _leave(self, latest: float) -> None:
        """Close as soon as nothing is open, at `latest` (loop's clock) in any case."""
        wheel = self._edge.wheel
        if self.idle or wheel.loop.time() >= latest:
            self.part("rebalance", 1012, "rebalance")
        elif self.is_open:
            wheel.after(0.2, partial(self._leave, latest))

    def _answer(self, seq: int, kind: str, body: bytes, outcome: str = "") -> None:
        edge = self._edge
        now = edge.now_ms()
        call = self.guard.answered(seq, now)
        if call is None:
            edge.counters.late_answers += 1
            return
        self._write(b"[%d,%b,%b]" % (3 if kind == "result" else 4, call.id, body), kind, call.action)
        seconds = (now - call.received) / 1000
        edge.ended(call.action, outcome or ("ok" if kind == "result" else "call_error"), seconds)
        if tracing.armed:
            tracing.current.answered(self.charger, self.epoch, seq, call.action, kind, seconds)
        self._read_on()

    def _write(self, frame: bytes, kind: str, action: str) -> None:
        edge = self._edge
        edge.counted("out", kind, action, self.guard.version)
        edge.counters.sent_bytes += len(frame)
        edge.counters.sizes[(len(frame) - 1).bit_length()] += 1
        self.send(frame)

    # Life and death.

    def _tick(self) -> None:
        edge = self._edge
        interval = self.gate.ping_interval
        self._overdue()
        self._read_on()
        # While we do not read, silence says nothing about the charger.
        if self._pinged_at and self.last_received > self._pinged_at and self.manners.silence < LONG_SILENCE:
            # It has said something since, but not the pong: it never will, and silence says little about it.
            odd(edge.counters, "ping_unanswered", self.version)
            patient = self.manners is USUAL
            self.manners = PATIENT if patient else msgspec.structs.replace(self.manners, silence=LONG_SILENCE)
        limit = max(SILENT_INTERVALS * interval, self.manners.silence)
        if not self.paused and edge.wheel.loop.time() - self.last_received > limit:
            self.reason = self.reason or "ping_timeout"
            self.abort()
            return
        self._pinged_at = edge.wheel.loop.time()
        self.ping()
        self._alive = edge.wheel.after(interval, self._tick)

    def on_pong(self) -> None:
        if self._pinged_at and self._edge.counters.observe_ping is not None:
            self._edge.counters.observe_ping(self._edge.wheel.loop.time() - self._pinged_at)
        self._pinged_at = 0.0
        if self.manners is PATIENT:
            self.manners = USUAL  # it was only slow

    async def answers(self, seconds: float) -> bool:
        """Whether anything comes within this time after a ping. Of a charger that is not read nobody can tell: it counts as there."""
        loop = self._edge.wheel.loop
        asked = loop.time()
        self.ping()
        while self.is_open and loop.time() - asked < seconds:
            if self.paused or self.last_received >= asked:  # the loop's clock has steps of a millisecond
                return True
            await asyncio.sleep(0.02)
        return False

    def on_stall(self) -> None:
        count(self._edge.counters.limits, "write_stall")
        self.reason = self.reason or "slow_consumer"
        self.abort()

    def on_overflow(self) -> None:
        count(self._edge.counters.limits, "write_buffer")
        self.part("slow_consumer", 1013, "not reading")

    def on_lost(self, code: int, reason: str) -> None:
        if not self.charger:
            return
        edge = self._edge
        for timer in (self._alive, self._hold, self._reopen):
            if timer is not None:
                timer.cancel()
        self._alive = self._hold = self._reopen = None
        self._waiting = None
        if self._thaw is not None:
            self._thaw.cancel()
            self._thaw = None
            edge.counters.paused -= 1
        if not self.reason:
            closed_by_us = {1002: "protocol_error", 1007: "protocol_error", 1009: "frame_too_large"}
            if code == 1002:
                odd(edge.counters, "ws_protocol_error", self.version)
            self.reason = closed_by_us.get(code, "transport_error" if code == 1006 else "client_close")
        abandoned: list[Open] = self.guard.abandon()
        edge.closed(self, abandoned, code)
        log.info(
            "charger_disconnected",
            charger_id=self.charger,
            reason=self.reason,
            code=code,
            connection_id=self.epoch,
            duration_ms=round((edge.wheel.loop.time() - self.since) * 1000),
        )
        if self.epoch:
            edge.farewell(self._closing_head())

    def _closing_head(self) -> Head:
        return Head(
            self.charger,
            self.epoch,
            self.guard.seq + 1,
            self.version,
            self._home,
            self._edge.now_ms(),
            reason=self.reason or "client_close",
        )
