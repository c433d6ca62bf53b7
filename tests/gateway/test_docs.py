"""The reference pages are those of this program."""

from __future__ import annotations

import re

import pytest

from tools.docs import PAGES, ROOT, metrics_page


@pytest.mark.parametrize("name", PAGES)
def test_page_is_up_to_date(name: str) -> None:
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == PAGES[name](), "run make docs"


def test_sizing_plans_with_what_was_measured() -> None:
    """The figures of the sizing table are not better than those of the last complete run of the bench."""
    measured = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    table = (ROOT / "docs" / "capacity.md").read_text(encoding="utf-8")
    for row, in_table in (
        ("edge alone", "edge, per idle charger"),
        ("hub alone, 1.6 -> 1.6", "hub, per idle charger and upstream"),
        ("gateway, both roles, 1.6 -> 1.6", "both roles in one process, per idle charger"),
    ):
        found = re.search(rf"\| {re.escape(row)} \| ([0-9.]+) \| ([0-9.]+) \|", measured)
        planned = re.search(rf"\| {re.escape(in_table)} \| ([0-9.]+) KiB.*? beside ([0-9.]+) MiB", table)
        assert found and planned, row
        for number in (1, 2):
            assert float(planned[number]) >= 0.9 * float(found[number]), row


def test_buckets_are_in_the_unit_of_the_name() -> None:
    page = metrics_page()
    assert "524288, 1048576 bytes" in page and "30, 60 seconds" in page
