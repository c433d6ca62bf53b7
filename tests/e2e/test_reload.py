"""The configuration of a running gateway changes: at once and as a whole, or not at all; no charger is dropped."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest
import yaml
from ocpp.exceptions import OCPPError
from ocpp.v16 import call as call16

from .charger import Charger16
from .conftest import Connect, StartCsms, StartGateway
from .csms import Csms
from .operator import ask, metric, primary_of, until, write
from .process import COMMAND, Gateway
from .wire import Recorder

TAG = "04A1B2C3"


def settings(csms: Csms, **more: Any) -> dict[str, Any]:
    return {"url": csms.url, "version": csms.version, "reconnect_max": 1, **more}


def heard(csms: Csms) -> Recorder:
    return csms.station("CP1").recorder


async def reload(gateway: Gateway) -> tuple[int, Any]:
    return await ask(gateway, "POST", "/api/v1/config/reload")


async def reloaded(gateway: Gateway) -> bool:
    status, found = await reload(gateway)
    return (status, found["reloaded"], found["errors"], found["silent"]) == (200, True, [], [])


async def successful(gateway: Gateway) -> float:
    return await metric(gateway, "ocppgw_config_last_reload_successful")


async def test_an_upstream_is_added_and_removed(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    """By the file alone; the new one hears of the transaction that runs, and is told the rest of it."""
    main, copy = await start_csms("ocpp1.6"), await start_csms("ocpp2.0.1")
    gateway = await start_gateway({"main": main})
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    await charger.status(1, "Preparing")
    transaction = await charger.start(1, TAG)
    gateway.config["upstreams"]["copy"] = settings(copy)
    gateway.config["routes"] = [{"primary": "main", "mirrors": ["copy"]}]
    write(gateway)
    await heard(copy).until("Started", lambda: bool(heard(copy).calls("TransactionEvent")))
    assert [x.action for x in heard(copy).calls()][:2] == ["BootNotification", "StatusNotification"]
    charger.meter += 300
    await charger.stop(transaction, tag=TAG)

    def ended() -> bool:
        return [x.payload["eventType"] for x in heard(copy).calls("TransactionEvent")][-1] == "Ended"

    await heard(copy).until("Ended", ended)
    assert "ocppgw_stream_acked_total" in (await ask(gateway, "GET", "/metrics"))[1]
    assert await metric(gateway, 'ocppgw_stream_acked_total{upstream="copy"}') > 0

    del gateway.config["upstreams"]["copy"]
    gateway.config["routes"] = [{"primary": "main"}]
    write(gateway)
    await until("the copy's socket closes", lambda: copy.station("CP1").peer is None)
    said = len(heard(copy).calls())
    await charger.start(1, TAG)
    assert len(heard(copy).calls()) == said
    assert charger.recorder.connections == 1


async def test_a_bad_file_keeps_the_old_configuration(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    main, other = await start_csms("ocpp1.6"), await start_csms("ocpp1.6", first_transaction_id=1001)
    gateway = await start_gateway({"main": main, "other": settings(other)})
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    assert await successful(gateway) == 1
    for bad in ("routes: [", "upstreams: {main: {url: 'http://x', version: ocpp9}}\nfoo: 1\n", "", "\x00\xff: [}"):
        write(gateway, bad)
        status, found = await reload(gateway)
        assert (status, found["reloaded"], bool(found["errors"])) == (422, False, True)
        assert await successful(gateway) == 0
        assert await charger.authorize(TAG) == "Accepted"
    gateway.config["routes"] = [{"primary": "other", "authority": {"Authorise": "main", "StopTransaction": "main"}}]
    write(gateway)
    status, found = await reload(gateway)
    assert [error.split(": ", 1)[1] for error in found["errors"]] == [
        "routes[0].authority.Authorise: no charger sends Authorise (did you mean Authorize?)",
        "routes[0].authority.StopTransaction: main is neither primary nor mirror of this route: it would never be asked",
        "routes[0].authority.StopTransaction: main would answer for a transaction that other began: "
        "give StartTransaction and StopTransaction to the same upstream",
    ]
    gateway.config["routes"] = [{"primary": "other"}]
    gateway.config["listen"]["port"] += 1
    gateway.config["admin"]["host"] = "127.0.0.2"
    write(gateway)
    status, found = await reload(gateway)
    fixed = "cannot change while the gateway runs ({}); restart it, or undo the change"
    assert (status, found["errors"]) == (
        422,
        [
            "listen.port: " + fixed.format("its sockets are open"),
            "admin.host: " + fixed.format("its socket is open"),
        ],
    )
    assert await primary_of(gateway, "CP1") == "main"
    gateway.config["listen"]["port"] -= 1
    gateway.config["admin"]["host"] = "127.0.0.1"
    write(gateway)
    assert await reloaded(gateway)
    assert (await successful(gateway), await primary_of(gateway, "CP1")) == (1, "other")
    assert await charger.start(1, TAG) == 1001
    assert charger.recorder.connections == 1


async def ignore(_message: str) -> None:
    """A charger that answers nothing any more."""


async def test_settings_count_for_connected_chargers(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    """Times, limits and log change without a restart; what a listener cannot change is in the same file."""
    main = await start_csms("ocpp1.6")
    gateway = await start_gateway({"main": main}, charger={"call_timeout": 60})
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    gateway.config["charger"] = {"call_timeout": 0.5, "reset_deaf": True, "answer_timeout": 1}
    gateway.config["listen"] |= {"max_connections": 1, "accept_rate": 7}
    gateway.config["log"] = {"level": "error"}
    write(gateway)
    assert await reloaded(gateway)
    assert await metric(gateway, "ocppgw_connections_limit") == 1
    with pytest.raises(TimeoutError):
        await Charger16(gateway.url, "CP2").connect(patience=0.5)
    assert (await ask(gateway, "GET", "/readyz"))[0] == 200
    looked = (await ask(gateway, "GET", "/readyz?verbose"))[1]["checks"]
    assert looked == dict.fromkeys(("serving", "store", "registry", "listener", "partitions"), "ok")
    status, found = await ask(gateway, "GET", "/readyz?room")
    assert status == 503 and found["reasons"] == ["as many chargers are connected as may be"]
    lines = len(gateway.log.read_text().splitlines())
    charger.peer.route_message = ignore
    for _ in range(3):
        with pytest.raises(OCPPError):
            await main.station("CP1").call(call16.ClearCache(), patience=20)
    await charger.lost()
    assert charger.close_code == 1006, "reset, after three CALLs of half a second"
    assert (await ask(gateway, "GET", "/readyz?room"))[0] == 200
    charger.recorder.faults.clear()  # to be asked again before an answer is what was wanted
    assert len(gateway.log.read_text().splitlines()) == lines


async def test_a_hangup_reads_the_file(start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect) -> None:
    """Also what is not there any more is told, and a swapped symbolic link (a ConfigMap) is seen."""
    main, other = await start_csms("ocpp1.6"), await start_csms("ocpp1.6", first_transaction_id=1001)
    gateway = await start_gateway({"main": main, "other": settings(other)})
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    gateway.config["routes"] = [{"match": "CP*", "primary": "other"}, {"primary": "main"}]
    write(gateway)
    assert gateway.process is not None
    os.kill(gateway.process.pid, signal.SIGHUP)

    async def moved() -> bool:
        return await primary_of(gateway, "CP1") == "other"

    await until("the route", moved)
    other.verdict = lambda _action, _token: "Blocked"

    async def answered() -> bool:
        return await charger.authorize(TAG) == "Blocked"

    await until("the other answers", answered)
    gateway.file.rename(gateway.directory / "..first.yaml")
    gateway.file.symlink_to("..first.yaml")
    text = (gateway.directory / "..first.yaml").read_text().replace("primary: other", "primary: main")
    (gateway.directory / "..second.yaml").write_text(text)
    link = gateway.directory / "..link"
    link.symlink_to("..second.yaml")
    link.replace(gateway.file)

    async def back() -> bool:
        return await primary_of(gateway, "CP1") == "main"

    await until("the swapped link", back)
    assert charger.recorder.connections == 1


async def test_an_upstream_moves(start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect) -> None:
    """Another address, and another OCPP version at the same name: what was left to tell is told there."""
    first, second = await start_csms("ocpp1.6"), await start_csms("ocpp1.6", first_transaction_id=77)
    third = await start_csms("ocpp2.0.1")
    gateway = await start_gateway({"main": first}, routes=[{"primary": "main", "primary_down": "buffer"}])
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    transaction = await charger.start(1, TAG)
    await first.stop()
    charger.meter += 100
    await charger.meter_values(1, transaction)
    gateway.config["upstreams"]["main"] = settings(second)
    write(gateway)
    await heard(second).until("MeterValues", lambda: bool(heard(second).calls("MeterValues")))
    assert [x.payload["transactionId"] for x in heard(second).calls("MeterValues")] == [transaction]
    gateway.config["upstreams"]["main"] = settings(third)
    write(gateway)
    await heard(third).until("connection", lambda: third.station("CP1").peer is not None)
    charger.meter += 100
    await charger.stop(transaction, tag=TAG)
    kinds = [x.payload["eventType"] for x in heard(third).calls("TransactionEvent")]
    assert (kinds[0], kinds[-1]) == ("Started", "Ended")
    assert charger.recorder.connections == 1


async def test_a_charger_without_a_route_is_let_go(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    main = await start_csms("ocpp1.6")
    gateway = await start_gateway({"main": main})
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    gateway.config["routes"] = [{"match": "DE-*", "primary": "main"}]
    write(gateway)
    await charger.lost()
    assert charger.close_code == 1008
    assert (await ask(gateway, "GET", "/api/v1/routes/CP1"))[0] == 404


async def test_what_is_in_force_is_shown_and_compared(start_csms: StartCsms, start_gateway: StartGateway) -> None:
    """Secrets are hidden; tokens change without a restart."""
    gateway = await start_gateway({"main": settings(await start_csms("ocpp1.6"), password="geheim")})
    status, found = await ask(gateway, "GET", "/api/v1/config")
    assert status == 200 and found["config"]["upstreams.main.password"] == "'***(<=8)'"
    assert "geheim" not in str(found)
    assert await diff(gateway) == (0, [])
    gateway.config["upstreams"]["main"]["linger"] = 5
    gateway.config["listen"]["backlog"] = 77
    gateway.file.write_text(yaml.safe_dump(gateway.config))
    assert await diff(gateway) == (
        1,
        [
            "- upstreams.main.linger: 30s",
            "+ upstreams.main.linger: 5s",
            "- listen.backlog: 4096",
            "+ listen.backlog: 77  # needs a restart: its sockets are open",
        ],
    )


@pytest.mark.parametrize("ends", ["kill", "stop", ""])
async def test_what_is_left_for_an_upstream_that_leaves_a_route_outlives_the_process(
    ends: str, start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    """The same process tells it when the upstream is back; the next one, which has no route to it, keeps it as dead letters."""
    main, copy = await start_csms("ocpp1.6"), await start_csms("ocpp1.6")
    upstreams = {"main": main, "copy": settings(copy)}
    gateway = await start_gateway(upstreams, routes=[{"primary": "main", "mirrors": ["copy"]}])
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    await heard(copy).until("the boot", lambda: bool(heard(copy).calls("BootNotification")))
    await copy.stop()

    async def away() -> bool:
        return await metric(gateway, 'ocppgw_upstream_sessions{upstream="copy",state="connected"}') == 0

    await until("the hang-up", away)
    transaction = await charger.start(1, "04A1B2C3")
    charger.meter += 100
    await charger.meter_values(1, transaction)
    await charger.stop(transaction)
    gateway.config["routes"] = [{"primary": "main"}]
    write(gateway)
    assert await reloaded(gateway)
    billing = ["StartTransaction", "MeterValues", "StopTransaction"]
    if ends:
        await (gateway.kill() if ends == "kill" else gateway.stop())
        await gateway.start()

        async def kept() -> bool:
            letters = (await ask(gateway, "GET", "/api/v1/dead-letters/copy"))[1]["dead_letters"]
            return [each["action"] for each in letters] == billing

        await until("dead letters", kept)
        return
    await copy.start()
    await heard(copy).until(
        "the rest", lambda: [x.action for x in heard(copy).calls() if x.action in billing] == billing
    )


async def diff(gateway: Gateway) -> tuple[int | None, list[str]]:
    """`ocpp-gateway config diff` of the file and what runs; before the gateway has seen the file."""
    server = f"http://127.0.0.1:{gateway.admin_port}"
    command = [COMMAND, "config", "diff", gateway.file, "--server", server]
    done = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await done.communicate()
    return done.returncode, out.decode().splitlines()
