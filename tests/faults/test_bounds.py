"""Time, bytes, memory, logs, configuration, secrets: what stays as it is, and within bounds."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import re
import signal
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from websockets.exceptions import ConnectionClosed

from gateway import passwords
from gateway.config import RedisConfig
from gateway.journal import Journal
from gateway.registry import Charger as RegisteredCharger
from tests.e2e.operator import metric

from .deaf import unread
from .fleet import Fleet
from .nodes import total
from .swarm import Charger

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

METER = '{"connectorId":1,"meterValue":[{"timestamp":"%s","sampledValue":[{"value":"%s","measurand":"Voltage","unit":"V"}]}]}'


async def test_i20_a_connection_is_small_and_one_that_never_reads_ends(fleet: Fleet) -> None:
    """300 idle chargers; then one that sends pings and CALLs for ever and never reads what comes back."""
    await fleet.backend("main", "ocpp1.6")
    fleet.config = {"limits": {"frame_rate": 0, "byte_rate": 0}}  # else it is not even heard before it is ended
    node = await fleet.single()
    warm = [fleet.charger(f"W{number}") for number in range(50)]
    await asyncio.gather(*(each.connect() for each in warm))
    before = node.resources()[0]
    idle = [fleet.charger(f"I{number}") for number in range(300)]
    for start in range(0, 300, 50):
        await asyncio.gather(*(each.connect() for each in idle[start : start + 50]))
    await asyncio.gather(*(each.status("Available") for each in idle))
    assert (node.resources()[0] - before) / len(idle) < 512 * 1024

    before = peak = node.resources()[0]
    deaf = await unread(node, "DEAF")
    frame = json.dumps([2, "x" * 120, "NoSuchAction", {}])

    async def talk() -> None:
        with contextlib.suppress(OSError, ConnectionClosed):
            while True:
                await deaf.send(frame)

    talking = asyncio.create_task(talk())
    try:
        async with asyncio.timeout(60):
            while not total(await node.metrics(), "ocppgw_disconnects_total", reason="slow_consumer"):
                peak = max(peak, node.resources()[0])
                await asyncio.sleep(0.05)
    finally:
        talking.cancel()
        deaf.transport.abort()
    assert peak - before < 16 << 20
    assert await warm[0].call(None, "Heartbeat", {})


async def test_i23_the_time_that_the_gateway_tells_is_utc_and_only_goes_on(fleet: Fleet) -> None:
    """Its own answers, while the primary is away."""
    main = await fleet.backend("main", "ocpp2.0.1", settings={"connect_timeout": 1})
    await fleet.single()
    charger = await fleet.booted("CP1")
    await main.stop()
    told = []
    for _ in range(20):
        answer = await charger.call(None, "Heartbeat", {})
        assert answer is not None
        text = answer[2]["currentTime"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", text)
        told.append(datetime.fromisoformat(text.replace("Z", "+00:00")))
        assert abs((datetime.now(UTC) - told[-1]).total_seconds()) < 1
        await asyncio.sleep(0.05)
    assert told == sorted(told)
    boot = await charger.call(
        None, "BootNotification", {"chargePointVendor": "ACME", "chargePointModel": "Swarm", "firmwareVersion": "1"}
    )
    assert boot is not None
    assert abs((datetime.now(UTC) - _moment(boot[2]["currentTime"])).total_seconds()) < 1


SKEWED = """
import time
real = time.time_ns
time.time_ns = lambda: real() + {seconds} * 10**9
time.time = lambda: time.time_ns() / 1e9
"""
"""What Python runs at the start of a process whose clock is to be wrong."""


@pytest.mark.parametrize(("wrong", "seconds"), [("hub", 3600), ("edge", -3600)])
async def test_i23_a_process_with_a_wrong_clock_says_so_and_goes_by_the_clock_of_the_store(
    fleet: Fleet, wrong: str, seconds: int, tmp_path: Path
) -> None:
    """Its chargers are answered in time, and told the right one."""
    main = await fleet.backend("main", "ocpp1.6", settings={"connect_timeout": 1})
    (tmp_path / "skewed").mkdir()
    (tmp_path / "skewed" / "sitecustomize.py").write_text(SKEWED.format(seconds=seconds))
    await fleet.store.start()
    for role in ("edge", "hub"):
        node = await fleet.prepare(role)
        if role == wrong:
            path = os.pathsep.join([str(tmp_path / "skewed"), os.environ.get("PYTHONPATH", "")])
            node.environment["PYTHONPATH"] = path.rstrip(os.pathsep)
        await node.run()
    await fleet.balanced(1)
    charger = await fleet.booted("CP1", patience=5)
    await charger.charge(3)
    for node in fleet.nodes:
        skew = total(await node.metrics(), "ocppgw_clock_skew_seconds")
        assert abs(skew - (seconds if node.role == wrong else 0)) < 1
        assert ('"clock_suspect"' in node.log.read_text()) is (node.role == wrong)
    await main.stop()
    for action in ("Heartbeat", "BootNotification"):
        about = {"chargePointVendor": "ACME", "chargePointModel": "Swarm"} if action != "Heartbeat" else {}
        answer = await charger.call(None, action, about)
        assert answer is not None
        assert abs((datetime.now(UTC) - _moment(answer[2]["currentTime"])).total_seconds()) < 1
    await main.start()
    await fleet.right(5)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


async def _through(fleet: Fleet, payloads: list[str]) -> list[str]:
    """The MeterValues payloads that a 1.6 CSMS reads when a 1.6 charger sends these, as texts."""
    main = await fleet.backend("main", "ocpp1.6")
    main.texts = []
    await fleet.single()
    charger = await fleet.booted("CP1")
    assert charger.socket is not None
    for number, payload in enumerate(payloads):
        await charger.socket.send(f'[2,"x{number}","MeterValues",{payload}]')
        async with asyncio.timeout(10):
            while f"x{number}" not in charger.strays:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
    charger.strays.clear()
    return [text.split(",", 3)[3][:-1] for text in main.texts if '"MeterValues"' in text]


async def test_i24_timestamps_of_a_charger_pass_unchanged(fleet: Fleet) -> None:
    """Whatever its clock says, however it spells it."""
    stamps = [
        "2026-01-02T03:04:05Z",
        "2026-01-02T03:04:05.1Z",
        "2026-01-02T03:04:05.1234567Z",
        "2026-01-02T03:04:05+03:00",
        "2026-01-02T03:04:05-11:30",
        "1970-01-01T00:00:00Z",
        "2106-02-07T06:28:15Z",
        "2026-01-02T03:04:05",
        "2026-01-02T03:04:05+03",
        "222222017-01-02T03:04:05Z",
    ]
    payloads = [METER % (stamp, "230") for stamp in stamps]
    assert await _through(fleet, payloads) == payloads


async def test_i25_payloads_and_the_digits_of_numbers_pass_unchanged(fleet: Fleet) -> None:
    dice = random.Random(25)
    numbers = ["1.10", "1e2", "0.1234567", "-0", "1E-7", "100000000000000000000", "0.10000000000000000001"]
    numbers += [f"{dice.uniform(-1e6, 1e6):.{dice.randrange(0, 12)}f}" for _ in range(20)]
    payloads = []
    for number in numbers:
        space = dice.choice(["", " ", "\t", "  "])
        extra = f'{space}"vendorExtra"{space}:{space}{{"n":{number},"t":"\\u00e9\\/ü"}}{space},'
        payloads.append("{" + extra + (METER % ("2026-01-02T03:04:05Z", number))[1:])
    assert await _through(fleet, payloads) == payloads


async def test_i29_a_log_that_nobody_reads_stops_no_traffic(fleet: Fleet) -> None:
    """Its output is a pipe that is full. And nobody reads the metrics."""
    await fleet.backend("main", "ocpp1.6")
    fleet.config = {"log": {"level": "debug"}}
    await fleet.store.start()
    node = await fleet.prepare("both")
    node.unread = True
    await node.run()
    for _ in range(4):
        herd = [fleet.charger(f"H{number}", pace=0) for number in range(120)]
        await asyncio.gather(*(each.connect() for each in herd))
        await asyncio.gather(*(each.close() for each in herd))
        fleet.chargers.clear()
    charger = fleet.charger("CP1", patience=5)
    await asyncio.wait_for(charger.connect(), 10)
    await asyncio.wait_for(charger.charge(3), 10)
    assert await node.ready() == 200


async def test_i30_a_reload_is_whole_or_nothing(fleet: Fleet) -> None:
    """Garbage, a contradiction and half a file under load: the old configuration stays. Then a good one."""
    await fleet.backend("main", "ocpp2.0.1")
    await fleet.backend("copy", "ocpp1.6")
    fleet.route["mirrors"] = []
    node = await fleet.single()
    good = node.file.read_text()
    bad = ["{", "upstreams: 7", good.replace("primary: main", "primary: nobody"), good[: len(good) // 2], "", "\x00"]
    async with fleet.load(10) as chargers:
        for text in bad:
            node.file.write_text(text)
            node.signal(signal.SIGHUP)
            async with asyncio.timeout(10):
                while await metric(node, "ocppgw_config_last_reload_successful") != 0:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            assert await node.ready() == 200
            node.file.write_text(good)
            async with asyncio.timeout(10):
                while await metric(node, "ocppgw_config_last_reload_successful") != 1:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        settings = yaml.safe_load(good)
        settings["routes"][0]["mirrors"] = ["copy"]
        node.file.write_text(yaml.safe_dump(settings))
        async with asyncio.timeout(20):
            while not fleet.backends["copy"].heard("meter"):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert all(each.connection == 1 for each in chargers), "nobody was dropped"
    fleet.history.upstreams = ("main",)  # the copy began in the middle
    await fleet.right()


async def test_i32_no_secret_in_logs_and_metrics(fleet: Fleet) -> None:
    """Tokens, passwords and certificates that pass are in neither, at the most talkative level."""
    await fleet.backend("main", "ocpp2.0.1", settings={"username": "user", "password": "CANARY-upstream"})
    fleet.config = {"log": {"level": "debug"}}
    node = await fleet.single()
    charger = await fleet.booted("CP1")
    await charger.call(None, "Authorize", {"idTag": "CANARY-tag"})
    await charger.call(
        None,
        "StartTransaction",
        {"connectorId": 1, "idTag": "CANARY-start", "meterStart": 1, "timestamp": charger.clock()},
    )
    await charger.call(None, "DataTransfer", {"vendorId": "ACME", "data": "CANARY-data"})
    await charger.call(None, "SignCertificate", {"csr": "CANARY-csr"})
    assert charger.socket is not None
    for garbage in (
        '[2,"1","Authorize",{"idTag":"CANARY-broken"',
        '[2,"2","Authorize",["CANARY-list"]]',
        "CANARY-text",
    ):
        await charger.socket.send(garbage)
    backend = fleet.backends["main"]
    for action, payload in (
        ("SetVariables", {"setVariableData": [_password("CANARY-password")]}),
        ("InstallCertificate", {"certificateType": "CSMSRootCertificate", "certificate": "CANARY-certificate"}),
        (
            "SendLocalList",
            {"versionNumber": 1, "updateType": "Full", "localAuthorizationList": [_token("CANARY-list2")]},
        ),
    ):
        order = await backend.order("CP1", action, payload, action)
        async with asyncio.timeout(20):
            while not order.outcomes:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    await asyncio.sleep(0.5)
    charger.strays.clear()
    assert "CP1" in node.log.read_text(), "it does log"
    for text in (node.log.read_text(), await node.get("/metrics")):
        assert "CANARY" not in text, [line for line in text.splitlines() if "CANARY" in line]


def _password(value: str) -> dict[str, Any]:
    return {
        "attributeValue": value,
        "component": {"name": "SecurityCtrlr"},
        "variable": {"name": "BasicAuthPassword"},
    }


def _token(value: str) -> dict[str, Any]:
    token = {"idToken": value, "type": "ISO14443"}
    return {"idToken": token, "idTokenInfo": {"status": "Accepted"}}


async def test_i37_nothing_leaks_when_chargers_come_and_go(fleet: Fleet) -> None:
    """1,000 connections, and the CSMS's sockets with them; the long run is `make soak`."""
    await fleet.backend("main", "ocpp1.6", settings={"linger": 0.2})
    node = await fleet.single()
    chargers = [fleet.charger(f"CP{number}") for number in range(50)]

    async def rounds(count: int) -> tuple[int, int]:
        for _ in range(count):
            await asyncio.gather(*(each.connect() for each in chargers))
            await asyncio.gather(*(each.status("Available") for each in chargers))
            for number, each in enumerate(chargers):
                if number % 2:
                    each.abort()
            await asyncio.gather(*(each.close() for each in chargers))
        deadline = time.monotonic() + 15
        while fleet.backends["main"].sockets and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        await asyncio.sleep(0.5)
        return node.resources()

    warm = await rounds(8)
    after = await rounds(12)
    assert after[1] <= warm[1] + 3, "descriptors"
    assert after[0] <= warm[0] + (4 << 20), "memory"


