"""What an operator does to one charger: disconnect, block, forget, ask it something. Works from any process of the fleet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from aiohttp import web
from msgspec.structs import replace

from gateway.config import Config
from gateway.fleet import ANSWER_SECONDS, Fleet, Refused
from gateway.journal.entry import ToCharger
from gateway.journal.errors import UnsafeStore
from gateway.journal.journal import Journal
from gateway.live import Live

from .chargers import found
from .commands import errors, refusal
from .directory import Directory, Registration, registration
from .table import CHANGE, SCOPE, Bad, Endpoint, Part, body_of, reply

LONGEST: Final = 300.0


class Kick(msgspec.Struct, forbid_unknown_fields=True):
    """How to disconnect a charger."""

    gentle: bool = False
    """Once no exchange is open, 10 s at the latest, with code 1012; else at once, with 1000."""
    reason: str = "disconnected by an operator"


class Kicked(msgspec.Struct):
    """The edge has been told."""

    charger: str
    edge: str
    epoch: int


class Forgot(msgspec.Struct):
    """What was deleted."""

    charger: str
    facts: int
    parked: int
    answers: int
    transactions: int


class Send(msgspec.Struct, forbid_unknown_fields=True):
    """A CALL to a charger."""

    action: str
    payload: dict[str, Any] = {}
    upstream: str = ""
    """As if this upstream had sent it, in its version: it is translated, and what that upstream may not send is refused.
    Empty: in the charger's version."""
    timeout: float = 30.0
    """Seconds for the charger to answer."""
    dry_run: bool = False
    """Only check."""
    unchecked: bool = False
    """Send it though the payload is not as OCPP wants; needs the scope admin."""


class Sent(msgspec.Struct):
    """What became of a CALL."""

    charger: str
    version: str
    """Of the payload."""
    action: str
    dry_run: bool
    errors: list[str]
    """What is wrong with the payload."""
    payload: Any = None
    """Of the answer."""
    error: dict[str, str] | None = None
    """`code` and `description` of a CALLERROR."""
    ms: int | None = None


class Acting(Part):
    """Endpoints below one charger."""

    def __init__(self, journal: Journal, config: Config, live: Live, directory: Directory, fleet: Fleet) -> None:
        self._journal = journal
        self._config = config
        self._live = live
        self._directory = directory
        self._fleet = fleet

    def endpoints(self) -> Sequence[Endpoint]:
        """Those that change something."""
        one = "/chargers/{charger}"
        return (
            Endpoint(
                "POST", f"{one}/kick", self._kick, "Close the charger's connection; it may come back", "operate",
                body=Kick, optional_body=True, answer=Kicked, refusals=(404, 409),
            ),
            Endpoint(
                "POST", f"{one}/block", self._block, "Let the charger in no more, and disconnect it", "admin",
                answer=Registration, refusals=(404, 409),
            ),
            Endpoint(
                "POST", f"{one}/unblock", self._unblock, "Let the charger in again", "admin",
                answer=Registration, refusals=(404, 409),
            ),
            Endpoint(
                "POST", f"{one}/forget", self._forget, "Delete what is kept of an absent charger", "admin",
                answer=Forgot, refusals=(404, 409),
            ),
            Endpoint(
                "POST", f"{one}/call", self._call, "Ask the charger something", "operate",
                body=Send, answer=Sent, refusals=(404, 409, 422, 504),
            ),
        )  # fmt: skip

    async def _kick(self, request: web.Request) -> web.Response:
        wanted: Kick = await body_of(request, Kick)
        home = await found(self._directory, request)
        if not home.edge:
            raise Bad(409, f"{home.id} is not connected")
        reason = wanted.reason.encode()[:120].decode(errors="ignore").encode()  # a close frame holds 123 bytes
        item = ToCharger(home.id, home.epoch, "close", reason, code=1012 if wanted.gentle else 1000)
        await self._journal.deliver(home.edge, [item])
        self._directory.look_again()
        return reply(Kicked(home.id, home.edge, home.epoch))

    async def _block(self, request: web.Request) -> web.Response:
        return await self._blocked(request, blocked=True)

    async def _unblock(self, request: web.Request) -> web.Response:
        return await self._blocked(request, blocked=False)

    async def _blocked(self, request: web.Request, *, blocked: bool) -> web.Response:
        charger, source = request.match_info["charger"], self._config.registry.source
        if source != "redis":
            raise Bad(409, f"registry.source is {source}: chargers are not kept in the store")
        registered = (await self._journal.registered([charger]))[charger.casefold()]
        if registered is None:
            raise Bad(404, f"{charger} is not registered")
        changed = replace(registered, blocked=blocked)
        await self._journal.register({charger: changed})
        request[CHANGE] |= {"before": {"blocked": registered.blocked}, "after": {"blocked": blocked}}
        self._directory.look_again()
        return reply(registration(changed))

    async def _forget(self, request: web.Request) -> web.Response:
        home = await found(self._directory, request)
        if home.edge:
            raise Bad(409, f"{home.id} is connected: disconnect it first, and keep it away")
        try:
            await self._fleet.ask_all("forget", charger=home.id)
            forgotten = await self._journal.forget(self._journal.partition(home.id), home.id)
        except (Refused, UnsafeStore) as error:
            raise Bad(409, str(error)) from None
        self._directory.look_again()
        return reply(Forgot(home.id, **forgotten))

    async def _call(self, request: web.Request) -> web.Response:
        wanted: Send = await body_of(request, Send)
        if not 0 < wanted.timeout <= LONGEST:
            raise Bad(400, f"timeout: must be more than 0 and at most {LONGEST:g}")
        home = await found(self._directory, request)
        line = (await self._directory.lines([home]))[0]
        upstreams = self._live.config.upstreams
        if wanted.upstream and wanted.upstream not in upstreams:
            raise Bad(422, f"no upstream has the name {wanted.upstream}")
        version = upstreams[wanted.upstream].version if wanted.upstream else line.version
        scope = request[SCOPE]
        if refused := refusal(version, wanted.action, scope):
            raise Bad(403 if "scope" in refused else 422, refused)
        payload = msgspec.json.encode(wanted.payload)
        wrong = errors(version, wanted.action, payload)
        if wanted.dry_run:
            return reply(Sent(home.id, version, wanted.action, True, wrong))
        if wrong and not (wanted.unchecked and scope == "admin"):
            raise Bad(422, *wrong)
        if not home.edge:
            raise Bad(409, f"{home.id} is not connected")
        try:
            answers, silent = await self._fleet.ask_all(
                "send", wanted.timeout + ANSWER_SECONDS, charger=home.id, action=wanted.action, payload=payload,
                upstream=wanted.upstream, seconds=wanted.timeout,
            )  # fmt: skip
        except Refused as no:
            raise Bad(504 if "in time" in str(no) else 409, str(no)) from None
        answer = next((each for each in answers.values() if each is not None), None)
        if answer is None:
            missing = f"; no answer from {', '.join(silent)}" if silent else ""
            raise Bad(409, f"no hub has {home.id} now{missing}")
        said = Sent(home.id, version, wanted.action, False, wrong, ms=answer["ms"], error=answer.get("error"))
        if "payload" in answer:
            said.payload = msgspec.json.decode(answer["payload"])
        return reply(said)
