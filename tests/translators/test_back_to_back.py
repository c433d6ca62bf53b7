"""Two gateways between a 2.0.1 charger and a 2.0.1 CSMS, 1.6 between them: with `carry_lossy: datatransfer` nothing is lost
(spec 10). Every frame is validated."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Raw

from tests.schemas import Kind
from tests.translators.gateways import NOW, VENDOR, Gateways
from tests.translators.members import Maker
from translators import Options, Translator, pair
from translators.dialogue import Done, Out
from translators.frames import OTHER, Call, Error, Result, Side, encode
from translators.models import v201
from translators.v16_v201 import tunnel

WAYS = (("ocpp2.0.1", "ocpp1.6"), ("ocpp1.6", "ocpp2.0.1"))
AT = "2025-03-01T10:0{}:00.000Z"
BOOT = {"reason": "Watchdog", "chargingStation": {"vendorName": "v", "model": "m", "serialNumber": "s"}}
BOOTED = {"currentTime": "2025-03-01T10:00:00Z", "interval": 300, "status": "Accepted"}
INFO = {"idTokenInfo": {"status": "Accepted"}}
LEFT_OUT = {"SetNetworkProfile", "SetVariables"}
"""They may be about the link between the charger and its gateway."""


def gateways(*, proven: bool = True) -> Gateways:
    """Two gateways that know of each other once the charger has booted."""
    made = Gateways(*WAYS, carry="datatransfer")
    if proven:
        assert made.says("charger", "BootNotification", BOOT, {"BootNotification": BOOTED}) == BOOTED
    return made


def drawn(maker: Maker, action: str, kind: Kind) -> Any:
    return json.loads(encode(maker.payload("2.0.1", action, kind)))


EVERY: list[tuple[Side, str]] = [
    *(("csms", action) for action in sorted(v201.FROM_CSMS - LEFT_OUT)),
    *(("charger", action) for action in sorted(v201.FROM_CHARGER)),
]


@pytest.mark.parametrize(("side", "action"), EVERY)
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_message_passes_whole(side: Side, action: str, data: st.DataObject) -> None:
    chain, maker = gateways(), Maker(data)
    request, reply = (drawn(maker, action, kind) for kind in ("request", "response"))
    if action == "Heartbeat":  # it loses nothing in 1.6
        request, reply = {}, {"currentTime": AT.format(1)}
    if action == "NotifyReport":
        request["requestId"] = -1  # not one that the gateway has asked for
    answer = chain.says(side, action, request, {action: reply})
    assert chain.said() == [(action, request)] and chain.heard[0][0] == OTHER[side]
    assert answer == reply
    assert not chain.losses


@pytest.mark.parametrize(
    ("side", "action"), [each for each in EVERY if each[1] not in ("Heartbeat", "SetNetworkProfile")]
)
def test_a_refusal_stays_one(side: Side, action: str) -> None:
    chain = gateways()
    request = next(example(action))
    answer = chain.says(side, action, request, lambda *_: Error("", "InternalError", "no"))
    assert isinstance(answer, Error) and answer.code == "InternalError", answer
    assert chain.said() == [(action, request)]


def example(action: str) -> Any:
    """Valid requests of an action, the same each time."""
    found: list[Any] = []

    @settings(max_examples=1, database=None, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def draw(data: st.DataObject) -> None:
        found.append(drawn(Maker(data), action, "request"))

    draw()
    yield found[0]


def test_a_first_boot_is_told_twice_and_then_whole() -> None:
    chain = gateways(proven=False)
    chain.says("charger", "BootNotification", BOOT, {"BootNotification": BOOTED})
    boots = [payload for action, payload in chain.said() if action == "BootNotification"]
    assert [each["reason"] for each in boots] == ["PowerUp", "Watchdog"] and boots[1] == BOOT
    chain.says("charger", "BootNotification", BOOT, {"BootNotification": BOOTED})
    assert chain.said() == [("BootNotification", BOOT)]


def event(kind: str, seq: int, about: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "eventType": kind,
        "timestamp": AT.format(seq),
        "triggerReason": {"Started": "CablePluggedIn", "Updated": "Authorized", "Ended": "EnergyLimitReached"}[kind],
        "seqNo": seq,
        "transactionInfo": {"transactionId": "tx-1", **about},
        **more,
    }


TOKEN = {"idToken": "DE-ABC-C12345678-X", "type": "eMAID", "additionalInfo": [{"additionalIdToken": "a", "type": "b"}]}
STARTED = event(
    "Started", 0, {"chargingState": "EVConnected"}, evse={"id": 1, "connectorId": 1}, cableMaxCurrent=32, offline=False
)
CHARGING = event("Updated", 1, {"chargingState": "Charging"}, idToken=TOKEN, numberOfPhasesUsed=3)
ENDED = event(
    "Ended", 2, {"stoppedReason": "EnergyLimitReached", "timeSpentCharging": 60, "chargingState": "EVConnected"}
)
SESSION = [STARTED, CHARGING, ENDED]


def test_a_session_is_the_same_on_both_sides() -> None:
    chain = gateways()
    cost = {"totalCost": 3, **INFO, "updatedPersonalMessage": {"format": "UTF8", "content": "hello"}}
    for each in SESSION:
        assert chain.says("charger", "TransactionEvent", each, {"TransactionEvent": cost}) == cost
        assert chain.said() == [("TransactionEvent", each)]
    stop = {"status": "Rejected", "statusInfo": {"reasonCode": "TxNotFound"}}
    request = {"transactionId": "tx-1"}
    assert chain.says("csms", "RequestStopTransaction", request, {"RequestStopTransaction": stop}) == stop
    status = {"messagesInQueue": False, "ongoingIndicator": False}
    assert chain.says("csms", "GetTransactionStatus", request, {"GetTransactionStatus": status}) == status


def test_an_event_that_is_repeated_gets_the_answer_it_had() -> None:
    chain = gateways()
    assert chain.says("charger", "TransactionEvent", CHARGING, {"TransactionEvent": INFO}) == INFO
    assert chain.says("charger", "TransactionEvent", CHARGING, {}) == INFO
    assert chain.said() == []


def test_the_station_s_link_is_the_gateway_s() -> None:
    chain = gateways()
    profile = {"configurationSlot": 1, "connectionData": {
        "ocppVersion": "OCPP20", "ocppTransport": "JSON", "ocppCsmsUrl": "wss://x", "messageTimeout": 30,
        "securityProfile": 1, "ocppInterface": "Wired0"}}  # fmt: skip
    assert chain.says("csms", "SetNetworkProfile", profile)["status"] == "Rejected" and chain.said() == []
    text = json.dumps(profile)
    part = chain.chain.parts[0]
    call = Call("s", "DataTransfer", Raw(encode({"vendorId": VENDOR, "messageId": "SetNetworkProfile", "data": text})))
    [answer] = part.receive("csms", call, NOW)
    assert isinstance(answer, Out) and answer.frame == Result("s", Raw(b'{"status":"UnknownMessageId"}'))


@pytest.mark.parametrize("carry", ["off", "customData"])
def test_without_the_tunnel_each_gateway_answers_itself(carry: str) -> None:
    chain = Gateways(*WAYS, carry=carry)
    assert chain.says(
        "csms", "SetMonitoringLevel", {"severity": 3}, {"SetMonitoringLevel": {"status": "Rejected"}}
    ) == {"status": "Accepted"}
    assert chain.said() == []


# One gateway, and a peer that is none


def alone(charger: str, csms: str, **more: Any) -> Translator:
    rules, numbers = pair(charger, csms), itertools.count(1)
    options = Options(carry_lossy="datatransfer", vendor_id=VENDOR, **more)
    made = Translator(rules, rules.facts(), options, lambda: f"00000000-0000-4000-8000-{next(numbers):012d}")
    made.assume(True, 1)
    return made


def test_a_charger_that_takes_no_tunnel_is_asked_once() -> None:
    translator = alone("ocpp1.6", "ocpp2.0.1")
    call = Call("s", "SetMonitoringLevel", Raw(b'{"severity": 3}'))
    [asked] = translator.receive("csms", call, NOW)
    assert isinstance(asked, Out) and isinstance(asked.frame, Call) and asked.frame.action == "DataTransfer"
    [answered] = translator.receive("charger", Result(asked.frame.id, Raw(b'{"status": "UnknownVendorId"}')), NOW)
    assert isinstance(answered, Out) and answered.frame == Result("s", Raw(b'{"status":"Accepted"}'))
    [local] = translator.receive("csms", call, NOW)
    assert isinstance(local, Out) and isinstance(local.frame, Result)


def test_a_charger_that_is_no_gateway_gets_1_6_commands() -> None:
    [asked] = alone("ocpp1.6", "ocpp2.0.1").receive("csms", Call("s", "ClearCache", Raw(b"{}")), NOW)
    assert isinstance(asked, Out) and isinstance(asked.frame, Call) and asked.frame.action == "ClearCache"


class Csms16:
    """A 1.6 CSMS behind one gateway; says `status` to the gateway's own DataTransfers."""

    def __init__(self, status: str, **data: str) -> None:
        self.translator = alone("ocpp2.0.1", "ocpp1.6")
        self.answers: dict[str, Any] = {
            "DataTransfer": {"status": status, **data},
            "BootNotification": BOOTED,
            "StartTransaction": {"transactionId": 7, "idTagInfo": {"status": "Accepted"}},
            "Authorize": {"idTagInfo": {"status": "Accepted"}},
        }
        self.heard: list[tuple[str, Any]] = []
        self.count = 0

    def hears(self, action: str, payload: Any) -> Any:
        """A CALL of the charger; gives its answer."""
        self.heard, answer, self.count = [], None, self.count + 1
        call = Call(f"c{self.count}", action, Raw(encode(payload)))
        todo = self.translator.receive("charger", call, NOW, key=f"{self.count}-0")
        while todo:
            step = todo.pop(0)
            match step:
                case Out(to="csms", frame=Call(id=id, action=name, payload=raw)):
                    self.heard.append((name, json.loads(bytes(raw))))
                    reply = Result(id, Raw(encode(self.answers.get(name, {}))))
                    todo += self.translator.receive("csms", reply, NOW)
                case Out(to="charger", frame=Result(payload=raw)):
                    answer = json.loads(bytes(raw))
                case Done(outcome=outcome):
                    assert outcome == "ok"
        return answer

    @property
    def actions(self) -> list[str]:
        return [action for action, _ in self.heard]

    @property
    def copy(self) -> Any:
        """(messageId, data) of the last thing it heard."""
        action, payload = self.heard[-1]
        assert action == "DataTransfer" and payload["vendorId"] == VENDOR
        return payload["messageId"], json.loads(payload["data"])


