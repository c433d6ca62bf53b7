"""`ocpp-gateway dlq`: messages that an upstream was not given, for a person to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.options import fail
from gateway.cli.output import Output, OutputOption, show_table, tell
from gateway.cli.output import show as show_data
from gateway.cli.stored import ConfigFile, with_journal

if TYPE_CHECKING:
    from gateway.config import Config
    from gateway.journal import Journal, Letter
    from gateway.journal.letters import Unreadable

app = typer.Typer(
    no_args_is_help=True, help="Dead letters: messages a CSMS was not given. List, show, queue again, discard."
)

PREVIEW = 60
"""Characters of a payload in a list."""
PAGE = 500

Upstream = Annotated[str, typer.Argument(metavar="UPSTREAM", help="Name of a CSMS.", show_default=False)]
Count = Annotated[int, typer.Option("--count", "-n", min=1, help="At most so many.")]
After = Annotated[str, typer.Option("--after", metavar="ID", help="Go on after this one.")]
Ids = Annotated[list[str] | None, typer.Argument(metavar="ID...", help="Ids as listed.", show_default=False)]


@app.command("list")
def list_letters(
    upstream: Annotated[
        str | None,
        typer.Argument(metavar="UPSTREAM", help="Name of a CSMS. Without: how many each has.", show_default=False),
    ] = None,
    count: Count = 50,
    after: After = "",
    config: ConfigFile = None,
    output: OutputOption = Output.table,
) -> None:
    """The dead letters of an upstream, the oldest first. Secrets and tokens in payloads are hidden."""
    if upstream is None:
        return _counts(config, output)
    name = upstream

    async def read(journal: Journal, _: Config) -> list[Letter]:
        return await journal.letters(name, after=after, count=count)

    letters = with_journal(config, read)
    if output is not Output.table:
        return show_data([_plain(each) for each in letters], output)
    rows = []
    for each in letters:
        told = _plain(each)
        why = f"{told['why']} ({told['attempts']} attempts)" if told["attempts"] else told["why"]
        preview = _text(told["payload"])
        preview = preview if len(preview) <= PREVIEW else preview[: PREVIEW - 1] + "…"
        rows.append([told["id"], told["put_aside_at"], told["charger"], told["action"], why, preview])
    show_table(["ID", "PUT ASIDE", "CHARGER", "ACTION", "WHY", "PAYLOAD"], rows)
    if len(letters) == count:
        typer.echo(f"more: --after {letters[-1].id}", err=True)


@app.command("show")
def show(
    upstream: Upstream,
    id: Annotated[str, typer.Argument(metavar="ID", help="Id as listed.", show_default=False)],
    config: ConfigFile = None,
    output: OutputOption = Output.table,
) -> None:
    """One dead letter. Secrets and tokens in its payload are hidden."""

    async def read(journal: Journal, _: Config) -> Letter | None:
        return await journal.letter(upstream, id)

    letter = with_journal(config, read)
    if letter is None:
        fail([f"{upstream} has no dead letter {id}"])
    told = _plain(letter)
    if output is not Output.table:
        return show_data(told, output)
    for key, value in told.items():
        typer.echo(f"{key:<13} {value if isinstance(value, str | int) else _text(value)}")


@app.command("requeue")
def requeue(
    upstream: Upstream,
    ids: Ids = None,
    every: Annotated[bool, typer.Option("--all", help="All that there are now.")] = False,
    config: ConfigFile = None,
    output: OutputOption = Output.table,
) -> None:
    """Give dead letters to that upstream again, in the order in which each charger sent them.

    No other upstream gets them. They go ahead of what the upstream has not got yet.
    """
    _chosen(ids, every)

    async def work(journal: Journal, settings: Config) -> int:
        if upstream not in settings.upstreams:
            raise ValueError(f"{upstream} is not in the configuration: nobody would deliver them")
        return await journal.requeue(upstream, ids or await _all(journal, upstream))

    done = with_journal(config, work, deed=f"dlq requeue {upstream} {_named(ids)}")
    tell({"upstream": upstream, "requeued": done}, output, f"{done} queued again for {upstream}")


@app.command("discard")
def discard(
    upstream: Upstream,
    ids: Ids = None,
    every: Annotated[bool, typer.Option("--all", help="All that there are now.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    config: ConfigFile = None,
    output: OutputOption = Output.table,
) -> None:
    """Delete dead letters for good: that CSMS will never know what they said."""
    _chosen(ids, every)
    if every and not yes:
        typer.confirm(f"Delete all dead letters of {upstream}?", abort=True, err=True)

    async def work(journal: Journal, _: Config) -> int:
        return await journal.discard(upstream, ids or await _all(journal, upstream))

    done = with_journal(config, work, deed=f"dlq discard {upstream} {_named(ids)}")
    tell({"upstream": upstream, "discarded": done}, output, f"{done} discarded")


@app.command("quarantined")
def quarantined(
    id: Annotated[
        str | None,
        typer.Argument(metavar="ID", help="Print this frame as it came, tokens and all.", show_default=False),
    ] = None,
    count: Count = 50,
    after: After = "",
    config: ConfigFile = None,
    output: OutputOption = Output.table,
) -> None:
    """Billing frames that could not be read, the oldest first: no CSMS was given them, the charger was told so. A bill may have
    to be corrected by hand."""
    if id is not None:
        return _unreadable(id, config)

    async def read(journal: Journal, _: Config) -> list[Unreadable]:
        return await journal.quarantined(after=after, count=count)

    from gateway.edge.reactions import REACTIONS
    from translators.values import format_time

    frames = with_journal(config, read)
    told = []
    for each in frames:
        reaction = REACTIONS.get(each.version, {}).get(each.row[:3])
        told.append(
            {
                "id": each.id,
                "received_at": format_time(each.at),
                "charger": each.charger,
                "version": each.version,
                "row": each.row,
                "why": "" if reaction is None else reaction.title,
                "bytes": len(each.frame),
            }
        )
    if output is not Output.table:
        return show_data(told, output)
    show_table(
        ["ID", "RECEIVED", "CHARGER", "VERSION", "ROW", "WHY", "BYTES"], [list(map(str, x.values())) for x in told]
    )
    if len(frames) == count:
        typer.echo(f"more: --after {frames[-1].id}", err=True)


def _unreadable(id: str, config: Any) -> None:
    import sys

    async def read(journal: Journal, _: Config) -> Unreadable | None:
        return await journal.unreadable(id)

    frame = with_journal(config, read)
    if frame is None:
        fail([f"there is no quarantined frame {id}"])
    sys.stdout.buffer.write(frame.frame + b"\n")


def _counts(config: Any, output: Output) -> None:
    async def read(journal: Journal, settings: Config) -> dict[str, int]:
        counts = dict.fromkeys(settings.upstreams, 0)
        for number in range(settings.redis.partitions):
            for name, count in (await journal.letter_counts(number)).items():
                counts[name] = counts.get(name, 0) + count
        return counts

    counts = with_journal(config, read)
    if output is not Output.table:
        return show_data(counts, output)
    show_table(["UPSTREAM", "DEAD LETTERS"], [[name, str(count)] for name, count in sorted(counts.items())])


def _chosen(ids: list[str] | None, every: bool) -> None:
    if bool(ids) == every:
        fail(["give the ids of dead letters, or --all"])


def _named(ids: list[str] | None) -> str:
    """For the audit."""
    return " ".join(ids[:20]) if ids else "--all"


async def _all(journal: Journal, upstream: str) -> list[str]:
    found: list[str] = []
    while page := await journal.letters(upstream, after=found[-1] if found else "", count=PAGE):
        found += [each.id for each in page]
    return found


def _plain(letter: Letter) -> dict[str, Any]:
    """What is shown of a dead letter."""
    import msgspec

    from gateway.redact import redact
    from translators.values import format_time

    head = letter.entry.head
    try:
        payload: Any = msgspec.json.decode(letter.entry.frame, type=list[Any])[3]
    except (msgspec.MsgspecError, IndexError):
        payload = None
    return {
        "id": letter.id,
        "put_aside_at": format_time(letter.at),
        "charger": head.charger,
        "action": head.action,
        "why": letter.why,
        "attempts": letter.attempts,
        "received_at": format_time(head.received_at),
        "entry": letter.entry.id,
        "version": head.version,
        "trace": letter.trace,
        "payload": redact(payload, head.action),
    }


def _text(payload: Any) -> str:
    import msgspec

    return msgspec.json.encode(payload).decode()
