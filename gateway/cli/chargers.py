"""`ocpp-gateway chargers`: the registry of chargers in the store."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.options import OcppVersion, fail
from gateway.cli.output import Output, OutputOption, show_table, tell
from gateway.cli.output import show as show_data
from gateway.cli.stored import ConfigFile, with_journal

if TYPE_CHECKING:
    from gateway.config import Config
    from gateway.journal import Journal
    from gateway.registry import Charger

app = typer.Typer(
    no_args_is_help=True,
    help="Who is there and who was (ls, show, watch, kick, forget); and the registry of chargers in the store "
    "(`registry.source: redis`): who may connect, and with which password.",
)

GENERATED = 20
"""Characters of a generated password: an AuthorizationKey of 1.6 has 16 to 20, a BasicAuthPassword of 2.x at least 16."""
PORTION = 200
"""Chargers that an import stores at once."""

Id = Annotated[str, typer.Argument(metavar="CHARGER", help="Identity of a charger.", show_default=False)]
Generate = Annotated[bool, typer.Option("--generate", help="Make a password, and print it once.")]


@app.command("add")
def add(
    charger: Id,
    password: Annotated[
        bool, typer.Option("--password", help="Ask for a password (or read it from standard input).")
    ] = False,
    generate: Generate = False,
    serial: Annotated[str, typer.Option("--serial", help="Serial number, for client certificates and boots.")] = "",
    group: Annotated[str, typer.Option("--group", help="Group, for `routes[].groups`.")] = "",
    route: Annotated[str, typer.Option("--route", help="Name of the route, before all others.")] = "",
    version: Annotated[
        list[OcppVersion] | None, typer.Option("--version", help="OCPP version that it may speak (again for more).")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="A certification run: tolerate nothing that it does wrong.")
    ] = False,
    quirks: Annotated[
        str, typer.Option("--quirks", metavar="PROFILE", help="Quirk profile, whatever it says of itself.")
    ] = "",
    config: ConfigFile = None,
    output: OutputOption = Output.table,
) -> None:
    """Register a charger, or give a registered one other settings; its password stays unless another one is given."""
    from gateway.registry import Charger
    from gateway.registry.file import check_identity
    from gateway.registry.named import unknown

    try:
        check_identity(charger)
    except ValueError as error:
        fail([str(error)])
    secret = _secret(ask=password, generate=generate)

    async def work(journal: Journal, settings: Config) -> Charger:
        old = (await journal.registered([charger]))[charger.casefold()]
        stored = secret or (old.password if old is not None else "")
        made = Charger(
            charger, stored, serial, group, route, tuple(each.value for each in version or ()),
            blocked=old is not None and old.blocked, strict=strict, quirks=quirks,
            next=old.next if old is not None and not secret else "",
        )  # fmt: skip
        if wrong := unknown(made, settings):
            raise ValueError(wrong)
        await journal.register({charger: made})
        return made

    tell(_plain(_with_registry(config, work, f"add {charger}")), output, f"{charger} is registered")


@app.command("remove")
def remove(charger: Id, config: ConfigFile = None, output: OutputOption = Output.table) -> None:
    """Forget a charger, and the security profile it had. If it is connected it is disconnected within a second."""

    async def work(journal: Journal, _: Config) -> None:
        await _known(journal, charger)
        await journal.register({charger: None})
        await journal.forget_profile(charger, journal.partition(charger))

    _with_registry(config, work, f"remove {charger}")
    tell({"id": charger, "registered": False}, output, f"{charger} is not registered any more")


@app.command("block")
def block(charger: Id, config: ConfigFile = None, output: OutputOption = Output.table) -> None:
    """Refuse a charger (403) without forgetting it. If it is connected it is disconnected within a second."""
    tell(_change(charger, config, "block", blocked=True), output, f"{charger} is blocked")


@app.command("unblock")
def unblock(charger: Id, config: ConfigFile = None, output: OutputOption = Output.table) -> None:
    """Let a blocked charger in again."""
    tell(_change(charger, config, "unblock", blocked=False), output, f"{charger} may come in again")


@app.command("set-password")
def set_password(
    charger: Id, generate: Generate = False, config: ConfigFile = None, output: OutputOption = Output.table
) -> None:
    """Give a charger another password: asked for, or read from standard input. The old one does not work any more; a connected
    charger stays.

    A password that is no text is written hex:0A1B..; the hex digits of an AuthorizationKey (OCPP 1.6) mean its bytes.
    """
    secret = _secret(ask=not generate, generate=generate)
    changed = _change(charger, config, "set-password", password=secret, next="")
    tell(changed, output, f"{charger} has another password")


@app.command("forget-password")
def forget_password(charger: Id, config: ConfigFile = None, output: OutputOption = Output.table) -> None:
    """Of a charger in a file (`registry.source: file`): forget the password that its CSMS has given it since. The one in the
    file counts again."""
    from gateway.journal.chargers import GIVEN

    async def work(journal: Journal, _: Config) -> None:
        await journal.register({charger: None}, GIVEN)

    _with_registry(config, work, f"forget-password {charger}", always=True)
    tell({"id": charger}, output, f"of {charger} the password in the file counts")


@app.command("allow-downgrade")
def allow_downgrade(charger: Id, config: ConfigFile = None, output: OutputOption = Output.table) -> None:
    """Let a charger come with a lower security profile than before, from now on."""

    async def work(journal: Journal, _: Config) -> None:
        await journal.forget_profile(charger, journal.partition(charger))

    _with_registry(config, work, f"allow-downgrade {charger}", always=True)
    tell({"id": charger, "security_profile": 0}, output, f"{charger} may come with any security profile")


@app.command("hash")
def hash_password(generate: Generate = False) -> None:
    """Print the hash of a password, for `password_hash` in a file of chargers. Asks for it, or reads standard input."""
    typer.echo(_secret(ask=not generate, generate=generate))


@app.command("list")
def list_chargers(
    group: Annotated[str, typer.Option("--group", help="Only those of this group.")] = "",
    config: ConfigFile = None,
    output: OutputOption = Output.table,
) -> None:
    """The registered chargers, without their passwords."""

    async def read(journal: Journal, _: Config) -> list[Charger]:
        return (await journal.all_registered())[0]

    found = [each for each in _with_registry(config, read) if not group or each.group == group]
    plain = [_plain(each) for each in sorted(found, key=lambda each: each.id.casefold())]
    if output is not Output.table:
        return show_data(plain, output)
    rows = [
        [each["id"], *("yes" if each[key] else "" for key in ("password", "blocked")),
         *(each[key] for key in ("serial", "group", "route")), " ".join(each["versions"])]
        for each in plain
    ]  # fmt: skip
    show_table(["CHARGER", "PASSWORD", "BLOCKED", "SERIAL", "GROUP", "ROUTE", "VERSIONS"], rows)


@app.command("import")
def import_file(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="YAML, CSV, or one identity a line.", show_default=False)
    ],
    replace: Annotated[bool, typer.Option("--replace", help="Remove the chargers that are not in the file.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    config: ConfigFile = None,
    output: OutputOption = Output.table,
) -> None:
    """Register all chargers of a file. Passwords in plain text are hashed, 20 ms each; a charger without one keeps the one it
    has. What was interrupted can be run again."""
    from gateway.registry.file import BadFile, charger_of, rows
    from gateway.registry.named import unknown

    chargers: dict[str, dict[str, Any]] = {}
    placed: list[tuple[str, Charger]] = []
    errors = []
    try:
        for where, row in rows(file):
            try:
                found = charger_of(row)
            except ValueError as error:
                errors.append(f"{where}: {error}")
                continue
            if found.id.casefold() in chargers:
                errors.append(f"{where}: {found.id} is there twice")
            chargers[found.id.casefold()] = dict(row)
            placed.append((where, found))
    except OSError as error:
        fail([f"{file}: cannot be read: {error.strerror}"])
    except BadFile as bad:
        fail(bad.errors)
    if errors:
        fail(errors[:20])
    if replace and not yes:
        typer.confirm(f"Remove all chargers but the {len(chargers)} of {file}?", abort=True, err=True)

    async def work(journal: Journal, settings: Config) -> int:
        if wrong := [f"{where}: {why}" for where, each in placed if (why := unknown(each, settings))]:
            raise ValueError("\n".join(wrong[:20]))
        return await _import(journal, list(chargers.values()), replace=replace)

    removed = _with_registry(config, work, f"import {file.name}" + (" --replace" if replace else ""))
    told = f"imported: {len(chargers)} chargers" + (f", removed: {removed}" if replace else "")
    tell({"imported": len(chargers), "removed": removed}, output, told)


async def _import(journal: Journal, rows: list[dict[str, Any]], *, replace: bool) -> int:
    """Stores the chargers; how many others were removed."""
    import asyncio
    import os
    from concurrent.futures import ThreadPoolExecutor
    from functools import partial

    from msgspec import structs

    from gateway.cli.progress import portions
    from gateway.registry.file import charger_of

    loop = asyncio.get_running_loop()
    done: set[str] = set()
    parts = [rows[start : start + PORTION] for start in range(0, len(rows), PORTION)]
    with ThreadPoolExecutor(os.cpu_count() or 1) as threads:
        for portion in portions(parts, "chargers", lambda: f"{len(done)} of {len(rows)} chargers"):
            make = partial(charger_of, hashed=True)
            chargers = await asyncio.gather(*(loop.run_in_executor(threads, make, row) for row in portion))
            old = await journal.registered([each.id for each in chargers])
            changes: dict[str, Charger | None] = {}
            for charger in chargers:
                before = old[charger.id.casefold()]
                keeps = before is not None and not charger.password
                changes[charger.id] = (
                    structs.replace(charger, password=before.password, next=before.next)
                    if before and keeps
                    else charger
                )
                done.add(charger.id.casefold())
            await journal.register(changes)
    if not replace:
        return 0
    others = [each.id for each in (await journal.all_registered())[0] if each.id.casefold() not in done]
    await journal.register(dict.fromkeys(others))
    return len(others)


def _with_registry(
    config: Path | None,
    work: Callable[[Journal, Config], Awaitable[Any]],
    deed: str = "",
    *,
    always: bool = False,
) -> Any:
    """`deed`: the command, for the audit; "": it changes nothing."""

    async def use(journal: Journal, settings: Config) -> Any:
        source = settings.registry.source
        if source != "redis" and not always:
            typer.echo(f"note: registry.source is {source}: the gateway does not look at these chargers", err=True)
        return await work(journal, settings)

    return with_journal(config, use, deed=deed and f"chargers {deed}")


def _change(charger: str, config: Path | None, deed: str, **changes: Any) -> dict[str, Any]:
    """What is shown of the changed charger."""
    from msgspec import structs

    async def work(journal: Journal, _: Config) -> Charger:
        made = structs.replace(await _known(journal, charger), **changes)
        await journal.register({charger: made})
        return made

    return _plain(_with_registry(config, work, f"{deed} {charger}"))


async def _known(journal: Journal, charger: str) -> Charger:
    found = (await journal.registered([charger]))[charger.casefold()]
    if found is None:
        raise ValueError(f"{charger} is not registered")
    return found


def _secret(*, ask: bool, generate: bool) -> str:
    """The hash of a password; "" if none is wanted. Never an argument: everybody on the machine could read it."""
    import secrets
    import string

    from gateway import passwords

    if generate:
        letters = string.ascii_letters + string.digits
        text = "".join(secrets.choice(letters) for _ in range(GENERATED))
        typer.echo(f"password: {text}", err=True)
    elif not ask:
        return ""
    elif sys.stdin.isatty():
        text = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        text = sys.stdin.readline().rstrip("\r\n")
    if not text:
        fail(["the password is empty"])
    try:
        return passwords.digest(passwords.of_text(text))
    except ValueError:
        fail(["after hex: come pairs of hex digits"])


def _plain(charger: Charger) -> dict[str, Any]:
    shown = {field: getattr(charger, field) for field in charger.__struct_fields__ if field != "next"}
    return shown | {"password": bool(charger.password), "versions": list(charger.versions)}
