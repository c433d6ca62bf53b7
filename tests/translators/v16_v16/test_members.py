"""One member is replaced; every other byte stays (reliability I-25)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from translators.v16_v16.members import edit, read

ID = ("transactionId",)
NESTED = ("csChargingProfiles", "transactionId")


@pytest.mark.parametrize(
    ("raw", "path", "expected"),
    [
        ('{"transactionId":41}', ID, '{"transactionId":7}'),
        ('{ "transactionId" :\t41 , "x" : 1.10 }', ID, '{ "transactionId" :\t7 , "x" : 1.10 }'),
        ('{"n":1e2,"m":0.1234567,"transactionId":41,"k":-0}', ID, '{"n":1e2,"m":0.1234567,"transactionId":7,"k":-0}'),
        ('{"transactionId":"41"}', ID, '{"transactionId":"7"}'),
        ('{"transactionId":41.0}', ID, '{"transactionId":7}'),
        ('{"transactionId":4.1e1}', ID, '{"transactionId":7}'),
        ('{"transactionId":41,"transactionId":41}', ID, '{"transactionId":7,"transactionId":7}'),
        ('{"transaction\\u0049d":41}', ID, '{"transaction\\u0049d":7}'),
        ('{"idTag":"transactionId","x":41}', ID, '{"idTag":"transactionId","x":41}'),
        ('{"idTag":"a\\"transactionId\\":41"}', ID, '{"idTag":"a\\"transactionId\\":41"}'),
        ('{"a":{"transactionId":41},"b":[{"transactionId":41}]}', ID, '{"a":{"transactionId":41},"b":[{"transactionId":41}]}'),
        ('{"csChargingProfiles":{"a":1,"transactionId":41}}', NESTED, '{"csChargingProfiles":{"a":1,"transactionId":7}}'),
        ('{"csChargingProfiles":{"a":{"transactionId":41}}}', NESTED, '{"csChargingProfiles":{"a":{"transactionId":41}}}'),
        ('{"transactionId":41,"csChargingProfiles":{}}', NESTED, '{"transactionId":41,"csChargingProfiles":{}}'),
        ('{"csChargingProfiles":[{"transactionId":41}]}', NESTED, '{"csChargingProfiles":[{"transactionId":41}]}'),
        ('{"x":"csChargingProfiles","y":{"transactionId":41}}', NESTED, '{"x":"csChargingProfiles","y":{"transactionId":41}}'),
        ('{"transactionId":null}', ID, '{"transactionId":null}'),
        ('{"transactionId":true}', ID, '{"transactionId":true}'),
        ('{"transactionId":41.5}', ID, '{"transactionId":41.5}'),
        ('{"transactionId":1e400}', ID, '{"transactionId":1e400}'),
        ('{"transactionId":{"transactionId":41}}', ID, '{"transactionId":{"transactionId":41}}'),
        ("{}", ID, "{}"),
        ("[]", ID, "[]"),
        ('"transactionId"', ID, '"transactionId"'),
    ],
)  # fmt: skip
def test_only_the_member_changes(raw: str, path: tuple[str, ...], expected: str) -> None:
    assert edit(raw.encode(), path, lambda _: 7).decode() == expected


def test_what_keeps_its_value_keeps_its_spelling() -> None:
    raw = b'{"transactionId": 4.1e1 }'
    assert edit(raw, ID, lambda number: number) is raw
    assert read(raw, ID) == 41


NUMBERS = st.sampled_from(["1.10", "1e2", "0.1234567", "-0", "100.00", "1E+2", "12345678901234567890"])
STRINGS = st.text(max_size=8).map(json.dumps) | st.sampled_from(
    ['"transactionId"', '"\\"transactionId\\":5"', '"{[,:"']
)
SPACES = st.sampled_from(["", "", " ", "\n\t"])


@st.composite
def texts(draw: st.DrawFn, depth: int = 2) -> str:
    """JSON as some peer might write it."""
    kinds = 3 if depth else 2
    match draw(st.integers(0, kinds)):
        case 0 | 1:
            return draw(NUMBERS | STRINGS | st.sampled_from(["true", "null"]))
        case 2:
            members = draw(st.lists(st.tuples(STRINGS, texts(depth=depth - 1) if depth else NUMBERS), max_size=4))
            return "{" + ",".join(f"{key}{draw(SPACES)}:{draw(SPACES)}{value}" for key, value in members) + "}"
        case _:
            space = draw(SPACES)
            return "[" + f",{space}".join(draw(st.lists(texts(depth=depth - 1), max_size=3))) + "]"


@given(
    before=st.lists(texts(), max_size=3), after=st.lists(texts(), max_size=3), space=SPACES, old=st.integers(-1, 2**31)
)
def test_every_other_byte_stays(before: list[str], after: list[str], space: str, old: int) -> None:
    head = (
        "{" + "".join(f'"a{i}":{space}{value},{space}' for i, value in enumerate(before)) + f'"transactionId"{space}:'
    )
    tail = "".join(f'{space},"b{i}":{value}' for i, value in enumerate(after)) + "}"
    raw = f"{head}{space}{old}{tail}".encode()
    assert edit(raw, ID, lambda number: number + 5) == f"{head}{space}{old + 5}{tail}".encode()
    assert read(raw, ID) == old


@given(texts())
def test_without_the_member_nothing_changes(raw: str) -> None:
    value: Any = json.loads(raw)
    if not isinstance(value, dict) or "transactionId" not in value:
        assert edit(raw.encode(), ID, lambda _: 7) == raw.encode()
