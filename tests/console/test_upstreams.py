"""The page of the CSMSs, and the one of one of them."""

from __future__ import annotations

import asyncio
from typing import Any

from .browser import Console
from .world import TOKENS, World


def panel(name: str) -> str:
    """The box of an upstream."""
    return f'section[data-name="{name}"]'


async def confirmed(console: Console, button: str, action: str) -> None:
    """Presses a button, reads the question, agrees."""
    await console.page.click(button)
    await console.page.click(f'dialog[open] footer button:has-text("{action}")')


async def test_how_all_are(console: Console, world: World) -> None:
    await console.open("#/upstreams")
    await console.sees(panel("next"))
    assert await console.page.title() == "Upstreams · ocpp-gateway"
    names = [
        await each.get_attribute("data-name") for each in await console.page.query_selector_all("section.upstream")
    ]
    assert names == ["archive", "billing", "main", "next"]
    billing = await console.text(panel("billing"))
    assert "down" in billing and "Connection refused" in billing and "mirror of 1" in billing
    assert "paused" in await console.text(panel("archive")) and "up" in await console.text(panel("main"))
    assert "shadow" in await console.text(panel("next"))
    assert "billing down" in await console.text("h1 + p")
    # Live: the queue of what is down gets older, and what is billed waits with it.
    await console.until(
        f"""Number(document.querySelector('{panel("billing")} .figure:nth-child(3) .value').textContent.replace(/\\D/g, "")) > 0"""
    )
    age = f"{panel('billing')} .figure.age .value"
    before = await console.text(age)
    await console.until(f"document.querySelector('{age}').textContent !== {before!r}")
    assert await console.one(f"{panel('billing')} .figure a").get_attribute("href") == "#/letters?upstream=billing"
    await console.looks("upstreams")


async def test_what_can_be_done(console: Console, world: World) -> None:
    await console.open("#/upstreams")
    archive = panel("archive")
    await confirmed(console, f'{archive} button:has-text("Resume")', "Resume")
    await console.sees(f'{archive} button:has-text("Pause")')
    assert (await world.upstream("archive"))["paused_at"] is None
    await console.page.focus(f'{archive} button:has-text("Pause")')
    await console.page.keyboard.press("Enter")
    await console.sees("dialog[open]")
    await console.page.keyboard.press("Escape")
    assert (await world.upstream("archive"))["paused_at"] is None, "Escape does nothing"
    await confirmed(console, f'{archive} button:has-text("Pause")', "Pause")
    await console.sees(f'{archive} button:has-text("Resume")')
    assert (await world.upstream("archive"))["paused_at"]

    dials = world.csms["next"].dials
    await confirmed(console, f'{panel("next")} button:has-text("Reconnect")', "Reconnect")
    await console.sees('.toast:has-text("sockets dialled again")')

    async def dialled() -> bool:
        return world.csms["next"].dials > dials

    await world.until("a new socket", dialled)
    for name, verdict in (("main", "it works"), ("billing", "it does not work")):
        await confirmed(console, f'{panel(name)} button:has-text("Test")', "Dial")
        assert await console.text(f"dialog[open] h2:has-text('{name}: {verdict}')")
        if name == "billing":
            assert "refused" in await console.text("dialog[open] .trial")
            await console.accessible("the dialog of a test")
        await console.page.keyboard.press("Escape")
        await console.page.wait_for_selector("dialog", state="detached")


async def test_one_with_what_waits_for_it(console: Console, world: World) -> None:
    await console.open("#/upstreams/billing")
    await console.sees("tbody tr")
    assert await console.page.title() == "billing · ocpp-gateway"
    first = (await world.get("journal/billing/waiting?count=1"))["waiting"][0]
    assert await console.one("tbody tr").first.get_attribute("data-id") == first["id"]
    parked = [each for each in (await world.get("journal/billing/waiting?count=500"))["waiting"] if each["parked"]]
    assert parked or not (await world.upstream("billing"))["parked_chargers"]
    await console.looks("upstream")
    rows = console.one("tbody tr")
    await rows.first.focus()
    await console.page.keyboard.press("j")
    await console.page.keyboard.press("Enter")
    await console.sees("dialog[open] pre.payload")
    await console.page.keyboard.press("Escape")
    assert await console.page.evaluate("document.activeElement.matches('tbody tr:nth-child(2)')"), "back where one was"
    await console.page.keyboard.press("/")
    await console.page.keyboard.type("depot-02")
    await console.until(
        "[...document.querySelectorAll('tbody a')].every((each) => each.textContent === 'DEPOT-02')", seconds=20
    )
    assert "charger=depot-02" in console.page.url
    said = await console.text("tbody")
    assert "TAG" not in said, "tokens are hidden"


async def test_a_reader_sees_and_cannot_act(guarded_console: Console) -> None:
    await guarded_console.page.add_init_script(f"sessionStorage.setItem('ocpp-gateway.token', '{TOKENS['read']}')")
    await guarded_console.open("#/upstreams")
    await guarded_console.sees(panel("main"))
    buttons: list[Any] = await guarded_console.page.query_selector_all(f"{panel('main')} header button")
    assert [await each.is_disabled() for each in buttons] == [True] * 3
    assert "scope operate" in str(await buttons[0].get_attribute("title"))


async def test_it_says_so_when_nobody_answers(console: Console, world: World) -> None:
    await console.open("#/upstreams")
    await console.sees(panel("main"))
    console.expects(503)
    await console.page.route(
        "**/api/v1/upstreams",
        lambda route: route.fulfill(
            status=503, content_type="application/json", body='{"errors": ["the store is away"]}'
        ),
    )
    assert "store is away" in (await (await console.sees(".banner.bad")).inner_text()).casefold()
    await console.page.unroute("**/api/v1/upstreams")
    async with asyncio.timeout(12):
        await console.page.wait_for_selector(".banner.bad", state="detached", timeout=12_000)