def test_a_csms_that_keeps_copies_gets_them_last() -> None:
    csms = Csms16("Accepted")
    csms.hears("BootNotification", BOOT)
    assert csms.actions == ["BootNotification", "StatusNotification", "DataTransfer"]
    assert csms.copy == ("BootNotification", BOOT)
    register = [{"timestamp": AT.format(1), "sampledValue": [{"value": 10}]}]
    for each, first in zip(SESSION, ([], ["StartTransaction"], ["StopTransaction"]), strict=True):
        csms.hears("TransactionEvent", each | {"meterValue": register})
        assert [action for action in csms.actions if action in ("StartTransaction", "StopTransaction")] == first
        assert csms.copy == ("TransactionEvent", each | {"meterValue": register})
    csms.hears("Authorize", {"idToken": TOKEN})
    assert csms.actions == ["Authorize", "DataTransfer"] and csms.copy == ("IdToken", TOKEN)
    limit = {"chargingLimit": {"chargingLimitSource": "EMS"}}
    assert csms.hears("NotifyChargingLimit", limit) == {} and csms.copy == ("NotifyChargingLimit", limit)


@pytest.mark.parametrize("status", ["UnknownVendorId", "Rejected"])
def test_a_csms_that_does_not_know_the_tunnel_is_asked_once_per_connection(status: str) -> None:
    csms = Csms16(status)
    csms.hears("BootNotification", BOOT)
    assert csms.actions[-1] == "DataTransfer"
    csms.hears("TransactionEvent", STARTED)
    csms.hears("BootNotification", BOOT)
    assert "DataTransfer" not in csms.actions
    csms.translator.connected(NOW)
    csms.hears("BootNotification", BOOT)
    assert csms.actions[-1] == "DataTransfer"


