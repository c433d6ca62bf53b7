"""A charger cannot tell what version its CSMS speaks, nor a CSMS's books what version the charger does (reliability I-40).

One conversation for each charger version, with commands in between, once with a CSMS of its own version and once through
a gateway with one of another: the charger's transcripts differ in times and ids only, and both CSMSs know the same of
stations, charges, readings and statuses.
"""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from ocpp.exceptions import InternalError

from .charger import Charger16, Charger201
from .charger15 import Charger15
from .conftest import Connect, StartCsms, StartGateway
from .projection import Account, Desk, account, charges, conversation
from .wire import Recorder

TAG, APP = "04A1B2C3", "04AABBCC"
BAD, BROKEN = "DEADBEEF", "00000000"
"""Tokens that the CSMS refuses, and answers with a CALLERROR."""


def verdict(_action: str, token: str) -> str:
    if token == BROKEN:
        raise InternalError("no such thing")
    return "Blocked" if token == BAD else "Accepted"


async def charge_15(charger: Charger15, tag: str) -> None:
    await charger.boot()
    for connector in (0, 1, 2):
        await charger.status(connector, "Available")
    await charger.say("Authorize", {"idTag": BROKEN})
    await charger.call("Authorize", {"idTag": BAD})
    await charger.call("Authorize", {"idTag": tag})
    await charger.status(2, "Occupied")
    number = await charger.start(2, tag)
    for dialect in "ABC":
        charger.meter += 250
        await charger.meter_values(2, number, dialect)
    await charger.stop(number, tag)
    await charger.status(2, "Available")
    await charger.call("Heartbeat", {})


async def charge_16(charger: Charger16, tag: str) -> None:
    await charger.boot()
    for connector in (0, 1, 2):
        await charger.status(connector, "Available")
    with pytest.raises(InternalError):
        await charger.authorize(BROKEN)
    assert await charger.authorize(BAD) == "Blocked"
    assert await charger.authorize(tag) == "Accepted"
    await charger.status(2, "Preparing")
    number = await charger.start(2, tag)
    await charger.status(2, "Charging")
    for _ in range(3):
        charger.meter += 250
        await charger.meter_values(2, number)
    await charger.stop(number, tag=tag)
    await charger.status(2, "Finishing")
    await charger.status(2, "Available")
    await charger.status(1, "Faulted", "GroundFailure")
    await charger.status(1, "Available")
    await charger.heartbeat()
    await charger.say("DataTransfer", '{"vendorId":"com.example","messageId":"m","data":"1.10"}')


async def charge_201(charger: Charger201, tag: str) -> None:
    await charger.boot()
    for evse in (1, 2):
        await charger.status(evse, "Available")
    with pytest.raises(InternalError):
        await charger.authorize(BROKEN)
    assert await charger.authorize(BAD) == "Blocked"
    assert await charger.authorize(tag) == "Accepted"
    await charger.status(2, "Occupied")
    transaction = await charger.started(2, {"id_token": tag, "type": "ISO14443"})
    for _ in range(3):
        charger.meter += 250
        await charger.updated(transaction)
    await charger.ended(transaction)
    await charger.status(2, "Available")
    await charger.heartbeat()
    await charger.say("DataTransfer", '{"vendorId":"com.example","messageId":"m","data":"1.10"}')


async def command(charger: Any, desk: Desk) -> list[str]:
    """Commands, and what the CSMS was answered."""
    await charger.status(1, "Preparing" if isinstance(charger, Charger16) else "Occupied")
    told = [await desk.start(1, APP)]
    heard = desk.station.recorder
    await heard.until("remote start", lambda: len(charges(heard)) == 2 and answered(charger))
    # The charger knows the number a little after the answer was seen.
    await charger.recorder.until("its number", lambda: bool(charger.transactions))
    charger.meter += 100
    told.append(await desk.stop())
    await heard.until("remote stop", lambda: charges(heard)[-1].energy is not None)
    await charger.recorder.until("its end", lambda: not charger.transactions and answered(charger))
    await charger.status(1, "Available")
    told += [await desk.unlock(2), await desk.availability(2, "Inoperative"), await desk.availability(2, "Operative")]
    told += [await desk.clear_cache(), await desk.data("ping"), await desk.read("HeartbeatInterval")]
    for message in ("Heartbeat", "StatusNotification"):
        count = len(heard.calls(message))
        told.append(await desk.trigger(message))
        await heard.until(f"triggered {message}", partial(told_more, heard, message, count))
        await charger.recorder.until("answer", partial(answered, charger))
    if isinstance(charger, Charger16):
        told.append(await desk.refused())
    told.append(await desk.reset())
    return told


def told_more(recorder: Recorder, action: str, count: int) -> bool:
    return len(recorder.calls(action)) > count


def answered(charger: Any) -> bool:
    """Whether nothing that it said waits for its answer."""
    return all(x.answer is not None or x.error is not None for x in charger.recorder.calls(mine=True))


PLAYS: dict[type[Any], Any] = {Charger15: charge_15, Charger16: charge_16, Charger201: charge_201}


class Run:
    """Plays the charger's part with a CSMS of some version, behind gateways in a row."""

    def __init__(self, kind: type[Any], start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect) -> None:
        self.kind, self.start_csms, self.start_gateway, self.plug_in = kind, start_csms, start_gateway, plug_in

    async def __call__(self, version: str, *upstream: str) -> tuple[Any, Account, list[str]]:
        """`upstream`: what each gateway speaks to the next or to the CSMS, the charger's end first; none: a direct line.

        Returns the charger's conversation, the CSMS's account, and what its commands were answered.
        """
        csms = await self.start_csms(version)
        csms.verdict = verdict
        url = csms.url
        for spoken in reversed(upstream):
            url = (await self.start_gateway({"main": {"url": url, "version": spoken}})).url
        charger = await self.plug_in(self.kind, url, "CP1")
        station = csms.station("CP1")
        await PLAYS[self.kind](charger, TAG)
        told = await command(charger, Desk(station))
        await charger.recorder.until("answers", partial(answered, charger))
        return conversation(charger.recorder), account(station.recorder), told


@pytest.mark.parametrize(
    ("kind", "own", "other"),
    [
        (Charger16, "ocpp1.6", "ocpp2.0.1"),
        (Charger201, "ocpp2.0.1", "ocpp1.6"),
        (Charger15, "ocpp1.6", "ocpp2.0.1"),
    ],
    ids=["1.6", "2.0.1", "1.5"],
)
async def test_the_csms_may_be_of_another_version(
    kind: type[Any], own: str, other: str, start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    """A 1.5 charger has no CSMS of its own version here: 1.6 and 2.0.1 must be the same to it."""
    run = Run(kind, start_csms, start_gateway, plug_in)
    plain = await (run(own, own) if kind is Charger15 else run(own))
    translated = await run(other, other)
    assert translated == plain
    books = plain[1]
    assert books.charges == [(2, TAG, Decimal(750), "Local"), (1, APP, Decimal(100), "Remote")]
    assert books.readings == [Decimal(1250), Decimal(1500), Decimal(1750)]


@pytest.mark.parametrize(
    ("kind", "own", "between"),
    [(Charger16, "ocpp1.6", "ocpp2.0.1"), (Charger201, "ocpp2.0.1", "ocpp1.6")],
    ids=["1.6", "2.0.1"],
)
async def test_two_gateways_give_back_what_was_said(
    kind: type[Any], own: str, between: str, start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    """To the other version and back again."""
    run = Run(kind, start_csms, start_gateway, plug_in)
    assert await run(own, between, own) == await run(own)
