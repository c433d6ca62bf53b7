"""`ocpp-gateway upstreams`: what the store keeps for each CSMS, and forgetting one that is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.options import fail
from gateway.cli.output import Output, OutputOption, show_table, tell
from gateway.cli.output import show as show_data
from gateway.cli.stored import ConfigFile, with_journal

if TYPE_CHECKING:
    from gateway.config import Config
    from gateway.journal import Journal

app = typer.Typer(
    no_args_is_help=True, help="The CSMSs: how they are, pause, reconnect, test; what the store keeps for each."
)


@app.command("list")
def list_upstreams(config: ConfigFile = None, output: OutputOption = Output.table) -> None:
    """The upstreams of the configuration, and groups in the store that have none any more (orphans)."""

    async def read(journal: Journal, settings: Config) -> dict[str, dict[str, Any]]:
        from gateway.journal import SESSION

        found: dict[str, dict[str, Any]] = {name: _nothing(orphan=False) for name in settings.upstreams}
        for number in range(settings.redis.partitions):
            groups = [name for name in await journal.groups(number) if name != SESSION]
            for name, lag in (await journal.lag(number, groups)).items():
                each = found.setdefault(name, _nothing(orphan=True))
                each["pending"] += lag.waiting
                each["oldest_seconds"] = max(each["oldest_seconds"], lag.age_ms // 1000)
            for (name, _), size in (await journal.parked(number)).items():
                found.setdefault(name, _nothing(orphan=True))["parked_bytes"] += size
            for name, count in (await journal.letter_counts(number)).items():
                if count:
                    found.setdefault(name, _nothing(orphan=True))["dead_letters"] += count
        return found

    found = with_journal(config, read)
    if output is not Output.table:
        return show_data(found, output)
    rows = [
        [
            name,
            "orphan" if each["orphan"] else "configured",
            *(str(each[key]) for key in ("pending", "oldest_seconds", "parked_bytes", "dead_letters")),
        ]
        for name, each in sorted(found.items())
    ]
    show_table(["UPSTREAM", "STATE", "PENDING", "OLDEST (S)", "PARKED (B)", "DEAD LETTERS"], rows)


@app.command("remove")
def remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the CSMS.", show_default=False)],
    dead_letters: Annotated[bool, typer.Option("--dead-letters", help="Its dead letters, too.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    config: ConfigFile = None,
    output: OutputOption = Output.table,
) -> None:
    """Forget what waits for an upstream that is in no configuration any more: until then its messages stay in the store.

    Take it out of the configuration of every process first.
    """

    async def work(journal: Journal, settings: Config) -> dict[str, int]:
        if name in settings.upstreams:
            raise ValueError(f"{name} is in the configuration: take it out there first, in every process")
        return await journal.remove_upstream(name, dead_letters=dead_letters)

    if not yes:
        typer.confirm(f"Delete everything that waits for {name}?", abort=True, err=True)
    removed = with_journal(config, work, deed=f"upstreams remove {name}")
    if not any(removed.values()):
        fail([f"the store knows no upstream {name}"])
    letters = f", {removed['dead_letters']} dead letters" if dead_letters else ""
    told = [f"removed: groups on {removed['groups']} partitions, {removed['parked']} parked chargers{letters}"]
    if removed["dead_letters"] and not dead_letters:
        told.append(f"kept: {removed['dead_letters']} dead letters (ocpp-gateway dlq list {name})")
    tell({"upstream": name, **removed, "dead_letters_kept": not dead_letters}, output, *told)


def _nothing(*, orphan: bool) -> dict[str, Any]:
    return {"orphan": orphan, "pending": 0, "oldest_seconds": 0, "parked_bytes": 0, "dead_letters": 0}
