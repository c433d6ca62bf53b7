"""The operators' port as commands use it. Only the standard library: commands begin at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Annotated, Any, NoReturn

import typer

from gateway.cli.options import fail

DEFAULT_SERVER = "http://127.0.0.1:9001"
SERVER_VARIABLE = "OCPPGW_SERVER"
TOKEN_VARIABLE = "OCPPGW_TOKEN"

Server = Annotated[
    str,
    typer.Option(
        "--server", metavar="URL", envvar=SERVER_VARIABLE, help="The operators' port of any process of the gateway."
    ),
]


def ask(
    server: str,
    method: str,
    path: str,
    body: dict[str, Any] | None = None,
    seconds: float = 15,
    telling: frozenset[int] = frozenset(),
) -> Any:
    """The JSON answer of the operators' port; prints what went wrong and exits with 2 (refused) or 1 (not reachable).
    The token, if one is needed, is in the variable OCPPGW_TOKEN. `telling`: refusals whose answers say more than errors, and are
    given like others."""
    import json
    import urllib.error
    import urllib.request

    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(server.rstrip("/") + path, data, headers(), method=method)
    try:
        with urllib.request.urlopen(request, timeout=seconds) as response:
            text = response.read()
            return json.loads(text) if text else {}
    except urllib.error.HTTPError as error:
        if error.code in telling and error.headers.get_content_type() == "application/json":
            return json.load(error)
        _refused(server, path, error)
    except (OSError, ValueError) as error:
        _unreachable(server, error)


def events(server: str, path: str, silence: float = 30) -> Iterator[tuple[str, dict[str, Any]]]:
    """(name, data) of server-sent events, until the stream ends. Exits like `ask`; a stream that is silent for so many seconds
    is broken."""
    import json
    import urllib.error
    import urllib.request

    request = urllib.request.Request(server.rstrip("/") + path, headers=headers())
    try:
        with urllib.request.urlopen(request, timeout=silence) as response:
            name = ""
            for raw in response:
                line = raw.decode().rstrip("\r\n")
                if line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("data: "):
                    yield name, json.loads(line[6:])
                elif line.startswith(":"):
                    yield "quiet", {}
    except urllib.error.HTTPError as error:
        _refused(server, path, error)
    except (OSError, ValueError) as error:
        _unreachable(server, error)


def path_of(*parts: str, **query: str | int | float | bool | None) -> str:
    """A path below /api/v1; members of the query that are None or empty are left out."""
    from urllib.parse import quote, urlencode

    path = "/api/v1/" + "/".join(quote(part, safe="") for part in parts)
    given = {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in query.items()
        if value is not None and value != ""
    }
    return f"{path}?{urlencode(given)}" if given else path


def headers() -> dict[str, str]:
    """With the token, if there is one."""
    found = {"Content-Type": "application/json"}
    if token := os.environ.get(TOKEN_VARIABLE):
        found["Authorization"] = f"Bearer {token}"
    return found


def _refused(server: str, path: str, error: Any) -> NoReturn:
    import json

    try:
        errors = json.load(error)["errors"]
    except (ValueError, KeyError, TypeError, OSError):
        errors = [f"{server}{path}: {error.code} {error.reason}"]
    fail(errors)


def _unreachable(server: str, error: Exception) -> NoReturn:
    reason = getattr(error, "reason", error)
    typer.echo(f"{server}: not reachable: {reason} (another address: --server)", err=True)
    raise typer.Exit(1) from None
