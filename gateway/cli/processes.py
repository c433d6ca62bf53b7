"""`ocpp-gateway processes`, `drain` and `log-level`: the fleet itself, through the operators' port."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from gateway.cli.options import fail
from gateway.cli.output import Output, OutputOption, show, show_table, tell
from gateway.cli.server import DEFAULT_SERVER, Server, ask, path_of


class Level(StrEnum):
    """How much is logged."""

    debug = "debug"
    info = "info"
    warning = "warning"
    error = "error"


def processes(output: OutputOption = Output.table, server: Server = DEFAULT_SERVER) -> None:
    """The processes of the fleet: roles, chargers, partitions, and why one is not ready."""
    found = ask(server, "GET", path_of("processes"))
    if output is not Output.table:
        return show(found, output, "processes")
    rows = [
        [
            each["name"], ",".join(each["roles"]), each["version"], each["started_at"], str(each["chargers"]),
            str(len(each["partitions"])), each["log_level"], "; ".join(each["unready"]) or "ready",
        ]
        for each in found["processes"]
    ]  # fmt: skip
    show_table(["PROCESS", "ROLES", "VERSION", "STARTED", "CHARGERS", "PARTITIONS", "LOG", "STATE"], rows)
    for each in found["silent"]:
        typer.echo(f"no answer from {each}", err=True)


def drain(
    process: Annotated[
        str, typer.Argument(metavar="[PROCESS]", help="As `processes` names it; not needed if it is alone.")
    ] = "",
    rate: Annotated[
        float,
        typer.Option(
            "--rate", metavar="N", min=0, help="Chargers per second. Default: drain.close_rate.", show_default=False
        ),
    ] = 0,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    output: OutputOption = Output.table,
    server: Server = DEFAULT_SERVER,
) -> None:
    """End a process gently, as SIGTERM does: its chargers are closed when nothing is open, not all at once."""
    names = [each["name"] for each in ask(server, "GET", path_of("processes"))["processes"]]
    if not process and len(names) > 1:
        fail(["there are several processes: name one", *names])
    process = process or names[0]
    if not yes:
        typer.confirm(f"End {process}?", abort=True, err=True)
    found = ask(server, "POST", path_of("processes", process, "drain"), {"rate": rate})
    tell(found, output, f"{process} drains")


def log_level(
    level: Annotated[Level, typer.Argument(metavar="LEVEL", help="debug, info, warning or error.", show_default=False)],
    process: Annotated[str, typer.Option("--process", metavar="[PROCESS]", help="Only there.")] = "",
    output: OutputOption = Output.table,
    server: Server = DEFAULT_SERVER,
) -> None:
    """Log more, or less, without a restart; until the configuration's `log` changes or the next start."""
    found = ask(server, "PUT", path_of("log-level"), {"level": level.value, "process": process})
    tell(found, output, f"{level.value}: {', '.join(found['processes'])}")
    for each in found["silent"]:
        typer.echo(f"no answer from {each}", err=True)
