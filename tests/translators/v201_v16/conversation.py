"""What the conversations of a 2.0.1 charger with a 1.6 CSMS have in common."""

from __future__ import annotations

from typing import Any

from tests.translators.playbook import Playbook, options_of
from translators.frames import Side
from translators.v201_v16 import PAIR
from translators.v201_v16.state import Facts

TAG = "04A1B2C3"
TOKEN = {"idToken": TAG, "type": "ISO14443"}
OK = {"idTagInfo": {"status": "Accepted"}}
ACCEPTED = {"idTokenInfo": {"status": "Accepted"}}
AT = "2026-03-01T10:{:02d}:00Z"
Left = tuple[Side, list[Any]]


class Talk(Playbook):
    """A playbook with the facts of this pair."""

    def __init__(self, facts: Facts | None = None, *, keyed: bool = False, **options: Any) -> None:
        chosen = options_of(options)
        known = facts or Facts(
            registration="Accepted" if chosen.registered else "", known_connectors=0 if chosen.topology else 2
        )
        super().__init__(PAIR, chosen, known, keyed=keyed)  # type: ignore[arg-type]

    @property
    def state(self) -> Facts:
        return self.facts  # type: ignore[return-value]


def to_csms(action: str, payload: Any) -> Left:
    return "csms", [2, "$uuid", action, payload]


def to_charger(action: str, payload: Any) -> Left:
    return "charger", [2, "$uuid", action, payload]


class World:
    """Short ways to say what either side says; each CALL that leaves is answered by `csms` or `charger`."""

    def __init__(self, facts: Facts | None = None, **options: Any) -> None:
        self.play = Talk(facts, **options)
        self.count = 0
        self.open: dict[str, str] = {}

    @property
    def facts(self) -> Facts:
        return self.play.state

    def says(self, action: str, payload: dict[str, Any], *expected: Left) -> None:
        """A CALL of the charger and what leaves at once."""
        self.count += 1
        self.play.step("charger", [2, f"c{self.count}", action, payload], *self._named(expected))

    def commands(self, action: str, payload: dict[str, Any], *expected: Left) -> None:
        """A CALL of the CSMS and what leaves at once."""
        self.count += 1
        self.play.step("csms", [2, f"s{self.count}", action, payload], *self._named(expected))

    def csms(self, payload: dict[str, Any], *expected: Left) -> None:
        """The CSMS answers the latest CALL it got."""
        self.play.step("csms", [3, self.open["csms"], payload], *self._named(expected))

    def charger(self, payload: dict[str, Any], *expected: Left) -> None:
        """The charger answers the latest CALL it got."""
        self.play.step("charger", [3, self.open["charger"], payload], *self._named(expected))

    def refused(self, side: Side, code: str, *expected: Left) -> None:
        """One side answers the latest CALL it got with a CALLERROR."""
        self.play.step(side, [4, self.open[side], code, "no", {}], *self._named(expected))

    def waits(self, seconds: float, *expected: Left) -> None:
        self.play.wait(seconds, *self._named(expected))

    def answer(self, payload: dict[str, Any], number: int | None = None) -> Left:
        """The charger's CALL (the latest) is answered."""
        return "charger", [3, f"c{number or self.count}", payload]

    def answer_next(self, payload: dict[str, Any]) -> Left:
        """The charger's next CALL is answered at once."""
        return self.answer(payload, self.count + 1)

    def result(self, payload: dict[str, Any], number: int | None = None) -> Left:
        """The CSMS's CALL (the latest) is answered."""
        return "csms", [3, f"s{number or self.count}", payload]

    def error(self, code: str) -> Left:
        return "charger", [4, f"c{self.count}", code, "$any", "$any"]

    def error_next(self, code: str) -> Left:
        """The charger's next CALL is refused at once."""
        return "charger", [4, f"c{self.count + 1}", code, "$any", "$any"]

    def passes(self, action: str, payload: dict[str, Any], asked: Left, reply: Any, answer: Any) -> None:
        """A whole exchange: CALL of the charger, its translation, the CSMS's answer, the charger's answer."""
        self.says(action, payload, asked)
        self.csms(reply, self.answer(answer))

    def obeys(self, action: str, payload: dict[str, Any], asked: Left, reply: Any, answer: Any) -> None:
        """A whole exchange: CALL of the CSMS, its translation, the charger's answer, the CSMS's answer."""
        self.commands(action, payload, asked)
        self.charger(reply, self.result(answer))

    def local(self, action: str, payload: dict[str, Any], answer: dict[str, Any]) -> None:
        """A CALL of the charger that the gateway answers itself."""
        self.count += 1
        self.play.step("charger", [2, f"c{self.count}", action, payload], self.answer(answer))

    def decides(self, action: str, payload: dict[str, Any], answer: dict[str, Any]) -> None:
        """A CALL of the CSMS that the gateway answers itself."""
        self.count += 1
        self.play.step("csms", [2, f"s{self.count}", action, payload], self.result(answer))

    def _named(self, expected: tuple[Left, ...]) -> list[Left]:
        named: list[Left] = []
        for side, frame in expected:
            if frame[0] == 2 and frame[1] == "$uuid":
                name = f"$uuid:m{self.count}-{len(self.play.bound)}-{len(named)}"
                self.open[side] = name
                frame = [2, name, *frame[2:]]
            named.append((side, frame))
        return named

    # -- what happens all the time -----------------------------------------------------------------------------------

    def status(self, now: str, told: str, evse: int = 1, minute: int = 0, connector: int = 1) -> None:
        """A status that the CSMS hears of."""
        number = evse if connector == 1 else connector
        self.passes(
            "StatusNotification",
            reported(now, evse, minute, connector),
            status_of(number, told, minute),
            {},
            {},
        )

    def starts(self, evse: int = 1, tid: int = 987, txid: str = "TX-1", **more: Any) -> None:
        """A transaction that starts at once, with 5000 Wh on the meter."""
        self.says("TransactionEvent", event("Started", evse=evse, txid=txid, **more), start(evse))
        self.csms({"transactionId": tid, **OK}, self.answer(ACCEPTED))


