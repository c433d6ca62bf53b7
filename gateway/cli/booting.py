"""A charger that boots and leaves."""

from __future__ import annotations

import contextlib
import ssl as tls
import time
import uuid
from base64 import b64encode
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import msgspec
from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI, WebSocketException
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from gateway import __version__

STATUSES = ("Accepted", "Pending", "Rejected")


class Credentials(NamedTuple):
    """What a charger shows, and whom it trusts."""

    password: str = ""
    ca: Path | None = None
    """Roots, instead of the machine's."""
    cert: Path | None = None
    key: Path | None = None

    def headers(self, url: str) -> dict[str, str]:
        """For HTTP Basic; the user is the identity, the end of the URL's path."""
        if not self.password:
            return {}
        user = unquote(urlsplit(url).path.rpartition("/")[2])
        return {"Authorization": "Basic " + b64encode(f"{user}:{self.password}".encode()).decode()}

    def context(self, url: str) -> tls.SSLContext | None:
        """For a wss:// URL. Raises OSError."""
        if not url.lower().startswith("wss:"):
            return None
        context = tls.create_default_context(cafile=self.ca)
        if self.cert is not None:
            context.load_cert_chain(self.cert, self.key)
        return context


class Failed(Exception):
    """The charger did not get its answer; the text says why."""


def booted(url: str, version: str, timeout: float, credentials: Credentials) -> str:
    """Boots the charger whose identity ends `url`; a line with the answer. `timeout` is seconds. Raises Failed, OSError."""
    began = time.monotonic()
    context = credentials.context(url)
    try:
        with connect(
            url,
            subprotocols=[Subprotocol(version)],
            open_timeout=timeout,
            close_timeout=2,
            compression=None,
            proxy=None,
            ssl=context,
            additional_headers=credentials.headers(url),
            user_agent_header=f"ocpp-gateway/{__version__}",
        ) as socket:
            answer = _ask(socket, version, began + timeout)
    except InvalidStatus as refused:
        text = bytes(refused.response.body or b"").decode(errors="replace").strip()
        raise Failed(f"{url}: refused with HTTP {refused.response.status_code}: {text}") from None
    except (OSError, InvalidHandshake, InvalidURI, WebSocketException) as error:
        raise Failed(f"{url}: {error or type(error).__name__}") from None
    return f"{answer['status']}, interval {answer.get('interval')} s, after {time.monotonic() - began:.2f} s"


def _ask(socket: ClientConnection, version: str, until: float) -> dict[str, Any]:
    message = str(uuid.uuid4())
    socket.send(msgspec.json.encode([2, message, "BootNotification", _payload(version)]).decode())
    while True:
        left = until - time.monotonic()
        if left <= 0:
            raise Failed("no answer to the BootNotification in time")
        try:
            frame = msgspec.json.decode(socket.recv(timeout=left))
        except TimeoutError:
            continue
        if frame[0] == 2:  # a command: a charger that has not booted cannot do it
            with contextlib.suppress(WebSocketException):
                socket.send(msgspec.json.encode([4, frame[1], "InternalError", "only a test", {}]).decode())
        elif frame[1] == message:
            break
    if frame[0] != 3 or frame[2].get("status") not in STATUSES:
        raise Failed(f"the answer is no answer to a BootNotification: {msgspec.json.encode(frame).decode()}")
    return dict(frame[2])


def _payload(version: str) -> dict[str, Any]:
    if version.startswith("ocpp1"):
        return {"chargePointVendor": "ocpp-gateway", "chargePointModel": "boot"}
    return {"reason": "PowerUp", "chargingStation": {"vendorName": "ocpp-gateway", "model": "boot"}}
