"""What the gateway answers itself while the upstream whose answers count is away or silent: the policies `buffer` and `local`
of a route (reliability 5.7, translation 8.3). Pure.

Verdicts about tokens are remembered by the translators; whether a charger is registered is remembered here, in the shared facts.
"""

from __future__ import annotations

from sys import intern
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Raw

from gateway.config_route import Local as Rules
from gateway.routes import DECISIONS, Route
from translators.frames import Call, Error, Result
from translators.standin import SETTLED
from translators.values import format_time

from .backlog import Exchange
from .shared import Accepted

if TYPE_CHECKING:
    from .link import Link

BUDGET_MS: Final = 20_000
"""How long a charger waits for a decision at the most before it is made here (reliability 5.3)."""
UNKNOWN_INTERVAL: Final = 60
"""Under `buffer`: seconds until a charger that was never accepted may boot again."""


class Local:
    """The rules of one route for one of its upstreams."""

    __slots__ = ("_boots", "_hold_ms", "_rules", "waits")

    def __init__(self, route: Route, *, same: bool) -> None:
        """`same`: charger and upstream speak the same version; otherwise the translation knows what `buffer` says to a boot."""
        local = route.primary_down == "local"
        self._rules = (route.local or Rules()) if local else None
        self._hold_ms = round(route.hold * 1000) if local else 0
        self._boots = local or same
        self.waits = 0
        """Epoch of the connection on which a boot was answered here, and not with Accepted; 0: there is none."""

    def payload(self, link: Link, exchange: Exchange, now: int) -> Raw | None:
        """The answer in the place of the upstream; None if there is none, or not yet."""
        if now < self.holds_until(link, exchange):
            return None
        call, entry = exchange.call, exchange.entry
        if self._boots and call.action == "BootNotification":
            said = self._boot(link, call, entry.head.version, now)
            self.waits = 0 if b'"Accepted"' in bytes(said) else entry.head.epoch
            return said
        return link.translator.away(call, now, key=entry.id, tx=entry.tx)

    def holds_until(self, link: Link, exchange: Exchange) -> int:
        """Until when a decision is left to an upstream that has only just gone, ms; 0: it is made at once."""
        if not self._hold_ms or not link.down_since or not _decides(exchange):
            return 0
        return min(link.down_since + self._hold_ms, exchange.entry.head.received_at + BUDGET_MS)

    def deadline(self, link: Link) -> int:
        """When the next decision is due here, ms; 0: none."""
        if link.up or not self._hold_ms or not link.down_since:
            return 0
        waiting = (self.holds_until(link, each) for each in link.backlog if each.counts and not each.answered)
        return min((at for at in waiting if at), default=0)

    def _boot(self, link: Link, call: Call, version: str, now: int) -> Raw:
        known, rules = link.owner.shared.accepted.get(link.name), self._rules
        if rules is None:
            fits, unknown = known is not None, float(UNKNOWN_INTERVAL)
        else:
            fresh = known is not None and now - known.at < rules.boot_ttl * 1000
            fits, unknown = fresh and known is not None and known.who == identity(call), rules.boot_interval
        interval = known.interval if fits and known is not None and known.interval else round(unknown)
        if version == "ocpp1.5":  # it knows no Pending
            said = {"status": "Accepted" if fits else "Rejected", "heartbeatInterval": interval}
        else:
            said = {"status": "Accepted" if fits else "Pending", "interval": interval}
        return Raw(msgspec.json.encode({**said, "currentTime": format_time(now)}))


def payload_away(link: Link, exchange: Exchange, now: int) -> Raw | None:
    """What answers a charger CALL in place of an upstream that is away or silent; None: nothing does, or not yet."""
    if link.local is not None:
        return link.local.payload(link, exchange, now)
    return link.translator.away(exchange.call, now, key=exchange.entry.id, tx=exchange.entry.tx)


