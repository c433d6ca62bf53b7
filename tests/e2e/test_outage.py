"""The primary dies in the middle of a charge and comes back, under each policy and for each pair of versions."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from .conftest import Connect, StartCsms, StartGateway
from .csms import Csms
from .driver import CHARGERS, Driver, books
from .operator import metric, until
from .wire import Recorder

PAIRS = [
    ("ocpp1.6", "ocpp1.6"),
    ("ocpp1.6", "ocpp2.0.1"),
    ("ocpp2.0.1", "ocpp2.0.1"),
    ("ocpp2.0.1", "ocpp1.6"),
    ("ocpp1.5", "ocpp1.6"),
]


async def begin(
    start_csms: StartCsms,
    start_gateway: StartGateway,
    plug_in: Connect,
    pair: tuple[str, str],
    policy: str,
    **route: Any,
) -> tuple[Csms, Any, Any, Driver]:
    charger_version, csms_version = pair
    csms = await start_csms(csms_version)
    gateway = await start_gateway(
        {"main": {"url": csms.url, "version": csms_version, "reconnect_max": 1}},
        routes=[{"match": "*", "primary": "main", "primary_down": policy, "hold": 1, **route}],
    )
    charger = await plug_in(CHARGERS[charger_version], gateway.url, "CP1")
    driver = Driver(charger)
    assert await driver.boot() == ("Accepted", 300)
    await driver.status(False)
    return csms, gateway, charger, driver


async def billed(csms: Csms, energies: list[int]) -> None:
    heard: Recorder = csms.station("CP1").recorder
    wanted = [Decimal(each) for each in energies]
    await heard.until(f"{energies} Wh", lambda: books(csms, "CP1") == wanted, patience=20)


def some(pairs: list[tuple[str, str]], *first: int) -> list[Any]:
    """The pairs as parameters; all but those at `first` are slow, as they show the same again."""
    return [
        pytest.param(pair, id="-".join(pair), marks=() if index in first else pytest.mark.slow)
        for index, pair in enumerate(pairs)
    ]


@pytest.mark.parametrize("policy", [pytest.param("buffer", marks=pytest.mark.slow), "local"])
@pytest.mark.parametrize("pair", some(PAIRS, 0, 1, 2, 3))
async def test_nothing_is_lost_while_the_gateway_answers(
    pair: tuple[str, str], policy: str, start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    csms, gateway, _, driver = await begin(start_csms, start_gateway, plug_in, pair, policy)
    assert await driver.authorize() == "Accepted"
    first = await driver.start()
    await driver.meter(first, 100)
    await csms.stop()
    await driver.meter(first, 200)
    await driver.stop(first)
    await driver.status(False)
    assert await driver.authorize() == "Accepted"
    assert await driver.authorize("STRANGER") == "Invalid"
    second = await driver.start()
    assert second != first
    await driver.status(True)
    await driver.meter(second, 400)
    assert await driver.boot() == ("Accepted", 300)
    await driver.meter(second, 50)
    await csms.start()
    heard = csms.station("CP1").recorder
    await heard.until("the second begin", lambda: len(books(csms, "CP1")) == 2, patience=20)
    await driver.meter(second, 25)
    await driver.stop(second)
    await driver.status(False)
    await billed(csms, [300, 475])
    for action, count in (("BootNotification", 1), ("Authorize", 2)):
        series = f'ocppgw_local_answers_total{{action="{action}",policy="{policy}"}}'
        assert await metric(gateway, series) == count


@pytest.mark.parametrize("pair", some(PAIRS[:4], 2))
async def test_close_leaves_it_to_the_charger(
    pair: tuple[str, str], start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    csms, _, charger, driver = await begin(start_csms, start_gateway, plug_in, pair, "close", hold=3)
    transaction = await driver.start()
    await driver.meter(transaction, 100)
    await csms.stop()
    await charger.lost()
    assert charger.close_code == 1001
    await csms.start()
    await charger.close()
    await charger.connect()
    await driver.meter(transaction, 200)
    await driver.stop(transaction)
    await billed(csms, [300])


@pytest.mark.parametrize("pair", some(PAIRS[:4], 0, 2))
async def test_a_stranger_that_is_let_in_and_refused_later_is_stopped(
    pair: tuple[str, str], start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    csms, _, charger, driver = await begin(
        start_csms, start_gateway, plug_in, pair, "local", local={"authorize": "accept"}
    )
    await csms.stop()
    assert await driver.authorize() == "Accepted"
    transaction = await driver.start()
    await driver.meter(transaction, 100)
    csms.verdict = lambda _action, _token: "Blocked"
    await csms.start()
    heard = csms.station("CP1").recorder
    await heard.until("begin", lambda: len(books(csms, "CP1")) == 1, patience=20)
    if pair == ("ocpp2.0.1", "ocpp1.6"):  # the next event brings the verdict to the charger
        await driver.meter(transaction, 50)
        await driver.stop(transaction)
        await billed(csms, [150])
        return
    await billed(csms, [100])
    action = "RemoteStopTransaction" if pair[0] == "ocpp1.6" else "RequestStopTransaction"
    [stop] = charger.recorder.calls(action)
    assert stop.payload == {"transactionId": transaction}
    ended = heard.calls("StopTransaction") or heard.calls("TransactionEvent")
    last = ended[-1].payload
    assert last.get("reason", last.get("transactionInfo", {}).get("stoppedReason")) == "DeAuthorized"


async def test_a_charger_that_was_never_accepted_has_to_wait(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    csms = await start_csms("ocpp1.6")
    gateway = await start_gateway(
        {"main": {"url": csms.url, "version": "ocpp1.6", "reconnect_max": 1}},
        routes=[{"primary": "main", "primary_down": "local", "hold": 1, "local": {"boot_interval": 5}}],
    )
    await csms.stop()
    charger = await plug_in(CHARGERS["ocpp1.6"], gateway.url, "CP1")
    driver = Driver(charger)
    assert await driver.boot() == ("Pending", 5)
    await csms.start()

    async def accepted() -> bool:
        return (await driver.boot())[0] == "Accepted"

    await until("accepted boot", accepted)


@pytest.mark.slow
@pytest.mark.parametrize("pair", PAIRS[:3], ids="-".join)
async def test_the_gateway_dies_too(
    pair: tuple[str, str], start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    """What was promised here is kept by the next process: verdicts, numbers, messages."""
    csms, gateway, charger, driver = await begin(start_csms, start_gateway, plug_in, pair, "local")
    assert await driver.authorize() == "Accepted"
    await csms.stop()
    transaction = await driver.start()
    await driver.meter(transaction, 100)
    await gateway.kill()
    await gateway.start()
    await charger.close()
    await charger.connect()
    assert await driver.boot() == ("Accepted", 300)
    assert await driver.authorize() == "Accepted"
    await driver.meter(transaction, 200)
    await csms.start()
    await driver.stop(transaction)
    await billed(csms, [300])
