"""`ocpp-gateway chargers ls|show|kick|forget` and `send`: chargers as the fleet sees them, through the operators' port."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from gateway.cli import chargers
from gateway.cli.options import fail
from gateway.cli.output import Output, OutputOption, show, show_members, show_table, tell, tell_silent
from gateway.cli.server import DEFAULT_SERVER, Server, ask, path_of

app = chargers.app
"""These commands are beside those of the registry."""

Id = Annotated[str, typer.Argument(metavar="CHARGER", help="Identity of a charger.", show_default=False)]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
PAGE = 500


@app.command("ls")
def list_present(
    text: Annotated[
        str, typer.Argument(metavar="[TEXT]", help="Part of identity, vendor, model, firmware, serial.")
    ] = "",
    state: Annotated[str, typer.Option("--state", metavar="connected|absent|blocked", help="Only those.")] = "",
    version: Annotated[str, typer.Option("--version", metavar="ocpp1.6", help="Only those that speak it.")] = "",
    group: Annotated[str, typer.Option("--group", help="Only those of this group.")] = "",
    upstream: Annotated[
        str, typer.Option("--upstream", metavar="NAME", help="Only those whose route goes there.")
    ] = "",
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="At most so many.")] = 200,
    output: OutputOption = Output.table,
    server: Server = DEFAULT_SERVER,
) -> None:
    """Who is there and who was, in the whole fleet, through the operators' port.

    Examples: ocpp-gateway chargers ls --state connected;  ocpp-gateway chargers ls wallbox -o ndjson
    """
    found: list[dict[str, Any]] = []
    cursor = ""
    page: dict[str, Any] = {"next": "", "total": 0, "connected": 0}
    while len(found) < count:
        page = ask(
            server, "GET",
            path_of(
                "chargers", q=text, state=state, version=version, group=group, upstream=upstream,
                limit=min(PAGE, count - len(found)), cursor=cursor,
            ),
        )  # fmt: skip
        found += page["chargers"]
        cursor = page["next"]
        if not cursor:
            break
    if output is not Output.table:
        return show({"chargers": found, "total": page["total"], "connected": page["connected"]}, output, "chargers")
    rows = [
        [
            each["id"], state_of(each), each["version"],
            f"{each['vendor']} {each['model']}".strip(), each["primary"],
            " ".join(sorted({one["status"] for one in each["connectors"].values()})), str(len(each["transactions"]) or ""),
        ]
        for each in found
    ]  # fmt: skip
    show_table(["CHARGER", "STATE", "VERSION", "KIND", "PRIMARY", "CONNECTORS", "TRANSACTIONS"], rows)
    left = page["total"] - len(found)
    typer.echo(
        f"{page['total']} chargers, {page['connected']} connected" + (f"; {left} more: --count" if left else ""),
        err=True,
    )


@app.command("show")
def show_charger(charger: Id, output: OutputOption = Output.table, server: Server = DEFAULT_SERVER) -> None:
    """Everything about one charger: where it is, its connectors and transactions, how it is at each CSMS.

    Example: ocpp-gateway chargers show CP1
    """
    found = ask(server, "GET", path_of("chargers", charger))
    if output is not Output.table:
        return show(found, output)
    kind = " ".join(filter(None, (found["vendor"], found["model"], found["firmware"])))
    show_members(
        {
            "charger": found["id"],
            "state": f"connected since {found['opened_at']}" if found["connected"] else f"absent since {found['absent_since'] or '?'}",
            "edge": found["edge"], "hub": found["hub"], "version": found["version"], "kind": kind,
            "route": ", ".join([f"primary {found['primary']}", *(f"mirror {each}" for each in found["mirrors"])]),
            "registered": "no" if found["registration"] is None else "blocked" if found["registration"]["blocked"] else "yes",
        }
    )  # fmt: skip
    if found["connectors"]:
        typer.echo()
        rows = [[where, each["status"], each["error"]] for where, each in sorted(found["connectors"].items())]
        show_table(["CONNECTOR", "STATUS", "ERROR"], rows)
    if found["transactions"]:
        typer.echo()
        rows = [[str(each["id"]), each["by"] or "-", "yes" if each["minted"] else ""] for each in found["transactions"]]
        show_table(["TRANSACTION", "NUMBER BY", "MINTED HERE"], rows)
    if found["upstreams"]:
        typer.echo()
        rows = [
            [
                name, each["role"], each["version"], each["state"], str(each["backlog"]), str(each["parked_bytes"]),
                str(each["dead_letters"]), ", ".join(one["action"] for one in each["told"]), each["last_error"],
            ]
            for name, each in found["upstreams"].items()
        ]  # fmt: skip
        head = [
            "UPSTREAM",
            "ROLE",
            "VERSION",
            "SOCKET",
            "BACKLOG",
            "PARKED (B)",
            "DEAD LETTERS",
            "BEING TOLD",
            "LAST ERROR",
        ]
        show_table(head, rows)
    tell_silent(found, "what only it knows is missing")


@app.command("kick")
def kick(
    charger: Id,
    gentle: Annotated[
        bool, typer.Option("--gentle", help="Once nothing is open, 10 s at the latest; code 1012.")
    ] = False,
    output: OutputOption = Output.table,
    server: Server = DEFAULT_SERVER,
) -> None:
    """Close a charger's connection. It may come back; to keep it away: chargers block."""
    found = ask(server, "POST", path_of("chargers", charger, "kick"), {"gentle": gentle})
    tell(found, output, f"{found['charger']} is disconnected from {found['edge']}")


