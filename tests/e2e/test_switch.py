"""The primary of connected chargers is switched, and back: no charger is dropped, transactions go on under ids that each knows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from ocpp.v16 import call as call16
from ocpp.v201 import call as call201

from .charger import Charger16, Charger201
from .charges import charges_16, charges_201
from .conftest import Connect, StartCsms, StartGateway
from .csms import Csms
from .operator import ask, primary_of, routes, until
from .process import Gateway
from .raw import polite, raw_csms
from .wire import Recorder

__all__ = ["raw_csms"]

TAG = "04A1B2C3"


def upstreams(old: Csms, new: Csms) -> dict[str, dict[str, Any]]:
    return {
        "old": {"url": old.url, "version": old.version, "reconnect_max": 1},
        "new": {"url": new.url, "version": new.version, "reconnect_max": 1},
    }


def heard(csms: Csms) -> Recorder:
    return csms.station("CP1").recorder


def ids(recorder: Recorder) -> list[int]:
    return [x.payload["transactionId"] for x in recorder.calls() if x.action in ("MeterValues", "StopTransaction")]


async def told(recorder: Recorder, action: str, count: int = 1) -> None:
    def so_many() -> bool:
        return sum(x.answer is not None for x in recorder.calls(action)) >= count

    await recorder.until(f"{count} {action}", so_many)


async def ended(csms: Csms, count: int = 1) -> None:
    """The CSMS knows of the end of so many transactions."""
    if csms.version == "ocpp1.6":
        await told(heard(csms), "StopTransaction", count)
        return

    def over() -> bool:
        events = heard(csms).calls("TransactionEvent")
        return sum(x.payload["eventType"] == "Ended" and x.answer is not None for x in events) >= count

    await heard(csms).until(f"{count} Ended", over)


async def sample(charger: Charger16, transaction: int, wh: int = 100) -> None:
    charger.meter += wh
    await charger.meter_values(1, transaction)


async def switch(gateway: Gateway, *arguments: str) -> str:
    code, output = await routes(gateway, "switch", *arguments)
    assert code == 0, output
    return output


async def linked(csms: Csms) -> None:
    await heard(csms).until("connection", lambda: csms.station("CP1").peer is not None)


@pytest.mark.parametrize("mirrored", [True, False], ids=["from mirror", "from nothing"])
@pytest.mark.parametrize("version", ["ocpp1.6", "ocpp2.0.1"])
async def test_in_the_middle_of_a_transaction_and_back(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect, version: str, mirrored: bool
) -> None:
    old, new = await start_csms("ocpp1.6"), await start_csms(version, first_transaction_id=1001)
    mirrors = ["new"] if mirrored else []
    gateway = await start_gateway(
        upstreams(old, new), routes=[{"match": "*", "primary": "old", "mirrors": mirrors, "primary_down": "buffer"}]
    )
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    first = await charger.start(1, TAG)
    assert first == 41
    await sample(charger, first)

    output = await switch(gateway, "--match", "CP1", "--primary", "new")
    assert "match CP1; primary new; the old primary stays as mirror" in output
    await linked(new)
    await told(heard(new), "StartTransaction" if version == "ocpp1.6" else "TransactionEvent")
    await sample(charger, first)
    new.verdict = lambda _action, _token: "Blocked"
    assert await charger.authorize("OTHER") == "Blocked", "the new primary answers"
    new.verdict = lambda _action, _token: "Accepted"
    second = await charger.start(2, TAG)
    await sample(charger, second)

    await switch(gateway, "--match", "CP1", "--primary", "old")
    old.verdict = lambda _action, _token: "Expired"
    assert await charger.authorize("OTHER") == "Expired", "the old primary answers again"
    old.verdict = lambda _action, _token: "Accepted"
    await sample(charger, first)
    await charger.stop(first, tag=TAG)
    await charger.stop(second, tag=TAG)
    for csms in (old, new):
        await ended(csms, 2)
    assert charger.recorder.connections == 1, "nobody dropped the charger"

    books = [charges_16(heard(csms)) if csms.version == "ocpp1.6" else charges_201(heard(csms)) for csms in (old, new)]
    assert [[each.energy for each in book] for book in books] == [[Decimal(400), Decimal(200)]] * 2
    assert ids(heard(old)) == [41, 41, 42, 41, 41, 42]
    if version == "ocpp1.6":
        begins = [1001] if mirrored else []
        assert ids(heard(new)) == [*begins, 1001, 1002, 1001, 1001, 1002]


async def test_commands_follow_the_primary(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    """The new primary stops a transaction that began under the old one; the old one may not command any more."""
    old, new = await start_csms("ocpp1.6"), await start_csms("ocpp1.6", first_transaction_id=1001)
    gateway = await start_gateway(upstreams(old, new))
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    await charger.start(1, TAG)
    await switch(gateway, "--match", "*", "--primary", "new")
    await told(heard(new), "StartTransaction")
    refused = await old.station("CP1").call(call16.RemoteStopTransaction(transaction_id=41))
    assert refused.status == "Rejected"
    accepted = await new.station("CP1").call(call16.RemoteStopTransaction(transaction_id=1001))
    assert accepted.status == "Accepted"
    await ended(new)
    await ended(old)
    assert (ids(heard(old)), ids(heard(new))) == ([41], [1001])


async def test_a_new_primary_of_another_version_commands(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    old, new = await start_csms("ocpp1.6"), await start_csms("ocpp2.0.1")
    gateway = await start_gateway(upstreams(old, new))
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    await charger.start(1, TAG)
    await switch(gateway, "--match", "*", "--primary", "new")
    await told(heard(new), "TransactionEvent")
    [event] = heard(new).calls("TransactionEvent")[:1]
    uuid = event.payload["transactionInfo"]["transactionId"]
    answer = await new.station("CP1").call(call201.RequestStopTransaction(transaction_id=uuid))
    assert answer.status == "Accepted"
    await ended(new)
    await ended(old)


async def test_without_a_mirror_the_old_primary_leaves(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    old, new = await start_csms("ocpp1.6"), await start_csms("ocpp1.6", first_transaction_id=1001)
    gateway = await start_gateway(upstreams(old, new))
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    first = await charger.start(1, TAG)
    await switch(gateway, "--match", "cp?", "--primary", "new", "--no-mirror")
    await until("the old socket closes", lambda: old.station("CP1").peer is None)
    await sample(charger, first)
    await charger.stop(first)
    assert (ids(heard(old)), ids(heard(new))) == ([], [1001, 1001])
    output = await switch(gateway, "--reset", "--match", "cp?")
    assert "no overrides" in output
    await until("the old socket opens", lambda: old.station("CP1").peer is not None)
    await until("the new socket closes", lambda: new.station("CP1").peer is None)
    assert await charger.start(1, TAG) == 42
    assert charger.recorder.connections == 1


async def test_an_override_outlives_the_process(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    old, new = await start_csms("ocpp1.6"), await start_csms("ocpp1.6", first_transaction_id=1001)
    gateway = await start_gateway(upstreams(old, new))
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    first = await charger.start(1, TAG)
    await switch(gateway, "--match", "CP1", "--primary", "new")
    await told(heard(new), "StartTransaction")
    await gateway.kill()
    await charger.lost()
    await gateway.start()
    assert await primary_of(gateway, "CP1") == "new"
    await charger.close()
    await charger.connect()
    await sample(charger, first)
    await charger.stop(first)
    await ended(old)
    assert (ids(heard(old)), ids(heard(new))) == ([41, 41], [1001, 1001])
    assert len(heard(new).calls("StartTransaction")) == 1


async def test_a_canary_moves_a_part(start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect) -> None:
    old, new = await start_csms("ocpp1.6"), await start_csms("ocpp1.6")
    gateway = await start_gateway(upstreams(old, new))
    chargers = {f"CP{number}": await plug_in(Charger16, gateway.url, f"CP{number}") for number in range(12)}
    for charger in chargers.values():
        await charger.boot()
    await switch(gateway, "--match", "*", "--primary", "new", "--canary", "50")
    moved = {id for id in chargers if await primary_of(gateway, id) == "new"}
    assert 1 <= len(moved) <= 11
    old.verdict, new.verdict = lambda _action, _token: "Expired", lambda _action, _token: "Blocked"
    for id, charger in chargers.items():

        async def answered(charger: Charger16 = charger, wanted: str = "Blocked" if id in moved else "Expired") -> bool:
            return await charger.authorize("X") == wanted

        await until(f"{id} is answered by its primary", answered)
    assert {charger.recorder.connections for charger in chargers.values()} == {1}


async def test_what_cannot_be_switched(start_csms: StartCsms, start_gateway: StartGateway) -> None:
    old, new = await start_csms("ocpp1.6"), await start_csms("ocpp1.6")
    settings = upstreams(old, new)
    settings["new"]["forward"] = {"except": ["Authorize"]}
    gateway = await start_gateway(settings, routes=[{"match": "DE-*", "primary": "old"}, {"primary": "old"}])
    for arguments, reason in [
        (("--match", "*", "--primary", "nwe"), "primary: no upstream has the name nwe (did you mean new?)"),
        (("--match", "re:(", "--primary", "new"), "match: re:( is no regular expression"),
        (("--match", "DE-1", "--primary", "new"), "routes[1].primary: new does not get Authorize by its forward"),
        (("--match", "DE-1"), "give --match and --primary, or --reset"),
    ]:
        code, output = await routes(gateway, "switch", *arguments)
        assert (code, reason in output) == (2, True), output
    status, found = await ask(gateway, "GET", "/api/v1/routes")
    assert (status, found["overrides"]) == (200, [])
    status, _ = await ask(
        gateway, "POST", "/api/v1/routes/switch", {"match": "*", "primary": "new"}, Origin="http://elsewhere"
    )
    assert status == 403
    code, output = await routes(gateway, "list")
    assert (code, output.splitlines()) == (0, ["route     match DE-*; primary old", "route     match *; primary old"])
    code, output = await routes(gateway, "show", "DE-1")
    assert output.splitlines() == ["primary   old", "mirrors   (none)", "down      close"]
    gateway.admin_port += 1
    code, output = await routes(gateway, "list")
    gateway.admin_port -= 1
    assert (code, "not reachable" in output) == (1, True)


async def test_the_new_one_is_away_and_the_gateway_dies(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    """What it has to know of before its time is told when it comes, also by the next process."""
    old, new = await start_csms("ocpp1.6"), await start_csms("ocpp2.0.1")
    await new.stop()
    gateway = await start_gateway(upstreams(old, new), routes=[{"primary": "old", "primary_down": "buffer"}])
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    await charger.status(1, "Preparing")
    first = await charger.start(1, TAG)
    await sample(charger, first)
    await switch(gateway, "--match", "*", "--primary", "new")
    await sample(charger, first)
    await gateway.kill()
    await charger.lost()
    await gateway.start()
    await charger.close()
    await charger.connect()
    await sample(charger, first)
    await new.start()
    await charger.stop(first, tag=TAG)
    await ended(new)
    await ended(old)
    await told(heard(new), "StatusNotification")
    assert heard(new).calls()[0].action == "BootNotification"
    assert [each.energy for each in charges_201(heard(new))] == [Decimal(300)]
    assert [each.energy for each in charges_16(heard(old))] == [Decimal(300)]
    assert set(ids(heard(old))) == {41}, "what the kill has cut off from its acknowledgement is told again"


@pytest.mark.parametrize("version", ["ocpp1.6", "ocpp2.0.1"])
async def test_while_a_start_is_being_answered(
    start_csms: StartCsms,
    start_gateway: StartGateway,
    plug_in: Connect,
    raw_csms: Callable[[str], Any],
    version: str,
) -> None:
    """The charger's number is the old one's answer; the new one is told of it afterwards."""
    slow, new = await raw_csms("ocpp1.6"), await start_csms(version, first_transaction_id=1001)
    waiting: list[str] = []

    def reply(id: str, action: str, payload: dict[str, Any]) -> list[Any] | None:
        if action == "StartTransaction":
            waiting.append(id)
            return None
        return polite(id, action, payload)

    slow.reply = reply
    gateway = await start_gateway({"old": {"url": slow.url, "version": "ocpp1.6"}, "new": new})
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    starting = asyncio.create_task(charger.start(1, TAG))
    await until("the start", lambda: waiting)
    await switch(gateway, "--match", "*", "--primary", "new")
    await asyncio.sleep(0.5)
    await slow.send(3, waiting[0], {"transactionId": 7, "idTagInfo": {"status": "Accepted"}})
    assert await starting == 7
    await told(heard(new), "StartTransaction" if version == "ocpp1.6" else "TransactionEvent")
    await sample(charger, 7)
    await charger.stop(7, tag=TAG)
    await ended(new)
    assert [x["transactionId"] for x in slow.said("StopTransaction")] == [7]
    if version == "ocpp1.6":
        assert ids(heard(new)) == [1001, 1001]
    else:
        assert [each.energy for each in charges_201(heard(new))] == [Decimal(100)]


@pytest.mark.parametrize("version", ["ocpp2.0.1", "ocpp1.6"])
async def test_a_2_0_1_charger(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect, version: str
) -> None:
    """Its transaction has its own id; a CSMS that comes later is told how it began."""
    old, new = await start_csms("ocpp2.0.1"), await start_csms(version, first_transaction_id=1001)
    gateway = await start_gateway(upstreams(old, new))
    charger = await plug_in(Charger201, gateway.url, "CP1")
    await charger.boot()
    ended_before = await charger.started(2, {"idToken": TAG, "type": "ISO14443"})
    await charger.ended(ended_before)
    transaction = await charger.started(1, {"idToken": TAG, "type": "ISO14443"})
    charger.meter += 100
    await charger.updated(transaction)
    await switch(gateway, "--match", "*", "--primary", "new")
    await linked(new)
    await told(heard(new), "StartTransaction" if version == "ocpp1.6" else "TransactionEvent")
    charger.meter += 100
    await charger.updated(transaction)
    await switch(gateway, "--match", "*", "--primary", "old")
    charger.meter += 100
    await charger.ended(transaction)
    await ended(old, 2)
    await ended(new)
    assert charger.recorder.connections == 1
    if version == "ocpp1.6":
        assert [each.energy for each in charges_16(heard(new))] == [Decimal(300)]
        return
    events = [x.payload for x in heard(new).calls("TransactionEvent")]
    assert {event["transactionInfo"]["transactionId"] for event in events} == {transaction}
    assert [(event["eventType"], event["seqNo"]) for event in events] == [("Started", 0), ("Updated", 2), ("Ended", 3)]
