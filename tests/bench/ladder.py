"""The gateway beside what others offer: one message, the same chargers and the same CSMS, all of them in turn."""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from . import peers
from .ends import Csms, answering, chargers_at
from .gateway import gateway, split, store_binary, upstream
from .plan import Plan
from .processes import GATEWAY_CORE, Failed, Process, running
from .report import Report, Section
from .target import Sample, Target, median

HAND_OVER = "gateway 1.6 -> 1.6, one process"
STREAMS = "gateway 1.6 -> 1.6, edge and hub apart"
TRANSLATED = "gateway 1.6 -> 2.0.1, one process"
FRAMES = "floor: frames alone"
STORED = "floor: frames and store"
SCRIPTED = "floor: frames and the journal's scripts"
HEADER = ("target", "CPU us/rt", "of it store", "rt/s", "p50 ms", "p99 ms", "load core", "to nginx", "to yardstick")

LEAST = {
    (HAND_OVER, "nginx"): 0.40,
    (STREAMS, "nginx"): 0.28,
    (STREAMS, peers.YARDSTICK): 1.3,
    (TRANSLATED, HAND_OVER): 0.85,
    (HAND_OVER, "ocpp-broker 0.4"): 3.3,
    (HAND_OVER, "npm ocpp-rpc"): 3.3,
    (HAND_OVER, "`ocpp` package as a proxy"): 8.0,
}
"""(ours, other) -> the CPU time per round trip of the other, divided by ours, must be at least this."""


def measure(plan: Plan, report: Report) -> None:
    """Adds the section and its bars."""
    section = Section(f"Beside others: MeterValues, {plan.chargers} chargers, closed loop", HEADER)
    samples: dict[str, list[Sample]] = {}
    with contextlib.ExitStack() as stack:
        csms = stack.enter_context(answering())
        targets = _targets(plan, csms, stack, section)
        for _ in range(plan.repeats):
            for target in targets:
                command = {"do": "closed", "message": "MeterValues", "seconds": plan.seconds}
                samples.setdefault(target.name, []).append(target.measure(command))
    for name, found in sorted(samples.items(), key=lambda each: median(each[1], "cpu_us")):
        cells = [f"{median(found, 'cpu_us'):.1f}", f"{median(found, 'store_us'):.1f}", f"{median(found, 'per_s'):,.0f}"]
        cells += [f"{median(found, key) / 1000:.1f}" for key in ("p50_us", "p99_us")]
        ratios = [ratio(samples, name, other) for other in ("nginx", peers.YARDSTICK)]
        shown = ["-" if each is None else f"{each:.2f}" for each in ratios]
        section.rows.append((name, *cells, f"{median(found, 'load_share'):.0%}", *shown))
        section.notes += [f"{name}: {sample.trouble}" for sample in found if sample.trouble]
    section.notes += NOTES
    report.sections.append(section)
    for (ours, other), least in LEAST.items():
        floor = ratio(samples, SCRIPTED, other) if other in peers.ALL else None
        report.at_least(f"{ours}, MeterValues: CPU ratio to {other}", least, ratio(samples, ours, other), floor)


NOTES = (
    "to nginx, to yardstick: their CPU time per round trip divided by this row's, the median of the rounds: 1 means as cheap",
    "nginx and haproxy copy bytes; ocpp-broker relays to one backend and logs each frame, as it comes; ocpp-rpc without strict "
    "mode; the `ocpp` package on both sides, without validation",
    "one process: edge and hub share it and entries are handed over; apart: everything goes through the streams",
    "floor: Python and uvloop with frames cut by hand and nothing decided; with the store each CALL is appended before it goes "
    "on and acknowledged before its answer does, nothing deduplicated",
    "floor with the journal's scripts: so that a repeat is known, and an answer stored under a lease before it is sent; what is "
    "below it cannot be met by a proxy in Python that loses nothing, whatever it decides and however fast",
)


def ratio(samples: dict[str, list[Sample]], ours: str, other: str) -> float | None:
    """None when one of them could not be measured."""
    if not samples.get(ours) or not samples.get(other):
        return None
    pairs = zip(samples[ours], samples[other], strict=True)
    return statistics.median(theirs.cpu_us / mine.cpu_us if mine.cpu_us else 0.0 for mine, theirs in pairs)


def _targets(plan: Plan, csms: Csms, stack: contextlib.ExitStack, section: Section) -> list[Target]:
    """All that can be started; the section says what cannot."""
    targets = []
    for name, peer in peers.ALL.items():
        with _noting(section, name):
            process, url = stack.enter_context(peer(csms.url, None))
            load = stack.enter_context(chargers_at(url, plan.chargers))
            targets.append(Target(name, load, csms, [process]))
    for name, version in ((HAND_OVER, "ocpp1.6"), (TRANSLATED, "ocpp2.0.1")):
        with _noting(section, name):
            process, url = stack.enter_context(gateway(csms.url, version))
            load = stack.enter_context(chargers_at(url, plan.chargers))
            targets.append(Target(name, load, csms, [process]))
    for name in (FRAMES, STORED, SCRIPTED):
        with _noting(section, name):
            targets.append(stack.enter_context(floor(name, csms, plan.chargers)))
    with _noting(section, STREAMS):
        parts = stack.enter_context(split({"main": upstream(csms.url, "ocpp1.6")}))
        load = stack.enter_context(chargers_at(parts.url, plan.chargers))
        targets.append(Target(STREAMS, load, csms, [parts.edge, *parts.hubs, parts.store]))
    return targets


@contextlib.contextmanager
def floor(name: str, csms: Csms, chargers: int) -> Iterator[Target]:
    """One of the three. Raises Failed."""
    with contextlib.ExitStack() as stack:
        processes, how = [], []
        if name != FRAMES:
            held, path = stack.enter_context(_store())
            processes.append(held)
            how = [path, "scripts"] if name == SCRIPTED else [path]
        process, url = stack.enter_context(peers.floor(csms.url, *how))
        yield Target(name, stack.enter_context(chargers_at(url, chargers)), csms, [process, *processes])


@contextlib.contextmanager
def _store() -> Iterator[tuple[Process, str]]:
    """A store as the gateway starts its own, on the same core; its socket."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as directory:
        path = Path(directory) / "store.sock"
        options = ["--port", "0", "--unixsocket", str(path), "--dir", directory, "--appendonly", "yes", "--save", ""]
        with running(Process("store", [store_binary(), *options], GATEWAY_CORE, log=Path(directory) / "log")) as held:
            deadline = time.monotonic() + peers.READY_S
            while not path.exists():
                if time.monotonic() > deadline or held.popen.poll() is not None:
                    raise Failed(f"the store does not listen: {held.last_words()}")
                time.sleep(0.02)
            yield held, str(path)


@contextlib.contextmanager
def _noting(section: Section, name: str) -> Iterator[None]:
    try:
        yield
    except (Failed, peers.Missing) as missing:
        section.notes.append(f"missing, {name}: {missing}")
