"""A charger's socket from the first frame to the last, on a real edge, journal and store."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack

import pytest
from websockets.exceptions import ConnectionClosed

from gateway.config import Limits, Listen
from gateway.edge import connection, connections, presence
from gateway.edge.listener import Edge
from gateway.journal.entry import Entry, ToCharger
from tests.gateway.edge.conftest import EchoHub, World, closed, dial, eventually, hear, say

START = {"connectorId": 1, "idTag": "ABC", "timestamp": "2026-01-02T03:04:05Z", "meterStart": 7}


def calls(entries: list[Entry]) -> list[str]:
    return [entry.head.message_id for entry in entries if entry.kind == "call"]


async def test_what_is_stored_is_what_the_charger_said(edge: Edge, hub: EchoHub) -> None:
    async with dial(edge, "Cp/../CP1") as ws:
        text = '[2, "a\\u0041-1" ,"BootNotification",{"chargePointVendor":"ä", "x" : 1.50}]'
        await ws.send(text)
        assert await ws.recv() == '[3,"a\\u0041-1",{"echo": "aA-1", "tx": 0}]'
        opened, call = await hub.kinds("open", "call")
    head = call.head
    assert call.frame.decode() == text
    assert (head.charger, head.version, head.action, head.message_id) == ("CP1", "ocpp1.6", "BootNotification", "aA-1")
    assert (head.cls, head.seq, head.home) == ("K1", 1, edge.id)
    assert head.deadline - head.received_at == 25_000
    assert opened.head.epoch == head.epoch > 0
    close = (await hub.kinds("open", "call", "close"))[2]
    assert (close.head.reason, close.head.epoch, close.head.seq) == ("client_close", head.epoch, 2)
    assert edge.counters.disconnects == {"client_close": 1}
    assert edge.counters.in_flight == 0


async def test_frames_sent_with_the_upgrade_keep_their_order(edge: Edge, hub: EchoHub) -> None:
    async with dial(edge) as ws:
        for number in range(12):
            await say(ws, 2, str(number), "StatusNotification", {"n": number})
        assert [(await hear(ws))[1] for _ in range(12)] == [str(number) for number in range(12)]
    assert calls(hub.entries) == [str(number) for number in range(12)]
    assert [entry.head.seq for entry in hub.entries if entry.kind == "call"] == list(range(1, 13))


async def test_twenty_pipelined_calls_all_get_their_answer_and_reading_stops_at_sixteen(
    edge: Edge, hub: EchoHub
) -> None:
    hub.silent = {"0"}
    async with dial(edge) as ws:
        for number in range(20):
            await say(ws, 2, str(number), "StatusNotification", {"n": number})
        assert [(await hear(ws))[1] for _ in range(19)] == [str(number) for number in range(1, 20)]
    hub.silent = {str(number) for number in range(40)}
    async with dial(edge, "CP2", close_timeout=0.1) as ws:
        for number in range(20):
            await say(ws, 2, str(number), "StatusNotification", {"n": number})
        await hub.until(lambda entries: len([e for e in entries if e.head.charger == "CP2" and e.kind == "call"]) >= 16)
        await asyncio.sleep(0.2)
        second = [entry for entry in hub.entries if entry.head.charger == "CP2" and entry.kind == "call"]
        assert len(second) == 16
        items = [ToCharger("CP2", entry.head.epoch, "answer", b"{}", entry.head.seq) for entry in second]
        await hub.journal.deliver(edge.id, items[:4])
        assert [(await hear(ws))[1] for _ in range(4)] == ["0", "1", "2", "3"]
        await hub.until(lambda entries: len([e for e in entries if e.head.charger == "CP2" and e.kind == "call"]) == 20)


async def test_reading_goes_on_when_open_calls_give_up(world: World, hub: EchoHub) -> None:
    edge = await world.edge(hub.journal, answer_timeout=0.3)
    hub.silent = {str(number) for number in range(16)}
    async with dial(edge) as ws:
        for number in range(17):
            await say(ws, 2, str(number), "StatusNotification", {"n": number})
        assert (await hear(ws))[1] == "16"
        assert edge.counters.calls[("StatusNotification", "timeout")] == 16
        late = hub.entries[1].head
        await hub.journal.deliver(edge.id, [ToCharger("CP1", late.epoch, "answer", b"{}", late.seq)])
        await say(ws, 2, "end", "Heartbeat", {})
        assert (await hear(ws))[1] == "end"
        assert edge.counters.late_answers == 1


async def test_the_hub_says_whose_fault_an_error_is(edge: Edge, hub: EchoHub) -> None:
    hub.silent = {"0", "1"}
    async with dial(edge) as ws:
        for number, outcome in enumerate(("", "gateway_error")):
            await say(ws, 2, str(number), "DataTransfer", {"vendorId": "x"})
            await hub.until(lambda entries, n=number: len(calls(entries)) == n + 1)
            head = hub.entries[-1].head
            item = ToCharger("CP1", head.epoch, "error", b'"InternalError","",{}', head.seq, outcome=outcome)
            await hub.journal.deliver(edge.id, [item])
            assert (await hear(ws))[:3] == [4, str(number), "InternalError"]
    assert edge.counters.calls == {("DataTransfer", "call_error"): 1, ("DataTransfer", "gateway_error"): 1}


async def test_r16_identical_twin_is_one_forward_and_one_answer(edge: Edge, hub: EchoHub) -> None:
    hub.silent = {"twin"}
    async with dial(edge) as ws:
        for _ in range(3):
            await say(ws, 2, "twin", "StatusNotification", {"n": 1})
        await say(ws, 2, "twin", "StatusNotification", {"n": 2})  # R17: other payload, its own answer
        await say(ws, 2, "after", "Heartbeat", {})
        assert (await hear(ws))[1] == "after"
        assert calls(hub.entries) == ["twin", "twin", "after"]
        head = hub.entries[1].head
        answers = [ToCharger("CP1", head.epoch, "answer", b'{"of":%d}' % seq, seq) for seq in (1, 1, 2)]
        await hub.journal.deliver(edge.id, answers)
        assert await hear(ws) == [3, "twin", {"of": 1}]
        assert await hear(ws) == [3, "twin", {"of": 2}]
    assert edge.counters.malformed == {"R16": 2}
    assert edge.counters.late_answers == 1


async def test_a_repeated_start_gets_the_stored_answer_and_the_same_number(edge: Edge, hub: EchoHub) -> None:
    async with dial(edge) as ws:
        await say(ws, 2, "s1", "StartTransaction", START)
        first = (await hear(ws))[2]
        assert first["tx"] > 0
    async with dial(edge) as ws:
        await say(ws, 2, "s2", "StartTransaction", {**START, "idTag": "abc"})
        assert await hear(ws) == [3, "s2", first]
        await say(ws, 2, "s3", "StartTransaction", {**START, "timestamp": "2026-01-02T04:04:05Z"})
        assert (await hear(ws))[2]["tx"] > first["tx"]
    assert calls(hub.entries) == ["s1", "s3"]
    assert edge.counters.appended == {"new": 2, "answered": 1}


async def test_a_repeat_of_an_unanswered_start_is_retargeted(edge: Edge, hub: EchoHub) -> None:
    hub.silent = {"s1"}
    async with dial(edge) as ws:
        await say(ws, 2, "s1", "StartTransaction", START)
        await hub.kinds("open", "call")
    async with dial(edge) as ws:
        await say(ws, 2, "s2", "StartTransaction", START)
        answer = await hear(ws)
        assert answer[:2] == [3, "s2"]
    repeat = next(entry for entry in hub.entries if entry.kind == "repeat")
    assert repeat.tx == answer[2]["tx"] == hub.entries[1].tx
    assert repeat.head.of == hub.entries[1].id


async def test_a_command_and_its_answer(edge: Edge, hub: EchoHub) -> None:
    async with dial(edge) as ws:
        opened = (await hub.kinds("open"))[0].head

        async def order(message_id: str) -> None:
            frame = b'[2,"%b","Reset",{"type":"Soft"}]' % message_id.encode()
            item = ToCharger("cp1", opened.epoch, "call", frame, message_id=message_id)
            await hub.journal.deliver(edge.id, [item])
            assert await hear(ws) == [2, message_id, "Reset", {"type": "Soft"}]

        await order("m1")
        await say(ws, 3, "other", {})
        await say(ws, 3, "m1", {"status": "Accepted"})
        await say(ws, 3, "m1", {"status": "Rejected"})
        answer = (await hub.kinds("open", "answer"))[1]
        assert (answer.head.message_id, answer.frame) == ("m1", b'[3, "m1", {"status": "Accepted"}]')
        await order("m2")
        await say(ws, 4, "m2", "NotSupported")
        await order("m3")
        await say(ws, 4, "-1", "GenericError", "", {})
        entries = await hub.kinds("open", "answer", "answer", "answer")
        assert entries[2].frame == b'[4,"m2","NotSupported","",{}]'
        assert (entries[3].head.message_id, entries[3].frame) == ("m3", b'[4,"m3","GenericError","",{}]')
        await order("m4")
        await order("m5")
        await say(ws, 3, "m4", {})
        await say(ws, 3, "m5", {})
        assert (await hub.kinds("open", *["answer"] * 4))[4].head.message_id == "m5"
        assert edge.counters.malformed == {"R28": 2, "R31": 1, "R33": 1, "R29": 1}
        assert edge.counters.messages[("in", "result", "Reset", "ocpp1.6")] == 2
        await hub.journal.deliver(edge.id, [ToCharger("CP1", opened.epoch, "close", b"bye", code=1000)])
        assert await closed(ws) == (1000, "bye")
    assert edge.counters.disconnects == {"kicked": 1}


async def test_errors_and_items_for_another_connection(edge: Edge, hub: EchoHub) -> None:
    hub.silent = {"e"}
    async with dial(edge) as ws:
        await say(ws, 2, "e", "Authorize", {"idTag": "x"})
        head = (await hub.kinds("open", "call"))[1].head
        await hub.journal.deliver(
            edge.id,
            [
                ToCharger("CP1", head.epoch - 1, "answer", b"{}", head.seq),
                ToCharger("CP9", head.epoch, "answer", b"{}", head.seq),
                ToCharger("CP1", head.epoch, "error", b'"InternalError","",{}', head.seq),
            ],
        )
        assert await hear(ws) == [4, "e", "InternalError", "", {}]
    assert edge.counters.calls == {("Authorize", "call_error"): 1}


async def test_the_newest_connection_wins(edge: Edge, hub: EchoHub) -> None:
    edge.limits = Limits(probe=0)
    async with dial(edge, "CP1") as old, dial(edge, "cp1") as new:
        assert await closed(old) == (1008, "superseded")
        await say(new, 2, "1", "Heartbeat", {})
        assert (await hear(new))[1] == "1"
    assert edge.counters.disconnects == {"duplicate_identity": 1, "client_close": 1}
    await hub.until(lambda entries: [e for e in entries if e.kind == "close" and e.head.reason == "client_close"])
    assert await hub.journal.homes(0) == {}


async def test_the_newest_connection_wins_across_edges(world: World, edge: Edge, hub: EchoHub) -> None:
    other = await world.edge(await world.second())
    async with dial(edge) as old:
        await say(old, 2, "1", "Heartbeat", {})
        await hear(old)
        async with dial(other) as new:
            assert await closed(old) == (1008, "superseded")
            await say(new, 2, "2", "Heartbeat", {})
            assert (await hear(new))[1] == "2"


async def test_a_stale_connection_is_closed_by_its_next_frame(
    world: World, edge: Edge, hub: EchoHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await world.edge(await world.second())
    monkeypatch.setattr(other, "supersede", lambda *_: None)
    async with dial(edge) as old:
        await say(old, 2, "1", "Heartbeat", {})
        await hear(old)
        async with dial(other) as new:
            await say(new, 2, "2", "Heartbeat", {})
            await hear(new)
            await say(old, 2, "3", "Heartbeat", {})
            assert await closed(old) == (1008, "superseded")
    assert "3" not in calls(hub.entries)


async def test_keep_alive_pings_and_a_dead_charger(world: World, hub: EchoHub) -> None:
    edge = await world.edge(hub.journal, Listen(port=0, ping_interval=0.1))
    async with dial(edge) as ws:
        await asyncio.sleep(0.6)
        await say(ws, 2, "alive", "Heartbeat", {})
        assert (await hear(ws))[1] == "alive"
        ws.transport.pause_reading()  # type: ignore[attr-defined]  # no pong from here on
        await eventually(lambda: edge.counters.disconnects)
        assert edge.counters.disconnects == {"ping_timeout": 1}
        ws.transport.abort()


async def test_a_store_that_comes_back_within_the_hold(world: World, edge: Edge, hub: EchoHub) -> None:
    async with dial(edge) as ws:
        await say(ws, 2, "before", "Heartbeat", {})
        await hear(ws)
        world.freeze()
        await say(ws, 2, "b1", "StatusNotification", {"n": 1})
        await say(ws, 2, "b2", "StatusNotification", {"n": 2})
        await eventually(lambda: not hub.journal.healthy)
        with pytest.raises(Exception, match="503"):
            async with dial(edge, "CP2"):
                pass
        await say(ws, 2, "b3", "StatusNotification", {"n": 3})
        world.thaw()
        answers = [await hear(ws) for _ in range(3)]
        assert [answer[:2] for answer in answers] == [[3, "b1"], [3, "b2"], [3, "b3"]]
    stored = [entry.head.message_id for entry in hub.entries if entry.kind == "call"]
    assert stored == ["before", "b1", "b2", "b3"], "each once, in order, although their first append was ambiguous"


async def test_a_store_that_stays_away_closes_1013_and_never_answers_an_error(
    world: World, edge: Edge, hub: EchoHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "HOLD", 0.5)
    async with dial(edge) as ws:
        await say(ws, 2, "before", "Heartbeat", {})
        await hear(ws)
        world.freeze()
        await say(ws, 2, "lost", "StatusNotification", {"n": 1})
        with pytest.raises(ConnectionClosed):
            await hear(ws)
        assert await closed(ws) == (1013, "store unavailable")
    world.thaw()
    await hub.until(lambda entries: [entry for entry in entries if entry.kind == "close"])
    assert edge.counters.disconnects == {"store_down": 1}
    assert edge.counters.calls == {("Heartbeat", "ok"): 1, ("StatusNotification", "gateway_error"): 1}
    await eventually(lambda: hub.journal.healthy)
    async with dial(edge) as ws:
        await say(ws, 2, "again", "StatusNotification", {"n": 1})
        assert (await hear(ws))[1] == "again"


async def test_an_edge_that_lost_its_lease_closes_its_sockets_and_starts_anew(
    edge: Edge, hub: EchoHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "RENEW_SECONDS", 0.05)
    before = edge.id
    async with dial(edge) as ws:
        await hub.kinds("open")
        edge.presence._leased_at -= 20
        edge.presence.lose()
        assert await closed(ws) == (1013, "store unavailable")
    await edge.journal.edge_alive(edge.id)
    assert edge.id != before
    async with dial(edge) as ws:
        await say(ws, 2, "1", "Heartbeat", {})
        assert (await hear(ws))[1] == "1"
    assert {entry.head.home for entry in hub.entries if entry.kind == "call"} == {edge.id}


async def test_drain_lets_open_exchanges_finish(edge: Edge, hub: EchoHub) -> None:
    hub.silent = {"slow"}
    async with dial(edge, "idle") as idle, dial(edge, "busy") as busy:
        await say(busy, 2, "slow", "StatusNotification", {})
        head = (await hub.until(lambda entries: [e for e in entries if e.kind == "call"]))[0].head
        drained = asyncio.create_task(edge.drain(10))
        assert (await closed(idle))[0] == 1012
        with pytest.raises(OSError):
            async with dial(edge, "late"):
                pass
        await hub.journal.deliver(edge.id, [ToCharger("busy", head.epoch, "answer", b"{}", head.seq)])
        assert await hear(busy) == [3, "slow", {}]
        assert (await closed(busy))[0] == 1012
        await asyncio.wait_for(drained, 5)
    assert edge.counters.disconnects == {"drain": 2}


async def test_drain_does_not_wait_for_ever(edge: Edge, hub: EchoHub) -> None:
    hub.silent = {"slow"}
    async with dial(edge) as ws:
        await say(ws, 2, "slow", "StatusNotification", {})
        await hub.kinds("open", "call")
        drained = asyncio.create_task(edge.drain(0.2))
        assert (await closed(ws))[0] == 1012
        await asyncio.wait_for(drained, 5)


async def test_a_drain_closes_no_faster_than_its_rate_until_it_is_hurried(edge: Edge, hub: EchoHub) -> None:
    async with AsyncExitStack() as stack:
        for number in range(12):
            await stack.enter_async_context(dial(edge, f"CP{number}"))
        await hub.until(lambda entries: len([e for e in entries if e.kind == "open"]) == 12)
        drained = asyncio.create_task(edge.drain(0.1, rate=5))
        await asyncio.sleep(1.1)
        assert 4 <= edge.counters.disconnects.get("drain", 0) <= 8
        edge.hurried = True
        await asyncio.wait_for(drained, 1)
    assert edge.counters.disconnects == {"drain": 12}


@pytest.mark.parametrize("rate", [30, 39])
async def test_a_drain_is_as_fast_as_its_rate_also_when_the_loop_is_busy(edge: Edge, hub: EchoHub, rate: int) -> None:
    """An orchestrator waits as long as this rate promises, and no longer."""

    async def work() -> None:
        while True:
            time.sleep(0.02)  # noqa: ASYNC251
            await asyncio.sleep(0.01)

    count = 2 * rate
    async with AsyncExitStack() as stack:
        for number in range(count):
            await stack.enter_async_context(dial(edge, f"CP{number}"))
        await hub.until(lambda entries: len([e for e in entries if e.kind == "open"]) == count)
        working = asyncio.create_task(work())
        began = time.monotonic()
        await edge.drain(0, rate=rate)
        took = time.monotonic() - began
        working.cancel()
    assert 1.8 < took < 2.4


async def test_a_charger_that_is_sent_elsewhere_ends_its_exchange_first(edge: Edge, hub: EchoHub) -> None:
    hub.silent = {"slow"}
    async with dial(edge, "CP1") as ws:
        await say(ws, 2, "slow", "StatusNotification", {})
        head = (await hub.until(lambda entries: [e for e in entries if e.kind == "call"]))[0].head
        await hub.journal.deliver(edge.id, [ToCharger("CP1", head.epoch, "close", b"rebalance", code=1012)])
        await asyncio.sleep(0.5)
        assert ws.close_code is None
        await hub.journal.deliver(edge.id, [ToCharger("CP1", head.epoch, "answer", b"{}", head.seq)])
        assert await hear(ws) == [3, "slow", {}]
        assert (await closed(ws))[0] == 1012
    await eventually(lambda: edge.counters.disconnects)
    assert edge.counters.disconnects == {"rebalance": 1}


async def test_those_that_wait_for_the_store_in_vain_do_not_leave_together(
    world: World, edge: Edge, hub: EchoHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "HOLD", 0.2)
    monkeypatch.setattr(connections, "CLOSES_PER_SECOND", 10)
    async with AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(dial(edge, f"CP{number}")) for number in range(20)]
        await hub.until(lambda entries: len([e for e in entries if e.kind == "open"]) == 20)
        world.freeze()
        for ws in wires:
            await say(ws, 2, "1", "StatusNotification", {"n": 1})
        await eventually(lambda: edge.counters.disconnects.get("store_down", 0) >= 1)
        begun = asyncio.get_running_loop().time()
        await eventually(lambda: edge.counters.disconnects.get("store_down", 0) == 20)
        assert 0.8 < asyncio.get_running_loop().time() - begun < 3
    world.thaw()


async def test_too_large_a_frame_closes_1009(edge: Edge) -> None:
    async with dial(edge) as ws:
        await ws.send("[" + " " * 300_000 + "]")
        assert (await closed(ws))[0] == 1009
    assert edge.counters.disconnects == {"frame_too_large": 1}


async def test_a_binary_frame_is_text(edge: Edge) -> None:
    async with dial(edge) as ws:
        await ws.send(json.dumps([2, "1", "Heartbeat", {}]).encode())
        assert (await hear(ws))[1] == "1"
    assert edge.counters.binary == 1


async def test_what_nobody_waits_for_any_more_is_counted(edge: Edge, hub: EchoHub) -> None:
    """Every CALL that came in is accounted for: answered, refused, given up, abandoned or open."""
    hub.silent = {"open"}
    async with dial(edge) as ws:
        await say(ws, 2, "open", "StatusNotification", {"n": 1})
        await say(ws, 2, "answered", "Heartbeat", {})
        assert (await hear(ws))[1] == "answered"
        assert edge.counters.in_flight == 1
    await eventually(lambda: edge.counters.in_flight == 0)
    assert edge.counters.calls == {("Heartbeat", "ok"): 1, ("StatusNotification", "abandoned"): 1}
