"""The configuration that is in force: read again when its files change, with the operators' overrides of routes over it.

A new configuration is read and checked as a whole, and then takes the place of the old one at once; a bad one changes nothing.
Files are looked at rather than watched: a ConfigMap changes by a swapped symbolic link, of which a watch of the file hears nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

from gateway import config_policies, config_print
from gateway.config import Canary, Config
from gateway.config_file import ConfigError
from gateway.config_source import suggestion
from gateway.journal import overrides
from gateway.journal.errors import StoreDown
from gateway.journal.journal import Journal
from gateway.metrics import Metrics
from gateway.registry import Change, Registry
from gateway.routes import NoRoute, Override, Routes, matcher

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.5
"""Between two looks at the files; they are read once they have not changed for as long."""
FOLLOW_SECONDS = 1.0
"""Between two looks at the overrides in the store."""

Reread = Callable[[], tuple[Config, frozenset[Path]]]
"""Reads the configuration again: it, and the files that it came from. Raises ConfigError."""


class Live:
    """Holds `config` and `routes`; `on_change(config, routes)` is called after either has changed."""

    def __init__(
        self,
        config: Config,
        journal: Journal,
        metrics: Metrics,
        reread: Reread | None = None,
        registry: Registry | None = None,
    ) -> None:
        """`reread`: None when there is no file to read again."""
        self.config = config
        self._registry = Registry() if registry is None else registry
        self._registry.on_change.append(self._registered)
        self.routes = Routes(config.routes, placed=self._registry.get)
        self.on_change: Callable[[Config, Routes], None] = lambda _config, _routes: None
        self._journal = journal
        self._metrics = metrics
        self._reread = reread
        self._said: tuple[Override, ...] = ()
        self._reading = asyncio.Lock()
        self._known: frozenset[Path] = frozenset()
        self._reloaded()

    def forwards(self, charger: str, version: str) -> bool:
        """Whether a charger of this version may send its CSMS what no version knows."""
        try:
            route = self.routes.of(charger)
        except NoRoute:
            return False
        return route.forwards and self.config.upstreams[route.primary].version == version

    # -- the file ----------------------------------------------------------------------------------------------------

    async def reload(self) -> list[str]:
        """Read the configuration again and put it in force. Gives everything that is wrong; then nothing has changed."""
        if self._reread is None:
            return ["the gateway was started without a configuration file: there is nothing to read again"]
        async with self._reading:
            try:
                config, self._known = await asyncio.to_thread(self._reread)
                errors = refused(self.config, config)
            except ConfigError as error:
                errors = error.errors
            if errors:
                self._metrics.config_last_reload_successful.cell().n = 0
                log.error("config_not_reloaded", errors=errors)
                return errors
            changed = changes(self.config, config)
            self.config = config
            self._reloaded()
            log.info("config_reloaded", changed=changed)
            if changed:
                self._in_force()
        return []

    async def check(self) -> tuple[list[str], list[str]]:
        """What a reload would say: everything that is wrong, and the keys that would change. Nothing changes."""
        if self._reread is None:
            return ["the gateway was started without a configuration file: there is nothing to read again"], []
        try:
            config, _ = await asyncio.to_thread(self._reread)
        except ConfigError as error:
            return error.errors, []
        return refused(self.config, config), changes(self.config, config)

    async def watch(self) -> None:
        """Reload whenever a file of the configuration has changed, until cancelled."""
        if self._reread is None:
            return
        try:
            _, self._known = await asyncio.to_thread(self._reread)
        except ConfigError:
            pass  # it has changed since the start: the first look finds out
        read = seen = self._signature()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now = self._signature()
            if now == seen != read:
                await self.reload()
                read = now = self._signature()
            seen = now

    def _signature(self) -> dict[Path, tuple[int, int, int] | None]:
        found: dict[Path, tuple[int, int, int] | None] = {}
        for path in self._known:
            try:
                stat = path.stat()
                found[path] = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            except OSError:
                found[path] = None
        return found

    # -- overrides ---------------------------------------------------------------------------------------------------

    async def settle(self) -> None:
        """Learn the overrides before anybody is served, if the store allows."""
        with contextlib.suppress(StoreDown):
            await self._look()

    async def follow(self) -> None:
        """Keep to the overrides in the store, until cancelled: any process may have changed them."""
        while True:
            await self.settle()
            await asyncio.sleep(FOLLOW_SECONDS)

    async def switch(self, override: Override) -> list[str]:
        """Give chargers another primary. Gives what speaks against it; then nothing has changed. Raises StoreDown."""
        if errors := list(against(override, self.config)):
            return errors
        said = await overrides.read(self._journal)
        before = next((each for each in said if each.match == override.match), None)
        also: dict[str, int] = {}
        if before is not None and override.mirror_old:
            for name, percent in ((before.primary, before.percent), *before.also):
                if name != override.primary:
                    also[name] = max(percent, also.get(name, 0))
        now = time.time_ns() // 1_000_000
        override = msgspec.structs.replace(override, at=now, also=tuple(also.items()))
        await overrides.put(self._journal, override)
        await self._look()
        return []

    async def reset(self, match: str | None) -> None:
        """Take back the override with this pattern, or all. Raises StoreDown."""
        await overrides.remove(self._journal, match)
        await self._look()

    async def _look(self) -> None:
        said = await overrides.read(self._journal)
        if said != self._said:
            self._said = said
            log.info("route_overrides", overrides=[msgspec.to_builtins(each) for each in said])
            self._in_force()

    def _in_force(self) -> None:
        self.routes = Routes(self.config.routes, self._said, self.config.upstreams, self._registry.get)
        if ignored := [each.primary for each in self._said if each not in self.routes.overrides]:
            log.warning("route_overrides_ignored", unknown_upstreams=ignored)
        self.on_change(self.config, self.routes)

    def _registered(self, change: Change) -> None:
        if change.placed:
            self._in_force()

    def _reloaded(self) -> None:
        self._metrics.config_last_reload_successful.cell().n = 1
        self._metrics.config_last_reload_success.cell().n = time.time()


def refused(old: Config, new: Config) -> list[str]:
    """What a running process cannot change, with the reasons."""
    return [
        f"{key}: cannot change while the gateway runs ({why}); restart it, or undo the change"
        for key in config_print.changed(old, new)
        if (why := config_print.fixed(key))
    ]


def changes(old: Config, new: Config) -> list[str]:
    """The keys that differ, upstreams by name."""
    found = [
        f"upstreams.{name}"
        for name in sorted({*old.upstreams, *new.upstreams})
        if old.upstreams.get(name) != new.upstreams.get(name)
    ]
    sections = [field for field in Config.__struct_fields__ if field != "upstreams"]
    return found + [section for section in sections if getattr(old, section) != getattr(new, section)]


def against(override: Override, config: Config) -> list[str]:
    """What speaks against an override."""
    try:
        matches = matcher((override.match,))
    except re.error as error:
        return [f"match: {override.match} is no regular expression: {error}"]
    if not override.match:
        return ["match: must not be empty"]
    if override.primary not in config.upstreams:
        return [f"primary: no upstream has the name {override.primary}{suggestion(override.primary, config.upstreams)}"]
    if not 1 <= override.percent <= 100:
        return ["percent: must be from 1 to 100"]
    found = []
    for index, route in enumerate(config.routes):
        # Whether two patterns have chargers in common cannot be told: only what is certain is looked at.
        certain = override.match in route.patterns or "*" in route.patterns
        if not certain and not any(matches(pattern.casefold()) for pattern in route.patterns):
            continue
        others = tuple(each for each in (route.primary, *route.mirrors) if each != override.primary)
        switched = msgspec.structs.replace(route, primary=override.primary, mirrors=others, canary=Canary())
        for key, message in config_policies.of_route(switched, config.upstreams, config.subprotocols):
            found.append(f"routes[{index}].{key}: {message}")
    return found
