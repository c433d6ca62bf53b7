"""Keeps a registry up to date: from its file, or from the store."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Protocol

import structlog

from gateway.config_listen import RegistryConfig
from gateway.journal.chargers import GIVEN, REGISTERED, Where
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


def registry_of(config: RegistryConfig) -> Registry:
    """The registry that a configuration asks for; it is not `ready` before its feed has begun. Raises BadFile, OSError."""
    registry = Registry(open=config.source == "open")
    if config.source == "file":
        registry.replace(read(Path(config.file)))
    registry.ready = config.source == "open"
    return registry


class Feed(Protocol):
    """Keeps a registry up to date."""

    async def begin(self) -> None: ...

    async def run(self) -> None: ...


def feed_of(registry: Registry, config: RegistryConfig, journal: Journal) -> Feed | None:
    """What keeps this registry up to date; None: nothing has to."""
    if config.source == "file":
        return FileFeed(registry, config.file, journal)
    return StoreFeed(registry, journal) if config.source == "redis" else None


class FileFeed:
    """Follows the registry in a file, and in the store the passwords that its chargers were given since.

    Such a password counts until the charger's entry in the file gets another one, or `chargers forget-password`.
    """

    def __init__(self, registry: Registry, path: str, journal: Journal) -> None:
        self._registry = registry
        self._path = path
        self._journal = journal
        self._used = signature((path,))
        self._given = Registry()
        self._feed = StoreFeed(self._given, journal, GIVEN)

    async def begin(self) -> None:
        """Read those passwords; `registry_of` has read the file."""
        await self._feed.begin()
        self._registry.lay_over(self._given)
        self._registry.ready = True

    async def run(self) -> None:
        """Read the file whenever it has changed and then stayed the same for a look, until cancelled. A bad one changes
        nothing."""
        seen, before = self._used, self._passwords()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now = signature((self._path,))
            if now == seen != self._used:
                self._used = now
                try:
                    found = await asyncio.to_thread(read, Path(self._path))
                    if not found and len(self._registry):
                        raise BadFile([f"{self._path}: is empty; that would disconnect everybody"])
                    self._registry.replace(found)
                    log.info("registry_reloaded", chargers=len(self._registry))
                except (BadFile, OSError) as error:
                    log.error("registry_not_reloaded", errors=getattr(error, "errors", [str(error)]))
            seen = now
            with contextlib.suppress(StoreDown):  # what is known counts, and it is tried again
                await self._feed.look()
                after = self._passwords()
                other = [each for each, password in after.items() if before.get(each, password) != password]
                if other:
                    await self._journal.register(dict.fromkeys(other), GIVEN)
                before = after

    def _passwords(self) -> dict[str, str]:
        """The file's, of the chargers that were given others."""
        return {each.id.casefold(): self._registry.own_password(each.id) for each in self._given.all()}


class StoreFeed:
    """Follows the registry in the store."""

    def __init__(self, registry: Registry, journal: Journal, where: Where = REGISTERED) -> None:
        self._registry = registry
        self._journal = journal
        self._where = where
        self._position: str | None = None

    async def look(self) -> None:
        """Learn what is new. Raises StoreDown."""
        if self._position is not None:
            news = await self._journal.registry_changes(self._position, self._where)
            if news is not None:
                changes, self._position = news
                if changes:
                    self._registry.update(changes)
                return
        chargers, position = await self._journal.all_registered(self._where)
        known = len(self._registry)
        if known and not chargers:
            # Whoever removes the last charger is seen among the changes: this is a store that was emptied.
            if self._position != position:
                log.error("registry_lost", chargers=known, what="the store has none any more; those known so far count")
            self._position = position
            return
        self._position = position
        self._registry.replace(chargers)
        self._registry.ready = True
        if self._where is REGISTERED:
            log.info("registry_read", chargers=len(self._registry))

    async def begin(self) -> None:
        """Read the registry for the first time, as soon as the store is there."""
        while self._position is None:
            try:
                await self.look()
            except StoreDown:
                await asyncio.sleep(LOOK_SECONDS)

    async def run(self) -> None:
        """Follow, until cancelled. While the store is away, what is known counts."""
        while True:
            try:
                await self.look()
            except StoreDown:
                pass
            await asyncio.sleep(LOOK_SECONDS)
