"""What a translator remembers between messages: the facts of its pair, and what each journal entry was given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import kept
from .dialogue import Pair
from .facts import FORMAT, Facts, Transaction, encode, encode_courses, encode_members, follow

_EARLY = "*"
"""Key in the facts' `given` of what belongs to no single journal entry."""
COURSES = "courses"
"""Name of the part that holds what moves in running transactions."""
_OWES = "*owes"
"""Key in `given` that is there while `back` has something to tell."""


class Memory:
    """The facts of one charger as one upstream sees it."""

    __slots__ = ("facts", "keeps_given", "moved", "moving", "pair", "whole")

    def __init__(self, pair: Pair, facts: Any) -> None:
        self.pair = pair
        self.facts = facts
        self.keeps_given = False
        """What a journal entry was given outlives its dialogue here, until `forget`: others work on the entry too."""
        self.whole = True
        """Any of the facts may have changed since they were packed."""
        self.moved: tuple[Transaction, ...] = ()
        """Transactions whose courses are ahead of the facts that were packed last."""
        self.moving = False
        """One of them has gone on since anything was packed."""

    def assume(self, registered: bool, connectors: int) -> None:
        """Begin with a charger that has booted before (or not), with this many connectors."""
        self.whole = True
        self.facts.registration = "Accepted" if registered else ""
        self.facts.known_connectors = connectors

    def forget(self, key: str) -> None:
        """Journal entry `key` is done: drop what it was given, and what was derived from it."""
        given = self.facts.given
        if not given:
            return
        self.whole = True
        for each in [each for each in given if each == key or each.startswith(key + "/")]:
            del given[each]

    def numbered(self, key: str, tx: int, number: int) -> None:
        """Another upstream has answered the StartTransaction of entry `key`, for which `tx` was minted: the charger knows
        the transaction by `number`."""
        self.whole = True
        if self.pair.numbered is not None:
            self.pair.numbered(self.facts, key, tx, number)

    @property
    def early_until(self) -> str:
        """Journal id up to which the charger was answered while the upstream was away; "" without an outage."""
        until: str = self.facts.given.get(_EARLY, {}).get("until", "")
        return until

    @early_until.setter
    def early_until(self, key: str) -> None:
        self.whole = True
        self.facts.given[_EARLY] = {"until": key}

    @property
    def owes(self) -> bool:
        """Whether something was left for `back` to tell. Kept with the facts: a new owner tells it."""
        return _OWES in self.facts.given

    def owe(self) -> None:
        """Leave something for `back` to tell."""
        self.whole = True
        self.facts.given[_OWES] = {}

    def settled(self) -> None:
        """Nothing is owed any more: the outage is over."""
        self.whole = True
        self.facts.given.pop(_EARLY, None)
        self.facts.given.pop(_OWES, None)

    def state(self) -> bytes:
        """All facts, encoded as one."""
        return encode(self.facts)

    def packed(self, *, rest: bool) -> dict[str, bytes]:
        """What of the facts is to be stored: the hot part, and each other part under a name of its own, if it may have changed since
        this was asked last. `rest`: nobody holds on to any of them.

        While transactions get meter values and nothing else happens, their courses are all that changes.
        """
        facts, moving = self.facts, self.moving
        self.moving = False
        if not self.whole:
            if not moving:
                return {}
            if facts.format == FORMAT:  # what is stored tells readers to look for courses
                return {self.pair.prefix + COURSES: encode_courses(self.moved)}
        overtaken = isinstance(facts, Facts) and facts.format == FORMAT
        if overtaken or moving:
            facts.format = FORMAT if moving else 1
        self.whole, self.moved = False, ()
        packed = kept.pack(facts, encode_members, rest=rest)
        if overtaken:
            packed[COURSES] = b""
        if len(packed) > 1:
            prefix = self.pair.prefix
            return {name and prefix + name: each for name, each in packed.items()}
        return packed

    def restore(self, stored: Mapping[str, bytes]) -> None:
        """Go on from what `packed` gave. The hot part was given when the facts were made."""
        prefix = self.pair.prefix
        mine = {name.removeprefix(prefix): each for name, each in stored.items() if name.startswith(prefix)}
        if courses := mine.pop(COURSES, b""):
            follow(self.facts, courses)
        kept.restore(self.facts, mine)
