"""`ocpp-gateway run`: the roles wired together, signals, and the order of the drain."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import resource
import signal
from contextlib import AsyncExitStack

import structlog
import uvloop

from gateway import __version__, logs, processes
from gateway.admin.api import AdminApi
from gateway.admin.per_charger import PerCharger, Seen, wall
from gateway.clock import Clock, now_ms
from gateway.config import Config
from gateway.console.serving import Console
from gateway.counting import Counting
from gateway.edge.gate import NO_ROUTE
from gateway.edge.listener import Edge
from gateway.edge.metering import export, watch
from gateway.exporting import Exporting
from gateway.grace import grace
from gateway.hub.hub import Hub
from gateway.hub.metering import Metering
from gateway.journal.errors import OtherPartitions, StoreDown, UnsafeStore
from gateway.journal.journal import Journal
from gateway.live import Live, Reread
from gateway.metrics import Metrics, store_timer
from gateway.operators import Operators
from gateway.passing import Passing
from gateway.rebalance import Rebalance
from gateway.registry.feed import feed_of, registry_of
from gateway.registry.given import Given
from gateway.revision import revision
from gateway.routes import Facts, NoRoute, Routes, facts_of
from gateway.systemd import Systemd
from gateway.wheel import Wheel

log = structlog.get_logger(__name__)

STORE_RETRY_SECONDS = 1.0
GC_THRESHOLD = (20_000, 20, 50)
"""Garbage is nearly always freed by its reference count here: look for cycles less often than the default 700."""
HEALTH_SECONDS = 1.0
"""Between two looks of an edge at what the hubs say about the upstreams."""


def run(config: Config, roles: frozenset[str], reread: Reread | None = None) -> int:
    """Run until SIGTERM or SIGINT, then drain. Returns the exit code: 0, or 1 when it could not start.

    `reread` reads the configuration again, for changes while it runs; None: there is no file.
    """
    logs.configure(config.log)
    _raise_descriptor_limit(config)
    if processes.PARENT in os.environ:
        processes.follow()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLD)
    try:
        return uvloop.run(App(config, roles, reread).run())
    except UnsafeStore as unsafe:
        log.error("store_unsafe", reason=str(unsafe))
    except BaseExceptionGroup as group:
        foreseen, others = group.split((UnsafeStore, CannotListen))
        if others is not None or foreseen is None:
            raise
        first = first_of(foreseen)
        log.error("cannot_listen" if isinstance(first, CannotListen) else "store_unsafe", reason=str(first))
    except OSError as error:
        log.error("cannot_listen", reason=str(error))
    except ValueError as error:
        log.error("cannot_start", reason=str(error))
    return 1


class CannotListen(Exception):
    """The address for chargers cannot be had."""


def first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first exception in a group that is no group."""
    first = group.exceptions[0]
    return first_of(first) if isinstance(first, BaseExceptionGroup) else first


