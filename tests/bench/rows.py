"""The measurements: what is started, in which order, and what is made of the samples."""

from __future__ import annotations

import contextlib
import statistics
import sys
from collections.abc import Callable, Iterator

from . import backlog, connecting, ladder, memory, mirrors, recovery, store, translation
from .conversations import CONFIGURATION
from .ends import Csms, answering, chargers_at
from .gateway import gateway
from .peers import YARDSTICK
from .plan import Plan
from .processes import GATEWAY_CORE, Failed, Process, running
from .report import Report, Section
from .target import Sample, Target
from .target import median as _median
from .translation import Beside, Spent

ROWS = (
    *("yardstick", "peers", "forward", "translated", "latency", "storm", "tls", "start", "memory"),
    *("translation", "store", "mirrors", "recovery", "drain", "queued"),
)
VERSIONS = {"forward": "ocpp1.6", "translated": "ocpp2.0.1"}
NAMES = {"forward": "gateway 1.6 -> 1.6", "translated": "gateway 1.6 -> 2.0.1"}


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
            "peers": lambda: ladder.measure(self.plan, self.report),
            "storm": lambda: connecting.storm(self.plan, self.report),
            "tls": lambda: connecting.tls(self.plan, self.report),
            "start": lambda: connecting.starts(self.plan, self.report),
            "memory": lambda: memory.measure(self.plan, self.report),
            "translation": self.translation,
            "store": lambda: store.measure(self.plan, self.report),
            "mirrors": lambda: mirrors.measure(self.plan, self.report),
            "recovery": lambda: recovery.measure(self.plan, self.report),
            "drain": lambda: backlog.drain(self.plan, self.report),
            "queued": lambda: backlog.queued(self.plan, self.report),
        }
        for row in ROWS:
            if row in rows:
                print(f"... {row}", file=sys.stderr, flush=True)
                shown = len(self.report.sections)
                steps[row]()
                print(self.report.text(shown), flush=True)
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
        """Open loop: what stands between a charger and its CSMS at a fixed rate."""
        for rate in self.plan.rates:
            self._latency(rate)

    def _latency(self, rate: float) -> None:
        plan = self.plan
        title = f"Open loop: {rate:,g} MeterValues/s over {plan.chargers} chargers"
        section = Section(title, ("target", "p50 us", "p99 us", "added p50 us", "CPU us/rt", "of it store"))
        command = {"do": "open", "message": "MeterValues", "rate": rate, "seconds": plan.low_seconds}
        for row in ("forward", "translated"):
            added = least = None
            try:
                with (
                    answering() as csms,
                    self.gateway(row, csms, plan.chargers) as gateway,
                    self.direct(csms, plan.chargers) as direct,
                    self.bare(csms, plan.chargers) as bare,
                    ladder.floor(ladder.SCRIPTED, csms, plan.chargers) as floor,
                ):
                    targets = [direct, bare, floor, gateway]
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
                added, least = ((_median(samples[name], "p50_us") - base) / 1000 for name in (gateway.name, floor.name))
            most = 0.4 if rate >= 1000 else 2
            self.report.at_most(f"{NAMES[row]}: added p50 at {rate:,g} messages/s, ms", most, added, least)
        self.report.sections.append(section)

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
        self._beside_floor(ours)
        value = ours["MeterValues x10"].call if ours else None
        self.report.at_most("translation 1.6 -> 2.0.1, CALL of MeterValues x10, median us", 40, value)
        self._links()

    def _beside_floor(self, ours: dict[str, Spent]) -> None:
        """The busy messages, beside what the same costs by hand."""
        header = ("message", "in a session us", "repeated us", "floor us", "above it us")
        section = Section("Translation 1.6 -> 2.0.1 beside its floor: the least of a CALL", header)
        beside: dict[str, Beside] = {}
        try:
            beside = translation.beside_floor(LEAST_CALLS, self.plan.rounds)
            for name, each in beside.items():
                least = f"{ours[name].call_least:.1f}" if name in ours else "-"
                us = (each.repeated, each.floor, each.repeated - each.floor)
                section.rows.append((name, least, *(f"{value:.1f}" for value in us)))
            section.notes += FLOOR_NOTES
        except translation.Missing as missing:
            section.notes.append(f"missing: {missing}")
        self.report.sections.append(section)
        for name, most in LEAST_CALLS.items():
            what = f"translation 1.6 -> 2.0.1, CALL of {name}, repeated, least us"
            repeated, by_hand = beside.get(name) or (None, None)
            self.report.at_most(what, most, repeated, by_hand)

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


FORWARD_HEADER = ("target", "message", "CPU us/rt", "of it store", "rt/s", "p50 ms", "p99 ms", "load core", "ratio")


TRANSLATIONS = (("ocpp1.6", "ocpp2.0.1"), ("ocpp1.5", "ocpp2.0.1"), ("ocpp2.0.1", "ocpp1.6"))
"""(charger, CSMS) of the measured pairs and chains."""

LEAST_CALLS = {"StartTransaction": 5, "MeterValues x1": 6, "MeterValues x10": 15, "StopTransaction": 8}
"""Bars of the pure layer, us."""

FLOOR_NOTES = (
    f"repeated: {translation.REPEATED} links translate the same message one after the other, as a hub does that has the same"
    " of many chargers; in a session: every message between the others, as in the tables above",
    "floor, repeated in the same run: decoded and validated by the same models, mapped by hand as this very message needs it,"
    " encoded; no repair, no repetition recognised, no losses, nothing remembered but the transaction's id and next number",
)

TRANSLATION_NOTES = (
    "CALL: from the source's bytes to the bytes that leave: decode, validate, translate, encode; medians and minima",
    "round trip: the CALL across, the RESULT back and all else the message causes until nobody waits for anything",
)


def _pair(charger: str, csms: str) -> str:
    return f"{charger.removeprefix('ocpp')} -> {csms.removeprefix('ocpp')}"


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
