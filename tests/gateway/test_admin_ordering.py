"""The order of the list of chargers, and its pages."""

from __future__ import annotations

import pytest

from gateway.admin.directory import Line
from gateway.admin.ordering import CHOICES, Ordered, cut, place


def line(number: int) -> Line:
    """One of many, of which some are alike."""
    version, model = f"ocpp1.{5 + number % 2}", f"Model {number % 4}"
    return Line(f"CP-{number:03}", number % 3 == 0, "", 0, version, "Vendor", model, "1.0", "main", [], {}, [], None)


LINES = [line(number) for number in range(50)]


@pytest.mark.parametrize("sort", CHOICES)
def test_pages_follow_each_other(sort: str) -> None:
    ordered = sorted(LINES, key=lambda each: place(each, sort), reverse=sort.startswith("-"))
    seen: list[str] = []
    cursor = ""
    for _ in range(8):
        page, cursor = cut(ordered, sort, cursor, 7)
        seen += [each.id for each in page]
        if not cursor:
            break
    assert seen == [each.id for each in ordered] and len(seen) == 50 and cursor == ""


def test_a_page_goes_on_where_its_last_charger_was_though_that_is_gone() -> None:
    ordered = sorted(LINES, key=lambda each: place(each, "model"))
    page, cursor = cut(ordered, "model", "", 10)
    rest, _ = cut([each for each in ordered if each is not page[-1]], "model", cursor, 1)
    assert rest == [ordered[10]]


async def test_a_list_serves_its_pages_and_no_other_question() -> None:
    made = 0

    async def make() -> list[Line]:
        nonlocal made
        made += 1
        return LINES

    lists = Ordered()
    first = await lists.lines(("a",), "-id", make)
    assert [each.id for each in first[:2]] == ["CP-049", "CP-048"]
    assert await lists.lines(("a",), "-id", make) is first and made == 1
    await lists.lines(("b",), "-id", make)
    await lists.lines(("b",), "id", make)
    lists.forget()
    await lists.lines(("b",), "id", make)
    assert made == 4
    lists.forget()
