"""`python -m tests.bench.profile`: where the CPU time of the hot rows goes, by file of this project, with py-spy.

A sample counts for the innermost frame of the project's own code: what it calls of the library and the kernel is its cost. The
store is a process of its own; its share is that of the scheduler's clocks. Writes profiles.md beside this file, which becomes
a part of docs/performance.md at the next run of the benchmarks.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from .ends import answering, chargers_at
from .gateway import gateway
from .peers import PEERS
from .processes import LOAD_CORE, Failed, cpu_ns, is_store, raise_descriptor_limit, tree
from .report import PROFILES

ROWS = {
    "gateway 1.6 -> 1.6": ("ocpp1.6", 0),
    "gateway 1.6 -> 2.0.1": ("ocpp2.0.1", 0),
    "two mirrors, 1.6 -> 1.6": ("ocpp1.6", 2),
}
SAMPLES_PER_S = 250
OWN = ("gateway/", "translators/")
LOOP = "gateway/app.py"
"""Stands for the loop that it runs."""
LARGEST, FUNCTIONS = 3, 8


def own_frame(stack: str) -> tuple[str, str]:
    """File and function of the innermost frame of ours; ("loop", ...) if there is none. A stack is `f (file:line);g (file:line)`."""
    for frame in reversed(stack.split(";")):
        function, _, place = frame.partition(" (")
        file = place.rpartition(":")[0]
        for own in OWN:
            if (own in file and "site-packages" not in file) and not file.endswith(LOOP):
                return own + file.rpartition(own)[2], function
    return "event loop", "reads sockets, waits, calls"


def by_cost(folded: str) -> tuple[Counter[str], Counter[str]]:
    """Samples per file, and per function, of py-spy's raw output."""
    files: Counter[str] = Counter()
    functions: Counter[str] = Counter()
    for line in folded.splitlines():
        stack, _, count = line.rpartition(" ")
        file, function = own_frame(stack)
        files[file] += int(count)
        functions[f"{function} ({file})"] += int(count)
    return files, functions


def profile(name: str, version: str, mirrors: int, chargers: int, seconds: float) -> list[str]:
    """Lines of Markdown. Raises Failed."""
    program = PEERS / "py-spy" / "bin" / "py-spy"
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        raw = Path(directory) / "raw"
        with (
            answering() as csms,
            answering() as mirror,
            gateway(csms.url, version, [mirror.url] * mirrors) as (process, url),
            chargers_at(url, chargers) as load,
        ):
            load.say({"do": "closed", "message": "MeterValues", "seconds": seconds + 1})
            load.hear(20)
            pids = tree(process.popen.pid)
            stores = [pid for pid in pids if is_store(pid)]
            for pid in stores:  # a gateway that waits for its core would count as busy
                os.sched_setaffinity(pid, {LOAD_CORE})
            before, store_before = cpu_ns(pids), cpu_ns(stores)
            command: list[str | Path] = [
                program,
                "record",
                "--pid",
                str(process.popen.pid),
                "--duration",
                str(round(seconds)),
            ]
            command += ["--rate", str(SAMPLES_PER_S), "--format", "raw", "--output", raw, "--nonblocking"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60)
            store = (cpu_ns(stores) - store_before) / (cpu_ns(pids) - before)
            if done.returncode or not raw.exists():
                raise Failed(f"py-spy: {done.stderr.strip()[-300:]}")
            load.hear(60)
            load.hear(60)
        files, functions = by_cost(raw.read_text())
    total = sum(files.values()) / (1 - store)
    costs = Counter({"the store": store, **{file: count / total for file, count in files.items()}})
    largest = ", ".join(f"{what} {share:.0%}" for what, share in costs.most_common(LARGEST))
    lines = [f"### {name}", "", f"The three largest costs: {largest}.", "", "| function | share |", "| --- | ---: |"]
    lines += [f"| {function} | {count / total:.1%} |" for function, count in functions.most_common(FUNCTIONS)]
    return [*lines, ""]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.profile", description=__doc__)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--chargers", type=int, default=200)
    parser.add_argument("--output", type=Path, default=PROFILES)
    options = parser.parse_args()
    raise_descriptor_limit()
    lines = [
        "## Profiles",
        "",
        f"Of {time.strftime('%Y-%m-%d', time.gmtime())}, by `make bench-profile`: the share of the CPU time of gateway",
    ]
    lines += ["and store. A cost is a file of the project, with what it calls of libraries and the kernel.", ""]
    try:
        for name, (version, mirrors) in ROWS.items():
            found = profile(name, version, mirrors, options.chargers, options.seconds)
            print("\n".join(found), flush=True)
            lines += found
    except Failed as failed:
        print(f"the profile failed: {failed}", file=sys.stderr)
        return 1
    options.output.write_text("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
