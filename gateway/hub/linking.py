"""Links after the configuration: made for a route, and fitted to another one without losing what is under way."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from functools import partial

import msgspec

from gateway.config_route import Local as Rules
from gateway.config_upstream import Upstream
from gateway.ids import new_id
from gateway.routes import Route
from translators import Chain, Options, Renumbering, Translator, in_role, translator

from .answering import ack
from .backlog import Exchange
from .intake import intake
from .lifeline import filter_of
from .link import Link
from .local import Local
from .refused import dead
from .session import Session
from .shared import Open, field_of


def make(
    session: Session,
    name: str,
    route: Route,
    upstreams: Mapping[str, Upstream],
    version: str,
    stored: dict[str, bytes],
    opened: list[Open],
) -> Link:
    """A link that continues from `stored`; `opened`: the transactions whose end its upstream will hear. Raises NoTranslation,
    ValueError for newer facts."""
    settings = upstreams[name]
    foreign = _foreign(opened, name)
    role = "primary" if foreign and route.role(name) == "only" else route.role(name)
    translating = translator(
        version,
        settings.version,
        stored.get("", b""),
        _options(name, route, settings),
        new_id,
        role,
        stands_in=route.primary_down != "close",
    )
    translating.restore(stored)
    for part in translating.parts if isinstance(translating, Chain) else (translating,):
        if isinstance(part, Translator):
            part.identity = settings.id_of(session.charger)
    if isinstance(translating, Renumbering):
        for each in foreign:
            translating.adopt(each.entry, each.number)
    link = Link(
        name,
        session,
        translating,
        versions=(version, settings.version),
        primary=name == route.primary,
        call_timeout_ms=round(settings.call_timeout * 1000),
        stopwatch=None if version == settings.version else time.perf_counter,
    )
    link.stored = dict(stored)
    _allow(link, session, route, upstreams)
    link.intake = intake(name, route, settings)
    return link


def hand_on(old: Link) -> dict[str, bytes]:
    """The facts of a link in whose place another one comes; what of them was not stored yet goes with the next commit."""
    changed = old.translator.stored()
    facts = old.owner.effects.facts
    for part, state in changed.items():
        facts[(old.charger, field_of(old.name, part))] = state
    old.stored = {**old.stored, **changed}
    return old.stored


def end(link: Link, now: int) -> None:
    """The link ends and nobody can go on for it: what needs no live answer becomes dead letters."""
    for exchange in leavings(link, now):
        if not exchange.perishable:
            dead(link, exchange, "version", "untranslatable")
        ack(link, exchange)


def leavings(old: Link, now: int) -> list[Exchange]:
    """What an ended link leaves to the one in its place; an introduction begins again, and what is parked is fetched again."""
    introduced = set(old.introducing)
    return [each for each in old.hand_over(now) if not each.parked and each.entry.id not in introduced]


def fit(link: Link, session: Session, route: Route, upstreams: Mapping[str, Upstream], now: int) -> None:
    """The link's upstream is something else to the charger from now on; whose answer counts is settled for what is under
    way."""
    settings = upstreams[link.name]
    role = route.role(link.name)
    before = link.translator
    options, stands_in = _options(link.name, route, settings), route.primary_down != "close"
    link.translator = in_role(before, link.versions[0], options, new_id, role, stands_in=stands_in)
    if isinstance(link.translator, Renumbering) and link.translator is not before:
        for each in _foreign(session.shared.open, link.name):
            link.translator.adopt(each.entry, each.number)
    _allow(link, session, route, upstreams)
    old, link.intake = link.intake, intake(link.name, route, settings)
    if old is None or old.throttle is None:
        return
    if link.intake is not None and link.intake.throttle is not None:
        old.slow_down(round(settings.meter_interval * 1000))
        link.intake.throttle = old.throttle
        return
    old.slow_down(0)
    for exchange in old.throttle.due(now):
        link.enqueue(exchange, now)


def _allow(link: Link, session: Session, route: Route, upstreams: Mapping[str, Upstream]) -> None:
    settings = upstreams[link.name]
    link.primary = link.name == route.primary
    if link.primary:
        session.lane.favoured = link.name
    link.answers = link.name in route.answerers
    link.numbers = route.role(link.name) != "mirror"
    link.policy = route.primary_down if link.answers else "buffer"
    same = link.versions[0] == link.versions[1]
    link.local = Local(route, same=same) if link.answers and route.primary_down != "close" else None
    link.may_command = link.name in route.commanders(upstreams)
    link.filter = filter_of(route.lifeline, session.charger, link.filter)
    link.allows = None if route.may_all(link.name, settings) else partial(route.may_command, link.name, settings)
    link.attempts = settings.options.tx_attempts
    link.retry_ms = round(settings.options.tx_retry_interval * 1000)


def _options(name: str, route: Route, settings: Upstream) -> Options:
    options = msgspec.structs.replace(
        settings.options,
        post_boot=name == route.primary,  # a mirror asks nothing
        deauthorise=route.deauthorise,
    )
    if route.primary_down != "local":
        return _one(options)
    rules, known = route.local or Rules(), options.offline_unknown_id
    accept = rules.authorize == "accept"
    return _one(
        msgspec.structs.replace(
            options,
            offline_unknown_id="Accepted" if accept else "Invalid" if known == "Accepted" else known,
            offline_cache_ttl=0 if rules.authorize == "deny" else rules.cache_ttl,
        )
    )


_known: deque[Options] = deque(maxlen=16)


def _one(options: Options) -> Options:
    """Links whose options are equal share them."""
    for known in _known:
        if known == options:
            return known
    _known.append(options)
    return options


def _foreign(opened: list[Open], name: str) -> list[Open]:
    """Transactions whose number is not this upstream's."""
    return [each for each in opened if not each.id and (each.minted or each.by != name)]
