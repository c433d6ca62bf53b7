"""What the conversations of a 1.6 charger with a 2.0.1 CSMS have in common."""

from __future__ import annotations

from typing import Any

from tests.translators.playbook import Playbook, options_of
from translators.facts import Facts
from translators.frames import Side
from translators.v16_v201 import PAIR

TAG = "04A1B2C3"
TOKEN = {"idToken": TAG, "type": "ISO14443"}
OK = {"idTokenInfo": {"status": "Accepted"}}
AT = "2026-03-01T10:{:02d}:00Z"


def talk(facts: Facts | None = None, *, keyed: bool = False, **options: Any) -> Playbook:
    return Playbook(PAIR, options_of(options), facts, keyed=keyed)


def to_csms(action: str, payload: dict[str, Any], name: str = "$uuid") -> tuple[Side, list[Any]]:
    return "csms", [2, name, action, payload]


def to_charger(payload: dict[str, Any], id: str = "c") -> tuple[Side, list[Any]]:
    return "charger", [3, id, payload]


class Charger:
    """Short ways to say what a charger says; each exchange binds fresh message names."""

    def __init__(self, playbook: Playbook | None = None, **options: Any) -> None:
        self.play = playbook or talk(**options)
        self.count = 0
        self.open = ""

    def says(self, action: str, payload: dict[str, Any], *expected: tuple[Side, list[Any]]) -> None:
        """A CALL of the charger and what leaves at once."""
        self.count += 1
        self.play.step("charger", [2, f"c{self.count}", action, payload], *self._named(expected))

    def hears(self, payload: dict[str, Any], *expected: tuple[Side, list[Any]]) -> None:
        """The CSMS answers the latest CALL it got."""
        self.play.step("csms", [3, self.open, payload], *self._named(expected))

    def refused(self, code: str, *expected: tuple[Side, list[Any]]) -> None:
        """The CSMS answers the latest CALL it got with a CALLERROR."""
        self.play.step("csms", [4, self.open, code, "no", {}], *self._named(expected))

    def asks(self, action: str, payload: dict[str, Any], asked: tuple[Side, list[Any]]) -> None:
        """A CALL of the charger that becomes one CALL to the CSMS."""
        self.says(action, payload, asked)

    def passes(
        self, action: str, payload: dict[str, Any], asked: tuple[Side, list[Any]], reply: Any, answer: Any
    ) -> None:
        """A whole exchange: CALL, its translation, the CSMS's answer, the charger's answer."""
        self.says(action, payload, asked)
        self.hears(reply, self.answer(answer))

    def local(self, action: str, payload: dict[str, Any], answer: dict[str, Any]) -> None:
        """A CALL that the gateway answers itself."""
        self.count += 1
        self.play.step("charger", [2, f"c{self.count}", action, payload], ("charger", [3, f"c{self.count}", answer]))

    def answer(self, payload: dict[str, Any]) -> tuple[Side, list[Any]]:
        return "charger", [3, f"c{self.count}", payload]

    def error(self, code: str) -> tuple[Side, list[Any]]:
        return "charger", [4, f"c{self.count}", code, "$any", "$any"]

    def _named(self, expected: tuple[tuple[Side, list[Any]], ...]) -> list[tuple[Side, list[Any]]]:
        named: list[tuple[Side, list[Any]]] = []
        for side, frame in expected:
            if side == "csms" and frame[0] == 2 and frame[1] == "$uuid":
                self.open = f"$uuid:m{len(self.play.bound)}-{self.count}"
                frame = [2, self.open, *frame[2:]]
            named.append((side, frame))
        return named

    def status(self, connector: int, status: str, *expected: tuple[Side, list[Any]], **more: Any) -> None:
        payload = {"connectorId": connector, "errorCode": "NoError", "status": status, "timestamp": AT.format(0)}
        self.says("StatusNotification", {**payload, **more}, *expected)

    def reported(self, connector: int, status: str, now: str, **more: Any) -> None:
        """A status that the CSMS hears as a StatusNotification."""
        self.status(connector, status, status_of(connector, now, more.get("timestamp", AT.format(0))), **more)
        self.hears({}, self.answer({}))

    def starts(self, connector: int = 1, tag: str = TAG, meter: int = 1000, minute: int = 1, **more: Any) -> None:
        """A transaction that the CSMS accepts; binds $uuid:tx<connector> and $int:tid<connector>."""
        self.says(
            "StartTransaction", start(connector, tag, meter, minute), started(connector, tag, meter, minute, **more)
        )
        self.hears(OK, self.answer({"transactionId": f"$int:tid{connector}", "idTagInfo": {"status": "Accepted"}}))


