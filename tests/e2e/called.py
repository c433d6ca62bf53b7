"""`ocpp-gateway` that counts which functions of what serves watchers are called, into the file that CALLED_FILE names.

Run by a test in the place of the program; see `counting`."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

WATCHING = ("gateway/tap.py", "gateway/edge/seeing.py", "gateway/hub/watching.py", "gateway/admin/frames.py")
"""All that exists only for those who watch."""
ENDS = {"gateway/tap.py expire"}
"""Looks now and then whether a watch is over, also when there is none."""
WRITE_SECONDS = 0.05


def counting(directory: Path) -> Path:
    """A program for `Gateway.command`; what it counts is read by `calls`."""
    program = directory / "counted"
    root = Path(__file__).parents[2]
    program.write_text(f'#!/bin/sh\nexport PYTHONPATH="{root}"\nexec "{sys.executable}" -m tests.e2e.called "$@"\n')
    program.chmod(0o755)
    return program


def calls(file: Path) -> Counter[str]:
    """File and function -> how often it was called, in all the life of that process; what is older than a moment is in it."""
    time.sleep(4 * WRITE_SECONDS)
    return Counter(json.loads(file.read_text()))


def _main() -> None:
    found: Counter[str] = Counter()
    names: dict[CodeType, str] = {}

    def name_of(code: CodeType) -> str:
        for file in WATCHING:
            if code.co_filename.endswith(file) and code.co_name not in ("<module>", "<listcomp>", "<lambda>"):
                return f"{file} {code.co_name}"
        return ""

    def look(frame: FrameType, event: str, _: Any) -> None:
        if event != "call":
            return
        name = names.get(frame.f_code)
        if name is None:
            name = names[frame.f_code] = name_of(frame.f_code)
        if name and name not in ENDS:
            found[name] += 1

    def write() -> None:
        file = Path(os.environ["CALLED_FILE"] + f".{os.getpid()}")
        while True:
            new = file.with_name(f"{file.name}.new")
            new.write_text(json.dumps(found.copy()))  # it grows meanwhile
            new.replace(file)
            time.sleep(WRITE_SECONDS)

    threading.Thread(target=write, daemon=True).start()
    from gateway.__main__ import main

    sys.setprofile(look)
    main()


if __name__ == "__main__":
    _main()
