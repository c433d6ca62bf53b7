"""The half without I/O: frames of one OCPP version in, frames of another out.

PAIRS is the explicit, ordered list of adjacent version pairs. Adding one is a folder (or module) with a `PAIR` and a line here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib import import_module
from typing import Any, Literal, Protocol, TypeAlias

import msgspec
from msgspec import Raw

from .chain import Chain
from .chain import stored_parts as chain_parts
from .dialogue import Pair, Step
from .engine import Translator
from .facts import Facts
from .facts import decode as decode_facts
from .frames import Call, Error, Frame, Result, Side
from .options import Options
from .standin import StandIn
from .untouched import Untouched
from .v16_v16 import Renumbering, unfinished
from .v201_v201 import Recalling

PAIRS: list[tuple[str, str, str]] = [
    ("ocpp1.5", "ocpp1.6", "translators.v15_v16"),
    ("ocpp1.6", "ocpp2.0.1", "translators.v16_v201"),
    ("ocpp2.0.1", "ocpp1.6", "translators.v201_v16"),
]
"""(charger version, CSMS version, module that holds the PAIR)."""

VERSIONS: tuple[str, ...] = ("ocpp1.5", "ocpp1.6", "ocpp2.0.1")
"""Subprotocols that can be spoken on either side."""


class Translating(Protocol):
    """What a link needs of a translator; `Translator` and `Untouched` have it."""

    @property
    def neutral(self) -> frozenset[str]: ...

    backlog: Callable[[], Iterable[Call]]

    @property
    def next_wake(self) -> int | None: ...
    def receive(
        self,
        side: Side,
        frame: Frame,
        clock: int,
        *,
        now: int | None = None,
        key: str = "",
        tx: int = 0,
        early: bool = False,
    ) -> list[Step]: ...
    def expire(self, side: Side, id: str, clock: int) -> list[Step]: ...
    def connected(self, at: int) -> None: ...
    def overtakes(self, action: str) -> bool: ...

    early_until: str

    @property
    def owes(self) -> bool: ...
    def forget(self, key: str) -> None: ...
    def numbered(self, key: str, tx: int, number: int) -> None: ...
    def lost(self, side: Side, clock: int) -> list[Step]: ...
    def tick(self, clock: int) -> list[Step]: ...
    def back(self, clock: int) -> list[Step]: ...
    def away(self, call: Call, clock: int, *, key: str = "", tx: int = 0) -> Raw | None: ...
    def assume(self, registered: bool, connectors: int) -> None: ...
    def state(self) -> bytes: ...
    def stored(self) -> dict[str, bytes]: ...
    def restore(self, stored: Mapping[str, bytes]) -> None: ...


NUMBERED = frozenset(("ocpp1.5", "ocpp1.6"))
"""Versions in which the CSMS gives a transaction its id."""

Role: TypeAlias = Literal["only", "primary", "mirror"]
"""What an upstream is to a charger: the only one, the one of several whose answers count, or one of the others."""


class NoTranslation(ValueError):
    """There is no chain of pairs between these two versions."""


@cache
def path(charger: str, csms: str) -> tuple[str, ...]:
    """The modules of the fewest pairs that lead from a charger's version to a CSMS's. Raises NoTranslation."""
    ways: deque[tuple[str, tuple[str, ...]]] = deque([(charger, ())])
    seen = {charger}
    while ways:
        version, modules = ways.popleft()
        if version == csms:
            return modules
        for source, target, module in PAIRS:
            if source == version and target not in seen:
                seen.add(target)
                ways.append((target, (*modules, module)))
    raise NoTranslation(f"there is no translation between a charger of {charger} and a CSMS of {csms}")


def pairs(charger: str, csms: str) -> list[Pair]:
    """The rules between these versions, the charger's end first. Raises NoTranslation."""
    return [import_module(module).PAIR for module in path(charger, csms)]


def pair(charger: str, csms: str) -> Pair:
    """The rules for a charger and a CSMS of adjacent versions. Raises NoTranslation."""
    found = pairs(charger, csms)
    if len(found) != 1:
        raise NoTranslation(f"{charger} and {csms} are not adjacent")
    return found[0]