class App:
    """One process: an edge, a hub, or both, around one journal."""

    def __init__(self, config: Config, roles: frozenset[str], reread: Reread | None = None) -> None:
        self._config = config
        """As it was at the start: what cannot change."""
        self._roles = roles
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._journal = Journal(config.redis, now_ms=now_ms)
        self._clock = Clock(self._journal)
        self._registry = registry_of(config.registry)
        known = config.registry.source != "open"
        self._given = Given(self._registry, config.registry, self._journal) if known else None
        self._metrics = Metrics(config.upstreams, revision=revision())
        self._live = Live(config, self._journal, self._metrics, reread, self._registry)
        self._live.on_change = self._changed
        self._logging = config.log
        self._exporting = Exporting(self._metrics)
        self._rebalance = Rebalance(self._journal, config.redis.partitions)
        self._reloading: set[asyncio.Task[list[str]]] = set()
        self._systemd = Systemd()
        self._admin: AdminApi | None = None
        self._operators = Operators(
            config,
            self._journal,
            self._live,
            self._registry,
            self._rebalance,
            roles=roles,
            learned=self._learned,
            unready=self._unready,
            drain=self._stop.set,
            now_ms=now_ms,
        )
        self._edge: Edge | None = None
        self._hub: Hub | None = None
        self._store_problem = "the store is not connected yet"
        self._down: frozenset[str] = frozenset()
        """Upstreams that the hubs call down."""

    async def run(self) -> int:
        """Start, serve until a signal comes, drain."""
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self._end)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        config, wheel = self._config, Wheel()
        async with AsyncExitStack() as stack:
            self._admin = admin = AdminApi(
                config.admin.host,
                config.admin.port,
                metrics=self._metrics,
                checks=self._checks,
                full=self._full,
                parts=(
                    *self._operators.parts,
                    PerCharger(self._seen, lambda: self._live.config.metrics.per_charger),
                    Console(),
                ),
                tokens=config.admin.tokens,
                noted=self._operators.noted,
            )
            self._operators.fleet.replies["counts"] = Counting(self._metrics).reply
            await admin.start()
            stack.push_async_callback(admin.stop)
            stack.push_async_callback(self._journal.stop)
            stack.push_async_callback(self._rebalance.stop)
            stack.push_async_callback(self._operators.fleet.stop)
            self._metrics.sources.append(self._measure)
            self._metrics.looks.append(self._look)
            self._journal.observe(store_timer(self._metrics))
            self._exporting.begin(config.tracing)
            stack.push_async_callback(self._exporting.end)
            if "edge" in self._roles:
                self._edge = Edge(
                    config.listen,
                    self._journal,
                    answer_timeout=config.charger.answer_timeout,
                    refuse=self._refuse,
                    native=self._native,
                    wheel=wheel,
                    now_ms=now_ms,
                    registry=self._registry,
                    limits=config.limits,
                )
                self._edge.forwards = self._live.forwards
                self._pass_on(self._edge, config)
                watch(self._edge.counters, self._metrics)
            async with asyncio.TaskGroup() as tasks:
                watched = tasks.create_task(self._systemd.watch(self._unready))
                serving = tasks.create_task(self._serve(wheel, admin))
                await self._stop.wait()
                within = grace(self._live.config, self._roles)
                log.info("draining", within=within)
                self._systemd.stopping(within)
                self._metrics.draining.cell().n = 1
                await self._drain()
                serving.cancel()
                watched.cancel()
        self._systemd.close()
        log.info("stopped")
        return 0

    async def _serve(self, wheel: Wheel, admin: AdminApi) -> None:
        edge = self._edge
        if edge is not None:
            try:  # listens at once: a charger that comes before the store does gets a 503
                await edge.start(shared=processes.PARENT in os.environ)
            except OSError as error:
                raise CannotListen(f"listen: {error}") from error
        await self._open_store()
        await self._clock.look()
        await self._live.settle()
        if (feed := feed_of(self._registry, self._config.registry, self._journal)) is not None:
            await feed.begin()  # routes may depend on it
        async with asyncio.TaskGroup() as tasks:
            if "hub" in self._roles:
                self._hub = Hub(self._live.config, self._journal, wheel, Metering(self._metrics), edge, self._given)
                self._hub.reconfigure(self._live.config, self._live.routes)
                tasks.create_task(self._hub.run())
                self._operators.serves(self._hub)
            self._operators.edge = edge
            tasks.create_task(self._operators.fleet.run())
            tasks.create_task(self._clock.watch())
            tasks.create_task(self._live.watch())
            tasks.create_task(self._live.follow())
            if feed is not None:
                tasks.create_task(feed.run())
            if edge is not None:
                tasks.create_task(self._watch_upstreams())
            log.info(
                "started",
                version=__version__,
                roles=sorted(self._roles),
                durability=str(self._journal.durability),
                chargers=edge.urls if edge else [],
                admin=f"http://{self._config.admin.host}:{admin.port}",
            )

    async def _open_store(self) -> None:
        """Connect the journal; keep trying while an external store is away or unsafe, so that mending it is enough.
        Raises UnsafeStore for what no time mends."""
        while True:
            try:
                await self._journal.start()
                if self._config.redis.url == "embedded":
                    edge = self._edge.id if self._edge else ""
                    await self._journal.nobody_else(self._config.redis.partitions, edge)
                self._store_problem = ""
                return
            except StoreDown as error:
                self._store_problem = f"the store is unreachable: {error}"
            except UnsafeStore as error:
                if self._config.redis.url == "embedded" or isinstance(error, OtherPartitions):
                    self._stop.set()
                    raise
                self._store_problem = f"the store is unsafe: {error}"
            log.error("store_not_ready", reason=self._store_problem)
            await asyncio.sleep(STORE_RETRY_SECONDS)

    def _end(self) -> None:
        """SIGTERM or SIGINT: drain; the second one: at once."""
        if self._stop.is_set():
            log.warning("hurrying")
            self._hurry.set()
            if self._edge is not None:
                self._edge.hurried = True
            if self._hub is not None:
                self._hub.hurry()
        self._stop.set()

    async def _drain(self) -> None:
        """Readiness is off already; no new chargers, open exchanges finish, sockets close 1012, leases go back."""
        drain = self._live.config.drain
        if self._edge is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), drain.delay)
            await self._edge.drain(drain.timeout, drain.close_rate)
        if self._hub is not None:
            await self._hub.drain(drain.timeout if self._edge is None else 1.0)
        if self._edge is not None:
            await self._edge.stop()
            with contextlib.suppress(StoreDown):
                await self._journal.edge_gone(self._edge.id)

    def _checks(self) -> dict[str, str]:
        """What must be well before chargers can connect -> why it is not; empty: it is."""
        store = self._store_problem or self._journal.problem
        checks = {
            "serving": "draining" if self._stop.is_set() else "",
            "store": store or ("" if self._journal.healthy else "the store is unreachable or unsafe"),
            "registry": "" if self._registry.ready else "the registry is not read yet",
        }
        if self._edge is not None:
            checks["listener"] = "" if self._edge.addresses else "not listening yet"
        if "hub" in self._roles:
            ready = self._hub is not None and self._hub.ready.is_set()
            checks["partitions"] = "" if ready else "the hub has no partitions yet"
        return checks

    def _unready(self) -> list[str]:
        return [reason for reason in self._checks().values() if reason]

    def _full(self) -> str:
        """Why no more chargers are taken here; empty: there is room."""
        return "" if self._edge is None or not self._edge.full else "as many chargers are connected as may be"

    def _refuse(self, charger: str) -> str | None:
        """Why a charger's handshake is refused: its primary is away and its route says that it then shall stay away."""
        try:
            route = self._live.routes.of(charger)
        except NoRoute:
            return NO_ROUTE
        return "upstream_down" if route.primary_down == "close" and route.answerers & self._down else None

    def _native(self, charger: str) -> str:
        """The version that needs no translation."""
        try:
            return self._live.config.upstreams[self._live.routes.of(charger).primary].version
        except NoRoute:
            return ""

    async def _watch_upstreams(self) -> None:
        while True:
            try:
                health = await self._journal.upstream_health(self._live.config.upstreams)
                self._down = frozenset(name for name, state in health.items() if state == "down")
            except StoreDown:
                pass
            await asyncio.sleep(HEALTH_SECONDS)

    def _reload(self) -> None:
        """SIGHUP."""

        async def reload() -> list[str]:
            self._systemd.reloading()
            errors = await self._live.reload()
            self._systemd.reloaded(good=not errors)
            return errors

        task = asyncio.get_running_loop().create_task(reload())
        self._reloading.add(task)
        task.add_done_callback(self._reloading.discard)

    def _changed(self, config: Config, routes: Routes) -> None:
        """Another configuration, or other routes, are in force."""
        if config.log != self._logging:
            self._logging = config.log
            logs.configure(config.log)
        self._exporting.change(config.tracing)
        self._metrics.know(config.upstreams)
        if self._admin is not None:
            self._admin.admit(config.admin.tokens)
        if self._edge is not None:
            self._edge.change(config.listen, config.limits, config.charger.answer_timeout)
            self._pass_on(self._edge, config)
        if self._hub is not None:
            self._hub.reconfigure(config, routes)

    def _pass_on(self, edge: Edge, config: Config) -> None:
        edge.passes_authorization = passes_authorization(config)
        shared = edge.passes_authorization and config.vault.key
        edge.pass_on = Passing(self._journal, config.vault).keep if shared else None

    async def _learned(self, charger: str) -> Facts | None:
        """What a charger has said of itself, from the store."""
        shared = await Hub.shared(self._journal, charger)
        return facts_of(shared.version, shared.boot) if shared.boot else None

    def _seen(self) -> list[Seen]:
        """The chargers that are connected here."""
        here = [] if self._edge is None else self._edge.connected
        return [Seen(each.charger, each.version, wall(each.since), wall(each.last_received)) for each in here]

    def _look(self) -> None:
        """Called before each scrape, in the loop."""
        if self._edge is not None:
            self._metrics.send_queue.cell("charger").n = self._edge.buffered
        if self._hub is not None:
            self._hub.look(self._metrics)

    def _measure(self) -> None:
        """Called at each scrape."""
        self._metrics.redis_up.cell().n = float(self._journal.healthy)
        self._metrics.store_durability.cell().n = self._journal.durability.level
        self._metrics.clock_skew.cell().n = self._clock.ahead
        self._metrics.store_resets.cell().n = self._journal.resets
        self._metrics.store_reappended.cell().n = self._journal.again
        for kind, n in list(self._journal.errors.items()):
            self._metrics.redis_errors.cell(kind).n = n
        for state, n in self._journal.pool.items():
            self._metrics.redis_pool_connections.cell(state).n = n
        if self._edge is not None:
            export(self._edge.counters, self._metrics)
            here = sum(list(self._edge.counters.connections.values()))
            self._metrics.drain_remaining.cell().n = here if self._stop.is_set() else 0
            for listener, end in self._edge.certificates_end.items():
                self._metrics.tls_certificate_not_after_timestamp.cell(listener).n = end
            self._metrics.connections_limit.cell().n = self._live.config.max_connections
        if self._hub is not None:
            self._hub.measure(self._metrics)


def passes_authorization(config: Config) -> bool:
    """Whether some upstream is shown the chargers' own credentials."""
    return any(each.authentication == "passthrough" for each in config.upstreams.values())


def _raise_descriptor_limit(config: Config) -> None:
    """A charger costs two sockets; the soft limit of many systems allows 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * config.max_connections + 200
    if soft < wanted:
        possible = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (possible, hard))
        if possible < wanted:
            log.warning("few_descriptors", limit=possible, wanted=wanted)
