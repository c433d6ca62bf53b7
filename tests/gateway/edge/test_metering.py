"""What the edge measures, as metrics: closes by code, handshakes, pings, sizes of frames, the gateway's own time."""

from __future__ import annotations

from gateway.config import Listen
from gateway.edge.counters import EdgeCounters
from gateway.edge.metering import export, watch
from gateway.metrics import Metrics
from gateway.metrics_actions import ACTION_GROUP
from gateway.metrics_catalogue import VERSIONS
from gateway.traffic import SIZES, buckets

from .conftest import EchoHub, World, dial, eventually, hear, say


async def test_a_connection_leaves_its_marks(world: World, hub: EchoHub) -> None:
    metrics = Metrics()
    edge = await world.edge(hub.journal, Listen(port=0, ping_interval=0.1))
    watch(edge.counters, metrics)
    async with dial(edge) as ws:
        for number in range(16):
            await say(ws, 2, str(number), "DataTransfer", {"vendorId": "x" * 100})
            await hear(ws)
        export(edge.counters, metrics)
        assert {labels: cell.n for labels, cell in metrics.connections.items()} == {("1.6", "0"): 1}
        ping = metrics.ping_rtt.cell()
        await eventually(lambda: sum(ping.counts) > 0)
        await ws.close(3000, "odd")
    await eventually(lambda: edge.counters.closings)
    export(edge.counters, metrics)
    ended = {labels: cell.n for labels, cell in metrics.disconnects.items() if cell.n}
    assert ended == {("client_close", "other"): 1}, "no code that a charger invents becomes a label"
    assert sum(metrics.handshake_duration.cell().counts) == 1
    assert sum(metrics.processing_duration.cell("decode").counts) == 1, "one frame in 16"
    size = metrics.frame_size.cell("charger")
    assert sum(size.counts) == 32 and size.total == edge.counters.received_bytes + edge.counters.sent_bytes
    assert size.counts[0] == 16 and size.counts[1] == 16, "answers of up to 128 bytes, CALLs of up to 256"
    assert edge.buffered == 0


def test_sizes_fall_into_the_right_buckets() -> None:
    sizes = [0] * SIZES
    for length in (0, 1, 128, 129, 256, 257, 2**20, 2**20 + 1, 2**25):
        sizes[(length - 1).bit_length()] += 1
    counted = buckets(sizes, 7, 20)
    assert len(counted) == 15 and sum(counted) == 9
    assert counted[:3] == [3, 2, 1] and counted[-2:] == [1, 2]


def test_what_a_full_family_folds_is_added_up() -> None:
    """Two kinds of message that share the series `other` must not count in turn: a counter only ever grows."""
    counters, metrics = EdgeCounters(), Metrics()
    for version in VERSIONS:
        for action in ACTION_GROUP:
            counters.messages["in", "call", action, version] = 1
            counters.calls[action, "ok" if version == "1.6" else "timeout"] = 1
    export(counters, metrics)
    folded = metrics.messages.cell("charger", "in", "call", "Newest", VERSIONS[-1])
    before, calls = folded.n, sum(cell.n for _, cell in metrics.calls.items())
    assert sum(cell.n for _, cell in metrics.messages.items()) == len(counters.messages)
    assert calls == len(counters.calls) and before > 1
    counters.messages["in", "call", "Newest", VERSIONS[-1]] = 1
    counters.messages["in", "call", "Newest", VERSIONS[0]] = 1
    export(counters, metrics)
    assert folded.n == before + 2
