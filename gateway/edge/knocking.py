"""A charger's socket until it is let in, or not."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import structlog
from websockets.http11 import Request

from gateway.edge import certificates, quirks
from gateway.edge.access import Admission, Denied
from gateway.edge.counters import count, odd
from gateway.edge.gate import Claim, Gate, Visitor
from gateway.edge.guard import Guard
from gateway.edge.strict import StrictGuard
from gateway.serve import ServerWire

if TYPE_CHECKING:
    from gateway.edge.listener import Edge

log = structlog.get_logger(__name__)

TOLD: Final = frozenset(
    ("auth_failed", "unknown_identity", "blocked", "subprotocol_mismatch", "duplicate_identity", "bad_request")
)
"""Outcomes that are told in the log, with the charger."""
LONGEST_NAME: Final = 48


class Knocking(ServerWire):
    """The handshake; `charger` and `guard` are set when it is accepted."""

    __slots__ = ("_edge", "_source", "authorization", "charger", "gate", "guard", "reason", "since")

    guard: Guard

    def __init__(self, edge: Edge, gate: Gate, source: str) -> None:
        """`source`: address of the client; "": it is the peer's."""
        super().__init__(edge.wheel, read_limit=gate.read_limit)
        self._edge = edge
        self._source = source
        self.gate = gate
        """Of the listener that accepted it."""
        self.write_limit = gate.write_limit
        self.charger = ""
        """Identity as the charger spells it."""
        self.authorization = ""
        """The Authorization header of the handshake, if it is to be passed on; never stored, never logged."""
        self.reason = ""
        """Why the connection ends (the label of disconnects, before the handshake that of attempts), once known."""
        self.since = 0.0
        """Loop time at which the socket was there, then that at which the handshake was complete."""

    @property
    def stall_timeout(self) -> float:
        return self._edge.limits.write_stall

    @property
    def upgrade_timeout(self) -> float:
        return self.gate.upgrade_timeout

    @property
    def source(self) -> str:
        """Address of the client, as far as the proxies tell."""
        return self._source or self.peer[0]

    @property
    def lenient_upgrade(self) -> bool:
        return self.gate.listen.lenient_upgrade

    def on_lenient(self) -> None:
        odd(self._edge.counters, "hs_no_connection_hdr")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.since = self.last_received
        if not self._edge.arrived():
            count(self._edge.counters.limits, "pending")
            self.reason = "over_capacity"
            self.abort()

    def on_request(self, request: Request, offered: Sequence[str]) -> None:
        shown = None if self._transport is None else self._transport.get_extra_info("peercert")
        visitor = Visitor(self.peer[0], self._source, certificates.of_peer(shown))
        if (origin := self.gate.origin(visitor, request.headers)) != visitor.peer:
            self._source = origin
        try:
            claim = self.gate.check(visitor, request.path, request.headers, offered)
        except Denied as denied:
            self._deny(denied, unquote(request.path.partition("?")[0].rpartition("/")[2])[:LONGEST_NAME])
            return
        quirks.handshake(self._edge.counters, request.path, claim.identity, bool(offered), claim.common[0][0])
        if self._edge.passes_authorization:
            self.authorization = next(iter(request.headers.get_all("Authorization")), "")
        self._edge.spawn(self._decide(claim))

    async def _decide(self, claim: Claim) -> None:
        try:
            admission = await self.gate.admit(claim)
        except Denied as denied:
            self._deny(denied, claim.identity)
        except Exception:
            log.exception("handshake_failed")
            self.reject(500, "Internal error.\n")
        else:
            if self._edge.pass_on is not None:
                await self._edge.pass_on(admission.charger, self.authorization)
            self._welcome(admission)

    def _welcome(self, admission: Admission) -> None:
        self.charger = admission.charger
        kind, edge, version = StrictGuard if admission.strict else Guard, self._edge, sys.intern(admission.version)
        self.guard = kind(version, edge.budget_ms, edge.limits.bounds)
        self.guard.forward = not admission.strict and edge.forwards(admission.charger, version)
        self.accept(admission.subprotocol or None, deflate=not admission.version.startswith("ocpp1"))

    def _deny(self, denied: Denied, charger: str) -> None:
        """`charger`: who the visitor says it is."""
        self.reason = denied.outcome
        if denied.outcome in TOLD and self._edge.told_refusals.take(self._edge.wheel.loop.time()):
            why = {"outcome": denied.outcome, "status": denied.status, "source": self.source}
            log.info("charger_refused", charger_id=charger, **why)
        if denied.outcome == "subprotocol_mismatch" and self.gate.listen.subprotocol_mismatch == "complete_then_close":
            self.accept(None)
            return
        self.reject(denied.status, denied.text, denied.headers or self._edge.advice(denied.status))

    def on_refused(self, status: int, why: str) -> None:
        if status == 400 and not self.reason:
            odd(self._edge.counters, "hs_bad_request")
        outcome = self.reason or ("bad_request" if status else "other")
        self._edge.refused(outcome)
        log.debug("handshake_refused", status=status, outcome=outcome, peer=self.peer[0], why=why)
