"""How commands show what they found: columns for people, JSON, one JSON object a line, or YAML for programs."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer


class Output(StrEnum):
    """How a command shows what it found."""

    table = "table"
    json = "json"
    ndjson = "ndjson"
    yaml = "yaml"


OutputOption = Annotated[
    Output, typer.Option("--output", "-o", help="For people (table), or for programs; ndjson is one object a line.")
]

StreamOption = Annotated[
    Output,
    typer.Option(
        "--output", "-o", help="For people (table), or for programs: one object a line; yaml: a document each."
    ),
]


def show(found: Any, output: Output, lines: str = "") -> None:
    """Prints data for programs. `lines`: member of it that holds the list whose items are the lines of ndjson."""
    import msgspec

    if output is Output.yaml:
        import yaml

        typer.echo(yaml.safe_dump(msgspec.to_builtins(found), sort_keys=False, allow_unicode=True), nl=False)
    elif output is Output.ndjson:
        items = found[lines] if lines else found
        for item in items if isinstance(items, list) else [items]:
            typer.echo(msgspec.json.encode(item).decode())
    else:
        typer.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())


def tell(found: Any, output: Output, *sentences: str) -> None:
    """What a command has done: data for programs, sentences for people."""
    if output is not Output.table:
        return show(found, output)
    for each in sentences:
        typer.echo(each)


def show_event(found: dict[str, Any], output: Output) -> None:
    """Prints for programs one of many that come as time goes by."""
    import json

    if output is Output.yaml:
        import yaml

        typer.echo(yaml.safe_dump(found, sort_keys=False, allow_unicode=True, explicit_start=True), nl=False)
    else:
        typer.echo(json.dumps(found, ensure_ascii=False))


def show_table(head: list[str], rows: list[list[str]]) -> None:
    """Prints columns for people."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    for row in [head, *rows]:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def tell_silent(found: dict[str, Any], missing: str) -> None:
    """On standard error: which processes gave no answer, and what is `missing` therefore."""
    for each in found["silent"]:
        typer.echo(f"no answer from {each}: {missing}", err=True)


def show_members(found: dict[str, Any]) -> None:
    """Prints one thing for people: a member a line."""
    width = max(map(len, found), default=0)
    for name, value in found.items():
        if isinstance(value, list):
            value = ", ".join(map(str, value)) or "-"
        typer.echo(f"{name.replace('_', ' '):<{width}}  {'-' if value in (None, '') else value}")
