"""What must survive a restart of one (1.5 charger, 1.6 CSMS) pair. Only ever extended, always with defaults."""

from __future__ import annotations

from typing import Any

import msgspec

from ..dialogue import Dialogue
from ..kept import Kept, holds
from ..options import Options

FORMAT = 1
"""A reader refuses facts with a newer number."""
KEPT_MOST = 64
"""The most ended transactions, verdicts and connectors that are remembered."""


class Charge(msgspec.Struct, omit_defaults=True, gc=False):
    """A transaction of the charger."""

    tid: int
    """Its number as the charger knows it."""
    csms_tid: int
    """Its number as the CSMS knows it; another one when the charger was answered while the CSMS was away."""
    connector: int
    minted: int = 0
    """The gateway's own number of it: what the charger knows it by when another CSMS's link has answered with it."""
    open: bool = True
    stop_reason: str = ""
    """The 1.6 reason for its end: what the charger accepted to do for the CSMS last."""
    reason_until: int = 0
    """When an end has some other reason again, ms; 0: never."""


class Place(msgspec.Struct, omit_defaults=True, gc=False):
    """A connector as last reported; 0 is the station."""

    status: bytes = b""
    """The last StatusNotification (1.6 payload as JSON)."""
    stopped_at: int = 0
    """When its last transaction was stopped, ms."""
    meter: bytes = b""
    """The last MeterValues (1.6 payload as JSON, newest element only)."""
    metered_at: int = 0


class Facts(msgspec.Struct, omit_defaults=True, dict=True, tag_field="pair", tag="v15_v16"):
    """Everything that the shim remembers. The tag tells these facts from those of other pairs."""

    format: int = FORMAT
    given: dict[str, dict[str, Any]] = {}
    """Per undelivered journal entry: what it was given, so that deciding it again gives the same frames."""
    registration: str = ""
    """Last 1.6 registration status; empty: not known."""
    interval: int = 0
    introduced: bool = False
    """On this connection the gateway booted in the name of a charger of unknown registration."""
    known_connectors: int = 0
    """How many connectors the charger has at least."""
    boot: bytes = b""
    """Last BootNotification (1.6 payload as JSON)."""
    places: dict[int, Place] = {}
    charges: list[Charge] = []
    """Transactions that have not ended."""
    firmware: str = ""
    """Last FirmwareStatusNotification status."""
    diagnostics: str = ""
    heartbeat_key: str = ""
    """How the charger spells HeartbeatInterval, if it was read."""
    sample_interval: int = 0
    """MeterValueSampleInterval as last read or written, s."""
    lacks: list[str] = []
    """Feature profiles whose commands the charger refused as unknown."""
    reserved_zero: bool = False
    """Reservation 0 exists; otherwise a reservationId 0 means none."""
    kept: dict[str, bytes] = {}
    """The parts below, packed."""
    ended = Kept(list[Charge], list)
    """Transactions that have ended."""
    verdicts = Kept(dict[str, dict[str, Any]], dict)
    """Casefolded idTag -> last idTagInfo of the CSMS, and `at`: when it was said, ms."""


def facts_of(d: Dialogue) -> Facts:
    facts: Facts = d.facts
    return facts


def options_of(d: Dialogue) -> Options:
    options: Options = d.options
    return options


def place_of(facts: Facts, connector: int) -> Place:
    """The record of a connector; one more than fit is not kept."""
    found = facts.places.get(connector)
    if found is None:
        found = Place()
        if len(facts.places) < KEPT_MOST:
            facts.places[connector] = found
    return found


def open_at(facts: Facts, connector: int) -> Charge | None:
    """The open transaction of a connector."""
    return next((each for each in reversed(facts.charges) if each.connector == connector), None)


def by_number(facts: Facts, tid: int) -> Charge | None:
    """The transaction with this number of the charger, ended or not."""

    def is_it(each: Charge) -> bool:
        return tid in (each.tid, each.minted or each.tid)

    found = next(filter(is_it, reversed(facts.charges)), None)
    if found is None and holds(facts, "ended", tid):
        found = next(filter(is_it, reversed(facts.ended)), None)
    return found


def csms_number(facts: Facts, tid: int) -> int:
    """The CSMS's number for a transaction of the charger."""
    found = by_number(facts, tid)
    return tid if found is None else found.csms_tid


def charger_number(facts: Facts, csms_tid: int) -> int:
    """The charger's number for a transaction of the CSMS."""
    ended = facts.ended if holds(facts, "ended", csms_tid) else []
    for each in [*reversed(facts.charges), *reversed(ended)]:
        if each.csms_tid == csms_tid:
            return each.tid
    return csms_tid


def numbered(facts: Facts, key: str, tx: int, number: int) -> None:
    """The charger knows the transaction that entry `key` begins by `number`, another upstream's."""
    ended = facts.ended if holds(facts, "ended", tx) else []
    for each in [*reversed(facts.charges), *reversed(ended)]:
        if tx and each.minted == tx:
            each.tid = number
            return
    facts.given.setdefault(key, {})["number"] = number


def remember(facts: Facts, charge: Charge) -> None:
    """A transaction begins: an earlier one on its connector is over."""
    for each in [each for each in facts.charges if each.connector == charge.connector]:
        close(facts, each)
    if holds(facts, "ended", charge.tid):
        facts.ended = [each for each in facts.ended if each.tid != charge.tid]
    facts.charges = [each for each in facts.charges if each.tid != charge.tid]
    facts.charges.append(charge)


def close(facts: Facts, charge: Charge) -> None:
    """A transaction has ended; its number may still be heard."""
    charge.open = False
    facts.charges = [each for each in facts.charges if each is not charge]
    facts.ended = [*[each for each in facts.ended if each is not charge][1 - KEPT_MOST :], charge]
