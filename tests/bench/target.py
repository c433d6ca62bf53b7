"""What is measured between chargers and CSMS, and one measurement of it."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any

from .ends import Csms
from .processes import Process, cpu_ns, is_store, tree


@dataclass(frozen=True)
class Sample:
    """One measurement of one target."""

    per_s: float
    p50_us: float
    p99_us: float
    cpu_us: float
    store_us: float
    load_share: float
    """How busy load and CSMS kept their core, 0 to 1."""
    trouble: str


def median(samples: list[Sample], name: str) -> float:
    """Of one field."""
    values: list[float] = [getattr(sample, name) for sample in samples]
    return statistics.median(values)


@dataclass
class Target:
    """Something between chargers and CSMS (or nothing: no roots), with a load generator of its own."""

    name: str
    load: Process
    csms: Csms
    roots: list[Process]

    def measure(self, command: dict[str, Any]) -> Sample:
        seconds = command["seconds"]
        heard = self.csms.heard()
        self.load.say(command)
        self.load.hear(10)
        pids = [pid for root in self.roots for pid in tree(root.popen.pid)]
        stores = [pid for pid in pids if is_store(pid)]
        ends = [self.load.popen.pid, self.csms.process.popen.pid]
        before, store_before, ends_before = cpu_ns(pids), cpu_ns(stores), cpu_ns(ends)
        self.load.hear(seconds + 20)
        spent, store_spent, ends_spent = (
            cpu_ns(pids) - before,
            cpu_ns(stores) - store_before,
            cpu_ns(ends) - ends_before,
        )
        found = self.load.hear(30)
        heard = self.csms.heard() - heard
        count = found["count"] or 1
        trouble = [f"{number}x {text}" for text, number in found["errors"].items()]
        trouble += [
            f"{found[key]} chargers {text}" for key, text in (("lost", "lost"), ("silent", "unanswered")) if found[key]
        ]
        if heard < found["count"]:
            trouble.append(f"the CSMS heard {heard} of {found['count']} messages, the others were answered before it")
        return Sample(
            found["per_s"],
            found["p50_us"],
            found["p99_us"],
            spent / 1000 / count,
            store_spent / 1000 / count,
            ends_spent / 1e9 / seconds,
            "; ".join(trouble),
        )
