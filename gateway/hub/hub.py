"""The hub: owns partitions by lease, reads their streams, decides, commits, sends, and holds the sockets to the CSMSs."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import random
import socket
import time
import uuid
from collections.abc import Callable
from typing import Any, Protocol

import msgspec
import structlog

from gateway import failpoints
from gateway.config import Config
from gateway.ids import new_id
from gateway.journal.entry import Entry, ToCharger
from gateway.journal.errors import Fenced, StoreDown
from gateway.journal.journal import Journal
from gateway.journal.streams import Batch
from gateway.metrics import Metrics
from gateway.routes import NoRoute, Route, Routes
from gateway.wheel import Wheel
from translators import NoTranslation, Renumbering, translator
from translators.frames import Frame

from .health import Health
from .link import Effects, Link
from .metering import Metering
from .partition import Partition
from .reader import Reader
from .session import SESSION, Session
from .shared import FIELD
from .shared import decode as decode_shared
from .upstream import Dials, Upstream

log = structlog.get_logger(__name__)

TEND_SECONDS = 5.0
"""Between two renewals of the leases (they live 15 s), and between two looks at absent chargers."""
TIMER_MS = 1000
"""Resolution of a session's deadlines: they are looked up only when its timer fires."""
TRIM_SECONDS = 10.0
BACK_PER_SECOND = 200
"""Waiting chargers that are dialled per second when their upstream is back."""
DIALS = 256
"""Sockets to CSMSs that are being opened at the same time."""


