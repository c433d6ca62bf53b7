"""One blocked charger never holds a partition: what its upstream does not take is put aside, and told when it does.

A link is blocked when it gets nothing done for a minute although its upstream is otherwise up, or when a hundred entries
wait and nothing gets done. Its entries move to the store's parking (`lot.py` says what the link then does) in the commit
that acknowledges them, so that the stream can be trimmed and the hub's memory stays small. Dead letters that are queued
again and what a new upstream must be told first come the same way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeAlias

import msgspec
import structlog

from gateway.clock import now_ms
from gateway.journal.entry import Dead, Entry
from gateway.journal.errors import StoreDown, UnsafeStore
from gateway.journal.journal import Journal

from .effects import Effects
from .link import Link
from .lot import LOW, WINDOW, Lot, park
from .partition import Partition
from .session import Session
from .turn import Turn

log = structlog.get_logger(__name__)

BLOCKED_MS = 60_000
"""How long a link may get nothing done while its upstream is otherwise up."""
STALLED_MS = 10_000
"""The same when `MANY` entries wait, whether its upstream is up or not."""
MANY = 100
AT_ONCE = 1000
"""Entries that are put aside before the store is waited for: when a CSMS goes, the links of all its chargers are blocked
at the same time, and everything in one turn would stop the hub and the store for seconds."""
FETCHES = 50
"""Lots that are read at the same time."""


Linked: TypeAlias = tuple[Partition, Session, Link]


class Sessions(Protocol):
    """What parking needs of the hub's sessions."""

    def happen(self, partition: Partition, charger: str, version: str, what: Callable[[Session], None]) -> None: ...
    def connect(self, session: Session) -> None: ...


class _Place:
    """Where a lot is used."""

    __slots__ = ("asked", "link", "lot", "partition")

    def __init__(self, partition: Partition, lot: Lot) -> None:
        self.partition = partition
        self.lot = lot
        self.link: Link | None = None
        self.asked = False
        """The store is being asked for more."""


