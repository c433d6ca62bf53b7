"""`python -m tests.bench.profile`: where the CPU time of the hot rows goes, by file of this project.

The gateway samples itself (`profiled.py`), with everything where it is in the benchmarks: gateway and store share a core. The
store is a process of its own; its share is that of the scheduler's clocks. Writes profiles.md beside this file, which becomes
a part of docs/performance.md at the next run of the benchmarks.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from .ends import answering, chargers_at
from .gateway import gateway
from .processes import Failed, cpu_ns, is_store, raise_descriptor_limit, tree
from .report import PROFILES

ROWS = {
    "gateway 1.6 -> 1.6": ("ocpp1.6", 0),
    "gateway 1.6 -> 2.0.1": ("ocpp2.0.1", 0),
    "two mirrors, 1.6 -> 1.6": ("ocpp1.6", 2),
}
PROGRAM = (sys.executable, "-m", "tests.bench.profiled")
LARGEST, FUNCTIONS = 3, 8


def profile(name: str, version: str, mirrors: int, chargers: int, seconds: float) -> list[str]:
    """Lines of Markdown. Raises Failed."""
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        file = Path(directory) / "samples"
        os.environ["PROFILE_TO"] = str(file)
        with (
            answering() as csms,
            answering() as mirror,
            gateway(csms.url, version, [mirror.url] * mirrors, program=PROGRAM) as (process, url),
            chargers_at(url, chargers) as load,
        ):
            load.say({"do": "closed", "message": "MeterValues", "seconds": seconds + 1})
            load.hear(20)
            pids = tree(process.popen.pid)
            stores = [pid for pid in pids if is_store(pid)]
            before, store_before = cpu_ns(pids), cpu_ns(stores)
            process.popen.send_signal(signal.SIGUSR1)
            time.sleep(seconds)
            process.popen.send_signal(signal.SIGUSR1)
            store = (cpu_ns(stores) - store_before) / (cpu_ns(pids) - before)
            load.hear(60)
            load.hear(60)
            if not file.exists():
                raise Failed(f"no samples of {name}")
        files: Counter[str] = Counter()
        functions: Counter[str] = Counter()
        for place, function, count in json.loads(file.read_text()):
            files[place] += count
            functions[f"{function} ({place})"] += count
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
