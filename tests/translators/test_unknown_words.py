"""What no version says: a word that is in no enumeration, no item where there must be one. A command that has it is refused and
not guessed at, and nobody is told that it is the gateway's fault (spec 1.2, 2.14)."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from tests import schemas
from tests.translators.models.samples import Schema, fullest, is_custom_data, resolve
from tests.translators.saying import Saying, answer, calls
from translators.frames import OTHER, Side
from translators.models import v15, v16, v201

MODELS: dict[schemas.Version, ModuleType] = {"1.5": v15, "1.6": v16, "2.0.1": v201}
Path = tuple[str | int, ...]
WAYS: list[tuple[schemas.Version, schemas.Version]] = [("1.6", "2.0.1"), ("2.0.1", "1.6"), ("1.5", "1.6")]
PARTS: list[tuple[schemas.Version, schemas.Version, Side]] = [
    (charger, csms, side) for charger, csms in WAYS for side in ("charger", "csms")
]
UNTOLD = ("oken.type", "format", "salesTariff", "idTokenInfo", "idTagInfo", "connectorType")
"""Members of commands that a charger does not hear of, or that have a word for what is not known."""


def places(node: Schema, root: Schema, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """The enumerations and lists of a payload, of the items of a list only the first, and what is wrong there."""
    node = resolve(node, root)
    if is_custom_data(node):
        return
    if "enum" in node:
        yield path, "NoSuchWord"
    elif node.get("type") == "array":
        if node.get("minItems"):
            yield path, []
        yield from places(node["items"], root, (*path, 0))
    for name, member in node.get("properties", {}).items():
        if name != "salesTariff":
            yield from places(member, root, (*path, name))


def damaged(payload: Any, path: Path, value: Any) -> Any:
    found = inner = copy.deepcopy(payload)
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return found


@pytest.mark.parametrize(("charger", "csms", "side"), PARTS)
def test_no_word_is_guessed_at(charger: schemas.Version, csms: schemas.Version, side: Side) -> None:
    version = charger if side == "charger" else csms
    model = MODELS[version]
    for action in sorted(model.FROM_CHARGER if side == "charger" else model.FROM_CSMS):
        schema = schemas.schema(version, action, "request")
        payload = fullest(schema, schema)
        for path, value in places(schema, schema):
            where = ".".join(map(str, path))
            s = Saying(charger, csms, features=["security", "pnc", "costmsg"])
            given = damaged(payload, path, value)
            left = s.charger(action, given) if side == "charger" else s.csms(action, given)
            said = answer(left, side)
            assert said != "InternalError", (action, where)
            if side == "csms" and value and not any(each in where for each in UNTOLD):
                assert calls(left, OTHER[side]) == [], (action, where)
                assert said in ("PropertyConstraintViolation", "NotImplemented"), (action, where, said)


@pytest.mark.parametrize(
    ("action", "payload", "code"),
    [
        ("Reset", {"type": "Later"}, "PropertyConstraintViolation"),
        (
            "ClearChargingProfile",
            {"chargingProfileCriteria": {"chargingProfilePurpose": "Mine"}},
            "PropertyConstraintViolation",
        ),
        ("CertificateSigned", {"certificateChain": "X", "certificateType": "Mine"}, "PropertyConstraintViolation"),
        ("GetVariables", {"getVariableData": []}, "OccurrenceConstraintViolation"),
        ("SetVariables", {"setVariableData": []}, "OccurrenceConstraintViolation"),
    ],
)
def test_commands_that_must_not_be_taken_for_others(action: str, payload: Any, code: str) -> None:
    s = Saying("1.6", "2.0.1", features=["security"])
    left = s.csms(action, payload)
    assert (answer(left, "csms"), calls(left, "charger")) == (code, [])
