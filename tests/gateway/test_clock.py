"""A machine whose clock is wrong: the store's counts (reliability I-23)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway import clock
from gateway.clock import Clock, now_ms
from gateway.config import RedisConfig
from gateway.journal import Journal

real = time.time_ns


@pytest.fixture
async def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Clock]:
    monkeypatch.setattr(clock, "_ahead_ms", 0)
    journal = Journal(RedisConfig(data_dir=str(tmp_path)), now_ms=now_ms)
    await journal.start()
    try:
        yield Clock(journal)
    finally:
        await journal.stop()


@pytest.mark.parametrize(
    ("ahead", "suspect"), [(0.0, False), (1.5, False), (-1.5, False), (2.5, True), (-2.5, True), (3600.0, True)]
)
async def test_a_clock_more_than_two_seconds_off_is_not_believed(
    watched: Clock, ahead: float, suspect: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: real() + int(ahead * 1e9))
    with capture_logs() as logs:
        await watched.look()
        await watched.look()
    assert watched.ahead == pytest.approx(ahead, abs=0.3)
    assert watched.suspect is suspect
    assert [each["event"] for each in logs] == ["clock_suspect"] * suspect, "told once"
    assert now_ms() == pytest.approx(real() / 1e6 + (0 if suspect else ahead * 1000), abs=300)


async def test_a_clock_that_is_set_right_is_believed_again(watched: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at the first sign: one that is about two seconds off would go to and fro."""
    with capture_logs() as logs:
        for ahead in (10.0, 1.6, 0.2):
            monkeypatch.setattr(time, "time_ns", lambda ahead=ahead: real() + int(ahead * 1e9))
            await watched.look()
            assert now_ms() == pytest.approx(real() / 1e6 + (200 if ahead == 0.2 else 0), abs=150)
    assert [each["event"] for each in logs] == ["clock_suspect", "clock_good"]
