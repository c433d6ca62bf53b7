"""A page is played from its first command to its last. `pytest -m full tests/docs -k tutorial` plays some."""

from __future__ import annotations

from pathlib import Path

import pytest

from .blocks import blocks
from .play import Play
from .shown import pattern, plain
from .worlds import WORLDS


@pytest.mark.full
@pytest.mark.timeout(400)
@pytest.mark.parametrize("page", WORLDS)
async def test_page(page: str, tmp_path: Path) -> None:
    play = Play(WORLDS[page], tmp_path)
    try:
        await play.begin()
        for block in blocks():
            if block.page == page:
                await play.block(block)
    except AssertionError as error:
        raise AssertionError(f"{page}, after\n{''.join(play.told)}\n{error}") from None
    finally:
        await play.end()


def test_what_is_shown_is_compared() -> None:
    wanted = pattern(["CHARGER  SCORE", "...", "DE-0815  82  ... 2026-11-22T21:55:04.875Z"])
    said = plain("CHARGER   SCORE\nDE-0814   1 none\nDE-0815   100  none  2027-01-01T00:00:00.001Z\n\n")
    assert wanted.fullmatch(said)
    assert not wanted.fullmatch(said.replace("SCORE", "POINTS"))
    assert not wanted.fullmatch(said + "more\n")


def test_figures_may_differ() -> None:
    wanted = pattern(["12:34:07.733  CP1 <- ok  8 ms {tok:bb7c413fcba3, 43172ea8-66fa-4d5e-9114-77da8b97beb8}"])
    assert wanted.fullmatch(plain("01:02:03.004  CP1 <- ok  12 ms {tok:f0, a3172ea8-66fa-4d5e-9114-77da8b97beb8}\n"))
    assert not wanted.fullmatch(
        plain("01:02:03.004  CP1 <- ok  later {tok:f0, a3172ea8-66fa-4d5e-9114-77da8b97beb8}\n")
    )
