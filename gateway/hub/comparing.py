"""The answers that the upstreams of one charger give to the same message, put beside each other as they come. Pure.

Links tell what their upstream said; nobody waits for anything here, nothing here decides about the charger, and whatever goes
wrong here ends the comparing for this charger and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from gateway.journal.entry import Entry
from gateway.readiness import FIELD, LISTED, Noted, Record, Records, decode, encode, summarise
from translators.frames import Error, Result

from .shadow import NOTHING, Said, class_of, differences, heard, word

if TYPE_CHECKING:
    from gateway.config_upstream import Upstream
    from gateway.routes import Route

    from .backlog import Exchange
    from .effects import Effects
    from .link import Link
    from .session import Session

KEPT_MOST: Final = 64
"""The most messages of a charger of which only one side has answered yet."""
STORE_COUNT: Final = 20
"""After so many comparisons the record is stored, or"""
STORE_MS: Final = 30_000
"""after so long, or"""
STORE_DIFFERENT_MS: Final = 5_000
"""after so long if anything differed."""
LOOK_MS: Final = 1_000
"""Between two looks at what is to be stored."""


class Unstored:
    """Comparisons of a partition's chargers that have changed since they were stored. They go with commits that happen
    anyway."""

    __slots__ = ("_look_at", "_of")

    def __init__(self) -> None:
        self._of: dict[str, Comparison] = {}
        self._look_at = 0

    def __bool__(self) -> bool:
        return bool(self._of)

    def add(self, comparison: Comparison) -> None:
        """It has changed."""
        self._of[comparison.charger] = comparison

    def records(self, charger: str) -> Records | None:
        """What is not stored yet of a charger whose session was let go."""
        found = self._of.get(charger)
        return None if found is None else found.records

    def take(self, now: int) -> dict[tuple[str, str], bytes | None]:
        """Facts that are due at `now`, ms: for the next commit."""
        if not self._of or now < self._look_at:
            return {}
        self._look_at = now + LOOK_MS
        facts: dict[tuple[str, str], bytes | None] = {}
        for comparison in [each for each in self._of.values() if each.due_at <= now]:
            del self._of[comparison.charger]
            try:
                facts |= comparison.stored(now)
            except Exception as error:  # the commit is others' as well
                comparison.give_up(error)
        return facts


class _Pair:
    """What was said to one message so far."""

    __slots__ = ("answer", "done", "lasting", "shadows")

    def __init__(self, lasting: bool) -> None:
        self.answer: Said | None = None
        """Of the upstream whose answer counts."""
        self.shadows: dict[str, Said] = {}
        self.done: set[str] = set()
        """Shadows that were compared."""
        self.lasting = lasting
        """Shadows get it even much later."""


class Comparison:
    """Everything that is compared for one charger."""

    __slots__ = ("_effects", "_new", "_pairs", "_session", "_stored_at", "charger", "due_at", "records", "shadows")

    def __init__(self, session: Session, records: Records) -> None:
        self.charger = session.charger
        self.records = records
        self.shadows: dict[str, Callable[[str], bool]] = {}
        """Name -> whether it gets messages with this action."""
        self.due_at = 0
        """When the records are to be stored, ms."""
        self._session = session
        self._effects: Effects = session.effects
        self._pairs: dict[str, _Pair] = {}
        self._new = 0
        self._stored_at = 0

    def said(self, link: Link, exchange: Exchange, frame: Result | Error, now: int) -> None:
        """An upstream has answered a CALL of the charger; the frame is in the charger's version."""
        try:
            self._said(link, exchange, heard(exchange.call.action, frame, now - exchange.begun), now)
        except Exception as error:
            self.give_up(error)

    def silent(self, link: Link, exchange: Exchange, now: int) -> None:
        """An upstream gave no answer in time, or could not be asked while an answer was worth anything."""
        try:
            self._said(link, exchange, NOTHING, now)
        except Exception as error:
            self.give_up(error)

    def stored(self, now: int) -> dict[tuple[str, str], bytes | None]:
        """Facts for the store; they leave with the next commit."""
        self._new, self._stored_at = 0, now
        summary = LISTED + self.charger.casefold()
        return {
            (self.charger, FIELD): encode(self.records),
            ("", summary): summarise(self.charger, self.records),
        }

    def _said(self, link: Link, exchange: Exchange, said: Said, now: int) -> None:
        entry, name = exchange.entry, link.name
        if not exchange.counts and name not in self.shadows:
            return
        if entry.id in link.introducing:
            return  # the charger said it long ago
        pair = self._pairs.get(entry.id)
        if pair is None:
            if exchange.counts and not any(takes(exchange.call.action) for takes in self.shadows.values()):
                return
            pair = self._pairs[entry.id] = _Pair(not exchange.perishable)
            self._forget()
        if exchange.counts:
            if pair.answer is not None:
                return
            pair.answer = said
            for other, theirs in pair.shadows.items():
                self._compare(other, exchange, pair, said, theirs, now)
        elif name in pair.done or name in pair.shadows:
            return
        elif pair.answer is None:
            pair.shadows[name] = said
        else:
            self._compare(name, exchange, pair, pair.answer, said, now)
        if pair.done >= {other for other, takes in self.shadows.items() if takes(exchange.call.action)}:
            del self._pairs[entry.id]

    def _compare(self, name: str, exchange: Exchange, pair: _Pair, answer: Said, shadow: Said, now: int) -> None:
        pair.done.add(name)
        if answer is NOTHING:
            return
        entry: Entry = exchange.entry
        action = exchange.call.action
        found = differences(action, answer, shadow)
        record = self.records.upstreams.setdefault(name, Record())
        noted = [Noted(now, word(action), entry.id, each.kind, each.answer, each.shadow) for each in found]
        record.add(class_of(action, entry.head.cls == "K0", answer, shadow), noted, now)
        later = shadow.ms - answer.ms if shadow is not NOTHING else None
        self._session.observer.compared(name, action, [each.kind for each in found], later)
        self._new += 1
        due_at = self._stored_at + (STORE_DIFFERENT_MS if found else STORE_MS)
        self.due_at = now if self._new >= STORE_COUNT else due_at if self._new == 1 else min(self.due_at, due_at)
        self._effects.unstored.add(self)

    def _forget(self) -> None:
        """Make room: first of what no shadow will be told any more."""
        if len(self._pairs) > KEPT_MOST:
            oldest = next((id for id, pair in self._pairs.items() if not pair.lasting), next(iter(self._pairs)))
            del self._pairs[oldest]

    def give_up(self, error: Exception) -> None:
        """A bug of ours: nothing is compared for this charger from now on."""
        for link in self._session.links.values():
            link.watch = None
        self._session.observer.uncompared(self.charger, error)


def compare(session: Session, route: Route, upstreams: Mapping[str, Upstream]) -> None:
    """Let the links of a charger tell what their upstreams say, if its route has a shadow; else nobody does."""
    shadows: dict[str, Callable[[str], bool]] = {
        name: upstreams[name].forward.allows
        for name in route.mirrors
        if upstreams[name].shadow and name in session.links
    }
    watch = session.comparison
    if shadows and watch is None:
        records = session.effects.unstored.records(session.charger) or decode(session.compared)
        watch = session.comparison = Comparison(session, records)
        session.compared = b""
        for name in [name for name in records.upstreams if name not in upstreams]:
            del records.upstreams[name]
    if watch is not None:
        watch.shadows = shadows
    for link in session.links.values():
        link.watch = watch if shadows else None
