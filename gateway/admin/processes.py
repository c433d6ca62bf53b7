"""/api/v1/processes and /api/v1/log-level: the fleet itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal

import msgspec
from aiohttp import web

from gateway.fleet import Fleet, NoAnswer, Refused
from gateway.live import Live

from .directory import Directory
from .table import Bad, Endpoint, Part, Query, body_of, reply

Level = Literal["debug", "info", "warning", "error"]


class Process(msgspec.Struct):
    """One process of the fleet."""

    name: str
    host: str
    pid: int
    version: str
    roles: list[str]
    started_at: str
    edge: str
    """Its incarnation, as in `edge` of a charger; empty: it is no edge."""
    chargers: int
    partitions: list[int]
    """That its hub owns."""
    draining: bool
    unready: list[str]
    """Why chargers cannot connect now."""
    log_level: str


class Fleeting(msgspec.Struct):
    """All that live."""

    processes: list[Process]
    silent: list[str]


class LevelWanted(msgspec.Struct, forbid_unknown_fields=True):
    """How much is logged, until the next change of the configuration's `log` or the next start."""

    level: Level
    process: str = ""
    """Only there; empty: everywhere."""


class LevelSet(msgspec.Struct):
    """Who logs so now."""

    level: Level
    processes: list[str]
    silent: list[str]


class DrainWanted(msgspec.Struct, forbid_unknown_fields=True):
    """How a process ends."""

    rate: Annotated[float, msgspec.Meta(ge=0)] = 0
    """Chargers that are closed per second; 0: `drain.close_rate`."""


class Draining(msgspec.Struct):
    """A process that ends: it lets go of its chargers and partitions gently, then exits."""

    process: str


class Names(msgspec.Struct):
    """In order, not too many."""

    names: list[str]


_NAMES: Final = (
    Query("kind", "Of what.", choices=("chargers", "upstreams", "processes")),
    Query("prefix", "How they begin, in upper or lower case."),
)
NAMES_MOST: Final = 200


class Processes(Part):
    """Asks everyone."""

    def __init__(self, fleet: Fleet, directory: Directory, live: Live) -> None:
        self._fleet = fleet
        self._directory = directory
        self._live = live

    def endpoints(self) -> Sequence[Endpoint]:
        """Of the fleet."""
        return (
            Endpoint("GET", "/processes", self._list, "The processes of the fleet", answer=Fleeting),
            Endpoint(
                "POST", "/processes/{process}/drain", self._drain, "End a process gently, as SIGTERM does", "admin",
                body=DrainWanted, optional_body=True, answer=Draining, status=202, refusals=(404, 504),
            ),
            Endpoint("GET", "/names", self._names, "Names for completion", query=_NAMES, answer=Names),
            Endpoint(
                "PUT", "/log-level", self._level, "Log more, or less", "operate",
                body=LevelWanted, answer=LevelSet, refusals=(404, 504),
            ),
        )  # fmt: skip

    async def _list(self, _request: web.Request) -> web.Response:
        answers, silent = await self._fleet.ask_all("who")
        return reply(Fleeting([Process(name, **said) for name, said in sorted(answers.items())], silent))

    async def _names(self, request: web.Request) -> web.Response:
        kind, prefix = request.query.get("kind", "chargers"), request.query.get("prefix", "").casefold()
        if kind == "chargers":
            everyone = await self._directory.everyone()
            homes = [everyone[folded] for folded in sorted(everyone) if folded.startswith(prefix)]
            found = [each.id for each in await self._directory.lines(homes[:NAMES_MOST])]  # as they spell themselves
        elif kind == "upstreams":
            found = [name for name in self._live.config.upstreams if name.casefold().startswith(prefix)]
        elif kind == "processes":
            found = [name for name in await self._fleet.processes() if name.casefold().startswith(prefix)]
        else:
            raise Bad(400, "kind: chargers, upstreams or processes")
        return reply(Names(sorted(found, key=str.casefold)[:NAMES_MOST]))

    async def _drain(self, request: web.Request) -> web.Response:
        wanted: DrainWanted = await body_of(request, DrainWanted)
        process = request.match_info["process"]
        if process not in await self._fleet.processes():
            raise Bad(404, f"no process has the name {process}")
        try:
            await self._fleet.ask(process, "drain", rate=wanted.rate)
        except (NoAnswer, Refused) as error:
            raise Bad(504, str(error)) from None
        return reply(Draining(process), 202)

    async def _level(self, request: web.Request) -> web.Response:
        wanted: LevelWanted = await body_of(request, LevelWanted)
        if wanted.process:
            if wanted.process not in await self._fleet.processes():
                raise Bad(404, f"no process has the name {wanted.process}")
            try:
                await self._fleet.ask(wanted.process, "log_level", level=wanted.level)
            except (NoAnswer, Refused) as error:
                raise Bad(504, str(error)) from None
            return reply(LevelSet(wanted.level, [wanted.process], []))
        answers, silent = await self._fleet.ask_all("log_level", level=wanted.level)
        return reply(LevelSet(wanted.level, sorted(answers), silent))
