"""Keeps a registry up to date: from its file, or from the store."""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog

from gateway.config_listen import RegistryConfig
from gateway.journal.errors import StoreDown
from gateway.journal.journal import Journal
from gateway.registry import Registry
from gateway.registry.file import BadFile, read

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.5
"""Between two looks at the file, or at the store."""


def signature(paths: tuple[str, ...]) -> tuple[tuple[int, int, int] | None, ...]:
    """Changes when one of the files does. A ConfigMap changes by a swapped link, so files are looked at, not watched."""
    found: list[tuple[int, int, int] | None] = []
    for path in paths:
        try:
            stat = Path(path).stat()
            found.append((stat.st_mtime_ns, stat.st_size, stat.st_ino))
        except OSError:
            found.append(None)
    return tuple(found)


async def follow_file(registry: Registry, path: str) -> None:
    """Read the file whenever it has changed and then stayed the same for a look, until cancelled. A bad one changes nothing."""
    used = seen = signature((path,))
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        now = signature((path,))
        if now == seen != used:
            used = now
            try:
                registry.replace(await asyncio.to_thread(read, Path(path)))
                log.info("registry_reloaded", chargers=len(registry))
            except (BadFile, OSError) as error:
                log.error("registry_not_reloaded", errors=getattr(error, "errors", [str(error)]))
        seen = now


def registry_of(config: RegistryConfig) -> Registry:
    """The registry that a configuration asks for; one in the store is not `ready` yet. Raises BadFile, OSError."""
    registry = Registry(open=config.source == "open")
    if config.source == "file":
        registry.replace(read(Path(config.file)))
    registry.ready = config.source != "redis"
    return registry


async def follow(registry: Registry, config: RegistryConfig, journal: Journal) -> None:
    """Keep the registry up to date, until cancelled."""
    if config.source == "file":
        await follow_file(registry, config.file)
    elif config.source == "redis":
        await StoreFeed(registry, journal).run()


class StoreFeed:
    """Follows the registry in the store."""

    def __init__(self, registry: Registry, journal: Journal) -> None:
        self._registry = registry
        self._journal = journal
        self._position: str | None = None

    async def look(self) -> None:
        """Learn what is new. Raises StoreDown."""
        if self._position is not None:
            news = await self._journal.registry_changes(self._position)
            if news is not None:
                changes, self._position = news
                if changes:
                    self._registry.update(changes)
                return
        chargers, self._position = await self._journal.all_registered()
        self._registry.replace(chargers)
        self._registry.ready = True
        log.info("registry_read", chargers=len(self._registry))

    async def run(self) -> None:
        """Follow, until cancelled. While the store is away, what is known counts."""
        while True:
            try:
                await self.look()
            except StoreDown:
                pass
            await asyncio.sleep(LOOK_SECONDS)
