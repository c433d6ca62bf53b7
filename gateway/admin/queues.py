"""/api/v1/journal and /api/v1/dead-letters: what waits for the CSMSs, what was put aside for a person, telling again."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from aiohttp import web

from gateway.journal import SESSION
from gateway.journal.entry import Head
from gateway.journal.journal import Journal
from gateway.journal.letters import Letter
from gateway.journal.looking import Waits
from gateway.journal.streams import order
from gateway.live import Live
from gateway.redact import redact
from translators.values import format_time

from .table import Bad, Endpoint, Part, Query, body_of, number, reply

MOST: Final = 500


class Group(msgspec.Struct):
    """What waits for one upstream in one partition."""

    upstream: str
    pending: int
    """Read by a hub and not acknowledged."""
    unread: int
    """-1: not known."""
    oldest_seconds: float
    parked_bytes: int
    dead_letters: int


class Partition(msgspec.Struct):
    """One stream."""

    partition: int
    entries: int
    groups: list[Group]


class Streams(msgspec.Struct):
    """All of them, or those with something that waits."""

    partitions: list[Partition]


class Waiting(msgspec.Struct):
    """A charger CALL that an upstream has not done with."""

    id: str
    """Of the journal entry."""
    partition: int
    charger: str
    action: str
    version: str
    received_at: str
    seconds: float
    """Its age."""
    read: bool
    """A hub has it."""
    parked: bool
    """Put aside for the upstream, as it cannot take it now."""
    payload: Any


class Queue(msgspec.Struct):
    """The oldest, over all partitions."""

    upstream: str
    waiting: list[Waiting]
    next: str
    """`cursor` for more; empty: that is all."""


class Put(msgspec.Struct):
    """A dead letter."""

    id: str
    upstream: str
    put_aside_at: str
    charger: str
    action: str
    why: str
    attempts: int
    received_at: str
    entry: str
    version: str
    trace: str
    payload: Any


class Letters(msgspec.Struct):
    """In the order in which they were put aside."""

    dead_letters: list[Put]
    next: str


class Counts(msgspec.Struct):
    """Upstream -> dead letters."""

    counts: dict[str, int]


class Chosen(msgspec.Struct, forbid_unknown_fields=True):
    """Dead letters by id, or all that there are now."""

    ids: list[str] = []
    all: bool = False


class Done(msgspec.Struct):
    """How many it was done to."""

    upstream: str
    count: int


class Replay(msgspec.Struct, forbid_unknown_fields=True, rename={"begin": "from", "end": "to"}):
    """What to tell again, and whom."""

    upstream: str
    begin: str
    """ISO 8601; without a zone: UTC."""
    end: str = ""
    """Empty: now."""
    charger: str = ""
    partitions: list[int] | None = None
    """Only these, so that a long replay can be done in parts; not given: all."""
    dry_run: bool = False


class Replayed(msgspec.Struct):
    """What was found and told again."""

    upstream: str
    dry_run: bool
    found: int
    replayed: int
    """The others are still to be told anyway."""
    oldest: str | None
    """The streams reach back so far: an entry is forgotten when every upstream has it."""


class Queues(Part):
    """Asks the store: any process can."""

    def __init__(self, journal: Journal, live: Live) -> None:
        self._journal = journal
        self._live = live

    def endpoints(self) -> Sequence[Endpoint]:
        """Looking, and acting."""
        upstream = Query("upstream", "Only this one.")
        count = Query("count", f"At most so many, up to {MOST}.", "integer")
        cursor, letters = Query("cursor", "`next` of the page before."), "/dead-letters/{upstream}"
        return (
            Endpoint("GET", "/journal", self._streams, "Streams and groups", query=(upstream,), answer=Streams),
            Endpoint(
                "GET", "/journal/{upstream}/waiting", self._waiting, "The oldest that an upstream has not got",
                query=(Query("charger", "Only of this charger."), count, cursor), answer=Queue, refusals=(404,),
            ),
            Endpoint(
                "POST", "/journal/replay", self._replay, "Tell an upstream again what the streams still have", "admin",
                body=Replay, answer=Replayed, refusals=(422,),
            ),
            Endpoint("GET", "/dead-letters", self._counts, "Dead letters by upstream", answer=Counts),
            Endpoint("GET", letters, self._letters, "Dead letters of an upstream", query=(count, cursor), answer=Letters),
            Endpoint(
                "GET", letters + "/{id}", self._letter, "One dead letter", answer=Put, refusals=(404,)
            ),
            Endpoint(
                "POST", letters + "/requeue", self._requeue, "Give them to the upstream again", "operate",
                body=Chosen, answer=Done, refusals=(422,),
            ),
            Endpoint(
                "POST", letters + "/discard", self._discard, "Delete them for good", "admin",
                body=Chosen, answer=Done, refusals=(422,),
            ),
        )  # fmt: skip

    async def _streams(self, request: web.Request) -> web.Response:
        only = request.query.get("upstream", "")
        numbers = range(self._live.config.redis.partitions)
        found = await asyncio.gather(*(self._partition(each, only) for each in numbers))
        return reply(Streams([each for each in found if each.groups or each.entries]))

    async def _partition(self, number: int, only: str) -> Partition:
        names = [name for name in await self._journal.groups(number) if name != SESSION and only in ("", name)]
        lags = await self._journal.lag(number, names) if names else {}
        sizes: dict[str, int] = {}
        for (name, _), size in (await self._journal.parked(number)).items():
            sizes[name] = sizes.get(name, 0) + size
        letters = await self._journal.letter_counts(number)
        entries = max((lag.length for lag in lags.values()), default=0)
        groups = [
            Group(name, lag.pending, lag.unread, lag.age_ms / 1000, sizes.get(name, 0), letters.get(name, 0))
            for name, lag in sorted(lags.items())
        ]
        return Partition(number, entries, groups)

    async def _waiting(self, request: web.Request) -> web.Response:
        upstream, charger = request.match_info["upstream"], request.query.get("charger", "")
        count, cursor = number(request, "count", 50, 1, MOST), request.query.get("cursor", "")
        if upstream not in self._live.config.upstreams:
            raise Bad(404, f"no upstream has the name {upstream}")
        if cursor:
            _check_id(cursor)
        numbers = [self._journal.partition(charger)] if charger else range(self._live.config.redis.partitions)
        told = await asyncio.gather(*(self._journal.waits(one, upstream, count + 1, cursor) for one in numbers))
        aside = await asyncio.gather(
            *(self._journal.oldest_parked(one, upstream, count + 1, after=cursor, charger=charger) for one in numbers)
        )
        held = [[Waits(entry, one, False) for entry in found] for one, found in zip(numbers, aside, strict=True)]
        merged = list(heapq.merge(*told, *held, key=lambda one: order(one.entry.id)))
        page, now = merged[:count], time.time_ns() // 1_000_000
        parked = {one.entry.id for each in held for one in each}
        shown = [
            Waiting(
                one.entry.id, one.partition, one.entry.head.charger, one.entry.head.action, one.entry.head.version,
                format_time(one.entry.head.received_at), max(0, now - one.entry.head.received_at) / 1000, one.read,
                one.entry.id in parked, payload_of(one.entry.frame, one.entry.head),
            )
            for one in page
            if charger.casefold() in ("", one.entry.head.charger.casefold())
        ]  # fmt: skip
        return reply(Queue(upstream, shown, page[-1].entry.id if len(merged) > count else ""))

    async def _replay(self, request: web.Request) -> web.Response:
        wanted: Replay = await body_of(request, Replay)
        if wanted.upstream not in self._live.config.upstreams:
            raise Bad(422, f"no upstream has the name {wanted.upstream}")
        begin, end = _time(wanted.begin, "from"), _time(wanted.end, "to") if wanted.end else time.time_ns() // 1_000_000
        if begin > end:
            raise Bad(422, "from: must not be after to")
        partitions = self._live.config.redis.partitions
        numbers: Sequence[int] = range(partitions) if wanted.partitions is None else wanted.partitions
        if any(not 0 <= each < partitions for each in numbers):
            raise Bad(422, f"partitions: there are 0 to {partitions - 1}")
        if wanted.charger:
            numbers = [each for each in numbers if each == self._journal.partition(wanted.charger)]
        results = [
            await self._journal.replay(each, wanted.upstream, begin, end, wanted.charger, dry_run=wanted.dry_run)
            for each in dict.fromkeys(numbers)
        ]
        oldest = min((each.oldest for each in results if each.oldest), key=order, default="")
        return reply(
            Replayed(
                wanted.upstream, wanted.dry_run, sum(each.found for each in results),
                sum(each.replayed for each in results), format_time(order(oldest)[0]) if oldest else None,
            )
        )  # fmt: skip

    # -- dead letters ------------------------------------------------------------------------------------------------

    async def _counts(self, _request: web.Request) -> web.Response:
        counts = dict.fromkeys(self._live.config.upstreams, 0)
        numbers = range(self._live.config.redis.partitions)
        for found in await asyncio.gather(*(self._journal.letter_counts(each) for each in numbers)):
            for name, count in found.items():
                counts[name] = counts.get(name, 0) + count
        return reply(Counts(counts))

    async def _letters(self, request: web.Request) -> web.Response:
        count = number(request, "count", 50, 1, MOST)
        try:
            found = await self._journal.letters(
                request.match_info["upstream"], after=request.query.get("cursor", ""), count=count
            )
        except ValueError as error:
            raise Bad(400, str(error)) from None
        return reply(Letters([put(each) for each in found], found[-1].id if len(found) == count else ""))

    async def _letter(self, request: web.Request) -> web.Response:
        upstream, id = request.match_info["upstream"], request.match_info["id"]
        try:
            found = await self._journal.letter(upstream, id)
        except ValueError as error:
            raise Bad(404, str(error)) from None
        if found is None:
            raise Bad(404, f"{upstream} has no dead letter {id}")
        return reply(put(found))

    async def _requeue(self, request: web.Request) -> web.Response:
        upstream = request.match_info["upstream"]
        if upstream not in self._live.config.upstreams:
            raise Bad(422, f"{upstream} is not in the configuration: nobody would deliver them")
        ids = await self._ids(upstream, await body_of(request, Chosen))
        try:
            return reply(Done(upstream, await self._journal.requeue(upstream, ids)))
        except ValueError as error:
            raise Bad(422, str(error)) from None

    async def _discard(self, request: web.Request) -> web.Response:
        upstream = request.match_info["upstream"]
        ids = await self._ids(upstream, await body_of(request, Chosen))
        try:
            return reply(Done(upstream, await self._journal.discard(upstream, ids)))
        except ValueError as error:
            raise Bad(422, str(error)) from None

    async def _ids(self, upstream: str, chosen: Chosen) -> list[str]:
        if bool(chosen.ids) == chosen.all:
            raise Bad(422, "give the ids of dead letters, or all")
        ids = list(chosen.ids)
        while chosen.all and (page := await self._journal.letters(upstream, after=ids[-1] if ids else "", count=MOST)):
            ids += [each.id for each in page]
        return ids


def put(letter: Letter) -> Put:
    """A dead letter as it is shown."""
    head = letter.entry.head
    return Put(
        letter.id, letter.upstream, format_time(letter.at), head.charger, head.action, letter.why, letter.attempts,
        format_time(head.received_at), letter.entry.id, head.version, letter.trace,
        payload_of(letter.entry.frame, head),
    )  # fmt: skip


def payload_of(frame: bytes, head: Head) -> Any:
    """The payload of a CALL without secrets and tokens; None if it has none."""
    try:
        payload = msgspec.json.decode(frame, type=list[Any])[3]
    except (msgspec.MsgspecError, IndexError, RecursionError):
        return None
    return redact(payload, head.action)


def _time(text: str, key: str) -> int:
    try:
        at = datetime.fromisoformat(text)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return max(0, round(at.timestamp() * 1000))
    except (ValueError, OverflowError):
        raise Bad(422, f"{key}: {text[:40]} is no ISO 8601 time") from None


def _check_id(id: str) -> None:
    ms, dash, seq = id.partition("-")
    if not (dash and ms.isdecimal() and seq.isdecimal() and len(id) < 40):
        raise Bad(400, f"cursor: {id[:40]} is no id")
