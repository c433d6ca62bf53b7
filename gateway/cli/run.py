"""`ocpp-gateway run`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.options import CONFIG_VARIABLE, Role, fail


def run(
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", "-c", envvar=CONFIG_VARIABLE, help="Configuration file. Default: gateway.yaml, if it exists."
        ),
    ] = None,
    role: Annotated[
        list[Role] | None,
        typer.Option("--role", help="Only this role (may be given twice). Default: both in one process."),
    ] = None,
    upstream: Annotated[
        str | None,
        typer.Option(
            "--upstream",
            metavar="VERSION=URL",
            help="Without a file: one CSMS, e.g. ocpp2.0.1=ws://127.0.0.1:9100/ocpp",
        ),
    ] = None,
    processes: Annotated[
        int,
        typer.Option(
            "--processes",
            min=1,
            max=64,
            help="So many gateways on this machine, one per core, on the same port and store, under one parent."
            " The operators' ports follow one another from admin.port.",
        ),
    ] = 1,
) -> None:
    """Run the gateway until SIGTERM or SIGINT, which drain it. SIGHUP reads the configuration again.

    Keys of the configuration can also be given as environment variables: OCPPGW_LISTEN__PORT=9000.
    """
    import os

    from gateway.config import ROLES
    from gateway.config_file import ConfigError, load_upstream_argument, load_watched

    roles = frozenset(each.value for each in role) if role else ROLES
    if upstream is not None and config is not None:
        fail(["--upstream: stands for a configuration file; give either it or --config"])
    default = Path("gateway.yaml")
    path = config if config is not None else default if default.exists() else None
    try:
        if upstream is not None:
            loaded = load_upstream_argument(upstream, os.environ, roles)
        else:
            loaded, _ = load_watched(path, os.environ, roles)
    except ConfigError as error:
        hint = ["give a file (--config gateway.yaml) or a CSMS (--upstream ocpp2.0.1=ws://host:port/path)"]
        fail(error.errors + (hint if path is None and upstream is None else []))

    if processes > 1:
        from gateway.processes import run as run_all

        given = (
            ["--upstream", upstream] if upstream is not None else ["--config", str(path)] if path is not None else []
        )
        given += [part for each in role or () for part in ("--role", each.value)]
        raise typer.Exit(run_all(loaded, processes, given))

    from gateway.app import run as run_app

    again = None if upstream is not None or path is None else lambda: load_watched(path, os.environ, roles)
    raise typer.Exit(run_app(loaded, roles, again))
