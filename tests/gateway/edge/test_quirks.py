"""Quirks of frames and sockets (translators/quirks/table.yaml), against a real edge."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.frames import Frame, Opcode

from gateway.config import Listen
from gateway.edge.counters import EdgeCounters
from gateway.edge.listener import Edge
from gateway.edge.metering import export
from gateway.journal.entry import ToCharger
from gateway.metrics import Metrics
from gateway.treatment import Treatment, encode
from tests.gateway.edge.conftest import EchoHub, World, closed, dial, eventually, hear, say
from tests.gateway.edge.knock import KEY

START = {"connectorId": 1, "idTag": "T", "meterStart": 0, "timestamp": "2025-03-01T10:00:00Z"}


def only(edge: Edge, label: str, version: str = "ocpp1.6") -> int:
    """How often this quirk was counted, and no other."""
    assert set(edge.counters.quirks) <= {(label, version)}
    return edge.counters.quirks.get((label, version), 0)


async def ask(hub: EchoHub, edge: Edge, id: str = "g1") -> None:
    """The gateway asks the charger that is connected."""
    opened = (await hub.until(lambda entries: [each for each in entries if each.kind == "open"]))[-1].head
    body = json.dumps([2, id, "Reset", {"type": "Soft"}]).encode()
    await hub.journal.deliver(opened.home, [ToCharger("CP1", opened.epoch, "call", body, message_id=id)])


async def test_q08_messages_of_another_version(edge: Edge) -> None:
    async with dial(edge, version="ocpp2.0.1") as ws:
        await say(ws, 2, "1", "StartTransaction", START)
        assert (await hear(ws))[:3] == [4, "1", "NotImplemented"]
    assert only(edge, "cross_version_frame", "ocpp2.0.1") == 1


async def raw(edge: Edge) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A charger's socket after the handshake."""
    reader, writer = await asyncio.open_connection(*edge.addresses[0])
    head = f"GET /CP1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\n"
    writer.write(f"{head}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: ocpp1.6\r\n\r\n".encode())
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    return reader, writer


async def treated(hub: EchoHub, edge: Edge, treatment: Treatment) -> None:
    """A hub says what kind of charger CP1 is."""
    ours = await hub.until(
        lambda entries: [each for each in entries if each.kind == "open" and each.head.charger == "CP1"]
    )
    opened = ours[-1].head
    await hub.journal.deliver(opened.home, [ToCharger("CP1", opened.epoch, "treat", encode(treatment))])


async def test_q08_a_profile_pins_the_version(edge: Edge, hub: EchoHub) -> None:
    both: list[Any] = ["ocpp2.0.1", "ocpp1.6"]
    async with dial(edge, subprotocols=both) as ws:
        assert ws.subprotocol == "ocpp2.0.1"
        await treated(hub, edge, Treatment(versions=("ocpp1.6",)))
        assert (await closed(ws))[0] == 1012
    async with dial(edge, subprotocols=both) as ws:
        assert ws.subprotocol == "ocpp1.6"
    async with dial(edge, subprotocols=both[:1]) as ws:
        assert ws.subprotocol == "ocpp2.0.1", "it has no other"
        await treated(hub, edge, Treatment(versions=("ocpp1.6",)))
        await say(ws, 2, "1", "Heartbeat", {})
        assert (await hear(ws))[:2] == [3, "1"], "it is not sent away for ever"


