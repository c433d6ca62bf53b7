"""Billing frames that cannot be accepted are kept, and every frame is accounted for (reliability 5.8, conservation)."""

from __future__ import annotations

import asyncio
import json

from gateway.edge.actions import bills
from gateway.edge.listener import Edge
from gateway.journal.journal import Journal
from gateway.journal.keys import quarantine

from .conftest import EchoHub, World, dial, hear, say

BROKEN = '[2,"7","StopTransaction",{"transactionId":1,"meterStop":99'


async def kept(journal: Journal) -> list[dict[bytes, bytes]]:
    found = await journal._store.call("XRANGE", quarantine(0), "-", "+")
    return [dict(zip(fields[::2], fields[1::2], strict=True)) for _, fields in found]


async def test_a_broken_billing_frame_is_kept_before_it_is_refused(edge: Edge, journal: Journal) -> None:
    async with dial(edge) as ws:
        await ws.send(BROKEN)
        assert (await hear(ws))[0] == 4
        (frame,) = await kept(journal)
        assert frame[b"f"] == BROKEN.encode()
        assert (frame[b"c"], frame[b"v"]) == (b"CP1", b"ocpp1.6")
        await ws.send('[2,"8","Heartbeat",{')
        assert (await hear(ws))[0] == 4
        assert len(await kept(journal)) == 1
    assert (edge.counters.quarantined, edge.counters.refused) == (1, 1)


async def test_what_cannot_be_kept_is_not_answered(world: World, edge: Edge) -> None:
    async with dial(edge) as ws:
        await say(ws, 2, "1", "Heartbeat", {})
        await hear(ws)
        world.freeze()
        await ws.send(BROKEN)
        try:
            async with asyncio.timeout(2):
                raise AssertionError(await ws.recv())
        except TimeoutError:
            pass
        finally:
            world.thaw()
    assert edge.counters.quarantined == 0


async def test_every_frame_is_accounted_for(edge: Edge, hub: EchoHub) -> None:
    hub.silent = {"silent-1", "silent-2"}
    async with dial(edge) as ws:
        for number in range(5):
            await say(ws, 2, str(number), "Heartbeat", {})
            await hear(ws)
        await ws.send(BROKEN)
        await hear(ws)
        await ws.send("nonsense")
        await ws.send('[3,"never-asked",{}]')
        await say(ws, 2, "coffee", "MakeCoffee", {})
        for id in hub.silent:
            await say(ws, 2, id, "Heartbeat", {})
        while (await hear(ws))[1] != "coffee":
            pass
        await hub.until(lambda entries: len([entry for entry in entries if entry.kind == "call"]) == 7)
        assert edge.counters.in_flight == 2
        assert accounted(edge) == edge.counters.received == 11
    await hub.until(lambda entries: entries[-1].kind == "close")
    assert edge.counters.in_flight == 0
    assert accounted(edge) == 11


def accounted(edge: Edge) -> int:
    counters = edge.counters
    answers = sum(n for (way, kind, *_), n in counters.messages.items() if way == "in" and kind != "call")
    ended = sum(counters.calls.values())
    return ended + counters.in_flight + answers + counters.refused + counters.quarantined


def test_what_bills() -> None:
    yes = [BROKEN, ' [2 , "1","MeterValues"', json.dumps([2, "1", "TransactionEvent", {}]), '[2,1,"StartTransaction"]']
    no = ['[3,"1",{"a":"StopTransaction"}]', '[2,"1","Heartbeat",{}]', "", '{"StopTransaction":1}']
    assert all(bills(text.encode()) for text in yes)
    assert not any(bills(text.encode()) for text in no)
