"""Whether a command said what a page shows: the same words in the same order; figures, times and ids may differ."""

from __future__ import annotations

import re

_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_FIGURE = re.compile(rf"{_UUID}|\btok:[0-9a-f]+|\d[\d.:TZ+]*(?:-\d\d[\d.:TZ+-]*)?")
_ANY = rf"{_UUID}|tok:[0-9a-f]+|\d[\w.:+-]*"


def _line(text: str) -> str:
    """`...` stands for any text."""
    parts = []
    for part in re.split(r"\.\.\.|…", " ".join(text.split())):
        pieces, last = [], 0
        for figure in _FIGURE.finditer(part):
            pieces += [re.escape(part[last : figure.start()]), f"(?:{_ANY})"]
            last = figure.end()
        parts.append("".join([*pieces, re.escape(part[last:])]))
    return ".*?".join(parts)


def pattern(shown: list[str]) -> re.Pattern[str]:
    """Of lines as a page shows them; one of `...` alone stands for any lines."""
    text = ""
    for line in shown:
        text += r"(?:.*\n)*?" if line.strip() in ("...", "…") else _line(line) + r" ?\n"
    return re.compile(text)


def plain(said: str) -> str:
    """Output without what a page does not show: colours, the width of columns, empty lines at the end."""
    said = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said)
    lines = [" ".join(line.split()) for line in said.splitlines()]
    return "\n".join(lines).strip("\n") + "\n"
