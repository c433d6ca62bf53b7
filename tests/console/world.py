"""What the console is shown: a gateway with both roles, simulated chargers of three versions, and CSMSs of which one runs well, one
is a shadow that answers differently, one was deaf and is down now, and one is paused."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from gateway.admin.guard import digest
from gateway.cli.plain_answers import plain_answer
from gateway.simulator.charger import SimulatedCharger, Stats
from gateway.simulator.profile import Profile
from tests.e2e.operator import ask
from tests.e2e.process import Gateway
from tests.e2e.raw import RawCsms, Reply

PROFILES: Final = {
    "DEPOT": Profile("buses, fast", 2, 2, 5, 50_000, 2, 3, 9000, 5, "Yard", "Mast 50"),
    "HIGHWAY": Profile("cars, fast", 2, 2, 4, 150_000, 2, 3, 9000, 5, "Swift", "Post 150"),
    "HOME": Profile("one car", 1, 3, 6, 11_000, 1.5, 4, 9000, 5, "Hearth", "Wall 11"),
}
"""Seconds of life: what takes hours elsewhere happens while a test looks."""
CHARGERS: Final = {
    **{f"DEPOT-{number:02}": "ocpp1.6" for number in range(1, 6)},
    **{f"HIGHWAY-{number:02}": "ocpp2.0.1" for number in range(1, 5)},
    **{f"HOME-{number:02}": "ocpp1.6" for number in range(1, 3)},
    "HOME-03": "ocpp1.5",
}
TOKENS: Final = {scope: f"a-token-to-{scope}-{scope * 4}" for scope in ("read", "operate", "admin")}
PATIENCE: Final = 25.0


def agreeing(version: str) -> Reply:
    """A CSMS that agrees with everything."""
    numbers = itertools.count(700)

    def reply(id: str, action: str, payload: dict[str, Any]) -> list[Any]:
        said = plain_answer(version, action, payload, next(numbers) if action == "StartTransaction" else 1)
        return [4, id, "NotImplemented", "", {}] if said is None else [3, id, said]

    return reply


def differing(version: str) -> Reply:
    """A CSMS that wants other heartbeats, knows fewer tokens and takes no data."""
    agrees = agreeing(version)

    def reply(id: str, action: str, payload: dict[str, Any]) -> list[Any] | None:
        answer = agrees(id, action, payload)
        assert answer is not None
        token = payload.get("idToken", {}).get("idToken", "")
        if action == "BootNotification" and answer[0] == 3:
            answer[2]["interval"] = 60
        if token.endswith(("1", "5")):
            answer[2]["idTokenInfo"] = {"status": "Blocked"}
        return answer

    return reply


def deaf(version: str) -> Reply:
    """A CSMS that does not answer what ends a transaction."""
    agrees = agreeing(version)
    return lambda id, action, payload: None if action == "StopTransaction" else agrees(id, action, payload)


class Csms(RawCsms):
    """Keeps its port while it is down: nobody else's server may answer in its place."""

    _kept: socket.socket | None = None

    async def start(self) -> None:
        if self._kept is not None:
            self._kept.close()
            self._kept = None
        await super().start()

    async def stop(self) -> None:
        await super().stop()
        if self._kept is None:
            self._kept = socket.socket()
            self._kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._kept.bind(("127.0.0.1", self.port))

    def gone(self) -> None:
        """The port is free again."""
        if self._kept is not None:
            self._kept.close()


