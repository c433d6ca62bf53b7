"""How a charger is shown to a CSMS to be itself: HTTP header and TLS context of a dial (reliability 2.5)."""

from __future__ import annotations

import base64
import ssl as tls
from pathlib import Path

from gateway.config import Upstream


class Unknown(LookupError):
    """The charger's own credentials are to be passed on, and it has not come to this process yet."""


def headers(settings: Upstream, charger: str, passed: str | None) -> dict[str, str]:
    """What is added to the handshake. `passed`: the Authorization header with which the charger came, "" if it came
    without, None if that is not known. Raises Unknown."""
    match settings.authentication:
        case "basic":
            user = settings.username or settings.id_of(charger)
            pair = f"{user}:{settings.password_of(charger)}".encode()
            return {"Authorization": "Basic " + base64.b64encode(pair).decode()}
        case "passthrough":
            if passed is None:
                raise Unknown(charger)
            return {"Authorization": passed} if passed else {}
    return {}


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
