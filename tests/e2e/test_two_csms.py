"""A 1.6 charger with two CSMSs that count transactions each in its own way: each sees its own ids, the charger the primary's."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from ocpp.v16 import call as call16

from .charger import Charger16
from .charges import charges_16, charges_201
from .conftest import Connect, StartCsms, StartGateway
from .csms import Csms, now
from .process import Gateway
from .wire import Recorder

TAG = "04A1B2C3"
ROUTES = [{"match": "*", "primary": "main", "mirrors": ["copy"]}]


def upstreams(main: Csms, copy: Csms) -> dict[str, dict[str, Any]]:
    settings = {"reconnect_max": 1}
    return {
        "main": {"url": main.url, "version": main.version, **settings},
        "copy": {"url": copy.url, "version": copy.version, **settings},
    }


async def told(heard: Recorder, action: str, count: int = 1) -> None:
    def so_many() -> bool:
        return sum(x.answer is not None for x in heard.calls(action)) >= count

    await heard.until(f"{count} {action}", so_many)


def ids(heard: Recorder) -> list[int]:
    """The transaction ids in what a CSMS was told, in order."""
    return [x.payload["transactionId"] for x in heard.calls() if x.action in ("MeterValues", "StopTransaction")]


async def charge(charger: Charger16, connector: int, began: str = "") -> int:
    transaction = await charger.start(connector, TAG, began)
    charger.meter += 500
    await charger.meter_values(connector, transaction)
    charger.meter += 500
    await charger.stop(transaction, tag=TAG)
    return transaction


async def test_each_sees_its_own_ids(start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect) -> None:
    """The numbers overlap: 41 and 42 are transactions of both, of each another one."""
    main, copy = await start_csms("ocpp1.6"), await start_csms("ocpp1.6", first_transaction_id=42)
    gateway = await start_gateway(upstreams(main, copy), routes=ROUTES)
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    one = await charger.start(1, TAG)
    two = await charger.start(2, TAG)
    assert (one, two) == (41, 42)
    for connector, transaction in ((1, one), (2, two)):
        charger.meter += 300
        await charger.meter_values(connector, transaction)
    await charger.stop(two, tag=TAG)
    await charger.stop(one, tag=TAG)
    first, second = main.station("CP1").recorder, copy.station("CP1").recorder
    await told(second, "StopTransaction", 2)
    assert ids(first) == [41, 42, 42, 41]
    assert ids(second) == [42, 43, 43, 42]
    assert [each.energy for each in charges_16(first)] == [each.energy for each in charges_16(second)]
    answer = await main.station("CP1").call(call16.RemoteStopTransaction(transaction_id=41))
    assert answer.status == "Rejected", "it has ended"
    answer = await copy.station("CP1").call(call16.RemoteStopTransaction(transaction_id=42))
    assert answer.status == "Rejected", "a mirror may not"


async def test_a_mirror_that_was_down_at_the_start(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    main, copy = await start_csms("ocpp1.6"), await start_csms("ocpp1.6", first_transaction_id=1001)
    gateway = await start_gateway(upstreams(main, copy), routes=ROUTES)
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    await told(copy.station("CP1").recorder, "BootNotification")
    await copy.stop()
    await charge(charger, 1)
    transaction = await charger.start(2, TAG)
    await charger.meter_values(2, transaction)
    await copy.start()
    charger.meter += 700
    await charger.stop(transaction, tag=TAG)
    heard = copy.station("CP1").recorder
    await told(heard, "StopTransaction", 2)
    assert ids(heard) == [1001, 1001, 1002, 1002]
    assert ids(main.station("CP1").recorder) == [41, 41, 42, 42]
    assert [each.energy for each in charges_16(heard)] == [Decimal(1000), Decimal(700)]


@pytest.mark.parametrize(
    ("copied", "up"),
    [
        ("ocpp1.6", False),
        ("ocpp2.0.1", True),
        pytest.param("ocpp1.6", True, marks=pytest.mark.slow),
        pytest.param("ocpp2.0.1", False, marks=pytest.mark.slow),
    ],
)
async def test_a_kill_in_the_middle(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect, copied: str, up: bool
) -> None:
    main, copy = await start_csms("ocpp1.6"), await start_csms(copied, first_transaction_id=1001)
    gateway = await start_gateway(upstreams(main, copy), routes=ROUTES)
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    heard = copy.station("CP1").recorder
    await told(heard, "BootNotification")
    if not up:
        await copy.stop()
    began = now()
    transaction = await charger.start(1, TAG, began)
    assert transaction == 41
    await died_and_came_back(gateway, charger)
    assert await charger.start(1, TAG, began) == transaction
    charger.meter += 400
    await charger.meter_values(1, transaction)
    await died_and_came_back(gateway, charger)
    charger.meter += 600
    await charger.stop(transaction, tag=TAG)
    if not up:
        await copy.start()
    await ended(heard, copied)
    if copied == "ocpp1.6":
        starts = [x.answer["transactionId"] for x in heard.calls("StartTransaction") if x.answer is not None]
        assert set(ids(heard)) == {starts[-1]}, "a start whose answer the kill has swallowed may be told twice"
        assert charges_16(heard)[-1].energy == Decimal(1000)
    else:
        [one] = charges_201(heard)
        assert one.energy == Decimal(1000)
    assert set(ids(main.station("CP1").recorder)) == {41}


async def died_and_came_back(gateway: Gateway, charger: Charger16) -> None:
    await gateway.kill()
    await charger.lost()
    await gateway.start()
    await charger.close()
    await charger.connect()


async def ended(heard: Recorder, version: str) -> None:
    if version == "ocpp1.6":
        await told(heard, "StopTransaction")
        return

    def over() -> bool:
        return any(x.payload["eventType"] == "Ended" and x.answer is not None for x in heard.calls("TransactionEvent"))

    await heard.until("Ended", over)


@pytest.mark.parametrize("primary", ["ocpp1.6", "ocpp2.0.1"])
async def test_versions_mixed(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect, primary: str
) -> None:
    """The 1.6 one keeps its ids and the 2.0.1 one its transactions, whichever of them the charger listens to."""
    mirror = "ocpp2.0.1" if primary == "ocpp1.6" else "ocpp1.6"
    main, copy = await start_csms(primary), await start_csms(mirror)
    gateway = await start_gateway(upstreams(main, copy), routes=ROUTES)
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    numbers = [await charge(charger, 1), await charge(charger, 2)]
    old, new = (main, copy) if primary == "ocpp1.6" else (copy, main)
    await ended(copy.station("CP1").recorder, mirror)
    await told(old.station("CP1").recorder, "StopTransaction", 2)
    assert ids(old.station("CP1").recorder) == [41, 41, 42, 42]
    assert (numbers == [41, 42]) is (primary == "ocpp1.6")
    heard = new.station("CP1").recorder

    def both() -> bool:
        return [x.payload["eventType"] for x in heard.calls("TransactionEvent")].count("Ended") == 2

    await heard.until("two Ended", both)
    assert [each.energy for each in charges_201(heard)] == [Decimal(1000), Decimal(1000)]


async def test_the_primary_is_switched_and_a_mirror_added_in_the_middle(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    """One upstream; then another as primary, the first as its mirror; then the other alone."""
    main, copy = await start_csms("ocpp1.6"), await start_csms("ocpp1.6", first_transaction_id=1001)
    gateway = await start_gateway(upstreams(main, copy), routes=[{"match": "*", "primary": "main"}])
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    first = await charger.start(1, TAG)
    await again(gateway, charger, [{"match": "*", "primary": "copy", "mirrors": ["main"]}])
    await charger.meter_values(1, first)
    second = await charger.start(2, TAG)
    assert (first, second) == (41, 1002)
    await told(main.station("CP1").recorder, "StartTransaction", 2)
    await again(gateway, charger, [{"match": "*", "primary": "main"}])
    await charger.meter_values(2, second)
    await charger.stop(first, tag=TAG)
    await charger.stop(second, tag=TAG)
    assert ids(main.station("CP1").recorder) == [41, 42, 41, 42]
    assert ids(copy.station("CP1").recorder) == [1001], "it was told what had begun before it came"
    assert [x.action for x in copy.station("CP1").recorder.calls()][:2] == ["BootNotification", "StartTransaction"]


async def again(gateway: Gateway, charger: Charger16, routes: list[dict[str, Any]]) -> None:
    """The gateway is stopped and started with other routes."""
    await gateway.stop()
    await charger.lost()
    gateway.config["routes"] = routes
    await gateway.start()
    await charger.close()
    await charger.connect()
