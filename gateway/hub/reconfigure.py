"""Another configuration, or other routes, while chargers are connected: their links follow, no charger is dropped.

Roles change in place: what is under way is answered by whom it was given to, what comes later by whom the route says. The
numbers of transactions stay: the shared facts know them, and an upstream that is new to a charger is introduced first.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

import msgspec
import structlog

from gateway.clock import now_ms
from gateway.config import Config
from gateway.ids import new_id
from gateway.journal.entry import Entry, ToCharger
from gateway.journal.errors import Fenced, StoreDown
from gateway.journal.journal import Journal
from gateway.journal.streams import Batch
from gateway.quirk_profiles import Profiles
from gateway.routes import NoRoute, Route, Routes
from translators import Renumbering, translatable

from .arbitration import arbitrate
from .backlog import Exchange, before, order
from .comparing import compare
from .link import Link
from .linking import fit, hand_on, leavings
from .parking import Parking
from .partition import Partition
from .reader import READ_COUNT
from .session import Session, call_of
from .sessions import Sessions
from .shared import LEARNED_FROM, parts_of, place_of
from .turn import Turn

log = structlog.get_logger(__name__)

AGAIN_SECONDS = 0.1
"""Between two looks at a charger whose StartTransaction is being answered: whose number it gets must be known first."""
PATIENCE_SECONDS = 5.0
"""Longest wait for it."""
AT_ONCE = 50
"""Chargers between two turns of the loop."""


class Reconfigure:
    """Brings the sessions of a hub to what is in force."""

    def __init__(
        self,
        journal: Journal,
        sessions: Sessions,
        partitions: dict[int, Partition],
        groups: list[str],
        turn: Turn,
        parking: Parking,
        take: Callable[[Partition, Batch], None],
    ) -> None:
        """`groups` is shared with all who read: it grows and shrinks with the configuration. `take` is given what was pending for
        an upstream that is configured again."""
        self._parking = parking
        self._take = take
        self._journal = journal
        self._sessions = sessions
        self._partitions = partitions
        self._groups = groups
        self._turn = turn
        self._wanted: tuple[Config, Routes] | None = None
        self._news = asyncio.Event()
        self._booted: list[Session] = []
        self._since: dict[tuple[int, str], str] = {}
        """(partition, upstream) -> entry after which it hears chargers that are linked to it now."""
        self._changed: set[str] = set()
        """Upstreams whose settings have changed since all links were as they should be."""
        self._ahead: dict[Session, list[tuple[str, Entry]]] = {}
        """What came for upstreams to which a charger is to be linked."""

    def apply(self, config: Config, routes: Routes) -> None:
        """This is in force from now on."""
        if self._wanted is None and not self._partitions and set(config.upstreams) == set(self._groups[1:]):
            self._put_in_force(config, routes)
            return
        self._wanted = config, routes
        self._news.set()

    def holds(self, session: Session, upstream: str, entry: Entry) -> bool:
        """Whether an entry waits until the charger is linked to this upstream."""
        if not self._sessions.following:
            return False
        try:
            if upstream not in self._sessions.route_of(session).upstreams:
                return False
        except NoRoute:
            return False
        self._ahead.setdefault(session, []).append((upstream, entry))
        return True

    def booted(self, session: Session) -> None:
        """The charger has said what it is: another route may fit."""
        session.booted = False
        if session.route is not None:
            self._sessions.treat(session, session.route)
        if self._sessions.routes.conditional:
            self._booted.append(session)
            self._news.set()

    async def run(self) -> None:
        """Follow, until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            booted, self._booted = self._booted, []
            try:
                if (wanted := self._wanted) is None:
                    await self._move_all(list(self._where(booted)), frozenset())
                    continue
                await self._follow(*wanted)
                if self._wanted is wanted:
                    self._wanted = None
            except StoreDown:
                self._booted = booted + self._booted
                await asyncio.sleep(1.0)
                self._news.set()
            except Exception:  # what is in force at the sessions stays: better than no hub at all
                log.exception("not_reconfigured")

    async def _follow(self, config: Config, routes: Routes) -> None:
        known = self._sessions.settings
        self._remember(True)
        left = await self._begin_groups(config)
        for number, partition in self._partitions.items():
            for name in config.upstreams:
                self._since.setdefault((number, name), partition.positions.get(name, partition.position))
        # A store that goes away in the middle of this does not make them forgotten.
        self._changed |= {
            name for name, settings in config.upstreams.items() if name in known and known[name] != settings
        }
        self._put_in_force(config, routes)
        for partition, batch in left:  # before anything that comes after it is read
            if self._partitions.get(partition.number) is partition:
                self._take(partition, batch)
        everyone = [(each, session) for each in self._partitions.values() for session in each.sessions.values()]
        await self._move_all(everyone, frozenset(self._changed))
        self._changed.clear()
        self._remember(False)
        self._since.clear()
        for partition, session in list(self._where(list(self._ahead))):
            if self._here(partition, session):
                self._catch_up(partition, session)
        self._ahead.clear()
        for number in list(self._partitions):
            if self._journal.on_change is not None:
                self._journal.on_change(number)  # new groups may have something to read
        for partition in list(self._partitions.values()):
            for session in list(partition.sessions.values()):
                self._sessions.release(session, gone=True)
        self._sessions.settings = config.upstreams
        self._sessions.health.reconfigure(config.upstreams)
        for name in [name for name in self._groups[1:] if name not in config.upstreams]:
            self._groups.remove(name)
            for partition in self._partitions.values():
                partition.handed.pop(name, None)
                partition.positions.pop(name, None)

    def _remember(self, following: bool) -> None:
        """Whether sessions keep the transactions that end, for upstreams that will hear the end."""
        self._sessions.following = following
        for partition in self._partitions.values():
            for session in partition.sessions.values():
                session.ended = (session.ended or []) if following else None

    def _put_in_force(self, config: Config, routes: Routes) -> None:
        sessions = self._sessions
        sessions.config, sessions.routes = config, routes
        sessions.profiles = Profiles(config.quirks)
        sessions.settings = {**sessions.settings, **config.upstreams}
        sessions.health.reconfigure(sessions.settings)

    async def _begin_groups(self, config: Config) -> list[tuple[Partition, Batch]]:
        """Groups for new upstreams on every partition before anybody reads with them; gives what one that was configured before
        has left in its pending list. Raises StoreDown."""
        left: list[tuple[Partition, Batch]] = []
        new = [name for name in config.upstreams if name not in self._groups]
        begins = {name: config.upstreams[name].begins(now_ms()) for name in new}
        done: set[int] = set()
        while new and (missing := [number for number in self._partitions if number not in done]):
            for number in missing:
                await self._journal.ensure_groups(number, [*self._groups, *new], begins)
                positions = await self._journal.positions(number)
                if (partition := self._partitions.get(number)) is not None:
                    partition.positions |= {name: positions[name] for name in new}
                    self._since |= {(number, name): positions[name] for name in new}
                    left += [(partition, batch) for batch in await self._left(partition, new)]
                done.add(number)
        self._groups.extend(new)
        for partition in self._partitions.values() if new else ():
            partition.run = -1  # a new group reads what it has not been told before it is handed anything
        return left

    async def _left(self, partition: Partition, groups: list[str]) -> list[Batch]:
        """What is pending for these groups. Raises StoreDown."""
        found: list[Batch] = []
        while not (partition.caught_up or partition.failed):  # noqa: ASYNC110 - its pending lists are being read
            await asyncio.sleep(AGAIN_SECONDS)
        try:
            while not found or found[-1].more:
                found.append(await self._journal.pending(partition.number, partition.token, groups, count=READ_COUNT))
        except Fenced as error:
            if not partition.failed:  # it has just been given another token
                raise StoreDown("a lease has changed") from error
            return []  # the next owner reads it
        return found

    def _where(self, sessions: list[Session]) -> Iterator[tuple[Partition, Session]]:
        for session in sessions:
            partition = self._partitions.get(self._journal.partition(session.charger))
            if partition is not None:
                yield partition, session

    # -- one charger -------------------------------------------------------------------------------------------------

    async def _move_all(self, waiting: list[tuple[Partition, Session]], changed: frozenset[str]) -> None:
        """Move every one of them, those last that have to wait. Raises StoreDown."""
        end = time.monotonic() + PATIENCE_SECONDS
        while waiting:
            later = []
            for count, (partition, session) in enumerate(waiting):
                try:
                    if not await self._move(partition, session, changed, patient=time.monotonic() < end):
                        later.append((partition, session))
                except StoreDown:
                    raise
                except Exception:  # a bug of ours, or facts that a newer release wrote: the others follow all the same
                    log.exception("not_rerouted", charger_id=session.charger)
                if count % AT_ONCE == AT_ONCE - 1:
                    await asyncio.sleep(0)
            waiting = later
            if waiting:
                await asyncio.sleep(AGAIN_SECONDS)

    async def _move(self, partition: Partition, session: Session, changed: frozenset[str], *, patient: bool) -> bool:
        """Whether this charger has the links of its route now, or needs none. Raises StoreDown."""
        sessions = self._sessions
        try:
            route = sessions.route_of(session)
        except NoRoute:
            self._turn_away(partition, session)
            return True
        if not translatable(session.version, sessions.settings[route.primary].version):
            log.warning("no_translation", charger_id=session.charger, upstream=route.primary, kept=list(session.links))
            return True
        sessions.treat(session, route)
        missing = [name for name in route.upstreams if name not in session.links or session.links[name].leaving]
        stale = changed & session.links.keys()
        if not self._here(partition, session) or (route == session.route and not missing and not stale):
            return True
        if patient and any(map(_starting, session.links.values())):
            return False
        if missing:
            facts = await self._journal.load_facts(partition.number, session.charger)
            parked = {name: await self._parked(partition.number, session, name) for name in missing}
            if not self._here(partition, session) or route != sessions.route_of(session):
                return False
        else:
            facts, parked = {}, {}
        now = now_ms()
        for name in missing:
            since = self._since.get((partition.number, name), partition.positions.get(name, partition.position))
            held = [entry for of, entry in self._ahead.get(session, ()) if of == name]
            stored, left = parts_of(name, facts), list[Exchange]()
            if name in session.links:
                stored, left = self._take_down(session, name, now)
            coming = {entry.id for entry in (*held, *(each.entry for each in left))} | parked[name]
            allows = sessions.settings[name].forward.allows
            unheard = {id for id, action in _unanswered(session, since) if allows(action)} - coming
            sessions.add(
                session, name, route, stored, partition.position, since, {_place(entry) for entry in held}, coming
            )
            if (link := session.links.get(name)) is not None:
                knows = link.translator.knows if isinstance(link.translator, Renumbering) else None
                link.unheard = {id for id in unheard if knows is None or not knows(id)}
                link.backlog.extendleft(reversed(left))  # it was about to leave: first what was left for it
        for name in stale - set(missing):
            if name in route.upstreams:
                self._renew(partition, session, name, route, now)
        self._take_roles(session, route, now)
        self._parking.attach(partition, session)
        self._catch_up(partition, session)
        sessions.release(session)
        sessions.connect(session)
        self._turn.touched(partition, session)
        await self._parking.put_aside([(partition, session, x) for x in session.links.values() if self._lingers(x)])
        return True

    def _lingers(self, link: Link) -> bool:
        """Whether something is left to tell an upstream that the route does not name any more. In the stream it would look to the
        next owner like what it never was to be told."""
        return link.leaving and not link.idle and link.name in self._sessions.config.upstreams

    async def _parked(self, number: int, session: Session, upstream: str) -> set[str]:
        """Entries with which open transactions began and that lie in the store for this upstream. Raises StoreDown."""
        found: set[str] = set()
        for each in session.shared.open:
            after = before(each.entry)
            parked = await self._journal.read_parked(number, upstream, session.charger, after=after, count=1)
            found.update(entry.id for entry in parked if entry.id == each.entry)
        return found

    def _catch_up(self, partition: Partition, session: Session) -> None:
        """Tell new upstreams what came meanwhile. What a boot said is in their introduction, if it was answered."""
        held = self._ahead.pop(session, ())
        answering = [link for link in session.links.values() if link.answers] if held else []
        open_ = {each.entry.id for link in answering for each in (*link.under_way, *link.backlog) if not each.answered}
        for name, entry in held:
            known = entry.head.action == "BootNotification" and entry.id not in open_
            if name in session.links and not known:
                session.called(name, entry, now_ms())
            else:
                partition.acknowledge(name, entry.id)

    def _take_roles(self, session: Session, route: Route, now: int) -> None:
        session.route = route
        session.hold_ms = round(route.hold * 1000)
        for name, link in session.links.items():
            if name not in route.upstreams:
                link.leaving, link.primary, link.answers, link.may_command = True, False, False, False
                link.policy = "buffer"
                self._sessions.forget(session, name)
                continue
            answered = link.answers
            fit(link, session, route, self._sessions.settings, now)
            if link.answers and not answered and link.down_since:
                link.down_since = now  # nobody has waited for it before
        arbitrate(session, route, self._sessions.settings, new_id)
        compare(session, route, self._sessions.settings)
        self._sessions.treat(session, route)
        log.info("rerouted", charger_id=session.charger, primary=route.primary, mirrors=route.mirrors)

    def _renew(self, partition: Partition, session: Session, name: str, route: Route, now: int) -> None:
        """The upstream's settings have changed: another socket, and what was left to tell goes on."""
        if session.links[name].versions[1] != self._sessions.settings[name].version:
            self._sessions.forget(session, name)  # it knows nothing in these words
        unheard = session.links[name].unheard
        stored, left = self._take_down(session, name, now)
        since, coming = partition.positions.get(name, partition.position), {each.entry.id for each in left}
        self._sessions.add(session, name, route, stored, partition.position, since, coming=coming)
        if link := session.links.get(name):
            link.unheard = unheard
            link.backlog.extend(left)

    def _take_down(self, session: Session, name: str, now: int) -> tuple[dict[str, bytes], list[Exchange]]:
        """A link ends, another one goes on for it: gives its facts, and what it has still to tell."""
        old = session.links.pop(name)
        left = leavings(old, now)
        if upstream := self._sessions.upstreams.pop(old, None):
            upstream.stop()
        return hand_on(old), left

    def _turn_away(self, partition: Partition, session: Session) -> None:
        """No route fits any more: the charger has to go, as it would not be let in."""
        if not self._here(partition, session) or not session.edge:
            return
        bye = ToCharger(session.charger, session.epoch, "close", b"no route", code=1008)
        session.effects.to_charger.append((session.edge, bye))
        session.closed(session.epoch, now_ms())
        self._turn.touched(partition, session)

    def _here(self, partition: Partition, session: Session) -> bool:
        return not partition.failed and partition.sessions.get(session.charger.casefold()) is session


def _place(entry: Entry) -> str:
    """Where a status is about; empty for one that cannot be read, which no introduction holds, and for everything else."""
    if entry.head.action != "StatusNotification":
        return ""
    try:
        return place_of(bytes(call_of(entry).payload))
    except msgspec.MsgspecError:
        return ""


def _unanswered(session: Session, since: str) -> set[tuple[str, str]]:
    """(entry, action) of what the charger has said until entry `since` and was not answered yet, of what upstreams have to know."""
    waiting = [each for link in session.links.values() for each in (*link.under_way, *link.backlog)]
    open_ = [each for each in waiting if each.counts and not each.answered and each.call.action in LEARNED_FROM]
    return {(each.entry.id, each.call.action) for each in open_ if order(each.entry.id) <= order(since)}


def _starting(link: Link) -> bool:
    """A transaction waits for this upstream's answer to its begin, which will be the charger's."""
    waiting = [*link.under_way, *link.backlog]
    return any(
        each.counts and not each.answered and each.call.action in ("StartTransaction", "TransactionEvent")
        for each in waiting
    )
