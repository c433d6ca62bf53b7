"""Who may call the operators' port: bearer tokens with scopes, lock-outs; without tokens only who is on this machine.

/metrics, the probes and the console's files are open to whoever reaches the port: they hold no identities.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from gateway.config import AdminToken
from gateway.redact import redact

from .table import CHANGE, SCOPE, WHO
from .table import SCOPES as SCOPES_OF

log = structlog.get_logger(__name__)

OPEN: Final = frozenset({"/metrics", "/livez", "/readyz"})
CONSOLE: Final = "/console"
"""Files that are the same for all: open, too."""
SCOPES: Final = ("read", "operate", "admin")
"""Each includes those before it."""
ADMIN_ONLY: Final = ("/api/v1/chargers",)
"""What begins like that is changed with the scope `admin` only: it decides who may connect."""
MOST_FAILURES: Final = 5
WINDOW_SECONDS: Final = 60.0
"""So many wrong tokens of one address within this time lock it out for the rest of it."""
REMEMBERED: Final = 10_000
LARGEST_BODY: Final = 256 * 1024
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def digest(token: str) -> str:
    """What the configuration holds of a token. No salt and no slow hash: it is 256 random bits."""
    return hashlib.sha256(token.encode()).hexdigest()


class Guard:
    """A middleware of the operators' port."""

    def __init__(self, tokens: Sequence[AdminToken], clock: Callable[[], float]) -> None:
        """`clock`: seconds, never going back."""
        self.tokens = tuple(tokens)
        """Those that count; a reload may exchange them."""
        self._clock = clock
        self.noted: Callable[[str, web.Request, int], None] = lambda who, request, status: None
        """Told of everything that may have changed something: who, what, with which status."""
        self._failures: OrderedDict[str, tuple[float, int]] = OrderedDict()

    @web.middleware
    async def check(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The handler's answer, or the refusal."""
        if request.path in OPEN or request.path == CONSOLE or request.path.startswith(CONSOLE + "/"):
            return await handler(request)
        who = self._admit(request)
        if isinstance(who, web.Response):
            return who
        request[WHO], request[SCOPE] = who
        request[CHANGE] = {}
        if request.method not in _READS and request.can_read_body and request.content_type != "application/json":
            return refusal(415, "send JSON (Content-Type: application/json)")
        try:
            if request.method not in _READS:
                await request.read()  # here, so that nothing is done of what is too large to be kept
            response = await handler(request)
        except web.HTTPRequestEntityTooLarge:
            return refusal(413, f"a body has at most {LARGEST_BODY} bytes")
        except (web.HTTPNotFound, web.HTTPMethodNotAllowed) as error:
            allowed = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
            why = f"{request.method} {request.path}: there is no such endpoint; /api/v1/openapi.json lists all"
            return refusal(error.status, why, allowed)
        if request.method not in _READS:
            log.info("admin_call", who=who[0], method=request.method, path=request.path, status=response.status)
            if asked := await _asked(request):
                request[CHANGE]["asked"] = asked
            self.noted(who[0], request, response.status)
        return response

    def _admit(self, request: web.Request) -> web.Response | tuple[str, str]:
        """Who calls, with which scope; or the refusal."""
        remote = request.remote or ""
        if not self.tokens:
            # A page in an operator's browser could reach this port under a name of its own.
            if _loopback(remote) and _plain_host(request.headers.get("Host", "")):
                return "local", "admin"
            return refusal(403, "without admin.tokens only this machine may call")
        now = self._clock()
        begun, count = self._failures.get(remote, (now, 0))
        if count >= MOST_FAILURES and now < begun + WINDOW_SECONDS:
            wait = str(int(begun + WINDOW_SECONDS - now) + 1)
            return refusal(429, "too many wrong tokens; come back later", {"Retry-After": wait})
        lines = request.headers.getall("Authorization", [])
        if not lines:
            return refusal(401, "give a token (Authorization: Bearer ...)", {"WWW-Authenticate": "Bearer"})
        token = self._find(lines[0]) if len(lines) == 1 else None
        if token is None:
            self._failed(remote, now)
            return refusal(401, "wrong token", {"WWW-Authenticate": 'Bearer error="invalid_token"'})
        needed = self._needed(request)
        if SCOPES.index(token.scope) < SCOPES.index(needed):
            return refusal(403, f"this token has the scope {token.scope}; {needed} is needed")
        return token.name, token.scope

    def _find(self, header: str) -> AdminToken | None:
        """The token of a header. All are compared, so that the time tells nothing."""
        scheme, _, text = header.partition(" ")
        shown = digest(text.strip())
        found = None
        for token in self.tokens:
            if hmac.compare_digest(token.hash.casefold().encode(), shown.encode()):
                found = token
        return found if scheme.casefold() == "bearer" else None

    def _failed(self, remote: str, now: float) -> None:
        begun, count = self._failures.pop(remote, (now, 0))
        if now >= begun + WINDOW_SECONDS:
            begun, count = now, 0
        self._failures[remote] = begun, count + 1
        if count + 1 == MOST_FAILURES:
            log.warning("security_event", type="admin_lockout", source=remote)
        if len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)

    @staticmethod
    def _needed(request: web.Request) -> str:
        route = request.match_info.route.resource
        if SCOPES_OF in request.app and route is not None:
            known = request.app[SCOPES_OF].get((request.method, route.canonical))
            if known is not None:
                return known
        if request.method in _READS:
            return "read"
        return "admin" if request.path.startswith(ADMIN_ONLY) else "operate"


def refusal(status: int, why: str, headers: dict[str, str] | None = None) -> web.Response:
    """An error in the form of all others."""
    body = msgspec.json.encode({"errors": [why]}) + b"\n"
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)


async def _asked(request: web.Request) -> Any:
    """The body of a request, as far as it is kept: what is sent to chargers is theirs, and long lists are lists."""
    try:
        body = msgspec.json.decode(await request.read() or b"null")
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    if not isinstance(body, dict):
        return None
    kept = {name: each for name, each in body.items() if name not in ("payload", "frames")}
    return redact(
        {
            name: f"{len(each)} items" if isinstance(each, list) and len(each) > 20 else each
            for name, each in kept.items()
        }
    )


def _loopback(remote: str) -> bool:
    try:
        ip = ip_address(remote)
    except ValueError:
        return False
    return (getattr(ip, "ipv4_mapped", None) or ip).is_loopback


def _plain_host(host: str) -> bool:
    """Whether a Host header names this machine by an address or as localhost, not by a name that anybody could register."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        if name == "localhost":
            return True
        ip_address(name)
    except ValueError:
        return False
    return True
