"""The journal alone: what an append costs its client and the store, and how many messages reach three upstreams.

Usage: `python -m tests.bench.appending STORE_URL`: a process of its own. Reads one JSON command per line, answers each:

    {"do": "append", "how": "xadd" | "new" | "dedup" | a name of LADDER, "count": 40000}    200 in flight
    {"do": "prepare", "upstreams": 3}                  so many groups, which have read everything
    {"do": "fan", "upstreams": 3, "count": 40000}      appended, read by every upstream's group, committed
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import uvloop

from gateway import logs
from gateway.config import Log, RedisConfig
from gateway.journal.entry import Head
from gateway.journal.facts import Commit
from gateway.journal.journal import Journal
from gateway.journal.lua import Script
from gateway.journal.streams import Batch

IN_FLIGHT = 200
CHARGERS = 200
FRAME = (
    b'[2,"BENCH000001-4c1e-9d52-%012d","MeterValues",{"connectorId":1,"transactionId":1,"meterValue":[{"timestamp":'
    b'"2026-01-01T00:00:00.000Z","sampledValue":[{"value":"%d","context":"Sample.Periodic","format":"Raw","measurand":'
    b'"Energy.Active.Import.Register","location":"Outlet","unit":"Wh"}]}]}]'
)
_EACH = """
local count, out = tonumber(ARGV[1]), {0}
for i = 1, count do
  local at = count + 6 * i - 3
