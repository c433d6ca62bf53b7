"""How a charger is shown to a CSMS to be itself: HTTP header and TLS context of a dial (reliability 2.5)."""

from __future__ import annotations

import base64
import ssl as tls
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from gateway import passwords
from gateway.config import Upstream, VaultConfig
from gateway.dial import DialFailed
from gateway.journal.errors import StoreDown
from gateway.vault import Box, Sealed

if TYPE_CHECKING:
    from gateway.journal.journal import Journal

log = structlog.get_logger(__name__)


class Unknown(LookupError):
    """The charger's own credentials are to be shown, and are not known: it has not come to this process yet, or the vault has none."""


def headers(settings: Upstream, charger: str, passed: str | None) -> dict[str, str]:
    """What is added to the handshake. `passed`: the Authorization header with which the charger came, "" if it came
    without, None if that is not known; with `vault` the charger's password. Raises Unknown."""
    match settings.authentication:
        case "basic":
            return _basic(settings, charger, passwords.of_text(settings.password_of(charger)))
        case "vault":
            if passed is None:
                raise Unknown(charger)
            return _basic(settings, charger, passwords.of_text(passed))
        case "passthrough":
            if passed is None:
                raise Unknown(charger)
            return {"Authorization": passed} if passed else {}
    return {}


def _basic(settings: Upstream, charger: str, password: bytes) -> dict[str, str]:
    pair = f"{settings.username or settings.id_of(charger)}:".encode() + password
    return {"Authorization": "Basic " + base64.b64encode(pair).decode()}


class Secrets:
    """Opens the sealed secrets of chargers. Each time one is read, or cannot be opened, is told in the log."""

    def __init__(self, journal: Journal, config: VaultConfig) -> None:
        self._journal = journal
        self._box = Box(config.key, config.previous_key) if config.key else None

    async def read(self, upstream: str, charger: str) -> str:
        """The password of a charger for an upstream. Raises Unknown; DialFailed when it cannot be read now."""
        try:
            sealed = await self._journal.sealed(upstream, charger)
        except StoreDown as error:
            raise DialFailed("timeout", f"the store with its password is unreachable: {error}") from None
        if sealed is None or self._box is None:
            raise Unknown(charger)
        try:
            secret = self._box.open(upstream, charger, sealed)
        except Sealed as error:
            log.warning("vault_not_opened", upstream=upstream, charger_id=charger, reason=str(error))
            raise DialFailed("credentials", f"its password in the vault {error}") from None
        log.info("vault_read", upstream=upstream, charger_id=charger)
        return secret

    async def write(self, upstream: str, charger: str, version: str, password: bytes) -> None:
        """Keep the password that an upstream of this OCPP version has given a charger. Raises StoreDown; ValueError for one that is
        no text."""
        if self._box is None:
            raise ValueError("vault.key is not configured")
        digits = version.startswith("ocpp1") and passwords.is_hex_key(password)
        text = ("hex:" if digits else "") + password.decode()
        await self._journal.put_sealed(upstream, {charger: self._box.seal(upstream, charger, text)})
        log.info("vault_written", upstream=upstream, charger_id=charger)


class Contexts:
    """TLS contexts, each made once, for that takes milliseconds, and again when its files have changed."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, str, str], tuple[list[int], tls.SSLContext]] = {}

    def of(self, settings: Upstream) -> tls.SSLContext:
        """Trusts `ca_file`, or the system's authorities (or those of SSL_CERT_FILE); shows the client certificate if there
        is one. Raises OSError (ssl.SSLError is one) for files that cannot be used."""
        key = (settings.ca_file, settings.client_cert, settings.client_key)
        changed = [Path(name).stat().st_mtime_ns for name in key if name]
        made = self._made.get(key)
        if made is None or made[0] != changed:
            context = tls.create_default_context(cafile=settings.ca_file or None)
            if settings.client_cert:
                context.load_cert_chain(settings.client_cert, settings.client_key)
            made = self._made[key] = changed, context
        return made[1]
