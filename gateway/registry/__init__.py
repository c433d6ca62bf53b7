"""Which chargers exist. Every process has all of them in memory: nothing is asked when a charger comes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice

import msgspec


class Charger(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What the registry knows of a charger."""

    id: str
    """Its identity as it was registered; upper and lower case are the same."""
    password: str = ""
    """argon2id hash, or what `passwords.sealed` makes of a password in plain text. Empty: it has none."""
    serial: str = ""
    """Serial number, as its certificate and its BootNotification have it."""
    group: str = ""
    """For `routes[].groups`."""
    route: str = ""
    """Name of its route, before all others."""
    versions: tuple[str, ...] = ()
    """OCPP versions that it may speak; empty: those of the listener."""
    blocked: bool = False
    """It may not connect."""
    strict: bool = False
    """A certification run: nothing that it does wrong is tolerated."""
    next: str = ""
    """argon2id hash of a password that its CSMS has given it and that it has not used yet: right as well."""
    quirks: str = ""
    """Name of its quirk profile; empty: by what it says of itself."""


class Change(msgspec.Struct, frozen=True):
    """What is different in the registry."""

    chargers: frozenset[str] | None
    """Casefolded identities; None: perhaps all."""
    placed: bool
    """A charger has another group, route or quirk profile."""


class Registry:
    """The chargers by casefolded identity. `open`: any identity exists."""

    def __init__(self, *, open: bool = True) -> None:
        self.open = open
        self.ready = True
        """Whether it is known who exists."""
        self.on_change: list[Callable[[Change], None]] = []
        """Called after a change."""
        self.password_used: Callable[[str, str], None] | None = None
        """Called with (identity, hash) when a charger has come with its `next` password."""
        self._chargers: dict[str, Charger] = {}
        self._given: Registry | None = None

    def __len__(self) -> int:
        return len(self._chargers)

    def get(self, identity: str) -> Charger | None:
        """What is known of a charger; None if it is not registered."""
        folded = identity.casefold()
        charger = self._chargers.get(folded)
        if self._given is not None and charger is not None and (given := self._given.get(folded)) is not None:
            return msgspec.structs.replace(charger, password=given.password or charger.password, next=given.next)
        return charger

    def lay_over(self, given: Registry) -> None:
        """The passwords there (empty: none) count before those here."""
        self._given = given
        given.on_change.append(lambda change: self._tell(Change(change.chargers, False)))

    def all(self) -> list[Charger]:
        """Everyone who is registered."""
        return list(self._chargers.values())

    def own_password(self, identity: str) -> str:
        """The stored password of a charger, whatever was laid over it; "" if it has none."""
        charger = self._chargers.get(identity.casefold())
        return "" if charger is None else charger.password

    def exists(self, identity: str) -> bool:
        """Whether this charger may exist."""
        return self.open or identity.casefold() in self._chargers

    def some(self, count: int) -> list[Charger]:
        """Up to so many chargers that have a password."""
        return list(islice((each for each in self._chargers.values() if each.password), count))

    def replace(self, chargers: Iterable[Charger]) -> None:
        """These, and no others, exist now."""
        old, self._chargers = self._chargers, {each.id.casefold(): each for each in chargers}
        if old != self._chargers:
            either = old.keys() | self._chargers.keys()
            placed = any(_place(old.get(each)) != _place(self._chargers.get(each)) for each in either)
            self._tell(Change(None, placed))

    def update(self, changes: Mapping[str, Charger | None]) -> None:
        """These changed; None: they are removed."""
        placed = False
        for identity, charger in changes.items():
            folded = identity.casefold()
            placed |= _place(self._chargers.get(folded)) != _place(charger)
            if charger is None:
                self._chargers.pop(folded, None)
            else:
                self._chargers[folded] = charger
        self._tell(Change(frozenset(identity.casefold() for identity in changes), placed))

    def _tell(self, change: Change) -> None:
        for callback in self.on_change:
            callback(change)


def _place(charger: Charger | None) -> tuple[str, str, str]:
    return ("", "", "") if charger is None else (charger.route, charger.group, charger.quirks)
