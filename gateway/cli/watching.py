"""`ocpp-gateway chargers watch`: what changes in the fleet, seen by looking at it again and again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from gateway.cli.durations import seconds_of
from gateway.cli.options import fail
from gateway.cli.output import Output, StreamOption, show_event
from gateway.cli.server import DEFAULT_SERVER, Server, ask, path_of

PAGE = 1000
"""Chargers that are asked for at once."""

Fleet = dict[str, dict[str, Any]]
"""Casefolded identity -> charger, as the operators' port lists it."""


def watch(
    text: Annotated[
        str, typer.Argument(metavar="[TEXT]", help="Part of identity, vendor, model, firmware, serial.")
    ] = "",
    group: Annotated[str, typer.Option("--group", help="Only those of this group.")] = "",
    every: Annotated[
        float, typer.Option("--every", metavar="SECONDS", min=0.5, max=3600, help="Between two looks.")
    ] = 2,
    duration: Annotated[str, typer.Option("--for", metavar="TIME", help="End after so long: 30s, 10m, 2h.")] = "",
    count: Annotated[int, typer.Option("--count", "-n", min=0, help="End after so many changes; 0: never.")] = 0,
    output: StreamOption = Output.table,
    server: Server = DEFAULT_SERVER,
) -> None:
    """Who comes and goes, and whose connectors and transactions change, one change a line, until Ctrl-C. What has changed back
    between two looks is not seen; every frame: tail.

    Examples: ocpp-gateway chargers watch;  ocpp-gateway chargers watch DE- --every 10 -o ndjson
    """
    try:
        end = time.monotonic() + seconds_of(duration) if duration else 0.0
    except ValueError as error:
        fail([f"--for: {error}"])
    seen = 0
    try:
        before = _look(server, text, group)
        there = sum(each["connected"] for each in before.values())
        typer.echo(f"watching {len(before)} chargers, {there} connected; end with Ctrl-C", err=True)
        while not end or time.monotonic() < end:
            time.sleep(every if not end else max(0.0, min(every, end - time.monotonic())))
            after = _look(server, text, group)
            for change in changes(before, after):
                if output is Output.table:
                    typer.echo(_line(change))
                else:
                    show_event(change, output)
                seen += 1
                if count and seen >= count:
                    return
            before = after
    except KeyboardInterrupt:
        pass
    finally:
        typer.echo(f"{seen} changes", err=True)


def changes(before: Fleet, after: Fleet) -> Iterator[dict[str, Any]]:
    """What is different: `at`, `charger`, `event` (connected, disconnected, forgotten, connector, begun, ended), `what` (the
    connector, or the transaction), `was` and `is`."""
    from datetime import UTC, datetime

    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def change(charger: str, event: str, what: str = "", was: str = "", now: str = "") -> dict[str, Any]:
        return {"at": at, "charger": charger, "event": event, "what": what, "was": was, "is": now}

    for name, each in after.items():
        id, old = each["id"], before.get(name, _NOBODY)
        came = each["connected"] and (not old["connected"] or each["epoch"] != old["epoch"])
        if old["connected"] and (came or not each["connected"]):
            yield change(id, "disconnected", was=old["edge"])
        if came:
            yield change(id, "connected", each["version"], now=each["edge"])
        connectors, earlier = each["connectors"], old["connectors"]
        for where in sorted(connectors):
            was, now = earlier.get(where, {"status": ""})["status"], connectors[where]["status"]
            if was != now:
                yield change(id, "connector", where, was, now)
        begun = {str(one["id"]) for one in old["transactions"]}
        still = {str(one["id"]) for one in each["transactions"]}
        for what in sorted(begun - still):
            yield change(id, "ended", what)
        for what in sorted(still - begun):
            yield change(id, "begun", what)
    for name, each in before.items():
        if name not in after:
            yield change(each["id"], "forgotten")


_NOBODY: dict[str, Any] = {"connected": False, "epoch": 0, "edge": "", "connectors": {}, "transactions": []}


def _look(server: str, text: str, group: str) -> Fleet:
    found: Fleet = {}
    cursor = ""
    while True:
        page = ask(server, "GET", path_of("chargers", q=text, group=group, limit=PAGE, cursor=cursor))
        found |= {each["id"].casefold(): each for each in page["chargers"]}
        cursor = page["next"]
        if not cursor:
            return found


def _line(change: dict[str, Any]) -> str:
    what, was, now = change["what"], change["was"], change["is"]
    said = {
        "connected": f"connected ({what}) at {now}",
        "disconnected": f"disconnected from {was}",
        "forgotten": "forgotten",
        "connector": f"connector {what}: {was or '-'} -> {now}",
        "begun": f"transaction {what} has begun",
        "ended": f"transaction {what} has ended",
    }[change["event"]]
    return f"{change['at'][11:].rstrip('Z'):<12}  {change['charger']}  {said}"
