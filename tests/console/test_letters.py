"""The page of the dead letters."""

from __future__ import annotations

import json

from .browser import Console
from .test_upstreams import confirmed
from .world import World


async def letters(world: World) -> list[str]:
    """Ids of those of `billing`."""
    return [each["id"] for each in (await world.get("dead-letters/billing?count=500"))["dead_letters"]]


async def test_seen_by_upstream_and_one_by_one(console: Console, world: World) -> None:
    ids = await letters(world)
    await console.open("#/letters")
    await console.sees("tbody tr")
    assert await console.one("tbody tr").count() == len(ids)
    await console.page.click('.tabs button[data-name="main"]')
    await console.sees('.empty:has-text("No dead letters")')
    assert "upstream=main" in console.page.url
    await console.page.click('.tabs button[data-name="billing"]')
    await console.sees("tbody tr")
    await console.one("tbody tr").first.focus()
    await console.page.keyboard.press("ArrowDown")
    await console.page.keyboard.press("Enter")
    preview = await console.sees("aside pre.payload")
    shown = json.loads(await preview.inner_text())
    assert shown == (await world.get(f"dead-letters/billing/{ids[1]}"))["payload"]
    assert "tok:" in json.dumps(shown) and "TAG0" not in await console.text("aside"), "tokens are hidden"
    await console.looks("letters")
    await console.page.keyboard.press("/")
    await console.page.keyboard.type("nobody")
    await console.sees('.empty:has-text("None fits")')


async def test_requeue_and_discard(console: Console, world: World) -> None:
    ids = await letters(world)
    await console.open("#/letters?upstream=billing")
    await console.sees("tbody tr")
    await console.one("tbody tr").first.focus()
    await console.page.keyboard.press("x")
    assert "1 of" in await console.text(".hands")
    await confirmed(console, '.hands button:has-text("Requeue")', "Requeue")
    await console.sees('.toast:has-text("1 dead letter queued again")')
    await console.until(f"document.querySelectorAll('tbody tr').length === {len(ids) - 1}")
    assert await letters(world) == ids[1:]

    await console.page.click("tbody tr td:nth-child(4)")
    await console.page.click('aside button:has-text("Discard")')
    go = console.one('dialog[open] footer button:has-text("Discard")')
    assert await go.is_disabled()
    await console.accessible("the question before something is deleted")
    await console.page.fill("dialog[open] input", "discard")
    await go.click()
    await console.sees('.toast:has-text("1 dead letter deleted")')
    await console.until(f"document.querySelectorAll('tbody tr').length === {len(ids) - 2}")
    assert await letters(world) == ids[2:]
    await console.sees('aside:has-text("Choose a dead letter")')


async def test_all_at_once_can_be_chosen(console: Console, world: World) -> None:
    ids = await letters(world)
    await console.open("#/letters?upstream=billing")
    await console.page.click(".hands input")
    await console.sees(f'.hands:has-text("{len(ids)} of {len(ids)} chosen")')
    await console.page.click('.hands button:has-text("Discard")')
    assert f"Discard {len(ids)} dead letters?" in await console.text("dialog[open] h2")
    await console.page.click('dialog[open] button:has-text("Cancel")')
    assert await letters(world) == ids


async def test_more_than_a_page(console: Console, world: World) -> None:
    ids = await letters(world)
    await console.page.route(
        "**/api/v1/dead-letters/billing?count=100*",
        lambda route: route.continue_(url=route.request.url.replace("count=100", "count=2")),
    )
    assert len(ids) > 2
    await console.open("#/letters?upstream=billing")
    await console.until("document.querySelectorAll('tbody tr').length === 2")
    await console.page.click(f'.hands button:has-text("Requeue all {len(ids)}")')
    assert "in the order in which chargers said them" in await console.text("dialog[open]")
    await console.page.keyboard.press("Escape")
    await console.page.click('.more button:has-text("More")')
    await console.until(f"document.querySelectorAll('tbody tr').length === {min(4, len(ids))}")
    assert await letters(world) == ids
