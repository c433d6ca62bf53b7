"""The socket to a CSMS, against a scripted WebSocket server on a real socket."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl as tls
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.asyncio.server import ServerConnection

from gateway import config
from gateway.hub import upstream as module
from gateway.hub.upstream import Dials, Upstream, address
from gateway.wheel import Wheel
from translators.frames import Call, Error, Frame, Result, encode

from .script import Script, certificate, until

REDIAL = 0.3


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A third of a second does as well as the whole one between two dials."""
    assert module.REDIAL_SECONDS == 1
    monkeypatch.setattr(module, "REDIAL_SECONDS", REDIAL)


class Ours:
    """An Upstream with what it told its owner."""

    def __init__(self, settings: config.Upstream, charger: str, dials: Dials) -> None:
        self.frames: list[Frame] = []
        self.events: list[str] = []
        self.upstream = Upstream("main", charger, settings, Wheel(), dials, self.frames.append, self.events.append)


MakeOurs = Callable[..., Ours]


@pytest.fixture
async def dial(script: Script) -> AsyncIterator[MakeOurs]:
    """`dial()`: an Upstream of charger CP1 to the script, started; all stopped at the end."""
    made: list[Ours] = []
    dials = Dials(8)

    def make(charger: str = "CP1", *, start: bool = True, **settings: Any) -> Ours:
        ours = Ours(config.Upstream(**{"url": script.url, "version": "ocpp1.6", **settings}), charger, dials)
        made.append(ours)
        if start:
            ours.upstream.start()
        return ours

    yield make
    for ours in made:
        ours.upstream.stop()
    await until(lambda: all(ours.upstream.state == "idle" for ours in made))


def is_patient(script: Script) -> bool:
    return all(gap > REDIAL * 0.95 for gap in script.gaps)


async def test_connects_speaks_and_closes(script: Script, dial: MakeOurs) -> None:
    ours = dial()
    await until(lambda: ours.events)
    assert ours.events == ["connected"] and ours.upstream.state == "connected"
    assert script.requests[0].path == "/ocpp/CP1"
    assert script.sockets[0].subprotocol == "ocpp1.6"
    ours.upstream.write(b'[2,"1","Heartbeat",{}]')
    await until(lambda: script.heard)
    assert script.heard == ['[2,"1","Heartbeat",{}]']
    await script.sockets[0].send('[3,"1",{"currentTime":"2025-01-01T00:00:00Z"}]')
    await until(lambda: ours.frames)
    assert isinstance(ours.frames[0], Result)
    ours.upstream.stop()
    await until(lambda: ours.upstream.state == "idle")
    assert ours.events == ["connected", "lost"]
    assert script.sockets[0].close_code == 1000
    ours.upstream.write(b"[]")  # into the void


@pytest.mark.parametrize("offered", [None, "ocpp2.0.1"])
async def test_a_server_without_our_subprotocol_is_left_alone(
    offered: str | None, script: Script, dial: MakeOurs
) -> None:
    script.subprotocol = offered
    ours = dial(reconnect_min=0.01)
    await until(lambda: len(script.dials) >= 2)
    assert ours.events[0] == "subprotocol"
    assert "connected" not in ours.events
    assert is_patient(script)
    script.subprotocol = "ocpp1.6"
    await until(lambda: "connected" in ours.events)
    # The refused sockets are closed, not kept as zombies.
    await until(lambda: all(socket.close_code is not None for socket in script.sockets[:-1]))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"password": "secret"}, "CP1:secret"),
        ({"username": "fleet", "password": "se:cret"}, "fleet:se:cret"),
        ({"password": "pä55"}, "CP1:pä55"),
        ({}, ""),
    ],
)
async def test_credentials(settings: dict[str, str], expected: str, script: Script, dial: MakeOurs) -> None:
    ours = dial(**settings)
    await until(lambda: ours.events)
    sent = script.requests[0].headers.get("Authorization", "")
    assert sent == (f"Basic {base64.b64encode(expected.encode()).decode()}" if expected else "")


async def test_credentials_in_the_url(script: Script, dial: MakeOurs) -> None:
    ours = dial(url=script.url.replace("ws://", "ws://user:p%40ss@"))
    await until(lambda: ours.events)
    sent = script.requests[0].headers["Authorization"]
    assert base64.b64decode(sent.removeprefix("Basic ")) == b"user:p@ss"


def test_the_identity_goes_into_the_url() -> None:
    assert address("ws://h/ocpp", "CP 1") == "ws://h/ocpp/CP%201"
    assert address("ws://h/ocpp/", "CP1") == "ws://h/ocpp/CP1"
    assert address("ws://h", "CP1") == "ws://h/CP1"
    assert address("ws://h/ocpp?tenant=7", "CP1") == "ws://h/ocpp/CP1?tenant=7"
    assert address("ws://h/{id}/ocpp?x={id}", "A#/B") == "ws://h/A%23%2FB/ocpp?x=A%23%2FB"


