"""`ocpp-gateway wire-log`: the frames of some chargers in the log of the gateway's processes, for a limited time."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.durations import seconds_of
from gateway.cli.options import fail
from gateway.cli.output import Output, OutputOption, show, show_table
from gateway.cli.server import DEFAULT_SERVER, Server, ask, path_of


def wire_log(
    match: Annotated[
        str,
        typer.Argument(metavar="CHARGER", help="An identity, a glob or `re:`; without it the wire logs are listed."),
    ] = "",
    duration: Annotated[str, typer.Option("--for", metavar="TIME", help="From now on, at most an hour.")] = "10m",
    stop: Annotated[bool, typer.Option("--stop", help="No more of this.")] = False,
    output: OutputOption = Output.table,
    server: Server = DEFAULT_SERVER,
) -> None:
    """Write every frame of some chargers to the gateway's log, without passwords and tokens, whatever the log's level."""
    if stop and not match:
        fail(["--stop needs the charger as it was given"])
    if match:
        try:
            seconds = 0.0 if stop else seconds_of(duration)
        except ValueError as error:
            fail([f"--for: {error}"])
        found = ask(server, "PUT", path_of("wire-logs"), {"match": match, "seconds": seconds})
    else:
        found = ask(server, "GET", path_of("wire-logs"))
    if output is not Output.table:
        return show(found, output, "wire_logs")
    rows = [
        [each["match"], f"{each['seconds']:.0f}", str(each["frames"]), each["process"]] for each in found["wire_logs"]
    ]
    show_table(["CHARGERS", "SECONDS LEFT", "FRAMES", "PROCESS"], rows)
    for each in found["silent"]:
        typer.echo(f"no answer from {each}", err=True)
