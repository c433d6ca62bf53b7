"""Limits against floods and hogs, as chargers meet them at a real edge (reliability 2.7); the arithmetic by itself."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from gateway.config import Limits, Listen, Proxy, Tls
from gateway.edge.listener import Edge
from gateway.edge.lockout import Lockout
from gateway.edge.overload import CLOSE, REFUSE, SHED, Usage, level
from gateway.edge.pace import Pace
from gateway.edge.sources import Conflicts, Sources, one
from tests.gateway.edge.authority import Authority
from tests.gateway.edge.conftest import EchoHub, World, closed, dial, eventually, hear, say
from tests.gateway.edge.knock import knock, trusting

FLOOD = 400


def fill(used: list[int]) -> Callable[[Limits], tuple[int, int]]:
    return lambda _: (used[0], 100)


# One address.


async def test_an_address_that_knocks_too_often_gets_429(world: World, hub: EchoHub) -> None:
    limits = Limits(source_rate=1, source_burst=3, source_exempt=())
    edge = await world.edge(hub.journal, limits=limits)
    found = [await knock(edge, f"/CP{n}") for n in range(5)]
    assert [status for status, _ in found] == [101, 101, 101, 429, 429]
    assert 30 <= int(found[-1][1]["retry-after"]) <= 120
    assert edge.counters.limits == {"source_rate": 2} and edge.counters.attempts["", "rate_limited"] == 2


async def test_private_addresses_and_our_proxies_are_exempt(world: World, hub: EchoHub) -> None:
    edge = await world.edge(hub.journal, limits=Limits(source_rate=1, source_burst=1))
    assert [(await knock(edge, "/CP1"))[0] for _ in range(3)] == [101] * 3
    listen = Listen(port=0, proxy=Proxy(addresses=("127.0.0.1",), forwarded_for=True))
    strict = Limits(source_rate=1, source_burst=1, source_exempt=())
    behind = await world.edge(hub.journal, listen, limits=strict)
    header = "X-Forwarded-For: {}\r\n"
    statuses = [(await knock(behind, "/CP1", header.format(each)))[0] for each in ("10.0.0.1", "10.0.0.1", "10.0.0.2")]
    assert statuses == [101, 429, 101], "the clients count, not the proxy"


async def test_with_tls_the_socket_is_closed_before_anything_is_computed(
    world: World, hub: EchoHub, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    ec = authority.issue("gateway")
    listen = Listen(port=0, tls=Tls(cert=ec.cert, key=ec.key))
    edge = await world.edge(hub.journal, listen, limits=Limits(source_rate=1, source_burst=1, source_exempt=()))
    assert (await knock(edge, "/CP1", tls=trusting(authority.file)))[0] == 101
    assert (await knock(edge, "/CP1", tls=trusting(authority.file)))[0] == 0
    assert edge.counters.limits == {"source_rate": 1} and edge.counters.attempts["", "rate_limited"] == 1


def test_addresses_that_are_one() -> None:
    assert one("192.0.2.1") == one("::ffff:192.0.2.1") != one("192.0.2.2")
    assert one("2001:db8::1") == one("2001:db8::ffff") != one("2001:db8:0:1::1")
    assert one("?") == "?"


def test_each_address_has_its_own_rate() -> None:
    sources, limits = Sources(), Limits(source_rate=2, source_burst=2)
    assert [sources.take("192.0.2.1", limits, 0.0) for _ in range(3)] == [True, True, False]
    assert sources.take("192.0.2.2", limits, 0.0)
    assert sources.take("192.0.2.1", limits, 0.5)
    assert all(sources.take("10.1.1.1", limits, 0.0) for _ in range(9)), "private"
    assert all(sources.take("192.0.2.1", Limits(source_rate=0), 0.0) for _ in range(9))


# Who takes whose place.


async def test_a_stranger_does_not_take_the_place_of_a_charger_that_is_there(edge: Edge) -> None:
    async with dial(edge) as first:
        with pytest.raises(InvalidStatus) as refused:
            await dial(edge)
        assert refused.value.response.status_code == 409
        await say(first, 2, "1", "Heartbeat", {})
        assert (await hear(first))[1] == "1"


async def test_a_dead_connection_gives_way(edge: Edge) -> None:
    edge.limits = Limits(probe=0.2)
    first = await dial(edge)
    first.transport.pause_reading()  # it answers no ping
    async with dial(edge) as second:
        await say(second, 2, "1", "Heartbeat", {})
        assert (await hear(second))[1] == "1"
    first.transport.resume_reading()
    assert await closed(first) == (1008, "superseded")


async def test_a_conflict_is_told(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    edge.limits = Limits(probe=0)
    sources = iter(("192.0.2.1", "198.51.100.1") * 5)
    monkeypatch.setattr("gateway.edge.knocking.Knocking.source", property(lambda _: next(sources)))
    held = [await dial(edge) for _ in range(4)]
    assert edge.counters.security == {"identity_conflict": 1}
    for each in held:
        await each.close()


async def test_a_conflict_behind_a_proxy_is_one_of_its_clients(world: World, hub: EchoHub) -> None:
    listen = Listen(port=0, proxy=Proxy(addresses=("127.0.0.1",), forwarded_for=True), allow_from=("any",))
    edge = await world.edge(hub.journal, listen, limits=Limits(probe=0))
    with capture_logs() as lines:
        for each in ("192.0.2.1", "198.51.100.1", "192.0.2.1", "198.51.100.1"):
            held = await dial(edge, additional_headers={"X-Forwarded-For": each})
    assert [line["source"] for line in lines if line.get("type") == "identity_conflict"] == ["198.51.100.1"]
    await held.close()


def test_take_overs_from_one_network_are_no_conflict() -> None:
    conflicts = Conflicts()
    assert not any(conflicts.taken_over("cp", "192.0.2.0/24", float(n)) for n in range(50))
    assert conflicts.taken_over("cp", "198.51.100.0/24", 60.0)
    assert not conflicts.taken_over("cp", "192.0.2.0/24", 61.0)
    assert not conflicts.taken_over("other", "192.0.2.0/24", 62.0)


# One charger.


async def flood(ws: ClientConnection, count: int) -> None:
    for n in range(count):
        await say(ws, 2, f"f{n}", "StatusNotification", {"n": n})


async def answers(ws: ClientConnection, seconds: float) -> int:
    got = 0
    try:
        async with asyncio.timeout(seconds):
            while True:
                await ws.recv()
                got += 1
    except (TimeoutError, ConnectionClosed):
        return got


async def test_a_charger_that_floods_is_not_read_for_a_while(world: World, hub: EchoHub) -> None:
    edge = await world.edge(hub.journal, limits=Limits(frame_rate=20, frame_burst=30))
    async with dial(edge, "CP1") as bad, dial(edge, "CP2") as good:
        flooding = asyncio.create_task(flood(bad, FLOOD))
        got = await answers(bad, 1.5)
        assert 30 <= got < 120, "the burst, and twenty a second"
        assert edge.counters.paused == 1 and edge.counters.limits["frame_rate"] > 0
        began = time.monotonic()
        await say(good, 2, "1", "Heartbeat", {})
        await hear(good)
        assert time.monotonic() - began < 1
        flooding.cancel()
        bad.transport.abort()
    await eventually(lambda: edge.counters.paused == 0)


async def test_a_charger_that_waits_for_its_answers_is_as_fast_as_they_are(world: World, hub: EchoHub) -> None:
    edge = await world.edge(hub.journal, limits=Limits(frame_rate=1, frame_burst=5))
    async with dial(edge) as ws:
        for n in range(50):
            await say(ws, 2, str(n), "Heartbeat", {})
            assert (await hear(ws))[1] == str(n)
    assert edge.counters.limits == {}


async def test_a_charger_that_floods_for_too_long_is_disconnected(world: World, hub: EchoHub) -> None:
    edge = await world.edge(hub.journal, limits=Limits(frame_rate=50, frame_burst=5, pause_longest=0.5))
    async with dial(edge) as ws:
        flooding = asyncio.create_task(flood(ws, FLOOD))
        await answers(ws, 15)
        assert await closed(ws) == (1013, "too many messages")
        flooding.cancel()
    assert edge.counters.disconnects == {"chatty": 1}


def test_the_pace_of_messages_and_bytes() -> None:
    limits = Limits(frame_rate=20, frame_burst=200, byte_rate=64 * 1024)
    pace = Pace(limits, 0.0)
    assert [pace.spend(100, limits, 0.0) for _ in range(200)] == [0.0] * 200
    assert pace.spend(100, limits, 0.0) == pytest.approx(0.05)
    assert pace.spend(100, limits, 10.0) == 0.0, "ten seconds are two hundred messages"
    assert not pace.too_long(limits, 20.0)
    heavy = Pace(limits, 0.0)
    waits = [heavy.spend(256 * 1024, limits, 0.0) for _ in range(4)]
    assert waits[:2] == [0.0, 0.0] and waits[3] == pytest.approx((4 * 256 - 640) / 64)
    assert Pace(Limits(frame_rate=0, byte_rate=0), 0.0).spend(10**9, Limits(frame_rate=0, byte_rate=0), 0.0) == 0.0


def test_a_flood_without_end_is_told_from_many_short_ones() -> None:
    limits = Limits(frame_rate=10, frame_burst=10, byte_rate=0, pause_longest=300)
    pace, now = Pace(limits, 0.0), 0.0
    for _ in range(40):  # a burst a minute
        for _ in range(20):
            pace.spend(1, limits, now)
        assert not pace.too_long(limits, now)
        now += 60
    while now < 40 * 60 + 299:
        pace.spend(1, limits, now)
        now += 0.05
    assert not pace.too_long(limits, now)
    for _ in range(100):
        pace.spend(1, limits, now)
        now += 0.05
    assert pace.too_long(limits, now)


async def test_a_charger_that_leaves_everything_unread_is_reset(world: World, hub: EchoHub) -> None:
    edge = await world.edge(hub.journal, Listen(port=0, write_buffer=2**26), limits=Limits(write_stall=0.2))
    ws = await dial(edge)
    await eventually(lambda: edge._sockets and next(iter(edge._sockets)).epoch)
    ws.transport.pause_reading()
    (wire,) = edge._sockets
    wire.send(b" " * 2**25)
    await eventually(lambda: not edge._sockets)
    assert edge.counters.disconnects == {"slow_consumer": 1} and edge.counters.limits == {"write_stall": 1}
    ws.transport.abort()


async def test_more_than_the_write_buffer_closes(world: World, hub: EchoHub) -> None:
    edge = await world.edge(hub.journal)
    ws = await dial(edge)
    await eventually(lambda: edge._sockets and next(iter(edge._sockets)).epoch)
    ws.transport.pause_reading()
    (wire,) = edge._sockets
    assert wire.write_limit == 256 * 1024
    while wire.is_open:
        wire.send(b" " * 2**18)
    assert wire.buffered < 2**20, "what waits is the limit and one frame"
    assert edge.counters.limits == {"write_buffer": 1}
    ws.transport.abort()
    await eventually(lambda: not edge._sockets)
    assert edge.counters.disconnects == {"slow_consumer": 1}


# Memory.


@pytest.mark.parametrize(
    ("used", "before", "after"),
    [(0, 0, 0), (79, 0, 0), (80, 0, REFUSE), (79, REFUSE, REFUSE), (77, REFUSE, 0), (90, 0, SHED), (89, SHED, SHED),
     (87, SHED, REFUSE), (95, 0, CLOSE), (94, CLOSE, CLOSE), (92, CLOSE, SHED), (200, 0, CLOSE)],
)  # fmt: skip
def test_the_ladder(used: int, before: int, after: int) -> None:
    assert level(used, 100, Limits(), before) == after


def test_without_a_limit_there_is_no_ladder() -> None:
    assert level(10**12, 0, Limits(), 0) == 0


def test_memory_of_the_container(tmp_path: Path) -> None:
    statm = tmp_path / "statm"
    statm.write_text("900 500 1 1 0 1 0")
    usage = Usage(tmp_path, statm)
    resident = usage.read(Limits())[0]
    assert resident == 500 * 4096 or resident % 500 == 0
    assert usage.read(Limits()) == (resident, 0), "no limit"
    (tmp_path / "memory.max").write_text("max\n")
    assert usage.read(Limits()) == (resident, 0)
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text("700\n")
    assert usage.read(Limits()) == (700, 1000)
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 200\n")
    assert usage.read(Limits()) == (500, 1000)
    assert usage.read(Limits(memory=5000)) == (resident, 5000)


@pytest.fixture
async def used() -> AsyncIterator[list[int]]:
    yield [0]


async def test_memory_runs_short(world: World, hub: EchoHub, used: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.edge.overload.LOOK_SECONDS", 0.02)
    monkeypatch.setattr(Usage, "read", lambda _, limits: fill(used)(limits))
    edge = await world.edge(hub.journal, Listen(port=0, ping_interval=0))
    first = await dial(edge, "CP1")
    second = await dial(edge, "CP2")
    await say(first, 2, "1", "Heartbeat", {})
    await hear(first)

    used[0] = 85
    await eventually(lambda: edge.overload == REFUSE)
    status, headers = await knock(edge, "/CP3")
    assert status == 503 and "retry-after" in headers
    await say(first, 2, "2", "Heartbeat", {})
    assert (await hear(first))[2]["echo"] == "2", "who is there is served"

    used[0] = 92
    await eventually(lambda: edge.overload == SHED)
    await say(first, 2, "3", "Heartbeat", {})
    answer = await hear(first)
    assert list(answer[2]) == ["currentTime"] and answer[2]["currentTime"].endswith("Z")
    await say(first, 2, "4", "StatusNotification", {})
    assert (await hear(first))[2]["echo"] == "4", "all else goes on"
    assert "3" not in [each.head.message_id for each in hub.entries]

    hub.silent.add("5")
    await say(first, 2, "5", "StatusNotification", {"n": 5})
    await hub.until(lambda entries: [each for each in entries if each.head.message_id == "5"])
    used[0] = 97
    assert await closed(second) == (1013, "short of memory")
    await asyncio.sleep(0.1)
    assert first.state.name == "OPEN", "it waits for an answer"
    assert edge.counters.disconnects == {"memory": 1}
    assert {"memory_refuse", "memory_shed", "memory_close"} <= set(edge.counters.limits)
    used[0] = 10
    await eventually(lambda: not edge.overload)
    assert (await knock(edge, "/CP3"))[0] == 101
    await first.close()


async def test_what_one_connection_may_have_is_configured(world: World, hub: EchoHub) -> None:
    edge = await world.edge(hub.journal, limits=Limits(json_depth=8, json_nodes=1000, open_calls=2, ping_rate=1))
    hub.silent = {"a", "b", "c"}
    async with dial(edge) as ws:
        for id, data in (("1", "[" * 9 + "]" * 9), ("2", "[" + "1," * 1000 + "1]")):
            await ws.send(f'[2,"{id}","DataTransfer",{{"vendorId":"a","data":{data}}}]')
            assert (await hear(ws))[:3] == [4, id, "FormationViolation"]
        for id in hub.silent:
            await say(ws, 2, id, "DataTransfer", {"vendorId": id})
        await asyncio.sleep(0.3)
        taken = [entry for entry in hub.entries if entry.head.action == "DataTransfer"]
        assert len(taken) == 2, "the third is not read"
    async with dial(edge, "CP2") as ws:
        for _ in range(11):
            await ws.ping()
        assert (await closed(ws))[0] == 1008
    # A new configuration holds for those who are connected, too.
    async with dial(edge, "CP3") as ws:
        edge.change([door.gate.listen for door in edge._doors], Limits(json_depth=20), 25)
        await ws.send('[2,"3","DataTransfer",{"vendorId":"a","data":' + "[" * 15 + "]" * 15 + "}]")
        assert (await hear(ws))[:2] == [3, "3"]


def test_lock_outs_are_configured() -> None:
    limits = Limits(lockout_failures=3, lockout=60, lockout_network=5)
    lockout = Lockout(lambda: limits)
    assert [lockout.failed("cp1", "n", at) for at in range(3)] == [False, False, True]
    assert lockout.wait("cp1", "n", 3) == 59 and not lockout.wait("cp2", "n", 3)
    assert [lockout.failed("cp2", "n", at) for at in (3, 4)] == [False, True]
    assert lockout.wait("cp9", "n", 5) > 0
    conflicts = Conflicts()
    assert not conflicts.taken_over("cp", "a", 0.0, 2) and conflicts.taken_over("cp", "b", 1.0, 2)


def test_limits_are_told_by_their_keys() -> None:
    from gateway.metrics_catalogue import LIMITS

    keys = set(Limits.__struct_fields__) | set(Listen.__struct_fields__)
    assert set(LIMITS) - keys == {"connections"}, json.dumps(sorted(set(LIMITS) - keys))
