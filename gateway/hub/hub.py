"""The hub: feeds the entries of the partitions it owns to their sessions, which decide; see `turn` for what follows."""

from __future__ import annotations

import asyncio
import os
import socket
import uuid

import structlog

from gateway import tap
from gateway.clock import now_ms
from gateway.config import Config
from gateway.journal.entry import Dead, Entry, exchange_of
from gateway.journal.journal import Journal
from gateway.journal.streams import Batch
from gateway.metrics import Metrics
from gateway.metrics_catalogue import SESSION_STATES
from gateway.routes import Routes
from gateway.wheel import Wheel

from . import watching
from .answering import trace
from .behind import age
from .census import Census
from .metering import Metering
from .operations import Operations
from .ownership import Ownership
from .parking import Parking
from .partition import Partition
from .pausing import Pausing
from .reader import Reader
from .reconfigure import Reconfigure
from .rekeys import Given, Rekeys
from .retention import PRESSURE, Retention
from .retried import unknown
from .session import SESSION, Session
from .sessions import Sessions
from .shared import FIELD, Shared
from .shared import decode as decode_shared
from .turn import LocalEdge, Turn

log = structlog.get_logger(__name__)


class Hub:
    """The hub role of one process. Start with `run()` in a task; `drain()` then cancel ends it."""

    def __init__(
        self,
        config: Config,
        journal: Journal,
        wheel: Wheel,
        observer: Metering,
        local: LocalEdge | None = None,
        given: Given | None = None,
    ) -> None:
        """`local`: the edge of this process, if it has one; `given`: what is remembered of passwords, if anything is."""
        self.id = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self.partitions: dict[int, Partition] = {}
        self._config = config
        self._local = local
        self._observer = observer
        self._groups = [SESSION, *config.upstreams]
        self._fresh: set[Partition] = set()
        """Partitions whose pending list, which another owner left, has not been read to its end."""
        self._turn = Turn(journal, wheel, observer, local)
        self._reader = Reader(
            journal,
            self._groups,
            self.partitions,
            self._take,
            lambda partition, error: self._ownership.failed(partition, error),
            lambda error: self._ownership.interrupted(error),
            self._hand,
            self._alone,
        )
        self._journal = journal
        self._ownership = Ownership(
            self.id,
            journal,
            self._reader,
            self.partitions,
            self._groups,
            count=config.redis.partitions,
            begin=self._begin,
            resume=lambda partition: self._parking.begin(partition),
            lost=self._lost,
            settled=_settled,
            commanding=_commanding,
            stay=self._stay,
            keeps=self._keeps,
            tended=self._tended,
        )
        self._ownership.begins = {name: upstream.begins(now_ms()) for name, upstream in config.upstreams.items()}
        self._sessions = Sessions(config, journal, wheel, observer, self.partitions, self._turn)
        if given is not None:
            self._sessions.passwords = True
            self._rekeys = Rekeys(given, self._turn, self._sessions.partition_of)
        self._parking = Parking(journal, self.partitions, self._sessions, self._turn, self._sessions.health.up)
        self._retention = Retention(
            journal,
            self.partitions,
            self._parking,
            self._turn,
            observer,
            lambda: self._sessions.settings,
            config.redis.partitions,
        )
        self._census = Census(journal, self.partitions, self._parking, config.metrics.models)
        self._reconfigure = Reconfigure(
            journal, self._sessions, self.partitions, self._groups, self._turn, self._parking, self._take
        )
        self._pausing = Pausing(journal, wheel, self._sessions, self.partitions)
        self.operations = Operations(journal, self.partitions, self._sessions, self._turn, self._census)
        """What operators may ask of this hub."""
        self._turn.on_boot = self._reconfigure.booted
        journal.on_change = self._reader.ring
        journal.on_append = self._reader.hand_over

    @property
    def ready(self) -> asyncio.Event:
        """Set once the first partitions are owned."""
        return self._ownership.ready

    async def run(self) -> None:
        """Own partitions and serve them until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._ownership.run())
            tasks.create_task(self._reader.run())
            tasks.create_task(self._ownership.trim())
            tasks.create_task(self._sessions.health.run())
            tasks.create_task(self._retention.run())
            tasks.create_task(self._census.run())
            tasks.create_task(self._reconfigure.run())
            tasks.create_task(self._pausing.run())

    async def drain(self, seconds: float) -> None:
        """Take no new commands; close the upstream sockets of each partition and hand its lease back once its open
        exchanges have ended, or after so many seconds."""
        self._sessions.draining = True
        await self._ownership.give_back(seconds)

    def hurry(self) -> None:
        """A drain ends at once."""
        self._ownership.hurried = True

    def reconfigure(self, config: Config, routes: Routes) -> None:
        """This is in force from now on; connected chargers follow without being dropped."""
        self._config = config
        self._census.know(config.metrics.models)
        self._ownership.begins = {name: upstream.begins(now_ms()) for name, upstream in config.upstreams.items()}
        self._reconfigure.apply(config, routes)

    @staticmethod
    async def shared(journal: Journal, charger: str) -> Shared:
        """What is known of a charger, connected or not. Raises StoreDown."""
        facts = await journal.load_facts(journal.partition(charger), charger)
        return decode_shared(facts.get(FIELD, b""))

    def measure(self, metrics: Metrics) -> None:
        """Called at each scrape, in its thread."""
        lags, oldest, now = self._ownership.lag, self._retention.oldest, now_ms()
        for name in self._config.upstreams:
            behind = lags.get(name)
            if self.partitions:
                metrics.stream_lag_known.cell(name).n = float(behind is not None and behind.unread >= 0)
            else:  # a hub that owns nothing has nothing to know
                metrics.stream_lag_known.drop(name)
            if behind is None or behind.unread < 0:  # better no figure than an old one
                metrics.stream_lag.drop(name)
            else:
                metrics.stream_lag.cell(name).n = behind.unread
            if behind is None:
                metrics.stream_pending.drop(name)
                metrics.stream_oldest_undelivered_age.drop(name)
                metrics.stream_oldest_pending_age.drop(name)
            else:
                parked = oldest.get(name, 0)
                metrics.stream_pending.cell(name).n = behind.pending
                metrics.stream_oldest_pending_age.cell(name).n = age(behind.pending_ms, now)
                first = min(filter(None, (behind.oldest_ms, parked)), default=0)
                metrics.stream_oldest_undelivered_age.cell(name).n = age(first, now)
        metrics.stream_length.cell().n = self._ownership.length
        metrics.partitions.cell().n = len(self.partitions)
        metrics.partition_takeovers.cell().n = self._ownership.taken_over
        self._census.measure(metrics, self._config.upstreams, now)
        self._retention.measure(metrics, self._config.upstreams)
        states: dict[tuple[str, str], int] = {
            (name, state): 0 for name in self._config.upstreams for state in SESSION_STATES
        }
        asking, paused = 0, self._sessions.health.paused
        for link, upstream in list(self._turn.upstreams.items()):
            asking += link.commands_open
            condition = "disabled" if upstream.name in paused else upstream.condition
            if (upstream.name, condition) in states:
                states[upstream.name, condition] += 1
        metrics.calls_in_flight.cell("csms").n = asking
        traffic = self._sessions.traffic
        metrics.received_bytes.cell("csms").n = traffic.received_bytes
        metrics.sent_bytes.cell("csms").n = traffic.sent_bytes
        metrics.frame_size.cell("csms").copy(traffic.sizes, traffic.received_bytes + traffic.sent_bytes)
        for (name, state), n in states.items():
            metrics.upstream_sessions.cell(name, state).n = n

    def look(self, metrics: Metrics) -> None:
        """Called before each scrape, in the loop."""
        metrics.send_queue.cell("csms").n = sum(upstream.buffered for upstream in self._turn.upstreams.values())

    # -- partitions come and go --------------------------------------------------------------------------------------

    def _begin(self, number: int, token: int, homes: dict[str, tuple[str, int, str]]) -> Partition:
        """A partition is ours: `homes` are the chargers that are connected (edge, epoch, version)."""
        partition = Partition(
            number, token, self._journal, self._turn.send, self._ownership.failed, self._turn.committed
        )
        self._fresh.add(partition)
        for charger, (edge, epoch, version) in homes.items():
            self._sessions.happen(
                partition,
                charger,
                version,
                lambda session, edge=edge, epoch=epoch, version=version: session.opened(  # type: ignore[misc]
                    edge, epoch, version, now_ms(), gate_open=True
                ),
            )
        return partition

    def _lost(self, partition: Partition) -> None:
        self._fresh.discard(partition)
        self._parking.forget(partition)
        self._turn.forget(partition)
        for session in partition.sessions.values():
            self._sessions.close(session)

    def _stay(self, partition: Partition) -> None:
        """A partition was to go to another hub, and stays."""
        now = now_ms()
        for session in list(partition.sessions.values()):
            for link in session.links.values():
                link.pump(now)
            self._turn.touched(partition, session)
        self._reader.ring(partition.number)

    def _keeps(self) -> float:
        return 0.0 if self._retention.fullness > PRESSURE else self._config.redis.keep

    def _tended(self) -> None:
        self._sessions.health.alone = self._ownership.alone
        self._sessions.sweep(self._ownership.edges)

    def _alone(self) -> bool:
        """Whether no edge but the local one lives: then every append rings."""
        return self._local is not None and self._ownership.edges <= {self._local.id}

    # -- entries -----------------------------------------------------------------------------------------------------

    def _take(self, partition: Partition, batch: Batch) -> None:
        if partition.failed:
            return
        now = now_ms()
        if batch.position and not batch.more:
            partition.position = batch.position
        if not batch.position:
            self._observer.redelivered(batch, claimed=partition in self._fresh)
        else:
            if partition.deserted:
                self._observer.redelivered(batch, claimed=True)
                partition.deserted = bool(batch.more)
            if self._fresh:
                self._fresh.discard(partition)
        for group, n in batch.gone.items():
            self._observer.gone(group, n)
        for group, entries in batch.items():
            for entry in entries:
                self._happened(partition, group, entry, now)
                if group == SESSION:
                    partition.acknowledge(group, entry.id)
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
            self._turn.touched(partition, session)
        else:
            self._sessions.happen(
                partition,
                head.charger,
                head.version,
                lambda session: self._happen(partition, session, group, entry, now),
                (group, entry.id) if entry.kind == "call" else None,
            )

    def _happen(self, partition: Partition, session: Session, group: str, entry: Entry, now: int) -> None:
        """Feed one entry to its session. A bug of ours costs that entry (it becomes a dead letter), not the partition."""
        try:
            self._feed(partition, session, group, entry, now)
        except Exception as error:
            charger, exchange = session.charger, exchange_of(entry.head)
            log.exception("entry_poisoned", charger_id=charger, exchange=exchange, group=group, kind=entry.kind)
            if group != SESSION:
                partition.effects.dead.append(Dead(group, entry, "poisoned", 1, trace(error)))
                partition.acknowledge(group, entry.id)

    def _feed(self, partition: Partition, session: Session, group: str, entry: Entry, now: int) -> None:
        head = entry.head
        self._parking.attach(partition, session)
        match entry.kind:
            case "call":
                link = session.links.get(group)
                if link is None or link.leaving:
                    if self._reconfigure.holds(session, group, entry):
                        return
                    if link is None and self._sessions.untranslatable(session, group):
                        self._observer.untranslatable(group, entry)
                    partition.acknowledge(group, entry.id)  # its route does not go there, or nothing can be told there
                    return
                if tap.armed:
                    watching.said(session, entry)
                session.called(group, entry, now)
                if link not in self._turn.upstreams:
                    self._sessions.connect(session)
            case "answer":
                if tap.armed:
                    watching.answered(session, entry)
                session.answered(entry, now)
            case "open":
                if tap.armed:
                    watching.connection(session, entry)
                if head.version != session.version and session.version:
                    self._sessions.relink(partition, session, head.version)
                session.opened(head.home, head.epoch, head.version, now)
                if session.route is not None:
                    self._sessions.treat(session, session.route)
                self._sessions.connect(session)
                self._sessions.hurry(session)
            case "close":
                if tap.armed:
                    watching.connection(session, entry)
                session.closed(head.epoch, now)
            case "repeat":
                if tap.armed:
                    watching.said(session, entry)
                if unknown(session, entry):
                    self._sessions.look_up(partition, session, entry)
                else:
                    session.repeated(entry, now)


def _settled(partition: Partition) -> bool:
    return partition.quiet and all(session.settled for session in partition.sessions.values())


def _commanding(partition: Partition) -> bool:
    return any(session.lane.open_id for session in partition.sessions.values())
