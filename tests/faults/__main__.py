"""Runs the fault tests: `python -m tests.faults [pytest arguments]`. Most of their time they wait for leases and time-outs, so
five pytests run side by side, each with its part; without arguments all tests, else those that the arguments select."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
PARTS = (
    ["test_smoke.py"],
    ["test_durability.py", "test_matrix.py"],
    ["test_conversation.py", "test_bounds.py"],
    ["test_delivery.py"],
    ["test_ownership.py"],
)


def main(arguments: list[str]) -> int:
    command = [sys.executable, "-m", "pytest", "-n", "0", "-m", "faults", "-p", "no:cacheprovider"]
    if arguments:
        return subprocess.call([*command, *arguments])
    began = time.monotonic()
    running = [
        subprocess.Popen(
            [*command, *(str(HERE / name) for name in part)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for part in PARTS
    ]
    failed = 0
    for part, process in zip(PARTS, running, strict=True):
        output, _ = process.communicate()
        print(f"== {', '.join(part)}\n{output}", flush=True)
        failed = failed or process.returncode
    print(f"{time.monotonic() - began:.0f} s")
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
