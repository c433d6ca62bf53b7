"""`ocpp-gateway vault`: secrets of single chargers for a CSMS, sealed in the store."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.options import fail
from gateway.cli.output import Output, OutputOption, show, tell
from gateway.cli.stored import ConfigFile, with_journal

if TYPE_CHECKING:
    from gateway.config import Config
    from gateway.journal import Journal
    from gateway.vault import Box

app = typer.Typer(
    no_args_is_help=True,
    help="Secrets with which single chargers are shown to a CSMS (`credentials: vault`), sealed in the store.",
)

UpstreamName = Annotated[str, typer.Argument(metavar="UPSTREAM", help="Name of a CSMS.", show_default=False)]
Id = Annotated[str, typer.Argument(metavar="CHARGER", help="Identity of a charger.", show_default=False)]


@app.command("key")
def key() -> None:
    """Print a new key for `vault.key`."""
    from gateway.vault import new_key

    typer.echo(new_key())


@app.command("set")
def put(upstream: UpstreamName, charger: Id, config: ConfigFile = None, output: OutputOption = Output.table) -> None:
    """Keep the password with which a charger is shown to a CSMS: asked for, or read from standard input."""
    from gateway.registry.file import check_identity

    try:
        check_identity(charger)
    except ValueError as error:
        fail([str(error)])
    if sys.stdin.isatty():
        secret = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        secret = sys.stdin.readline().rstrip("\r\n")
    if not secret:
        fail(["the password is empty"])

    async def work(journal: Journal, _: Config, box: Box) -> None:
        await journal.put_sealed(upstream, {charger: box.seal(upstream, charger, secret)})

    _with_box(config, upstream, work, f"vault set {upstream} {charger}")
    tell(
        {"upstream": upstream, "charger": charger, "kept": True},
        output,
        f"kept: the password of {charger} for {upstream}",
    )


@app.command("remove")
def remove(upstream: UpstreamName, charger: Id, config: ConfigFile = None, output: OutputOption = Output.table) -> None:
    """Forget the password of a charger for a CSMS. A connection that is open stays."""

    async def work(journal: Journal, _: Config, __: Box) -> None:
        if not await journal.put_sealed(upstream, {charger: None}):
            raise ValueError(f"nothing is kept of {charger} for {upstream}")

    _with_box(config, upstream, work, f"vault remove {upstream} {charger}")
    told = f"forgotten: the password of {charger} for {upstream}"
    tell({"upstream": upstream, "charger": charger, "kept": False}, output, told)


@app.command("list")
def list_chargers(upstream: UpstreamName, config: ConfigFile = None, output: OutputOption = Output.table) -> None:
    """The chargers of which a password is kept for a CSMS, and whether the present keys open it: all are opened for that, which the
    audit keeps."""
    from gateway.vault import Sealed

    found: list[dict[str, str]] = []

    async def work(journal: Journal, _: Config, box: Box) -> None:
        for charger, sealed in sorted((await journal.all_sealed(upstream)).items()):
            try:
                box.open(upstream, charger, sealed)
                state = "" if box.newest(sealed) else "previous key"
            except Sealed as error:
                state = str(error)
            found.append({"charger": charger, "trouble": state})

    _with_box(config, upstream, work, f"vault list {upstream}")
    if output is not Output.table:
        return show(found, output)
    for each in found:
        typer.echo(each["charger"] + (f"  ({each['trouble']})" if each["trouble"] else ""))


@app.command("import")
def import_file(
    upstream: UpstreamName,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="YAML: identity -> password.", show_default=False)],
    config: ConfigFile = None,
    output: OutputOption = Output.table,
) -> None:
    """Keep the passwords of all chargers of a file; those of others stay. Delete the file afterwards."""
    import yaml

    from gateway.registry.file import check_identity

    try:
        found = yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    except OSError as error:
        fail([f"{file}: cannot be read: {error.strerror}"])
    except (yaml.YAMLError, UnicodeDecodeError):
        fail([f"{file}: is no YAML"])
    if not isinstance(found, dict) or not all(isinstance(each, str) and each for each in found.values()):
        fail([f"{file}: must be a mapping of identities to passwords"])
    try:
        for charger in found:
            check_identity(charger)
    except ValueError as error:
        fail([f"{file}: {error}"])

    async def work(journal: Journal, _: Config, box: Box) -> None:
        await journal.put_sealed(upstream, {each: box.seal(upstream, each, secret) for each, secret in found.items()})

    _with_box(config, upstream, work, f"vault import {upstream} {file.name}")
    tell({"upstream": upstream, "kept": len(found)}, output, f"kept: {len(found)} passwords for {upstream}")


@app.command("rotate")
def rotate(config: ConfigFile = None, output: OutputOption = Output.table) -> None:
    """Seal everything anew with `vault.key` that is still sealed with `vault.previous_key`. Can be run again."""
    from gateway.vault import Sealed

    async def work(journal: Journal, settings: Config, box: Box) -> None:
        done, bad = 0, []
        for upstream in settings.upstreams:
            for charger, sealed in (await journal.all_sealed(upstream)).items():
                if box.newest(sealed):
                    continue
                try:
                    secret = box.open(upstream, charger, sealed)
                except Sealed as error:
                    bad.append(f"{upstream}: {charger}: {error}")
                    continue
                await journal.put_sealed(upstream, {charger: box.seal(upstream, charger, secret)})
                done += 1
        tell({"sealed_anew": done, "trouble": bad}, output, f"sealed anew: {done}")
        if bad:
            raise ValueError("\n".join(bad[:20]))

    _with_box(config, "", work, "vault rotate")


def _with_box(
    config: Path | None, upstream: str, work: Callable[[Journal, Config, Box], Awaitable[Any]], deed: str = ""
) -> None:
    from gateway.vault import Box

    async def use(journal: Journal, settings: Config) -> None:
        if not settings.vault.key:
            raise ValueError("vault.key is not configured; ocpp-gateway vault key makes one")
        if upstream and upstream not in settings.upstreams:
            raise ValueError(f"no upstream has the name {upstream}")
        if upstream and settings.upstreams[upstream].credentials != "vault":
            typer.echo(
                f"note: upstreams.{upstream}.credentials is not vault: the gateway does not look there", err=True
            )
        await work(journal, settings, Box(settings.vault.key, settings.vault.previous_key))

    with_journal(config, use, deed=deed)
