"""/api/v1/config: what is in force in each process of the fleet, and all of them told to read their files again.

Each process reads a file of its own, so one of them may refuse what the others take, and two may have taken different ones.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from gateway.config import Config
from gateway.config_print import fixed, flat
from gateway.fleet import Fleet, NoAnswer, Refused
from gateway.live import Live, changes

from .table import Bad, Endpoint, Part, Query, reply

READ_SECONDS: Final = 10.0
"""For a process to read its files: certificates and lists of passwords may be among them."""


class Had(msgspec.Struct):
    """What one process has."""

    name: str
    digest: str
    """Of all keys that a reload can change, as they are shown here: equal digests are equal configurations, but for secrets of the
    same length."""


class Shown(msgspec.Struct):
    """What is in force in one process, and who has the same."""

    process: str
    config: dict[str, str]
    """Key -> value as in the file, secrets hidden."""
    processes: list[Had]
    silent: list[str]


class Tried(msgspec.Struct):
    """What one process would do."""

    name: str
    ok: bool
    errors: list[str]
    changed: list[str]
    """Keys."""
    digest: str
    """Of what it has now."""


class Checked(msgspec.Struct):
    """What a reload would do."""

    ok: bool
    """In all processes."""
    errors: list[str]
    """Of all processes; in a fleet with the name of the process before each."""
    changed: list[str]
    """Keys that would change somewhere."""
    processes: list[Tried]
    silent: list[str]


class Loaded(msgspec.Struct):
    """What one process did."""

    name: str
    reloaded: bool
    """Whether it has in force what its file says."""
    errors: list[str]
    """Why it keeps what it had."""
    changed: list[str]
    """Keys; none when it had read the file by itself before."""
    digest: str
    """Of what it has now."""


class Reloaded(msgspec.Struct):
    """Whether the configuration is in force."""

    reloaded: bool
    """In all processes."""
    errors: list[str]
    """Of all processes; in a fleet with the name of the process before each."""
    processes: list[Loaded]
    """While the store is away only the one that was asked."""
    silent: list[str]
    """What these have is not known."""


class Configuring(Part):
    """Asks everyone; answers the others, by `fleet.replies`."""

    def __init__(self, live: Live, fleet: Fleet) -> None:
        self._live = live
        self._fleet = fleet
        fleet.replies |= {"config": self._has, "config_check": self._tries, "config_reload": self._loads}

    def endpoints(self) -> Sequence[Endpoint]:
        """Looking, trying, doing."""
        whose = Query("process", "Whose is shown; without it that of the process that is asked.")
        return (
            Endpoint(
                "GET", "/config", self._show, "What is in force, secrets hidden, and which processes have the same",
                query=(whose,), answer=Shown, refusals=(404, 504),
            ),
            Endpoint("GET", "/config/check", self._check, "What a reload would say and change", answer=Checked),
            Endpoint(
                "POST", "/config/reload", self._reload, "Let every process read its configuration again", "operate",
                answer=Reloaded, refusals=(422, 504),
            ),
        )  # fmt: skip

    async def _show(self, request: web.Request) -> web.Response:
        whose = request.query.get("process") or self._fleet.name
        if whose not in await self._fleet.processes():
            raise Bad(404, f"no process has the name {whose}")
        answers, silent = await self._everyone("config")
        if whose not in answers:
            raise Bad(504, f"{whose} does not say what it has")
        has = [Had(name, said["digest"]) for name, said in answers.items()]
        return reply(Shown(whose, answers[whose]["config"], has, silent))

    async def _check(self, _request: web.Request) -> web.Response:
        """Reads the files and changes nothing."""
        answers, silent = await self._everyone("config_check")
        said = [Tried(name, **each) for name, each in answers.items()]
        errors = _errors({each.name: each.errors for each in said})
        changed = list(dict.fromkeys(key for each in said for key in each.changed))
        return reply(Checked(not errors and not silent, errors, changed, said, silent))

    async def _reload(self, _request: web.Request) -> web.Response:
        """200 when every process has what its file says; 422 when one keeps its old configuration; 504 when one does not answer."""
        answers, silent = await self._everyone("config_reload")
        said = [Loaded(name, **each) for name, each in answers.items()]
        errors = _errors({each.name: each.errors for each in said})
        status = 422 if errors else 504 if silent else 200
        errors += [f"{name}: no answer; what it has is not known" for name in silent]
        return reply(Reloaded(not errors, errors, said, silent), status)

    async def _everyone(self, what: str) -> tuple[dict[str, Any], list[str]]:
        """(process -> what it says; those that say nothing: an older release, which knows no such question, among them)."""
        names = await self._fleet.processes()
        said = dict(zip(names, await asyncio.gather(*(self._one(name, what) for name in names)), strict=True))
        return {name: each for name, each in said.items() if each is not None}, [n for n in names if said[n] is None]

    async def _one(self, name: str, what: str) -> Any:
        try:
            return await self._fleet.ask(name, what, READ_SECONDS)
        except (NoAnswer, Refused):
            return None

    # -- what each of them does --------------------------------------------------------------------------------------

    async def _has(self, _: dict[str, Any]) -> Any:
        config = self._live.config
        return {"config": flat(config), "digest": digest(config)}

    async def _tries(self, _: dict[str, Any]) -> Any:
        errors, changed = await self._live.check()
        return {"ok": not errors, "errors": errors, "changed": changed, "digest": digest(self._live.config)}

    async def _loads(self, _: dict[str, Any]) -> Any:
        before = self._live.config
        errors = await self._live.reload()
        now = self._live.config
        return {"reloaded": not errors, "errors": errors, "changed": changes(before, now), "digest": digest(now)}


def digest(config: Config) -> str:
    """Equal for processes that a reload has given the same. What differs from process to process by its nature, such as ports, is
    among the keys that no reload changes and does not count; secrets are hidden, so that nobody can try them on the digest."""
    free = {key: value for key, value in flat(config).items() if not fixed(key)}
    return hashlib.sha256(msgspec.json.encode(sorted(free.items()))).hexdigest()[:12]


def _errors(said: dict[str, list[str]]) -> list[str]:
    """In a fleet it matters whose they are."""
    if len(said) == 1:
        return [error for errors in said.values() for error in errors]
    return [f"{name}: {error}" for name, errors in said.items() for error in errors]
