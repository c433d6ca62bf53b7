"""What operators get of one process: the parts of its admin port, and its answers to the other processes of the fleet."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
from aiohttp import web

from gateway import __version__, logs
from gateway.admin.acting import Acting
from gateway.admin.auditing import Auditing
from gateway.admin.chargers import Chargers
from gateway.admin.configuring import Configuring
from gateway.admin.directory import Directory
from gateway.admin.frames import Frames
from gateway.admin.importing import Importing
from gateway.admin.openapi import Description
from gateway.admin.overview import Overviews
from gateway.admin.processes import Processes
from gateway.admin.queues import Queues
from gateway.admin.rebalancing import Rebalancing
from gateway.admin.routing import FactsOf, Routing
from gateway.admin.shadow import Shadows
from gateway.admin.table import CHANGE
from gateway.admin.translating import Translating
from gateway.admin.upstreams import Upstreams
from gateway.admin.wirelogs import Logs
from gateway.cli.translate import BadLine, Conversation
from gateway.config import Config
from gateway.fleet import Fleet, Refused
from gateway.hub.operations import KNOWN, known
from gateway.journal.audit import Deed
from gateway.journal.errors import StoreDown
from gateway.journal.journal import Journal
from gateway.live import Live
from gateway.rebalance import Rebalance
from gateway.registry import Registry
from translators import Options
from translators.values import format_time

if TYPE_CHECKING:
    from gateway.edge.listener import Edge
    from gateway.hub.hub import Hub

log = structlog.get_logger(__name__)


class Operators:
    """Holds `parts` and `fleet`."""

    def __init__(
        self,
        config: Config,
        journal: Journal,
        live: Live,
        registry: Registry,
        rebalance: Rebalance,
        *,
        roles: frozenset[str],
        learned: FactsOf,
        unready: Callable[[], list[str]],
        drain: Callable[[], None],
        now_ms: Callable[[], int],
    ) -> None:
        """`drain` begins the end of this process; `unready`: why chargers cannot connect now."""
        self.fleet = Fleet(journal)
        self.edge: Edge | None = None
        self.hub: Hub | None = None
        self._journal = journal
        self._noting: set[asyncio.Task[None]] = set()
        self._live = live
        self._roles = roles
        self._unready = unready
        self._drain = drain
        self._begun = now_ms()
        self._level = config.log.level
        directory = Directory(journal, live, registry, known, KNOWN)
        self.parts = (
            Configuring(live, self.fleet),
            Routing(live, learned),
            Shadows(journal, live),
            Rebalancing(rebalance, lambda: live.config.drain.close_rate),
            Chargers(journal, config, directory, self.fleet),
            Acting(journal, config, live, directory, self.fleet),
            Frames(self.fleet, journal, config.redis.partitions, lambda: live.config.upstreams),
            Upstreams(journal, live, self.fleet),
            Processes(self.fleet, directory, live),
            Overviews(self.fleet),
            Logs(self.fleet),
            Queues(journal, live),
            Translating(_conversation, BadLine),
            Importing(journal, config, directory.look_again),
            Auditing(journal),
            Description(),
        )
        self.fleet.replies |= {"who": self._who, "drain": self._end, "log_level": self._log_level}

    def serves(self, hub: Hub) -> None:
        """This process is a hub, too."""
        self.hub = hub
        self.fleet.replies |= hub.operations.replies

    def noted(self, who: str, request: web.Request, status: int) -> None:
        """Keep what an operator has done; while the store is away the log must do."""
        change = request.get(CHANGE, {})
        deed = Deed(who, request.method, request.path, status, self.fleet.name, request.remote or "", change)
        task = asyncio.get_running_loop().create_task(self._note(deed))
        self._noting.add(task)
        task.add_done_callback(self._noting.discard)

    async def _note(self, deed: Deed) -> None:
        with contextlib.suppress(StoreDown):
            await self._journal.note(deed)

    async def _who(self, _: dict[str, Any]) -> Any:
        edge, hub = self.edge, self.hub
        unready = self._unready()
        return {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "version": __version__,
            "roles": sorted(self._roles),
            "started_at": format_time(self._begun),
            "edge": "" if edge is None else edge.id,
            "chargers": 0 if edge is None else sum(edge.counters.connections.values()),
            "partitions": [] if hub is None else sorted(hub.partitions),
            "draining": "draining" in unready,
            "unready": unready,
            "log_level": self._level,
        }

    async def _end(self, arguments: dict[str, Any]) -> Any:
        if self.edge is not None:
            self.edge.close_rate = arguments.get("rate", 0)
        log.warning("drain_asked_for")
        self._drain()
        return True

    async def _log_level(self, arguments: dict[str, Any]) -> Any:
        level = arguments["level"]
        if level not in logs.LEVELS:
            raise Refused(f"{level} is no level")
        log.warning("log_level_changed", to=level)
        self._level = level
        logs.configure(msgspec.structs.replace(self._live.config.log, level=level))
        return True


def _conversation(charger: str, csms: str, options: Options) -> Conversation:
    """Its ids are counted: who asks again with one step more finds the questions under the same ids, and can answer them."""
    numbers = itertools.count(1)
    return Conversation(charger, csms, options, lambda: f"gateway-{next(numbers)}")
