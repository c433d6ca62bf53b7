"""Commands that would cut a charger off from the gateway (reliability 2.6), as a CSMS sends them through a session."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from gateway.config_route import Lifeline
from gateway.hub.lifeline import SUBJECTS, Filter
from gateway.hub.link import Link
from gateway.hub.observer import Observer
from tests import schemas
from tests.gateway.hub.test_session import Bench
from translators.frames import Call, Error, Result

OURS = "wss://gateway.example/ocpp/CP"


def key(name: str, value: str = "x") -> tuple[str, dict[str, Any]]:
    return "ChangeConfiguration", {"key": name, "value": value}


def variable(name: str, value: str = "x", component: str = "SecurityCtrlr") -> dict[str, Any]:
    return {"component": {"name": component}, "variable": {"name": name}, "attributeValue": value}


def root(kind: str) -> dict[str, Any]:
    return {"certificateType": kind, "certificate": "-"}


def variables(*items: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "SetVariables", {"setVariableData": list(items)}


NETWORK = {
    "configurationSlot": 1,
    "connectionData": {
        "messageTimeout": 30,
        "ocppCsmsUrl": "ws://other.example",
        "ocppInterface": "Wired0",
        "ocppTransport": "JSON",
        "ocppVersion": "OCPP20",
        "securityProfile": 1,
    },
}
HASH = {"hashAlgorithm": "SHA256", "issuerNameHash": "a", "issuerKeyHash": "b", "serialNumber": "c"}

DEFAULTS = [
    ("ocpp1.6", *key("SecurityProfile", "0"), "security_profile", "deny"),
    ("ocpp1.6", *key("securityprofile", "0"), "security_profile", "deny"),
    ("ocpp1.6", *key("CentralSystemURI", "x"), "address", "deny"),
    ("ocpp1.6", *key("OCPP-Server_URL", "x"), "address", "deny"),
    ("ocpp1.6", *key("VendorSecret42", " wss://other.example/"), "address", "deny"),
    ("ocpp1.5", *key("ChargePointId", "CP2"), "address", "deny"),
    ("ocpp1.6", *key("AuthorizationKey", "00" * 16), "passwords", "alert"),
    ("ocpp1.6", *key("CpoName"), "organization", "alert"),
    ("ocpp1.6", *key("WebSocketPingInterval", "60"), "", ""),
    ("ocpp1.6", *key("OcppServerTimeout", "60"), "", ""),
    ("ocpp1.6", "InstallCertificate", root("CentralSystemRootCertificate"), "certificates", "alert"),
    ("ocpp1.6", "InstallCertificate", root("ManufacturerRootCertificate"), "", ""),
    ("ocpp1.6", "DeleteCertificate", {"certificateHashData": HASH}, "certificates", "alert"),
    ("ocpp1.6", "CertificateSigned", {"certificateChain": "-"}, "certificates", "alert"),
    ("ocpp1.6", "UpdateFirmware", {"location": "https://f", "retrieveDate": "2026-01-01T00:00:00Z"}, "firmware", "alert"),
    ("ocpp1.6", "SignedUpdateFirmware", {}, "firmware", "alert"),
    ("ocpp1.6", "Reset", {"type": "Hard"}, "", ""),
    ("ocpp2.0.1", "SetNetworkProfile", NETWORK, "address", "deny"),
    ("ocpp2.0.1", *variables(variable("NetworkConfigurationPriority", "2,1", "OCPPCommCtrlr")), "address", "deny"),
    ("ocpp2.1", *variables(variable("OcppCsmsUrl", "x", "NetworkConfiguration")), "address", "deny"),
    ("ocpp2.0.1", *variables(variable("SecurityProfile", "1")), "security_profile", "deny"),
    ("ocpp2.0.1", *variables(variable("BasicAuthPassword", "sixteen-letters-")), "passwords", "alert"),
    ("ocpp2.0.1", *variables(variable("OrganizationName")), "organization", "alert"),
    ("ocpp2.0.1", *variables(variable("HeartbeatInterval", "60", "OCPPCommCtrlr")), "", ""),
    ("ocpp2.0.1", "InstallCertificate", root("CSMSRootCertificate"), "certificates", "alert"),
    ("ocpp2.0.1", "InstallCertificate", root("V2GRootCertificate"), "", ""),
    ("ocpp2.0.1", "CertificateSigned", {"certificateChain": "-", "certificateType": "V2GCertificate"}, "", ""),
    ("ocpp2.0.1", "CertificateSigned", {"certificateChain": "-"}, "certificates", "alert"),
    ("ocpp2.0.1", "UpdateFirmware", {"requestId": 1, "firmware": {}}, "firmware", "alert"),
]  # fmt: skip


def sift(rules: Lifeline, action: str, payload: dict[str, Any]) -> tuple[Any, list[tuple[str, str]]]:
    """What the charger gets, or the answer; and what was seen."""
    call = Call("7", action, Raw(json.dumps(payload, indent=1).encode()))
    told, found = Filter(rules, "CP").sift(call)
    seen = [(each.subject, each.policy) for each in found]
    if told == call:
        return "passed", seen
    return (told.code if isinstance(told, Error) else json.loads(bytes(told.payload))), seen


@pytest.mark.parametrize(("version", "action", "payload", "subject", "policy"), DEFAULTS)
def test_defaults(version: str, action: str, payload: dict[str, Any], subject: str, policy: str) -> None:
    told, seen = sift(Lifeline(), action, payload)
    assert seen == ([(subject, policy)] if subject else [])
    if policy != "deny":
        assert told == "passed"
    elif action == "SetVariables":
        schemas.validate("2.0.1", action, "response", told)
        assert [each["attributeStatus"] for each in told["setVariableResult"]] == ["Rejected"]
    else:
        assert told == "SecurityError"


def test_every_subject_is_a_key_of_the_configuration() -> None:
    assert set(SUBJECTS) <= set(Lifeline.__struct_fields__)
    assert {each[3] for each in DEFAULTS} == {*SUBJECTS, ""}


@pytest.mark.parametrize(
    ("action", "payload"), [key("SecurityProfile", "3"), variables(variable("SecurityProfile", "3"))]
)
def test_policies(action: str, payload: dict[str, Any]) -> None:
    for policy in ("allow", "alert"):
        told, seen = sift(Lifeline(security_profile=policy), action, payload)
        assert told == "passed" and seen == ([] if policy == "allow" else [("security_profile", "alert")])
    told, seen = sift(Lifeline(security_profile="consume"), action, payload)
    assert seen == [("security_profile", "consume")]
    assert told.get("status") == "Accepted" or told["setVariableResult"][0]["attributeStatus"] == "Accepted"


def test_an_address_is_rewritten_to_the_gateway() -> None:
    rules = Lifeline(address="rewrite", url="wss://gateway.example/ocpp/{id}")
    told, seen = sift(rules, "SetNetworkProfile", NETWORK)
    assert seen == [("address", "rewrite")]
    schemas.validate("2.0.1", "SetNetworkProfile", "request", told)
    assert told["connectionData"]["ocppCsmsUrl"] == OURS and told["connectionData"]["securityProfile"] == 2
    assert sift(rules, *key("BackendUrl", "ws://other"))[0] == {"key": "BackendUrl", "value": OURS}
    # All profiles lead here: their order is the CSMS's. Another identity has no meaning here.
    assert sift(rules, *variables(variable("NetworkConfigurationPriority", "1,0")))[0] == "passed"
    assert sift(rules, *key("ChargePointId", "CP9"))[0] == "SecurityError"
    plain = Lifeline(address="rewrite", url="ws://gateway.example")
    assert sift(plain, "SetNetworkProfile", NETWORK)[0]["connectionData"]["securityProfile"] == 1


def test_a_network_profile_of_2_1_brings_no_other_identity_and_no_password_that_is_denied() -> None:
    network = {
        **NETWORK,
        "connectionData": {**NETWORK["connectionData"], "identity": "CP9", "basicAuthPassword": "p" * 16},
    }
    told, seen = sift(Lifeline(address="rewrite", url=OURS), "SetNetworkProfile", network)
    assert told["connectionData"]["basicAuthPassword"] == "p" * 16 and "identity" not in told["connectionData"]
    for address in ("rewrite", "allow"):
        told, seen = sift(Lifeline(address=address, url=OURS, passwords="deny"), "SetNetworkProfile", network)
        assert told == "SecurityError" and seen == [("passwords", "deny")]


def test_keys_of_vendors() -> None:
    assert sift(Lifeline(keys=("Acme-Home",)), *key("acmeHome", "host"))[1] == [("address", "deny")]


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("ChangeConfiguration", {}),
        ("SetVariables", {"setVariableData": 5}),
        ("SetNetworkProfile", {"connectionData": 5}),
    ],
)
def test_what_cannot_be_read_is_the_chargers_to_refuse(action: str, payload: dict[str, Any]) -> None:
    told, _ = sift(Lifeline(address="rewrite", url="ws://g"), action, payload)
    assert told == "passed"


class Ear(Observer):
    def __init__(self) -> None:
        self.heard: list[tuple[str, str, str]] = []

    def lifeline(self, link: Link, action: str, subject: str, policy: str) -> None:
        self.heard.append((action, subject, policy))


def bench(rules: Lifeline) -> tuple[Bench, Ear]:
    made, ear = Bench(), Ear()
    made.session.observer = ear
    made.session.links["main"].filter = Filter(rules, "CP")
    made.up()
    return made, ear


def test_a_refused_command_never_reaches_the_charger() -> None:
    made, ear = bench(Lifeline())
    made.csms([2, "x1", "ChangeConfiguration", {"key": "SecurityProfile", "value": "0"}])
    assert made.upstream_frames() == [[4, "x1", "SecurityError", "the gateway does not let this be changed", {}]]
    assert made.charger_items() == [] and ear.heard == [("ChangeConfiguration", "security_profile", "deny")]
    made.csms([2, "x2", "ChangeConfiguration", {"key": "HeartbeatInterval", "value": "5"}])
    assert [item.kind for item in made.charger_items()] == ["call"]


def test_the_other_variables_of_a_request_pass_and_the_answer_is_whole() -> None:
    made, ear = bench(Lifeline())
    items = [
        variable("HeartbeatInterval", "5", "OCPPCommCtrlr"),
        variable("SecurityProfile", "1"),
        variable("BasicAuthPassword", "sixteen-letters-"),
    ]
    made.csms([2, "x1", *variables(*items)])
    (item,) = made.charger_items()
    _, id, action, asked = json.loads(item.body)
    assert action == "SetVariables" and asked == {"setVariableData": [items[0], items[2]]}
    results = [
        {**{k: v for k, v in each.items() if k != "attributeValue"}, "attributeStatus": status}
        for each, status in ((items[0], "Accepted"), (items[2], "RebootRequired"))
    ]
    made.charger([3, id, {"setVariableResult": results}])
    (answer,) = made.upstream_frames()
    schemas.validate("2.0.1", "SetVariables", "response", answer[2])
    told = [(each["variable"]["name"], each["attributeStatus"]) for each in answer[2]["setVariableResult"]]
    assert told == [
        ("HeartbeatInterval", "Accepted"), ("SecurityProfile", "Rejected"), ("BasicAuthPassword", "RebootRequired")
    ]  # fmt: skip
    assert [each[1:] for each in ear.heard] == [("security_profile", "deny"), ("passwords", "alert")]


def test_an_error_for_the_other_variables_passes_as_it_is() -> None:
    held = Filter(Lifeline(), "CP")
    action, payload = variables(variable("SecurityProfile"), variable("X"))
    held.sift(Call("7", action, Raw(json.dumps(payload).encode())))
    error = Error("7", "InternalError", "")
    assert held.mend(error) is error
    result = Result("7", Raw(b"{}"))
    assert held.mend(result) is result
