"""The worst cases that the documents give a number for: what one charger takes, how long a drain takes."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import struct
import time

import pytest
from websockets.protocol import State

from .deaf import unread
from .fleet import Fleet
from .nodes import total

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

FRAME = 256 << 10
"""`listen.max_frame`"""
BUFFER = 256 << 10
"""`listen.write_buffer`"""
MOST_OPEN = 16
GREEDY = 32
STEP = 60_000


def question() -> dict[str, str]:
    """The payload of a DataTransfer that is none of those before."""
    return {"vendorId": "ACME", "data": os.urandom(100).hex()}


async def test_i20_a_charger_that_takes_all_it_may_stays_within_the_limit(fleet: Fleet) -> None:
    """Answers that it does not read, nearly up to the limit, as many open CALLs as it may have, and half a message of the largest
    size. Several of them, so that the difference is theirs."""
    main = await fleet.backend("main", "ocpp1.6")
    fleet.config = {"charger": {"answer_timeout": 120}, "limits": {"frame_rate": 0, "byte_rate": 0, "write_stall": 120}}
    await fleet.start(edges=1, hubs=1)
    node = fleet.edges[0]
    warm = [await fleet.booted(f"CP{number}") for number in range(GREEDY)]
    greedy = [await unread(node, f"GREEDY{number}") for number in range(GREEDY)]

    async def until(name: str, least: float) -> float:
        async with asyncio.timeout(120):
            while (now := total(await node.metrics(), name)) < least:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return now

    main.data = "x" * STEP
    for _ in range(5):
        await asyncio.gather(*(each.call(None, "DataTransfer", question()) for each in warm))
    before = node.resources()[0]
    kept, asked = 0.0, 0
    for each in greedy:
        base = kept
        while (level := kept - base) < 0.9 * BUFFER:
            main.data = "x" * min(STEP, round(0.95 * BUFFER - level))
            await each.send(json.dumps([2, os.urandom(8).hex(), "DataTransfer", question()]))
            asked += 1
            await until("ocppgw_calls_total", GREEDY + 5 * GREEDY + asked)
            kept = total(await node.metrics(), "ocppgw_send_queue_bytes")
    main.mood = lambda _dice, _action: "silence"
    for each in greedy:
        for _ in range(MOST_OPEN - 1):
            await each.send(json.dumps([2, os.urandom(8).hex(), "DataTransfer", question()]))
    await until("ocppgw_calls_in_flight", GREEDY * (MOST_OPEN - 1))
    for each in greedy:
        each.transport.write(b"\x81\xff" + struct.pack("!Q", FRAME) + os.urandom(4 + FRAME // 2))
    await asyncio.sleep(1)
    took = (node.resources()[0] - before) / GREEDY
    for each in greedy:
        assert each.state is State.OPEN
        each.transport.abort()
    assert 0.9 * BUFFER + FRAME / 2 < took < BUFFER + FRAME


@pytest.mark.parametrize("stalled", [False, True], ids=["the store answers", "the store stalls"])
async def test_i21_the_longest_drain_ends_within_the_time_that_is_told(fleet: Fleet, stalled: bool) -> None:
    """As many chargers as may be, each with an open CALL that its CSMS does not answer; none takes its part in the closing, nor does
    the CSMS. Kubernetes gets this number as terminationGracePeriodSeconds, and kills what takes longer."""
    main = await fleet.backend("main", "ocpp1.6")
    fleet.config = {"drain": {"delay": 1, "timeout": 2, "close_rate": 19}, "limits": {"write_stall": 120}}
    await fleet.store.start()
    node = await fleet.prepare("both")
    node.config["listen"]["max_connections"] = 285
    await node.run()
    await fleet.booted("CP1")
    main.mood = lambda _dice, _action: "silence"
    deaf = [await unread(node, f"DEAF{number}") for number in range(284)]
    for each in deaf:
        await each.send(json.dumps([2, "1", "DataTransfer", question()]))
    async with asyncio.timeout(60):
        while total(await node.metrics(), "ocppgw_upstream_sessions") < 285:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    fleet.to_upstream["main"].set("blackhole")
    if stalled:
        fleet.store.signal(signal.SIGSTOP)
    began = time.monotonic()
    code = await node.stop(60)
    took = time.monotonic() - began
    if stalled:
        fleet.store.signal(signal.SIGCONT)
    for each in deaf:
        each.transport.abort()
    [within] = re.findall(r'"event":"draining","within":(\d+)', node.log.read_text())
    assert int(within) == 1 + 2 + 285 / 19 + 5 + 10
    assert code == 0 and took < int(within)


async def test_i21_the_longest_drain_of_a_hub_ends_within_the_time_that_is_told(fleet: Fleet) -> None:
    """Its CSMS is silent and its store stalls."""
    main = await fleet.backend("main", "ocpp1.6")
    fleet.config = {"drain": {"timeout": 2}}
    await fleet.start(edges=1, hubs=1)
    [hub] = fleet.hubs
    chargers = [await fleet.booted(f"CP{number}") for number in range(20)]
    main.mood = lambda _dice, _action: "silence"
    asking = [asyncio.create_task(each.call(None, "DataTransfer", question())) for each in chargers]
    await asyncio.sleep(0.5)
    fleet.to_upstream["main"].set("blackhole")
    fleet.store.signal(signal.SIGSTOP)
    began = time.monotonic()
    code = await hub.stop(60)
    took = time.monotonic() - began
    fleet.store.signal(signal.SIGCONT)
    for each in asking:
        each.cancel()
    [within] = re.findall(r'"event":"draining","within":(\d+)', hub.log.read_text())
    assert int(within) == 2 + 10
    assert code == 0 and took < int(within)
