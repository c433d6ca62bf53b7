"""Which upstreams serve a charger, and by which rules. Pure: the configuration as a function of the identity and the boot."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from fnmatch import translate
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

if TYPE_CHECKING:
    from gateway.config_route import Lifeline, Local, RouteConfig, When
    from gateway.config_upstream import Upstream

CLASSES = {"billing": "K0", "must_arrive": "K1", "perishable": "K2"}
"""Classes of messages by the name that the configuration has for them."""

DECISIONS = frozenset(
    (
        "Authorize",
        "BootNotification",
        "DataTransfer",
        "Get15118EVCertificate",
        "GetCertificateChainStatus",
        "GetCertificateStatus",
        "NotifyEVChargingNeeds",
        "PullDynamicScheduleUpdate",
        "SignCertificate",
        "StartTransaction",
        "VatNumberValidation",
    )
)
"""Charger's actions whose answer is a decision of the CSMS: never answered early."""

FOLLOWS = {"MeterValues": "StartTransaction", "StopTransaction": "StartTransaction"}
"""Charger's action -> the one that it belongs with: who answers that answers it, unless the route says otherwise."""

_SYNONYMS = (
    ("RemoteStartTransaction", "RequestStartTransaction"),
    ("RemoteStopTransaction", "RequestStopTransaction"),
    ("ChangeConfiguration", "SetVariables"),
    ("GetConfiguration", "GetVariables"),
    ("GetDiagnostics", "GetLog"),
    ("SignedUpdateFirmware", "UpdateFirmware"),
    ("ExtendedTriggerMessage", "TriggerMessage"),
)


def spellings(action: str) -> frozenset[str]:
    """What a CSMS's action is called in all versions."""
    return frozenset({action}.union(*(pair for pair in _SYNONYMS if action in pair)))


class Facts(msgspec.Struct, frozen=True):
    """What a charger said of itself in its last BootNotification, and the OCPP version it speaks."""

    vendor: str = ""
    model: str = ""
    firmware: str = ""
    version: str = ""


class _Station(msgspec.Struct):
    vendorName: str = ""
    model: str = ""
    firmwareVersion: str = ""


class _Boot(msgspec.Struct):
    """A BootNotification of any version."""

    chargePointVendor: str = ""
    chargePointModel: str = ""
    firmwareVersion: str = ""
    chargingStation: _Station | None = None


_boot = msgspec.json.Decoder(_Boot)


def facts_of(version: str, boot: bytes) -> Facts:
    """What the payload of a BootNotification says; one that cannot be read says nothing."""
    try:
        said = _boot.decode(boot)
    except msgspec.MsgspecError:
        return Facts(version=version)
    if (station := said.chargingStation) is not None:
        return Facts(station.vendorName, station.model, station.firmwareVersion, version)
    return Facts(said.chargePointVendor, said.chargePointModel, said.firmwareVersion, version)


