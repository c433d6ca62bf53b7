"""/api/v1/wire-logs: the frames of some chargers in the logs of the processes, for a limited time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from aiohttp import web

from gateway.fleet import Fleet, Refused
from gateway.wirelog import LONGEST, WireLogs

from .table import Bad, Endpoint, Part, body_of, reply


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """Whose frames are logged, and for how long."""

    match: str
    """An identity, a glob or `re:`."""
    seconds: float = 600
    """From now on, at most a day; 0: no more."""


class WireLog(msgspec.Struct):
    """One that goes on in a process."""

    process: str
    match: str
    seconds: float
    """Left."""
    frames: int
    """Written so far."""


class Logging(msgspec.Struct):
    """All that go on."""

    wire_logs: list[WireLog]
    silent: list[str]


class Logs(Part):
    """Asks everyone; answers for this process."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self.local = WireLogs()
        fleet.replies |= {"wire_log": self._start_here, "wire_logs": self._running_here}

    def endpoints(self) -> Sequence[Endpoint]:
        """Of the wire logs."""
        return (
            Endpoint("GET", "/wire-logs", self._list, "Whose frames are logged now", answer=Logging),
            Endpoint(
                "PUT", "/wire-logs", self._start, "Log every frame of some chargers for some time, without secrets", "operate",
                body=Wanted, answer=Logging, refusals=(409,),
            ),
        )  # fmt: skip

    async def _list(self, _request: web.Request) -> web.Response:
        return reply(await self._all())

    async def _start(self, request: web.Request) -> web.Response:
        wanted: Wanted = await body_of(request, Wanted)
        if not 0 <= wanted.seconds <= LONGEST:
            raise Bad(400, f"seconds: from 0 to {LONGEST:.0f}")
        try:
            await self._fleet.ask_all("wire_log", match=wanted.match, seconds=wanted.seconds)
        except Refused as error:
            raise Bad(409, str(error)) from None
        return reply(await self._all())

    async def _all(self) -> Logging:
        answers, silent = await self._fleet.ask_all("wire_logs")
        return Logging([WireLog(name, **each) for name, all_ in sorted(answers.items()) for each in all_], silent)

    async def _start_here(self, arguments: dict[str, Any]) -> Any:
        try:
            self.local.start(str(arguments["match"]), float(arguments["seconds"]))
        except ValueError as error:
            raise Refused(str(error)) from None
        return True

    async def _running_here(self, _: dict[str, Any]) -> Any:
        return msgspec.to_builtins(self.local.running())
