"""What operators ask of a hub: how a charger's session and its links are, CALLs in the name of nobody or of an upstream."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gateway.clock import now_ms
from gateway.fleet import Refused, Reply
from gateway.ids import new_id
from gateway.journal.journal import Journal
from gateway.routes import facts_of
from translators import transaction_ids
from translators.frames import Call, Error, Result, decode

from .census import Census
from .link import Link
from .partition import Partition
from .session import Session
from .sessions import Sessions
from .shared import FIELD, Shared
from .shared import decode as decode_shared
from .sockets import BACK_PER_SECOND
from .trying import attempt
from .turn import Turn

OPERATOR: Final = "\n"
"""Source of an operator's CALLs in a session's lane: no upstream has this name."""
ERRORS_MOST: Final = 5


class Operations:
    """Answers for one hub. A question about a charger that another hub has is answered with None."""

    def __init__(
        self, journal: Journal, partitions: Mapping[int, Partition], sessions: Sessions, turn: Turn, census: Census
    ) -> None:
        self._journal = journal
        self._census = census
        self._partitions = partitions
        self._sessions = sessions
        self._turn = turn
        self._waiting: dict[str, asyncio.Future[Result | Error | None]] = {}

    @property
    def replies(self) -> dict[str, Reply]:
        """For `Fleet.replies`."""
        return {
            "charger": self._charger,
            "upstreams": self._upstreams,
            "reconnect": self._reconnect,
            "send": self._send,
            "test": self._test,
            "forget": self._forget,
        }

    # -- looking -----------------------------------------------------------------------------------------------------

    async def _charger(self, arguments: dict[str, Any]) -> Any:
        found = self._find(str(arguments["charger"]))
        if found is None:
            return None
        _, session = found
        lane = session.lane
        return {
            "edge": session.edge,
            "epoch": session.epoch,
            "version": session.version,
            "opened_at": session.opened_at,
            "absent_since": session.absent_since,
            "command": {"open": lane.open_id, "source": lane.open_source.strip(), "waiting": len(lane)},
            "upstreams": {name: self._link(link) for name, link in session.links.items()},
        }

    def _link(self, link: Link) -> dict[str, Any]:
        upstream = self._turn.upstreams.get(link)
        return {
            "version": link.versions[1],
            "role": "primary" if link.primary else "mirror",
            "answers": link.answers,
            "may_command": link.may_command,
            "leaving": link.leaving,
            "state": "idle" if upstream is None else upstream.state,
            "last_error": "" if upstream is None else upstream.last_error,
            "down_since": link.down_since,
            "refuses": link.barred,
            "backlog": len(link.backlog),
            "transactions": msgspec.to_builtins(transaction_ids.of(link.translator)),
            "parked_bytes": 0 if link.lot is None else link.lot.size,
            "told": [
                {"action": each.call.action, "received_at": each.entry.head.received_at, "failures": each.failures}
                for each in link.under_way
            ],
        }

    async def _upstreams(self, _: dict[str, Any]) -> Any:
        states: dict[str, Counter[str]] = {}
        errors: dict[str, Counter[str]] = {}
        for upstream in list(self._turn.upstreams.values()):
            states.setdefault(upstream.name, Counter())[upstream.state] += 1
            if upstream.last_error and upstream.state != "connected":
                errors.setdefault(upstream.name, Counter())[upstream.last_error] += 1
        found = {}
        for name in {*states, *self._sessions.config.upstreams}:
            waiting = self._census.waiting(name)
            found[name] = {
                "sessions": dict(states.get(name, {})),
                "errors": [
                    {"reason": reason, "sessions": count}
                    for reason, count in errors.get(name, Counter()).most_common(ERRORS_MOST)
                ],
                "messages": waiting.messages,
                "oldest_ms": waiting.oldest_ms,
                "billing": waiting.billing,
                "billing_ms": waiting.billing_ms,
            }
        return found

    # -- acting ------------------------------------------------------------------------------------------------------

    async def _reconnect(self, arguments: dict[str, Any]) -> Any:
        """Close every socket to an upstream, not all in the same moment; they are dialled again. Gives how many."""
        name, charger = str(arguments["upstream"]), str(arguments.get("charger", "")).casefold()
        chosen = [
            each
            for each in self._turn.upstreams.values()
            if each.name == name and charger in ("", each.charger.casefold())
        ]
        loop = asyncio.get_running_loop()
        for each in chosen:
            if each.state == "backoff":
                each.hurry()
            else:
                loop.call_later(random.uniform(0, len(chosen) / BACK_PER_SECOND), each.reconnect)
        return len(chosen)

    async def _test(self, arguments: dict[str, Any]) -> Any:
        """Dial an upstream as a charger."""
        settings = self._sessions.config.upstreams.get(str(arguments["upstream"]))
        if settings is None:
            raise Refused("no such upstream")
        return await attempt(settings, str(arguments["charger"]), self._sessions.wheel, self._sessions.contexts)

    async def _send(self, arguments: dict[str, Any]) -> Any:
        """Ask the charger something; its answer as a frame and the milliseconds that it took."""
        found = self._find(str(arguments["charger"]))
        if found is None:
            return None
        partition, session = found
        if not session.edge:
            raise Refused("the charger is not connected")
        seconds, name = float(arguments["seconds"]), str(arguments.get("upstream", ""))
        call = Call(new_id(), str(arguments["action"]), msgspec.Raw(arguments["payload"]))
        begun = now_ms()
        answer: asyncio.Future[Result | Error | None] = asyncio.get_running_loop().create_future()
        self._waiting[call.id] = answer
        try:
            if name:
                self._as_upstream(session, name, call)
            else:
                session.operator = self._answered
                if not session.lane.offer(call, OPERATOR, round(seconds * 1000)):
                    raise Refused("too many CALLs wait for this charger")
                session.tick(begun)
            self._turn.touched(partition, session)
            async with asyncio.timeout(seconds):
                frame = await answer
        except TimeoutError:
            frame = None
        finally:
            del self._waiting[call.id]
        if frame is None:
            raise Refused("the charger did not answer in time: nobody knows whether it did what it was asked")
        ms = now_ms() - begun
        if isinstance(frame, Error):
            return {"error": {"code": frame.code, "description": frame.description}, "ms": ms}
        return {"payload": bytes(frame.payload).decode(), "ms": ms}

    def _as_upstream(self, session: Session, name: str, call: Call) -> None:
        link = session.links.get(name)
        if link is None:
            raise Refused(f"the charger's route does not go to {name}")
        upstream = self._turn.upstreams.get(link)
        if upstream is None or upstream.state != "connected":
            raise Refused(f"the charger has no connection to {name} now")

        def taken(data: bytes) -> None:
            frame = decode(data)
            if not isinstance(frame, Call):
                self._answered(frame.id, frame)

        upstream.divert(call.id, taken)
        session.from_upstream(name, call, now_ms())

    def _answered(self, id: str, frame: Result | Error | None) -> None:
        waiting = self._waiting.get(id)
        if waiting is not None and not waiting.done():
            waiting.set_result(frame)

    async def _forget(self, arguments: dict[str, Any]) -> Any:
        """Let an absent charger's session go, so that what is stored of it can be deleted."""
        found = self._find(str(arguments["charger"]))
        if found is None:
            return None
        partition, session = found
        if session.edge:
            raise Refused("the charger is connected")
        del partition.sessions[session.charger.casefold()]
        self._sessions.close(session)
        return True

    def _find(self, charger: str) -> tuple[Partition, Session] | None:
        partition = self._partitions.get(self._journal.partition(charger))
        session = None if partition is None else partition.sessions.get(charger.casefold())
        return None if partition is None or session is None or partition.failed else (partition, session)


def known(stored: bytes) -> dict[str, Any]:
    """What the facts `shared` of a charger say: what it is, its connectors, its open transactions."""
    try:
        shared = decode_shared(stored)
    except (ValueError, msgspec.MsgspecError):
        shared = Shared()
    facts = facts_of(shared.version, shared.boot)
    return {
        "id": shared.id,
        "version": shared.version,
        "vendor": facts.vendor,
        "model": facts.model,
        "firmware": facts.firmware,
        "connectors": {where: _status(payload) for where, payload in shared.statuses.items()},
        "transactions": [
            {"id": each.id or each.number, "by": each.by, "minted": each.minted, "entry": each.entry}
            for each in shared.open
        ],
    }


KNOWN: Final = FIELD
"""Field of a charger's facts that `known` reads."""


class _Status(msgspec.Struct):
    status: str = ""
    connectorStatus: str = ""
    errorCode: str = ""


def _status(payload: bytes) -> dict[str, str]:
    try:
        said = msgspec.json.decode(payload, type=_Status)
    except msgspec.MsgspecError:
        return {"status": "", "error": ""}
    return {"status": said.status or said.connectorStatus, "error": said.errorCode}
