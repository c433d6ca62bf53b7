"""Links lead somewhere, in the repository as on the site; every page has its place there. `make site` says the same, slower."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from .blocks import ROOT, pages

_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"(?ms)^( *)(```+).*?^\1\2 *$|`[^`\n]*`")


@cache
def anchors(path: Path) -> set[str]:
    """Of the headings of a page, as hosts of repositories and the site make them."""
    found: set[str] = set()
    text = re.sub(r"(?ms)^( *)(```+).*?^\1\2 *$", "", path.read_text(encoding="utf-8"))
    for heading in re.findall(r"(?m)^#+ +(.*?) *$", text):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        number = 0
        while (name := f"{slug}-{number}" if number else slug) in found:
            number += 1
        found.add(name)
    return found


@pytest.mark.parametrize("page", pages())
def test_links_lead_somewhere(page: str) -> None:
    broken = []
    for target in _LINK.findall(_CODE.sub("", pages()[page])):
        file, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        path = (ROOT / page).parent / file if file else ROOT / page
        if not path.exists() or (anchor and anchor not in anchors(path.resolve())):
            broken.append(target)
    assert broken == []


def _leaves(part: Any) -> list[str]:
    if isinstance(part, dict):
        return [leaf for each in part.values() for leaf in _leaves(each)]
    return [leaf for each in part for leaf in _leaves(each)] if isinstance(part, list) else [part]


def test_every_page_has_a_place_on_the_site() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    placed = set(_leaves(yaml.safe_load(text[text.index("\nnav:") :])["nav"]))
    inside = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert inside <= placed
    source = (ROOT / "tools" / "site.py").read_text(encoding="utf-8")
    outside = dict(re.findall(r'(?m)^    "([\w/.-]+)": "([\w.-]+)",$', source))
    assert {name for name in outside if not (ROOT / name).is_file()} == set()
    assert placed - inside == set(outside.values())
