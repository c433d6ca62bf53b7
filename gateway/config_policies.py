"""Policies that contradict each other, and names that mean nothing: found when the configuration is loaded."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path

from gateway.config_route import Local, RouteConfig
from gateway.config_source import suggestion
from gateway.config_upstream import Upstream
from gateway.edge.actions import FROM_CHARGER, FROM_CSMS
from gateway.passwords import of_text
from gateway.routes import CLASSES, DECISIONS, FOLLOWS, matcher, spellings
from translators import translatable
from translators.options import FEATURES

TOLD = frozenset().union(*FROM_CHARGER.values())
"""Every action that a charger of some version sends."""
ASKED = frozenset().union(*FROM_CSMS.values())
"""Every action that a CSMS of some version sends."""
_LIVE = frozenset(action for classes in FROM_CHARGER.values() for action, cls in classes.items() if cls == "K3")
_ONE_TRANSACTION = ("StartTransaction", "StopTransaction")

Found = Iterator[tuple[str, str]]
"""(key within the upstream or route, what is wrong)."""


def of_upstream(upstream: Upstream) -> Found:
    """What is wrong with an upstream by itself. Its URL holds no credentials any more."""
    if "{id}" not in upstream.charger_id:
        yield "charger_id", "must contain {id}, or all chargers would be the same one there"
    yield from _charger_ids(upstream.charger_ids)
    yield from _credentials(upstream)
    yield from _forward(upstream)
    if isinstance(upstream.may_command, tuple):
        known = FROM_CSMS[upstream.version]
        for action in upstream.may_command:
            if action not in known:
                yield "may_command", f"a CSMS of {upstream.version} sends no {action}{_near(action, known)}"
    for feature in upstream.options.features:
        if feature not in FEATURES:
            yield "options.features", f"no feature is called {feature}{suggestion(feature, FEATURES)}"
    if (levels := upstream.stack_levels) is not None and not 0 <= levels[0] <= levels[1]:
        yield "stack_levels", "must be [lowest, highest], from 0 up"
    try:
        upstream.begins(0)
    except ValueError:
        yield "replay_from", "must be tail, start, a duration such as 7d, or a time such as 2026-11-01T00:00:00Z"


def _charger_ids(ids: Mapping[str, str]) -> Found:
    seen: dict[str, str] = {}
    taken: dict[str, str] = {}
    for charger, id in ids.items():
        key = f"charger_ids.{charger}"
        if charger.casefold() in seen:
            yield key, f"is the same charger as {seen[charger.casefold()]}: identities differ by more than case"
        elif not id:
            yield key, "must not be empty"
        elif id.casefold() in taken:
            yield key, f"{id} is the id of {taken[id.casefold()]} already"
        seen.setdefault(charger.casefold(), charger)
        taken.setdefault(id.casefold(), charger)


def _credentials(upstream: Upstream) -> Found:
    passwords = bool(upstream.password or upstream.passwords)
    match upstream.credentials:
        case "basic" if not passwords and not upstream.username:
            yield "credentials", "basic needs password or passwords (or password_file, passwords_file)"
        case "vault" if passwords:
            yield "credentials", "vault has a password for each charger in the store, but some are given"
        case "none" | "passthrough" if passwords or upstream.username:
            yield "credentials", f"{upstream.credentials} sends no user name or password of ours, but they are given"
        case "certificate" if not upstream.client_cert:
            yield "credentials", "certificate needs client_cert and client_key"
    for key, password in (
        ("password", upstream.password),
        *((f"passwords.{id}", each) for id, each in upstream.passwords.items()),
    ):
        try:
            of_text(password)
        except ValueError:
            yield key, "after hex: come pairs of hex digits"
    folded = [charger.casefold() for charger in upstream.passwords]
    if len(set(folded)) < len(folded):
        yield "passwords", "name a charger twice: identities differ by more than case"
    if upstream.client_cert and not upstream.client_key:
        yield "client_cert", "needs client_key"
    if upstream.client_key and not upstream.client_cert:
        yield "client_key", "needs client_cert"
    for key in ("client_cert", "client_key", "ca_file"):
        if not (name := getattr(upstream, key)):
            continue
        if not upstream.url.startswith("wss:"):
            yield key, "is for wss:// addresses"
        try:
            Path(name).read_bytes()
        except OSError as error:
            yield key, f"{name} cannot be read: {error.strerror}"


def _forward(upstream: Upstream) -> Found:
    forward = upstream.forward
    if forward.only and forward.except_:
        yield "forward", "has only and except; keep one of them"
    for key, actions in (("only", forward.only), ("except", forward.except_)):
        for action in actions:
            if action not in TOLD:
                yield f"forward.{key}", f"no charger sends {action}{_near(action, TOLD)}"
    start, stop = _ONE_TRANSACTION
    if forward.allows(start) != forward.allows(stop):
        yield "forward", f"{start} and {stop} tell of one transaction: let both pass or none"


def of_route(route: RouteConfig, upstreams: Mapping[str, Upstream], versions: tuple[str, ...]) -> Found:
    """What is wrong with the policies of a route whose primary and mirrors exist. `versions`: what chargers may speak."""
    yield from _patterns(route)
    canary = route.canary
    if canary.upstream and canary.upstream not in upstreams:
        yield "canary.upstream", f"no upstream has the name {canary.upstream}{suggestion(canary.upstream, upstreams)}"
    elif canary.upstream == route.primary:
        yield "canary.upstream", f"{canary.upstream} is the primary of this route already"
    if canary.percent and not canary.upstream:
        yield "canary.percent", "needs canary.upstream: the primary of these chargers"
    if route.local != Local() and route.primary_down != "local":
        yield "local", f"has no effect with primary_down: {route.primary_down}; say primary_down: local"
    if route.local.authorize == "deny" and route.local.cache_ttl != Local().cache_ttl:
        yield "local.cache_ttl", "has no effect with authorize: deny, which lets nobody in"
    if route.local.cache_ttl > route.local.boot_ttl:
        yield (
            "local.cache_ttl",
            "is longer than boot_ttl: who may charge there would outlast the charger's own registration",
        )
    yield from _answers(route)
    yield from _lifeline(route)
    here = {name for name in (route.primary, *route.mirrors, canary.upstream) if name in upstreams}
    yield from _authority(route, upstreams, here)
    yield from _unanswered(route, upstreams, versions)
    yield from _commands(route, upstreams, here)
    yield from _levels(route, upstreams, here)


def _patterns(route: RouteConfig) -> Found:
    if not all(route.patterns) or not (route.patterns or route.name):
        yield "match", "must name at least one pattern, and none may be empty"
    sources = [("match", pattern) for pattern in route.patterns]
    sources += [(f"when.{key}", getattr(route.when, key)) for key in ("vendor", "model", "firmware", "version")]
    for key, pattern in sources:
        try:
            matcher((pattern,))
        except re.error as error:
            yield key, f"{pattern} is no regular expression: {error}"


def _answers(route: RouteConfig) -> Found:
    for name, mode in route.answers.items():
        if name not in TOLD and name not in CLASSES and name not in CLASSES.values():
            yield f"answers.{name}", f"is no action of a charger and no class{_near(name, (*CLASSES, *TOLD))}"
        elif mode == "early" and name in DECISIONS | _LIVE:
            yield f"answers.{name}", "the answer is a decision of the CSMS: it cannot be given before"


def _lifeline(route: RouteConfig) -> Found:
    lifeline = route.lifeline
    if lifeline.address == "rewrite" and not lifeline.url.startswith(("ws://", "wss://")):
        yield "lifeline.url", "address: rewrite needs the ws:// or wss:// address by which chargers reach this gateway"
    if lifeline.url and lifeline.address != "rewrite":
        yield "lifeline.url", "is for address: rewrite"


def _authority(route: RouteConfig, upstreams: Mapping[str, Upstream], here: set[str]) -> Found:
    for action, name in route.authority.items():
        key = f"authority.{action}"
        if action not in TOLD:
            yield key, f"no charger sends {action}{_near(action, TOLD)}"
        elif name not in upstreams:
            yield key, f"no upstream has the name {name}{suggestion(name, upstreams)}"
        elif name not in here:
            yield key, f"{name} is neither primary nor mirror of this route: it would never be asked"
        elif not upstreams[name].forward.allows(action):
            yield key, f"{name} does not get {action}, by its forward"
        elif upstreams[name].shadow and name != route.primary:
            yield key, f"{name} is a shadow: its answers are compared with those the charger gets, they cannot be these"
    start = route.authority.get("StartTransaction", route.primary)
    for action, first in FOLLOWS.items():
        other = route.authority.get(action)
        if other is not None and other != start:
            yield (
                f"authority.{action}",
                f"{other} would answer for a transaction that {start} began: give {first} and {action} to the same upstream",
            )


def _unanswered(route: RouteConfig, upstreams: Mapping[str, Upstream], versions: tuple[str, ...]) -> Found:
    for name in dict.fromkeys((route.primary, route.canary.upstream)):
        if name not in upstreams:
            continue
        served = [version for version in versions if translatable(version, upstreams[name].version)]
        told = {action for version in served for action in FROM_CHARGER[version]}
        gets = upstreams[name].forward
        owners = {action: route.authority.get(action, route.authority.get(FOLLOWS.get(action, ""))) for action in told}
        missing = sorted(
            action for action, owner in owners.items() if owner in (None, name) and not gets.allows(action)
        )
        if missing:
            some = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
            yield "primary", f"{name} does not get {some} by its forward, and no authority says who answers instead"


def _commands(route: RouteConfig, upstreams: Mapping[str, Upstream], here: set[str]) -> Found:
    given: dict[str, str] = {}
    for action, owners in route.commands.items():
        key = f"commands.{action}"
        if action not in ASKED:
            yield key, f"no CSMS sends {action}{_near(action, ASKED)}"
            continue
        if twin := next((given[spelling] for spelling in spellings(action) if spelling in given), ""):
            yield key, f"is the same command as {twin}, which has owners already"
        given[action] = action
        if not owners:
            yield key, "names no upstream"
        for name in owners:
            if name not in upstreams:
                yield key, f"no upstream has the name {name}{suggestion(name, upstreams)}"
            elif name not in here:
                yield key, f"{name} is neither primary nor mirror of this route"
            elif owners.count(name) > 1:
                yield key, f"names {name} twice"
            elif _forbidden(upstreams[name], action):
                yield key, f"{name} owns it, but its may_command forbids it"


def _forbidden(upstream: Upstream, action: str) -> bool:
    allowed = upstream.may_command
    if isinstance(allowed, tuple):
        return not spellings(action) & set(allowed)
    return allowed is False


def _levels(route: RouteConfig, upstreams: Mapping[str, Upstream], here: set[str]) -> Found:
    if route.charging_profiles != "stack":
        return
    ranges = {name: levels for name in sorted(here) if (levels := upstreams[name].stack_levels) is not None}
    for (one, low), (other, high) in combinations(ranges.items(), 2):
        if low[0] <= high[1] and high[0] <= low[1]:
            yield "charging_profiles", f"the stack_levels of {one} {list(low)} and {other} {list(high)} overlap"


def _near(word: str, known: object) -> str:
    """A suggestion, but not the whole long list when nothing comes near."""
    hint = suggestion(word, sorted(known, key=str))  # type: ignore[call-overload]
    return hint if hint.startswith(" (did you mean") else ""
