"""The measuring tool itself works; no figure is judged here."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any, cast

import jsonschema
import msgspec
import pytest

from gateway.journal.reply import Reply
from tests.schemas import Version, validate
from translators.frames import Side

from . import __main__ as bench
from . import backlog, connecting, ladder, memory, minimal, mirrors, peers, profiled, recovery, soak, store, translation
from .conversations import Script
from .csms import ANSWERS
from .load import BOOT, HEARTBEAT, METER_VALUES, START, STATUS, STEPS_PER_S, TOP, percentile
from .plan import QUICK, Plan
from .report import Report
from .rows import LEAST_CALLS, TRANSLATIONS

pytestmark = pytest.mark.bench


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two cores")
def test_quick_run_against_the_yardstick(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "performance.md"
    assert bench.main(["--quick", "--rows", "yardstick", "--output", str(output)]) == 0
    printed = capsys.readouterr().out
    rows = [line for line in printed.splitlines() if "yardstick (websockets asyncio)" in line]
    assert len(rows) == 2, printed
    assert "lost" not in printed and "unanswered" not in printed
    assert "| yardstick (websockets asyncio) | MeterValues |" in output.read_text()


@pytest.mark.slow  # the hub that is left takes over after up to 15 s
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two cores")
@pytest.mark.parametrize(
    ("measure", "rows"),
    [
        (mirrors.measure, ["0", "1", "2", "4"]),
        (backlog.drain, ["1.6 -> 1.6", "1.6 -> 2.0.1"]),
        (backlog.queued, ["0", "40", "80", "80, parked"]),
        (recovery.measure, ["one of two"]),
    ],
)
def test_rows_with_several_csmss_and_outages(measure: Callable[[Plan, Report], None], rows: list[str]) -> None:
    plan = replace(QUICK, chargers=8, mirrored=40, backlog=80, queued=80, settle=0.1)
    report = Report()
    measure(plan, report)
    (section,) = report.sections
    assert [row[0] for row in section.rows] == rows, section.notes
    assert all(len(row) == len(section.header) for row in section.rows)
    assert not [note for note in section.notes if "missing" in note or ("heard" in note and "answered" in note)]
    assert report.bars and all(bar.value is not None for bar in report.bars)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two cores")
@pytest.mark.parametrize(
    ("measure", "wanted"),
    [
        (connecting.storm, {connecting.GATEWAY, peers.YARDSTICK}),
        (connecting.starts, {"it listens", "it is ready"}),
        (connecting.tls, {connecting.GATEWAY}),
        (
            ladder.measure,
            {
                ladder.HAND_OVER,
                ladder.STREAMS,
                ladder.TRANSLATED,
                ladder.FRAMES,
                ladder.STORED,
                peers.YARDSTICK,
                "`ocpp` package as a proxy",
            },
        ),
        (memory.measure, {memory.EDGE, memory.HUB, memory.BOTH, memory.TRANSLATED, memory.SECURE, peers.YARDSTICK}),
        (store.measure, {"plain XADD", "append script, deduplicating"}),
    ],
)
def test_rows_beside_others(measure: Callable[[Plan, Report], None], wanted: set[str]) -> None:
    """Peers that are not installed are told missing; all else is there."""
    plan = replace(QUICK, chargers=8, storm=50, handshakes=10, idle_first=10, idle=30, aging=0.1, appends=400)
    report = Report()
    measure(plan, report)
    (section,) = report.sections
    assert wanted <= {row[0] for row in section.rows}, section.notes
    assert all(len(row) == len(section.header) for row in section.rows)
    assert not [note for note in section.notes if "missing, gateway" in note]
    assert report.bars or measure is connecting.tls


def schema(version: str, action: str, answer: bool) -> Any:
    """The official schema of a payload, from the ocpp package."""
    if version == "ocpp1.6":
        path = f"v16/schemas/{action}{'Response' if answer else ''}.json"
    else:
        path = f"v201/schemas/{action}{'Response' if answer else 'Request'}.json"
    return json.loads((resources.files("ocpp") / path).read_text("utf-8-sig"))


@pytest.mark.parametrize("version", ANSWERS)
def test_answers_of_the_csms_are_valid(version: str) -> None:
    for action, answer in ANSWERS[version].items():
        for request in (b"{}", b'{"idToken":{}}'):
            jsonschema.validate(json.loads(answer(request)), schema(version, action.decode(), answer=True))


def test_messages_of_the_load_are_valid() -> None:
    when = (b"2026-01-01T00:00:00", 7)
    for frame in (
        BOOT % b"1",
        HEARTBEAT % b"2",
        STATUS % (b"3", 1, b"Charging", *when),
        START % (b"4", b"BENCH000001", *when),
        METER_VALUES % (b"5", 1, *when, 1000),
    ):
        _, _, action, payload = json.loads(frame)
        jsonschema.validate(payload, schema("ocpp1.6", action, answer=False))


@pytest.mark.parametrize(("charger", "csms"), TRANSLATIONS)
def test_messages_of_the_pure_layer_are_valid(charger: str, csms: str) -> None:
    """What either side says and answers, and nothing is refused."""
    talk = translation.Conversation(charger, csms)
    talk.script = Checked(charger, csms)
    for turn in talk.script.boot() + talk.script.session() + talk.script.plain():
        validate(talk.script.version(turn.side), turn.action, "request", turn.payload())
    talk = translation.Conversation(charger, csms)
    talk.script = Checked(charger, csms)
    for turn in talk.script.boot() + talk.script.session():
        call, trip = talk.tell(turn)
        assert 0 < call <= trip
    assert talk.script.answers > 0


def test_what_is_translated_by_hand_is_what_is_translated() -> None:
    """But for the id of the CALL, and the ids of both links."""
    talk = translation.Conversation("ocpp1.6", "ocpp2.0.1")
    hand = minimal.Minimal("", str)
    seen = set()
    for turn in talk.script.boot() + talk.script.plain():
        told = talk.prepare(turn)
        talk.cross(told)
        if turn.action in hand.rules:
            (frame,) = (msgspec.json.decode(frame.payload) for _, frame in told.left)
            hand.uuid = frame["transactionInfo"]["transactionId"]
            assert msgspec.json.decode(hand.cross(told.raw))[3] == frame
            seen.add(turn.name)
        talk.settle(told)
    assert seen >= LEAST_CALLS.keys()


class Checked(Script):
    """Checks what either side answers."""

    answers = 0

    def version(self, side: Side) -> Version:
        return cast(Version, (self.charger if side == "charger" else self.csms).removeprefix("ocpp"))

    def answer(self, side: Side, action: str, asked: dict[str, Any]) -> dict[str, Any]:
        self.answers += 1
        answer = super().answer(side, action, asked)
        validate(self.version(side), action, "response", answer)
        return answer


def test_percentile_of_a_histogram() -> None:
    histogram = [0] * (TOP + 1)
    histogram[10], histogram[1000] = 98, 2
    assert percentile(histogram, 0.5) == pytest.approx(10.5e6 / STEPS_PER_S)
    assert percentile(histogram, 0.99) == pytest.approx(1000.5e6 / STEPS_PER_S)
    assert percentile([0] * (TOP + 1), 0.5) == 0


async def test_a_sample_counts_for_the_innermost_frame_of_ours() -> None:
    found = [profiled.own_frame(sys._getframe())]
    reply: Reply[None] = Reply(loop=asyncio.get_running_loop())
    reply.callback = lambda _: found.append(profiled.own_frame(sys._getframe()))
    reply.tell()
    assert found == [profiled.LOOP, ("gateway/journal/reply.py", "Reply.tell")]


def test_the_slope_of_a_soak_is_not_moved_by_what_is_given_back() -> None:
    looks = [soak.Look(10.0 * at, 100 + at / 360, 0, 20, 50, 7, 64) for at in range(60)]
    assert soak.slope(looks) == pytest.approx(1.0)
    burst = [replace(look, memory=look.memory + 6) if 50 <= at < 58 else look for at, look in enumerate(looks)]
    assert 0.9 < soak.slope(burst) < 1.6
    assert soak.grown(looks, "tasks") == 0
    assert soak.grown(looks, "memory") > 0


@pytest.mark.parametrize(
    ("changed", "said", "code"),
    [
        ({}, "nothing grows", 0),
        ({"memory": 1.1 / 360}, "grows: memory", 1),
        ({"memory": 0.9 / 360}, "nothing grows", 0),
        ({"tasks": 1}, "grows: tasks", 1),
        ({"descriptors": 6}, "grows: descriptors", 1),
        ({"entries": 40}, "grows: entries", 1),
        ({"streams": 1}, "grows: streams", 1),
        ({"answered": 100}, "too little was said", 1),
        ({"came_back": 0}, "too little was said", 1),
        ({"heard": 0}, "too little was said", 1),
    ],
)
def test_a_soak_fails_for_whatever_grows(
    capsys: pytest.CaptureFixture[str], changed: dict[str, float], said: str, code: int
) -> None:
    """`changed`: by how much each look has more than the one before, or what else was seen."""
    more = {name: changed.get(name, 0) for name in ("memory", "tasks", "descriptors", "entries", "streams")}
    begin = {"memory": 100.0, "tasks": 20, "descriptors": 3000, "entries": 7, "streams": 64}
    looks = [
        soak.Look(at=10.0 * at, store=5.0, **{name: begin[name] + at * more[name] for name in begin})
        for at in range(60)
    ]
    options = argparse.Namespace(chargers=1000, rate=100, minutes=10, warm_up=0)
    seen = {"answered": changed.get("answered", 60_000), "came_back": changed.get("came_back", 50), "errors": {}}
    assert soak.judge(options, looks, seen, {"main": 9, "mirror": int(changed.get("heard", 9))}) == code
    assert said in capsys.readouterr().out
