"""A link that brings a token, such as the demo prints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .browser import Console
from .world import TOKENS, Guarded


async def test_a_link_may_bring_a_token(chromium: Any, guarded: Guarded, tmp_path: Path) -> None:
    page = await chromium.new_page()
    console = Console(page, guarded.address, tmp_path)
    await page.goto(f"{guarded.address}/console/#token={TOKENS['admin']}")
    await console.until("document.querySelector('main h1') !== null && !document.querySelector('input[type=password]')")
    assert TOKENS["admin"] not in page.url
    assert TOKENS["admin"] in await page.evaluate("JSON.stringify(sessionStorage)")
    await page.close()
    assert console.problems == []
