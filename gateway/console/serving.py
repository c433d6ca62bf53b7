"""Serves the console's files at /console/: open to all, as they hold nothing; what they show is asked of the API, with a token.

The files are read once. Whatever is not one of them is a 404, so that no path leads anywhere else.
"""

from __future__ import annotations

import hashlib
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final, NamedTuple

from aiohttp import web

from gateway.admin.guard import CONSOLE

TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
"""Type by the end of a name. Files of other kinds are not served."""
POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""Nothing from elsewhere, nothing inline, and no text that becomes markup (trusted types)."""
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",  # kept, and asked for anew each time: a new release shows at once
}


class File(NamedTuple):
    """One of them."""

    body: bytes
    type: str
    etag: str


def files() -> dict[str, File]:
    """All of the package, by path below /console/."""
    found: dict[str, File] = {}

    def collect(folder: Traversable, below: str) -> None:
        for each in folder.iterdir():
            if each.is_dir():
                collect(each, f"{below}{each.name}/")
            elif (kind := TYPES.get(each.name.rpartition(".")[2])) is not None:
                body = each.read_bytes()
                found[below + each.name] = File(body, kind, hashlib.sha256(body).hexdigest()[:24])

    collect(resources.files(__package__) / "static", "")
    return found


class Console:
    """A part of the operators' port."""

    def __init__(self) -> None:
        self._files = files()

    def add_to(self, app: web.Application) -> None:
        """Registers it."""
        app.router.add_get(CONSOLE, self._enter)
        app.router.add_get(CONSOLE + "/{file:.*}", self._serve)

    async def _enter(self, _request: web.Request) -> web.Response:
        return web.Response(status=308, headers={**HEADERS, "Location": CONSOLE[1:] + "/"})

    async def _serve(self, request: web.Request) -> web.Response:
        file = self._files.get(request.match_info["file"] or "index.html")
        if file is None:
            return web.Response(status=404, text="the console has no such file\n", headers=HEADERS)
        headers = {**HEADERS, "ETag": f'"{file.etag}"'}
        if any(known.value in (file.etag, "*") for known in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        return web.Response(body=file.body, headers={**headers, "Content-Type": file.type})
