"""Microseconds per message in the pure layer: decode the charger's frame, translate it, encode what leaves. No I/O."""

from __future__ import annotations

import importlib
import itertools
import statistics
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

import msgspec

START_MS = 1_767_225_600_000
TRANSACTIONS_PER_LIFE = 20
"""After so many a new translator begins, as after a restart: no charger ends thousands of transactions a day."""

_ANSWERS = {
    "BootNotification": b'{"currentTime":"2026-01-01T00:00:00Z","interval":3600,"status":"Accepted"}',
    "TransactionEvent": b'{"idTokenInfo":{"status":"Accepted"}}',
    "Authorize": b'{"idTokenInfo":{"status":"Accepted"}}',
    "Heartbeat": b'{"currentTime":"2026-01-01T00:00:00Z"}',
}


class Missing(Exception):
    """The translators cannot be measured; the message says why."""


def build() -> Any:
    """A fresh 1.6 -> 2.0.1 translator with `receive(side, frame, clock, *, key, tx) -> steps`. Raises Missing.

    The one place that knows how a translator is made.
    """
    try:
        translators = importlib.import_module("translators")
        ids = itertools.count(1)
        options = translators.Options()
        return translators.translator("ocpp1.6", "ocpp2.0.1", b"", options, lambda: f"g{next(ids):015d}")
    except (ImportError, AttributeError, TypeError) as error:
        raise Missing(f"the translator cannot be built: {error}") from None


class Charger:
    """One charger and its CSMS around a translator."""

    def __init__(self) -> None:
        self.frames = importlib.import_module("translators.frames")
        self.translator = build()
        self.clock = START_MS
        self.count = 0
        self.tx = 0
        self.tell("BootNotification", {"chargePointVendor": "Bench", "chargePointModel": "Lean"})
        for connector in (0, 1):
            self.tell("StatusNotification", self.status(connector, "Available"))

    def stamp(self) -> str:
        """A new time for each message, one second apart."""
        self.clock += 1000
        seconds = (self.clock - START_MS) // 1000
        return f"2026-01-01T{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}Z"

    def tell(self, action: str, payload: Any) -> int:
        """One CALL and its answer; ns from the charger's bytes to the bytes for the CSMS."""
        self.count += 1
        raw = msgspec.json.encode([2, f"c{self.count}", action, payload])
        clock, key, frames = self.clock, f"{self.count}-0", self.frames
        began = perf_counter_ns()
        steps = self.translator.receive("charger", frames.decode(raw), clock, key=key, tx=self.tx)
        out = [frames.encode(step.frame) for step in steps if hasattr(step, "frame")]
        spent = perf_counter_ns() - began
        if not out:
            raise Missing(f"nothing leaves for {action}")
        self._answer(steps, action)
        return spent

    def _answer(self, steps: Any, action: str) -> None:
        """The CSMS accepts everything that was asked of it; CALLs to the charger stay unanswered."""
        for step in steps:
            frame = getattr(step, "frame", None)
            if isinstance(frame, self.frames.Error):
                raise Missing(f"{action} is refused: {frame.code} {frame.description}")
            if isinstance(frame, self.frames.Call) and step.to == "csms":
                answer = msgspec.Raw(_ANSWERS.get(frame.action, b"{}"))
                self._answer(self.translator.receive("csms", self.frames.Result(frame.id, answer), self.clock), action)

    def status(self, connector: int, status: str) -> dict[str, Any]:
        return {"connectorId": connector, "errorCode": "NoError", "status": status, "timestamp": self.stamp()}

    def start(self) -> dict[str, Any]:
        self.tx += 1
        return {"connectorId": 1, "idTag": f"TAG{self.tx}", "meterStart": self.tx, "timestamp": self.stamp()}

    def stop(self) -> dict[str, Any]:
        sample = {
            "value": "1",
            "context": "Transaction.End",
            "measurand": "Energy.Active.Import.Register",
            "unit": "Wh",
        }
        data = [{"timestamp": self.stamp(), "sampledValue": [sample]} for _ in range(2)]
        begin, end = {**data[0]}, data[1]
        begin["sampledValue"] = [{**sample, "context": "Transaction.Begin"}]
        return {
            "transactionId": self.tx,
            "idTag": f"TAG{self.tx}",
            "meterStop": self.tx + 1000,
            "timestamp": self.stamp(),
            "reason": "Local",
            "transactionData": [begin, end],
        }

    def meter_values(self, samples: int) -> dict[str, Any]:
        return {"connectorId": 1, "transactionId": self.tx, "meterValue": [self.meter_value(samples)]}

    def meter_value(self, samples: int) -> dict[str, Any]:
        kinds = (
            ("Energy.Active.Import.Register", "Wh", None),
            ("Power.Active.Import", "W", None),
            ("SoC", "Percent", None),
            ("Power.Offered", "W", None),
            *(
                (measurand, unit, f"L{n}")
                for measurand, unit in (("Current.Import", "A"), ("Voltage", "V"))
                for n in (1, 2, 3)
            ),
        )
        values = []
        for measurand, unit, phase in kinds[:samples]:
            value = {"value": f"{self.count}.5", "context": "Sample.Periodic", "format": "Raw", "measurand": measurand}
            values.append(value | {"location": "Outlet", "unit": unit} | ({"phase": phase} if phase else {}))
        return {"timestamp": self.stamp(), "sampledValue": values}


def measure(rounds: int) -> dict[str, tuple[float, float]]:
    """Message -> (median, minimum) in us over `rounds` messages of each kind. Raises Missing."""
    spent: dict[str, list[int]] = {}
    for at in range(rounds):
        if at % TRANSACTIONS_PER_LIFE == 0:
            charger = Charger()
        for name, action, payload in _messages(charger):
            spent.setdefault(name, []).append(charger.tell(action, payload()))
    return {name: (statistics.median(times) / 1000, min(times) / 1000) for name, times in spent.items()}


def _messages(charger: Charger) -> list[tuple[str, str, Callable[[], Any]]]:
    """One charging session, in order."""
    return [
        ("StatusNotification", "StatusNotification", lambda: charger.status(1, "Preparing")),
        ("StartTransaction", "StartTransaction", charger.start),
        ("MeterValues x1", "MeterValues", lambda: charger.meter_values(1)),
        ("MeterValues x4", "MeterValues", lambda: charger.meter_values(4)),
        ("MeterValues x10", "MeterValues", lambda: charger.meter_values(10)),
        ("StopTransaction", "StopTransaction", charger.stop),
        ("Heartbeat", "Heartbeat", dict),
        ("StatusNotification", "StatusNotification", lambda: charger.status(1, "Available")),
    ]
