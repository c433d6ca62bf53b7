"""What is mended of what a charger says, and how it is treated: by the level of repairs and its quirk profile. Pure."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from gateway.config_quirks import QuirkProfile
from gateway.journal.entry import ToCharger
from gateway.treatment import USUAL, Treatment, encode
from translators import Chain, Translator
from translators.frames import Side
from translators.quirks.mending import Level, Mend
from translators.quirks.zones import Zone
from translators.untouched import Untouched

from .link import Link
from .observer import Observer
from .session import Session

NONE = QuirkProfile()


def mend(session: Session, level: Level, profile: QuirkProfile | None = None) -> None:
    """The repairs of every link of a charger. What a peer does is counted once, where the primary hears it."""
    profile = profile or NONE
    for link in session.links.values():
        equip(link, session.observer, profile.repair or level, profile.utc_offset)


def equip(link: Link, observer: Observer, level: Level, utc_offset: str = "") -> None:
    """The repairs of one link. A translation reads leniently by itself."""
    translator = link.translator
    if not isinstance(translator, Untouched):
        outer = translator.parts[0] if isinstance(translator, Chain) else translator
        assert isinstance(outer, Translator)
        outer.noticed = _counting(observer, link.versions) if link.primary else None
        link.mend = _zone(utc_offset) if utc_offset else None
        return
    link.mend = translator.mend = (
        None if level == "off" else _shared(link.versions[0], level, observer if link.primary else None)
    )


def treat(session: Session, profile: QuirkProfile | None, call_timeout: float) -> None:
    """What else a profile changes: the time for an answer, and how the edge treats the connection. `call_timeout`: s, of
    everybody."""
    profile = profile or NONE
    session.lane.timeout_ms = round((profile.call_timeout or call_timeout) * 1000)
    wanted = Treatment(profile.close_mode == "reset", profile.silence, profile.versions)
    if not session.edge:
        session.treated = USUAL
    elif wanted != session.treated:
        session.treated = wanted
        session.effects.to_charger.append(
            (session.edge, ToCharger(session.charger, session.epoch, "treat", encode(wanted)))
        )


@lru_cache(64)
def _zone(offset: str) -> Zone:
    return Zone(offset)


@lru_cache(64)
def _counting(observer: Observer, versions: tuple[str, str]) -> Callable[[str, Side], None]:
    """Chargers between the same versions share it."""
    charger, csms = versions
    return lambda label, side: observer.quirk(label, charger if side == "charger" else csms, side)


@lru_cache(64)
def _shared(version: str, level: Level, observer: Observer | None) -> Mend:
    """Chargers of one version share it: it knows nothing of them."""
    return Mend(version, level, None if observer is None else observer.quirk)
