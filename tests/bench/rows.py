"""The measurements: what is started, in which order, and what is made of the samples."""

from __future__ import annotations

import contextlib
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from . import backlog, mirrors, recovery, translation
from .conversations import CONFIGURATION
from .ends import Csms, answering, chargers_at, connect
from .gateway import gateway, split_gateway
from .plan import Plan
from .processes import GATEWAY_CORE, Failed, Process, cpu_ns, is_store, pss_kib, running, tree
from .report import Report, Section

ROWS = (
    *("yardstick", "forward", "translated", "latency", "memory", "translation"),
    *("mirrors", "recovery", "drain", "queued"),
)
VERSIONS = {"forward": "ocpp1.6", "translated": "ocpp2.0.1"}
NAMES = {"forward": "gateway 1.6 -> 1.6", "translated": "gateway 1.6 -> 2.0.1"}
YARDSTICK = "yardstick (websockets asyncio)"


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


class Bench:
    """Runs the rows of a plan; ends every process it started."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.report = Report()

    def run(self, rows: list[str]) -> Report:
        steps: dict[str, Callable[[], None]] = {
            "yardstick": self.yardstick,
            "forward": lambda: self.forwarding("forward", 0.4),
            "translated": lambda: self.forwarding("translated", 0.35),
            "latency": self.latency,
            "memory": self.memory,
            "translation": self.translation,
            "mirrors": lambda: mirrors.measure(self.plan, self.report),
            "recovery": lambda: recovery.measure(self.plan, self.report),
            "drain": lambda: backlog.drain(self.plan, self.report),
            "queued": lambda: backlog.queued(self.plan, self.report),
        }
        for row in ROWS:
            if row in rows:
                print(f"... {row}", file=sys.stderr, flush=True)
                steps[row]()
        return self.report

    # targets

    @contextlib.contextmanager
    def direct(self, csms: Csms, chargers: int) -> Iterator[Target]:
        with chargers_at(csms.url, chargers) as load:
            yield Target("load and CSMS alone", load, csms, [])

    @contextlib.contextmanager
    def bare(self, csms: Csms, chargers: int) -> Iterator[Target]:
        with (
            running(Process.module("proxy", GATEWAY_CORE, csms.url)) as proxy,
            chargers_at(f"ws://127.0.0.1:{proxy.hear(10)['port']}/ocpp", chargers) as load,
        ):
            yield Target(YARDSTICK, load, csms, [proxy])

    @contextlib.contextmanager
    def gateway(self, row: str, csms: Csms, chargers: int) -> Iterator[Target]:
        """Raises Failed when the gateway does not get ready or a charger cannot boot through it."""
        with gateway(csms.url, VERSIONS[row]) as (process, url), chargers_at(url, chargers) as load:
            yield Target(NAMES[row], load, csms, [process])

    # rows

    def yardstick(self) -> None:
        """The yardstick and the load generator without anything between."""
        section = Section("Load generator and yardstick alone, closed loop", FORWARD_HEADER)
        with (
            answering() as csms,
            self.direct(csms, self.plan.chargers) as direct,
            self.bare(csms, self.plan.chargers) as bare,
        ):
            for message in ("MeterValues", "Heartbeat"):
                samples = self._interleaved([direct, bare], message, self.plan.seconds / 2)
                for target in (direct, bare):
                    section.rows.append(_forward_cells(target.name, message, samples[target.name], ""))
                    _note_trouble(section, target.name, samples[target.name])
        section.notes.append("the first row of each message is what load and CSMS can do on their one core")
        self.report.sections.append(section)

    def forwarding(self, row: str, bar: float) -> None:
        """The gateway and the yardstick in turn."""
        section = Section(f"{NAMES[row].capitalize()}, {self.plan.chargers} chargers, closed loop", FORWARD_HEADER)
        ratio = None
        try:
            with (
                answering() as csms,
                self.gateway(row, csms, self.plan.chargers) as gateway,
                self.bare(csms, self.plan.chargers) as bare,
            ):
                for message, seconds in (("MeterValues", self.plan.seconds), ("Heartbeat", self.plan.seconds / 2)):
                    samples = self._interleaved([bare, gateway], message, seconds)
                    ours, theirs = samples[gateway.name], samples[bare.name]
                    paired = statistics.median(
                        b.cpu_us / g.cpu_us if g.cpu_us else 0.0 for g, b in zip(ours, theirs, strict=True)
                    )
                    section.rows.append(_forward_cells(bare.name, message, theirs, "1.00"))
                    section.rows.append(_forward_cells(gateway.name, message, ours, f"{paired:.2f}"))
                    for name in samples:
                        _note_trouble(section, name, samples[name])
                    ratio = paired if message == "MeterValues" else ratio
        except Failed as failed:
            section.notes.append(f"missing: {failed}")
        self.report.sections.append(section)
        self.report.at_least(f"{NAMES[row]}, MeterValues: CPU ratio to the yardstick", bar, ratio)

    def latency(self) -> None:
        """Low load: what stands between a charger and its CSMS when nobody waits."""
        plan = self.plan
        title = f"Low load: {plan.low_rate:g} MeterValues/s over {plan.low_chargers} chargers"
        section = Section(title, ("target", "p50 us", "p99 us", "added p50 us", "CPU us/rt", "of it store"))
        command = {"do": "open", "message": "MeterValues", "rate": plan.low_rate, "seconds": plan.low_seconds}
        for row in ("forward", "translated"):
            added = None
            try:
                with (
                    answering() as csms,
                    self.gateway(row, csms, plan.low_chargers) as gateway,
                    self.direct(csms, plan.low_chargers) as direct,
                    self.bare(csms, plan.low_chargers) as bare,
                ):
                    targets = [direct, bare, gateway]
                    samples: dict[str, list[Sample]] = {target.name: [] for target in targets}
                    for _ in range(plan.repeats):
                        for target in targets:
                            samples[target.name].append(target.measure(command))
            except Failed as failed:
                section.notes.append(f"missing, {NAMES[row]}: {failed}")
            else:
                base = _median(samples[direct.name], "p50_us")
                for name, found in samples.items():
                    p50 = _median(found, "p50_us")
                    cells = [name, f"{p50:.0f}", f"{_median(found, 'p99_us'):.0f}"]
                    cells += ["-", "-", "-"] if name == direct.name else [f"{p50 - base:.0f}", *_cpu_cells(found)]
                    section.rows.append(cells)
                    _note_trouble(section, name, found)
                added = (_median(samples[gateway.name], "p50_us") - base) / 1000
            self.report.at_most(f"{NAMES[row]}: added p50 at low load, ms", 2, added)
        self.report.sections.append(section)

    def memory(self) -> None:
        """PSS per idle charger."""
        section = Section(
            f"Memory per idle charger, {self.plan.idle:,} connections", ("processes", "KiB per charger", "base MiB")
        )
        edge = None
        with answering() as csms:
            with running(Process.module("proxy", GATEWAY_CORE, csms.url)) as proxy:
                url = f"ws://127.0.0.1:{proxy.hear(10)['port']}/ocpp"
                self._grow(section, url, {YARDSTICK: proxy})
            try:
                with gateway(csms.url, "ocpp1.6") as (process, url):
                    self._grow(section, url, {"gateway, both roles, 1.6 -> 1.6": process})
                with gateway(csms.url, "ocpp2.0.1") as (process, url):
                    self._grow(section, url, {"gateway, both roles, 1.6 -> 2.0.1": process})
            except Failed as failed:
                section.notes.append(f"missing, both roles: {failed}")
            try:
                with split_gateway(csms.url, "ocpp1.6") as (edge_process, hub_process, url):
                    grown = self._grow(section, url, {"edge alone": edge_process, "hub alone, 1.6 -> 1.6": hub_process})
                    edge = grown["edge alone"]
            except Failed as failed:
                section.notes.append(f"missing, edge alone: {failed}")
        self.report.sections.append(section)
        self.report.at_most("edge: KiB per idle charger", 12, edge)

    def translation(self) -> None:
        """The pure layer: times of each pair and chain, then what a link keeps."""
        found = {}
        for charger, csms in TRANSLATIONS:
            title = f"Translation {_pair(charger, csms)} in the pure layer"
            section = Section(title, ("message", "CALL us", "min", "round trip us", "min"))
            try:
                found[charger] = translation.measure(charger, csms, self.plan.rounds)
                section.rows += [(name, *(f"{us:.1f}" for us in spent)) for name, spent in found[charger].items()]
                section.notes += TRANSLATION_NOTES
            except translation.Missing as missing:
                section.notes.append(f"missing: {missing}")
            self.report.sections.append(section)
        ours = found.get("ocpp1.6", {})
        for name in ("Heartbeat", "StatusNotification", "StartTransaction", "MeterValues x4"):
            value = ours[name].trip if ours else None
            self.report.at_most(f"translation 1.6 -> 2.0.1, round trip of {name}, median us", 40, value)
        value = ours["MeterValues x10"].call if ours else None
        self.report.at_most("translation 1.6 -> 2.0.1, CALL of MeterValues x10, median us", 40, value)
        self._links()

    def _links(self) -> None:
        """What a link's translator keeps at rest."""
        header = ("charger -> CSMS", "sessions", "state() KiB", "memory KiB")
        section = Section("A link's state at rest", header)
        for charger, csms in TRANSLATIONS:
            name, after_one = _pair(charger, csms), None
            try:
                for sessions in (1, 20):
                    kept = translation.measure_memory(charger, csms, sessions)
                    section.rows.append((name, str(sessions), f"{kept.stored:.1f}", f"{kept.memory:.1f}"))
                    after_one = after_one or kept.memory
            except translation.Missing as missing:
                section.notes.append(f"missing, {name}: {missing}")
            self.report.at_most(f"translation {name}: a link at rest, KiB", 8, after_one)
        section.notes += [
            "after the boot, the tasks that follow it and so many finished sessions; the bar is for one session",
            f"a 1.x charger has {len(CONFIGURATION)} configuration keys, a 2.0.1 charger reports no device model",
            f"memory as tracemalloc counts it, the mean of {translation.LINKS} links",
        ]
        self.report.sections.append(section)

    # samples

    def _interleaved(self, targets: list[Target], message: str, seconds: float) -> dict[str, list[Sample]]:
        samples: dict[str, list[Sample]] = {target.name: [] for target in targets}
        for _ in range(self.plan.repeats):
            for target in targets:
                samples[target.name].append(target.measure({"do": "closed", "message": message, "seconds": seconds}))
        return samples

    def _grow(self, section: Section, url: str, processes: dict[str, Process]) -> dict[str, float]:
        """KiB per charger of each process, the store left out."""
        grown = {}
        with chargers_at(url, self.plan.idle_first, transactions=False) as load:
            before = {name: _pss(process) for name, process in processes.items()}
            connect(load, url, self.plan.idle, transactions=False)
            for name, process in processes.items():
                grown[name] = (_pss(process) - before[name]) / self.plan.idle
                section.rows.append((name, f"{grown[name]:.1f}", f"{before[name] / 1024:.0f}"))
        return grown