class World:
    """`start` and `stop` once; `gateway`, `csms` and `chargers` may be played with."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.csms: dict[str, Csms] = {}
        self.stats = Stats(ms=[], actions={})
        self._living: list[asyncio.Task[None]] = []
        self.gateway: Gateway

    @property
    def address(self) -> str:
        """Of the admin port."""
        return f"http://127.0.0.1:{self.gateway.admin_port}"

    async def start(self) -> None:
        """Until every page has something to show."""
        replies = {"main": agreeing, "next": differing, "billing": deaf, "archive": agreeing}
        versions = {"main": "ocpp2.0.1", "next": "ocpp2.0.1", "billing": "ocpp1.6", "archive": "ocpp1.6"}
        for name, version in versions.items():
            self.csms[name] = Csms(version)
            self.csms[name].reply = replies[name](version)
            await self.csms[name].start()
        quick = {"reconnect_min": 0.2, "reconnect_max": 1}
        impatient = {"call_timeout": 0.3, "options": {"tx_attempts": 1, "tx_retry_interval": 0.1}}
        extra: dict[str, dict[str, Any]] = {"next": {"shadow": True}, "billing": impatient}
        self.gateway = Gateway(
            self._directory,
            {
                "upstreams": {
                    name: {"url": each.url, "version": each.version, **quick, **extra.get(name, {})}
                    for name, each in self.csms.items()
                },
                "routes": [
                    {"match": "HOME-*", "primary": "main", "mirrors": ["archive"], "primary_down": "buffer"},
                    {
                        "match": "*",
                        "primary": "main",
                        "mirrors": ["next", "billing", "archive"],
                        "primary_down": "buffer",
                    },
                ],
            },
        )
        await self.gateway.start()
        assert (await ask(self.gateway, "POST", "/api/v1/upstreams/archive/pause"))[0] == 200
        for identity, version in CHARGERS.items():
            profile = PROFILES[identity.split("-")[0]]
            charger = SimulatedCharger(self.gateway.url, identity, version, profile, self.stats, 1, frozenset())
            self._living.append(asyncio.create_task(charger.run()))
        await self.until("dead letters", self._has_letters)
        await self.csms["billing"].stop()
        await self.until("scores", self._has_scores)
        await self.until("a queue", self._has_queue)

    async def stop(self) -> None:
        """Everything that was started."""
        for each in self._living:
            each.cancel()
        await asyncio.gather(*self._living, return_exceptions=True)
        code = await self.gateway.stop() if hasattr(self, "gateway") else 0
        for csms in self.csms.values():
            await csms.stop()
            csms.gone()
        assert code == 0, self.gateway.tail()

    async def get(self, path: str) -> Any:
        """What the API says below /api/v1/."""
        status, said = await ask(self.gateway, "GET", f"/api/v1/{path}")
        assert status == 200, said
        return said

    async def upstream(self, name: str) -> dict[str, Any]:
        """One CSMS, as the API sees it."""
        found: dict[str, Any] = await self.get(f"upstreams/{name}")
        return found

    async def until(self, what: str, happens: Callable[[], Any], patience: float = PATIENCE) -> None:
        """Waits for a coroutine function to hold. Raises AssertionError."""
        try:
            async with asyncio.timeout(patience):
                while not await happens():  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"no {what} within {patience:g} s\n{self.gateway.tail()}") from None

    async def _has_letters(self) -> bool:
        return bool((await self.get("dead-letters"))["counts"]["billing"] >= 4)

    async def _has_scores(self) -> bool:
        chargers = (await self.get("shadow"))["chargers"]
        return sum(each["score"] is not None for each in chargers) >= 3

    async def _has_queue(self) -> bool:
        return bool((await self.upstream("billing"))["oldest_seconds"] > 1)


class Guarded:
    """A gateway without chargers whose operators have tokens."""

    def __init__(self, directory: Path) -> None:
        tokens = [{"name": scope, "hash": digest(token), "scope": scope} for scope, token in TOKENS.items()]
        self.gateway = Gateway(
            directory,
            {
                "admin": {"host": "127.0.0.1", "port": 0, "tokens": tokens},
                "upstreams": {"main": {"url": "ws://127.0.0.1:9/ocpp", "version": "ocpp2.0.1"}},
                "routes": [{"match": "*", "primary": "main"}],
            },
        )
        self.gateway.config["admin"]["port"] = self.gateway.admin_port

    @property
    def address(self) -> str:
        """Of the admin port."""
        return f"http://127.0.0.1:{self.gateway.admin_port}"
