"""`ocpp-gateway routes`: what is in force, and switching chargers to another primary, through the operators' port."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gateway.cli.options import fail
from gateway.cli.output import Output, OutputOption
from gateway.cli.output import show as show_data
from gateway.cli.server import DEFAULT_SERVER, Server, ask

app = typer.Typer(no_args_is_help=True, help="Show routes, and switch chargers to another CSMS while they charge.")


@app.command("list")
def list_routes(server: Server = DEFAULT_SERVER, output: OutputOption = Output.table) -> None:
    """The routes in the order in which they are tried, after the overrides of operators."""
    found = ask(server, "GET", "/api/v1/routes")
    if output is not Output.table:
        return show_data(found, output)
    for each in found["overrides"]:
        typer.echo(_override(each))
    for route in found["routes"]:
        parts = [f"match {', '.join(route['match'])}", f"primary {route['primary']}"]
        parts += [f"mirrors {', '.join(route['mirrors'])}"] if route["mirrors"] else []
        parts += [f"when {key} is {value}" for key, value in route.get("when", {}).items()]
        if canary := route.get("canary"):
            parts.append(f"{canary['percent']} % at {canary['upstream']}")
        typer.echo("route     " + "; ".join(parts))


@app.command("show")
def show(
    charger: Annotated[str, typer.Argument(metavar="CHARGER", help="Identity of a charger.", show_default=False)],
    server: Server = DEFAULT_SERVER,
    output: OutputOption = Output.table,
) -> None:
    """The route of one charger."""
    from urllib.parse import quote

    found = ask(server, "GET", f"/api/v1/routes/{quote(charger, safe='')}")
    if output is not Output.table:
        return show_data(found, output)
    typer.echo(f"primary   {found['primary']}")
    typer.echo(f"mirrors   {', '.join(found['mirrors']) or '(none)'}")
    typer.echo(f"down      {found['primary_down']}")
    for action, name in found["authority"].items():
        typer.echo(f"authority {action}: {name}")
    if found["learned"]:
        said = ", ".join(f"{key} {value}" for key, value in found["learned"].items() if value)
        typer.echo(f"learned   {said}")
    if found["override"]:
        typer.echo(_override(found["override"]))


@app.command("switch")
def switch(
    match: Annotated[
        str | None,
        typer.Option("--match", metavar="PATTERN", help="Which chargers: an identity, a glob, or re:REGEX."),
    ] = None,
    primary: Annotated[
        str | None, typer.Option("--primary", metavar="UPSTREAM", help="The CSMS whose answers they get from now on.")
    ] = None,
    mirror_old: Annotated[
        bool, typer.Option("--mirror-old/--no-mirror", help="Whether their present primary stays as a mirror.")
    ] = True,
    canary: Annotated[
        int, typer.Option("--canary", metavar="PERCENT", min=1, max=100, help="Only so many of a hundred of them.")
    ] = 100,
    reset: Annotated[
        bool, typer.Option("--reset", help="Take the override of --match back; without --match: all of them.")
    ] = False,
    server: Server = DEFAULT_SERVER,
    output: OutputOption = Output.table,
) -> None:
    """Give chargers another primary, at once, without dropping them; a transaction goes on under the ids of each CSMS.

    The override is kept in the store until --reset: all processes and later starts keep to it. Example:

    ocpp-gateway routes switch --match 'DE-*' --primary new --canary 10
    """
    body: dict[str, Any]
    if reset:
        body = {"reset": True, "all": match is None} | ({} if match is None else {"match": match})
    elif match is None or primary is None:
        fail(["give --match and --primary, or --reset"])
    else:
        body = {"match": match, "primary": primary, "mirror_old": mirror_old, "percent": canary}
    found = ask(server, "POST", "/api/v1/routes/switch", body)
    if output is not Output.table:
        return show_data(found, output)
    for each in found["overrides"]:
        typer.echo(_override(each))
    if not found["overrides"]:
        typer.echo("no overrides: the routes of the configuration count")


def _override(each: dict[str, Any]) -> str:
    part = f"; {each['percent']} % of them" if each["percent"] < 100 else ""
    old = "stays as mirror" if each["mirror_old"] else "leaves"
    stay = [name if percent >= 100 else f"{name} ({percent} %)" for name, percent in each["also"]]
    also = f"; mirrors {', '.join(stay)}" if stay else ""
    return f"override  match {each['match']}; primary {each['primary']}; the old primary {old}{also}{part}"
