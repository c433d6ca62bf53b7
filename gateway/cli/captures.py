"""`ocpp-gateway replay`, `validate` and `migrate report`: what can be done with captures, without a gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.options import OcppVersion, fail
from gateway.cli.output import Output, OutputOption, show, show_table

Files = Annotated[
    list[Path], typer.Argument(metavar="FILE...", help="Captures; - is standard input.", show_default=False)
]
Version = Annotated[
    OcppVersion | None,
    typer.Option("--version", help="OCPP version of the chargers, where the file does not say.", show_default=False),
]

migrate = typer.Typer(no_args_is_help=True, help="What moving a fleet to a CSMS of another OCPP version would mean.")


def replay(
    files: Files,
    to: Annotated[
        str,
        typer.Option("--to", metavar="URL", help="ws://host:port/path; the identity is appended.", show_default=False),
    ],
    speed: Annotated[
        str, typer.Option("--speed", metavar="10x", help="How much faster than recorded; 0: without any pause.")
    ] = "1x",
    charger: Annotated[str, typer.Option("--charger", metavar="CHARGER", help="Only this charger.")] = "",
    prefix: Annotated[str, typer.Option("--prefix", metavar="TEXT", help="Before every identity.")] = "",
    version: Version = None,
    output: OutputOption = Output.table,
) -> None:
    """Play the chargers of a capture again: each connects and says what it said. Ids of transactions are those of this time;
    commands are answered as recorded. The password for all is in OCPPGW_REPLAY_PASSWORD. Exit code 1: something went wrong.

    Example: ocpp-gateway replay fleet.jsonl --to ws://127.0.0.1:9000/ocpp --speed 10x
    """
    import asyncio
    import os

    from gateway.cli.recordings import by_charger, lines_of
    from gateway.cli.replaying import Replay

    if not to.startswith(("ws://", "wss://")):
        fail(["--to: ws:// or wss:// is needed"])
    try:
        factor = float(speed.rstrip("x"))
        if not 0 <= factor <= 10_000:
            raise ValueError
    except ValueError:
        fail([f"--speed: {speed} is no speed; write 1x, 10x or 0"])
    chargers = by_charger(lines_of(files, version.value if version else ""))
    if charger:
        chargers = {name: lines for name, lines in chargers.items() if name.casefold() == charger.casefold()}
    if not chargers:
        fail(["nothing to replay: no charger says anything there"])
    played = asyncio.run(
        Replay(to, factor, prefix=prefix, password=os.environ.get("OCPPGW_REPLAY_PASSWORD", "")).run(chargers)
    )
    if output is not Output.table:
        show(played, output)
    else:
        typer.echo(
            f"{played.chargers} chargers, {played.calls} CALLs, {played.answered} answered (median {played.median_ms} ms), "
            f"{played.different} with another status than recorded"
        )
        for each in played.errors:
            typer.echo(each, err=True)
    if played.errors:
        raise typer.Exit(1)


def validate(
    files: Files,
    version: Version = None,
    output: OutputOption = Output.table,
) -> None:
    """Whether the frames of captures, or of files with one frame a line, are as OCPP wants: every error with file, line, action
    and the JSON path of the member. Exit code 1 if one is not.

    Example: echo '[2,"1","Heartbeat",{}]' | ocpp-gateway validate --version ocpp1.6 -
    """
    from gateway.cli.validating import wrong

    found: list[dict[str, Any]] = []
    frames = 0
    for file in files:
        count, errors = wrong(file, version.value if version else "")
        frames += count
        found += errors
    if output is not Output.table:
        show({"frames": frames, "errors": found}, output, "errors")
    else:
        for each in found:
            who = ": ".join(filter(None, (each["charger"], each["action"], each["error"])))
            typer.echo(f"{each['file']}:{each['line']}: {who}")
        typer.echo(f"{frames} frames, {len(found)} errors", err=True)
    if found:
        raise typer.Exit(1)


@migrate.command("report")
def report(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE...]", help="Captures; without: live traffic, see --for.")
    ] = None,
    to: Annotated[OcppVersion, typer.Option("--to", help="OCPP version of the new CSMS.", show_default=False)] = ...,  # type: ignore[assignment]
    version: Version = None,
    duration: Annotated[str, typer.Option("--for", metavar="TIME", help="How long to watch live traffic.")] = "10m",
    match: Annotated[
        str, typer.Option("--match", metavar="PATTERN", help="Of live traffic only these chargers.")
    ] = "*",
    output: OutputOption = Output.table,
    server: Annotated[
        str, typer.Option("--server", metavar="URL", envvar="OCPPGW_SERVER", help="For live traffic.")
    ] = "http://127.0.0.1:9001",
) -> None:
    """What a fleet would lose behind a CSMS of another OCPP version: per vendor and model, per message and member, with counts.

    The captured frames are translated for a CSMS that agrees with everything. A day of `capture` tells more than ten minutes.

    Examples: ocpp-gateway migrate report --to ocpp2.0.1 fleet.jsonl;  ocpp-gateway migrate report --to ocpp2.0.1 --for 1h
    """
    from gateway.cli.migrating import report as made
    from gateway.cli.recordings import by_charger, lines_of

    if files:
        chargers, kinds = by_charger(lines_of(files, version.value if version else "")), {}
    else:
        from gateway.cli.live import kinds_of, watched

        chargers = by_charger(watched(server, match, duration))
        kinds = kinds_of(server)
    found = made(chargers, to.value, kinds)
    if output is not Output.table:
        return show(found, output, "kinds")
    typer.echo(
        f"{found.chargers} chargers, {found.messages} messages, {found.exact} of them without loss towards {to.value}"
    )
    if found.begun_before:
        typer.echo(f"{found.begun_before} more are left out: their transactions were not heard to begin")
    for kind in found.kinds:
        typer.echo()
        name = f"{kind.vendor} {kind.model}".strip() or "Vendor and model not known, as no BootNotification was seen"
        typer.echo(
            f"{name} ({kind.version}): {kind.chargers} chargers, {kind.messages} messages, {kind.exact} without loss"
        )
        if kind.losses:
            rows = [[each.action, each.field, each.kind, str(each.count), each.note] for each in kind.losses]
            show_table(["  MESSAGE", "MEMBER", "WHAT", "COUNT", "WHY"], [["  " + row[0], *row[1:]] for row in rows])
        for each in kind.refused:
            typer.echo(f"  refused: {each.action}: {each.why} ({each.count})")
        if kind.commands:
            typer.echo(
                "  commands of the present CSMS: "
                + ", ".join(f"{name} {count}" for name, count in kind.commands.items())
            )
