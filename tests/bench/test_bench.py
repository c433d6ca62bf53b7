"""The measuring tool itself works; no figure is judged here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from . import __main__ as bench
from .load import STEPS_PER_S, TOP, percentile

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


def test_percentile_of_a_histogram() -> None:
    histogram = [0] * (TOP + 1)
    histogram[10], histogram[1000] = 98, 2
    assert percentile(histogram, 0.5) == pytest.approx(10.5e6 / STEPS_PER_S)
    assert percentile(histogram, 0.99) == pytest.approx(1000.5e6 / STEPS_PER_S)
    assert percentile([0] * (TOP + 1), 0.5) == 0
