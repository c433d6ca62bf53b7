"""TLS of a listener: both certificates, the suites that OCPP demands, files that are read again when they change."""

from __future__ import annotations

import math
import ssl
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final

import structlog

from gateway.config_listen import Tls
from gateway.config_security import files_of
from gateway.registry.feed import signature

log = structlog.get_logger(__name__)

_FORWARD_SECRET: Final = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384",
)
_STATIC_RSA: Final = ("AES128-GCM-SHA256", "AES256-GCM-SHA384")
"""TLS_RSA_WITH_AES_*_GCM_*: mandatory for a CSMS (2.0.1 A00.FR.318), not among Python's defaults."""
_ALARM_DAYS: Final = (30, 7, 1)


_alerts: ContextVar[list[bytes] | None] = ContextVar("alerts", default=None)


class _Object(ssl.SSLObject):
    """Keeps the alert that tells a client why its handshake failed: the loop would throw it away."""

    outgoing: ssl.MemoryBIO

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError:
            if (kept := _alerts.get()) is not None:
                kept.append(self.outgoing.read())
            raise


class _Context(ssl.SSLContext):
    sslobject_class = _Object

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        made = super().wrap_bio(incoming, outgoing, *args, **kwargs)
        assert isinstance(made, _Object)
        made.outgoing = outgoing
        return made


class Alerts:
    """What is left to say to the client of a handshake that failed. Belongs to the task that made it."""

    def __init__(self) -> None:
        self._kept: list[bytes] = []
        _alerts.set(self._kept)

    def read(self) -> bytes:
        return b"".join(self._kept)


def context(tls: Tls) -> ssl.SSLContext:
    """For new handshakes. Raises OSError (of which ssl.SSLError is one) and ValueError for files that do not fit."""
    made = _Context(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
    made.set_ciphers(":".join(_FORWARD_SECRET + (() if tls.no_static_rsa else _STATIC_RSA)))
    made.load_cert_chain(tls.cert, tls.key)
    if tls.cert2:
        made.load_cert_chain(tls.cert2, tls.key2)
    if tls.client_ca:
        made.load_verify_locations(tls.client_ca)
        made.verify_mode = ssl.CERT_REQUIRED
        if tls.crl:
            made.load_verify_locations(tls.crl)
            made.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
    return made


def expiry(tls: Tls) -> float:
    """When the first of the gateway's certificates ends, seconds since 1970. Raises OSError, ValueError."""
    from cryptography import x509

    files = [name for name in (tls.cert, tls.cert2) if name]
    chains = [x509.load_pem_x509_certificates(Path(name).read_bytes()) for name in files]
    return min(each.not_valid_after_utc.timestamp() for chain in chains for each in chain)


class Keys:
    """The context that is in force. A connection keeps the one of its handshake, so nobody is dropped."""

    def __init__(self, tls: Tls, now_ms: Callable[[], int]) -> None:
        """Raises OSError and ValueError."""
        self._tls = tls
        self._now_ms = now_ms
        self._files = files_of(tls)
        self._used = self._seen = signature(self._files)
        self.context = context(tls)
        self.expires_at = expiry(tls)
        self._alarmed = math.inf
        """Of `_ALARM_DAYS`, the one that was told last."""
        self._alarm()

    def look(self) -> None:
        """Take files that have changed and then stayed the same for a look; bad ones change nothing."""
        now = signature(self._files)
        if now == self._seen != self._used:
            self._used = now
            try:
                fresh, expires_at = context(self._tls), expiry(self._tls)
            except (OSError, ValueError) as error:
                log.error("certificates_not_reloaded", cert=self._tls.cert, error=str(error))
            else:
                self.context, self.expires_at = fresh, expires_at
                self._alarmed = math.inf
                log.info("certificates_reloaded", cert=self._tls.cert)
        self._seen = now
        self._alarm()

    def _alarm(self) -> None:
        days = (self.expires_at - self._now_ms() / 1000) / 86400
        due = min((limit for limit in (*_ALARM_DAYS, 0) if days < limit), default=math.inf)
        if due < self._alarmed:
            log.warning("certificate_expires", cert=self._tls.cert, days=round(days, 1))
            self._alarmed = due
