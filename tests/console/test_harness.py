"""The guard of these tests guards."""

from __future__ import annotations

from typing import Any

from .browser import Console
from .world import World


async def test_what_the_guard_sees(chromium: Any, world: World, tmp_path: Any) -> None:
    page = await chromium.new_page()
    console = Console(page, world.address, tmp_path)
    await page.route(
        "**/*",
        lambda route: route.fulfill(
            body="<!doctype html><h1>x</h1><script src='http://example.invalid/a.js'></script>"
            "<script>console.error('bad'); throw new Error('worse')</script>",
            content_type="text/html",
        ),
    )
    await page.goto(world.address + "/console/")
    await page.close()
    said = " ".join(console.problems)
    assert "request to http://example.invalid/a.js" in said and "bad" in said and "worse" in said, said
