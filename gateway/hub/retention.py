"""One dead mirror never stops the primary: how long, and how much, waits for an upstream.

Every few seconds: what is too old or too much for a mirror goes; when the store fills up, the largest backlog of a mirror is
shortened first, and the primaries' last. Meter values are thinned out (the 1st, 3rd, 5th ... go); starts and stops of
transactions never go without a dead letter. Everything that goes is counted and logged. Work is done in slices of a few
hundred entries, each in a commit under the partition's lease. Groups and dead letters whose time is over go, too.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Literal, NamedTuple

import msgspec
import structlog

from gateway.clock import now_ms
from gateway.config import Upstream
from gateway.journal.entry import Dead, Entry
from gateway.journal.errors import Fenced, StoreDown
from gateway.journal.journal import Journal
from gateway.metrics import Metrics

from .link import Link
from .lot import Lot, remove
from .metering import Metering
from .parking import Linked, Parking
from .partition import Partition
from .session import SESSION
from .turn import Turn

log = structlog.get_logger(__name__)

LOOK_SECONDS = 5.0
PRESSED_SECONDS = 1.0
"""Between two looks while the store is too full."""
SLOW_LOOKS = 12
"""Groups and dead letters are looked at every so many looks."""
SLICE = 200
"""Entries of one charger that are looked at together."""
LOTS = 20
"""Chargers whose entries are looked at in one round."""
PRESSURE = 0.7
"""Part of the store's memory beyond which mirrors' backlogs are shortened (architecture 6.4)."""
PRIMARY_PRESSURE = 0.9
"""The same for what waits for primaries, of which only meter values go."""
ORPHAN_SECONDS = 7 * 86400
"""How long a group waits for an upstream that is in no configuration."""

Fate = Literal["keep", "drop", "bury"]


class _Event(msgspec.Struct):
    eventType: str = ""


_elements = msgspec.json.Decoder(tuple[int, msgspec.Raw, str, _Event])


class Place(NamedTuple):
    """A lot whose session is loaded."""

    upstream: str
    charger: str
    partition: Partition
    link: Link
    lot: Lot


class Retention:
    """Of one hub, for the partitions it owns."""

    def __init__(
        self,
        journal: Journal,
        partitions: dict[int, Partition],
        parking: Parking,
        turn: Turn,
        observer: Metering,
        settings: Callable[[], Mapping[str, Upstream]],
        count: int,
    ) -> None:
        """`count`: partitions that there are; a hub grants a mirror its part of `retention_bytes`."""
        self.orphans: frozenset[str] = frozenset()
        """Groups without an upstream in the configuration."""
        self.letters: dict[str, int] = {}
        """Upstream -> dead letters."""
        self.parked: dict[str, int] = {}
        """Upstream -> bytes parked."""
        self.oldest: dict[str, int] = {}
        """Upstream -> when the oldest parked entry in memory was appended, ms."""
        self.fullness = 0.0
        """Part of the store's memory in use; 0 if it has no limit."""
        self._journal = journal
        self._partitions = partitions
        self._parking = parking
        self._turn = turn
        self._observer = observer
        self._settings = settings
        self._count = count
        self._looks = 0

    async def run(self) -> None:
        """Look, until cancelled."""
        while True:
            try:
                await self.look()
            except (StoreDown, Fenced):
                pass  # the partitions are dropped, or somebody else's
            except Exception:
                log.exception("retention_failed")
            await asyncio.sleep(PRESSED_SECONDS if self.fullness > PRESSURE else LOOK_SECONDS)

    async def look(self) -> None:
        """One round. Raises StoreDown, Fenced."""
        await self._parking.poll()
        await self._parking.look()
        self.fullness = await self._journal.fullness(list(self._partitions))
        await self._expire()
        await self._limit()
        await self._relieve()
        if self._looks % SLOW_LOOKS == 0:
            await self._look_at_groups()
            await self._look_at_letters()
        self._looks += 1

    def measure(self, metrics: Metrics, upstreams: Iterable[str]) -> None:
        """Called at each scrape, in its thread."""
        metrics.orphan_groups.cell().n = len(self.orphans)
        for name in upstreams:
            metrics.dead_letters_kept.cell(name).n = self.letters.get(name, 0)
            metrics.parked_bytes.cell(name).n = self.parked.get(name, 0)

    # -- what goes ---------------------------------------------------------------------------------------------------

    def _places(self) -> dict[str, list[Place]]:
        """Upstream -> what is parked for it, the largest first."""
        places = defaultdict(list)
        for upstream, charger, partition, link, lot in self._parking.lots():
            if link is not None and not partition.failed and upstream in self._settings():
                places[upstream].append(Place(upstream, charger, partition, link, lot))
        for each in places.values():
            each.sort(key=lambda place: -place.lot.size)
        self.parked = {name: sum(place.lot.size for place in each) for name, each in places.items()}
        held = {name: [id for place in each for id in place.lot.held] for name, each in places.items()}
        self.oldest = {name: min(map(_ms, ids)) for name, ids in held.items() if ids}
        return places

    async def _expire(self) -> None:
        """What waits longer for a mirror than its retention."""
        now = now_ms()
        before = {name: now - round(settings.retention * 1000) for name, settings in self._settings().items()}
        old = []
        for partition, session, link in self._links():
            waiting = (each.entry.id for each in link.backlog)
            oldest = next((id for id in waiting if id not in link.introducing), "")
            if oldest and link.lot is None and not link.answers and _ms(oldest) < before.get(link.name, 0):
                old.append((partition, session, link))
        await self._parking.put_aside(old)
        for name, places in self._places().items():
            for place in [place for place in places if not place.link.answers][:LOTS]:
                await self._shed(place, partial(_too_old, before[name]), "retention")

    async def _limit(self) -> None:
        """What is too much for a mirror: the oldest go."""
        part = len(self._partitions) / max(1, self._count)
        for name, places in self._places().items():
            mirrors = [place for place in places if not place.link.answers]
            excess = sum(place.lot.size for place in mirrors) - part * self._settings()[name].retention_bytes
            for place in mirrors[:LOTS]:
                if excess <= 0:
                    break
                excess -= await self._shed(place, _last_rites, "retention")

    async def _relieve(self) -> None:
        """The store fills up."""
        if self.fullness <= PRESSURE:
            return
        places = self._places()
        mirrors = {name: [place for place in each if not place.link.answers] for name, each in places.items()}
        sizes = {name: sum(place.lot.size for place in each) for name, each in mirrors.items() if each}
        if sizes:
            largest = max(sizes, key=lambda name: sizes[name])
            log.error("backlog_shortened", upstream=largest, bytes=sizes[largest], fullness=round(self.fullness, 2))
            for place in mirrors[largest][:LOTS]:
                await self._thin(place, bury=True)
        elif await self._park_mirrors():
            return
        elif self.fullness > PRIMARY_PRESSURE:
            rest = sorted((place for each in places.values() for place in each), key=lambda place: -place.lot.size)
            if rest:
                log.error("primary_backlog_shortened", upstream=rest[0].upstream, fullness=round(self.fullness, 2))
            for place in rest[:LOTS]:
                await self._thin(place, bury=False)

    async def _park_mirrors(self) -> bool:
        """Put aside what waits in the stream for mirrors: there it takes room until everybody has done with it."""
        waiting = []
        for partition, session, link in self._links():
            if link.lot is None and not link.answers and not link.up and link.backlog:
                waiting.append((partition, session, link))
        await self._parking.put_aside(waiting)
        return bool(waiting)

    def _links(self) -> Iterator[Linked]:
        for partition in self._partitions.values():
            for session in partition.sessions.values():
                for link in session.links.values():
                    yield partition, session, link

    async def _thin(self, place: Place, *, bury: bool) -> None:
        """Every second meter value of the next slice; once there is none left, and if `bury`, the oldest of everything."""
        lot = place.lot
        if lot.thin and bury:
            await self._shed(place, _last_rites, "memory")
            return
        odd = True

        def fate(entry: Entry) -> Fate:
            nonlocal odd
            if not _is_reading(entry):
                return "keep"
            odd, goes = not odd, odd
            return "drop" if goes else "keep"

        before = lot.thinned
        freed = await self._shed(place, fate, "memory", after=before, mark=True)
        if not freed and not before and not lot.thinned:
            lot.thin = True

    async def _shed(
        self, place: Place, fate: Callable[[Entry], Fate], reason: str, *, after: str = "", mark: bool = False
    ) -> int:
        """Decide on the oldest entries of a lot, or those after `after`; gives about how many bytes went."""
        upstream, charger, partition, link, lot = place
        entries = await self._journal.read_parked(partition.number, upstream, charger, after=after, count=SLICE)
        session = partition.sessions.get(charger)
        if partition.failed or session is None or link.lot is not lot:
            return 0
        if mark:
            lot.thinned = entries[-1].id if len(entries) == SLICE else ""
        gone = {entry.id: decided for entry in entries if (decided := fate(entry)) != "keep"}
        for id in remove(link, set(gone)):
            del gone[id]
        if not gone:
            return 0
        freed = 0
        effects, buried = partition.effects, 0
        for entry in entries:
            decided = gone.get(entry.id, "keep")
            if decided == "keep":
                continue
            freed += len(entry.frame) + 150
            link.translator.forget(entry.id)
            if decided == "bury":
                buried += 1
                effects.dead.append(Dead(upstream, entry, reason))
                self._observer.dead_letter(link, entry, reason)
            else:
                self._observer.dropped(link, entry, reason)
        lot.held.update(gone)  # until the commit is confirmed: a fetch under way may still bring them
        lot.size -= freed
        effects.unparks.setdefault((upstream, session.charger), []).extend(gone)
        effects.links.add(link)
        self._turn.touched(partition, session)
        log.warning(
            "retention_drop",
            upstream=upstream,
            charger_id=session.charger,
            reason=reason,
            dropped=len(gone) - buried,
            dead_letters=buried,
        )
        return freed

    # -- groups and dead letters -------------------------------------------------------------------------------------

    async def _look_at_groups(self) -> None:
        known, orphans = {SESSION, *self._settings()}, set()
        partitions = list(self._partitions.values())
        found = await asyncio.gather(*(self._journal.groups(each.number) for each in partitions))
        for partition, groups in zip(partitions, found, strict=True):
            for group in set(groups) - known:
                lag = (await self._journal.lag(partition.number, [group]))[group]
                if lag.age_ms > ORPHAN_SECONDS * 1000:
                    log.error("orphan_group_destroyed", group=group, partition=partition.number, pending=lag.pending)
                    await self._journal.destroy_group(partition.number, partition.token, group)
                else:
                    orphans.add(group)
        for group in sorted(orphans - self.orphans):
            log.warning(
                "orphan_group",
                group=group,
                hint=f"no upstream of this name is configured: put it back, or run: ocpp-gateway upstreams remove {group}",
            )
        self.orphans = frozenset(orphans)

    async def _look_at_letters(self) -> None:
        """Count them; those older than their upstream's retention go, which is loss: counted and logged as such."""
        now, counts, settings = now_ms(), defaultdict[str, int](int), self._settings()
        partitions = list(self._partitions.values())
        found = await asyncio.gather(*(self._journal.letter_counts(each.number) for each in partitions))
        for partition, kept in zip(partitions, found, strict=True):
            old = now - ORPHAN_SECONDS * 1000
            if frames := await self._journal.expire_quarantine(partition.number, partition.token, old, SLICE):
                log.error("quarantine_expired", partition=partition.number, frames=frames)
            for name, count in kept.items():
                before = now - round((settings[name].retention if name in settings else ORPHAN_SECONDS) * 1000)
                gone = 0
                if count:
                    gone = await self._journal.expire_letters(partition.number, partition.token, name, before, SLICE)
                if gone:
                    log.error("dead_letters_expired", upstream=name, partition=partition.number, letters=gone)
                    if name in settings:
                        self._observer.expired(name, gone)
                counts[name] += count - gone
        self.letters = dict(counts)


def _ms(id: str) -> int:
    return int(id.partition("-")[0])


def _is_reading(entry: Entry) -> bool:
    """Whether it only says how a transaction goes on: its loss costs resolution, not money."""
    action = entry.head.action
    return action == "MeterValues" or (action == "TransactionEvent" and _event_type(entry) == "Updated")


def _last_rites(entry: Entry) -> Fate:
    """What becomes of an entry that cannot be kept: starts and ends of transactions become dead letters."""
    action = entry.head.action
    if action in ("StartTransaction", "StopTransaction"):
        return "bury"
    return "bury" if action == "TransactionEvent" and _event_type(entry) != "Updated" else "drop"


def _too_old(before: int, entry: Entry) -> Fate:
    return _last_rites(entry) if _ms(entry.id) < before else "keep"


def _event_type(entry: Entry) -> str:
    try:
        return _elements.decode(entry.frame)[3].eventType
    except msgspec.MsgspecError:
        return ""
