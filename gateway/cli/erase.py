"""`ocpp-gateway erase`: a person's token in the store."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.options import fail
from gateway.cli.output import Output, OutputOption, tell
from gateway.cli.stored import ConfigFile, with_journal

if TYPE_CHECKING:
    from gateway.config import Config
    from gateway.journal import Journal
    from gateway.journal.erasing import Erased


def erase(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say where the token is.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    config: ConfigFile = None,
    output: OutputOption = Output.table,
) -> None:
    """Delete the dead letters and quarantined frames with a person's token (idTag, idToken) for good; asks for the token, or
    reads it from standard input.

    What a CSMS is still to be told stays until it has been told, and what is known of open transactions and for outages goes with
    these: both are counted.
    """
    if sys.stdin.isatty():
        token = typer.prompt("Token", hide_input=True, err=True)
    else:
        token = sys.stdin.readline().rstrip("\r\n")
    if not token:
        fail(["the token is empty"])
    if not dry_run and not yes:
        if not sys.stdin.isatty():
            fail(["give --yes with a token from standard input"])
        typer.confirm("Delete what has this token? A CSMS that was not given it will never be", abort=True, err=True)

    async def work(journal: Journal, _: Config) -> Erased:
        return await journal.erase(token, dry=dry_run)

    found = with_journal(config, work, deed="" if dry_run else "erase")
    word = "found" if dry_run else "erased"
    told = [f"{word}: {found.dead_letters} dead letters, {found.quarantined} quarantined frames"]
    if found.undelivered:
        told.append(f"still to be delivered: {found.undelivered} messages")
    if found.chargers:
        told.append(
            f"part of what is known of: {', '.join(found.chargers[:20])}{' ...' if found.chargers[20:] else ''}"
        )
    tell(found, output, *told)
