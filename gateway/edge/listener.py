"""The edge role: listens, has its place in the store, says who may come now, and lets the chargers go gently."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final

import structlog

from gateway.config import Limits, Listen
from gateway.edge.access import Denied, Rate
from gateway.edge.certified import CertifiedConnection
from gateway.edge.connection import ChargerConnection
from gateway.edge.connections import CLOSES_PER_SECOND, Connections
from gateway.edge.counters import EdgeCounters, count
from gateway.edge.door import Door
from gateway.edge.gate import Gate, Terms
from gateway.edge.lockout import Lockout
from gateway.edge.overload import watch
from gateway.edge.parting import drain
from gateway.edge.presence import LEASE_SECONDS, RENEW_SECONDS, Presence
from gateway.edge.sources import Sources
from gateway.journal.entry import Head
from gateway.journal.errors import StoreDown
from gateway.journal.journal import Journal
from gateway.registry import Change, Registry
from gateway.wheel import Wheel

log = structlog.get_logger(__name__)

FREE_AGAIN: Final = 0.95
"""Of the room, taken: an edge that was full has some again."""
TOLD_REFUSALS: Final = (2.0, 100.0)
"""Chargers whose refusal is told in the log: per second, and at once. Strangers must not fill it."""


class Edge(Connections):
    """All chargers of this process. Belongs to the event loop that started it.

    `refuse(charger)` gives why a charger's handshake is refused ("upstream_down" with 503, `gate.NO_ROUTE` with 404) or None;
    `native(charger)` the version that its primary speaks ("": no preference). `now_ms`: wall clock.
    """

    def __init__(
        self,
        listen: Listen | Sequence[Listen],
        journal: Journal,
        *,
        answer_timeout: float = 25.0,
        refuse: Callable[[str], str | None] | None = None,
        native: Callable[[str], str] | None = None,
        counters: EdgeCounters | None = None,
        wheel: Wheel | None = None,
        registry: Registry | None = None,
        limits: Limits | None = None,
        now_ms: Callable[[], int] = lambda: int(time.time() * 1000),
    ) -> None:
        """`registry`: which chargers exist; None: any. Raises OSError and ValueError for certificates that cannot be used."""
        super().__init__(journal, wheel or Wheel(), counters or EdgeCounters(), limits or Limits())
        self.now_ms = now_ms
        self.presence = Presence(journal, self.wheel, self.take, self._unknown)
        self.id = self.presence.id
        """Names this incarnation of the edge; a new one after the lease was lost."""
        self.budget_ms = int(answer_timeout * 1000)
        self.overload = 0
        """Level of `overload`, 0: there is memory enough."""
        self.draining = False
        self.hurried = False
        """The drain shall end at once."""
        self.close_rate = 0.0  # of a drain, if not the configured one
        self.forwards: Callable[[str, str], bool] = lambda _charger, _version: False
        """Whether a charger of this version may send actions that are unknown (row R22)."""
        self.pass_on: Callable[[str, str], Awaitable[None]] | None = None
        """Given it for the hubs of other processes, before the charger is let in: charger, header."""
        self.addresses: list[tuple[str, int]] = []
        """Where it listens: host and port, after `start`."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._farewells: list[Head] = []
        self._leaving: set[asyncio.Future[None]] = set()
        self._retrying = False
        self._told: Callable[[bool], None] | None = None
        self.registry = Registry() if registry is None else registry
        self.registry.on_change.append(self._recheck)
        self.told_refusals = Rate(*TOLD_REFUSALS)
        self._full = False
        terms = Terms(
            journal, self.registry, self.counters, self._checker, Lockout(lambda: self.limits), lambda: self.wheel.loop.time(),
            present=lambda charger: charger.casefold() in self._chargers,
            closed=self._closed, sources=Sources(), limits=lambda: self.limits, answers=self._answers,
            refuse=refuse, native=native, pins=self.pins,
        )  # fmt: skip
        self._doors = [self._door(Gate(each, terms)) for each in ([listen] if isinstance(listen, Listen) else listen)]

    async def start(self, *, shared: bool = False) -> None:
        """Take the lease and listen; without a store handshakes get 503. Raises OSError (address in use).

        `shared`: other processes of this machine listen on the same ports.
        """
        self.presence.begin()
        with contextlib.suppress(StoreDown):  # the lease is taken as soon as the store is there
            await self.presence.renew()
        self._told = self.journal.on_health
        self.journal.on_health = self._health
        for door in self._doors:
            door.shared = shared
            await door.start(self.spawn)
        self.addresses = [address for door in self._doors for address in door.addresses]
        self.spawn(self.presence.hold())
        self.spawn(self.presence.read())
        self.spawn(watch(self))
        log.info("edge_listens", addresses=self.addresses, edge=self.id)

    def change(self, listen: Sequence[Listen], limits: Limits, answer_timeout: float) -> None:
        """These settings are in force from now on; the listeners are the same ones."""
        self.limits = limits
        self.budget_ms = int(answer_timeout * 1000)
        for door, each in zip(self._doors, listen, strict=True):
            if each != door.gate.listen:
                door.gate.change(each)
        bounds = limits.bounds
        for wire in self._chargers.values():
            wire.guard.budget_ms, wire.guard.bounds = self.budget_ms, bounds

    async def drain(self, timeout: float = 10.0, rate: float = CLOSES_PER_SECOND) -> None:  # noqa: ASYNC109
        """Accept nobody any more; let open exchanges finish within `timeout` seconds; close all sockets with 1012.

        Sockets without an open exchange go first, in random order, `rate` per second. `hurried` ends both restraints.
        """
        self.draining = True
        for door in self._doors:
            door.close()
        await drain(self, self._sockets, timeout, rate)

    async def stop(self) -> None:
        """End everything at once: sockets are reset, tasks cancelled. Call `drain` first for a gentle end."""
        self.draining = True
        for door in self._doors:
            door.close()
        for wire in list(self._sockets):
            wire.reason = wire.reason or "drain"
            wire.abort()
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # connection_lost runs in the next turn
        if self._leaving:
            await asyncio.wait(self._leaving, timeout=2)
        if self.journal.on_health == self._health:
            self.journal.on_health = self._told
        ending = set(self._tasks)
        while ending:
            for task in ending:
                task.cancel()
            _, ending = await asyncio.wait(ending, timeout=0.5)
        self._checker.stop()

    @property
    def urls(self) -> list[str]:
        """What chargers dial, after `start`."""
        return [
            f"{door.gate.listen.scheme}://{host}:{port}/<charger id>"
            for door in self._doors
            for host, port in door.addresses
        ]

    @property
    def full(self) -> bool:
        """Whether no listener takes a further charger; again not before a twentieth of the room is free somewhere."""
        share = FREE_AGAIN if self._full else 1.0
        self._full = all(door.gate.open >= share * door.gate.listen.max_connections for door in self._doors)
        return self._full

    @property
    def certificates_end(self) -> dict[str, float]:
        """When the first certificate of each listener (host:port) ends, seconds since 1970; 0 without TLS."""
        return {
            f"{door.gate.listen.host}:{door.gate.listen.port}": 0.0 if door.keys is None else door.keys.expires_at
            for door in self._doors
        }

    # For connections.

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine that belongs to the edge; its failure is logged."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def advice(self, status: int) -> list[tuple[str, str]]:
        """Headers that go with an HTTP error."""
        return [("Retry-After", str(random.randint(30, 120)))] if status in (429, 503) else []

    def farewell(self, head: Head) -> None:
        """Tell the journal that a connection is gone; kept for later while the store is down."""
        if not self.journal.healthy:
            self._farewells.append(head)
            return

        def done(told: asyncio.Future[None]) -> None:
            self._leaving.discard(told)
            if not told.cancelled() and isinstance(told.exception(), StoreDown):
                self._farewells.append(head)  # doubled it does no harm: a `close` ends what is closed

        told = self.journal.close_charger(head)
        self._leaving.add(told)
        told.add_done_callback(done)

    def retry_soon(self) -> None:
        """Frames wait although the store looks healthy: try again without waiting for its health to change."""
        if not self._retrying:
            self._retrying = True
            self.wheel.after(0.25, self._retry)

    # Inside.

    def _door(self, gate: Gate) -> Door:
        certified = gate.listen.security_profile == 3 and gate.listen.tls.check_serial
        made = CertifiedConnection if certified else ChargerConnection
        full = lambda: self.counters.pending >= self.limits.pending  # noqa: E731
        return Door(gate, lambda source: made(self, gate, source), self.counters, self.now_ms, full)

    def _closed(self) -> Denied | None:
        """Why nobody is let in now."""
        if self.draining:
            return Denied(503, "Draining.\n", "draining")
        if self.overload:
            count(self.counters.limits, "memory_refuse")
            return Denied(503, "Short of memory.\n", "over_capacity")
        if not self.journal.healthy or self.journal.problem:
            return Denied(503, "The store is unavailable.\n", "store_down")
        if not self.registry.ready:
            return Denied(503, "The registry is not read yet.\n", "store_down")
        return None

    def _recheck(self, change: Change) -> None:
        """The registry has changed: whoever may not be here any more goes."""
        for identity in list(self._chargers) if change.chargers is None else change.chargers:
            wire, charger = self._chargers.get(identity), self.registry.get(identity)
            if wire is not None and (not self.registry.exists(identity) or (charger is not None and charger.blocked)):
                wire.part("kicked", 1008, "not registered any more")

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (exc := task.exception()) is not None:
            log.error("edge_task_failed", exc_info=exc)

    def _health(self, healthy: bool) -> None:
        if self._told is not None:
            self._told(healthy)
        if healthy:
            self.spawn(self.presence.renew())  # before any charger's frame: hubs answer to living edges only
            self._resume()

    def _retry(self) -> None:
        self._retrying = False
        if self.holding:
            if self.journal.healthy and not self.journal.problem:
                self._resume()
            if self.holding:
                self.retry_soon()

    def _resume(self) -> None:
        farewells, self._farewells = self._farewells, []
        for head in farewells:
            self.farewell(head)
        holding, self.holding = self.holding, set()
        for wire in holding:
            wire.recovered()

    def _unknown(self) -> None:
        """Hubs count this edge's chargers as gone: let them connect anew, to a new incarnation."""
        self.id = self.presence.id
        wires = list(self._sockets)
        if wires:
            log.warning("edge_lease_lost", sockets=len(wires), edge=self.id)
        random.shuffle(wires)
        rate = max(CLOSES_PER_SECOND, len(wires) / (LEASE_SECONDS - RENEW_SECONDS))
        for number, wire in enumerate(wires):
            self.wheel.after(number / rate, partial(wire.part, "store_down", 1013, "store unavailable"))
