"""`python -m tests.bench`: measures, prints tables and bars, and writes docs/performance.md after a complete run."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path

from .plan import FULL, QUICK, Plan
from .processes import ROOT, Failed, raise_descriptor_limit
from .rows import ROWS, Bench


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="half a second per figure: shows that it works, not how fast"
    )
    parser.add_argument("--full", action="store_true", help="more and longer repeats: about half an hour")
    parser.add_argument("--rows", default=",".join(ROWS), help="comma-separated choice of: " + ", ".join(ROWS))
    parser.add_argument(
        "--output", type=Path, help="where to write the Markdown (default: docs/performance.md, complete runs only)"
    )
    options = parser.parse_args(argv)
    rows = options.rows.split(",")
    if unknown := set(rows) - set(ROWS):
        parser.error(f"unknown rows: {', '.join(sorted(unknown))}")
    if (os.cpu_count() or 1) < 2:
        parser.error("two cores are needed: one for what is measured, one for the load")
    plan = QUICK if options.quick else FULL if options.full else Plan()
    if (limit := raise_descriptor_limit()) < (wanted := 2 * max(plan.idle + plan.idle_first, plan.storm) + 500):
        print(f"descriptor limit {limit} is low, {wanted} are wanted: memory and storm may fail", file=sys.stderr)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds, so that every child is ended
    try:
        began = time.monotonic()
        report = Bench(plan).run(rows)
        print(f"... {time.monotonic() - began:.0f} s", file=sys.stderr)
    except Failed as failed:
        print(f"the measurement itself failed: {failed}", file=sys.stderr)
        return 1
    print(report.verdict())
    output = options.output
    if output is None and not options.quick and set(rows) == set(ROWS):
        output = ROOT / "docs" / "performance.md"
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(report.markdown(plan.name))
    return 0


if __name__ == "__main__":
    sys.exit(main())
