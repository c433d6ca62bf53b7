"""`ocpp-gateway queue`: what waits for the CSMSs, and telling it again; through the operators' port."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from gateway.cli.csms import Name, age
from gateway.cli.output import Output, OutputOption, show, show_table
from gateway.cli.progress import portions
from gateway.cli.server import DEFAULT_SERVER, Server, ask, path_of

app = typer.Typer(no_args_is_help=True, help="What waits for the CSMSs; telling one of them again. Dead letters: dlq.")


@app.command("ls")
def list_queues(output: OutputOption = Output.table, server: Server = DEFAULT_SERVER) -> None:
    """Per CSMS what it has not got: ages first, counts second."""
    found = ask(server, "GET", path_of("journal"))
    totals: dict[str, dict[str, Any]] = {}
    for partition in found["partitions"]:
        for group in partition["groups"]:
            total = totals.setdefault(
                group["upstream"],
                {
                    "upstream": group["upstream"],
                    "oldest_seconds": 0,
                    "unread": 0,
                    "pending": 0,
                    "parked_bytes": 0,
                    "dead_letters": 0,
                },
            )
            total["oldest_seconds"] = max(total["oldest_seconds"], group["oldest_seconds"])
            for name in ("pending", "parked_bytes", "dead_letters"):
                total[name] += group[name]
            total["unread"] = -1 if -1 in (total["unread"], group["unread"]) else total["unread"] + group["unread"]
    plain = [totals[name] for name in sorted(totals)]
    if output is not Output.table:
        return show(plain, output)
    rows = [
        [
            each["upstream"], age(each["oldest_seconds"]), "?" if each["unread"] < 0 else str(each["unread"]),
            *(str(each[name]) for name in ("pending", "parked_bytes", "dead_letters")),
        ]
        for each in plain
    ]  # fmt: skip
    show_table(["UPSTREAM", "OLDEST", "UNREAD", "PENDING", "PARKED (B)", "DEAD LETTERS"], rows)


@app.command("peek")
def peek(
    upstream: Name,
    charger: Annotated[str, typer.Option("--charger", metavar="CHARGER", help="Only of this charger.")] = "",
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=500, help="At most so many.")] = 20,
    output: OutputOption = Output.table,
    server: Server = DEFAULT_SERVER,
) -> None:
    """The oldest messages that a CSMS has not got. Changes nothing.

    Example: ocpp-gateway queue peek main --charger CP1
    """
    found = ask(server, "GET", path_of("journal", upstream, "waiting", charger=charger, count=count))
    if output is not Output.table:
        return show(found, output, "waiting")
    rows = [
        [
            each["id"],
            each["received_at"],
            each["charger"],
            each["action"],
            age(each["seconds"]),
            "read" if each["read"] else "",
        ]
        for each in found["waiting"]
    ]
    show_table(["ENTRY", "RECEIVED", "CHARGER", "ACTION", "AGE", "STATE"], rows)
    if found["next"]:
        typer.echo("more: --count", err=True)


@app.command("replay")
def replay(
    upstream: Name,
    begin: Annotated[
        str, typer.Option("--from", metavar="TIME", help="ISO 8601; UTC without a zone.", show_default=False)
    ],
    end: Annotated[str, typer.Option("--to", metavar="TIME", help="Default: now.")] = "",
    charger: Annotated[str, typer.Option("--charger", metavar="CHARGER", help="Only what this charger said.")] = "",
    rate: Annotated[
        float, typer.Option("--rate", metavar="N", min=0, help="Messages a second at most, on average; 0: all at once.")
    ] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    output: OutputOption = Output.table,
    server: Server = DEFAULT_SERVER,
) -> None:
    """Tell a CSMS again what chargers said in some time, and no other CSMS, as far as the streams still have it: an entry is
    forgotten when every CSMS has it. Charging sessions that a translated CSMS knows are not told twice.

    Example: ocpp-gateway queue replay new --from 2026-11-22T10:00 --to 2026-11-22T12:00 --dry-run
    """
    body: dict[str, Any] = {"upstream": upstream, "from": begin, "to": end, "charger": charger, "dry_run": dry_run}
    if not dry_run and not yes:
        typer.confirm(f"Tell {upstream} again what chargers said since {begin}?", abort=True, err=True)
    path = path_of("journal", "replay")
    if not rate and (charger or output is not Output.table):
        found = ask(server, "POST", path, body, 300)
    else:
        found = _in_parts(server, path, body, rate)
    if output is not Output.table:
        return show(found, output)
    typer.echo(f"{found['found']} messages found, {found['replayed']} told again")
    typer.echo(f"the streams reach back to {found['oldest'] or '(they are empty)'}", err=True)


def _in_parts(server: str, path: str, body: dict[str, Any], rate: float) -> dict[str, Any]:
    """Partition by partition, so that it can be said how far it is; a pause after each where there is a rate."""
    partitions = [each["partition"] for each in ask(server, "GET", path_of("journal"))["partitions"]]
    total: dict[str, Any] = {"found": 0, "replayed": 0, "oldest": None}
    done = 0

    def told() -> str:
        said = f"{total['found']} found" if body["dry_run"] else f"{total['replayed']} told again"
        return f"{done} of {len(partitions)} partitions, {said}"

    for each in portions(partitions, "partitions", told):
        found = ask(server, "POST", path, body | {"partitions": [each]}, 300)
        done += 1
        total["found"] += found["found"]
        total["replayed"] += found["replayed"]
        if found["oldest"] and (total["oldest"] is None or found["oldest"] < total["oldest"]):
            total["oldest"] = found["oldest"]
        if rate:
            time.sleep(found["replayed"] / rate)
    if not partitions:
        ask(server, "POST", path, body | {"partitions": []}, 300)
    return total
