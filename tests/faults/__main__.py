"""Runs the fault tests: `python -m tests.faults [pytest arguments]`. Most of their time they wait for leases and time-outs, so
six pytests run side by side, each with its part; without arguments all tests, else those that the arguments select.

`--failed`: those that failed when all were run last, one after the other.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FAILED = ROOT / ".pytest_cache" / "faults-failed"
PARTS = (
    ["test_smoke.py"],
    ["test_durability.py", "test_matrix.py"],
    ["test_conversation.py", "test_bounds.py"],
    ["test_delivery.py"],
    ["test_ownership.py"],
    ["test_worst.py", "test_handover.py"],
)


def main(arguments: list[str]) -> int:
    command = [sys.executable, "-m", "pytest", "-n", "0", "-m", "faults and not soak", "-p", "no:cacheprovider"]
    if arguments == ["--failed"]:
        arguments = FAILED.read_text().splitlines() if FAILED.exists() else []
        if not arguments:
            print("nothing failed by name")
            return 1
    if arguments:
        return subprocess.call([*command, *arguments], cwd=ROOT)
    began = time.monotonic()
    running = [
        subprocess.Popen(
            [*command, *(str(HERE / name) for name in part)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
        )
        for part in PARTS
    ]
    failed, names = 0, []
    for part, process in zip(PARTS, running, strict=True):
        output, _ = process.communicate()
        print(f"== {', '.join(part)}\n{output}", flush=True)
        failed = failed or process.returncode
        names += re.findall(r"(?m)^(?:FAILED|ERROR) (\S+::.+?)(?: - |$)", output)
    FAILED.parent.mkdir(exist_ok=True)
    FAILED.write_text("\n".join(names))
    print(f"{time.monotonic() - began:.0f} s")
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
