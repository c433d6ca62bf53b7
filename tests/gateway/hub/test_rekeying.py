"""A CSMS gives a charger another password (reliability 2.2): in both versions and across them, and what the charger may say to it."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from gateway.hub.rekeying import accepted, new_password
from translators.frames import Call, Error, Result

from .test_session import Bench

KEY = {"key": "AuthorizationKey", "value": "00" * 16}
OTHER = {"component": {"name": "X"}, "variable": {"name": "Y"}, "attributeValue": "1"}
PASSWORD = {
    "component": {"name": "SecurityCtrlr"},
    "variable": {"name": "BasicAuthPassword"},
    "attributeValue": "p" * 16,
}

PROFILES = {
    "component": {"name": "NetworkConfiguration", "instance": "1"},
    "variable": {"name": "BasicAuthPassword"},
    "attributeValue": "q" * 16,
}


def raw(payload: Any) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(payload).encode())


@pytest.mark.parametrize(
    ("action", "payload", "password"),
    [
        ("ChangeConfiguration", KEY, b"00" * 16),
        ("ChangeConfiguration", {**KEY, "key": "authorizationkey"}, b"00" * 16),
        ("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "1"}, None),
        ("ChangeConfiguration", {"key": "AuthorizationKey", "value": ""}, None),
        ("ChangeConfiguration", {"key": "AuthorizationKey"}, None),
        ("ChangeConfiguration", [], None),
        ("SetVariables", {"setVariableData": [OTHER, PASSWORD]}, b"p" * 16),
        ("SetVariables", {"setVariableData": [{**PASSWORD, "component": {"name": "securityctrlr"}}]}, b"p" * 16),
        ("SetVariables", {"setVariableData": [{**PASSWORD, "attributeType": "Target"}]}, None),
        ("SetVariables", {"setVariableData": [OTHER, PROFILES]}, b"q" * 16),
        ("SetVariables", {"setVariableData": [PROFILES, PASSWORD]}, b"p" * 16),
        ("SetNetworkProfile", {"connectionData": {"basicAuthPassword": "p" * 16}}, b"p" * 16),
        ("SetNetworkProfile", {"connectionData": {}}, None),
        ("SetNetworkProfile", {}, None),
        ("SetVariables", {"setVariableData": [OTHER]}, None),
        ("SetVariables", {"setVariableData": [{}]}, None),
        ("SetVariables", {}, None),
    ],
)
def test_what_is_a_new_password(action: str, payload: Any, password: bytes | None) -> None:
    assert new_password(Call("1", action, raw(payload))) == password


def said(status: str) -> dict[str, Any]:
    other = {"component": {"name": "X"}, "variable": {"name": "Y"}, "attributeStatus": "Accepted"}
    mine = {key: PASSWORD[key] for key in ("component", "variable")} | {"attributeStatus": status}
    return {"setVariableResult": [other, mine]}


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ({"status": "Accepted"}, True),
        ({"status": "Rejected"}, False),
        ({"status": "NotSupported"}, False),
        ({"status": "RebootRequired"}, None),
        ({}, None),
        (said("Accepted"), True),
        (said("Rejected"), False),
        (said("UnknownVariable"), False),
        (said("RebootRequired"), None),
    ],
)
def test_what_its_answer_means(answer: Any, outcome: bool | None) -> None:
    """None: the old one and the new one stay right until the charger comes with the new one."""
    assert accepted(Result("1", raw(answer))) is outcome


@pytest.mark.parametrize(("status", "outcome"), [("Accepted", None), ("RebootRequired", None), ("Rejected", False)])
def test_that_of_a_network_profile_is_in_use_once_the_charger_comes_with_it(status: str, outcome: bool | None) -> None:
    """2.1: the profile may be another one than that by which it is connected."""
    mine = {key: PROFILES[key] for key in ("component", "variable")} | {"attributeStatus": status}
    assert accepted(Result("1", raw({"setVariableResult": [mine]}))) is outcome
    assert accepted(Result("1", raw({"status": status})), "SetNetworkProfile") is outcome


def test_an_error_tells_nothing() -> None:
    assert accepted(Error("1", "InternalError")) is None


def test_the_charger_hears_of_it_only_once_it_is_stored_and_silence_decides_nothing() -> None:
    bench = Bench()
    bench.session.passwords = True
    bench.up()
    bench.csms([2, "r1", "ChangeConfiguration", KEY])
    assert bench.charger_items() == [], "it is sent by whoever has stored it"
    (told,) = bench.effects.rekeys
    assert told.item is not None and told.password == b"00" * 16
    bench.clear()
    bench.now += 40_000
    bench.session.tick(bench.now)
    assert [each.accepted for each in bench.effects.rekeys if each.accepted is not None] == []
    assert bench.upstream_frames()[-1][:2] == [4, "r1"], "the CSMS hears of the time-out"
    bench.clear()
    bench.csms([2, "r2", "ChangeConfiguration", KEY])
    (told,) = bench.effects.rekeys
    assert told.item is not None
    bench.clear()
    bench.charger([3, told.item.message_id, {"status": "Accepted"}])
    assert [each.accepted for each in bench.effects.rekeys] == [True]