def start(connector: int = 1, tag: str = TAG, meter: int = 1000, minute: int = 1, **more: Any) -> dict[str, Any]:
    return {"connectorId": connector, "idTag": tag, "meterStart": meter, "timestamp": AT.format(minute), **more}


def stop(connector: int = 1, meter: int = 2500, minute: int = 20, **more: Any) -> dict[str, Any]:
    return {"transactionId": f"$int:tid{connector}", "meterStop": meter, "timestamp": AT.format(minute), **more}


def wh(value: int, context: str) -> dict[str, Any]:
    return {
        "value": value,
        "context": context,
        "measurand": "Energy.Active.Import.Register",
        "location": "Outlet",
        "unitOfMeasure": {"unit": "Wh"},
    }


def started(
    connector: int = 1,
    tag: str = TAG,
    meter: int = 1000,
    minute: int = 1,
    *,
    token: dict[str, Any] | None = None,
    reason: str = "Authorized",
    state: str = "EVConnected",
    info: dict[str, Any] | None = None,
    **more: Any,
) -> tuple[Side, list[Any]]:
    at = AT.format(minute)
    return to_csms(
        "TransactionEvent",
        {
            "eventType": "Started",
            "timestamp": at,
            "triggerReason": reason,
            "seqNo": 0,
            "transactionInfo": {"transactionId": f"$uuid:tx{connector}", "chargingState": state, **(info or {})},
            "idToken": token or {"idToken": tag, "type": "ISO14443"},
            "evse": {"id": connector, "connectorId": 1},
            "meterValue": [{"timestamp": at, "sampledValue": [wh(meter, "Transaction.Begin")]}],
            **more,
        },
    )


def updated(
    seq: int,
    minute: int = 0,
    *,
    connector: int = 1,
    reason: str = "ChargingStateChanged",
    state: str | None = None,
    **more: Any,
) -> tuple[Side, list[Any]]:
    info = {"transactionId": f"$uuid:tx{connector}"} | ({"chargingState": state} if state else {})
    return to_csms(
        "TransactionEvent",
        {
            "eventType": "Updated",
            "timestamp": AT.format(minute),
            "triggerReason": reason,
            "seqNo": seq,
            "transactionInfo": info,
            **more,
        },
    )


def ended(
    seq: int,
    minute: int = 20,
    *,
    connector: int = 1,
    meter: int = 2500,
    trigger: str = "StopAuthorized",
    reason: str = "Local",
    state: str | None = None,
    values: list[dict[str, Any]] | None = None,
    info: dict[str, Any] | None = None,
    **more: Any,
) -> tuple[Side, list[Any]]:
    at = AT.format(minute)
    about = {"transactionId": f"$uuid:tx{connector}", "stoppedReason": reason, **(info or {})}
    return to_csms(
        "TransactionEvent",
        {
            "eventType": "Ended",
            "timestamp": at,
            "triggerReason": trigger,
            "seqNo": seq,
            "transactionInfo": about | ({"chargingState": state} if state else {}),
            "meterValue": values or [{"timestamp": at, "sampledValue": [wh(meter, "Transaction.End")]}],
            **more,
        },
    )


def status_of(connector: int, now: str, at: str = AT.format(0), **more: Any) -> tuple[Side, list[Any]]:
    return to_csms(
        "StatusNotification",
        {"timestamp": at, "connectorStatus": now, "evseId": connector, "connectorId": 1, **more},
    )