def reported(now: str, evse: int = 1, minute: int = 0, connector: int = 1) -> dict[str, Any]:
    return {"timestamp": AT.format(minute), "connectorStatus": now, "evseId": evse, "connectorId": connector}


def status_of(number: int, status: str, minute: int = 0, code: str = "NoError", **more: Any) -> Left:
    about = {"connectorId": number, "errorCode": code, "status": status, "timestamp": AT.format(minute)}
    return to_csms("StatusNotification", {**about, **more})


def register(value: Any, context: str = "Sample.Periodic", minute: int = 1, unit: str = "Wh") -> list[dict[str, Any]]:
    sample = {"value": value, "context": context, "unitOfMeasure": {"unit": unit}}
    return [{"timestamp": AT.format(minute), "sampledValue": [sample]}]


def event(
    kind: str,
    *,
    txid: str = "TX-1",
    seq: int = 0,
    minute: int = 1,
    trigger: str = "Authorized",
    state: str | None = "EVConnected",
    evse: int | None = None,
    token: Any = None,
    wh: Any = None,
    reason: str | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A TransactionEvent; a Started one has a token, a place and a register unless told otherwise."""
    info: dict[str, Any] = {"transactionId": txid}
    if state is not None:
        info["chargingState"] = state
    if reason is not None:
        info["stoppedReason"] = reason
    payload: dict[str, Any] = {
        "eventType": kind,
        "timestamp": AT.format(minute),
        "triggerReason": trigger,
        "seqNo": seq,
        "transactionInfo": info,
    }
    if kind == "Started":
        payload["idToken"] = TOKEN if token is None else token
        payload["meterValue"] = register(5000 if wh is None else wh, "Transaction.Begin", minute)
    else:
        if token is not None:
            payload["idToken"] = token
        if wh is not None:
            payload["meterValue"] = register(wh, "Transaction.End" if kind == "Ended" else "Sample.Periodic", minute)
    if evse:
        payload["evse"] = {"id": evse, "connectorId": 1}
    payload.update(more)
    return {name: value for name, value in payload.items() if value != ()}


def start(connector: int = 1, wh: int = 5000, minute: int = 1, tag: str = TAG, **more: Any) -> Left:
    about = {"connectorId": connector, "idTag": tag, "meterStart": wh, "timestamp": AT.format(minute)}
    return to_csms("StartTransaction", {**about, **more})


def stop(wh: int, minute: int = 9, reason: str = "Local", tid: int = 987, data: Any = None, **more: Any) -> Left:
    about = {"transactionId": tid, "meterStop": wh, "timestamp": AT.format(minute), "reason": reason}
    if data is not None:
        about["transactionData"] = data
    return to_csms("StopTransaction", {**about, **more})
