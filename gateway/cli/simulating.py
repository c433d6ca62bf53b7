"""`ocpp-gateway simulate`: a swarm of chargers."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated, Any

import typer

from gateway.cli.durations import seconds_of
from gateway.cli.options import OcppVersion, fail
from gateway.cli.output import Output, OutputOption, show, show_members


class ProfileName(StrEnum):
    """How the chargers are used."""

    home = "home"
    depot = "depot"
    highway = "highway"


class Quirk(StrEnum):
    """What the chargers do wrong."""

    counter_ids = "counter-ids"
    nulls = "nulls"
    slow = "slow"


def simulate(
    to: Annotated[
        str, typer.Option("--to", metavar="URL", help="Where chargers connect; the identity is appended.")
    ] = "ws://127.0.0.1:9000",
    chargers: Annotated[int, typer.Option("--chargers", "-n", min=1, max=100_000, help="How many.")] = 10,
    profile: Annotated[
        ProfileName,
        typer.Option("--profile", help="home: evenings, 11 kW; depot: nights, 50 kW; highway: 20 minutes, 150 kW."),
    ] = ProfileName.highway,
    version: Annotated[
        list[OcppVersion] | None,
        typer.Option("--version", help="OCPP version; again for a mix. Default: ocpp1.6.", show_default=False),
    ] = None,
    speed: Annotated[
        float, typer.Option("--speed", metavar="N", min=0.01, max=100_000, help="So many times faster than life.")
    ] = 60,
    rate: Annotated[
        float, typer.Option("--rate", metavar="N", min=0.01, help="Chargers that connect per second.")
    ] = 20,
    duration: Annotated[str, typer.Option("--for", metavar="TIME", help="End after so long. Default: Ctrl-C.")] = "",
    prefix: Annotated[
        str, typer.Option("--prefix", metavar="TEXT", help="Before the numbers that are their identities.")
    ] = "SIM",
    quirk: Annotated[
        list[Quirk] | None, typer.Option("--quirk", help="What they do wrong; again for more.", show_default=False)
    ] = None,
    anywhere: Annotated[bool, typer.Option("--anywhere", help="Also to another machine.")] = False,
    output: OutputOption = Output.table,
) -> None:
    """Chargers that come, charge cars, lose their connection, and tell later what happened meanwhile: for load and demos.

    Only to this machine unless --anywhere is given. Exit code 1 if a CALL got an error or no answer.

    Example: ocpp-gateway simulate --chargers 500 --profile highway --version ocpp1.6 --version ocpp2.0.1 --for 2m
    """
    import asyncio
    from urllib.parse import urlsplit

    from gateway.simulator.swarm import summary, swarm

    parts = urlsplit(to)
    if parts.scheme not in ("ws", "wss"):
        fail(["--to: ws:// or wss:// is needed"])
    if parts.hostname not in ("127.0.0.1", "::1", "localhost") and not anywhere:
        fail([f"--to: {parts.hostname} is another machine; give --anywhere if you mean it"])
    versions = [each.value for each in version or [OcppVersion.ocpp16]]
    if OcppVersion.ocpp21.value in versions:
        fail(["--version: ocpp2.1 cannot be simulated"])
    try:
        seconds = seconds_of(duration) if duration else 0.0
    except ValueError as error:
        fail([f"--for: {error}"])

    def told(stats: Any) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(
                f"\r{stats.connected} connected, {stats.calls} CALLs, {stats.sessions} sessions, {stats.call_errors} errors, "
                f"{stats.unanswered} unanswered   "
            )
            sys.stderr.flush()

    running = swarm(
        to, chargers, profile=profile.value, versions=versions, speed=speed, rate=rate, seconds=seconds, prefix=prefix,
        quirks=frozenset(each.value for each in quirk or []), told=told,
    )  # fmt: skip
    stats = asyncio.run(running)
    if sys.stderr.isatty():
        sys.stderr.write("\n")
    found = summary(stats)
    if output is not Output.table:
        show(found, output)
    else:
        actions = found.pop("actions")
        show_members(found)
        typer.echo(", ".join(f"{name} {count}" for name, count in actions.items()), err=True)
    if stats.call_errors or stats.unanswered or not stats.connections:
        raise typer.Exit(1)