@pytest.mark.parametrize(
    ("status", "event"),
    [(400, "http"), (401, "auth_failed"), (403, "auth_failed"), (404, "unknown_identity"), (503, "unavailable")],
)
async def test_backs_off_when_refused(status: int, event: str, script: Script, dial: MakeOurs) -> None:
    script.refuse = status
    ours = dial(reconnect_min=0.01, reconnect_max=0.02)
    await until(lambda: len(script.dials) >= 3)
    assert set(ours.events) == {event}
    assert is_patient(script), script.gaps
    assert ours.upstream.last_error
    script.refuse = 0
    await until(lambda: "connected" in ours.events)


async def test_retry_after_is_honoured(script: Script, dial: MakeOurs) -> None:
    script.refuse, script.headers = 503, {"Retry-After": "1"}
    ours = dial()
    await until(lambda: len(script.dials) >= 2)
    assert script.gaps[0] > 0.99
    assert "connected" not in ours.events


async def test_nobody_listens(script: Script, dial: MakeOurs) -> None:
    await script.stop()
    ours = dial(reconnect_min=0.01)
    await until(lambda: ours.events)
    assert ours.events == ["refused"] and ours.upstream.state == "backoff"
    await script.start()
    await until(lambda: "connected" in ours.events)


async def test_a_silent_server_times_out(script: Script, dial: MakeOurs) -> None:
    script.delay = 1
    ours = dial(connect_timeout=0.2)
    await until(lambda: ours.events)
    assert ours.events == ["timeout"]


async def test_a_lost_socket_is_dialled_again_after_a_pause(script: Script, dial: MakeOurs) -> None:
    async def leave(socket: ServerConnection) -> None:
        await socket.close(1012)

    script.play = leave
    ours = dial(reconnect_min=0.01)
    await until(lambda: len(script.dials) >= 3)
    assert is_patient(script), script.gaps
    assert ours.events[:4] == ["connected", "lost", "connected", "lost"]


async def test_a_server_that_drops_everybody_is_dialled_ever_less(script: Script, dial: MakeOurs) -> None:
    """Accepted and dropped at once is a failure like any other; not so when it spoke."""

    async def leave(socket: ServerConnection) -> None:
        await socket.close(1011)

    script.play = leave
    ours = dial(reconnect_min=0.01)
    await until(lambda: ours.events.count("lost") >= 2)
    assert ours.upstream._failures == 2

    async def speak(socket: ServerConnection) -> None:
        await socket.send('[2,"1","Reset",{"type":"Soft"}]')
        await socket.close(1011)

    script.play = speak
    await until(lambda: ours.frames)
    assert ours.upstream._failures == 0


async def test_never_two_dials_of_one_identity_at_once(script: Script, dial: MakeOurs) -> None:
    """Whoever wants it: the same Upstream stopped and started again, or another one for the same charger."""
    script.delay = 0.2
    first, second = dial(), dial()
    for _ in range(3):
        first.upstream.stop()
        first.upstream.start()
        await asyncio.sleep(0.01)
    first.upstream.stop()
    await until(lambda: second.upstream.state == "connected")
    assert script.most_under_way == 1
    assert is_patient(script), script.gaps
    assert first.upstream.state == "idle"


async def test_the_successor_waits_until_the_old_socket_is_gone(script: Script, dial: MakeOurs) -> None:
    first = dial()
    await until(lambda: first.events)
    first.upstream.stop()
    second = dial()
    other = dial("CP2")
    await until(lambda: other.events)
    assert not second.events, "another charger does not wait"
    await until(lambda: second.events)
    assert [socket.close_code for socket in script.sockets] == [1000, None, None]
    assert script.dials[2] - script.dials[0] > REDIAL * 0.95


async def test_stop_while_dialling(script: Script, dial: MakeOurs) -> None:
    script.delay = 0.2
    ours = dial()
    await until(lambda: script.under_way)
    assert ours.upstream.state == "connecting"
    ours.upstream.stop()
    await until(lambda: ours.upstream.state == "idle")
    await asyncio.sleep(0.4)
    assert ours.events == [] and not any(socket.close_code is None for socket in script.sockets)
    ours.upstream.start()
    await until(lambda: ours.events)
    assert ours.events == ["connected"]


async def test_hurry_ends_a_back_off(script: Script, dial: MakeOurs) -> None:
    script.refuse, script.headers = 503, {"Retry-After": "300"}
    ours = dial()
    await until(lambda: ours.upstream.state == "backoff")
    script.refuse = 0
    ours.upstream.hurry()
    await until(lambda: "connected" in ours.events)
    assert is_patient(script), "but not at once"