class Route(msgspec.Struct, frozen=True):
    """The upstreams of a charger, and who may do what."""

    primary: str
    mirrors: tuple[str, ...] = ()
    primary_down: Literal["close", "buffer", "local"] = "close"
    hold: float = 20.0
    """Seconds that the primary may be unreachable before `close` closes."""
    local: Local | None = None
    """What is decided here under `local`; None: its defaults."""
    deauthorise: bool = True
    answers: Mapping[str, str] = {}
    authority: Mapping[str, str] = {}
    commands: Mapping[str, frozenset[str]] = {}
    """Command in every spelling -> the upstreams that own it."""
    charging_profiles: Literal["stack", "minimum"] = "stack"
    repair: Literal["", "off", "safe", "full"] = ""
    """Of payloads between equal versions; "": like everybody's."""
    forwards: bool = False
    """Unknown actions go to a primary of the charger's version."""
    lifeline: Lifeline | None = None
    """What a CSMS may change of that by which the charger reaches the gateway; None: the defaults."""

    @property
    def upstreams(self) -> tuple[str, ...]:
        """The primary, then the mirrors."""
        return (self.primary, *self.mirrors)

    def role(self, name: str) -> Literal["only", "primary", "mirror"]:
        """What an upstream of this route is to the charger's transactions."""
        if name != self.answerer("StartTransaction"):
            return "mirror"
        return "primary" if self.mirrors else "only"

    def answerer(self, action: str) -> str:
        """The upstream whose answer the charger gets to its CALL."""
        found = self.authority.get(action)
        if found is None and action in FOLLOWS:
            found = self.authority.get(FOLLOWS[action])
        return self.primary if found is None else found

    @property
    def answerers(self) -> frozenset[str]:
        """Every upstream whose answer to anything the charger gets."""
        return frozenset((self.primary, *self.authority.values()))

    def early(self, action: str, cls: str) -> bool:
        """Whether a CALL of class K0 to K3 may be answered as soon as it is stored. A StopTransaction or a TransactionEvent
        that carries a token still wants a decision: the payload tells."""
        if action in DECISIONS or cls == "K3":
            return False
        if (mode := self.answers.get(action)) is not None:
            return mode == "early"
        return any(mode == "early" and CLASSES.get(name, name) == cls for name, mode in self.answers.items())

    def may_command(self, name: str, upstream: Upstream, action: str) -> bool:
        """Whether an upstream of this route may send a CALL with this action to the charger."""
        if (owners := self.commands.get(action)) is not None:
            return name in owners
        allowed = upstream.may_command
        if allowed is None:
            return name in self.answerers
        return allowed if isinstance(allowed, bool) else action in allowed

    def may_all(self, name: str, upstream: Upstream) -> bool:
        """Whether an upstream of this route may send any CALL to the charger."""
        allowed = upstream.may_command
        return not self.commands and (name in self.answerers if allowed is None else allowed is True)

    def commanders(self, upstreams: Mapping[str, Upstream]) -> frozenset[str]:
        """The upstreams of this route that may send the charger anything at all."""
        owners = frozenset[str]().union(*self.commands.values())
        found = set()
        for name in self.upstreams:
            allowed = upstreams[name].may_command
            if name in owners or (name in self.answerers if allowed is None else bool(allowed)):
                found.add(name)
        return frozenset(found)


class Override(msgspec.Struct, frozen=True, omit_defaults=True):
    """An operator's word that chargers have another primary than their route says. Kept in the store."""

    match: str
    """A pattern like `routes[].match`."""
    primary: str
    mirror_old: bool = True
    """The primary of the route stays as a mirror."""
    percent: int = 100
    """How many of a hundred of the chargers that match."""
    at: int = 0
    """When it was said, ms since 1970."""
    also: tuple[tuple[str, int], ...] = ()
    """Primaries of the overrides that this one replaces, each with its percentage: they stay as mirrors of the chargers that
    they had, whether the route names them or not."""


class Place(Protocol):
    """What the registry says of a charger's route."""

    @property
    def route(self) -> str:
        """Name of its route; "": the first that fits."""

    @property
    def group(self) -> str:
        """Its group; "": none."""

    @property
    def quirks(self) -> str:
        """Name of its quirk profile; "": the one that fits what it says of itself."""


class NoRoute(LookupError):
    """No route fits this identity; the charger is to be refused like an unknown one (404)."""


class _Rule:
    """One route of the file, ready to be asked."""

    def __init__(self, config: RouteConfig) -> None:
        self.name = config.name
        self.groups = frozenset(group.casefold() for group in config.groups)
        self.matches = matcher(config.patterns)
        self.when = config.when
        self.route = Route(
            primary=config.primary,
            mirrors=config.mirrors,
            primary_down=config.primary_down,
            hold=config.hold,
            local=config.local,
            deauthorise=config.deauthorise,
            answers=config.answers,
            authority=config.authority,
            commands={
                spelling: frozenset(owners)
                for action, owners in config.commands.items()
                for spelling in spellings(action)
            },
            charging_profiles=config.charging_profiles,
            repair=config.repair,
            forwards=config.unknown_actions == "forward",
            lifeline=config.lifeline,
        )
        self.canary = config.canary
        self.other = with_primary(self.route, config.canary.upstream) if config.canary.upstream else self.route


