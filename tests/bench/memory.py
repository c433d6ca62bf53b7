"""What an idle charger costs: proportional set size of the processes, all targets grown at once."""

from __future__ import annotations

import contextlib
import tempfile
import time
from pathlib import Path

from . import peers
from .connecting import certificate
from .ends import answering, chargers_at, connect
from .gateway import gateway, split_gateway
from .plan import Plan
from .processes import Failed, Process, is_store, pss_kib, tree
from .report import Report, Section

BOTH = "gateway, both roles, 1.6 -> 1.6"
TRANSLATED = "gateway, both roles, 1.6 -> 2.0.1"
SECURE = "gateway, both roles, wss, 1.6 -> 1.6"
EDGE, HUB = "edge alone", "hub alone, 1.6 -> 1.6"
MOST = {EDGE: 4, BOTH: 16, TRANSLATED: 16, SECURE: 48}
"""KiB per charger."""


def measure(plan: Plan, report: Report) -> None:
    """Adds the section and its bars."""
    header = ("processes", "KiB per charger", "base MiB")
    section = Section(f"Memory per idle charger, {plan.idle_first + plan.idle:,} connections", header)
    grown: dict[str, float] = {}
    with contextlib.ExitStack() as stack:
        growing = []
        for start in (_peers, _gateways, _secure, _split):
            for name, process, load, url in start(plan, stack, section):
                growing.append((name, process, load, url))
        time.sleep(plan.aging)
        before = {name: _pss(process) for name, process, _, _ in growing}
        for _, _, load, url in growing:
            if load is not None:
                connect(load, url, plan.idle, transactions=False)
        time.sleep(plan.aging)
        for name, process, _, _ in growing:
            grown[name] = (_pss(process) - before[name]) / plan.idle
            section.rows.append((name, f"{grown[name]:.1f}", f"{before[name] / 1024:.0f}"))
    section.notes += [
        f"growth from {plan.idle_first:,} to {plan.idle_first + plan.idle:,} booted chargers, each {plan.aging:.0f} s after "
        "the last boot: what was confirmed lately is kept for 30 s",
        "all are idle and have their connection to the CSMS; the store is left out",
    ]
    report.sections.append(section)
    for name, most in MOST.items():
        report.at_most(f"{name}: KiB per idle charger", most, grown.get(name))


Growing = list[tuple[str, Process, Process | None, str]]
"""Name, process, load generator (None: another row has it) and URL for chargers."""


def _peers(plan: Plan, stack: contextlib.ExitStack, section: Section) -> Growing:
    found: Growing = []
    for name, peer in {"nginx": peers.nginx, "haproxy": peers.haproxy, peers.YARDSTICK: peers.bare}.items():
        try:
            csms = stack.enter_context(answering())
            process, url = stack.enter_context(peer(csms.url, None))
            found.append((name, process, _load(plan, stack, url), url))
        except (Failed, peers.Missing) as missing:
            section.notes.append(f"missing, {name}: {missing}")
    return found


def _gateways(plan: Plan, stack: contextlib.ExitStack, section: Section) -> Growing:
    found: Growing = []
    for name, version in ((BOTH, "ocpp1.6"), (TRANSLATED, "ocpp2.0.1")):
        try:
            csms = stack.enter_context(answering())
            process, url = stack.enter_context(gateway(csms.url, version))
            found.append((name, process, _load(plan, stack, url), url))
        except Failed as failed:
            section.notes.append(f"missing, {name}: {failed}")
    return found


def _secure(plan: Plan, stack: contextlib.ExitStack, section: Section) -> Growing:
    try:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        csms = stack.enter_context(answering())
        made = certificate(directory, "ec")
        process, url = stack.enter_context(gateway(csms.url, "ocpp1.6", certificate=made))
        return [(SECURE, process, _load(plan, stack, url), url)]
    except Failed as failed:
        section.notes.append(f"missing, {SECURE}: {failed}")
        return []


def _split(plan: Plan, stack: contextlib.ExitStack, section: Section) -> Growing:
    try:
        csms = stack.enter_context(answering())
        edge, hub, url = stack.enter_context(split_gateway(csms.url, "ocpp1.6"))
        return [(EDGE, edge, _load(plan, stack, url), url), (HUB, hub, None, url)]
    except Failed as failed:
        section.notes.append(f"missing, edge and hub: {failed}")
        return []


def _load(plan: Plan, stack: contextlib.ExitStack, url: str) -> Process:
    return stack.enter_context(chargers_at(url, plan.idle_first, transactions=False))


def _pss(process: Process) -> float:
    return pss_kib([pid for pid in tree(process.popen.pid) if not is_store(pid)])