async def test_garbage_closes_the_socket(script: Script, dial: MakeOurs) -> None:
    ours = dial()
    await until(lambda: ours.events)
    [socket] = script.sockets
    for text in ("no json", '{"a":1}', "[]", '[9,"1",{}]'):
        await socket.send(text)
    await socket.send('[2,"1","Reset",{}]')
    await until(lambda: ours.frames)
    assert ours.upstream.state == "connected", "four are tolerated"
    await socket.send('[2,{"a":1},"Reset",{}]')
    await until(lambda: "lost" in ours.events)
    assert socket.close_code == 1002
    assert ours.frames == [Call("1", "Reset", msgspec.Raw(b"{}"))]


async def test_a_2_1_csms_may_reject_any_number_of_answers(script: Script, dial: MakeOurs) -> None:
    script.subprotocol = "ocpp2.1"
    ours = dial(version="ocpp2.1")
    await until(lambda: ours.events)
    [socket] = script.sockets
    for number in range(10):
        await socket.send(f'[5,"{number}","FormatViolation","",{{}}]')
    await socket.send('[2,"1","Reset",{}]')
    await until(lambda: ours.frames)
    assert ours.upstream.state == "connected"


@pytest.mark.parametrize("number", ["7", "-1", "123456789012345678901234567890", "1.50"])
async def test_a_numeric_id_is_echoed_as_a_number(number: str, script: Script, dial: MakeOurs) -> None:
    ours = dial()
    await until(lambda: ours.events)
    [socket] = script.sockets
    await socket.send(f'[2,{number},"ClearCache",{{}}]')
    await until(lambda: ours.frames)
    assert ours.frames[0] == Call(number, "ClearCache", msgspec.Raw(b"{}"))
    ours.upstream.write(encode(Call(number, "Heartbeat", msgspec.Raw(b"{}"))))
    ours.upstream.write(encode(Result(number, msgspec.Raw(b'{"status":"Accepted"}'))))
    ours.upstream.write(encode(Result(number, msgspec.Raw(b"{}"))))
    await until(lambda: len(script.heard) == 3)
    assert script.heard == [
        f'[2,"{number}","Heartbeat",{{}}]',
        f'[3,{number},{{"status":"Accepted"}}]',
        f'[3,"{number}",{{}}]',
    ]


async def test_a_numeric_id_in_an_error_and_text_ids_beside_it(script: Script, dial: MakeOurs) -> None:
    ours = dial()
    await until(lambda: ours.events)
    [socket] = script.sockets
    await socket.send('[2,5,"Reset",null]')
    await socket.send('[2,"6","ClearCache"]')
    await until(lambda: len(ours.frames) == 2)
    assert [frame.payload for frame in ours.frames if isinstance(frame, Call)] == [msgspec.Raw(b"{}")] * 2
    ours.upstream.write(encode(Result("6")))
    ours.upstream.write(encode(Error("5", "InternalError", 'a "5"')))
    await until(lambda: len(script.heard) == 2)
    assert [json.loads(text)[1] for text in script.heard] == ["6", 5]


async def test_a_silent_peer_is_pinged_and_then_given_up(script: Script, dial: MakeOurs) -> None:
    ours = dial(ping_interval=0.2)
    await until(lambda: ours.events)
    await asyncio.sleep(1.0)
    assert ours.upstream.state == "connected", "its pongs show that it lives"
    [socket] = script.sockets
    socket.transport.pause_reading()  # it does not even answer pings any more
    await until(lambda: "lost" in ours.events)
    assert ours.upstream.ended == "ping_timeout"
    await until(lambda: ours.upstream.state == "connected")
    ours.upstream.stop()
    await until(lambda: ours.upstream.state == "idle")
    assert ours.upstream.ended == "charger_gone"


async def test_a_self_signed_authority(
    script: Script, dial: MakeOurs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The configuration has no key for it: SSL_CERT_FILE names the authority."""
    key, cert = certificate(tmp_path)
    context = tls.create_default_context(tls.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    await script.stop()
    await script.start(context)
    stranger = dial(url=script.url.replace("ws://", "wss://"))
    await until(lambda: stranger.events)
    assert stranger.events == ["tls"]
    stranger.upstream.stop()
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    trusting = Ours(config.Upstream(url=script.url.replace("ws://", "wss://"), version="ocpp1.6"), "CP2", Dials(8))
    trusting.upstream.start()
    await until(lambda: trusting.events)
    assert trusting.events == ["connected"]
    trusting.upstream.stop()
    await until(lambda: trusting.upstream.state == "idle")
