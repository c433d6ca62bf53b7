"""Captures as commands read them: files and standard input, in this gateway's format or another tool's."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from gateway.capture import BadCapture, Line, numbered, version_of
from gateway.cli.options import fail


def lines_of(files: list[Path], version: str = "", charger: str = "") -> Iterator[Line]:
    """The lines of captures; `-` is standard input. Prints what is wrong, and exits with 2."""
    return (line for file in files for _, line in numbered_of(file, version, charger))


def numbered_of(
    file: Path, version: str = "", charger: str = "", given: list[str] | None = None
) -> Iterator[tuple[int, Line]]:
    """The lines of one, each with its number. `given`: its text, if it has been read. Exits as above.

    Where a recording of another tool does not say: the charger is called like the file, and the version is that of the
    handshake in `<name>.meta.jsonl` beside it.
    """
    try:
        if str(file) == "-":
            yield from numbered(sys.stdin if given is None else given, charger=charger or "CP1", version=version)
            return
        meta = file.with_name(file.name.removesuffix(".jsonl") + ".meta.jsonl")
        known = version or (version_of(meta.read_text("utf-8").splitlines()) if meta.is_file() else "")
        with file.open(encoding="utf-8") as source:
            yield from numbered(source, charger=charger or file.name.split(".")[0], version=known)
    except BadCapture as bad:
        fail([f"{file}: {bad}"])
    except (OSError, UnicodeDecodeError) as error:
        fail([f"{file}: cannot be read: {getattr(error, 'strerror', None) or error}"])


def by_charger(lines: Iterator[Line]) -> dict[str, list[Line]]:
    """The frames of the chargers' own leg, by charger, in order."""
    found: dict[str, list[Line]] = {}
    for line in lines:
        if line.leg == "charger" and line.frame is not None:
            found.setdefault(line.charger, []).append(line)
    return found
