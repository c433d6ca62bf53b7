"""A CSMS that is away: what waits for it costs memory, and how fast it is told when it is back."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

import redis

from .ends import answering, chargers_at
from .gateway import Split, split, upstream
from .plan import Plan
from .processes import Failed, Process, cpu_ns, free_port, pss_kib
from .report import Report, Section

PATIENCE_S = 60.0
TAIL = 0.9
"""The rate is taken up to this share of the backlog: the last chargers to be done do not keep a core busy."""

DRAIN_HEADER = (
    "CSMS",
    "messages",
    "to connect s",
    "messages/s",
    "per s of hub CPU",
    "hub CPU us",
    "hub core",
    "store us",
)
QUEUED_HEADER = ("messages", "store MiB", "store bytes/message", "hub MiB", "edge MiB")


@dataclass
class Outage:
    """A gateway whose only CSMS has gone after its chargers had booted."""

    parts: Split
    load: Process
    port: int
    """Where the CSMS was."""

    def fill(self, count: int) -> None:
        """Let so many messages wait. Raises Failed."""
        found = self.load.ask({"do": "fill", "count": count}, 90)
        if found["errors"] or found["lost"] or found["silent"] or found["sent"] < count:
            raise Failed(f"while messages were queued: {found}")


@contextlib.contextmanager
def outage(plan: Plan, version: str) -> Iterator[Outage]:
    """Raises Failed."""
    port = free_port()
    csms = {"main": upstream(f"ws://127.0.0.1:{port}", version, reconnect_max=1)}
    with contextlib.ExitStack() as stack:
        parts = stack.enter_context(split(csms, primary_down="buffer"))
        with answering(port):
            load = stack.enter_context(chargers_at(parts.url, plan.chargers))
        yield Outage(parts, load, port)


def drain(plan: Plan, report: Report) -> None:
    """Adds the section and its bars."""
    section = Section(f"Backlog after an outage of the CSMS, {plan.chargers} chargers", DRAIN_HEADER)
    for version in ("ocpp1.6", "ocpp2.0.1"):
        name, rate, per_core = version.removeprefix("ocpp"), None, None
        try:
            with outage(plan, version) as away:
                away.fill(plan.backlog)
                rate, per_core = _drain(away, plan.backlog, name, section)
        except Failed as failed:
            section.notes.append(f"missing, {name}: {failed}")
        report.at_least(f"backlog 1.6 -> {name}: messages/s, all on one core", 2000, rate)
        report.at_least(f"backlog 1.6 -> {name}: messages per second of hub CPU", 2000, per_core)
    section.notes += DRAIN_NOTES
    report.sections.append(section)


def _drain(away: Outage, count: int, name: str, section: Section) -> tuple[float, float]:
    action = "MeterValues" if name == "1.6" else "TransactionEvent"
    with answering(away.port) as csms:
        began = time.perf_counter()
        start, hub, store = began, _cpu(away.parts.hubs[0]), _cpu(away.parts.store)
        while not csms.heard(action):
            start, hub, store = time.perf_counter(), _cpu(away.parts.hubs[0]), _cpu(away.parts.store)
            _wait(began)
        while (told := csms.heard(action)) < TAIL * count:
            _wait(began)
        seconds = time.perf_counter() - start
        hub, store = _cpu(away.parts.hubs[0]) - hub, _cpu(away.parts.store) - store
        while csms.heard(action) < count:
            _wait(began)
    rate, per_core = told / seconds, told / (hub / 1e9)
    cells = [f"{start - began:.1f}", f"{rate:,.0f}", f"{per_core:,.0f}", f"{hub / 1000 / told:.0f}"]
    cells += [f"{hub / 1e9 / seconds:.0%}", f"{store / 1000 / told:.0f}"]
    section.rows.append((f"1.6 -> {name}", f"{count:,}", *cells))
    return rate, per_core


def _wait(began: float) -> None:
    if time.perf_counter() > began + PATIENCE_S:
        raise Failed(f"the CSMS has not heard everything after {PATIENCE_S:.0f} s")
    time.sleep(0.02)


def _cpu(process: Process) -> int:
    return cpu_ns([process.popen.pid])


def queued(plan: Plan, report: Report) -> None:
    """Adds the section and its bars."""
    section = Section(f"Memory of queued messages, {plan.chargers} chargers, CSMS away", QUEUED_HEADER)
    per_message = growth = None
    try:
        with outage(plan, "ocpp1.6") as away:
            found = [_memory(away.parts)]
            for _ in range(2):
                away.fill(plan.queued // 2)
                found.append(_memory(away.parts))
            time.sleep(plan.settle)
            found.append(_memory(away.parts))
    except Failed as failed:
        section.notes.append(f"missing: {failed}")
    else:
        for at, memory in enumerate(found):
            count = plan.queued * min(at, 2) // 2
            per = f"{(memory.store - found[0].store) / count:.0f}" if count else "-"
            label = f"{count:,}" + (", parked" if at == 3 else "")
            section.rows.append((label, f"{memory.store / 2**20:.0f}", per, *(f"{x:.0f}" for x in memory.mib)))
        per_message = (found[-1].store - found[0].store) / plan.queued
        growth = found[-1].mib[0] - found[0].mib[0]
        section.notes += QUEUED_NOTES
    report.sections.append(section)
    report.at_most("queued messages: bytes of the store per message", 1200, per_message)
    report.at_most("queued messages: growth of the hub, MiB", 192, growth)


@dataclass(frozen=True)
class Memory:
    """What is used at one moment."""

    store: int
    """Bytes, as the store counts them."""
    mib: tuple[float, float]
    """Proportional set sizes of hub and edge."""


def _memory(parts: Split) -> Memory:
    with redis.Redis(port=parts.store_port) as client:
        used = int(client.info("memory")["used_memory"])
    hub, edge = (pss_kib([process.popen.pid]) / 1024 for process in (parts.hubs[0], parts.edge))
    return Memory(used, (hub, edge))


DRAIN_NOTES = (
    "edge, hub and store are processes of their own on one core; the chargers are answered early while the CSMS is away",
    f"to connect: from the start of the CSMS until it is told the first message; the rate from there to {TAIL:.0%} of the backlog",
)
QUEUED_NOTES = (
    "edge, hub and store are processes of their own; the chargers are answered early while the CSMS is away",
    "store: `used_memory` of INFO, streams and what is parked; bytes per message include the frame of about 300 bytes",
    "hub: what comes before it is parked (100 messages of a charger and 10 to 15 s), then 21 messages of each charger, and what "
    "a store that fails over may lack (30 s, up to 64 MiB), which the edge keeps too; memory that is free again stays its own",
)
