"""`ocpp-gateway tail`, `trace` and `capture`: live frames, through the operators' port."""

from __future__ import annotations

import math
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.durations import seconds_of
from gateway.cli.options import fail
from gateway.cli.output import Output, StreamOption, show_event
from gateway.cli.server import DEFAULT_SERVER, Server, events, path_of

Charger = Annotated[
    str,
    typer.Argument(
        metavar="CHARGER", help="Identity, or a pattern ('DE-*', 're:...') for several.", show_default=False
    ),
]
Action = Annotated[
    str,
    typer.Option("--action", metavar="ACTION", help="Only exchanges with a CALL of this action, in either version."),
]
Upstream = Annotated[str, typer.Option("--upstream", metavar="NAME", help="Of the CSMSs only this one.")]
For = Annotated[str, typer.Option("--for", metavar="TIME", help="End after so long: 30s, 10m, 2h.")]
Count = Annotated[int, typer.Option("--count", "-n", min=0, help="End after so many frames; 0: never.")]
Raw = Annotated[bool, typer.Option("--raw", help="With secrets and tokens; needs a token with the scope admin.")]


class _Ended(Exception):
    """Enough was seen."""


class _Seen:
    """Counts for the summary."""

    def __init__(self, limit: int, end: float) -> None:
        self.frames = 0
        self.lost = 0
        self.unknown = False
        self.actions: Counter[str] = Counter()
        self.ms: list[int] = []
        self._limit, self._end = limit, end

    def note(self, name: str, data: dict[str, Any]) -> None:
        if name == "gap":
            self.lost += data["lost"] or 0
            self.unknown = self.unknown or data["lost"] is None
        if name == "frame":
            self.frames += 1
            if data["kind"] == "call":
                self.actions[data["action"]] += 1
            if data["ms"] is not None and data["leg"] == "charger":
                self.ms.append(data["ms"])
            if self._limit and self.frames >= self._limit:
                raise _Ended
        if self._end and time.monotonic() >= self._end:
            raise _Ended

    def tell(self) -> None:
        """The summary, on standard error."""
        lost = f", {self.lost}{' or more' if self.unknown else ''} missing" if self.lost or self.unknown else ""
        typer.echo(f"{self.frames} frames{lost}", err=True)
        if self.actions:
            typer.echo("  " + ", ".join(f"{name} {count}" for name, count in self.actions.most_common(8)), err=True)
        if self.ms:
            ordered = sorted(self.ms)
            typer.echo(
                f"  answers to and by chargers within {ordered[len(ordered) // 2]} ms (median), {ordered[-1]} ms (most)",
                err=True,
            )


