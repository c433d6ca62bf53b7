"""Whatever a CSMS asks that it may not: it is answered, and by the schema."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from gateway.edge.actions import FROM_CSMS
from gateway.hub.refusals import ITEMS, STATUS, refusal
from tests import schemas
from translators.frames import Call, Error, Result

VERSIONS: dict[str, schemas.Version] = {"ocpp1.5": "1.5", "ocpp1.6": "1.6", "ocpp2.0.1": "2.0.1"}
PLACE = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}}
ASKED: dict[str, dict[str, Any]] = {
    "GetVariables": {"getVariableData": [{**PLACE, "attributeType": "Actual"}]},
    "SetVariables": {"setVariableData": [{**PLACE, "attributeValue": "5"}, {**PLACE, "attributeValue": "6"}]},
    "SetVariableMonitoring": {
        "setMonitoringData": [{**PLACE, "value": 5, "type": "Delta", "severity": 3, "transaction": False}]
    },
}
NO_STATUS = {
    "ocpp1.5": {"GetConfiguration", "GetDiagnostics", "GetLocalListVersion", "UpdateFirmware"},
    "ocpp1.6": {"GetConfiguration", "GetDiagnostics", "GetLocalListVersion", "UpdateFirmware"},
    "ocpp2.0.1": {"ClearVariableMonitoring", "CostUpdated", "GetLocalListVersion", "GetTransactionStatus"},
}


@pytest.mark.parametrize(("version", "action"), [(v, a) for v in VERSIONS for a in sorted(FROM_CSMS[v])])
def test_every_command_has_a_refusal_that_its_schema_allows(version: str, action: str) -> None:
    call = Call("7", action, Raw(json.dumps(ASKED.get(action, {})).encode()))
    answer = refusal(version, call)
    assert answer.id == "7"
    if action in NO_STATUS[version]:
        assert isinstance(answer, Error) and answer.code == "SecurityError"
        return
    assert isinstance(answer, Result)
    schemas.validate(VERSIONS[version], action, "response", json.loads(bytes(answer.payload)))
    assert b"Accepted" not in bytes(answer.payload)


@pytest.mark.parametrize("version", [*VERSIONS, "ocpp2.1"])
def test_the_tables_name_no_action_that_a_csms_does_not_send(version: str) -> None:
    assert STATUS[version].keys() | ITEMS.get(version, {}).keys() <= FROM_CSMS[version]


def test_an_action_that_nobody_knows_is_refused_too() -> None:
    assert refusal("ocpp1.6", Call("1", "Dance")) == Error("1", "SecurityError", "this upstream may not do this")


def test_items_that_cannot_be_read() -> None:
    for payload in (b"{}", b"[]", b'{"setVariableData":3}', b'{"setVariableData":[3]}'):
        answer = refusal("ocpp2.0.1", Call("1", "SetVariables", Raw(payload)))
        assert isinstance(answer, Error) and answer.code == "FormationViolation"