class Routes:
    """First match wins; identities are compared without regard to case (OCPP 2.0.1 part 4: identifierString)."""

    def __init__(
        self,
        routes: Iterable[RouteConfig],
        overrides: Iterable[Override] = (),
        upstreams: Iterable[str] | None = None,
        placed: Callable[[str], Place | None] = lambda _: None,
    ) -> None:
        """`overrides` come before the routes, the first that fits counts; one whose primary is not among `upstreams` (None:
        any) is ignored. `placed`: what the registry says of a charger (casefolded)."""
        self._placed = placed
        self._rules = [_Rule(config) for config in routes]
        self._names = {rule.name for rule in self._rules if rule.name}
        self._known = None if upstreams is None else frozenset(upstreams)
        self.overrides = tuple(each for each in overrides if self._knows(each.primary))
        """Those that count, in their order."""
        self._overrides = [(matcher((each.match,)), each) for each in self.overrides]
        self._switched: dict[tuple[int, bool, Override, tuple[str, ...]], Route] = {}
        self.conditional = any(rule.when for rule in self._rules)
        """Whether a route depends on what a charger says of itself."""

    def of(self, charger: str, facts: Facts | None = None) -> Route:
        """The route of `charger`; `facts`: None before it has booted for the first time. Raises NoRoute."""
        folded = charger.casefold()
        place = self._placed(folded)
        group = "" if place is None else place.group.casefold()
        named = place is not None and place.route in self._names and place.route
        for index, rule in enumerate(self._rules):
            if (
                rule.name == named
                if named
                else rule.matches(folded)
                and (not rule.groups or group in rule.groups)
                and (not rule.when or (facts is not None and _fits(rule.when, facts)))
            ):
                canary = bool(rule.canary.upstream) and chosen(folded, rule.canary.upstream, rule.canary.percent)
                return self._override(folded, index, canary, rule.other if canary else rule.route)
        raise NoRoute(charger)

    def _knows(self, name: str) -> bool:
        return self._known is None or name in self._known

    def quirks(self, charger: str) -> str:
        """The quirk profile that the registry names for a charger."""
        place = self._placed(charger.casefold())
        return "" if place is None else place.quirks

    def overriding(self, charger: str) -> list[Override]:
        """The overrides that mean this charger; the first counts."""
        folded = charger.casefold()
        return [
            each
            for matches, each in self._overrides
            if matches(folded) and (each.percent >= 100 or chosen(folded, each.primary, each.percent))
        ]

    def _override(self, folded: str, index: int, canary: bool, route: Route) -> Route:
        for each in self.overriding(folded):
            also = tuple(name for name, percent in each.also if self._knows(name) and chosen(folded, name, percent))
            key = (index, canary, each, also)
            if (switched := self._switched.get(key)) is None:
                switched = with_primary(route, each.primary, mirror_old=each.mirror_old)
                stay = [name for name in also if name not in switched.upstreams]
                switched = msgspec.structs.replace(switched, mirrors=(*switched.mirrors, *stay))
                self._switched[key] = switched
            return switched
        return route


def with_primary(route: Route, primary: str, *, mirror_old: bool = True) -> Route:
    """The route with another primary. The old one takes its place among the mirrors, or leaves it unless an `authority` or
    `commands` names it."""
    if primary == route.primary:
        return route
    old = route.primary
    named = old in route.authority.values() or any(old in owners for owners in route.commands.values())
    stays = (old,) if mirror_old or named else ()
    mirrors = [each for each in route.mirrors if each != primary]
    place = route.mirrors.index(primary) if primary in route.mirrors else 0
    mirrors[place:place] = stays
    return msgspec.structs.replace(route, primary=primary, mirrors=tuple(mirrors))


def matcher(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Whether a casefolded text fits one of the patterns: globs, or `re:` and a regular expression. Raises re.error."""
    compiled = [
        re.compile(pattern[3:], re.IGNORECASE)
        if pattern.startswith("re:")
        else re.compile(translate(pattern.casefold()))
        for pattern in patterns
    ]
    return lambda text: any(each.fullmatch(text) for each in compiled)


def chosen(folded: str, salt: str, percent: int) -> bool:
    """Whether a charger (casefolded) is among so many of a hundred; one that is remains so at every higher number."""
    digest = hashlib.blake2b(f"{salt}\n{folded}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % 10_000 < percent * 100


def _fits(when: When, facts: Facts) -> bool:
    return all(
        not pattern or matcher((pattern,))(said.casefold())
        for pattern, said in (
            (when.vendor, facts.vendor),
            (when.model, facts.model),
            (when.firmware, facts.firmware),
            (when.version, facts.version),
        )
    )
