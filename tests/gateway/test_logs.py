"""Logs: one JSON object a line, nothing secret in it."""

from __future__ import annotations

import ast
import asyncio
import io
import json
import logging
import os
import re
import time
from pathlib import Path

import pytest
import structlog

from gateway import logs
from gateway.admin.api import AdminApi
from gateway.config import Log
from gateway.metrics import Metrics
from gateway.redact import redact, token, url


@pytest.fixture(autouse=True)
def _restore():
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json_lines() -> None:
    stream = io.StringIO()
    logs.configure(Log(level="info"), stream)
    log = logs.get(role="edge")
    log.debug("hidden")
    log.info("charger_connected", charger_id="CP1", payload=b"abc")
    try:
        raise RuntimeError("boom")
    except RuntimeError:
        log.exception("failed")
    logging.getLogger("aiohttp").warning("odd %s", "thing")
    logging.getLogger("aiohttp").info("chatter")
    first, second, third = lines(stream)
    assert list(first) == ["ts", "level", "event", "role", "charger_id", "payload"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first["ts"])
    assert (first["level"], first["event"], first["payload"]) == ("info", "charger_connected", "<3 bytes>")
    assert second["level"] == "error"
    assert "RuntimeError: boom" in second["exception"]
    assert (third["event"], third["logger"], third["message"]) == ("library_log", "aiohttp", "odd thing")


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\r\n\r\n"])
async def test_who_speaks_no_http_does_not_fill_the_log(said: bytes) -> None:
    stream = io.StringIO()
    logs.configure(Log(), stream)
    api = AdminApi("127.0.0.1", 0, metrics=Metrics(["main"]), checks=dict, full=str)
    await api.start()
    try:
        for _ in range(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
            writer.write(said)
            assert b" 400 " in (await asyncio.wait_for(reader.read(), 10)).partition(b"\r\n")[0]
            writer.close()
    finally:
        await api.stop()
    logging.getLogger("aiohttp.server").error("our own")
    assert [line["message"] for line in lines(stream) if line["event"] == "library_log"] == ["our own"]


def test_a_noisy_charger_does_not_fill_the_log() -> None:
    stream = io.StringIO()
    logs.configure(Log(level="info"), stream)
    for _ in range(100):
        logs.get().info("malformed_frame", charger_id="CP1")
    logs.get().info("malformed_frame", charger_id="CP2")
    logs.get().info("charger_connected", charger_id="CP1")
    assert len(lines(stream)) == logs.LINES_A_MINUTE + 2


def test_what_was_left_out_is_told() -> None:
    now = 0.0
    quota = logs.Quota(lambda: now)

    def said(event: str, **more: object) -> dict | None:
        try:
            return dict(quota(None, "info", {"event": event, "charger_id": "CP1", **more}))
        except structlog.DropEvent:
            return None

    assert [said("x") is not None for _ in range(30)].count(True) == logs.LINES_A_MINUTE
    assert said("frame", logger="wire") and said("y")
    now = 61
    assert said("x") == {"event": "x", "charger_id": "CP1", "left_out": 10}
    assert said("x") == {"event": "x", "charger_id": "CP1"}


def test_a_minute_of_many_chargers_ends_early_and_forgets_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "REMEMBERED", 3)
    quota = logs.Quota(lambda: 0.0)
    for _ in range(logs.LINES_A_MINUTE):
        quota(None, "info", {"event": "x", "charger_id": "CP1"})
    for _ in range(2):
        with pytest.raises(structlog.DropEvent):
            quota(None, "info", {"event": "x", "charger_id": "CP1"})
    for charger in ("CP2", "CP3", "CP4"):
        assert "left_out" not in quota(None, "info", {"event": "x", "charger_id": charger})
    assert quota(None, "info", {"event": "x", "charger_id": "CP1"})["left_out"] == 2


def test_the_pod_is_named_where_it_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "POD", "gateway-edge-0")
    stream = io.StringIO()
    logs.configure(Log(), stream)
    logs.get().info("started")
    assert lines(stream)[0]["pod"] == "gateway-edge-0"


def test_events_are_constant_words_and_chargers_have_one_name() -> None:
    """Every call of a logger in the program."""
    wrong = []
    for path in Path(logs.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            owner = node.func.value
            if not (isinstance(owner, ast.Name) and owner.id in ("log", "_log") and node.args):
                continue
            where = f"{path.name}:{node.lineno}"
            for word in ast.walk(node.args[0]):
                text = word.value if isinstance(word, ast.Constant) else ""
                if isinstance(text, str) and text and not re.fullmatch(r"[a-z][a-z0-9_]*", text):
                    wrong.append(f"{where}: {text!r} is no constant event")
            named = {keyword.arg for keyword in node.keywords} & {"charger", "backend", "level"}
            wrong += [f"{where}: {name}" for name in named]
    assert wrong == []


def test_console() -> None:
    stream = io.StringIO()
    logs.configure(Log(format="console"), stream)
    logs.get().warning("store_down", since=3)
    assert "store_down" in stream.getvalue()
    assert "since=3" in stream.getvalue()


CANARY = "C4NARY-9f31"


@pytest.mark.parametrize(
    "payload",
    [
        {"password": CANARY},
        {"AuthorizationKey": CANARY},
        {"auth": {"basic_auth_password": [CANARY]}},
        {"idTag": CANARY},
        {"idToken": {"idToken": CANARY, "type": "Central"}},
        {"key": "AuthorizationKey", "value": CANARY},
        {"configurationKey": [{"key": "authorizationKey", "readonly": False, "value": CANARY}]},
        {
            "setVariableData": [
                {"attributeValue": CANARY, "component": {"name": "X"}, "variable": {"name": "BasicAuthPassword"}}
            ]
        },
        {"location": f"ftp://user:{CANARY}@files/x"},
        {"message": f"dial wss://user:a@{CANARY}@csms/ failed"},
        {"apn": {"apnPassword": CANARY}},
        {"csr": CANARY},
    ],
)
def test_no_canary_leaves(payload: dict) -> None:
    stream = io.StringIO()
    logs.configure(Log(), stream)
    logs.get().info("frame", **payload)
    assert CANARY not in stream.getvalue()


def test_redaction_keeps_the_rest() -> None:
    frame = {"key": "HeartbeatInterval", "value": "60", "url": "ws://csms/x", "type": "Central", "n": 1.5, "t": None}
    assert redact(frame) == frame
    assert redact({"password": ""}) == {"password": ""}
    assert redact({"password": "x" * 20}) == {"password": "***(<=64)"}
    assert token("ab") == token("AB") != token("abc")
    assert re.fullmatch("tok:[0-9a-f]{12}", token("ab"))
    assert url("wss://u:p@h:1/x") == "wss://***@h:1/x"


def test_a_reader_that_stops_reading_stops_nobody() -> None:
    """A pipe that is full: the writer goes on, drops what does not fit and tells how much once there is room again."""
    read, write = os.pipe()
    out = os.fdopen(write, "w")
    sink = logs.Sink(out)
    began = time.monotonic()
    for number in range(2 * logs.LINES_MOST):
        sink.write(f"line {number} of many\n")
    assert time.monotonic() - began < 5
    assert sink.dropped > 0
    text = b""
    while b"log_lines_dropped" not in text:
        text += os.read(read, 65536)
        sink.write("more\n")
    told = [line for line in text.splitlines() if b"log_lines_dropped" not in line]  # which may come at any place
    assert told[:2] == [b"line 0 of many", b"line 1 of many"]
    os.close(read)  # the thread ends its waiting; nobody reads any more
    sink.close()
    out.close()
