"""Live frames as server-sent events: what chargers and CSMSs say now, both legs, each frame with what its translation lost.

Events: `begin`, then `frame` and `state` (a connection came or went) as they come, and `gap` wherever frames are missing.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections import OrderedDict, deque
from collections.abc import Callable, Container, Sequence
from typing import Any, Final

import msgspec
import structlog
from aiohttp import web

from gateway import tap
from gateway.fleet import Fleet, Refused
from gateway.journal.journal import Journal
from gateway.redact import hidden
from translators.values import format_time

from .earlier import earlier
from .table import SCOPE, WHO, Bad, Endpoint, Part, Query, flag, number

log = structlog.get_logger(__name__)

RENEW_SECONDS: Final = 5.0
QUIET_SECONDS: Final = 10.0
"""Without an event, a comment is sent: balancers close what is silent."""
WAITING: Final = 2000
"""Events that wait for a slow reader."""
REMEMBERED: Final = 5000


class Lost(msgspec.Struct):
    """What a translation lost."""

    field: str
    kind: str


class Frame(msgspec.Struct, omit_defaults=False):
    """Event `frame`."""

    at: str
    """When it came, or was sent; UTC."""
    charger: str
    leg: str
    """`charger` or `csms`."""
    upstream: str
    """Of the leg `csms`."""
    direction: str
    """`in`: from the peer to the gateway."""
    version: str
    kind: str
    """call, result, error, send"""
    action: str
    """Also of an answer, where it is known."""
    id: str
    """Message id on this leg."""
    exchange: str
    """The same for all frames on both legs that one CALL brought about; empty: not known."""
    frame: Any
    """Without secrets and tokens, unless `raw` was asked for; a text when it is no JSON or was cut."""
    size: int
    losses: list[Lost]
    ms: int | None
    """Of an answer: time since its CALL on this leg."""
    note: str


class State(msgspec.Struct):
    """Event `state`."""

    at: str
    charger: str
    leg: str
    upstream: str
    version: str
    note: str


class Gap(msgspec.Struct):
    """Event `gap`: frames are missing here."""

    lost: int | None
    """How many; None: nobody knows."""
    process: str
    why: str


class Begin(msgspec.Struct):
    """Event `begin`."""

    match: str
    processes: list[str]
    silent: list[str]
    frames_per_second: float


class Stream:
    """One reader. Frames come from any process; they are kept in the order in which they come."""

    def __init__(self, *, raw: bool, action: str, upstream: str, legs: frozenset[str]) -> None:
        self._raw = raw
        self._action = action
        self._upstream = upstream
        self._legs = legs
        self._waiting: deque[tuple[str, tap.Seen | Gap]] = deque()
        self._lost = 0
        self._news = asyncio.Event()
        self._exchanges: OrderedDict[str, None] = OrderedDict()
        """Those with a CALL of the action that is asked for."""
        self._told: frozenset[tuple[str, str]] = frozenset()
        """(charger, exchange) of the CALLs that were told as earlier ones."""

    def take(self, process: str, seen: list[tap.Seen], lost: int) -> None:
        """Frames of a process, of which so many were left out before these."""
        if lost:
            self._put(process, Gap(lost, process, "too many frames"))
        for each in seen:
            if self._fits(each):
                self._put(process, each)

    def earlier(self, seen: list[tap.Seen]) -> list[bytes]:
        """Events of what came before the watch began; what of it comes again as live is left out."""
        self._told = frozenset((each.charger, each.exchange) for each in seen if each.exchange)
        return [self._event(each) for each in seen if self._fits(each)]

    def gap(self, process: str, why: str) -> None:
        """What a process sees is missing."""
        self._put(process, Gap(None, process, why))

    async def next(self) -> list[bytes]:
        """Events as they are written; empty when there were none for a while."""
        if not self._waiting and not self._lost:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(QUIET_SECONDS):
                    await self._news.wait()
        self._news.clear()
        waiting, self._waiting = self._waiting, deque()
        events = [self._event(item) for _, item in waiting if not self._again(item)]
        if self._lost:
            events.append(event("gap", Gap(self._lost, "", "this reader is too slow")))
            self._lost = 0
        return events

    def _put(self, process: str, item: tap.Seen | Gap) -> None:
        if len(self._waiting) >= WAITING:
            self._lost += (item.lost or 0) if isinstance(item, Gap) else 1
            return
        self._waiting.append((process, item))
        self._news.set()

    def _again(self, item: tap.Seen | Gap) -> bool:
        return (
            bool(self._told)
            and isinstance(item, tap.Seen)
            and (item.leg, item.direction) == ("charger", "in")
            and (item.charger, item.exchange) in self._told
        )

    def _fits(self, seen: tap.Seen) -> bool:
        if seen.leg not in self._legs or (seen.leg == "csms" and self._upstream not in ("", seen.upstream)):
            return False
        if not self._action or not seen.direction:
            return True
        if seen.action == self._action and seen.exchange:
            self._exchanges[seen.exchange] = None
            if len(self._exchanges) > REMEMBERED:
                self._exchanges.popitem(last=False)
        return seen.action == self._action or seen.exchange in self._exchanges

    def _event(self, item: tap.Seen | Gap) -> bytes:
        if isinstance(item, Gap):
            return event("gap", item)
        at = format_time(item.at)
        if not item.direction:
            return event("state", State(at, item.charger, item.leg, item.upstream, item.version, item.note))
        kind, shown = self._shown(item)
        losses = [Lost(field, kind) for field, kind in item.losses]
        return event(
            "frame",
            Frame(
                at, item.charger, item.leg, item.upstream, item.direction, item.version, kind, item.action, item.id,
                item.exchange, shown, item.size, losses, item.ms if item.ms >= 0 else None, item.note,
            ),
        )  # fmt: skip

    def _shown(self, item: tap.Seen) -> tuple[str, Any]:
        """Kind and frame."""
        if item.size > len(item.data):
            return "", f"({item.size} bytes: too long to be shown)"
        try:
            frame = msgspec.json.decode(item.data)
        except (msgspec.MsgspecError, RecursionError):
            return "", item.data.decode(errors="replace") if self._raw else f"({item.size} bytes that are no JSON)"
        kind = (
            {2: "call", 3: "result", 4: "error", 5: "error", 6: "send"}.get(frame[0], "")
            if isinstance(frame, list) and frame
            else ""
        )
        return kind, frame if self._raw else hidden(frame, item.action)


def event(name: str, data: Any) -> bytes:
    """A server-sent event."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(data))


