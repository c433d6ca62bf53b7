"""What is read from JSON as text, against what a parser finds."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.edge.jsontext import BOUNDS, doubled, header_id, long_number, mended, sound, too_deep

keys = st.sampled_from(["a", "b", 'q"', "\\", "ä", "\n", ":", '":'])
scalars = st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=5)


def written(value: Any) -> str:
    """JSON of lists of pairs as objects, so that keys can come twice."""
    if isinstance(value, tuple):
        return "{" + ",".join(f"{json.dumps(key)}:{written(each)}" for key, each in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    return json.dumps(value)


def twice(value: Any) -> bool:
    if isinstance(value, tuple):
        names = [key for key, _ in value]
        return len(names) != len(set(names)) or any(twice(each) for _, each in value)
    return isinstance(value, list) and any(map(twice, value))


objects = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.lists(st.tuples(keys, inner), max_size=4).map(tuple),
    max_leaves=12,
)


@given(st.lists(st.tuples(keys, objects), max_size=5).map(tuple))
def test_doubled_keys(value: tuple[tuple[str, Any], ...]) -> None:
    assert doubled(written(value).encode()) == twice(value)


@given(st.lists(st.sampled_from(["\\ud83d", "\\ude00", "\\uD800", "\\\\", "\\u0041", "x", '\\"', "ud800"]), max_size=8))
def test_half_surrogates(parts: list[str]) -> None:
    text = '"' + "".join(parts) + '"'
    whole = json.loads(mended(text.encode()))
    assert whole == json.loads(text).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    sound(mended(text.encode()))


@given(objects)
def test_what_is_whole_stays(value: Any) -> None:
    text = written(value).encode()
    assert mended(text) == text


@pytest.mark.parametrize("depth", [1, BOUNDS.depth, BOUNDS.depth + 1, BOUNDS.depth + 2, 5000])
@pytest.mark.parametrize("brackets", ["[]", "{}"])
def test_depth(depth: int, brackets: str) -> None:
    opening = "[" if brackets == "[]" else '{"a":'
    text = opening * depth + "1" + brackets[1] * depth
    assert too_deep(text.encode()) == (depth > BOUNDS.depth + 1)


@pytest.mark.parametrize("number", ["1e400", "-1e999", "9" * 5000, "-" + "9" * 5000])
def test_numbers_out_of_range(number: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        sound(b'{"a":' + number.encode() + b"}")


@pytest.mark.parametrize("number", ["1e308", "9" * 40, "0.1234567", "1.10", "-0", "1e-400"])
def test_numbers_in_range(number: str) -> None:
    sound(b'{"a":' + number.encode() + b"}")


@pytest.mark.parametrize(
    ("text", "id"),
    [
        (b'[2,"a","B",{', b'"a"'),
        (b'\xef\xbb\xbf [ 2 , "a\\u0041" , "B" ]', b'"a\\u0041"'),
        (b'[2,17,"B",', b"17"),
        (b'[2,"a\\q","B",', None),
        (b"[2,", None),
        (b'[3,"a",{', None),
    ],
)
def test_headers_of_what_is_no_json(text: bytes, id: bytes | None) -> None:
    assert header_id(text) == id


@given(
    st.integers(0, 50),
    st.integers(0, 50),
    st.integers(-99, 99) | st.none(),
    st.text(alphabet='12 ,.:e"\\x', max_size=60),
    st.booleans(),
)
@example(whole=38, fraction=0, exponent=10, text="11", quoted=False)
def test_long_numbers(whole: int, fraction: int, exponent: int | None, text: str, quoted: bool) -> None:
    number = (
        "7" * (whole + 1) + ("." + "3" * fraction if fraction else "") + ("" if exponent is None else f"e{exponent}")
    )
    digits = sum(each.isdigit() for each in number)
    payload = json.dumps({"a": text, "b": number if quoted else "@"}).replace('"@"', number).encode()
    assert long_number(payload) == (digits > 40 and not quoted)
