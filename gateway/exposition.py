"""Prometheus' text format of our own families: some ten times as fast as the library's, whose 60 ms for 3,000 series would hold up
the event loop, as both share the interpreter. What names and labels look like is made once per series."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Protocol


class Plain(Protocol):
    """A series of a counter or gauge."""

    n: float


class Buckets(Protocol):
    """A histogram."""

    bounds: tuple[float, ...]
    counts: list[int]
    total: float


class Heads:
    """The beginnings of the lines of one family."""

    def __init__(self, name: str, kind: str, meaning: str, labels: tuple[str, ...], bounds: tuple[float, ...]) -> None:
        meaning = meaning.replace("\\", "\\\\").replace("\n", "\\n")
        self.title = f"# HELP {name} {meaning}\n# TYPE {name} {kind}\n"
        self._name = name
        self._labels = labels
        self._bounds = [*map(str, bounds), "+Inf"]
        self._made: dict[tuple[str, ...], tuple[str, ...]] = {}

    def plain(self, series: Iterable[tuple[tuple[str, ...], Plain]]) -> str:
        """Counters or gauges."""
        return "".join(f"{self._of(values, ())[0]}{_number(cell.n)}\n" for values, cell in series)

    def histograms(self, series: Iterable[tuple[tuple[str, ...], Buckets]]) -> str:
        """Histograms."""
        lines = []
        for values, cell in series:
            heads = self._of(values, self._bounds)
            total = 0
            for head, count in zip(heads[2:], cell.counts, strict=True):
                total += count
                lines.append(f"{head}{total}\n")
            lines.append(f"{heads[0]}{total}\n{heads[1]}{_number(cell.total)}\n")
        return "".join(lines)

    def _of(self, values: tuple[str, ...], bounds: Iterable[str]) -> tuple[str, ...]:
        """Everything before the number, of each line of a series."""
        made = self._made.get(values)
        if made is None:
            pairs = [f'{name}="{_escaped(value)}"' for name, value in sorted(zip(self._labels, values, strict=True))]
            inside = ",".join(pairs)
            braces = f"{{{inside}}}" if inside else ""
            if bounds:
                comma = "," if inside else ""
                made = (
                    f"{self._name}_count{braces} ",
                    f"{self._name}_sum{braces} ",
                    *(f'{self._name}_bucket{{{inside}{comma}le="{bound}"}} ' for bound in bounds),
                )
            else:
                made = (f"{self._name}{braces} ",)
            self._made[values] = made
        return made


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    if value == math.inf:
        return "+Inf"
    return "NaN" if value != value else repr(float(value))
