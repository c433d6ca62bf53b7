"""The sessions of the owned partitions: loaded when something happens to a charger, linked to the upstreams of its route, let go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping

import structlog

from gateway.clock import now_ms
from gateway.config import Config
from gateway.ids import new_id
from gateway.journal.entry import Entry
from gateway.journal.errors import StoreDown, UnsafeStore
from gateway.journal.journal import Journal
from gateway.quirk_profiles import Profiles
from gateway.readiness import FIELD as SHADOW
from gateway.routes import NoRoute, Route, Routes, facts_of
from gateway.wheel import Wheel
from translators import NoTranslation, Renumbering, translatable

from .arbitration import arbitrate
from .backlog import before, order
from .comparing import compare
from .introduction import introduction
from .linking import end, hand_on, make
from .mending import mend, treat
from .metering import Metering
from .partition import Loading, Partition
from .retried import answered_before, unread
from .session import SESSION, Session
from .shared import FIELD, field_of, parts_of
from .shared import decode as decode_shared
from .sockets import Sockets
from .terms import FIELD as TERMS
from .terms import decode as decode_terms
from .turn import Turn

log = structlog.get_logger(__name__)

UNREAD_SECONDS = 0.1
"""Between two looks whether an entry has been read that its charger says again."""


class Sessions(Sockets):
    """Makes and ends sessions and links; the partitions hold them."""

    def __init__(
        self,
        config: Config,
        journal: Journal,
        wheel: Wheel,
        observer: Metering,
        partitions: dict[int, Partition],
        turn: Turn,
    ) -> None:
        super().__init__(config, journal, wheel, observer, partitions, turn)
        self.config = config
        self.profiles = Profiles(config.quirks)
        self.routes = Routes(config.routes)
        self.passwords = False
        """Somebody wants to know which ones the chargers are given."""
        self.following = False
        """Chargers are being brought to another configuration."""

    def happen(
        self,
        partition: Partition,
        charger: str,
        version: str,
        what: Callable[[Session], None],
        told: tuple[str, str] | None = None,
    ) -> None:
        """Let something happen to a charger's session, once its facts are loaded. `told`: it is a CALL, (group, its id)."""
        folded = charger.casefold()
        if session := partition.sessions.get(folded):
            what(session)
            self._turn.touched(partition, session)
            return
        if (loading := partition.loading.get(folded)) is None:
            loading = partition.loading[folded] = Loading()
            self._spawn(self._load(partition, charger, version))
        loading.append(what)
        if told is not None:
            loading.first.setdefault(*told)

    async def _load(self, partition: Partition, charger: str, version: str) -> None:
        folded = charger.casefold()
        while True:
            try:
                facts = await self._journal.load_facts(partition.number, charger)
                break
            except StoreDown:
                if partition.failed:
                    return
                await asyncio.sleep(0.2)  # it comes back, or the partition is given up
            except UnsafeStore as unsafe:  # what this charger says waits for the release that can read it
                log.error("facts_refused", charger_id=charger, reason=str(unsafe))
                return
        if partition.failed:
            return
        session = Session(
            charger,
            partition.effects,
            self._observer,
            gate_ms=round(self.config.charger.boot_gate_seconds * 1000),
            call_timeout_ms=round(self.config.charger.call_timeout * 1000),
        )
        session.partition = partition.number
        session.absent_since = now_ms()
        session.ended = [] if self.following else None
        session.habits.resets = self.config.charger.reset_deaf
        session.passwords = self.passwords
        session.shared = decode_shared(facts.get(FIELD, b""))
        session.shared.id = charger  # stored with whatever is learned next
        if terms := facts.get(TERMS):
            session.terms = decode_terms(terms)
        session.compared = facts.get(SHADOW, b"")
        first = partition.loading[folded].first
        self._link(session, version, facts, partition, first)
        partition.sessions[folded] = session
        for what in partition.loading.pop(folded):
            what(session)
        self.connect(session)
        self._turn.touched(partition, session)

    def route_of(self, session: Session) -> Route:
        """The route of a charger, with what is known of it. Raises NoRoute."""
        shared = session.shared
        known = facts_of(session.version or shared.version, shared.boot) if shared.boot else None
        return self.routes.of(session.charger, known)

    def _link(
        self, session: Session, version: str, facts: dict[str, bytes], partition: Partition, first: Mapping[str, str]
    ) -> None:
        """`first`: upstream -> the first CALL that it will hear, of those that were given to its group already."""
        session.version = version
        try:
            route = session.route = self.route_of(session)
        except NoRoute:
            log.warning("no_route", charger_id=session.charger)
            return
        if session.shared.linked is None:
            session.shared.linked = dict.fromkeys(route.upstreams, "")
        for name in route.upstreams:
            since = before(first[name]) if name in first else partition.positions.get(name, partition.position)
            self.add(session, name, route, parts_of(name, facts), partition.position, since)
        for name in [name for name in session.shared.linked if name not in session.links]:
            self.forget(session, name)
        arbitrate(session, route, self.settings, new_id)
        compare(session, route, self.settings)
        self.treat(session, route)

    def untranslatable(self, session: Session, name: str) -> bool:
        """Whether a charger has no link to an upstream of its route because nothing can be told there."""
        named = session.route is not None and name in session.route.upstreams and name in self.settings
        return named and not translatable(session.version, self.settings[name].version)

    def add(
        self,
        session: Session,
        name: str,
        route: Route,
        stored: dict[str, bytes],
        position: str,
        since: str,
        held: Collection[str] = (),
        coming: Collection[str] = (),
    ) -> None:
        """Link a charger to an upstream that continues from `stored`. `position`: what the links of its partition have been
        given; an upstream that is new to the charger is told what was before. It will hear what comes after entry `since`, which
        may lie before, the entries `coming`, and then the statuses of the places `held` (`shared.place_of`)."""
        opened = session.open_at(since)
        try:
            link = make(session, name, route, self.settings, session.version, stored, opened)
        except NoTranslation as error:
            log.warning("no_translation", charger_id=session.charger, upstream=name, reason=str(error))
            return
        now = now_ms()
        session.links[name] = link
        if link.filter is not None:
            link.filter.keep = self._keeper
        if link.primary:
            session.hold_ms = round(route.hold * 1000)
        if self.health.down(name):
            link.down_since = now
        shared = session.shared
        if shared.linked is None:
            shared.linked = {}
        until = shared.linked.get(name)
        if until is None:
            until = max([position, *(each.entry for each in opened)], key=order)
            shared.linked[name] = until
            session.effects.shared[session.charger] = shared
        if not until:
            return
        csms = self.settings[name].version
        told = (
            introduction(shared, opened, session.charger, name, csms, until, now, held)
            if shared.version == session.version
            else []
        )
        told = [exchange for exchange in told if self.settings[name].forward.allows(exchange.call.action)]
        # What comes by itself comes in its turn: transactions do not begin twice.
        told = [x for x in told if order(x.entry.id) <= order(since) and x.entry.id not in coming]
        if isinstance(link.translator, Renumbering):
            told = [exchange for exchange in told if not link.translator.knows(exchange.entry.id)]
        if told:
            link.introduce(told, now)
        else:
            session.introduced(link)

    def treat(self, session: Session, route: Route) -> None:
        """Repairs and the rest that depends on what the charger is."""
        shared, usual = session.shared, self.config.charger
        facts = facts_of(session.version or shared.version, shared.boot) if shared.boot else None
        profile = self.profiles.of(self.routes.quirks(session.charger), facts)
        mend(session, route.repair or usual.repair, profile)
        treat(session, profile, usual.call_timeout)
        session.habits.resets = usual.reset_deaf
        session.patient = usual.offline_commands == "queue"
        session.gate_ms = round(usual.boot_gate_seconds * 1000)

    def forget(self, session: Session, name: str) -> None:
        """An upstream serves this charger no more: if it ever does again, it is new to it."""
        if session.shared.linked is not None and session.shared.linked.pop(name, None) is not None:
            session.effects.shared[session.charger] = session.shared

    def relink(self, partition: Partition, session: Session, version: str) -> None:
        """The charger came back with another OCPP version: the same facts, other rules. What an upstream had not been told yet is
        put aside as dead letters: the new rules cannot read it."""
        self._observer.quirk("ver_flip", version)
        states = {
            field_of(name, part): state for name, link in session.links.items() for part, state in hand_on(link).items()
        }
        old = list(session.links.values())
        self._close_upstreams(session)
        for link in old:
            end(link, now_ms())
        session.links.clear()
        session.lane.clear()  # whoever asked has lost its socket
        self._link(session, version, states, partition, {})

    def release(self, session: Session, *, gone: bool = False) -> None:
        """End the links that leave and have nothing left to tell; `gone`: those of upstreams that are not configured too."""
        for name, link in list(session.links.items()):
            if (link.leaving and link.idle) or (gone and name not in self.config.upstreams):
                del session.links[name]
                if upstream := self.upstreams.pop(link, None):
                    upstream.stop()

    def sweep(self, edges: set[str]) -> None:
        """Let go of absent chargers that every upstream has been told everything about. `edges`: those that live."""
        now = now_ms()
        for partition in self._partitions.values():
            for folded, session in list(partition.sessions.items()):
                if session.edge and session.edge not in edges:
                    session.closed(session.epoch, now)  # its edge is dead: that is a close for all its chargers
                    self._turn.touched(partition, session)
                self.release(session)
                if session.idle and now - session.absent_since >= self._linger_ms(session):
                    del partition.sessions[folded]
                    self.close(session)

    def _linger_ms(self, session: Session) -> float:
        return 1000 * max((self.settings[name].linger for name in session.links), default=0.0)

    def close(self, session: Session) -> None:
        """Nothing of this session may happen here any more."""
        if session.timer is not None:
            session.timer.cancel()
            session.timer = None
        self._close_upstreams(session)

    def look_up(self, partition: Partition, session: Session, entry: Entry) -> None:
        """A charger says again what nobody here knows of: it is told to the upstream unless an answer was stored meanwhile."""
        self._spawn(self._look_up(partition, session, entry))

    async def _look_up(self, partition: Partition, session: Session, entry: Entry) -> None:
        while unread(partition, session, entry):  # noqa: ASYNC110 - the reads are those of all chargers
            await asyncio.sleep(UNREAD_SECONDS)
        try:
            payload = await self._journal.stored_answer(partition.number, session.charger, entry.head.dedup)
        except StoreDown:
            return  # the charger says it once more
        if self.partition_of(session) is not partition:
            return
        try:
            if payload:
                answered_before(session, entry, payload)
            else:
                session.repeated(entry, now_ms())
        except Exception:
            log.exception("entry_poisoned", charger_id=session.charger, group=SESSION, kind=entry.kind)
        self._turn.touched(partition, session)
