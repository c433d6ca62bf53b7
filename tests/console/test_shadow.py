"""The page of the shadows."""

from __future__ import annotations

import re

from .browser import Console
from .world import TOKENS, World


async def test_readiness_of_the_fleet_and_of_one(console: Console, world: World) -> None:
    await console.open("#/shadow")
    await console.sees("tbody tr")
    head = await console.text("section.shadow-head")
    assert "next" in head and "verdict" in head and "interval" in head
    assert re.search(r"\b[0-3] of 9 chargers", head), "how many agree so far is luck"
    [score] = [
        await each.text_content() for each in await console.page.query_selector_all(".shadow-head svg.ring text")
    ]
    assert abs(int(score or 0) - (await world.get("shadow"))["upstreams"]["next"]["score"]) <= 3
    scores = [int(each) for each in await console.one("tbody td strong").all_inner_texts()]
    assert scores == sorted(scores) and len(scores) >= 3

    await console.page.keyboard.press("/")
    await console.page.keyboard.type("highway-01")
    await console.until("document.querySelectorAll('.split tbody tr').length === 1")
    await console.one(".split tbody tr").first.focus()
    await console.page.keyboard.press("Enter")
    await console.sees("aside .differences tbody tr")
    said = await console.text("aside")
    assert "HIGHWAY-01 at next" in said and "Accepted" in said and "Blocked" in said and "TAG0" not in said, said
    assert "interval" in await console.text(".split tbody tr"), "heartbeats, too"
    await console.page.fill("input[type=search]", "")
    await console.until("document.querySelectorAll('.split > section tbody tr').length >= 9")
    await console.looks("shadow")


async def test_without_a_shadow(guarded_console: Console) -> None:
    await guarded_console.page.add_init_script(f"sessionStorage.setItem('ocpp-gateway.token', '{TOKENS['read']}')")
    await guarded_console.open("#/shadow")
    await guarded_console.sees('.empty:has-text("No upstream is a shadow")')
