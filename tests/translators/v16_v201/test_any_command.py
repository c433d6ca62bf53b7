"""Any valid command, to a charger that answers anything valid: one answer each, every frame valid, no rule fails."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from translators.facts import decode, encode
from translators.models import v16, v201

from .station import Station

SEEDS = 12


def value(type_: Any, pick: random.Random) -> Any:
    """A random value of a model's type."""
    match type_:
        case inspect.UnionType(types=types):
            return value(pick.choice([each for each in types if not isinstance(each, inspect.NoneType)]), pick)
        case inspect.LiteralType(values=values):
            return pick.choice(values)
        case inspect.StrType(max_length=longest):
            return pick.choice(["", "a", "2025-03-01T10:00:00Z", "ftp://x/y", "é" * pick.randint(0, longest or 60)])[
                :longest
            ]
        case inspect.IntType(ge=least, le=most):
            return min(max(pick.choice([0, 1, 2, 3, 1000, -1]), least or -9), most or 10**6)
        case inspect.BoolType():
            return pick.random() < 0.5
        case inspect.DecimalType():
            return pick.choice([0, 1, 16.25, 1500])
        case inspect.ListType(item_type=item, min_length=least, max_length=most):
            return [value(item, pick) for _ in range(max(least or 0, min(pick.randint(0, 3), most or 3)))]
        case inspect.StructType(fields=fields):
            return {
                field.encode_name: value(field.type, pick)
                for field in fields
                if field.encode_name != "customData" and (field.required or pick.random() < 0.5)
            }
        case inspect.RawType() | inspect.AnyType():
            return pick.choice(["text", {"a": 1}, [1], 5])
    raise TypeError(type_)


def random_payload(type_: type[msgspec.Struct], pick: random.Random) -> Any:
    return value(inspect.type_info(type_), pick)


@pytest.mark.parametrize("action", sorted(v201.FROM_CSMS))
@pytest.mark.parametrize("seed", range(SEEDS))
def test_any(action: str, seed: int) -> None:
    pick = random.Random(f"{action} {seed}")
    features = [name for name in ("security", "pnc", "costmsg", "SmartCharging") if pick.random() < 0.5]
    s = Station(features=tuple(features), topology={"1": (1, 1), "2": (1, 2)} if seed % 2 else {})
    if seed % 3 == 0:
        s.transaction(1)
    payload = random_payload(v201.ACTIONS[action], pick)
    seen = left = s.call("csms", action, payload)
    for _ in range(200):
        open_sides = [to for to, name, _ in left if name in (v16.ACTIONS if to == "charger" else v201.ACTIONS)]
        if not open_sides:
            left = s.after(20)
            if not left:
                break
            continue
        to, asked = next((to, name) for to, name, _ in reversed(left) if to in open_sides and name != "answer")
        actions: Any = v16.ACTIONS if to == "charger" else v201.ACTIONS
        if pick.random() < 0.1:
            left = s.refuses(to, pick.choice(["NotSupported", "InternalError"]))
        elif pick.random() < 0.1:
            left = s.silent(to)
        else:
            left = s.answers(to, **random_payload(actions[asked].response, pick))
        seen = seen + left
    answers = [name for to, name, _ in seen if to == "csms" and name not in v201.ACTIONS]
    assert len(answers) == 1, (payload, seen)
    assert answers[0] in ("answer", "NotSupported", "InternalError", "GenericError", "PropertyConstraintViolation"), (
        seen
    )
    assert not s.bugs, (payload, s.bugs)
    kept = decode(encode(s.facts))
    assert encode(kept) == encode(s.facts), "facts change when they are stored"
