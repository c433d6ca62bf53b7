"""How far a command is that takes its time, on standard error: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import typer

T = TypeVar("T")

LINE_SECONDS = 5.0
"""Between two lines: none at all for what is done sooner."""


def portions(all_of_them: Sequence[T], what: str, told: Callable[[], str]) -> Iterator[T]:
    """The portions of some work, one after the other. `what` names them beside the bar; `told` says, after each, what is done."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import track

        yield from track(all_of_them, what, console=Console(stderr=True), transient=True)
        return
    last = time.monotonic()
    for each in all_of_them:
        yield each
        if time.monotonic() - last >= LINE_SECONDS:
            last = time.monotonic()
            typer.echo(told(), err=True)
