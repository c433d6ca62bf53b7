"""What a message costs, counted instead of timed: Python calls in the gateway, and lines in its log."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from .process import Gateway
from .raw import RawCsms, polite, raw_csms, until

__all__ = ["raw_csms"]

WINDOWS, MESSAGES = 12, 15
"""The cheapest window counts: in the others a timer fired, or the store's wake-up came before its answer."""
MARGIN = 4.0
PER_TURN = (
    *(
        "asyncio",
        "journal/appending.py",
        "journal/connection.py",
        "journal/joint.py",
        "journal/store.py",
        "journal/streams.py",
        "journal/facts.py",
        "gateway/metrics.py",
    ),
    *(
        "hub/effects.py",
        "hub/hub.py",
        "hub/ownership.py",
        "hub/partition.py",
        "hub/reader.py",
        "hub/turn.py",
        "hub/comparing.py",
    ),
)
"""Where the number of calls depends on how many messages, reads and commits share a turn of the loop: not judged here."""


def answer(id: str, action: str, payload: dict[str, Any]) -> list[Any]:
    if action == "TransactionEvent":
        return [3, id, {"idTokenInfo": {"status": "Accepted"}} if "idToken" in payload else {}]
    return polite(id, action, payload)


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the numbers are those of Python 3.11")
@pytest.mark.parametrize(("version", "most"), [("ocpp1.6", 92), ("ocpp2.0.1", 110)])
async def test_python_calls_and_log_lines_per_message(
    version: str, most: int, raw_csms: Callable[[str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One charger, a MeterValues after the other. Fewer is better: then lower the number here."""
    csms: RawCsms = await raw_csms(version)
    csms.reply = answer
    program = tmp_path / "gateway"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tests.e2e.counted "$@"\n')
    program.chmod(0o755)
    gateway = Gateway(tmp_path / "run", {"upstreams": {"main": {"url": csms.url, "version": version}}})
    gateway.command, counted = program, tmp_path / "calls.json"
    windows: list[dict[str, int]] = []
    monkeypatch.setenv("COUNTED_CALLS", str(counted))
    try:
        await gateway.start()
        assert gateway.process is not None
        async with connect(f"{gateway.url}/CP1", subprotocols=["ocpp1.6"], proxy=None) as socket:  # type: ignore[list-item]
            await say(socket, "BootNotification", chargePointVendor="A", chargePointModel="B")
            for connector in (0, 1):
                await say(socket, "StatusNotification", connectorId=connector, errorCode="NoError", status="Available")
            start = await say(
                socket, "StartTransaction", connectorId=1, idTag="T", meterStart=0, timestamp="2026-11-22T10:00:00Z"
            )
            for number in range(20):
                await meter(socket, start["transactionId"], number)
            await asyncio.sleep(0.3)
            lines = len(gateway.log.read_text().splitlines())
            for window in range(WINDOWS):
                gateway.process.send_signal(signal.SIGUSR1)
                await asyncio.sleep(0.05)
                for number in range(MESSAGES):
                    await meter(socket, start["transactionId"], 20 + window * MESSAGES + number)
                gateway.process.send_signal(signal.SIGUSR1)
                await until("count of calls", counted.exists)
                windows.append(json.loads(counted.read_text()))
                counted.unlink()
            assert len(gateway.log.read_text().splitlines()) == lines, "a log line for a message"
    finally:
        await gateway.stop()
    judged = [{name: n for name, n in each.items() if not any(part in name for part in PER_TURN)} for each in windows]
    calls = min(judged, key=lambda each: sum(each.values()))
    each = sum(calls.values()) / MESSAGES
    most_called = sorted(calls.items(), key=lambda item: -item[1])
    listing = "\n".join(f"{number / MESSAGES:6.2f} {name}" for name, number in most_called[:200])
    assert each <= most + MARGIN, f"{each:.1f} Python calls per message, at most {most} are wanted:\n{listing}"


async def meter(socket: Any, transaction: int, number: int) -> None:
    value = {"value": str(1000 + number), "measurand": "Energy.Active.Import.Register", "unit": "Wh"}
    sample = {"timestamp": f"2026-11-22T10:{number // 60:02d}:{number % 60:02d}Z", "sampledValue": [value]}
    await say(socket, "MeterValues", connectorId=1, transactionId=transaction, meterValue=[sample])


async def say(socket: Any, action: str, **payload: Any) -> Any:
    """Sends a CALL and gives the payload of its answer; what the gateway asks meanwhile is refused."""
    id = f"{action}-{payload.get('meterValue') or ''}"[-36:]
    await socket.send(json.dumps([2, id, action, payload]))
    while True:
        frame = json.loads(await asyncio.wait_for(socket.recv(), 30))
        if frame[0] == 2:
            await socket.send(json.dumps([4, frame[1], "NotImplemented", "", {}]))
        elif frame[1] == id:
            assert frame[0] == 3, frame
            return frame[2]