def test_a_session_goes_on_in_1_6_when_the_other_gateway_is_gone() -> None:
    csms = Csms16("Accepted", data="{}")
    csms.answers["DataTransfer"] = {"status": "Accepted", "data": json.dumps(BOOTED)}
    csms.hears("BootNotification", BOOT)
    csms.answers["DataTransfer"] = {"status": "Accepted", "data": json.dumps(INFO)}
    csms.hears("TransactionEvent", STARTED)
    csms.hears(
        "TransactionEvent", CHARGING | {"meterValue": [{"timestamp": AT.format(1), "sampledValue": [{"value": 5}]}]}
    )
    assert csms.actions == ["DataTransfer"]
    csms.answers["DataTransfer"] = {"status": "UnknownVendorId"}
    csms.hears("TransactionEvent", event("Updated", 3, {"chargingState": "SuspendedEV"}))
    assert csms.actions == ["DataTransfer", "StartTransaction", "StatusNotification"]
    assert csms.heard[1][1]["meterStart"] == 5 and csms.heard[1][1]["connectorId"] == 1
    csms.answers["DataTransfer"] = {"status": "Accepted", "data": json.dumps(INFO)}
    csms.translator.facts.tunnel = True
    csms.hears("TransactionEvent", ENDED | {"seqNo": 4})
    assert csms.actions[0] == "StopTransaction", "what was begun in 1.6 ends in it"