def now_ms() -> int:
    """Wall clock, milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class LocalEdge(Protocol):
    """An edge in the same process."""

    id: str

    def take(self, item: ToCharger) -> None: ...


class Hub:
    """The hub role of one process. Start with `run()` in a task; `drain()` then cancel ends it."""

    def __init__(
        self, config: Config, journal: Journal, wheel: Wheel, observer: Metering, local: LocalEdge | None = None
    ) -> None:
        """`local`: the edge of this process, if it has one; what is for its chargers needs no inbox."""
        self.id = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self.partitions: dict[int, Partition] = {}
        self.upstreams: dict[Link, Upstream] = {}
        self._config = config
        self._local = local
        self._routes = Routes(config.routes)
        self._journal = journal
        self._wheel = wheel
        self._observer = observer
        self._groups = [SESSION, *config.upstreams]
        self._reader = Reader(
            journal,
            self._groups,
            self.partitions,
            self._take,
            self._failed,
            self._drop_all,
            self._hand,
            self._alone,
        )
        journal.on_change = self._reader.ring
        journal.on_append = self._reader.hand_over
        self._dirty: set[Partition] = set()
        self._flush_due = False
        self._dials = Dials(DIALS)
        self._tasks: set[asyncio.Task[None]] = set()
        self._outbox: dict[str, list[ToCharger]] = {}
        self._draining = False
        self._dropped = asyncio.Event()
        """The store was away and all partitions are given up: take them again as soon as it is back."""
        self._edges: set[str] = set()
        self._health = Health(config.upstreams, journal, lambda: self._dials.tls, self._upstream_back)
        self.lag: dict[str, tuple[int, float]] = {}
        """Upstream -> (entries not acknowledged, age of the oldest in seconds)."""
        self.ready = asyncio.Event()
        """Set once the first partitions are owned."""

    async def run(self) -> None:
        """Own partitions and serve them until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._tend())
            tasks.create_task(self._reader.run())
            tasks.create_task(self._trim())
            tasks.create_task(self._health.run())

    async def drain(self, seconds: float) -> None:
        """Let open exchanges finish, up to `seconds`; then close the upstream sockets and hand the leases back."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self._settled():  # noqa: ASYNC110  the sessions tell nobody
            await asyncio.sleep(0.05)
        self._draining = True
        with contextlib.suppress(StoreDown):
            for partition in list(self.partitions.values()):
                self._drop(partition)
                await self._journal.release(partition.number, partition.token)
            await self._journal.hub_gone(self.id)

    def _settled(self) -> bool:
        return all(
            partition.quiet and all(session.settled for session in partition.sessions.values())
            for partition in self.partitions.values()
        )

    # -- leases ------------------------------------------------------------------------------------------------------

    async def _tend(self) -> None:
        while not self._draining:
            try:
                await self._tend_once()
            except StoreDown as error:
                self._drop_all(error)
                await asyncio.sleep(0.2)
                continue
            self._dropped.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TEND_SECONDS):
                    await self._dropped.wait()
                    await asyncio.sleep(0.2)  # a store that refuses us again and again is not asked in a circle

    async def _tend_once(self) -> None:
        await self._journal.hub_alive(self.id)
        hubs = sorted(await self._journal.hubs() | {self.id})
        self._health.alone = hubs == [self.id]
        self._edges = await self._journal.edges()
        renewing: list[Partition] = []
        for number in range(self._config.redis.partitions):
            mine = owner(number, hubs) == self.id
            partition = self.partitions.get(number)
            if partition is not None and mine:
                renewing.append(partition)
            elif partition is not None:
                self._drop(partition)
                await self._journal.release(number, partition.token)
            elif mine:
                token = await self._journal.acquire(number, self.id)
                if token is not None:
                    try:
                        await self._take_over(number, token)
                    except Fenced as error:
                        self._failed(self.partitions[number], error)
        renewed = await asyncio.gather(*(self._journal.renew(each.number, each.token) for each in renewing))
        for partition, held in zip(renewing, renewed, strict=True):
            if not held:
                log.warning("partition_lost", partition=partition.number)
                self._drop(partition)
        for number, partition in self.partitions.items():
            if any(partition.handed.values()):
                self._reader.ring(number)  # what is not done yet belongs into the pending lists
        self.ready.set()
        self._sweep()
        await self._measure_lag()

    async def _take_over(self, number: int, token: int) -> None:
        """Continue a partition: who is connected, what was delivered and not acknowledged, then what is new."""
        await self._journal.ensure_groups(number, self._groups)
        partition = Partition(number, token, self._journal, self._send, self._failed)
        for charger, (edge, epoch, version) in (await self._journal.homes(number)).items():
            if edge not in self._edges:
                continue  # it died with its sockets
            self._with_session(
                partition,
                charger,
                version,
                lambda session, edge=edge, epoch=epoch, version=version: session.opened(  # type: ignore[misc]
                    edge, epoch, version, now_ms(), gate_open=True
                ),
            )
        self.partitions[number] = partition
        await self._reader.continue_pending(partition)

    def _alone(self) -> bool:
        """Whether no edge but the local one lives: then every append rings."""
        return self._local is not None and self._edges <= {self._local.id}

    def _drop(self, partition: Partition) -> None:
        """Forget a partition: its sessions are another hub's now, or will be loaded again."""
        partition.failed = True
        self.partitions.pop(partition.number, None)
        self._dirty.discard(partition)
        for session in partition.sessions.values():
            self._close_session(session)

    def _drop_all(self, error: BaseException) -> None:
        if self.partitions:
            log.warning("store_down", reason=str(error))
        for partition in list(self.partitions.values()):
            self._drop(partition)
        self._dropped.set()

    def _failed(self, partition: Partition, error: BaseException) -> None:
        if isinstance(error, Fenced):
            log.warning("partition_fenced", partition=partition.number)
        else:
            log.warning("commit_failed", partition=partition.number, reason=repr(error))
        self._drop(partition)

    # -- reading -----------------------------------------------------------------------------------------------------

    def _take(self, partition: Partition, batch: Batch) -> None:
        if partition.failed:
            return
        now = now_ms()
        if batch.position and not batch.more:
            partition.position = batch.position
        if not batch.position:
            self._observer.redelivered(batch)
        for group, entries in batch.items():
            for entry in entries:
                self._happened(partition, group, entry, now)
            if group != SESSION:
                self._observer.delivered(group, entries, now)

    def _hand(self, partition: Partition, entry: Entry) -> None:
        """An entry was appended by this process, and everything before it is taken."""
        now = now_ms()
        if entry.kind != "call":
            partition.hand(entry, self._groups, SESSION)
            self._happened(partition, SESSION, entry, now)
            partition.acknowledge(SESSION, entry.id)
            return
        partition.hand(entry, self._groups, "")
        for group in self._groups[1:]:
            self._observer.delivered(group, [entry], now)
            self._happened(partition, group, entry, now)

    def _happened(self, partition: Partition, group: str, entry: Entry, now: int) -> None:
        head = entry.head
        session = partition.sessions.get(head.charger.casefold())
        if session is not None:
            self._happen(partition, session, group, entry, now)
            self._touched(partition, session)
        else:
            self._with_session(
                partition,
                head.charger,
                head.version,
                lambda session: self._happen(partition, session, group, entry, now),
            )

    def _happen(self, partition: Partition, session: Session, group: str, entry: Entry, now: int) -> None:
        """Feed one entry to its session. A bug of ours costs that entry (it becomes a dead letter), not the partition."""
        try:
            self._feed(partition, session, group, entry, now)
        except Exception:
            log.exception("entry_poisoned", charger_id=session.charger, group=group, kind=entry.kind)
            if group != SESSION:
                partition.effects.dead.append((group, entry, "poisoned"))
                partition.acknowledge(group, entry.id)

    def _feed(self, partition: Partition, session: Session, group: str, entry: Entry, now: int) -> None:
        head = entry.head
        match entry.kind:
            case "call":
                link = session.links.get(group)
                if link is None:
                    partition.acknowledge(group, entry.id)  # its route does not go there
                    return
                session.called(group, entry, now)
                if link not in self.upstreams:
                    self._connect_upstreams(session)
            case "answer":
                session.answered(entry, now)
            case "open":
                if head.version != session.version and session.version:
                    self._relink(partition, session, head.version)
                session.opened(head.home, head.epoch, head.version, now)
                self._connect_upstreams(session)
                for link in session.links.values():
                    if upstream := self.upstreams.get(link):
                        upstream.hurry()
            case "close":
                session.closed(head.epoch, now)
            case "repeat":
                session.repeated(entry, now)

    # -- sessions ----------------------------------------------------------------------------------------------------

    def _with_session(
        self, partition: Partition, charger: str, version: str, happen: Callable[[Session], None]
    ) -> None:
        """Let something happen to a charger's session, once its facts are loaded."""
        folded = charger.casefold()
        if session := partition.sessions.get(folded):
            happen(session)
            self._touched(partition, session)
        elif folded in partition.loading:
            partition.loading[folded].append(happen)
        else:
            partition.loading[folded] = [happen]
            self._spawn(self._load(partition, charger, version))

    async def _load(self, partition: Partition, charger: str, version: str) -> None:
        folded = charger.casefold()
        try:
            facts = await self._journal.load_facts(partition.number, charger)
        except StoreDown:
            self._drop(partition)
            return
        if partition.failed:
            return
        session = Session(
            charger,
            partition.effects,
            self._observer,
            gate_ms=round(self._config.charger.boot_gate_seconds * 1000),
            call_timeout_ms=round(self._config.charger.call_timeout * 1000),
        )
        session.absent_since = now_ms()
        session.shared = decode_shared(facts.get(FIELD, b""))
        self._link(session, version, facts)
        partition.sessions[folded] = session
        for happen in partition.loading.pop(folded):
            happen(session)
        self._connect_upstreams(session)
        self._touched(partition, session)

    def _link(self, session: Session, version: str, facts: dict[str, bytes]) -> None:
        try:
            route = self._routes.of(session.charger)
        except NoRoute:
            log.warning("no_route", charger_id=session.charger)
            return
        session.version = version
        for name in route.upstreams:
            self._link_one(session, name, route, version, facts.get(f"link:{name}", b""))

    def _link_one(self, session: Session, name: str, route: Route, version: str, state: bytes) -> None:
        settings = self._config.upstreams[name]
        foreign = [each for each in session.shared.open if each.minted or each.by != name]
        role = "primary" if foreign and route.role(name) == "only" else route.role(name)
        options = msgspec.structs.replace(settings.options, post_boot=name == route.primary)  # a mirror asks nothing
        try:
            translating = translator(version, settings.version, state, options, new_id, role)
            if isinstance(translating, Renumbering):
                for each in foreign:
                    translating.adopt(each.entry, each.number)
        except NoTranslation as error:
            log.warning("no_translation", charger_id=session.charger, upstream=name, reason=str(error))
            return
        primary = name == route.primary
        link = Link(
            name,
            session,
            translating,
            versions=(version, settings.version),
            primary=primary,
            policy=route.primary_down,
            may_command=primary,
            call_timeout_ms=round(settings.call_timeout * 1000),
            attempts=options.tx_attempts,
            retry_ms=round(options.tx_retry_interval * 1000),
            stopwatch=None if version == settings.version else time.perf_counter,
        )
        link.stored = state
        session.links[name] = link
        if primary:
            session.hold_ms = round(route.hold * 1000)
        if self._health.down(name):
            link.down_since = now_ms()

    def _relink(self, partition: Partition, session: Session, version: str) -> None:
        """The charger came back with another OCPP version: the same facts, other rules."""
        states = {f"link:{name}": link.translator.state() for name, link in session.links.items()}
        self._close_upstreams(session)
        session.links.clear()
        self._link(session, version, states)

    def _connect_upstreams(self, session: Session) -> None:
        """Sockets for a charger that is here, and for an absent one whose backlog is not empty."""
        for name, link in session.links.items():
            if not session.edge and link.idle:
                continue
            upstream = self.upstreams.get(link)
            if upstream is None:
                upstream = self.upstreams[link] = Upstream(
                    name,
                    session.charger,
                    self._config.upstreams[name],
                    self._wheel,
                    self._dials,
                    lambda frame, session=session, name=name: self._from_upstream(session, name, frame),  # type: ignore[misc]
                    lambda event, session=session, link=link: self._upstream_state(session, link, event),  # type: ignore[misc]
                )
            upstream.start()

    def _from_upstream(self, session: Session, name: str, frame: Frame) -> None:
        partition = self._partition_of(session)
        if partition is None:
            return
        if failpoints.armed:
            failpoints.hit("after_upstream_answer")
        self._observer.received(frame, self._config.upstreams[name].version)
        session.from_upstream(name, frame, now_ms())
        self._touched(partition, session)

    def _upstream_state(self, session: Session, link: Link, event: str) -> None:
        self._health.happened(link.name, event)
        self._observer.upstream(link.name, event)
        partition = self._partition_of(session)
        if partition is None or session.links.get(link.name) is not link:
            return
        if event == "connected":
            session.connected(link.name, now_ms())
        else:
            session.disconnected(link.name, now_ms())
        self._touched(partition, session)

    def _partition_of(self, session: Session) -> Partition | None:
        partition = self.partitions.get(self._journal.partition(session.charger))
        return partition if partition and partition.sessions.get(session.charger.casefold()) is session else None

    def _sweep(self) -> None:
        """Let go of absent chargers that every upstream has been told everything about."""
        now = now_ms()
        for partition in self.partitions.values():
            for folded, session in list(partition.sessions.items()):
                if session.edge and session.edge not in self._edges:
                    session.closed(session.epoch, now)  # its edge is dead: that is a close for all its chargers
                    self._touched(partition, session)
                if session.idle and now - session.absent_since >= self._linger_ms(session):
                    del partition.sessions[folded]
                    self._close_session(session)

    def _linger_ms(self, session: Session) -> float:
        return 1000 * max((self._config.upstreams[name].linger for name in session.links), default=0.0)

    def _close_session(self, session: Session) -> None:
        if session.timer is not None:
            session.timer.cancel()
            session.timer = None
        self._close_upstreams(session)

    def _close_upstreams(self, session: Session) -> None:
        for link in session.links.values():
            if upstream := self.upstreams.pop(link, None):
                upstream.stop()

    # -- decide, commit, send ----------------------------------------------------------------------------------------

    def _touched(self, partition: Partition, session: Session) -> None:
        """Something was decided for this session: flush at the end of the loop's turn, and arm its timer."""
        partition.dirty = True
        self._dirty.add(partition)
        if not self._flush_due:
            self._flush_due = True
            asyncio.get_running_loop().call_soon(self._flush)
        if session.timer is None:
            self._arm(partition, session, TIMER_MS)

    def _arm(self, partition: Partition, session: Session, ms: int) -> None:
        session.timer = self._wheel.after(ms / 1000, lambda: self._tick(partition, session))

    def _tick(self, partition: Partition, session: Session) -> None:
        session.timer = None
        if partition.failed or partition.sessions.get(session.charger.casefold()) is not session:
            return
        now, due = now_ms(), session.deadline()
        if due and due <= now:
            session.tick(now)
            self._touched(partition, session)
        elif due:
            self._arm(partition, session, min(due - now, TIMER_MS))

    def _flush(self) -> None:
        self._flush_due = False
        dirty, self._dirty = self._dirty, set()
        for partition in dirty:
            partition.flush()

    def _send(self, effects: Effects) -> None:
        for group, ids in effects.acks.items():
            self._observer.acknowledged(group, len(ids))
        for link, frame in effects.to_upstream:
            if failpoints.armed:
                failpoints.hit("before_send_upstream")
            if upstream := self.upstreams.get(link):
                upstream.write(frame)
        if effects.to_charger:
            if not self._outbox:
                asyncio.get_running_loop().call_soon(self._deliver)
            for edge, item in effects.to_charger:
                self._outbox.setdefault(edge, []).append(item)

    def _deliver(self) -> None:
        """Everything for the chargers of an edge that the commits of this turn released, as one command."""
        outbox, self._outbox = self._outbox, {}
        for edge, items in outbox.items():
            if self._local is not None and edge == self._local.id:
                for item in items:
                    self._local.take(item)
                continue
            self._journal.deliver(edge, items).add_done_callback(_looked_at)

    # -- the rest ----------------------------------------------------------------------------------------------------

    async def _trim(self) -> None:
        while True:
            await asyncio.sleep(TRIM_SECONDS)
            for partition in list(self.partitions.values()):
                try:
                    await self._journal.trim(partition.number, partition.token, self._groups)
                except Fenced as error:
                    self._failed(partition, error)
                except StoreDown:
                    break

    def _upstream_back(self, name: str) -> None:
        """Chargers that wait in a long back-off are dialled soon, not all in the same moment."""
        waiting = [upstream for upstream in self.upstreams.values() if upstream.name == name]
        for upstream in waiting:
            if upstream.state == "backoff":
                self._wheel.after(random.uniform(0, max(1.0, len(waiting) / BACK_PER_SECOND)), upstream.hurry)

    async def _measure_lag(self) -> None:
        """How far each upstream is behind, over the partitions owned here."""
        pending = dict.fromkeys(self._config.upstreams, 0)
        age_ms = dict.fromkeys(self._config.upstreams, 0)
        names = list(self._config.upstreams)
        for lags in await asyncio.gather(*(self._journal.lag(number, names) for number in list(self.partitions))):
            for name, lag in lags.items():
                pending[name] += lag.pending
                age_ms[name] = max(age_ms[name], lag.age_ms)
        self.lag = {name: (pending[name], age_ms[name] / 1000) for name in pending}

    def measure(self, metrics: Metrics) -> None:
        """Called at each scrape, in its thread."""
        for name, (pending, age) in self.lag.items():
            metrics.stream_pending.cell(name).n = pending
            metrics.stream_oldest_undelivered_age.cell(name).n = age
        states: dict[tuple[str, str], int] = {
            (name, state): 0 for name in self._config.upstreams for state in ("connected", "connecting", "backoff")
        }
        for upstream in list(self.upstreams.values()):
            if (upstream.name, upstream.state) in states:
                states[upstream.name, upstream.state] += 1
        for (name, state), n in states.items():
            metrics.upstream_sessions.cell(name, state).n = n

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def owner(partition: int, hubs: list[str]) -> str:
    """Who of the live hubs owns a partition (rendezvous hashing: a change of the fleet moves as little as possible)."""
    return max(hubs, key=lambda hub: hashlib.blake2b(f"{partition}:{hub}".encode(), digest_size=8).digest())


def _looked_at(future: asyncio.Future[None]) -> None:
    if not future.cancelled() and (error := future.exception()) is not None:
        log.warning("inbox_unreachable", reason=repr(error))
