"""What a translator remembers between messages: the facts of its pair, and what each journal entry was given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import kept
from .dialogue import Pair
from .facts import encode, encode_members

_EARLY = "*"
"""Key in the facts' `given` of what belongs to no single journal entry."""
_OWES = "*owes"
"""Key in `given` that is there while `back` has something to tell."""


class Memory:
    """The facts of one charger as one upstream sees it."""

    __slots__ = ("facts", "keeps_given", "pair")

    def __init__(self, pair: Pair, facts: Any) -> None:
        self.pair = pair
        self.facts = facts
        self.keeps_given = False
        """What a journal entry was given outlives its dialogue here, until `forget`: others work on the entry too."""

    def assume(self, registered: bool, connectors: int) -> None:
        """Begin with a charger that has booted before (or not), with this many connectors."""
        self.facts.registration = "Accepted" if registered else ""
        self.facts.known_connectors = connectors

    def forget(self, key: str) -> None:
        """Journal entry `key` is done: drop what it was given, and what was derived from it."""
        given = self.facts.given
        if not given:
            return
        for each in [each for each in given if each == key or each.startswith(key + "/")]:
            del given[each]

    def numbered(self, key: str, tx: int, number: int) -> None:
        """Another upstream has answered the StartTransaction of entry `key`, for which `tx` was minted: the charger knows
        the transaction by `number`."""
        if self.pair.numbered is not None:
            self.pair.numbered(self.facts, key, tx, number)

    @property
    def early_until(self) -> str:
        """Journal id up to which the charger was answered while the upstream was away; "" without an outage."""
        until: str = self.facts.given.get(_EARLY, {}).get("until", "")
        return until

    @early_until.setter
    def early_until(self, key: str) -> None:
        self.facts.given[_EARLY] = {"until": key}

    @property
    def owes(self) -> bool:
        """Whether something was left for `back` to tell. Kept with the facts: a new owner tells it."""
        return _OWES in self.facts.given

    def owe(self) -> None:
        """Leave something for `back` to tell."""
        self.facts.given[_OWES] = {}

    def settled(self) -> None:
        """Nothing is owed any more: the outage is over."""
        self.facts.given.pop(_EARLY, None)
        self.facts.given.pop(_OWES, None)

    def state(self) -> bytes:
        """All facts, encoded as one."""
        return encode(self.facts)

    def packed(self, *, rest: bool) -> dict[str, bytes]:
        """The facts as they are to be stored: the hot part, and each other part under a name of its own if it has changed
        since this was asked last. `rest`: nobody holds on to any of them."""
        packed = kept.pack(self.facts, encode_members, rest=rest)
        if len(packed) > 1:
            prefix = self.pair.prefix
            return {name and prefix + name: each for name, each in packed.items()}
        return packed

    def restore(self, stored: Mapping[str, bytes]) -> None:
        """Go on from what `packed` gave. The hot part was given when the facts were made."""
        prefix = self.pair.prefix
        mine = {name.removeprefix(prefix): each for name, each in stored.items() if name.startswith(prefix)}
        kept.restore(self.facts, mine)
