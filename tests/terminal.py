"""A command on a terminal, as a person has it."""

from __future__ import annotations

import os
import subprocess
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path


def on_terminal(
    command: Sequence[str],
    typed: str = "",
    *,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    seconds: float = 60,
) -> tuple[int, str]:
    """Exit code, and everything that the terminal got. `typed`: what the person answers, when it is asked."""
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (40, 120))
    process = subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=cwd,
        env={**os.environ, "TERM": "xterm", **(environment or {})},
        start_new_session=True,
    )
    os.close(theirs)
    try:
        os.write(ours, typed.encode())
        shown = b""
        while True:
            try:
                text = os.read(ours, 65536)
            except OSError:  # Linux tells the end of the last writer so
                break
            if not text:
                break
            shown += text
        return process.wait(seconds), shown.decode()
    finally:
        process.kill()
        process.wait()
        os.close(ours)
