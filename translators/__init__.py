"""The half without I/O: frames of one OCPP version in, frames of another out.

PAIRS is the explicit, ordered list of adjacent version pairs. Adding one is a folder (or module) with a `PAIR` and a line here.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Protocol

from msgspec import Raw

from .dialogue import Pair, Step, Translator
from .facts import decode as decode_facts
from .frames import Call, Error, Frame, Result, Side
from .options import Options
from .untouched import Untouched

PAIRS: list[tuple[str, str, str]] = [
    ("ocpp1.6", "ocpp2.0.1", "translators.v16_v201"),
]
"""(charger version, CSMS version, module that holds the PAIR)."""

VERSIONS: tuple[str, ...] = ("ocpp1.6", "ocpp2.0.1")
"""Subprotocols that can be spoken on either side."""


class Translating(Protocol):
    """What a link needs of a translator; `Translator` and `Untouched` have it."""

    @property
    def neutral(self) -> frozenset[str]: ...
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
    def lost(self, side: Side, clock: int) -> list[Step]: ...
    def tick(self, clock: int) -> list[Step]: ...
    def back(self, clock: int) -> list[Step]: ...
    def away(self, call: Call, clock: int, *, key: str = "", tx: int = 0) -> Raw | None: ...
    def state(self) -> bytes: ...


class NoTranslation(ValueError):
    """There is no chain of pairs between these two versions."""


def pair(charger: str, csms: str) -> Pair:
    """The rules for a charger and a CSMS of these versions. Raises NoTranslation."""
    for charger_version, csms_version, module in PAIRS:
        if (charger_version, csms_version) == (charger, csms):
            found: Pair = import_module(module).PAIR
            return found
    raise NoTranslation(f"there is no translation between a charger of {charger} and a CSMS of {csms}")


def translatable(charger: str, csms: str) -> bool:
    """Whether a charger of one version can work behind a CSMS of the other."""
    return charger == csms or any((charger, csms) == (one, other) for one, other, _ in PAIRS)


def translator(charger: str, csms: str, state: bytes, options: Options, new_id: Callable[[], str]) -> Translating:
    """A translator that continues from `state` (empty: from the beginning). Raises NoTranslation, ValueError for newer facts."""
    if charger == csms:
        return Untouched(new_id)
    found = pair(charger, csms)
    facts = decode_facts(state) if state else found.facts()
    return Translator(found, facts, options, new_id)


__all__ = [
    "PAIRS",
    "VERSIONS",
    "Error",
    "NoTranslation",
    "Options",
    "Result",
    "Translating",
    "Translator",
    "pair",
    "translatable",
    "translator",
]
