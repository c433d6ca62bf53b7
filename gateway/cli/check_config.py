"""`ocpp-gateway check-config`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.options import Role, fail


def check_config(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The configuration file.", show_default=False)],
    role: Annotated[
        list[Role] | None,
        typer.Option("--role", help="Check for a process with only this role (may be given twice)."),
    ] = None,
) -> None:
    """Check a configuration file, with the environment variables of this shell.

    Exits with 0 when all is well, and says how long a drain takes at most (terminationGracePeriodSeconds in Kubernetes).
    Otherwise with 2, and every error is on a line of its own: FILE:LINE: key: message.
    """
    import os

    from gateway.config import ROLES
    from gateway.config_file import ConfigError, load
    from gateway.grace import grace

    roles = frozenset(each.value for each in role) if role else ROLES
    try:
        config = load(file, os.environ, roles)
    except ConfigError as error:
        fail(error.errors)
    upstreams = ", ".join(f"{name} ({upstream.version})" for name, upstream in config.upstreams.items())
    routes = f"{len(config.routes)} route{'s'[: len(config.routes) != 1]}"
    typer.echo(f"{file}: ok: upstreams {upstreams}; {routes}; drains within {grace(config, roles)} s")
