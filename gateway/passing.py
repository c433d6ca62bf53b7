"""The Authorization header with which a charger came, for the process that dials a CSMS for it: sealed in the store (`vault.key`).

Without a key the header never leaves the process that has the charger's socket.
"""

from __future__ import annotations

from typing import Final

import structlog

from gateway.config_vault import VaultConfig
from gateway.journal.errors import StoreDown
from gateway.journal.journal import Journal
from gateway.vault import Box, Sealed

log = structlog.get_logger(__name__)

PLACE: Final = "passed on"
"""In the vault, beside the upstreams: no upstream can have this name."""


class Passing:
    """Of one process."""

    def __init__(self, journal: Journal, config: VaultConfig) -> None:
        """Raises ValueError for what is no key."""
        self._journal = journal
        self._box = Box(config.key, config.previous_key)

    async def keep(self, charger: str, header: str) -> None:
        """The charger has come with this header, "" without one. A store that is away loses it: then nobody is dialled."""
        try:
            await self._journal.put_sealed(PLACE, {charger: self._box.seal(PLACE, charger, header)})
        except StoreDown as error:
            log.warning("authorization_not_kept", charger_id=charger, reason=str(error))

    async def read(self, charger: str) -> str | None:
        """The header; None: it is not known, or was sealed under a key that is gone, until the charger comes again."""
        try:
            sealed = await self._journal.sealed(PLACE, charger)
            if sealed is None:
                return None
            header = self._box.open(PLACE, charger, sealed)
        except (StoreDown, Sealed) as error:
            log.warning("authorization_not_read", charger_id=charger, reason=str(error))
            return None
        log.info("vault_read", upstream=PLACE, charger_id=charger)
        return header
