"""Names for shell completion, asked of the operators' port. Only what is needed of the standard library: a key press waits."""

from __future__ import annotations

import http.client
import json
import os
import sys
from urllib.parse import quote, urlsplit

SECONDS = 0.3
"""For the whole question: better no names than a shell that hangs."""


def main(words: list[str]) -> int:
    """`__names chargers|upstreams|processes PREFIX`: one name a line. Nothing is said when nobody answers."""
    kind, prefix = (*words, "", "")[:2]
    try:
        sys.stdout.write("".join(f"{name}\n" for name in names(kind, prefix)))
    except (OSError, ValueError, KeyError, http.client.HTTPException):
        return 1
    return 0


def names(kind: str, prefix: str) -> list[str]:
    """Names that begin so. Raises OSError and others when nobody answers sensibly."""
    server = urlsplit(os.environ.get("OCPPGW_SERVER", "http://127.0.0.1:9001"))
    made = http.client.HTTPSConnection if server.scheme == "https" else http.client.HTTPConnection
    connection = made(server.hostname or "127.0.0.1", server.port, timeout=SECONDS)
    token = os.environ.get("OCPPGW_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    connection.request("GET", f"/api/v1/names?kind={quote(kind)}&prefix={quote(prefix)}", headers=headers)
    response = connection.getresponse()
    found: list[str] = json.loads(response.read())["names"]
    return found