def test_while_the_csms_is_away_the_tunnel_answers_too() -> None:
    gateway = alone("ocpp1.6", "ocpp2.0.1")
    for action, payload, wanted in (
        ("TransactionEvent", STARTED, {}),
        ("TransactionEvent", CHARGING, {"idTokenInfo": {"status": "Invalid"}}),
        ("Authorize", {"idToken": TOKEN}, {"idTokenInfo": {"status": "Invalid"}}),
        (
            "StatusNotification",
            {"timestamp": AT.format(1), "connectorStatus": "Occupied", "evseId": 1, "connectorId": 1},
            {},
        ),
    ):
        data = {"vendorId": VENDOR, "messageId": action, "data": json.dumps(payload)}
        answer = gateway.away(Call("c", "DataTransfer", Raw(encode(data))), NOW, key="1-0")
        assert answer is not None
        told = json.loads(bytes(answer))
        assert told["status"] == "Accepted" and json.loads(told["data"]) == wanted
    data = {"vendorId": VENDOR, "messageId": "TransactionEvent", "data": json.dumps(STARTED)}
    [later] = gateway.receive("charger", Call("c", "DataTransfer", Raw(encode(data))), NOW, key="1-0", early=True)
    assert isinstance(later, Out) and isinstance(later.frame, Call) and later.frame.action == "TransactionEvent"
    foreign = Call("c", "DataTransfer", Raw(b'{"vendorId": "other"}'))
    assert gateway.away(foreign, NOW) == Raw(b'{"status":"Rejected"}')


@pytest.mark.parametrize(
    ("told", "later", "stops"), [("Accepted", "Blocked", 1), ("Accepted", "Accepted", 0), ("Invalid", "Blocked", 0)]
)
def test_a_token_that_was_good_while_the_csms_was_away_and_is_refused_later(told: Any, later: str, stops: int) -> None:
    gateway = alone("ocpp1.6", "ocpp2.0.1", offline_unknown_id=told)
    data = {"vendorId": VENDOR, "messageId": "TransactionEvent", "data": json.dumps(CHARGING)}
    call = Call("c", "DataTransfer", Raw(encode(data)))
    assert gateway.away(call, NOW, key="1-0") is not None
    [asked] = gateway.receive("charger", call, NOW, key="1-0", early=True)
    assert isinstance(asked, Out)
    reply = Result(asked.frame.id, Raw(encode({"idTokenInfo": {"status": later}})))
    steps = [step for step in gateway.receive("csms", reply, NOW) if isinstance(step, Out)]
    assert len(steps) == stops
    for step in steps:
        assert isinstance(step.frame, Call) and step.to == "charger"
        command = json.loads(bytes(step.frame.payload))
        assert command["messageId"] == "RequestStopTransaction" and json.loads(command["data"]) == {
            "transactionId": "tx-1"
        }


def test_a_gateway_that_has_forgotten_everything_learns_of_the_station_from_a_whole_boot() -> None:
    gateway = alone("ocpp1.6", "ocpp2.0.1")
    gateway.assume(False, 0)
    data = {"vendorId": VENDOR, "messageId": "BootNotification", "data": json.dumps(BOOT)}
    [asked] = gateway.receive("charger", Call("c", "DataTransfer", Raw(encode(data))), NOW)
    assert isinstance(asked, Out) and isinstance(asked.frame, Call) and asked.frame.action == "BootNotification"
    gateway.receive("csms", Result(asked.frame.id, Raw(encode(BOOTED))), NOW)
    assert gateway.facts.registration == "Accepted"


def test_a_token_that_was_told_comes_back_exact() -> None:
    gateway = alone("ocpp1.6", "ocpp2.0.1")
    short = TOKEN | {"idToken": "ABC"}
    data = {"vendorId": VENDOR, "messageId": "IdToken", "data": json.dumps(short)}
    [answer] = gateway.receive("charger", Call("c", "DataTransfer", Raw(encode(data))), NOW)
    assert isinstance(answer, Out) and answer.frame == Result("c", Raw(b'{"status":"Accepted"}'))
    [asked] = gateway.receive("charger", Call("d", "Authorize", Raw(b'{"idTag": "abc"}')), NOW)
    assert isinstance(asked, Out) and json.loads(bytes(asked.frame.payload))["idToken"] == short  # type: ignore[union-attr]


def test_what_is_tunnelled_is_known() -> None:
    assert v201.FROM_CSMS >= tunnel.ACTIONS | tunnel.PROVEN
