"""Live frames as lines of a capture, for commands that otherwise read files."""

from __future__ import annotations

import time
from collections.abc import Iterator

import typer

from gateway.capture import Line
from gateway.cli.durations import seconds_of
from gateway.cli.options import fail
from gateway.cli.server import ask, events, path_of

PAGE = 1000


def watched(server: str, match: str, duration: str) -> Iterator[Line]:
    """What chargers say and hear for some time; Ctrl-C ends it sooner."""
    try:
        end = time.monotonic() + seconds_of(duration)
    except ValueError as error:
        fail([f"--for: {error}"])
    typer.echo(f"watching {match} for {duration}; Ctrl-C ends it", err=True)
    lost = 0
    try:
        for name, data in events(server, path_of("frames", match=match, leg="charger")):
            if name == "gap":
                lost += data["lost"] or 0
            if name == "frame" and isinstance(data["frame"], list):
                source = "charger" if data["direction"] == "in" else "gateway"
                yield Line(data["at"], data["charger"], "charger", "", source, data["version"], data["frame"])  # type: ignore[arg-type]
            if time.monotonic() > end:
                break
    except KeyboardInterrupt:
        pass
    if lost:
        typer.echo(f"{lost} frames were too fast to be seen: the counts are lower than the truth", err=True)


def kinds_of(server: str) -> dict[str, tuple[str, str]]:
    """Charger -> vendor and model, of all that have ever booted."""
    found: dict[str, tuple[str, str]] = {}
    cursor = ""
    while True:
        page = ask(server, "GET", path_of("chargers", limit=PAGE, cursor=cursor))
        found |= {each["id"]: (each["vendor"], each["model"]) for each in page["chargers"]}
        if not (cursor := page["next"]):
            return found
