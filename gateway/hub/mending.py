"""Which repairs the links of a charger make on their way to a CSMS of its version. Pure."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from translators import Chain, Translator
from translators.frames import Side
from translators.quirks.mending import Level, Mend
from translators.untouched import Untouched

from .link import Link
from .observer import Observer
from .session import Session


def mend(session: Session, level: Level) -> None:
    """The repairs of every link of a charger. What a peer does is counted once, where the primary hears it."""
    for link in session.links.values():
        equip(link, session.observer, level)


def equip(link: Link, observer: Observer, level: Level) -> None:
    """The repairs of one link. A translation reads what it needs by itself."""
    translator = link.translator
    if not isinstance(translator, Untouched):
        outer = translator.parts[0] if isinstance(translator, Chain) else translator
        assert isinstance(outer, Translator)
        outer.noticed = _counting(observer, link.versions) if link.primary else None
        return
    link.mend = None if level == "off" else _shared(link.versions[0], level, observer if link.primary else None)
    translator.mend = link.mend


@lru_cache(64)
def _counting(observer: Observer, versions: tuple[str, str]) -> Callable[[str, Side], None]:
    """Chargers between the same versions share it."""
    charger, csms = versions
    return lambda label, side: observer.quirk(label, charger if side == "charger" else csms, side)


@lru_cache(64)
def _shared(version: str, level: Level, observer: Observer | None) -> Mend:
    """Chargers of one version share it: it knows nothing of them."""
    return Mend(version, level, None if observer is None else observer.quirk)
