"""Logs: one JSON object a line, nothing secret in it."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import time

import pytest
import structlog

from gateway import logs
from gateway.config import Log
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
    assert text.startswith(b"line 0 of many\nline 1 of many\n")
    os.close(read)  # the thread ends its waiting; nobody reads any more
    sink.close()
    out.close()
