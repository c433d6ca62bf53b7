"""The table of quirks: complete, and every row has a test that exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from translators.quirks import QUIRKS, Quirk

TESTS = Path(__file__).parent.parent.parent


def test_the_table_is_whole() -> None:
    assert [row.quirk for row in QUIRKS] == [f"Q{number:02}" for number in range(1, 53)]
    assert {row.quirk for row in QUIRKS if not row.label} == {"Q15", "Q26"}
    assert all(row.where == "payload" for row in QUIRKS if row.at)


@pytest.mark.parametrize("row", QUIRKS, ids=lambda row: row.quirk)
def test_every_row_has_its_test(row: Quirk) -> None:
    file, _, name = row.test.partition("::")
    text = (TESTS / file).read_text("utf-8")
    assert re.search(rf"^(async )?def {re.escape(name)}\(", text, re.MULTILINE), row.test