OLD, NEW, REFUSED, SILENT = (each * 20 for each in ("a0", "a1", "a2", "a3"))
"""Keys as a CSMS configures them."""


async def knocks(fleet: Fleet, password: str) -> list[int]:
    """What CP1 gets with this password on each edge; it is not there longer than that."""
    found = []
    for url in fleet.urls:
        charger = fleet.charger("CP1", [url], password=password)
        charger.connection = 1000 * len(fleet.chargers)
        found.append(await charger.dial())
        await charger.close()
    return found


async def only(fleet: Fleet, password: str, *wrong: str) -> None:
    """This password alone is right, everywhere and within five seconds."""
    async with asyncio.timeout(5):
        while await knocks(fleet, wrong[0]) != [401, 401]:  # noqa: ASYNC110
            await asyncio.sleep(1)
    for each in wrong[1:]:
        assert await knocks(fleet, each) == [401, 401]
    assert await knocks(fleet, password) == [101, 101]


@pytest.mark.parametrize("source", ["redis", "file"])
async def test_i31_an_old_password_fails_everywhere_once_a_new_one_was_accepted(
    fleet: Fleet, source: str, tmp_path: Path
) -> None:
    """Accepted, refused, and never answered because the hub dies: then either is right until the charger uses the new one."""
    main = await fleet.backend("main", "ocpp1.6")
    await fleet.store.start()
    if source == "file":
        (tmp_path / "chargers.csv").write_text(f"id,password\nCP1,{OLD}\n")
        fleet.config = {"registry": {"source": "file", "file": str(tmp_path / "chargers.csv")}}
    else:
        fleet.config = {"registry": {"source": "redis"}}
        store = RedisConfig(url=f"redis://127.0.0.1:{fleet.store.port}", partitions=fleet.partitions)
        journal = Journal(store, now_ms=lambda: time.time_ns() // 1_000_000)
        await journal.start()
        await journal.register({"CP1": RegisteredCharger("CP1", passwords.digest(OLD.encode()))})
        await journal.stop()
    for role in ("edge", "edge", "hub"):
        node = await fleet.prepare(role)
        node.config["listen"] = {"host": "127.0.0.1", "port": node.port, "security_profile": 1}
        await node.run()
    await fleet.balanced(1)

    async def change(password: str, answer: str) -> Charger:
        """The CSMS gives the charger this password, which it takes, refuses or ignores."""
        charger = await fleet.booted("CP1", password=current)
        charger.connection = 1000 * len(fleet.chargers)
        charger.command = lambda action, payload: {"status": answer} if answer else None
        order = await main.order("CP1", "ChangeConfiguration", {"key": "AuthorizationKey", "value": password}, "")
        async with asyncio.timeout(10):
            while not (order.outcomes if answer else charger.open_commands or charger.most_open):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        return charger

    current = OLD
    await (await change(NEW, "Accepted")).close()
    await only(fleet, NEW, OLD)
    current = NEW
    await (await change(REFUSED, "Rejected")).close()
    await only(fleet, NEW, REFUSED)
    charger = await change(SILENT, "")
    with fleet.fault("kill hub", "hub"):
        await fleet.hubs[0].kill()
        await charger.close()
        await fleet.hubs[0].run()
    assert await knocks(fleet, NEW) == [101, 101], "it may have kept its password"
    assert (await knocks(fleet, SILENT))[0] == 101, "or taken the new one"
    await only(fleet, SILENT, NEW, OLD, REFUSED)
    logs = "".join(node.log.read_text() for node in fleet.nodes)
    assert not [each for each in (OLD, NEW, REFUSED, SILENT) if each in logs]
