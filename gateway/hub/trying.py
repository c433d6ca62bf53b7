"""Whether a CSMS lets somebody in: one dial with the credentials that a charger would have, closed at once."""

from __future__ import annotations

import time
from typing import Any

from gateway import config
from gateway.dial import ClientWire, DialFailed
from gateway.wheel import Wheel

from .credentials import Contexts, Unknown, headers
from .upstream import address


class _Socket(ClientWire):
    __slots__ = ()

    def on_open(self) -> None:
        pass

    def on_text(self, data: bytes) -> None:
        pass

    def on_lost(self, code: int, reason: str) -> None:
        pass


async def attempt(settings: config.Upstream, charger: str, wheel: Wheel, contexts: Contexts) -> dict[str, Any]:
    """How a dial ended: `ok`, `kind`, `detail`, `ms`."""
    url = address(settings.url, settings.id_of(charger))
    begun = time.monotonic()
    socket = _Socket(wheel)
    kind, detail = "connected", f"subprotocol {settings.version}"
    try:
        await socket.dial(
            url,
            subprotocols=[settings.version],
            headers=headers(settings, charger, None),
            ssl=contexts.of(settings) if url.startswith("wss:") else None,
            timeout=settings.connect_timeout,
        )
    except DialFailed as failed:
        kind, detail = failed.kind, failed.detail
    except Unknown:
        kind, detail = "credentials", "the charger's own are passed on: nobody but a charger can try"
    except OSError as error:
        kind, detail = "tls", f"certificates cannot be used: {error}"
    else:
        socket.close(1000, "test")
    ms = round(1000 * (time.monotonic() - begun))
    return {"ok": kind == "connected", "kind": kind, "detail": detail, "ms": ms}