class Mute(ClientConnection):
    """Answers no ping."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        send = self.protocol.send_frame

        def send_others(frame: Frame) -> None:
            if frame.opcode is not Opcode.PONG:
                send(frame)

        self.protocol.send_frame = send_others  # type: ignore[method-assign]


async def test_q12_never_a_pong(world: World, hub: EchoHub) -> None:
    edge = await world.edge(hub.journal, Listen(port=0, ping_interval=0.2))
    async with dial(edge, create_connection=Mute) as ws:
        for number in range(4):
            await say(ws, 2, str(number), "Heartbeat", {})
            await hear(ws)
            await asyncio.sleep(0.15)
        await asyncio.sleep(1)  # five intervals
        await say(ws, 2, "9", "Heartbeat", {})
        assert (await hear(ws))[:2] == [3, "9"]
    assert only(edge, "ping_unanswered") == 1
    async with dial(edge, create_connection=Mute) as ws:
        assert (await closed(ws))[0] == 1006, "it has never said anything: who knows whether it is there"


async def test_q12_a_profile_allows_silence(world: World, hub: EchoHub) -> None:
    edge = await world.edge(hub.journal, Listen(port=0, ping_interval=0.2))
    async with dial(edge, create_connection=Mute) as ws:
        await treated(hub, edge, Treatment(silence=3600))
        await asyncio.sleep(1.2)
        await say(ws, 2, "9", "Heartbeat", {})
        assert (await hear(ws))[:2] == [3, "9"]


async def test_q14_reset_instead_of_close(edge: Edge, hub: EchoHub) -> None:
    reader, writer = await raw(edge)
    await treated(hub, edge, Treatment(reset=True))
    await eventually(lambda: any(wire.manners.reset for wire in edge._sockets))
    await edge.drain(1, 100)
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(reader.read(), 10)
    writer.close()
    assert only(edge, "close_reset") == 1


async def test_q15_who_comes_back_late_is_closed_last(world: World, hub: EchoHub) -> None:
    edge = await world.edge(hub.journal)
    async with contextlib.AsyncExitStack() as stack:
        others = [await stack.enter_async_context(dial(edge, f"OTHER{n}")) for n in range(2)]
        late = await stack.enter_async_context(dial(edge, "CP1"))
        await treated(hub, edge, Treatment(silence=1200))
        await eventually(lambda: any(wire.manners.silence for wire in edge._sockets))
        edge.make_room(2)
        assert [(await closed(each))[0] for each in others] == [1013, 1013], "though it came last"
        others = [await stack.enter_async_context(dial(edge, f"MORE{n}")) for n in range(5)]
        ended: list[ClientConnection] = []

        async def end(socket: ClientConnection) -> None:
            assert (await closed(socket))[0] == 1012
            ended.append(socket)

        waiting = asyncio.gather(*(end(each) for each in (late, *others)))
        await edge.drain(5, rate=20)
        await waiting
        assert ended[-1] is late


async def test_q16_a_second_connection(edge: Edge) -> None:
    async with dial(edge) as first:
        first.transport.pause_reading()  # half open: it answers no ping
        async with dial(edge, open_timeout=15) as second:
            await say(second, 2, "1", "Heartbeat", {})
            assert (await hear(second))[:2] == [3, "1"]
            first.transport.resume_reading()
            assert (await closed(first))[0] == 1008
    assert only(edge, "takeover") == 1


async def test_q17_reserved_bits(edge: Edge) -> None:
    for count in (1, 2):
        reader, writer = await raw(edge)
        writer.write(bytes((0xC1, 0x80, 0, 0, 0, 0)))
        assert (await asyncio.wait_for(reader.read(), 10))[2:4] == (1002).to_bytes(2, "big")
        writer.close()
        await eventually(lambda: sum(edge.counters.quirks.values()) == count)  # noqa: B023
    assert only(edge, "ws_protocol_error") == 2


async def test_q18_truncated_json(edge: Edge) -> None:
    async with dial(edge) as ws:
        await ws.send('[2,"7","Heartbeat",{"a')
        assert (await hear(ws))[:3] == [4, "7", "FormationViolation"]
        await say(ws, 2, "8", "Heartbeat", {})
        assert (await hear(ws))[:2] == [3, "8"]
    assert only(edge, "json_salvaged") == 1


async def test_q19_null_payload(edge: Edge) -> None:
    async with dial(edge) as ws:
        await say(ws, 2, "1", "Heartbeat", None)
        assert (await hear(ws))[:2] == [3, "1"]
    assert only(edge, "payload_null") == 1


async def test_q25_control_characters_that_are_not_escaped(edge: Edge, hub: EchoHub) -> None:
    async with dial(edge) as ws:
        await ws.send(
            '[2,"1","StopTransaction",{"transactionId":1,"meterStop":5,"timestamp":"t","idTag":"TAG\x10\x0e"}]'
        )
        assert (await hear(ws))[:2] == [3, "1"]
        await ws.send('[2,"2","Heartbeat",{"a\x10')
        assert (await hear(ws))[:3] == [4, "2", "FormationViolation"], "there is more wrong with it"
    stored = (await hub.kinds("open", "call"))[1]
    assert json.loads(stored.frame)[3]["idTag"] == "TAG\x10\x0e", "what it means is for the hub to say"
    assert only(edge, "json_salvaged") == 2


async def test_q35_names_of_messages(edge: Edge) -> None:
    async with dial(edge) as ws:
        await say(ws, 2, "1", "heartbeat", {})
        assert (await hear(ws))[:2] == [3, "1"]
    assert only(edge, "enum_case") == 1


async def test_q46_a_start_again(edge: Edge, hub: EchoHub) -> None:
    answers = []
    async with dial(edge) as ws:
        for id in ("a", "b"):  # a new id for every try, as libocpp does
            await say(ws, 2, id, "StartTransaction", START)
            answers.append((await hear(ws))[2]["tx"])
    assert len(set(answers)) == 1
    assert only(edge, "dup_tx") == 1


@pytest.mark.parametrize("answer", ['[3,"",{}]', '[3,"99",{}]', '[4,"1","GenericError","answer to an answer",{}]'])
async def test_q49_unmatched_answers(answer: str, edge: Edge) -> None:
    async with dial(edge) as ws:
        await ws.send(answer)
        await say(ws, 2, "1", "Heartbeat", {})
        assert (await hear(ws))[:2] == [3, "1"], "it is not answered"
    assert only(edge, "answer_unmatched") == 1


async def test_q50_ids_again(edge: Edge, hub: EchoHub) -> None:
    hub.silent.add("1")
    async with dial(edge) as ws:
        for _ in range(2):
            await say(ws, 2, "1", "Authorize", {"idTag": "T"})
        await say(ws, 2, "1", "Authorize", {"idTag": "U"})
        calls = await hub.until(lambda entries: (found := [x for x in entries if x.kind == "call"])[1:] and found)
        assert [json.loads(call.frame)[3]["idTag"] for call in calls] == ["T", "U"]
    assert only(edge, "id_reuse") == 1


@pytest.mark.parametrize(
    "answer",
    ['[4,"g1","Oops"]', '[4,"g1","Oops","text"]', '[4,"g1","Oops","text","none"]', '[4,"g1","Oops","text",null]'],
)
async def test_q51_short_call_errors(answer: str, edge: Edge, hub: EchoHub) -> None:
    async with dial(edge) as ws:
        await ask(hub, edge)
        assert (await hear(ws))[2] == "Reset"
        await ws.send(answer)
        stored = (await hub.until(lambda entries: [entry for entry in entries if entry.kind == "answer"]))[0]
        assert json.loads(stored.frame) == [4, "g1", "Oops", "text" if "text" in answer else "", {}]
    assert only(edge, "callerror_shape") == 1


def test_they_are_exported() -> None:
    counters, metrics = EdgeCounters(), Metrics()
    counters.quirks = {("takeover", "ocpp1.6"): 3, ("hs_bad_request", ""): 1}
    export(counters, metrics)
    text = metrics.render().decode()
    assert 'ocppgw_quirks_total{ocpp_version="1.6",quirk="takeover",side="charger"} 3.0' in text
    assert 'ocppgw_quirks_total{ocpp_version="other",quirk="hs_bad_request",side="charger"} 1.0' in text
