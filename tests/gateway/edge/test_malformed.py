"""Every example of malformed.yaml over a real WebSocket against a real edge, and that the next valid frame works."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest
import yaml
from structlog.testing import capture_logs

from gateway.edge.guard import Guard
from gateway.edge.listener import Edge
from gateway.edge.verdict import Take
from tests.gateway.edge.conftest import EchoHub, closed, dial, hear, say

ROWS: list[dict[str, Any]] = yaml.safe_load((files("gateway.edge") / "malformed.yaml").read_text("utf-8"))
EXAMPLES = [
    pytest.param(row, example, version, id=f"{row['row']}-{number}-{version}")
    for row in ROWS
    for number, example in enumerate(row["examples"])
    for version in ("ocpp1.6", "ocpp2.0.1")
    if example.get("only", version) == version
]


@pytest.mark.parametrize(("row", "example", "version"), EXAMPLES)
async def test_row(row: dict[str, Any], example: dict[str, Any], version: str, edge: Edge, hub: EchoHub) -> None:
    with capture_logs() as lines:
        await played(row, example, version, edge, hub)
    told = [line for line in lines if line["event"] == "malformed_frame"]
    level = "debug" if row[version] == "accept" else "info"
    unanswered = {"R16", "R28", "R29", "R33"}  # what is counted as an answer to nothing
    assert [(line["row"], line["log_level"]) for line in told] == [(row["row"], level)][: row["row"] not in unanswered]
    assert all(set(line) <= {"event", "log_level", "charger_id", "row", "close"} for line in told), "no payload"


async def played(row: dict[str, Any], example: dict[str, Any], version: str, edge: Edge, hub: EchoHub) -> None:
    kind, _, code = row[version].partition(" ")
    id = example.get("id", '"-1"')
    async with dial(edge, version=version) as ws:
        await ws.send(example["frame"])
        if kind != "drop":
            answer = await ws.recv()
            assert isinstance(answer, str)
            assert answer.startswith(f"[{3 if kind == 'accept' else 4},{id},"), answer
            if kind == "error":
                assert json.loads(answer)[2:] == [code, row["title"], {}]
            else:
                stored = (await hub.kinds("open", "call"))[1]
                assert stored.frame.decode() == example.get("become", example["frame"])
        await say(ws, 2, "next", "Heartbeat", {})
        assert (await hear(ws))[:2] == [3, "next"]
        refused = 0 if kind == "accept" else 1
        assert len([entry for entry in hub.entries if entry.kind == "call"]) == 2 - refused
    assert edge.counters.malformed == {row["row"][:3]: 1}


@pytest.mark.parametrize(("version", "bad"), [("ocpp1.6", "[]"), ("ocpp2.0.1", '[2,"x",7,{}]')])
async def test_five_defects_in_a_minute_close_1002(version: str, bad: str, edge: Edge) -> None:
    async with dial(edge, version=version) as ws:
        for _ in range(5):
            await ws.send(bad)
        assert (await closed(ws))[0] == 1002
    assert edge.counters.disconnects == {"protocol_error": 1}


async def test_unknown_actions_never_close(edge: Edge) -> None:
    async with dial(edge) as ws:
        for number in range(10):
            await say(ws, 2, str(number), "MakeCoffee", {})
            assert (await hear(ws))[:3] == [4, str(number), "NotImplemented"]


async def test_the_third_bomb_closes_1008(edge: Edge) -> None:
    bomb = '[2,"b","DataTransfer",{"data":' + "[" * 1000 + "]" * 1000 + "}]"
    wide = '[2,"w","DataTransfer",{"data":[' + "1," * 21_000 + "1]}]"
    async with dial(edge) as ws:
        for frame in (bomb, wide, bomb):
            await ws.send(frame)
            assert (await hear(ws))[2] == "FormationViolation"
        assert (await closed(ws))[0] == 1008


@pytest.mark.parametrize("version", ["ocpp1.6", "ocpp2.0.1"])
async def test_texts_end_at_64_kib_but_for_data_of_a_vendor(version: str, edge: Edge) -> None:
    async with dial(edge, version=version) as ws:
        await say(ws, 2, "1", "DataTransfer", {"vendorId": "v", "data": "x" * 200_000})
        assert (await hear(ws))[:2] == [3, "1"]
        await say(ws, 2, "2", "BootNotification", {"a": ["x" * 64 * 1024, "y" * 1000]})
        assert (await hear(ws))[:2] == [3, "2"]
        for id in ("3", "4", "5"):
            await say(ws, 2, id, "BootNotification", {"a": {"x" * (64 * 1024 + 1): 1}})
            assert (await hear(ws))[:4] == [
                4, id, "FormationViolation" if version == "ocpp1.6" else "FormatViolation", "a text of more than 64 KiB"
            ]  # fmt: skip
        assert (await closed(ws))[0] == 1008
    assert edge.counters.malformed == {"R37": 3}


def test_defects_older_than_a_minute_are_forgotten() -> None:
    guard = Guard("ocpp1.6")
    closes = [guard.read(b"[]", now * 20_000).close for now in range(20)]  # type: ignore[union-attr]
    assert closes == [0] * 20


def test_many_brackets_in_strings_or_side_by_side_are_not_deep() -> None:
    guard = Guard("ocpp1.6")
    for data in (["[" * 100], ["]" * 100, "{" * 99], [[]] * 100, '\\"[[[' * 50):
        verdict = guard.read(json.dumps([2, "x", "DataTransfer", {"data": data}], separators=(",", ":")).encode(), 0)
        assert isinstance(verdict, Take), data
        guard.answered(verdict.seq, 0)


def test_a_truncated_frame_with_many_objects_is_invalid_json_not_a_bomb() -> None:
    guard = Guard("ocpp1.6")
    frame = b'[2,"t","MeterValues",{"meterValue":[' + b'{"value":"1"},' * 200
    verdict = guard.read(frame, 0)
    assert not isinstance(verdict, Take)
    assert verdict.row == "R03"


def test_every_row_has_a_reaction_for_both_versions_and_rows_are_unique() -> None:
    names = [row["row"] for row in ROWS]
    assert len(names) == len(set(names))
    for row in ROWS:
        assert {"title", "ocpp1.6", "ocpp2.0.1", "examples"} <= set(row)
        assert len(row["title"]) < 256
