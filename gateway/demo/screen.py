"""Two columns: left the charger in OCPP 1.6, right the CSMS in OCPP 2.0.1, and below a line what the translation lost."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.live import Live
from rich.text import Text

from gateway.demo.pairing import Row
from gateway.demo.summary import Summary
from gateway.demo.tap import Seen
from gateway.demo.words import NO_BREAK, describe

NARROWEST, WIDEST = 60, 132
"""Limits of the width, columns."""
CLOCK = 6
"""Columns of the time, with the space after it."""
LINES = 3
"""A message takes at most so many lines."""

# Colours of the 256-colour palette with contrast enough on black and on white.
UP = "color(32)"
DOWN = "color(133)"
LOSS = "color(166)"
FAINT = "color(244)"
GOOD = "bold color(28)"
BAD = "bold color(160)"


@dataclass(frozen=True)
class Signs:
    """What stands between the columns; the second set needs ASCII only."""

    up: str = "──▶"
    down: str = "◀──"
    lost: str = "╰"
    rule: str = "─"
    dot: str = "·"
    ellipsis: str = "…"
    minus: str = "−"
    times: str = "×"


ASCII = Signs("-->", "<--", "`", "-", "-", "~", "-", "x")


def columns(width: int) -> tuple[int, int]:
    """Widths of the left and the right cell."""
    room = width - CLOCK - 5
    return room // 2, room - room // 2


def cell(seen: Seen | None, note: str, width: int, signs: Signs) -> list[Text]:
    """A frame, or the note in its place, wrapped to the width. A CALL is bold, its members are not."""
    if seen is None:
        return [Text(_cut(note, width, signs), style=FAINT)]
    words = describe(seen)
    head = seen.action if seen.kind == "call" else ""
    lines = textwrap.wrap(f"{head} {words}".strip() or "ok", width, subsequent_indent="  ", break_on_hyphens=False)
    if len(lines) > LINES:
        lines = [*lines[: LINES - 1], lines[LINES - 1][: width - 1] + signs.ellipsis]
    style = BAD if seen.kind == "error" else "" if head or words else FAINT
    texts = [Text(line.replace(NO_BREAK, " "), style=style) for line in lines]
    if head:
        texts[0].stylize("bold", 0, len(head))
    return texts


def _cut(text: str, width: int, signs: Signs) -> str:
    return text if len(text) <= width else text[: width - 1] + signs.ellipsis


def note(row: Row, demo: str) -> str:
    """What stands where a frame has no counterpart."""
    seen = row.seen[0]
    if seen.charger != demo:
        return f"({seen.charger})"
    if row.left is None:
        if not row.up:
            return "(not for the charger)" if row.call else "(for the gateway)"
        return "(the gateway's own)" if row.call else "(the gateway answers)"
    if row.up:
        return "(not for the CSMS)" if row.call else "(for the gateway)"
    if row.call:
        return f"(more of {row.cause})" if row.cause else "(the gateway asks)"
    return "(the gateway answers)"


def lines_of(row: Row, since: float, width: int, demo: str, signs: Signs) -> Iterator[Text]:
    """A row of the display; no line is wider than `width`."""
    left_width, right_width = columns(width)
    gap = note(row, demo)
    left = cell(row.left, gap, left_width, signs)
    right = cell(row.right, gap, right_width, signs)
    arrow = Text(signs.up if row.up else signs.down, style=UP if row.up else DOWN)
    clock = f"{row.opened - since:5.2f}"[: CLOCK - 1].rstrip(".").ljust(CLOCK) if row.call else " " * CLOCK
    for number in range(max(len(left), len(right))):
        line = Text(clock if number == 0 else " " * CLOCK, style="")
        line.stylize(FAINT)
        mine = left[number] if number < len(left) else Text()
        mine.pad_right(left_width - mine.cell_len)
        line.append_text(mine)
        line.append(" ")
        line.append_text(arrow if number == 0 else Text("   "))
        line.append(" ")
        if number < len(right):
            line.append_text(right[number])
        line.rstrip()
        yield line
    if row.losses:
        told = ", ".join(f"{field} {kind}" for field, kind in row.losses)
        indent = CLOCK + (left_width + 5 if row.up else 0)
        room = right_width if row.up else left_width
        for number, text in enumerate(textwrap.wrap(told, room - 2, break_on_hyphens=False)):
            yield Text(" " * indent + (f"{signs.lost} " if number == 0 else "  ") + text, style=LOSS)


class Screen:
    """Rows go up the terminal one by one; on a terminal the last line tells what goes on now."""

    def __init__(self, *, plain: bool, demo: str) -> None:
        self.console = Console(highlight=False, soft_wrap=True)
        terminal = self.console.is_terminal
        self.width = max(min(self.console.width, WIDEST), NARROWEST) if terminal else 100
        self.plain = plain or not terminal or self.console.is_dumb_terminal
        if self.plain:
            self.console = Console(highlight=False, soft_wrap=True, color_system=None, force_terminal=False)
        self.signs = Signs() if self.console.encoding.startswith("utf") else ASCII
        self.demo = demo
        self.since = 0.0
        self._live: Live | None = None

    def __enter__(self) -> Screen:
        if not self.plain:
            self._live = Live(console=self.console, transient=True, auto_refresh=False)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def line(self, text: str | Text = "", style: str = "") -> None:
        self.console.print(Text(text, style=style) if isinstance(text, str) else text, crop=False)

    def now(self, text: str) -> None:
        """The last line of a terminal; nothing elsewhere."""
        if self._live is not None:
            self._live.update(Text(_cut(text, self.width, self.signs), style=FAINT), refresh=True)

    def heading(self, title: str) -> None:
        """Names a session and its columns."""
        left, _ = columns(self.width)
        rule = self.signs.rule
        self.line()
        self.line(Text(f"{rule * 2} {title} ".ljust(self.width, rule), style="bold"))
        names = Text(
            " " * CLOCK + f"{self.demo} {self.signs.dot} OCPP 1.6".ljust(left + 5) + f"CSMS {self.signs.dot} OCPP 2.0.1"
        )
        names.stylize("bold")
        self.line(names)

    def row(self, row: Row) -> None:
        for line in lines_of(row, self.since, self.width, self.demo, self.signs):
            self.line(line)

    def summary(self, summary: Summary, title: str, faults: list[str]) -> None:
        """One screen about one session."""
        self.line()
        self.line(Text(f"{self.signs.rule * 2} {title} ".ljust(self.width, self.signs.rule), style="bold"))
        for name, lines in summary_lines(summary, self.signs):
            for text in lines:
                style = LOSS if name == "Losses" else ""
                for part in textwrap.wrap(text, self.width - 15, subsequent_indent=" " * 9, break_on_hyphens=False):
                    line = Text(f"  {name:<13}", style="bold").append_text(
                        Text(part.replace(NO_BREAK, " "), style=style)
                    )
                    self.line(line)
                    name = ""
        for fault in faults:
            self.line(f"  FAILED       {fault}", BAD)
        if not faults:
            self.line("  The same energy on both sides, one transaction, every event in order, no error.", GOOD)


def summary_lines(summary: Summary, signs: Signs) -> Iterator[tuple[str, list[str]]]:
    """(name, lines)."""
    yield (
        "Energy",
        [
            f"{side:<8} {_kwh(energy.wh)}   {_wh(energy.last)} {signs.minus} {_wh(energy.first)} Wh   {source}"
            for side, energy, source in (
                ("charger", summary.charger_energy(), f"meterStop {signs.minus} meterStart"),
                ("CSMS", summary.csms_energy(), f"register of Ended {signs.minus} register of Started"),
            )
        ],
    )
    number, uuid = summary.transaction()
    yield (
        "Transaction",
        [f"charger  {number or '?'}", f"CSMS     {uuid or '?'}, seqNo 0 to {len(summary.sequence()) - 1}"],
    )
    yield (
        "Messages",
        [
            f"charger  said {summary.calls('charger', said=True):>2} CALLs, heard {summary.calls('charger', said=False):>2}",
            f"CSMS     heard {summary.calls('csms', said=False):>2} CALLs, said {summary.calls('csms', said=True):>2}",
        ],
    )
    times = [
        f"{name}  p50 {_ms(values.quantile(0.5))}  p99 {_ms(values.quantile(0.99))}  of {len(values.values)} CALLs{what}"
        for name, values, what in (
            ("charger to CSMS", summary.latencies(up=True), " after the boot"),
            ("CSMS to charger", summary.latencies(up=False), ""),
        )
        if values.values
    ]
    if times:
        yield "Latency", times
    if summary.translation is not None:
        yield (
            "Translation",
            [
                f"p50 {_ms(summary.translation.quantile(0.5))}  p99 {_ms(summary.translation.quantile(0.99))}"
                f"  of {summary.translation.count:.0f} steps since the start, without journal and sockets"
            ],
        )
    if summary.losses:
        yield (
            "Losses",
            [
                f"{kind:<8} "
                + ", ".join(
                    f"{field}{NO_BREAK}{signs.times}{n}" for (field, k), n in summary.losses.most_common() if k == kind
                )
                for kind in sorted({kind for _, kind in summary.losses})
            ],
        )


def _kwh(wh: float | None) -> str:
    return "    ?    " if wh is None else f"{wh / 1000:.3f} kWh"


def _wh(wh: float | None) -> str:
    return "?" if wh is None else f"{wh:g}" if wh < 1e6 else f"{wh:.0f}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms"
