"""Watching while a thousand messages a second pass: what is not shown is told, to the last frame."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections import defaultdict
from pathlib import Path

import pytest

from tests.bench.ends import answering, chargers_at
from tests.bench.gateway import gateway
from tests.bench.processes import Process

from .process import COMMAND

pytestmark = [pytest.mark.full, pytest.mark.timeout(180)]

CALLS_PER_S = 300
"""Four frames each: in from the charger, out to the CSMS, in from it, out to the charger."""
SECONDS = 6


def admin_of(process: Process) -> str:
    """The operators' port that its configuration names."""
    file = process.popen.args[3]  # type: ignore[index]
    with open(file) as source:
        return f"http://127.0.0.1:{json.load(source)['admin']['port']}"


def test_tail_drops_visibly_and_never_silently(tmp_path: Path) -> None:
    shown = tmp_path / "shown"
    with (
        shown.open("w") as sink,
        answering() as csms,
        gateway(csms.url, "ocpp1.6") as (process, url),
        chargers_at(url, 50, transactions=False) as load,
    ):
        tail = subprocess.Popen(
            [COMMAND, "tail", "*", "--both-sides", "-o", "ndjson", "--server", admin_of(process)],
            stdout=sink,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        assert tail.stderr is not None
        try:
            assert "watching" in tail.stderr.readline()
            before = csms.heard()
            load.say({"do": "open", "message": "MeterValues", "rate": CALLS_PER_S, "seconds": SECONDS})
            while "count" not in (found := load.hear(60)):
                pass
            told = csms.heard() - before
            time.sleep(1.5)
        finally:
            tail.send_signal(2)
        _, summary = tail.communicate(timeout=20)
    events = [json.loads(line) for line in shown.read_text().splitlines()]
    frames = [each for each in events if each["event"] == "frame"]
    gaps = [each for each in events if each["event"] == "gap"]
    assert len(frames) > 500 and len(gaps) >= 5 and all(each["lost"] for each in gaps)
    total = len(frames) + sum(each["lost"] for each in gaps)
    assert found["count"] <= told and 4 * told <= total <= 4 * told + 20, "a few of another kind may have passed"
    whole: dict[str, int] = defaultdict(int)
    for each in frames:
        whole[each["charger"] + each["exchange"]] += 1
    assert set(whole.values()) == {4}, "exchanges are whole"
    assert re.search(rf"{len(frames)} frames, {total - len(frames)} missing", summary), summary
