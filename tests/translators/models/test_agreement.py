"""The models and the official schemas accept and refuse the same payloads.

Differences that are meant, and absent from the samples: a model accepts null for what may be absent, unknown members, a
number in a string where a number is wanted, customData without vendorId, and limits with several decimals in 1.6.
"""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import schemas
from translators import frames
from translators.models import lenient, v15, v16, v201
from translators.models.base import Request, decoder

from . import samples

MODULES: dict[schemas.Version, ModuleType] = {"1.5": v15, "1.6": v16, "2.0.1": v201}

PAYLOADS = [
    pytest.param(version, action, kind, id=f"{version}-{action}-{kind}")
    for version in MODULES
    for action in schemas.actions(version)
    for kind in get_args(schemas.Kind)
]


def model(version: schemas.Version, action: str, kind: schemas.Kind) -> type[msgspec.Struct]:
    request: type[Request[Any]] = MODULES[version].ACTIONS[action]
    return request if kind == "request" else request.response


def accepts(type_: type[msgspec.Struct], payload: Any) -> bool:
    try:
        decoder(type_).decode(json.dumps(payload))
    except msgspec.ValidationError:
        return False
    return True


def conforms(version: schemas.Version, action: str, kind: schemas.Kind, payload: Any) -> bool:
    try:
        schemas.validate(version, action, kind, payload)
    except schemas.Refused:
        return False
    return True


@pytest.mark.parametrize(("version", "action", "kind"), PAYLOADS)
def test_full_payload_round_trips(version: schemas.Version, action: str, kind: schemas.Kind) -> None:
    schema = schemas.schema(version, action, kind)
    payload = samples.fullest(schema, schema)
    schemas.validate(version, action, kind, payload)
    round_trip(model(version, action, kind), payload)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
@pytest.mark.parametrize(("version", "action", "kind"), PAYLOADS)
def test_random_payload_round_trips(
    version: schemas.Version, action: str, kind: schemas.Kind, data: st.DataObject
) -> None:
    payload = data.draw(samples.payloads(version, action, kind))
    schemas.validate(version, action, kind, payload)
    round_trip(model(version, action, kind), payload)


def round_trip(type_: type[msgspec.Struct], payload: Any) -> None:
    """Read strictly and without a repair, and written as it was."""
    raw = json.dumps(payload).encode()
    read, repairs = lenient.decode(type_, raw)
    assert repairs == []
    assert json.loads(frames.encode(read)) == payload
    assert lenient.check(read) == frames.encode(read)


@pytest.mark.parametrize(("version", "action", "kind"), PAYLOADS)
def test_damaged_payload_is_judged_as_by_the_schema(version: schemas.Version, action: str, kind: schemas.Kind) -> None:
    schema = schemas.schema(version, action, kind)
    type_ = model(version, action, kind)
    judged = {
        what: (accepts(type_, payload), conforms(version, action, kind, payload))
        for what, payload in samples.damaged(schema, samples.fullest(schema, schema))
    }
    assert {what: both for what, both in judged.items() if both[0] != both[1]} == {}
