"""Passwords that a CSMS gives to a charger over OCPP: before the charger is told, either of the two is right; then the new one is,
once the charger has accepted it or come with it, or the old one if it refused (reliability 2.2, I-31)."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

import msgspec
import structlog

from gateway import passwords
from gateway.config_listen import RegistryConfig
from gateway.journal.chargers import GIVEN, REGISTERED
from gateway.journal.errors import StoreDown
from gateway.journal.journal import Journal
from gateway.registry import Charger, Registry

log = structlog.get_logger(__name__)

AGAIN_SECONDS = 0.5
PATIENCE_SECONDS = 300.0
"""How long it is tried to store what became of a password; after that both stay right until the charger uses the new one."""


class Given:
    """Belongs to one process. Only passwords of chargers that have one here are of interest."""

    def __init__(self, registry: Registry, config: RegistryConfig, journal: Journal) -> None:
        self._registry = registry
        self._journal = journal
        self._where = REGISTERED if config.source == "redis" else GIVEN
        self._promised: dict[str, str] = {}
        """Casefolded charger -> hash of what it is being told."""
        self._tasks: set[asyncio.Task[None]] = set()
        registry.password_used = self.used

    def concerns(self, charger: str) -> bool:
        """Whether this charger's password is known here."""
        found = self._registry.get(charger)
        return found is not None and bool(found.password)

    async def promise(self, charger: str, password: bytes) -> None:
        """It is about to be told this password, which is right from now on. Raises StoreDown."""
        digest = await asyncio.to_thread(passwords.digest, password)

        def edit(found: Charger | None) -> Charger | None:
            if found is None:
                return Charger(charger, next=digest) if self._where is GIVEN else None
            return msgspec.structs.replace(found, next=digest)

        await self._journal.alter(charger, edit, self._where)
        self._promised[charger.casefold()] = digest
        log.info("password_promised", charger_id=charger)

    def told(self, charger: str, accepted: bool) -> None:
        """What the charger said of the password that was promised last. Stored as soon as the store is there."""
        digest = self._promised.pop(charger.casefold(), "")
        if digest:
            self._spawn(self._settle(charger, digest, accepted))

    def used(self, charger: str, digest: str) -> None:
        """A charger has come with the password of this hash."""
        self._spawn(self._settle(charger, digest, True))

    async def _settle(self, charger: str, digest: str, accepted: bool) -> None:
        def edit(found: Charger | None) -> Charger | None:
            if found is None or found.next != digest:
                return found  # it was given another one since
            if accepted:
                return msgspec.structs.replace(found, password=digest, next="")
            old = msgspec.structs.replace(found, next="")
            return old if old.password else None

        for _ in range(int(PATIENCE_SECONDS / AGAIN_SECONDS)):
            try:
                await self._journal.alter(charger, edit, self._where)
            except StoreDown:
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            log.info("password_changed" if accepted else "password_kept", charger_id=charger)
            return

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
