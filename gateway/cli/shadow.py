"""`ocpp-gateway shadow`: how the answers of a new CSMS differ from those of the present one, through the operators' port."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gateway.cli.output import Output, OutputOption, show_table
from gateway.cli.output import show as show_data
from gateway.cli.server import DEFAULT_SERVER, Server, ask

NO_SCORE = "not enough data"


def shadow(
    charger: Annotated[
        str | None,
        typer.Argument(metavar="[CHARGER]", help="Identity of a charger. Without: all of them.", show_default=False),
    ] = None,
    upstream: Annotated[
        str | None, typer.Option("--upstream", metavar="NAME", help="Only this shadow. Default: all.")
    ] = None,
    count: Annotated[int, typer.Option("--count", "-n", min=0, help="At most so many chargers.")] = 50,
    server: Server = DEFAULT_SERVER,
    output: OutputOption = Output.table,
) -> None:
    """How the answers of mirrors with `shadow: true` differ from those that the chargers get, and who is ready to be switched.

    The least ready chargers come first; with a charger, its last differences, the newest first.
    """
    from urllib.parse import quote, urlencode

    if charger is None:
        query = {"limit": str(count)} | ({} if upstream is None else {"upstream": upstream})
        found = ask(server, "GET", f"/api/v1/shadow?{urlencode(query)}")
        return _fleet(found) if output is Output.table else show_data(found, output, "chargers")
    found = ask(server, "GET", f"/api/v1/shadow/{quote(charger, safe='')}")
    if upstream is not None:
        found["upstreams"] = {name: each for name, each in found["upstreams"].items() if name == upstream}
    if output is not Output.table:
        return show_data(found, output)
    for name, each in found["upstreams"].items():
        _charger(name, each)


def _fleet(found: dict[str, Any]) -> None:
    rows = []
    for name, each in found["upstreams"].items():
        numbers = [str(each[key]) for key in ("chargers", "ready", "not_enough_data")]
        rows.append(
            [name, *numbers, _score(each["score"]), _score(each["lowest"]), str(each["compared"]), _kinds(each)]
        )
    if not rows:
        typer.echo("no mirror is a shadow (shadow: true)")
        return
    head = ["SHADOW", "CHARGERS", "READY", "TOO FEW", "MEAN SCORE", "LOWEST", "COMPARED", "DIFFERENCES"]
    show_table(head, rows)
    if found["chargers"]:
        typer.echo()
        head = ["CHARGER", "SHADOW", "SCORE", "COMPARED", "AGREED", "DIFFERENCES", "LAST"]
        rows = [
            [
                each["charger"],
                each["upstream"],
                _score(each["score"]),
                str(each["compared"]),
                str(each["agreed"]),
                _kinds(each),
                each["last_at"],
            ]
            for each in found["chargers"]
        ]
        show_table(head, rows)
    if found["left_out"]:
        typer.echo(f"{found['left_out']} more: --count", err=True)


def _charger(name: str, each: dict[str, Any]) -> None:
    typer.echo(f"shadow    {name}")
    typer.echo(f"score     {_score(each['score'])}{' (ready)' if each['ready'] else ''}")
    typer.echo(f"compared  {each['compared']}, of which {each['agreed']} agreed, since {each['first_at']}")
    for kind, part in each["classes"].items():
        typer.echo(f"{kind:<9} {part['agreed_percent']:g} % of the last {part['counted']}")
    if each["last_differences"]:
        typer.echo()
        rows = [[one[key] for key in ("at", "action", "kind", "answer", "shadow")] for one in each["last_differences"]]
        show_table(["AT", "ACTION", "KIND", "ANSWER", "SHADOW"], rows)


def _score(score: int | None) -> str:
    return NO_SCORE if score is None else str(score)


def _kinds(each: dict[str, Any]) -> str:
    return ", ".join(f"{kind} {count}" for kind, count in each["differences"].items() if count) or "none"