class Frames(Part):
    """The streams of one process."""

    def __init__(self, fleet: Fleet, journal: Journal, partitions: int, known: Callable[[], Container[str]]) -> None:
        """`known`: names of the upstreams."""
        self._fleet, self._journal, self._partitions, self._known = fleet, journal, partitions, known

    def endpoints(self) -> Sequence[Endpoint]:
        """Of one charger, and of several."""
        queries = (
            Query("action", "Only exchanges with a CALL of this action, in either version."),
            Query("upstream", "Of the leg to the CSMSs, only this one."),
            Query("leg", "Only this leg.", choices=("charger", "csms")),
            Query(
                "since",
                "Seconds: first what chargers have said since then, as far as the streams still have it: ten seconds or so, "
                "and whatever an upstream has not got yet.",
                "integer",
            ),
            Query("raw", "With secrets and tokens; needs the scope admin.", "boolean"),
        )
        match = Query("match", "Identity, glob or re: and a regular expression; all chargers without it.")
        return (
            Endpoint(
                "GET", "/frames", self._many, "Live frames of several chargers",
                query=(match, *queries), answer=Frame, streams=True,
            ),
            Endpoint(
                "GET", "/chargers/{charger}/frames", self._one, "Live frames of a charger",
                query=queries, answer=Frame, streams=True,
            ),
        )  # fmt: skip

    async def _one(self, request: web.Request) -> web.StreamResponse:
        charger = request.match_info["charger"]
        if any(char in charger for char in "*?[") or charger.startswith("re:"):
            charger = "".join(f"[{char}]" if char in "*?[" else char for char in charger)
        return await self._serve(request, charger)

    async def _many(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, request.query.get("match", "*") or "*")

    async def _serve(self, request: web.Request, match: str) -> web.StreamResponse:
        raw = flag(request, "raw")
        if raw and request[SCOPE] != "admin":
            raise Bad(403, "raw: the scope admin is needed")
        leg = request.query.get("leg", "")
        if leg not in ("", "charger", "csms"):
            raise Bad(400, "leg: charger or csms")
        legs = frozenset((leg,)) if leg else frozenset(("charger", "csms"))
        upstream = request.query.get("upstream", "")
        if upstream and upstream not in self._known():
            raise Bad(422, f"no upstream has the name {upstream}")
        stream = Stream(raw=raw, action=request.query.get("action", ""), upstream=upstream, legs=legs)
        ago = number(request, "since", 0, 0, 30 * 86400)
        id = uuid.uuid4().hex
        try:
            showing, silent = await self._fleet.watch(id, match, stream.take)
        except (Refused, ValueError) as error:
            await self._fleet.end_watch(id)
            raise Bad(422, str(error)) from None
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        )
        renewing: asyncio.Task[None] | None = None
        try:
            await response.prepare(request)
            if raw:
                log.warning("raw_frames", match=match, who=request[WHO])
            await response.write(event("begin", Begin(match, showing, silent, tap.RATE)))
            if ago and "charger" in legs:
                await response.write(
                    b"".join(stream.earlier(await earlier(self._journal, self._partitions, match, ago)))
                )
            renewing = asyncio.create_task(self._renew(id, match, stream, set(showing)))
            while True:
                events = await stream.next()
                await response.write(b"".join(events) if events else b": quiet\n\n")
        except ConnectionError:
            return response
        finally:
            if renewing is not None:
                renewing.cancel()
            await self._fleet.end_watch(id)

    async def _renew(self, id: str, match: str, stream: Stream, before: set[str]) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            try:
                showing, _ = await self._fleet.watch(id, match, stream.take)
            except (Refused, ValueError):
                continue
            for gone in before - set(showing):
                stream.gap(gone, "this process does not answer")
            for came in set(showing) - before:
                stream.gap(came, "what this process saw until now")
            before = set(showing)