@contextmanager
def _summary(seen: _Seen, last: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Ends in a summary, after `last`."""
    try:
        with suppress(KeyboardInterrupt, _Ended):
            yield
        last()
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - so that nothing is flushed into the pipe at the end
    seen.tell()


def _stream(
    server: str, charger: str, action: str, upstream: str, raw: bool, seen: _Seen, leg: str = "", since: int = 0
) -> Iterator[tuple[str, dict[str, Any]]]:
    path = path_of(
        "frames", match=charger, action=action, upstream=upstream, raw=raw or None, leg=leg, since=since or None
    )
    for name, data in events(server, path):
        if name == "begin":
            where = f"{len(data['processes'])} processes"
            typer.echo(f"watching {charger} at {where}; end with Ctrl-C", err=True)
            if data["silent"]:
                typer.echo(f"no answer from {', '.join(data['silent'])}: what they see is missing", err=True)
            continue
        if name != "quiet":
            yield name, data
        seen.note(name, data)
    typer.echo("the gateway has ended the stream", err=True)


def tail(
    charger: Charger = "*",
    action: Action = "",
    since: Annotated[
        str,
        typer.Option(
            "--since",
            metavar="TIME",
            help="First what chargers have said since then (30s, 5m), as far as the gateway still has it: about ten seconds, and "
            "whatever a CSMS has not got yet.",
        ),
    ] = "",
    both_sides: Annotated[
        bool,
        typer.Option(
            "--both-sides", "-b", help="Also what the CSMSs are told, each in its version, in a second column."
        ),
    ] = False,
    upstream: Upstream = "",
    duration: For = "",
    count: Count = 0,
    raw: Raw = False,
    output: StreamOption = Output.table,
    server: Server = DEFAULT_SERVER,
) -> None:
    """Live frames, one a line: when, who, what, how long the answer took, what the translation lost. Ctrl-C ends with a summary.

    Secrets are hidden. Frames that come faster than they can be shown are counted and told as a gap.

    Examples: ocpp-gateway tail CP1 --both-sides --since 5m;  ocpp-gateway tail 'DE-*' --action StatusNotification -o ndjson
    """
    seen = _Seen(count, _end(duration))
    try:
        ago = math.ceil(seconds_of(since)) if since else 0
    except ValueError as error:
        fail([f"--since: {error}"])
    width = _width()
    with _summary(seen):
        for name, data in _stream(server, charger, action, upstream, raw, seen, "" if both_sides else "charger", ago):
            if output is Output.table:
                typer.echo(_line(name, data, both_sides, width))
            else:
                show_event({"event": name, **data}, output)


def trace(
    charger: Charger,
    action: Action = "",
    duration: For = "10m",
    count: Count = 0,
    raw: Raw = False,
    output: StreamOption = Output.table,
    server: Server = DEFAULT_SERVER,
) -> None:
    """Whole exchanges of a charger, one after the other: the CALL, what each CSMS was told, what it answered, what the charger
    got, with payloads and losses. Ends by itself after 10 minutes, or --for.

    Example: ocpp-gateway trace CP1 --action StartTransaction --for 30m
    """
    seen = _Seen(count, _end(duration))
    open_exchanges: dict[str, list[dict[str, Any]]] = {}

    def unfinished() -> None:
        for frames in open_exchanges.values():
            _exchange(frames, output)

    with _summary(seen, unfinished):
        for name, data in _stream(server, charger, action, "", raw, seen):
            if name != "frame" or not data["exchange"]:
                if output is Output.table:
                    typer.echo(_line(name, data, False, _width()))
                else:
                    show_event({"event": name, **data}, output)
                continue
            key = f"{data['charger']}/{data['exchange']}"
            frames = open_exchanges.setdefault(key, [])
            frames.append(data)
            first = frames[0]
            if data["kind"] != "call" and data["leg"] == first["leg"] and data["upstream"] == first["upstream"]:
                del open_exchanges[key]
                _exchange(frames, output)
            elif len(open_exchanges) > 1000:
                _exchange(open_exchanges.pop(next(iter(open_exchanges))), output)


def capture(
    charger: Charger = "*",
    file: Annotated[Path | None, typer.Option("--file", "-f", metavar="FILE", help="Default: standard output.")] = None,
    action: Action = "",
    duration: For = "",
    count: Count = 0,
    raw: Raw = False,
    server: Server = DEFAULT_SERVER,
) -> None:
    """Write live frames to a file, both legs, without secrets: for replay, translate, validate, migrate report and bug reports.

    Example: ocpp-gateway capture 'DE-*' --file fleet.jsonl --for 24h
    """
    from datetime import UTC, datetime

    from gateway import __version__
    from gateway.capture import Header, Line, write

    seen = _Seen(count, _end(duration))
    try:
        sink = sys.stdout if file is None else file.open("w")
    except OSError as error:
        fail([f"{file}: cannot be written: {error.strerror}"])
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    print(
        write(Header(made_by=f"ocpp-gateway {__version__}", at=now, match=charger, redacted=not raw)),
        file=sink,
        flush=True,
    )
    with _summary(seen):
        for name, data in _stream(server, charger, action, "", raw, seen):
            if name == "gap":
                now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
                line = Line(now, gap=data["lost"] or 0)
            elif name == "state":
                line = Line(
                    data["at"],
                    data["charger"],
                    data["leg"],
                    data["upstream"],
                    version=data["version"],
                    state=data["note"],
                )
            elif not isinstance(data["frame"], list):
                line = Line(data["at"], data["charger"], data["leg"], data["upstream"], gap=1)
            else:
                said: Any = data["leg"] if data["direction"] == "in" else "gateway"
                line = Line(
                    data["at"], data["charger"], data["leg"], data["upstream"], said, data["version"], data["frame"],
                    data["exchange"], data["losses"], data["ms"],
                )  # fmt: skip
            print(write(line), file=sink, flush=True)
    if file is not None:
        sink.close()
        typer.echo(f"written: {file}", err=True)


def _end(duration: str) -> float:
    if not duration:
        return 0
    try:
        return time.monotonic() + seconds_of(duration)
    except ValueError as error:
        fail([f"--for: {error}"])


def _width() -> int:
    import shutil

    return shutil.get_terminal_size((160, 24)).columns if sys.stdout.isatty() else 240


def _payload(data: dict[str, Any]) -> str:
    import json

    frame = data["frame"]
    if not isinstance(frame, list):
        return str(frame)
    payload = frame[3:] if frame[:1] == [2] else frame[2:]
    return json.dumps(payload[0] if len(payload) == 1 else payload, ensure_ascii=False, separators=(",", ":"))


def _line(name: str, data: dict[str, Any], both: bool, width: int) -> str:
    if name == "gap":
        lost = "an unknown number of" if data["lost"] is None else data["lost"]
        return f"-- gap: {lost} frames are missing here ({data['why']})"
    at = data["at"][11:].rstrip("Z")
    if name == "state":
        who = data["upstream"] or data["charger"]
        return f"{at:<12}  {data['charger']}  -- {who} {data['note']} ({data['version']})"
    arrow = {("charger", "in"): "->", ("charger", "out"): "<-", ("csms", "out"): "->", ("csms", "in"): "<-"}
    sign = arrow[data["leg"], data["direction"]]
    what = data["action"] or "?"
    if data["kind"] != "call":
        what = f"{what} {'ok' if data['kind'] == 'result' else 'ERROR'}"
    ms = f" {data['ms']} ms" if data["ms"] is not None else ""
    lost = (
        f"  [lost: {', '.join(each['field'] + ' ' + each['kind'] for each in data['losses'])}]"
        if data["losses"]
        else ""
    )
    note = f" ({data['note']})" if data["note"] else ""
    where = f"{sign} {data['upstream']} " if data["leg"] == "csms" else f"{sign} "
    indent = " " * 8 if both and data["leg"] == "csms" else ""
    text = f"{at:<12}  {data['charger']}  {indent}{where}{what}{ms}{note}  {_payload(data)}{lost}"
    return text if len(text) <= width else text[: width - 1] + "…"


def _exchange(frames: list[dict[str, Any]], output: Output) -> None:
    first = frames[0]
    if output is not Output.table:
        return show_event({"charger": first["charger"], "exchange": first["exchange"], "frames": frames}, output)
    typer.echo(f"{first['at']}  {first['charger']}  {first['action'] or '?'}  ({first['exchange']})")
    for each in frames:
        who = "charger" if each["leg"] == "charger" else each["upstream"]
        sign = "says" if each["direction"] == "in" else "hears"
        what = each["action"] if each["kind"] == "call" else "answer" if each["kind"] == "result" else "error"
        ms = f" after {each['ms']} ms" if each["ms"] is not None else ""
        typer.echo(f"  {who} {sign} {what}{ms} ({each['version']})  {_payload(each)}")
        for loss in each["losses"]:
            typer.echo(f"      lost on the way: {loss['field']} ({loss['kind']})")
    typer.echo()
