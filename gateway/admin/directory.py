"""Every charger that the fleet knows: who is connected where, who is registered, who was here before. Asked of the store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from gateway.journal.journal import Journal
from gateway.live import Live
from gateway.registry import Charger, Registry
from gateway.routes import Facts, NoRoute

FRESH_SECONDS: Final = 1.0
"""A look at the whole fleet serves every question for so long."""
AT_ONCE: Final = 500
"""Chargers whose facts are asked for in one go."""


class Registration(msgspec.Struct):
    """What the registry knows, without the password."""

    id: str
    password: bool
    """It has one."""
    serial: str
    group: str
    route: str
    versions: list[str]
    blocked: bool
    strict: bool = False
    quirks: str = ""
    """Name of its quirk profile; empty: by what it says of itself."""


class Connector(msgspec.Struct):
    """The last word of a charger on one of its connectors."""

    status: str
    error: str = ""


class Transaction(msgspec.Struct):
    """A transaction that has not ended."""

    id: str | int
    """What the charger calls it."""
    by: str
    """The upstream whose answer it began with."""
    minted: bool
    """The number is the gateway's."""
    entry: str


class Line(msgspec.Struct):
    """One charger in the list."""

    id: str
    """As it spells itself; in lower case if it is absent, not registered, and has said nothing that is kept."""
    connected: bool
    edge: str
    epoch: int
    version: str
    vendor: str
    model: str
    firmware: str
    primary: str
    mirrors: list[str]
    connectors: dict[str, Connector]
    transactions: list[Transaction]
    registration: Registration | None


class Home(msgspec.Struct, frozen=True):
    """Who is known, before anything is read of it."""

    id: str
    edge: str = ""
    """Empty: not connected."""
    epoch: int = 0
    version: str = ""


class Directory:
    """Looks into the store; any process can."""

    def __init__(
        self, journal: Journal, live: Live, registry: Registry, known: Callable[[bytes], dict[str, Any]], field: str
    ) -> None:
        """`known`: what the facts under `field` say of a charger."""
        self._journal = journal
        self._live = live
        self._registry = registry
        self._known = known
        self._field = field
        self._at = 0.0
        self._homes: dict[str, Home] = {}
        self._registered: dict[str, Charger] = {}
        self._looking = asyncio.Lock()

    async def everyone(self) -> dict[str, Home]:
        """By casefolded identity. Raises StoreDown."""
        async with self._looking:
            if not self._at or time.monotonic() - self._at > FRESH_SECONDS:
                self._homes, self._registered = await self._look(), await self._registry_now()
                self._at = time.monotonic()
        everyone = dict(self._homes)
        for name, each in self._registered.items():
            if name not in everyone or not everyone[name].epoch:  # the registry knows the spelling of who is absent
                everyone[name] = Home(each.id)
        return everyone

    def look_again(self) -> None:
        """Something has changed: the next question is answered anew."""
        self._at = 0.0

    def registered(self, charger: str) -> Charger | None:
        """What the registry knows of a charger, as of the last look."""
        return self._registered.get(charger.casefold())

    async def _look(self) -> dict[str, Home]:
        found: dict[str, Home] = {}
        edges = await self._journal.edges()
        for number in range(self._live.config.redis.partitions):
            for name in await self._journal.met(number):
                found[name] = Home(name)
            for charger, (edge, epoch, version) in (await self._journal.homes(number)).items():
                found[charger.casefold()] = Home(charger, edge if edge in edges else "", epoch, version)
            await asyncio.sleep(0)
        return found

    async def _registry_now(self) -> dict[str, Charger]:
        stored = self._live.config.registry.source == "redis"
        chargers = (await self._journal.all_registered())[0] if stored else self._registry.all()
        return {each.id.casefold(): each for each in chargers}

    async def home(self, charger: str) -> Home | None:
        """One of them; None: nobody has ever heard of it. Raises StoreDown."""
        number, folded = self._journal.partition(charger), charger.casefold()
        if self._live.config.registry.source == "redis":
            registered = (await self._journal.registered([charger]))[folded]
        else:
            registered = self._registry.get(charger)
        self._registered.pop(folded, None)
        if registered is not None:
            self._registered[folded] = registered
        found = await self._journal.home(number, charger)
        if found is not None:
            id, edge, epoch, version = found
            return Home(id, edge if edge in await self._journal.edges() else "", epoch, version)
        if registered is not None:
            return Home(registered.id)
        return Home(charger) if folded in await self._journal.met(number) else None

    async def lines(self, homes: list[Home]) -> list[Line]:
        """What is known of these, in the same order. Raises StoreDown."""
        lines: list[Line] = []
        for start in range(0, len(homes), AT_ONCE):
            portion = homes[start : start + AT_ONCE]
            stored = await asyncio.gather(
                *(self._journal.fact(self._journal.partition(each.id), each.id, self._field) for each in portion)
            )
            lines += [self.line(home, self._known(facts)) for home, facts in zip(portion, stored, strict=True)]
            await asyncio.sleep(0)
        return lines

    def line(self, home: Home, known: dict[str, Any]) -> Line:
        """A home with what is known of the charger."""
        version = home.version or known["version"]
        facts = Facts(known["vendor"], known["model"], known["firmware"], version)
        try:
            route = self._live.routes.of(home.id, facts if known["vendor"] or known["model"] else None)
            primary, mirrors = route.primary, list(route.mirrors)
        except NoRoute:
            primary, mirrors = "", []
        registered = self.registered(home.id)
        id = known["id"] if not home.epoch and registered is None and known["id"] else home.id
        return Line(
            id, bool(home.edge), home.edge, home.epoch, version, facts.vendor, facts.model, facts.firmware,
            primary, mirrors, msgspec.convert(known["connectors"], dict[str, Connector]),
            msgspec.convert(known["transactions"], list[Transaction]),
            None if registered is None else registration(registered),
        )  # fmt: skip


def registration(charger: Charger) -> Registration:
    """A registered charger without its password: of its fields only those that are named here are ever shown."""
    found = {field: getattr(charger, field) for field in Registration.__struct_fields__}
    return Registration(**(found | {"password": bool(charger.password), "versions": list(charger.versions)}))
