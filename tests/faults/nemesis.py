"""Breaks a fleet by a schedule drawn from a seed, and mends it again; operators meddle with it."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

from tests.e2e.operator import ask

from .fleet import Fleet
from .nodes import Node
from .proxy import FaultProxy

Blow: TypeAlias = Callable[["Nemesis"], Awaitable[None]]

OUTER_MODES: Final = ("blackhole", "reset", "cut")
STORE_MODES: Final = (*OUTER_MODES, "stall", "delay")


class Nemesis:
    """One fault at a time, with pauses. `scale` stretches them: 1 for a smoke test, more for a long run."""

    def __init__(self, fleet: Fleet, seed: int, *, scale: float = 1.0) -> None:
        self.fleet = fleet
        self.dice = random.Random(seed)
        self.seed = seed
        self.scale = scale
        self.done: list[str] = []
        """What was broken, in order."""

    def hand(self, of: int = 3) -> list[str]:
        """Names of blows: `of` consecutive seeds deal out all of them once, in an order of their own."""
        group, place = divmod(self.seed - 1, of)
        deck = sorted(BLOWS)
        random.Random(group).shuffle(deck)
        hand = deck[place::of]
        self.dice.shuffle(hand)
        return hand

    async def strike(self, names: list[str], pause: float = 1.0) -> None:
        """Deals these blows one after another."""
        for name in names:
            self.done.append(name)
            await BLOWS[name](self)
            await asyncio.sleep(pause * self.dice.uniform(0.5, 1.5))

    async def last(self, seconds: float, more: float) -> None:
        """How long something stays broken."""
        await asyncio.sleep((seconds + self.dice.uniform(0, more)) * self.scale)

    # -- blows -------------------------------------------------------------------------------------------------------

    async def kill(self, nodes: list[Node], target: str) -> None:
        node = self.dice.choice(nodes)
        with self.fleet.fault(f"kill {node.name}", target):
            await node.kill()
            await self.last(0.2, 1)
        await node.run(until_ready=False)

    async def pause(self, nodes: list[Node], target: str) -> None:
        node = self.dice.choice(nodes)
        with self.fleet.fault(f"pause {node.name}", target):
            node.signal(signal.SIGSTOP)
            try:
                await self.last(0.5, 2)
            finally:
                node.signal(signal.SIGCONT)

    async def restart(self, nodes: list[Node], target: str) -> None:
        node = self.dice.choice(nodes)
        with self.fleet.fault(f"restart {node.name}", target):
            assert await node.stop(60) == 0
        await node.run(until_ready=False)

    async def link(self, proxy: FaultProxy, name: str, target: str, mode: str) -> None:
        with self.fleet.fault(f"{mode} {name}", target):
            if mode == "delay":
                proxy.set("delay", seconds=0.3, jitter=0.3)
            elif mode == "cut":
                proxy.set("cut", bytes=self.dice.randrange(1, 20_000))
            else:
                proxy.set(mode)  # type: ignore[arg-type]
            try:
                await self.last(0.7, 1.5)
            finally:
                proxy.heal()

    async def store_link(self, mode: str) -> None:
        node = self.dice.choice(self.fleet.nodes)
        await self.link(node.to_store, f"{node.name} to the store", "store", mode)

    async def upstream_link(self, mode: str) -> None:
        name = self.dice.choice(list(self.fleet.to_upstream))
        await self.link(self.fleet.to_upstream[name], f"hubs to {name}", f"upstream:{name}", mode)

    async def charger_link(self, mode: str) -> None:
        node = self.dice.choice(self.fleet.edges)
        assert node.from_chargers is not None
        await self.link(node.from_chargers, f"chargers to {node.name}", "edge", mode)

    async def upstream_away(self) -> None:
        name = self.dice.choice(list(self.fleet.backends))
        with self.fleet.fault(f"stop {name}", f"upstream:{name}"):
            await self.fleet.backends[name].stop()
            await self.last(1, 2)
            await self.fleet.backends[name].start()

    async def operate(self, path: str, body: dict[str, Any] | None = None) -> None:
        """An operator asks any process, again and again until one does it: it may just be starting."""
        async with asyncio.timeout(30):
            while True:
                node = self.dice.choice(self.fleet.nodes)
                with contextlib.suppress(OSError, TimeoutError, IndexError):
                    status, answer = await ask(node, "POST", f"/api/v1/{path}", body or {})
                    if status < 300:
                        return
                    assert status in (404, 409, 503, 504), (
                        answer
                    )  # absent, busy with the last one, no store, somebody is silent
                await asyncio.sleep(0.2)

    async def operator_pauses(self) -> None:
        name = self.dice.choice(list(self.fleet.backends))
        with self.fleet.fault(f"pause upstream {name}", f"upstream:{name}"):
            await self.operate(f"upstreams/{name}/pause")
            await self.last(0.5, 1)
            await self.operate(f"upstreams/{name}/resume")

    async def operator_reconnects(self) -> None:
        name = self.dice.choice(list(self.fleet.backends))
        with self.fleet.fault(f"reconnect {name}", f"upstream:{name}"):
            await self.operate(f"upstreams/{name}/reconnect")

    async def operator_moves(self) -> None:
        await self.operate("config/reload")
        await self.operate("rebalance")

    async def store_stalls(self) -> None:
        with self.fleet.fault("pause the store", "store"):
            self.fleet.store.signal(signal.SIGSTOP)
            try:
                await self.last(0.5, 2)
            finally:
                self.fleet.store.signal(signal.SIGCONT)

    async def store_dies(self) -> None:
        with self.fleet.fault("kill the store", "store"):
            await self.fleet.store.kill()
            await self.last(0.1, 1)
            await self.fleet.store.start()

    async def store_is_full(self) -> None:
        with self.fleet.fault("fill the store", "store"):
            await self.fleet.store.ask("CONFIG", "SET", "maxmemory", "1mb")
            await self.last(1, 2)
            await self.fleet.store.ask("CONFIG", "SET", "maxmemory", "0")


BLOWS: Final[dict[str, Blow]] = {
    "kill edge": lambda n: n.kill(n.fleet.edges, "edge"),
    "kill hub": lambda n: n.kill(n.fleet.hubs, "hub"),
    "pause edge": lambda n: n.pause(n.fleet.edges, "edge"),
    "pause hub": lambda n: n.pause(n.fleet.hubs, "hub"),
    "restart edge": lambda n: n.restart(n.fleet.edges, "edge"),
    "restart hub": lambda n: n.restart(n.fleet.hubs, "hub"),
    "store stalls": lambda n: n.store_stalls(),
    "store dies": lambda n: n.store_dies(),
    "store is full": lambda n: n.store_is_full(),
    "upstream away": lambda n: n.upstream_away(),
    "operator pauses": lambda n: n.operator_pauses(),
    "operator reconnects": lambda n: n.operator_reconnects(),
    "operator moves": lambda n: n.operator_moves(),
    **{f"store link {mode}": (lambda n, mode=mode: n.store_link(mode)) for mode in STORE_MODES},  # type: ignore[misc]
    **{f"upstream link {mode}": (lambda n, mode=mode: n.upstream_link(mode)) for mode in OUTER_MODES},  # type: ignore[misc]
    **{f"charger link {mode}": (lambda n, mode=mode: n.charger_link(mode)) for mode in OUTER_MODES},  # type: ignore[misc]
}
