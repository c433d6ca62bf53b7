"""What each further CSMS costs: the same messages through gateways with different numbers of mirrors, in turn."""

from __future__ import annotations

import contextlib
import statistics
import time
from dataclasses import dataclass

from .ends import Csms, answering, chargers_at
from .gateway import gateway
from .plan import Plan
from .processes import Failed, Process, cpu_ns, is_store, tree
from .report import Report, Section

MIRRORS = (0, 1, 2, 4)
DELIVERY_S = 30.0

HEADER = ("mirrors", "CPU us/rt", "of it store", "rt/s", "deliveries/s", "last delivery ms", "CPU to one less")


@dataclass(frozen=True)
class Sample:
    """So many messages, until the last mirror has heard the last of them."""

    cpu_us: float
    """Per round trip of a charger, all deliveries included."""
    store_us: float
    per_s: float
    """Round trips."""
    deliveries: float
    """Per second, to all CSMSs together."""
    behind_ms: float
    """From the last answer at a charger to the last delivery."""


@dataclass
class Target:
    """One gateway, with a load generator of its own."""

    gateway: Process
    load: Process
    csms: list[Csms]

    def measure(self, count: int) -> Sample:
        """Raises Failed when not every CSMS heard every message."""
        wanted = [csms.heard("MeterValues") + count for csms in self.csms]
        pids = tree(self.gateway.popen.pid)
        stores = [pid for pid in pids if is_store(pid)]
        spent, store_spent, began = cpu_ns(pids), cpu_ns(stores), time.perf_counter()
        found = self.load.ask({"do": "fill", "count": count}, 90)
        answered = time.perf_counter()
        if found["errors"] or found["lost"] or found["silent"] or found["sent"] < count:
            raise Failed(f"{found}")
        while late := [c for c, n in zip(self.csms, wanted, strict=True) if c.heard("MeterValues") < n]:
            if time.perf_counter() > answered + DELIVERY_S:
                raise Failed(f"{len(late)} of {len(self.csms)} CSMSs have not heard everything")
            time.sleep(0.005)
        ended = time.perf_counter()
        return Sample(
            (cpu_ns(pids) - spent) / 1000 / count,
            (cpu_ns(stores) - store_spent) / 1000 / count,
            count / found["seconds"],
            count * len(self.csms) / (ended - began),
            (ended - answered) * 1000,
        )


def measure(plan: Plan, report: Report) -> None:
    """Adds the section and its bar."""
    title = f"Mirrors, 1.6 -> 1.6, {plan.chargers} chargers, {plan.mirrored:,} MeterValues, closed loop"
    section = Section(title, HEADER)
    cost = None
    try:
        samples = _samples(plan)
    except Failed as failed:
        section.notes.append(f"missing: {failed}")
    else:
        for at, number in enumerate(MIRRORS):
            ratio = f"{_kept(samples[MIRRORS[at - 1]], samples[number]):.2f}" if at else "-"
            cells = [f"{statistics.median(getattr(s, key) for s in samples[number]):,.0f}" for key in KEYS]
            section.rows.append((str(number), *cells, ratio))
        cost = 100 * (1 - _kept(samples[1], samples[2]))
        section.notes += NOTES
    report.sections.append(section)
    report.at_most("a second mirror: round trips per second that it costs, %", 25, cost)


KEYS = ("cpu_us", "store_us", "per_s", "deliveries", "behind_ms")
NOTES = (
    "CPU time per round trip of a charger, until every mirror has heard every message; both roles in one process",
    "last column: CPU time of the row above divided by this row's, the median of the pairs: the share of the round trips "
    "per second that is left on a core",
    "last delivery: from the last answer at a charger to the last message at the slowest mirror",
)


def _kept(fewer: list[Sample], more: list[Sample]) -> float:
    """The share of round trips per second of CPU that is left with more mirrors."""
    return statistics.median(a.cpu_us / b.cpu_us for a, b in zip(fewer, more, strict=True))


def _samples(plan: Plan) -> dict[int, list[Sample]]:
    with contextlib.ExitStack() as stack:
        csms = [stack.enter_context(answering()) for _ in range(max(MIRRORS) + 1)]
        targets = {}
        for number in MIRRORS:
            heard = csms[: number + 1]
            process, url = stack.enter_context(gateway(heard[0].url, "ocpp1.6", [each.url for each in heard[1:]]))
            load = stack.enter_context(chargers_at(url, plan.chargers))
            targets[number] = Target(process, load, heard)
        samples: dict[int, list[Sample]] = {number: [] for number in MIRRORS}
        for target in targets.values():
            target.measure(max(plan.chargers, plan.mirrored // 10))  # warm-up
        for _ in range(plan.pairs):
            for number, target in targets.items():
                samples[number].append(target.measure(plan.mirrored))
        return samples