class Parking:
    """The lots of the owned partitions."""

    def __init__(
        self,
        journal: Journal,
        partitions: dict[int, Partition],
        sessions: Sessions,
        turn: Turn,
        otherwise_up: Callable[[str], bool],
    ) -> None:
        """`otherwise_up`: whether other chargers have sockets to an upstream."""
        self._journal = journal
        self._partitions = partitions
        self._sessions = sessions
        self._turn = turn
        self._up = otherwise_up
        self._places: dict[tuple[str, str], _Place] = {}
        """By (upstream, casefolded charger)."""
        self._watched: dict[Link, tuple[int, int]] = {}
        """Link that is not idle -> (entries done with, since when it is that many)."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._fetches = asyncio.Semaphore(FETCHES)
        turn.moved = self._moved

    # -- partitions come and go --------------------------------------------------------------------------------------

    async def begin(self, partition: Partition) -> None:
        """A partition is ours: what is parked there comes before anything of its stream. Raises StoreDown."""
        for (upstream, charger), size in (await self._journal.parked(partition.number)).items():
            place = self._places.get((upstream, charger))
            if place is None or place.partition is not partition:
                place = self._places[upstream, charger] = _Place(partition, Lot())
                self._ask(upstream, charger, place)
            place.lot.size = size

    def forget(self, partition: Partition) -> None:
        """The partition is another hub's now."""
        self._places = {key: place for key, place in self._places.items() if place.partition is not partition}
        self._watched = {
            link: seen for link, seen in self._watched.items() if link.charger.casefold() not in partition.sessions
        }

    async def poll(self) -> None:
        """Find what others have parked here: dead letters that are queued again. Raises StoreDown."""
        for partition in list(self._partitions.values()):
            await self.begin(partition)

    def attach(self, partition: Partition, session: Session) -> None:
        """Give each link of a session its lot; called before the session hears anything."""
        if not self._places:
            return
        for link in session.links.values():
            place = self._places.get((link.name, session.charger.casefold()))
            if place is not None and place.link is not link and place.partition is partition:
                old, place.link, link.lot = place.link, link, place.lot
                if old is not None:  # it is no more, what it had not done with is fetched again
                    left = {each.entry.id for each in (*old.under_way, *old.backlog)}
                    place.lot.held.difference_update(left)
                waiting = [exchange for exchange in link.backlog if not exchange.parked]
                link.backlog.clear()
                link.backlog.extend(waiting)
                self._ask(link.name, session.charger, place)

    # -- what is blocked ---------------------------------------------------------------------------------------------

    async def look(self) -> None:
        """Put aside what waits in links that get nothing done. To be called every few seconds. Raises StoreDown."""
        await self.put_aside(self._find_blocked())

    async def put_aside(self, links: list[Linked]) -> None:
        """Park what waits in these links. Raises StoreDown."""
        moving = 0
        for partition, session, link in links:
            if partition.failed or link.lot is not None or session.links.get(link.name) is not link:
                continue  # while the store was waited for
            moving += self._put_aside(partition, session, link)
            if moving >= AT_ONCE:
                moving = 0
                await asyncio.sleep(0)  # what was decided is on its way
                await self._journal.parked(partition.number)  # answered after it

    def _find_blocked(self) -> list[Linked]:
        now, watched, blocked = now_ms(), {}, []
        for partition in self._partitions.values():
            for session in partition.sessions.values():
                for link in session.links.values():
                    if link.lot is not None or not (link.backlog or link.under_way):
                        continue
                    done, since = self._watched.get(link, (-1, now))
                    if done != link.done:
                        done, since = link.done, now
                    watched[link] = done, since
                    if self._blocked(link, now - since):
                        blocked.append((partition, session, link))
        self._watched = watched
        return blocked

    def _blocked(self, link: Link, stalled: int) -> bool:
        if stalled >= STALLED_MS and len(link.backlog) >= MANY:
            return True
        return stalled >= BLOCKED_MS and (link.up or self._up(link.name))

    def _put_aside(self, partition: Partition, session: Session, link: Link) -> int:
        """Park what waits in a link; gives how many entries."""
        lot = park(link, now_ms())
        if not lot.parking:
            link.lot = None  # nothing but live questions
            return 0
        place = self._places[link.name, session.charger.casefold()] = _Place(partition, lot)
        place.link = link
        log.warning("charger_parked", charger_id=session.charger, upstream=link.name, entries=lot.parking, up=link.up)
        self._turn.touched(partition, session)
        return lot.parking

    # -- bringing it back --------------------------------------------------------------------------------------------

    def _moved(self, effects: Effects) -> None:
        """A commit is confirmed."""
        for (upstream, charger), entries in effects.parks.items():
            if place := self._places.get((upstream, charger.casefold())):
                place.lot.parking -= len(entries)
                self._refill(upstream, charger, place)
        for (upstream, charger), ids in effects.unparks.items():
            if place := self._places.get((upstream, charger.casefold())):
                place.lot.held.difference_update(ids)
                self._refill(upstream, charger, place)

    def _refill(self, upstream: str, charger: str, place: _Place) -> None:
        if len(place.lot.held) <= LOW and not place.asked and not place.lot.parking:
            self._ask(upstream, charger, place)

    def _ask(self, upstream: str, charger: str, place: _Place) -> None:
        if not place.asked:
            place.asked = True
            task = asyncio.get_running_loop().create_task(self._fetch(upstream, charger, place))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _fetch(self, upstream: str, charger: str, place: _Place) -> None:
        """The oldest entries that are not in memory yet; the lot ends when there are none."""
        lot, partition = place.lot, place.partition
        parking = lot.parking
        try:
            async with self._fetches:
                entries = await self._journal.read_parked(
                    partition.number, upstream, charger, count=WINDOW + len(lot.held)
                )
        except StoreDown:
            again = asyncio.get_running_loop().call_later  # the store comes back, or the partition is given up
            again(0.5, lambda: None if partition.failed else self._ask(upstream, charger, place))
            return
        except UnsafeStore as error:
            log.error("parked_unreadable", upstream=upstream, reason=str(error))
            return
        finally:
            place.asked = False
        if partition.failed or self._places.get((upstream, charger.casefold())) is not place:
            return
        fresh = [entry for entry in entries if entry.id not in lot.held]
        if fresh:
            head = fresh[0].head
            self._sessions.happen(
                partition, head.charger, head.version, lambda session: self._tell(place, session, upstream, fresh)
            )
        elif not entries and not lot.parking and not parking:
            self._end(upstream, charger, place)

    def _tell(self, place: _Place, session: Session, upstream: str, entries: list[Entry]) -> None:
        link = session.links.get(upstream)
        lot, now = place.lot, now_ms()
        if link is None:
            log.error("unrouted_dead_letters", charger_id=session.charger, upstream=upstream, letters=len(entries))
            session.effects.dead.extend(Dead(upstream, entry, "unrouted") for entry in entries)
            session.effects.unparks.setdefault((upstream, session.charger), []).extend(entry.id for entry in entries)
            lot.held.update(entry.id for entry in entries)
            return
        self.attach(place.partition, session)
        for entry in entries:
            if entry.id in lot.held:
                continue
            try:
                told = session.unparked(upstream, entry, now)
            except msgspec.MsgspecError:
                told = False
            if not told:
                lot.held.add(entry.id)
                session.effects.unparks.setdefault((upstream, session.charger), []).append(entry.id)
        self._sessions.connect(session)

    def _end(self, upstream: str, charger: str, place: _Place) -> None:
        del self._places[upstream, charger.casefold()]
        if place.link is not None and place.link.lot is place.lot:
            place.link.lot = None
            log.info("charger_unparked", charger_id=place.link.charger, upstream=upstream)
            session = place.partition.sessions.get(charger.casefold())
            if session is not None and session.links.get(upstream) is place.link:
                place.link.pump(now_ms())  # the statuses that changed come last
                self._turn.touched(place.partition, session)

    # -- figures -----------------------------------------------------------------------------------------------------

    def lots(self) -> list[tuple[str, str, Partition, Link | None, Lot]]:
        """(upstream, casefolded charger, partition, its link once loaded, lot) of everything parked."""
        return [(*key, place.partition, place.link, place.lot) for key, place in self._places.items()]
