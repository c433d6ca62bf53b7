"""docs/reliability.md names every invariant and every test of it, and no other."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "reliability.md"
INVARIANTS = [f"{number:02}" for number in range(1, 39)]


def there() -> set[tuple[str, str, str]]:
    """(invariant, file, test) of every test here."""
    return {
        (number, path.name, name)
        for path in HERE.glob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_i\d\d_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
        for number in re.findall(r"_i(\d\d)(?=_)", name)
    }


def told() -> set[tuple[str, str, str]]:
    rows = re.findall(r"^\| I-(\d\d) \| .* \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {(number, *pair) for number, tests in rows for pair in re.findall(r"`(test_\w+\.py)` `(test_\w+)`", tests)}


def test_each_invariant_has_a_test() -> None:
    assert sorted({number for number, _, _ in there()}) == INVARIANTS


def test_the_page_names_them_all() -> None:
    assert told() == there()
