"""A new CSMS beside the old one: where its answers differ is seen by the operator, and by nobody else."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ocpp.v16 import call as call16

from gateway.journal.embedded import Embedded

from .charger import Charger16, Charger201
from .conftest import Connect, StartCsms, StartGateway
from .csms import now
from .operator import ask, metric, routes, until, write
from .process import COMMAND, Gateway
from .raw import raw_csms
from .wire import PATIENCE

__all__ = ["raw_csms"]

TAG, REFUSED, UNHEARD = "04A1B2C3", "04D4E5F6", "04FFFFFF"
ROUTES = [{"match": "*", "primary": "old", "mirrors": ["new"]}]
COMPARISONS = 'ocppgw_shadow_comparisons_total{{outcome="{}",upstream="new"}}'
AGREED = COMPARISONS.format("agreed")


def stubborn(id: str, action: str, payload: dict[str, Any]) -> list[Any] | None:
    """A 2.0.1 CSMS that knows one token less, wants more heartbeats, takes no data and is silent about a token."""
    token = payload.get("idToken", {}).get("idToken", "")
    if token == UNHEARD:
        return None
    if action == "DataTransfer":
        return [4, id, "NotSupported", "never heard of 04A1B2C3", {}]
    info = {"idTokenInfo": {"status": "Blocked" if token == REFUSED else "Accepted"}}
    answers = {
        "BootNotification": {"status": "Accepted", "currentTime": now(), "interval": 60},
        "Heartbeat": {"currentTime": now()},
        "Authorize": info,
        "TransactionEvent": info if token else {},
    }
    return [3, id, answers.get(action, {})]


async def command(gateway: Gateway, *arguments: str) -> str:
    """`ocpp-gateway shadow ...` against a process of the gateway."""
    process = await asyncio.create_subprocess_exec(
        COMMAND,
        "shadow",
        *arguments,
        "--server",
        f"http://127.0.0.1:{gateway.admin_port}",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "NO_COLOR": "1"},
    )
    output, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == 0, output.decode()
    return output.decode()


async def record(gateway: Gateway, charger: str = "CP1") -> dict[str, Any]:
    """What is known of the shadow `new`; {} if nothing is."""
    status, found = await ask(gateway, "GET", f"/api/v1/shadow/{charger}")
    assert status in (200, 404), found
    shown: dict[str, Any] = found["upstreams"]["new"] if status == 200 else {}
    return shown


@pytest.mark.slow
async def test_differences_of_a_new_csms(
    start_csms: StartCsms, raw_csms: Callable[[str], Any], start_gateway: StartGateway, plug_in: Connect
) -> None:
    old, new = await start_csms("ocpp1.6"), await raw_csms("ocpp2.0.1")
    new.reply = stubborn
    upstreams = {
        "old": {"url": old.url, "version": old.version},
        "new": {"url": new.url, "version": new.version, "shadow": True, "call_timeout": 1, "reconnect_max": 1},
    }
    gateway = await start_gateway(upstreams, routes=ROUTES)
    assert (await ask(gateway, "GET", "/api/v1/shadow/CP1"))[0] == 404
    charger = await plug_in(Charger16, gateway.url, "CP1")

    boot = await charger.boot()
    assert (boot.status, boot.interval) == ("Accepted", 300)
    await charger.status(1, "Available")
    assert [await charger.authorize(tag) for tag in (TAG, REFUSED, UNHEARD)] == ["Accepted"] * 3
    transaction = await charger.start(1, TAG)
    assert transaction == 41
    charger.meter += 500
    await charger.meter_values(1, transaction)
    await charger.stop(transaction, tag=TAG)
    assert (await charger.call(call16.DataTransfer(vendor_id="ACME", data="04A1B2C3"))).status == "Accepted"
    for _ in range(24):
        await charger.heartbeat()

    async def compared() -> bool:
        numbers = [await metric(gateway, COMPARISONS.format(outcome)) for outcome in ("agreed", "differed")]
        return sum(numbers) == 33

    await until("comparison of all", compared)
    expected = {"interval": 1, "verdict": 1, "missing": 1, "error": 1}
    actions = {"interval": "BootNotification", "verdict": "Authorize", "missing": "Authorize", "error": "DataTransfer"}
    for kind, count in expected.items():
        labels = f'action="{actions[kind]}",kind="{kind}",upstream="new"'
        assert await metric(gateway, f"ocppgw_shadow_differences_total{{{labels}}}") == count

    async def stored() -> bool:
        await charger.heartbeat()  # it is stored with what is stored anyway
        return (await record(gateway)).get("compared", 0) >= 33

    await until("record of all", stored)
    found = await record(gateway)
    assert found["compared"] - found["agreed"] == 4
    assert {kind: count for kind, count in found["differences"].items() if count} == expected
    seen = [(each["action"], each["kind"], each["answer"], each["shadow"]) for each in found["last_differences"]]
    assert seen == [
        ("DataTransfer", "error", "CALLRESULT", "NotSupported"),
        ("Authorize", "missing", "CALLRESULT", "(no answer)"),
        ("Authorize", "verdict", "Accepted", "Blocked"),
        ("BootNotification", "interval", "300 s", "60 s"),
    ]
    assert TAG not in json.dumps(found)
    decisions = found["classes"]["decision"]
    assert decisions["agreed_percent"] == round(100 * (decisions["counted"] - 2.5) / decisions["counted"], 1)
    assert 0 < found["score"] < 99 and not found["ready"]
    assert charger.recorder.connections == 1 and not charger.recorder.calls("RemoteStopTransaction")

    await gateway.kill()
    await gateway.start()
    again = await record(gateway)
    assert again["compared"] >= 33 and again["last_differences"] == found["last_differences"]
    await _ask_another_process(gateway, start_gateway, upstreams)


async def _ask_another_process(gateway: Gateway, start_gateway: StartGateway, upstreams: dict[str, Any]) -> None:
    """An edge knows nothing of answers, and the store everything."""
    socket = Embedded(Path(gateway.config["redis"]["data_dir"]), "everysec").socket
    edge = await start_gateway(
        upstreams, routes=ROUTES, redis={"url": f"unix://{socket}"}, arguments=("--role", "edge")
    )
    try:
        found = json.loads(await command(edge, "--output", "json"))
        assert found["upstreams"]["new"]["chargers"] == 1 and found["left_out"] == 0
        assert found["upstreams"]["new"]["ready"] == 0
        [line] = found["chargers"]
        assert (line["charger"], line["upstream"]) == ("CP1", "new") and line["differences"]["verdict"] == 1
        table = await command(edge)
        assert "SHADOW" in table and "verdict 1, interval 1, error 1, missing 1" in table
        one = await command(edge, "CP1")
        assert "Blocked" in one and "decision" in one
        assert json.loads(await command(edge, "CP1", "-o", "json"))["upstreams"]["new"]["score"] == line["score"]
    finally:
        await edge.stop()


async def test_without_enough_data_there_is_no_score(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    old, new = await start_csms("ocpp1.6"), await start_csms("ocpp1.6", first_transaction_id=900)
    upstreams = {
        "old": {"url": old.url, "version": old.version},
        "new": {"url": new.url, "version": new.version, "shadow": True},
    }
    gateway = await start_gateway(upstreams, routes=ROUTES)
    _, nothing = await ask(gateway, "GET", "/api/v1/shadow")
    assert nothing["upstreams"]["new"]["chargers"] == 0 and nothing["chargers"] == []
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()

    async def stored() -> bool:
        return bool(await record(gateway))

    await until("record", stored)
    assert (await record(gateway))["score"] is None
    assert "not enough data" in await command(gateway)
    assert (await ask(gateway, "GET", "/api/v1/shadow?limit=x"))[0] == 400

    for _ in range(3):
        transaction = await charger.start(1, TAG)
        await charger.stop(transaction, tag=TAG)
    for _ in range(20):
        await charger.heartbeat()

    async def ready() -> bool:
        await charger.heartbeat()
        return (await record(gateway))["ready"] is True

    await until("score", ready)
    assert (await record(gateway))["score"] == 100, "other numbers of transactions are no difference"


@pytest.mark.slow
async def test_who_was_switched_is_compared_no_more_and_goes_on_after_a_switch_back(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    """The shadow is made one while the charger is connected."""
    old, new = await start_csms("ocpp1.6"), await start_csms("ocpp1.6", first_transaction_id=900)
    upstreams = {name: {"url": csms.url, "version": csms.version} for name, csms in (("old", old), ("new", new))}
    gateway = await start_gateway(upstreams, routes=ROUTES)
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    assert await record(gateway) == {}
    gateway.config["upstreams"]["new"]["shadow"] = True
    write(gateway)

    async def beats(count: int) -> bool:
        await charger.heartbeat()
        return bool((await record(gateway)).get("compared", 0) >= count)

    await until("record", lambda: beats(1))
    assert (await routes(gateway, "switch", "--match", "CP1", "--primary", "new"))[0] == 0

    async def switched() -> bool:
        return await charger.start(1, TAG) >= 900

    await until("answers of the new one", switched)
    before = await metric(gateway, AGREED)
    for _ in range(30):
        await charger.heartbeat()
    await asyncio.sleep(0.2)
    assert await metric(gateway, AGREED) == before
    counted = (await record(gateway))["compared"]
    assert (await routes(gateway, "switch", "--reset"))[0] == 0
    await until("goes on", lambda: beats(counted + 20))


@pytest.mark.slow
async def test_starts_are_compared_in_the_words_of_the_charger(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    """Each charger has a primary of its version, and a shadow of the other, which accepts nobody."""
    one, two = await start_csms("ocpp1.6"), await start_csms("ocpp2.0.1")
    shadow_one, shadow_two = await start_csms("ocpp1.6"), await start_csms("ocpp2.0.1")
    shadow_one.verdict = lambda _action, _token: "ConcurrentTx"
    shadow_two.verdict = lambda _action, _token: "NoCredit"
    shadows = {
        name: {"url": csms.url, "version": csms.version, "shadow": True}
        for name, csms in (("shadow16", shadow_one), ("shadow201", shadow_two))
    }
    gateway = await start_gateway(
        {"main16": one, "main201": two, **shadows},
        routes=[
            {"match": "OLD*", "primary": "main16", "mirrors": ["shadow201"]},
            {"match": "*", "primary": "main201", "mirrors": ["shadow16"]},
        ],
    )
    old = await plug_in(Charger16, gateway.url, "OLD1")
    await old.boot()
    await old.start(1, TAG)
    fresh = await plug_in(Charger201, gateway.url, "CP1")
    await fresh.boot()
    await fresh.started(1, {"idToken": TAG, "type": "ISO14443"})

    async def found(charger: Any, shadow: str) -> tuple[str, str, str]:
        await charger.heartbeat()
        _, known = await ask(gateway, "GET", f"/api/v1/shadow/{charger.identity}")
        last = known.get("upstreams", {}).get(shadow, {}).get("last_differences", [])
        return next(((x["action"], x["answer"], x["shadow"]) for x in last if x["kind"] == "verdict"), ("", "", ""))

    async def both() -> bool:
        started = ("StartTransaction", "Accepted", "Blocked")
        event = ("TransactionEvent", "Accepted", "ConcurrentTx")
        return await found(old, "shadow201") == started and await found(fresh, "shadow16") == event

    await until("verdicts", both)
    for name in ("shadow16", "shadow201"):
        status, fleet = await ask(gateway, "GET", f"/api/v1/shadow?upstream={name}")
        assert status == 200 and list(fleet["upstreams"]) == [name] and len(fleet["chargers"]) == 1