def refusal_away(link: Link, exchange: Exchange) -> Error | None:
    """What a charger gets that was told here to wait with everything else (2.0.1 B02.FR.09, B03.FR.07; row S02). What bills is
    taken all the same."""
    head = exchange.entry.head
    waits = link.local is not None and link.local.waits == head.epoch > 0
    if not waits or exchange.answered or head.cls == "K0" or exchange.call.action == "BootNotification":
        return None
    return Error(exchange.call.id, "SecurityError", "the charger is not registered yet")


def refused_here(link: Link, exchange: Exchange) -> bool:
    """Whether this will be refused for good while the upstream is away: there is nothing to be kept of it."""
    same = link.versions[0] == link.versions[1]
    return link.local is not None and not link.up and exchange.counts and same and exchange.call.action in SETTLED


def settled(link: Link, exchange: Exchange) -> bool:
    """Whether a local answer is the end of it: a question that was refused here is not asked later. Translations look after
    that themselves."""
    return exchange.early and link.versions[0] == link.versions[1] and exchange.call.action in SETTLED


def heard(link: Link, exchange: Exchange, answer: Result | Error, now: int) -> None:
    """An upstream has answered: what it says of a boot is remembered."""
    if exchange.call.action != "BootNotification" or not isinstance(answer, Result):
        return
    try:
        said = _registration.decode(answer.payload)
    except msgspec.MsgspecError:
        return
    accepted = link.owner.shared.accepted
    if said.status == "Accepted":
        if link.local is not None:
            link.local.waits = 0
        accepted[link.name] = Accepted(now, identity(exchange.call), said.interval or said.heartbeatInterval)
    elif accepted.pop(link.name, None) is None:
        return
    link.owner.effects.shared[link.charger] = link.owner.shared


def line_up(link: Link) -> None:
    """The upstream is back after an outage in which the gateway decided: it hears of that like from a charger that was alone,
    the boot first, then the statuses, then the transactions in their order.

    A translation tells the statuses that are still true after the transactions (translation 8.3), as it tells what the
    charger was doing with them.
    """
    if link.policy != "local" or link.local is None:
        return
    same = link.versions[0] == link.versions[1]

    def rank(exchange: Exchange) -> int:
        if not exchange.early or exchange.parked:
            return 2
        if exchange.call.action == "BootNotification":
            return 0
        return 1 if same and exchange.call.action == "StatusNotification" else 2

    ordered = sorted(link.backlog, key=rank)
    link.backlog.clear()
    link.backlog.extend(ordered)


def identity(call: Call) -> tuple[str, str, str]:
    """Vendor, model and serial number in a BootNotification of any version."""
    try:
        said = _boot.decode(call.payload)
    except msgspec.MsgspecError:
        return "", "", ""
    if said.chargingStation is not None:
        station = said.chargingStation
        return intern(station.vendorName), intern(station.model), station.serialNumber
    serial = said.chargePointSerialNumber or said.chargeBoxSerialNumber
    return intern(said.chargePointVendor), intern(said.chargePointModel), serial


def _decides(exchange: Exchange) -> bool:
    """Whether the answer is a decision."""
    call = exchange.call
    if call.action == "TransactionEvent":
        return b'"idToken"' in bytes(call.payload)
    return call.action in DECISIONS


class _Station(msgspec.Struct):
    vendorName: str = ""
    model: str = ""
    serialNumber: str = ""


class _Boot(msgspec.Struct):
    """A BootNotification of any version."""

    chargePointVendor: str = ""
    chargePointModel: str = ""
    chargePointSerialNumber: str = ""
    chargeBoxSerialNumber: str = ""
    chargingStation: _Station | None = None


class _Registration(msgspec.Struct):
    status: str = ""
    interval: int = 0
    heartbeatInterval: int = 0


_boot = msgspec.json.Decoder(_Boot)
_registration = msgspec.json.Decoder(_Registration, strict=False)
