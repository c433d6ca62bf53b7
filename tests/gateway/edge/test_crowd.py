"""Where many CALLs wait, those who send without waiting wait first."""

from __future__ import annotations

import pytest

from gateway.edge.listener import Edge
from tests.gateway.edge.conftest import EchoHub, dial, eventually, hear, say


async def test_who_hurries_is_not_read_while_many_wait(
    edge: Edge, hub: EchoHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.edge.hearing.CROWD", 2)
    monkeypatch.setattr("gateway.edge.hearing.CROWD_SECONDS", 0.5)
    hub.silent = {"0", "1", "2", "3"}
    async with dial(edge, "WILD") as wild, dial(edge, "CALM") as calm:
        for number in range(6):
            await say(wild, 2, str(number), "StatusNotification", {"n": number})
        await eventually(lambda: edge.counters.paused == 1)
        for number in range(3):  # who waits for its answers is served
            await say(calm, 2, f"calm-{number}", "Heartbeat", {})
            assert (await hear(calm))[1] == f"calm-{number}"
        assert edge.counters.paused == 1
        assert [(await hear(wild))[1] for _ in range(2)] == ["4", "5"]  # but only later
    assert edge.counters.limits["frame_rate"] >= 1
