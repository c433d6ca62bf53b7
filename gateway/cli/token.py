"""`ocpp-gateway token`: a token for the operators' port."""

from __future__ import annotations

import enum
from typing import Annotated

import typer


class Scope(enum.StrEnum):
    """What a token allows."""

    read = "read"
    operate = "operate"
    admin = "admin"


def token(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose it is, for the log.", show_default=False)],
    scope: Annotated[
        Scope,
        typer.Option("--scope", help="`read`; `operate`: also routes, reload, rebalance; `admin`: also chargers."),
    ] = Scope.operate,
) -> None:
    """Make a token for the operators' port: it is printed once; the line for `admin.tokens` holds its hash only.

    Commands take the token from the variable OCPPGW_TOKEN.
    """
    import json
    import secrets

    from gateway.admin.guard import digest

    made = secrets.token_urlsafe(32)
    typer.echo(f"token: {made}", err=True)
    typer.echo(f"- {{name: {json.dumps(name)}, scope: {scope.value}, hash: {digest(made)}}}")