@app.command("forget")
def forget(charger: Id, yes: Yes = False, output: OutputOption = Output.table, server: Server = DEFAULT_SERVER) -> None:
    """Delete what is kept of an absent charger: facts, stored answers, what is put aside for CSMSs. Not its registration."""
    if not yes:
        typer.confirm(f"Delete everything that is kept of {charger}?", abort=True, err=True)
    found = ask(server, "POST", path_of("chargers", charger, "forget"))
    tell(
        found, output,
        f"forgotten: {found['facts']} facts, {found['answers']} stored answers, {found['parked']} lots put aside",
    )  # fmt: skip


def state_of(line: dict[str, Any]) -> str:
    """In one word; of a charger that is not let in, that."""
    if line["connected"]:
        return "connected"
    return "blocked" if line["registration"] is not None and line["registration"]["blocked"] else "absent"


def send(
    charger: Id,
    action: Annotated[
        str, typer.Argument(metavar="ACTION", help="Reset, UnlockConnector, GetConfiguration, ...", show_default=False)
    ],
    payload: Annotated[str, typer.Argument(metavar="[JSON]", help="Payload; - reads standard input.")] = "{}",
    upstream: Annotated[
        str,
        typer.Option(
            "--as-upstream", metavar="NAME", help="As if this CSMS had sent it, in its version: it is translated."
        ),
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only check the payload and whether it may be sent.")
    ] = False,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="Send it though OCPP wants something else (scope admin).")
    ] = False,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", min=1, max=300, help="For the answer.")
    ] = 30,
    yes: Yes = False,
    output: OutputOption = Output.table,
    server: Server = DEFAULT_SERVER,
) -> None:
    """Ask a charger something, and print what it answers. Asks before it sends on a terminal. Exit code 1: a CALLERROR.

    Examples: ocpp-gateway send CP1 Reset '{"type": "Soft"}';  ocpp-gateway send CP1 TriggerMessage
    '{"requestedMessage": "StatusNotification"}' --dry-run
    """
    import json

    text = sys.stdin.read() if payload == "-" else payload
    try:
        body = json.loads(text)
    except ValueError as error:
        fail([f"JSON: {error}"])
    if not isinstance(body, dict):
        fail(["JSON: the payload is an object"])
    wanted = {"action": action, "payload": body, "upstream": upstream, "timeout": timeout, "unchecked": unchecked}
    path = path_of("chargers", charger, "call")
    if not dry_run and not yes and sys.stdin.isatty() and sys.stdout.isatty():
        typer.confirm(f"Send {action} to {charger}?", abort=True, err=True)
    found = ask(server, "POST", path, wanted | {"dry_run": dry_run}, timeout + 15)
    if output is not Output.table:
        show(found, output)
    elif dry_run:
        typer.echo("\n".join(found["errors"]) or f"{action} may be sent ({found['version']})")
    elif found["error"]:
        typer.echo(f"{found['error']['code']}: {found['error']['description']} ({found['ms']} ms)", err=True)
    else:
        typer.echo(json.dumps(found["payload"], indent=2, ensure_ascii=False))
        typer.echo(f"{found['ms']} ms", err=True)
    if found["error"] or (dry_run and found["errors"]):
        raise typer.Exit(1)