def translatable(charger: str, csms: str) -> bool:
    """Whether a charger of one version can work behind a CSMS of the other."""
    try:
        path(charger, csms)
    except NoTranslation:
        return False
    return True


def translator(
    charger: str,
    csms: str,
    state: bytes,
    options: Options,
    new_id: Callable[[], str],
    role: Role = "only",
    *,
    stands_in: bool = False,
) -> Translating:
    """A translator that continues from `state` (empty: from the beginning). Raises NoTranslation, ValueError for newer facts.

    Between equal versions nothing is translated, but for the transaction ids of one 1.x upstream among several; an only one that
    still has transactions under other ids than the charger is one of several until they have ended. `stands_in`: the gateway
    answers for this upstream when it is away; then a 1.x charger may know a transaction by a number of the gateway, too.
    """
    if charger == csms:
        untouched: Untouched
        if charger in NUMBERED and (role != "only" or stands_in or unfinished(state)):
            untouched = Renumbering(state, new_id, primary=role != "mirror")
        elif charger not in NUMBERED and stands_in:
            untouched = Recalling(new_id)
        else:
            untouched = Untouched(new_id)
        if charger == "ocpp2.1":
            untouched.answered = {}
        return _chosen(untouched, charger, options, stands_in)
    parts = [Translator(each, _facts(each, state), options, new_id) for each in pairs(charger, csms)]
    return parts[0] if len(parts) == 1 else Chain(parts)


def in_role(
    translating: Translating,
    charger: str,
    options: Options,
    new_id: Callable[[], str],
    role: Role,
    *,
    stands_in: bool = False,
) -> Translating:
    """What goes on in place of `translating` when its upstream has become something else to the charger, or has other
    options: what is open stays open. Between 1.x an only upstream that gets company begins to count transactions of its own."""
    if isinstance(translating, Untouched):
        plain = type(translating) is Untouched
        if plain and charger in NUMBERED and (role != "only" or stands_in):
            renumbering = Renumbering(b"", new_id, primary=role != "mirror")
            renumbering.continue_from(translating)
            translating = renumbering
        elif plain and charger not in NUMBERED and stands_in:
            recalling = Recalling(new_id)
            recalling.continue_from(translating)
            translating = recalling
        if isinstance(translating, Renumbering):
            translating.primary = role != "mirror"
        return _chosen(translating, charger, options, stands_in)
    for part in translating.parts if isinstance(translating, Chain) else (translating,):
        assert isinstance(part, Translator)
        part.options = options
    return translating


def _chosen(translating: Untouched, charger: str, options: Options, stands_in: bool) -> Untouched:
    """`translating` with these options."""
    if isinstance(translating, Renumbering):
        translating.accept_away = options.offline_unknown_id == "Accepted"
    if isinstance(translating, Renumbering | Recalling):
        translating.deauthorise = options.deauthorise
    if not stands_in:
        translating.stand_in = None
    elif translating.stand_in is None:
        translating.stand_in = StandIn(charger, options, Untouched.neutral)
    else:
        translating.stand_in.options = options
    return translating


class _Stored(msgspec.Struct):
    """What tells the facts of one pair from those of another."""

    format: int = 1
    pair: str = ""


def _facts(rules: Pair, state: bytes) -> Any:
    """The facts of a pair in `state`, alone or in a chain's; new ones if the charger spoke another version before."""
    parts = chain_parts(state)
    raw = state if parts is None else parts.get(f"{rules.charger}-{rules.csms}", b"")
    if not raw:
        return rules.facts()
    stored = msgspec.msgpack.decode(raw, type=_Stored)
    if stored.pair != (rules.facts.__struct_config__.tag or ""):
        return rules.facts()
    if rules.facts is Facts:
        return decode_facts(raw)
    facts = msgspec.msgpack.decode(raw, type=rules.facts)
    if facts.format > rules.facts().format:
        raise ValueError(f"facts have format {facts.format}, this release reads up to {rules.facts().format}")
    return facts


__all__ = [
    "PAIRS",
    "VERSIONS",
    "Chain",
    "Error",
    "NoTranslation",
    "Options",
    "Renumbering",
    "Result",
    "Role",
    "Translating",
    "Translator",
    "in_role",
    "pair",
    "pairs",
    "translatable",
    "translator",
]
