"""The demo as a whole: starts everything, plays sessions, shows them, and clears up."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from typing import Any

from ocpp.exceptions import OCPPError
from websockets.exceptions import WebSocketException

from gateway.demo.charger import Charger
from gateway.demo.child import Child, Failed
from gateway.demo.csms import Csms
from gateway.demo.pairing import Lost, Pairing
from gateway.demo.screen import BAD, FAINT, Screen
from gateway.demo.script import Session, Surprise
from gateway.demo.summary import Summary, histogram
from gateway.demo.tap import Seen

IDENTITY = "DEMO-16"
INTERVAL = 60
"""From the end of a session to the next, s."""
PAUSE = 0.7
"""Between two steps on a terminal, s."""
PLAIN_PAUSE = 0.15
"""Between two steps elsewhere, s."""
REFRESH = 0.04


def run(*, once: bool, plain: bool) -> int:
    """Returns the exit code. An interrupted demo has done its work, unless it was to play one whole session."""
    try:
        return asyncio.run(Demo(once=once, plain=plain).run())
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130 if once else 0


class Demo:
    """The tasks of the demo's process; the gateway is a child."""

    def __init__(self, *, once: bool, plain: bool) -> None:
        self._once = once
        self._screen = Screen(plain=plain, demo=IDENTITY)
        self._pairing = Pairing()
        self._summary = Summary(IDENTITY)
        self._csms = Csms(self._see)
        self._child = Child(self._log)
        self._number = 0
        self._status = ""

    async def run(self) -> int:
        """Everything that was started is gone afterwards, however it ends."""
        task = asyncio.current_task()
        assert task is not None
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(name, task.cancel)
        with self._screen:
            showing = asyncio.create_task(self._show())
            try:
                return await self._main()
            except Failed as failed:
                self._screen.line(f"{failed}; its last words:", BAD)
                for line in self._child.log:
                    self._screen.line(f"  {line}")
                return 1
            finally:
                self._status = "stopping"
                for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                    asyncio.get_running_loop().add_signal_handler(name, lambda: None)
                await self._child.stop()
                await self._csms.stop()
                showing.cancel()
                await asyncio.gather(showing, return_exceptions=True)

    async def _main(self) -> int:
        self._status = "starting the gateway and its store"
        await self._csms.start()
        await self._child.start(self._csms.port, usual_ports=not self._once)
        self._introduce()
        charger = Charger(self._child.charger_url, IDENTITY, self._see)
        code = 0
        while True:
            self._number += 1
            code = max(code, await self._session(charger))
            if self._once:
                return code
            await self._unless_ended(self._wait())

    def _introduce(self) -> None:
        line, signs, child = self._screen.line, self._screen.signs, self._child
        line("ocpp-gateway demo", "bold")
        line(f"  chargers   {child.charger_url}/<charger id>   OCPP 1.6; connect one of yours, the CSMS accepts it")
        line(f"  metrics    {child.admin_url}/metrics")
        line(f"  readiness  {child.admin_url}/readyz")
        line(
            f"  Left: the charger. Right: the CSMS. {signs.lost} below a message: what its translation lost or invented.",
            FAINT,
        )
        line("  A session takes seconds here: the meter runs ahead of the clock.", FAINT)

    async def _session(self, charger: Charger) -> int:
        self._summary = summary = Summary(IDENTITY)
        how = "started by the CSMS" if self._number % 2 else "started by the driver's card"
        self._screen.heading(f"Session {self._number}, {how}")
        self._screen.since = time.perf_counter()
        self._status = f"session {self._number} is playing"
        pause = PLAIN_PAUSE if self._screen.plain else PAUSE
        problem = ""
        try:
            await self._unless_ended(Session(self._number, charger, self._csms, pause).play())
        except TimeoutError as late:
            problem = f"no answer in time {late}".strip()
        except (Surprise, OSError, WebSocketException, OCPPError) as error:
            problem = f"{type(error).__name__}: {error}"
        await asyncio.sleep(0.5)  # the last rows and losses
        self._flush(everything=True)
        with contextlib.suppress(OSError, TimeoutError, IndexError, ValueError):
            summary.translation = histogram((await self._child.get("/metrics"))[1])
        faults = [problem] if problem else summary.faults()
        self._screen.summary(summary, f"Session {self._number} in figures", faults)
        for line in self._child.log if faults else ():
            self._screen.line(f"  gateway: {line}", FAINT)
        return 1 if faults else 0

    async def _unless_ended(self, play: Any) -> None:
        """Awaits `play`, but not beyond the gateway's end. Raises Failed, and what `play` raises."""
        playing, ended = asyncio.ensure_future(play), asyncio.create_task(self._child.ended())
        try:
            await asyncio.wait((playing, ended), return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                ended.result()
            await playing
        finally:
            playing.cancel()
            ended.cancel()
            await asyncio.gather(playing, ended, return_exceptions=True)

    async def _wait(self) -> None:
        self._screen.line()
        self._screen.line(f"  Next session in {INTERVAL} s. Ctrl-C ends the demo.", FAINT)
        self._screen.line(
            f"  Chargers: {self._child.charger_url}/<charger id>   Metrics: {self._child.admin_url}/metrics", FAINT
        )
        for left in range(INTERVAL, 0, -1):
            self._status = f"next session in {left} s"
            await asyncio.sleep(1)

    async def _show(self) -> None:
        while True:
            self._flush()
            self._screen.now(f"{self._status} {self._screen.signs.dot} Ctrl-C ends the demo")
            await asyncio.sleep(REFRESH)

    def _flush(self, *, everything: bool = False) -> None:
        for row in self._pairing.due(time.perf_counter(), everything=everything):
            self._screen.row(row)
            if row.seen[0].charger == IDENTITY:
                self._summary.rows.append(row)

    def _see(self, seen: Seen) -> None:
        self._pairing.add(seen)
        if seen.charger == IDENTITY:
            self._summary.seen.append(seen)

    def _log(self, event: dict[str, Any]) -> None:
        if event.get("event") == "translation_losses":
            lost = Lost.of(event)
            self._pairing.lose(lost)
            if lost.charger == IDENTITY:
                self._summary.lose(lost)
