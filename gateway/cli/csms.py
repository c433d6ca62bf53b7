"""`ocpp-gateway upstreams ls|show|pause|resume|reconnect|test`, through the operators' port."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gateway.cli import upstreams
from gateway.cli.output import Output, OutputOption, show, show_members, show_table, tell, tell_silent
from gateway.cli.server import DEFAULT_SERVER, Server, ask, path_of

app = upstreams.app
"""These commands are beside those that look into the store."""

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the CSMS.", show_default=False)]


@app.command("ls")
def list_live(output: OutputOption = Output.table, server: Server = DEFAULT_SERVER) -> None:
    """How the CSMSs are now: sockets, and how old the oldest message is that each has not got."""
    found = ask(server, "GET", path_of("upstreams"))
    if output is not Output.table:
        return show(found, output, "upstreams")
    rows = []
    for each in found["upstreams"]:
        state = "orphan" if each["orphan"] else "paused" if each["paused_at"] else each["state"] or "-"
        sockets = each["sessions"]
        rows.append(
            [
                each["name"], state, each["version"], age(each["oldest_seconds"]), str(each["pending"]),
                str(sockets["connected"]), str(sockets["connecting"] + sockets["backoff"]), str(each["parked_bytes"]),
                str(each["dead_letters"]),
            ]
        )  # fmt: skip
    head = [
        "UPSTREAM",
        "STATE",
        "VERSION",
        "OLDEST",
        "PENDING",
        "CONNECTED",
        "NOT CONNECTED",
        "PARKED (B)",
        "DEAD LETTERS",
    ]
    show_table(head, rows)
    tell_silent(found, "its sockets are missing")


@app.command("show")
def show_one(name: Name, output: OutputOption = Output.table, server: Server = DEFAULT_SERVER) -> None:
    """One CSMS, with the reasons why sockets to it are not open."""
    found: dict[str, Any] = ask(server, "GET", path_of("upstreams", name))
    if output is not Output.table:
        return show(found, output)
    errors = found.pop("errors")
    sockets = ", ".join(f"{count} {state}" for state, count in found.pop("sessions").items())
    show_members({**found, "oldest_seconds": age(found["oldest_seconds"]), "sockets": sockets})
    for each in errors:
        typer.echo(f"  {each['sessions']} x {each['reason']}")


@app.command("pause")
def pause(name: Name, output: OutputOption = Output.table, server: Server = DEFAULT_SERVER) -> None:
    """Close all sockets to a CSMS and keep what is for it, until resume. Whoever has it as primary is treated as if it were down."""
    found = ask(server, "POST", path_of("upstreams", name, "pause"))
    tell(found, output, f"{name} is paused since {found['paused_at']}")


@app.command("resume")
def resume(name: Name, output: OutputOption = Output.table, server: Server = DEFAULT_SERVER) -> None:
    """Dial a paused CSMS again, and tell it what has waited."""
    found = ask(server, "POST", path_of("upstreams", name, "resume"))
    tell(found, output, f"{name} is dialled again")


@app.command("reconnect")
def reconnect(
    name: Name,
    charger: Annotated[str, typer.Option("--charger", metavar="CHARGER", help="Only the socket of this charger.")] = "",
    output: OutputOption = Output.table,
    server: Server = DEFAULT_SERVER,
) -> None:
    """Close the sockets to a CSMS and dial again, not all in the same moment."""
    found = ask(server, "POST", path_of("upstreams", name, "reconnect"), {"charger": charger})
    tell(found, output, f"{found['sockets']} sockets")


@app.command("test")
def test(
    name: Name,
    charger: Annotated[
        str,
        typer.Option("--charger", metavar="CHARGER", help="Identity with which to dial; not one that is connected."),
    ] = "ocppgw-test",
    output: OutputOption = Output.table,
    server: Server = DEFAULT_SERVER,
) -> None:
    """Dial a CSMS from every hub: DNS, TCP, TLS, credentials, subprotocol. Exit code 1 if it does not work."""
    found = ask(server, "POST", path_of("upstreams", name, "test"), {"charger": charger}, 60)
    if output is not Output.table:
        show(found, output, "results")
    else:
        for each in found["results"]:
            typer.echo(
                f"{'ok  ' if each['ok'] else 'fail'}  {each['process']}  {each['kind']}: {each['detail']} ({each['ms']} ms)"
            )
        if not found["results"]:
            typer.echo("fail  no hub answers", err=True)
    if not found["ok"]:
        raise typer.Exit(1)


def age(seconds: float) -> str:
    """An age for people."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s" if seconds else "-"