%s  out[i + 1] = id
end
return out
"""
_XADD = "  local id = redis.call('XADD', KEYS[1], '*', 'k', ARGV[at + 1], 'h', ARGV[at + 2], 'f', ARGV[at + 3])\n"
LADDER = {
    "nothing": _EACH % "  local id = '1-1'\n",
    "adding": _EACH % _XADD,
    "setting": _EACH % (_XADD + "  redis.call('SET', KEYS[4 + i], id .. ' 0 ', 'EX', ARGV[at + 4])\n"),
}
"""What the store would cost if append.lua did less: scripts with the same keys, arguments and reply, of deduplicating appends."""
PARTITION = 0
_numbers = itertools.count(1)


class Bench:
    """One journal."""

    def __init__(self, url: str) -> None:
        self.journal = Journal(RedisConfig(url=url), now_ms=lambda: time.time_ns() // 1_000_000)
        self.chargers: list[tuple[str, int]] = []
        self.token = 0

    async def start(self) -> None:
        """Chargers of one partition, so that its stream has all."""
        await self.journal.start()
        names = (f"BENCH{number:06d}" for number in itertools.count())
        mine = itertools.islice((name for name in names if self.journal.partition(name) == PARTITION), CHARGERS)
        for name in mine:
            epoch, _ = await self.journal.connect(Head(name, 0, 0, "ocpp1.6", "edge", 0))
            self.chargers.append((name, epoch))
        self.token = await self.journal.acquire(PARTITION, "hub") or 0
        await self.journal.ensure_groups(PARTITION, ["session"])

    async def many(self, count: int, one: Callable[[], asyncio.Future[Any]]) -> None:
        """So many of these, always 200 in flight. Raises what one of them raises."""
        left, done = count, asyncio.get_running_loop().create_future()
        flying = 0

        def ended(future: asyncio.Future[Any]) -> None:
            nonlocal flying, left
            flying -= 1
            if future.exception() is not None and not done.done():
                done.set_exception(future.exception())  # type: ignore[arg-type]
            elif left:
                fly()
            elif not flying and not done.done():
                done.set_result(None)

        def fly() -> None:
            nonlocal flying, left
            left -= 1
            flying += 1
            one().then(ended)  # type: ignore[attr-defined]

        for _ in range(min(IN_FLIGHT, count)):
            fly()
        await done

    def xadd(self) -> asyncio.Future[Any]:
        number = next(_numbers)
        charger, epoch = self.chargers[number % CHARGERS]
        head = msgspec.msgpack.encode(Head(charger, epoch, number, "ocpp1.6", "edge", 1_700_000_000_000, "MeterValues"))
        return self.journal._store.call(
            "XADD", "{p00}:bench", "*", "k", "call", "h", head, "f", FRAME % (number, number)
        )

    def append(self, ttl: int) -> asyncio.Future[Any]:
        number = next(_numbers)
        charger, epoch = self.chargers[number % CHARGERS]
        now = time.time_ns() // 1_000_000
        head = Head(charger, epoch, number, "ocpp1.6", "edge", now, "MeterValues", f"{number:036d}", "K1", now + 25_000)
        if ttl:
            head = msgspec.structs.replace(head, dedup=f"{number:032x}")
        return self.journal.append("call", head, FRAME % (number, number), ttl=ttl)

    async def fan(self, upstreams: int, count: int) -> None:
        """Appends; at the same time each upstream is told what has come, as a hub does it: looked at, done, passed."""
        groups = _groups(upstreams)
        seen = dict.fromkeys(groups, 0)
        publishing = asyncio.create_task(self.many(count, partial(self.append, 3600)))
        places = await self.places(groups)
        committing: list[asyncio.Future[None]] = []
        while min(seen.values()) < count:
            batch = await self.journal.peek(PARTITION, self.token, places, count=500)
            if not any(batch.all.values()):
                await asyncio.sleep(0.001)
                continue
            for group in groups:
                seen[group] += len(batch[group])
            committing.append(self.passed(places, batch))
        await publishing
        for each in committing:
            await each

    def passed(self, places: dict[str, str], batch: Batch) -> asyncio.Future[None]:
        """All groups have done with what they were told."""
        reached = {group: entries[-1].id for group, entries in batch.all.items() if entries}
        places.update(reached)
        passed: dict[str, tuple[str, list[str]]] = {group: (id, []) for group, id in reached.items()}
        return self.journal.commit(PARTITION, self.token, Commit(passed=passed))

    async def places(self, groups: list[str]) -> dict[str, str]:
        found = await self.journal.positions(PARTITION)
        return {group: found[group] for group in ["session", *groups]}

    async def catch_up(self, groups: list[str]) -> None:
        """So that each group has done with everything, and nothing is kept."""
        await self.journal.ensure_groups(PARTITION, groups)
        places = await self.places(groups)
        while any((batch := await self.journal.peek(PARTITION, self.token, places, count=500)).all.values()):
            await self.passed(places, batch)
        await self.journal.trim(PARTITION, self.token, groups)

    async def run(self, command: dict[str, Any]) -> dict[str, Any]:
        began = time.perf_counter()
        if command["do"] == "prepare":
            await self.catch_up(_groups(command["upstreams"]))
        elif command["do"] == "fan":
            await self.fan(command["upstreams"], command["count"])
        elif source := LADDER.get(command["how"]):
            known = self.journal._store._scripts
            sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
            self.journal._store._scripts = known | {"append": Script("append", source, sha)}
            await self.many(command["count"], partial(self.append, 3600))
            self.journal._store._scripts = known
        else:
            how: dict[str, Callable[[], asyncio.Future[Any]]] = {
                "xadd": self.xadd,
                "new": partial(self.append, 0),
                "dedup": partial(self.append, 3600),
            }
            await self.many(command["count"], how[command["how"]])
        return {"seconds": time.perf_counter() - began}


def _groups(upstreams: int) -> list[str]:
    return [f"upstream{number}" for number in range(upstreams)]


def tell(message: dict[str, Any]) -> None:
    print(msgspec.json.encode(message).decode(), flush=True)


async def renew(bench: Bench) -> None:
    while True:
        await asyncio.sleep(3)
        await bench.journal.renew(PARTITION, bench.token)


async def main(url: str) -> None:
    bench, loop = Bench(url), asyncio.get_running_loop()
    await bench.start()
    renewing = asyncio.create_task(renew(bench))
    tell({"ready": True})
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        tell(await bench.run(msgspec.json.decode(line)))
    renewing.cancel()
    await bench.journal.stop()


if __name__ == "__main__":
    logs.configure(Log(level="error"), sys.stderr)
    uvloop.run(main(sys.argv[1]))
