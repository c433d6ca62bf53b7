"""`python -m tests.bench.soak`: chargers that speak, leave and come back for a long time; does anything grow?

One gateway with both roles, two upstreams (a primary and a mirror), 1.6. Every ten seconds: memory, tasks and descriptors of the
gateway, its streams and their entries. The slope is the median of those between any two moments after the warm-up. Exit code 1 when
something grows, or when hardly anything happened.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import re
import signal
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import redis

from . import gateway as started
from .ends import answering, chargers_at
from .gateway import upstream
from .processes import Failed, is_store, pss_kib, raise_descriptor_limit, running, tree, wait_ready

PAUSE_S = 10.0
MOST_SLOPE = 1.0
"""MiB per hour."""


@dataclass(frozen=True)
class Look:
    """What there was at one moment."""

    at: float
    """Seconds since the beginning."""
    memory: float
    """MiB, of the gateway without the store."""
    store: float
    """MiB that the store says that it uses."""
    tasks: int
    descriptors: int
    entries: int
    """Of all streams."""
    streams: int


def slope(looks: list[Look]) -> float:
    """MiB per hour: the median of those between any two looks (Theil and Sen), which what is taken and given back does not move."""
    slopes = [(b.memory - a.memory) / (b.at - a.at) for a, b in combinations(looks, 2) if b.at > a.at]
    return statistics.median(slopes) * 3600 if slopes else 0.0


def grown(looks: list[Look], name: str) -> float:
    """By how much the last third is above the first one, in the mean."""
    third = max(1, len(looks) // 3)
    values = [float(getattr(each, name)) for each in looks]
    return statistics.fmean(values[-third:]) - statistics.fmean(values[:third])


class Watched:
    """The gateway as the operating system, its metrics and its store show it."""

    def __init__(self, pid: int, admin: int, socket: Path) -> None:
        self._pids = [each for each in tree(pid) if not is_store(each)]
        self._admin = admin
        self._store = redis.Redis(unix_socket_path=str(socket))
        self._began = time.monotonic()

    def look(self) -> Look:
        info: Any = self._store.info("memory")
        streams = list(self._store.scan_iter(count=1000, _type="stream"))
        lengths: Any = [self._store.xlen(key) for key in streams]
        descriptors = sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in self._pids)
        at, memory = time.monotonic() - self._began, pss_kib(self._pids) / 1024
        return Look(at, memory, info["used_memory"] / 2**20, self._tasks(), descriptors, sum(lengths), len(streams))

    def _tasks(self) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self._admin, timeout=30)
        with contextlib.closing(connection):
            connection.request("GET", "/metrics")
            found = re.search(rb"^ocppgw_tasks (\S+)", connection.getresponse().read(), re.M)
        if found is None:
            raise Failed("the gateway does not say how many tasks it has")
        return int(float(found[1]))


def run(options: argparse.Namespace) -> int:
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soak-", ignore_cleanup_errors=True)))
        both = {name: stack.enter_context(answering()) for name in ("main", "mirror")}
        upstreams = {name: upstream(csms.url, "ocpp1.6") for name, csms in both.items()}
        config = started._config(upstreams, directory, "embedded")
        process = stack.enter_context(running(started._start("gateway", [], config, directory)))
        wait_ready(process, config["admin"]["port"], started.READY_S)
        url = f"ws://127.0.0.1:{config['listen']['port']}/ocpp"
        load = stack.enter_context(chargers_at(url, options.chargers))
        load.ask({"do": "watch", "pause": options.chargers / options.rate})
        load.ask({"do": "churn", "url": url, "rate": options.churn})
        watched = Watched(process.popen.pid, config["admin"]["port"], directory / "data" / "store.sock")
        looks: list[Look] = []
        seconds = options.minutes * 60
        print("      s   memory MiB  store MiB  tasks  descriptors  entries", flush=True)
        while not looks or looks[-1].at < seconds:
            time.sleep(PAUSE_S)
            looks.append(now := watched.look())
            if len(looks) % 3 == 1:
                cells = f"{now.at:7.0f} {now.memory:12.2f} {now.store:10.1f} {now.tasks:6} {now.descriptors:12} {now.entries:8}"
                print(cells, flush=True)
        seen = load.ask({"do": "watched", "since": 1e12})
        heard = {name: csms.heard("MeterValues") for name, csms in both.items()}
    return judge(options, [each for each in looks if each.at >= options.warm_up * 60], seen, heard)


def judge(options: argparse.Namespace, looks: list[Look], seen: dict[str, Any], heard: dict[str, int]) -> int:
    """Prints what was found; the exit code."""
    rise = slope(looks)
    limits = {
        "tasks": 20.0,
        "descriptors": 0.01 * 3 * options.chargers + 20,
        "entries": 5 * options.rate + 100,
        "streams": 5.0,
    }
    growth = {name: grown(looks, name) for name in limits}
    print(
        f"{options.chargers} chargers, {seen['answered']} round trips, {seen['came_back']} came back, errors: {seen['errors']}"
    )
    print(f"heard: {heard}")
    print(f"memory: {rise:+.2f} MiB per hour after {options.warm_up:g} min, {looks[-1].memory:.1f} MiB at the end")
    print("grown from the first to the last third: " + ", ".join(f"{name} {n:+.0f}" for name, n in growth.items()))
    grows = [name for name, limit in limits.items() if growth[name] > limit]
    if rise > MOST_SLOPE:
        grows.append("memory")
    print(f"grows: {', '.join(grows)}" if grows else "nothing grows")
    spoken = seen["answered"] >= options.rate * options.minutes * 60 / 2 and seen["came_back"] and all(heard.values())
    if not spoken:
        print("too little was said for this to mean anything")
    return 0 if spoken and not grows else 1


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--warm-up", type=float, default=10, help="minutes that do not count")
    parser.add_argument("--chargers", type=int, default=5000)
    parser.add_argument("--rate", type=float, default=250, help="messages per second of all chargers")
    parser.add_argument("--churn", type=float, default=5, help="chargers per second that come back")
    options = parser.parse_args()
    raise_descriptor_limit(20_000)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return run(options)
    except Failed as failed:
        print(f"the measurement itself failed: {failed}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
