"""`ocpp-gateway config`: what may be configured, what is, and what a change would do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.options import CONFIG_VARIABLE, fail
from gateway.cli.output import Output, OutputOption
from gateway.cli.output import show as show_data
from gateway.cli.server import DEFAULT_SERVER, Server, ask

if TYPE_CHECKING:
    from gateway.config import Config
    from gateway.config_source import Node

app = typer.Typer(no_args_is_help=True, help="What may be configured, what is, and what a change would do.")

File = Annotated[
    Path | None,
    typer.Argument(
        metavar="FILE",
        envvar=CONFIG_VARIABLE,
        help="Configuration file. Default: gateway.yaml, if it exists.",
        show_default=False,
    ),
]


@app.command("schema")
def schema() -> None:
    """The JSON Schema (draft-07) of the file, for editors: `# yaml-language-server: $schema=FILE`."""
    from gateway.config_schema import document

    typer.echo(document(), nl=False)


@app.command("default")
def default() -> None:
    """A file with every key at its default and its meaning above it, for one CSMS."""
    from gateway.config_file import load_upstream_argument
    from gateway.config_print import described

    typer.echo(described(load_upstream_argument("ocpp2.0.1=ws://127.0.0.1:9100/ocpp", {})), nl=False)


@app.command("docs")
def docs(
    key: Annotated[
        str, typer.Argument(metavar="[KEY]", help="A key or a section: listen.port, upstreams.url.", show_default=False)
    ] = "",
    output: OutputOption = Output.table,
) -> None:
    """What the keys mean: all of them, or KEY and those below it."""
    from gateway.config_keys import known

    found = known(key)
    if not found:
        fail([f"{key}: no key of the configuration (all of them: ocpp-gateway config docs)"])
    if output is not Output.table:
        return show_data(found, output)
    for each in found:
        typer.echo(f"{each.path}\n    {each.type}; default: {each.default}; {each.variable}\n    {each.text}\n")


@app.command("show")
def show(
    file: File = None,
    redacted: Annotated[bool, typer.Option("--redacted/--secrets", help="Hide secrets, or show them.")] = True,
    origin: Annotated[bool, typer.Option("--origin", help="Say of each value where it came from.")] = False,
) -> None:
    """The configuration that a gateway started here would have: file, environment variables and defaults together.

    With --secrets and without --origin it is a file that reads back to the same.
    """
    from gateway.config_print import shown

    config, root = _load(file)
    typer.echo(shown(config, reveal=not redacted, origin=root if origin else None), nl=False)


@app.command("diff")
def diff(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A configuration file.", show_default=False)],
    other: Annotated[
        Path | None,
        typer.Argument(metavar="[NEW]", help="Another one. Default: what a running gateway has.", show_default=False),
    ] = None,
    output: OutputOption = Output.table,
    server: Server = DEFAULT_SERVER,
) -> None:
    """The keys in which two configurations differ, and which of them need a restart.

    FILE and NEW, or what a running gateway has and FILE. Defaults count as written. Exits with 0 when there is no difference,
    else with 1. Secrets are not shown; of a running gateway only their length is known.
    """
    from gateway.config_print import fixed, flat

    if other is None:
        before: dict[str, str] = ask(server, "GET", "/api/v1/config")["config"]
        after = flat(_load(file)[0])
        differ = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    else:
        old, new = _load(file)[0], _load(other)[0]
        before, after = flat(old), flat(new)
        left, right = flat(old, reveal=True), flat(new, reveal=True)
        differ = {key for key in left.keys() | right.keys() if left.get(key) != right.get(key)}
    keys = [key for key in (*after, *(key for key in before if key not in after)) if key in differ]
    if output is not Output.table:
        show_data(
            [{"key": key, "was": before.get(key), "is": after.get(key), "restart": fixed(key)} for key in keys], output
        )
        keys = []
    for key in keys:
        note = f"  # needs a restart: {why}" if (why := fixed(key)) else ""
        if key in before:
            typer.echo(f"- {key}: {before[key]}")
        if key in after:
            typer.echo(f"+ {key}: {after[key]}{note}")
        elif note:
            typer.echo(note.strip())
    if differ:
        raise typer.Exit(1)


@app.command("reload")
def reload(output: OutputOption = Output.table, server: Server = DEFAULT_SERVER) -> None:
    """Let every process of a running gateway read its configuration again.

    Each tells what it has taken, or why it cannot; then it keeps what it had. Exits with 2 unless all have taken it. Equal digests
    stand for equal configurations: processes read files of their own.
    """
    found = ask(server, "POST", "/api/v1/config/reload", seconds=30, telling=frozenset((422, 504)))
    if output is not Output.table:
        show_data(found, output, "processes")
    else:
        for each in found.get("processes", []):
            changed = f": {', '.join(each['changed'])}" if each["changed"] else ""
            what = f"reloaded{changed}" if each["reloaded"] else "keeps what it had"
            typer.echo(f"{each['name']}  {each['digest']}  {what}")
    if found["errors"]:
        fail(found["errors"])


def _load(file: Path | None) -> tuple[Config, Node]:
    from gateway.config_file import ConfigError, load_traced

    default = Path("gateway.yaml")
    path = file if file is not None else default if default.exists() else None
    try:
        return load_traced(path, os.environ)
    except ConfigError as error:
        fail(error.errors)
