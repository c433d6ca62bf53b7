"""How a charger is shown to each CSMS to be itself."""

from __future__ import annotations

import base64
import os
import ssl as tls
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.config import Upstream as Settings
from gateway.hub.credentials import Contexts, Unknown, headers
from gateway.hub.upstream import Dials, Upstream
from gateway.wheel import Wheel

from .script import Script, certificate, until


def upstream(
    script: Script, events: list[str], shown: Callable[[str], str | None] | None = None, **keys: Any
) -> Upstream:
    settings = Settings(**{"url": script.url, "version": "ocpp1.6", "reconnect_min": 0.1, **keys})
    made = Upstream("main", "CP1", settings, Wheel(), Dials(8), lambda _frame: None, events.append, shown)
    made.start()
    return made


def basic(pair: str) -> str:
    return "Basic " + base64.b64encode(pair.encode()).decode()


@pytest.mark.parametrize(
    ("keys", "path", "sent"),
    [
        ({}, "/ocpp/CP1", ""),
        ({"charger_id": "acme-{id}"}, "/ocpp/acme-CP1", ""),
        ({"charger_ids": {"cp1": "X 1"}, "charger_id": "acme-{id}"}, "/ocpp/X%201", ""),
        ({"charger_ids": {"cp1": "X1"}, "password": "p"}, "/ocpp/X1", basic("X1:p")),
        ({"passwords": {"CP1": "own"}, "password": "all"}, "/ocpp/CP1", basic("CP1:own")),
        ({"passwords": {"CP2": "own"}, "password": "all", "username": "u"}, "/ocpp/CP1", basic("u:all")),
        ({"passwords": {"CP1": "hex:00ff80"}}, "/ocpp/CP1", "Basic " + base64.b64encode(b"CP1:\x00\xff\x80").decode()),
        ({"credentials": "passthrough"}, "/ocpp/CP1", "Digest whatever"),
    ],
)
async def test_what_each_csms_sees(keys: dict[str, Any], path: str, sent: str, script: Script) -> None:
    events: list[str] = []
    ours = upstream(script, events, lambda charger: "Digest whatever" if charger == "CP1" else None, **keys)
    await until(lambda: events)
    assert events == ["connected"]
    assert script.requests[0].path == path
    assert script.requests[0].headers.get("Authorization", "") == sent
    ours.stop()
    await until(lambda: ours.state == "idle")


async def test_nobody_is_dialled_for_a_charger_whose_credentials_are_not_known(script: Script) -> None:
    events: list[str] = []
    here: dict[str, str] = {}
    ours = upstream(script, events, here.get, credentials="passthrough")
    await until(lambda: events)
    assert events == ["credentials"] and script.dials == [] and ours.state == "backoff"
    here["CP1"] = basic("CP1:one")
    ours.hurry()  # the charger has come
    await until(lambda: events[-1] == "connected", 5)
    here.clear()
    [socket] = script.sockets
    await socket.close()
    await until(lambda: events.count("connected") == 2, 5)
    assert [each.headers["Authorization"] for each in script.requests] == [basic("CP1:one")] * 2, (
        "kept for the next dial"
    )
    ours.stop()
    await until(lambda: ours.state == "idle")


def test_without_the_chargers_own_there_is_nothing_to_pass_on() -> None:
    settings = Settings(url="ws://x", version="ocpp1.6", credentials="passthrough")
    with pytest.raises(Unknown):
        headers(settings, "CP1", None)
    assert headers(settings, "CP1", "") == {}, "it came without"


async def test_a_client_certificate_and_an_authority_of_its_own(script: Script, tmp_path: Path) -> None:
    key, cert = certificate(tmp_path)
    context = tls.create_default_context(tls.Purpose.CLIENT_AUTH, cafile=str(cert))
    context.verify_mode = tls.CERT_REQUIRED
    context.load_cert_chain(cert, key)
    await script.stop()
    await script.start(context)
    keys: dict[str, Any] = {"url": script.url.replace("ws://", "wss://"), "ca_file": str(cert)}
    events: list[str] = []
    ours = upstream(script, events, **keys, client_cert=str(cert), client_key=str(key))
    await until(lambda: events)
    assert events == ["connected"]
    ours.stop()
    bare: list[str] = []
    without = upstream(script, bare, **{**keys, "charger_id": "other-{id}"})
    await until(lambda: bare)
    assert "connected" not in bare[:1]
    without.stop()
    await until(lambda: ours.state == without.state == "idle")


async def test_files_that_cannot_be_used(script: Script, tmp_path: Path) -> None:
    broken = tmp_path / "ca.pem"
    broken.write_text("no certificate")
    events: list[str] = []
    ours = upstream(script, events, url="wss://127.0.0.1:1", ca_file=str(broken))
    await until(lambda: events)
    assert events == ["tls"] and "certificates" in ours.last_error
    ours.stop()


def test_contexts_are_made_once(tmp_path: Path) -> None:
    _, cert = certificate(tmp_path)
    contexts = Contexts()
    one = Settings(url="wss://x", version="ocpp1.6", ca_file=str(cert))
    assert contexts.of(one) is contexts.of(Settings(url="wss://y", version="ocpp1.6", ca_file=str(cert)))
    assert contexts.of(one) is not contexts.of(Settings(url="wss://y", version="ocpp1.6"))


def test_a_renewed_certificate_is_used_from_then_on(tmp_path: Path) -> None:
    _, cert = certificate(tmp_path)
    contexts = Contexts()
    settings = Settings(url="wss://x", version="ocpp1.6", ca_file=str(cert))
    before = contexts.of(settings)
    os.utime(cert, ns=(1, 1))
    assert contexts.of(settings) is not before
    assert contexts.of(settings) is contexts.of(settings)