FORWARD_HEADER = ("target", "message", "CPU us/rt", "of it store", "rt/s", "p50 ms", "p99 ms", "load core", "ratio")


TRANSLATIONS = (("ocpp1.6", "ocpp2.0.1"), ("ocpp1.5", "ocpp2.0.1"), ("ocpp2.0.1", "ocpp1.6"))
"""(charger, CSMS) of the measured pairs and chains."""

TRANSLATION_NOTES = (
    "CALL: from the source's bytes to the bytes that leave: decode, validate, translate, encode; medians and minima",
    "round trip: the CALL across, the RESULT back and all else the message causes until nobody waits for anything",
)


def _pair(charger: str, csms: str) -> str:
    return f"{charger.removeprefix('ocpp')} -> {csms.removeprefix('ocpp')}"


def _median(samples: list[Sample], name: str) -> float:
    values: list[float] = [getattr(sample, name) for sample in samples]
    return statistics.median(values)


def _cpu_cells(samples: list[Sample]) -> list[str]:
    return [f"{_median(samples, 'cpu_us'):.1f}", f"{_median(samples, 'store_us'):.1f}"]


def _forward_cells(name: str, message: str, samples: list[Sample], ratio: str) -> list[str]:
    cpu = _cpu_cells(samples) if any(sample.cpu_us for sample in samples) else ["-", "-"]
    p50, p99 = (f"{_median(samples, key) / 1000:.1f}" for key in ("p50_us", "p99_us"))
    busy = f"{_median(samples, 'load_share'):.0%}"
    return [name, message, *cpu, f"{_median(samples, 'per_s'):,.0f}", p50, p99, busy, ratio or "-"]


def _note_trouble(section: Section, name: str, samples: list[Sample]) -> None:
    for sample in samples:
        if sample.trouble:
            section.notes.append(f"{name}: {sample.trouble}")


def _pss(process: Process) -> float:
    time.sleep(1.5)  # upstream connections and facts settle
    return pss_kib([pid for pid in tree(process.popen.pid) if not is_store(pid)])
