"""Two gateways in a row, each a process of its own: with `carry_lossy` the CSMS hears what the charger said."""

from __future__ import annotations

from typing import Any

import pytest
from ocpp.v16 import call as call16
from ocpp.v201 import call as call201
from ocpp.v201.datatypes import IdTokenType

from .charger import Charger16, Charger201
from .conftest import Connect, StartCsms, StartGateway
from .wire import Recorder

VENDOR = "org.example.gateway"


async def chain(
    start_csms: StartCsms, start_gateway: StartGateway, outer: str, inner: str, carry: str
) -> tuple[Any, Any]:
    """A CSMS of version `outer` behind two gateways that speak `inner` to one another; gives it and the gateway in front."""
    csms = await start_csms(outer)
    options = {"carry_lossy": carry, "vendor_id": VENDOR}
    back = await start_gateway({"main": {"url": csms.url, "version": outer, "options": options}})
    front = await start_gateway({"main": {"url": back.url, "version": inner, "options": options}})
    return csms, front


def said(recorder: Recorder, action: str) -> list[dict[str, Any]]:
    """The payloads of an action, of whichever side has said them."""
    return [each.payload for each in recorder.exchanges if each.action == action]


async def test_a_2_0_1_charger_through_1_6(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    csms, front = await chain(start_csms, start_gateway, "ocpp2.0.1", "ocpp1.6", "datatransfer")
    charger: Charger201 = await plug_in(Charger201, front.url, "CS1")
    heard, own = csms.station("CS1").recorder, charger.recorder
    assert (await charger.boot()).status == "Accepted"
    await heard.until("the boot, whole", lambda: len(said(heard, "BootNotification")) == 2)
    assert said(heard, "BootNotification")[-1] == said(own, "BootNotification")[-1]

    await charger.status(1, "Occupied")
    transaction = await charger.started(
        1, {"id_token": "DE-ABC-C12345678-X", "type": "eMAID"}, trigger="CablePluggedIn"
    )
    charger.meter += 500
    await charger.updated(transaction)
    limit = {"charging_limit": {"charging_limit_source": "EMS"}}
    await charger.call(call201.NotifyChargingLimit(**limit))
    stop = await csms.station("CS1").call(call201.RequestStopTransaction(transaction_id=transaction))
    assert stop.status == "Accepted"
    await charger.ended(transaction, trigger="EnergyLimitReached", reason="EnergyLimitReached")
    for action in ("StatusNotification", "TransactionEvent", "NotifyChargingLimit"):
        assert said(heard, action) == said(own, action) != []

    token = IdTokenType(id_token="DE-ABC-C12345678-X", type="eMAID")
    start = call201.RequestStartTransaction(id_token=token, remote_start_id=7, evse_id=1, group_id_token=token)
    assert (await csms.station("CS1").call(start)).status == "Accepted"
    assert said(own, "RequestStartTransaction") == said(heard, "RequestStartTransaction")
    assert said(own, "RequestStopTransaction") == [{"transactionId": transaction}]


async def test_a_1_6_charger_through_2_0_1(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    csms, front = await chain(start_csms, start_gateway, "ocpp1.6", "ocpp2.0.1", "customData")
    charger: Charger16 = await plug_in(Charger16, front.url, "CP1")
    heard, own = csms.station("CP1").recorder, charger.recorder
    await charger.boot()
    for number, status in ((0, "Available"), (1, "Preparing")):
        await charger.status(number, status)
    assert await charger.authorize("04A1B2C3") == "Accepted"
    transaction = await charger.start(1, "04A1B2C3")
    for status in ("Charging", "SuspendedEV", "Finishing"):
        await charger.status(1, status)
    await charger.stop(transaction, reason="HardReset", tag="04A1B2C3")
    await heard.until("the end", lambda: bool(said(heard, "StopTransaction")))
    for action in ("BootNotification", "StatusNotification", "Authorize", "StartTransaction"):
        assert [tidy(each) for each in said(heard, action)] == [tidy(each) for each in said(own, action)] != []
    [ended], [told] = said(heard, "StopTransaction"), said(own, "StopTransaction")
    assert tidy(ended) == tidy(told) | {"transactionId": ended["transactionId"]}
    assert (await csms.station("CP1").call(call16.ClearCache())).status == "Accepted"


def tidy(payload: dict[str, Any]) -> dict[str, Any]:
    """A payload without what a charger need not say."""
    return {name: value for name, value in payload.items() if name != "transactionData"}


@pytest.mark.parametrize("carry", ["off"])
@pytest.mark.slow
async def test_without_it_the_words_are_lost(
    carry: str, start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    csms = await start_csms("ocpp1.6")
    back = await start_gateway({"main": csms})
    front = await start_gateway({"main": {"url": back.url, "version": "ocpp2.0.1"}})
    charger: Charger16 = await plug_in(Charger16, front.url, "CP1")
    heard = csms.station("CP1").recorder
    await charger.boot()
    await charger.status(1, "Finishing")
    await heard.until("a status", lambda: any(each["connectorId"] == 1 for each in said(heard, "StatusNotification")))
    assert said(heard, "StatusNotification")[-1]["status"] == "Preparing"
