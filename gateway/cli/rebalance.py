"""`ocpp-gateway rebalance`: after a scale-up, through the operators' port."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.output import Output, OutputOption, show
from gateway.cli.server import DEFAULT_SERVER, Server, ask


def rebalance(
    rate: Annotated[
        float,
        typer.Option(
            "--rate", metavar="N", min=0, help="Chargers per second. Default: drain.close_rate.", show_default=False
        ),
    ] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show who would be sent away.")] = False,
    server: Server = DEFAULT_SERVER,
    output: OutputOption = Output.table,
) -> None:
    """Spread the chargers over the edges that there are now, after edges were added.

    Edges that have more than their share close the sockets of the surplus, gently and not all at once; the chargers connect
    again, wherever the load balancer leads them. If it does not prefer the edge with the fewest connections, run it again.
    """
    found = ask(server, "POST", "/api/v1/rebalance", {"rate": rate, "dry_run": dry_run})
    if output is not Output.table:
        return show(found, output)
    for edge, each in found["edges"].items():
        typer.echo(f"{edge}  {each['chargers']} chargers, {each['moves']} of them move")
    if not found["moves"]:
        typer.echo("nothing to do: no edge has more than its share")
    elif not dry_run:
        typer.echo(f"{found['moves']} chargers are sent away within {found['seconds']:g} s")
