"""A living system: a gateway, a 2.0.1 CSMS, a 1.6 CSMS that is its shadow, and chargers of several versions at work."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import sys
import threading
from collections.abc import AsyncIterator
from typing import Any, Final

from websockets.exceptions import ConnectionClosed

from gateway.admin.guard import digest
from gateway.demo.child import Child, Failed
from gateway.simulator.csms import DemoCsms, NoStation
from gateway.simulator.orders import BadOrder, obeyed
from gateway.simulator.swarm import swarm

CARDS: Final = {f"TAG{number:05}": "Accepted" for number in range(1, 100)}
OUTDATED: Final = {f"TAG{number:05}": "Blocked" for number in range(7, 100, 10)}
"""The old CSMS has not heard that these cards may be used again: the shadow comparison shows it."""
VERSIONS: Final = ("ocpp1.6", "ocpp1.6", "ocpp2.0.1", "ocpp1.5")


def run(chargers: int, speed: float, *, browser: bool) -> int:
    """Returns the exit code."""
    try:
        return asyncio.run(_Living(chargers, speed, browser).run())
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 0


class _Living:
    def __init__(self, chargers: int, speed: float, browser: bool) -> None:
        self._count, self._speed, self._browser = chargers, speed, browser
        self._main = DemoCsms(["ocpp2.0.1"], cards=dict(CARDS))
        self._old = DemoCsms(["ocpp1.6"], cards={**CARDS, **OUTDATED})
        self._child = Child(lambda _event: None)

    async def run(self) -> int:
        """Everything that was started is gone afterwards, however it ends."""
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        names = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        for name in names:
            loop.add_signal_handler(name, task.cancel)
        try:
            await self._live()
        except Failed as failed:
            print(f"{failed}; its last words:", *self._child.log, sep="\n  ", file=sys.stderr, flush=True)
            return 1
        finally:
            for name in names:
                loop.add_signal_handler(name, lambda: None)
            print("stopping", file=sys.stderr, flush=True)
            await self._child.stop()
            await self._main.stop()
            await self._old.stop()
        return 0

    async def _live(self) -> None:
        await self._main.start()
        await self._old.start()
        token = secrets.token_urlsafe(24)
        await self._child.start(self._main.port, usual_ports=True, more=self._config(token))
        address = f"{self._child.admin_url}/console/#token={token}"
        print(f"console    {address}")
        print(f"token      {token}   (for OCPPGW_TOKEN too)")
        if self._child.admin_port != 9001:
            print(f"server     {self._child.admin_url}   (for OCPPGW_SERVER)")
        print(f"chargers   {self._child.charger_url}/<charger id>   connect one of yours, with 1.5, 1.6 or 2.0.1")
        print("Type `help` to see what the CSMS can be told. Ctrl-C ends the demo.", flush=True)
        if self._browser and display():
            import webbrowser

            await asyncio.to_thread(webbrowser.open, address)
        work = [asyncio.create_task(each) for each in (self._fleet(), self._orders(), self._child.ended())]
        try:
            await asyncio.wait(work, return_when=asyncio.FIRST_EXCEPTION)
            for each in work:
                if each.done():
                    each.result()
        finally:
            for each in work:
                each.cancel()
            await asyncio.gather(*work, return_exceptions=True)

    def _config(self, token: str) -> dict[str, Any]:
        common = {"linger": 5, "reconnect_max": 2}
        return {
            "admin": {"tokens": [{"name": "demo", "scope": "admin", "hash": digest(token)}]},
            "upstreams": {
                "new": {"url": f"ws://127.0.0.1:{self._main.port}", "version": "ocpp2.0.1", **common},
                "old": {"url": f"ws://127.0.0.1:{self._old.port}", "version": "ocpp1.6", "shadow": True, **common},
            },
            "routes": [{"match": "*", "primary": "new", "mirrors": ["old"]}],
            "log": {"level": "info", "format": "json"},
        }

    async def _fleet(self) -> None:
        """A third of the chargers each at home, at a depot and beside a highway, where there is most to see."""
        parts = {"highway": self._count - 2 * (self._count // 3), "home": self._count // 3, "depot": self._count // 3}
        await asyncio.gather(
            *(
                swarm(
                    self._child.charger_url, count, profile=profile, versions=list(VERSIONS), speed=self._speed,
                    rate=5, seconds=0, prefix=f"{profile.upper()}-", quirks=frozenset(), told=lambda _stats: None,
                )
                for profile, count in parts.items() if count
            )
        )  # fmt: skip

    async def _orders(self) -> None:
        async for line in typed():
            if line.strip() == "quit":
                raise asyncio.CancelledError
            try:
                told = await obeyed(self._main, line)
            except (BadOrder, NoStation) as error:
                told = str(error)
            except (TimeoutError, ConnectionClosed):
                told = "no answer"
            if told:
                print(told, flush=True)


async def typed() -> AsyncIterator[str]:
    """Lines of standard input, until it ends; afterwards nothing, for ever."""
    loop, lines = asyncio.get_running_loop(), asyncio.Queue[str]()

    def read() -> None:  # in a thread: a terminal that is not blocking would not block for output either
        with contextlib.suppress(OSError, ValueError, RuntimeError):
            for line in sys.stdin:
                loop.call_soon_threadsafe(lines.put_nowait, line)

    if sys.stdin is not None and (not sys.stdin.isatty() or os.tcgetpgrp(0) == os.getpgrp()):
        threading.Thread(target=read, daemon=True).start()
    while True:
        yield await lines.get()


def display() -> bool:
    """Whether a browser could show something."""
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
