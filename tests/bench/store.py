"""The journal alone, without sockets of chargers and CSMSs: `appending` on one core, the store on the other."""

from __future__ import annotations

import contextlib
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway.journal.embedded import MALLOC

from .gateway import store_binary
from .plan import Plan
from .processes import GATEWAY_CORE, LOAD_CORE, Failed, Process, cpu_ns, free_port, running
from .report import Report, Section

UPSTREAMS = 3
HOW = {
    "xadd": "plain XADD",
    "nothing": "a script that does nothing, keys and arguments of the append",
    "adding": "a script that does XADD",
    "setting": "a script that does XADD and SET with EX",
    "new": "append script, no deduplication",
    "dedup": "append script, deduplicating",
}
HEADER = ("what", "client us", "store us", "per s")


@contextlib.contextmanager
def _started() -> Iterator[tuple[Process, Process]]:
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as path:
        port = free_port()
        options = ["--bind", "127.0.0.1", "--port", str(port), "--dir", path, "--appendonly", "yes", "--save", ""]
        binary = ["env", f"GLIBC_TUNABLES={MALLOC}", store_binary(), *options, "--maxmemory-policy", "noeviction"]
        with running(Process("store", binary, LOAD_CORE, log=Path(path) / "log")) as store:
            url = f"redis://127.0.0.1:{port}/0"
            with running(Process.module("appending", GATEWAY_CORE, url)) as client:
                client.hear(20)
                yield client, store


def measure(plan: Plan, report: Report) -> None:
    """Adds the section and its bars."""
    section = Section(
        f"The journal alone, {plan.appends:,} messages, 200 in flight, append-only file every second", HEADER
    )
    costs: dict[str, tuple[float, float]] = {}
    published = None
    try:
        with _started() as (client, store):
            for how in HOW:  # warms up
                client.ask({"do": "append", "how": how, "count": plan.appends // 10}, 120)
            found: dict[str, list[tuple[float, float, float]]] = {}
            for _ in range(max(3, plan.repeats)):
                for how in HOW:
                    command = {"do": "append", "how": how, "count": plan.appends}
                    found.setdefault(how, []).append(_one(client, store, command))
                client.ask({"do": "prepare", "upstreams": UPSTREAMS}, 120)
                command = {"do": "fan", "upstreams": UPSTREAMS, "count": plan.appends}
                found.setdefault("fan", []).append(_one(client, store, command))
    except Failed as failed:
        section.notes.append(f"missing: {failed}")
    else:
        for how, samples in found.items():
            ours, theirs, rate = (statistics.median(values) for values in zip(*samples, strict=True))
            costs[how] = ours, theirs
            name = HOW.get(how, f"published, read and acknowledged for {UPSTREAMS} upstreams")
            section.rows.append((name, f"{ours:.1f}", f"{theirs:.1f}", f"{rate:,.0f}"))
        published = max(rate for *_, rate in found["fan"])
    section.notes += [
        "us of CPU time per message; the client is this project's journal in a process of its own, on the other core",
        "messages of 300 bytes to one partition; published per s: the best of the repeats",
        "a script gets what one turn of the loop has for the partition, here some dozens of messages; the three small ones get the "
        "keys and arguments of the deduplicating append and are the ladder up to it",
        "what the third costs is the floor of a deduplicating append in Lua: an entry, and a key of its own that says that the "
        "message is known and when that may be forgotten; the rest (is this the newest connection, is the message known, which "
        "number has it) is asked once for all of a turn",
    ]
    report.sections.append(section)
    plain, script = costs.get("xadd"), costs.get("dedup")
    report.at_most("plain XADD: us of the client", 6, plain[0] if plain else None)
    report.at_most("plain XADD: us of the store", 6, plain[1] if plain else None)
    floor = costs.get("setting") or (None, None)
    report.at_most("deduplicating append: us of the client", 12, script[0] if script else None, floor[0])
    report.at_most("deduplicating append: us of the store", 12, script[1] if script else None, floor[1])
    report.at_least(f"fan-out to {UPSTREAMS} upstreams, journal alone: published/s on 2 cores", 30_000, published)


def _one(client: Process, store: Process, command: dict[str, Any]) -> tuple[float, float, float]:
    """CPU us of client and store per message, and messages per second."""
    before = [cpu_ns([each.popen.pid]) for each in (client, store)]
    said = client.ask(command, 180)
    after = [cpu_ns([each.popen.pid]) for each in (client, store)]
    ours, theirs = ((end - start) / 1000 / command["count"] for start, end in zip(before, after, strict=True))
    return ours, theirs, command["count"] / said["seconds"]
