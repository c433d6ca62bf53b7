"""Plays the golden transcripts of this folder in process, and checks every frame that leaves against its schema.

A file is a list of scenarios: `name`, `charger_version`, `csms_version`, `notes`, `options`, and `steps` of
`{from, frame, expect: [{to, frame, losses?}]}`. Frames leave per destination in the order given. A string `$uuid`, `$int`,
`$now` or `$any` stands for any such value; with `:name` its first occurrence binds, in what is fed as in what is expected.
`{"$json": X}` is a string whose JSON text equals X, `{"$contains": [X]}` a list that has X. `losses` are `[field, kind]`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.cli.translate import Conversation
from tests.schemas import Version, validate
from translators import Options

FOLDER = Path(__file__).parent
SCENARIOS: list[dict[str, Any]] = [
    scenario for path in sorted(FOLDER.glob("*.json")) for scenario in json.loads(path.read_text("utf-8"))
]
Bound = dict[str, Any]


@pytest.mark.parametrize("scenario", [pytest.param(each, id=each["name"]) for each in SCENARIOS])
def test_scenario(scenario: dict[str, Any]) -> None:
    play(scenario)


def play(
    scenario: dict[str, Any], after: Callable[[Conversation, str, list[Any], list[Any]], None] | None = None
) -> None:
    """Play a scenario. `after` hears of each step: the conversation, who spoke, what, and what left."""
    versions: dict[str, Version] = {"charger": scenario["charger_version"], "csms": scenario["csms_version"]}
    options = msgspec.convert(scenario.get("options", {}), Options)
    conversation = Conversation(f"ocpp{versions['charger']}", f"ocpp{versions['csms']}", options)
    bound: Bound = {}
    actions: dict[tuple[str, str], str] = {}
    for number, step in enumerate(scenario["steps"]):
        frame = filled(step["frame"], bound)
        if step["from"] != "control" and frame[0] == 2:
            actions[step["from"], frame[1]] = frame[2]
        line = json.dumps({"from": step["from"], "frame": frame})
        left = [json.loads(json.dumps(each, default=plain), parse_float=Decimal) for each in conversation.feed(line)]
        where = f"step {number}"
        for each in left:
            conforms(versions, actions, each["to"], each["frame"])
        for side in ("charger", "csms"):
            got = [each for each in left if each["to"] == side]
            wanted = [each for each in step["expect"] if each["to"] == side]
            assert len(got) == len(wanted), f"{where}: to {side} left {got}"
            for want, each in zip(wanted, got, strict=True):
                wrong = differs(want["frame"], each["frame"], bound, "$")
                assert wrong is None, f"{where} to {side}: {wrong}"
                if "losses" in want:
                    losses = [[loss["field"], loss["kind"]] for loss in each["losses"]]
                    assert losses == want["losses"], f"{where} to {side}: losses {losses}"
        if after is not None:
            after(conversation, step["from"], frame, left)


def test_names_are_unique() -> None:
    names = [scenario["name"] for scenario in SCENARIOS]
    assert len(names) == len(set(names))


def conforms(versions: dict[str, Version], actions: dict[tuple[str, str], str], to: str, frame: list[Any]) -> None:
    """Raise AssertionError unless the frame that leaves is valid, and an answer answers something."""
    match frame:
        case [2, str(id), str(action), dict(payload)]:
            assert 0 < len(id) <= 36
            validate(versions[to], action, "request", payload)
        case [3, id, dict(payload)]:
            validate(versions[to], actions.pop((to, id)), "response", payload)
        case [4, id, str(), str(description), dict()]:
            assert len(description) <= 255
            del actions[to, id]
        case _:
            raise AssertionError(f"no frame: {frame}")


def plain(value: Any) -> Any:
    """Raw payloads and losses of a conversation as plain data."""
    if isinstance(value, msgspec.Raw):
        return json.loads(bytes(value))
    return msgspec.to_builtins(value)


def filled(value: Any, bound: Bound) -> Any:
    """What is fed, with the bound values in their places."""
    match value:
        case "$now":
            return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case str() if value.startswith("$") and value in bound:
            return bound[value]
        case {"$json": text}:
            return json.dumps(filled(text, bound))
        case dict():
            return {name: filled(member, bound) for name, member in value.items()}
        case list():
            return [filled(item, bound) for item in value]
    return value


def differs(want: Any, got: Any, bound: Bound, path: str) -> str | None:
    """How a value is not what is wanted; None if it is."""
    if isinstance(want, str) and want.startswith("$"):
        return _placeholder(want, got, bound, path)
    match want:
        case {"$json": text}:
            return differs(text, json.loads(got, parse_float=Decimal), bound, path + "<json>")
        case {"$contains": items}:
            for item in items:
                if all(differs(item, each, dict(bound), path) is not None for each in got or []):
                    return f"{path}: {got!r} lacks {item!r}"
            return None
        case dict():
            if not isinstance(got, dict) or want.keys() != got.keys():
                return f"{path}: {got!r} is not {want!r}"
            return next((e for name in want if (e := differs(want[name], got[name], bound, f"{path}.{name}"))), None)
        case list():
            if not isinstance(got, list) or len(want) != len(got):
                return f"{path}: {got!r} is not {want!r}"
            return next((e for i, item in enumerate(want) if (e := differs(item, got[i], bound, f"{path}[{i}]"))), None)
    if _is_number(want) and _is_number(got):
        return None if Decimal(str(want)) == Decimal(str(got)) else f"{path}: {got} is not {want}"
    return None if want == got and type(want) is type(got) else f"{path}: {got!r} is not {want!r}"


def _placeholder(want: str, got: Any, bound: Bound, path: str) -> str | None:
    kind, _, name = want.partition(":")
    if name and want in bound:
        return None if bound[want] == got else f"{path}: {got!r} is not {want} = {bound[want]!r}"
    fits = {
        "$uuid": isinstance(got, str) and 0 < len(got) <= 36,
        "$int": isinstance(got, int) and not isinstance(got, bool),
        "$now": isinstance(got, str) and got.startswith("20") and got.endswith("Z"),
        "$any": True,
    }
    if not fits.get(kind, want == got):
        return f"{path}: {got!r} is no {kind}"
    if name:
        bound[want] = got
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)
