"""One charger: what it is, what it said and what each CSMS heard of it, and what may be done to it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.e2e.operator import ask
from tests.e2e.process import Gateway
from tests.e2e.raw import RawCsms

from .browser import Console
from .world import World

ROW = '.t-row:has([data-leg="charger"] strong:text-is("{}"))'


async def test_who_it_is_and_what_each_csms_calls_its_transactions(console: Console, world: World) -> None:
    await console.open("#/charger/DEPOT-02")
    await console.until("document.querySelector('.facts') !== null")
    assert await console.text("h1") == "DEPOT-02" and await console.page.title() == "DEPOT-02 · ocpp-gateway"
    connection = await console.text('section[aria-label="Connection"]')
    assert "Connected" in connection and "Home" in connection and "Connectors" in connection
    at = 'section[aria-label="At its CSMSs"]'
    await console.sees(f'{at}:has-text("kB")', seconds=90)  # parked, once more waits than memory holds
    csms = await console.text(at)
    assert "main" in csms and "primary" in csms and "backoff" in csms
    await console.sees('section[aria-label="Transactions"] tbody', seconds=30)
    detail = {}

    async def shown() -> bool:
        nonlocal detail
        detail = await world.get("chargers/DEPOT-02")
        text = await console.text('section[aria-label="Transactions"]')
        ids = [each for each in detail["upstreams"]["main"]["transactions"] if each["state"] == "open"]
        return bool(ids) and all(each["upstream"] in text and str(each["charger"]) in text for each in ids)

    await world.until("the ids of a transaction", shown)


async def test_both_versions_side_by_side(console: Console, world: World) -> None:
    await console.open("#/charger/DEPOT-02")
    start = ROW.format("StartTransaction")
    await console.sees(start, seconds=40)
    row = console.one(start).last
    await console.until(
        """[...document.querySelectorAll(".t-row")].some((row) => {
          const [charger, main] = ["charger", "main"].map((leg) => row.querySelector(`[data-leg="${leg}"]`)?.textContent ?? "");
          return charger.includes("StartTransaction") && main.includes("TransactionEvent") && main.includes("Accepted");
        })"""
    )
    heads = [await each.inner_text() for each in await console.page.query_selector_all(".t-head [role=columnheader]")]
    assert "1.6" in heads[1] and "main" in heads[2] and "2.0.1" in heads[2] and "primary" in heads[2]
    assert any("billing" in each and "not connected" in each for each in heads)
    said = await row.inner_text()
    assert "in " in said and "after " in said, "how long each hop took"
    lossy = await console.sees(f"{ROW.format('StatusNotification')}.lossy", seconds=30)
    assert "status" in await lossy.locator(".t-lost").first.inner_text()
    await console.page.keyboard.press("Space")
    await console.sees('.timeline .live:has-text("paused")')
    await console.one(f"{ROW.format('StatusNotification')}.lossy .t-open").first.click()
    await console.sees(".t-payloads pre mark")
    marked = await console.text(".t-payloads pre mark")
    assert "status" in marked, "the member that is lost is marked in the payload"
    await console.one(".timeline").scroll_into_view_if_needed()
    await console.looks("charger")
    frames = await console.text(".timeline > header")
    await console.until(
        "/[1-9]\\d* waiting/.test(document.querySelector('.timeline > header').textContent)", seconds=30
    )
    rows = await console.one(".t-rows > .t-row").count()
    await console.page.wait_for_timeout(700)
    assert await console.one(".t-rows > .t-row").count() == rows, f"nothing moves while it is paused: {frames}"
    await console.page.click('button:text-is("Go on")')
    await console.until("!document.querySelector('.timeline > header').textContent.includes('waiting')")
    await console.page.fill(".timeline [data-search]", "statusnotif")
    await console.until(
        """[...document.querySelectorAll('.t-rows > .t-row:not(.t-note)')].filter((row) => !row.hidden)
          .every((row) => /StatusNotification/.test(row.textContent))"""
    )
    await console.page.click('.chip:text-is("next")')
    await console.until(
        "![...document.querySelectorAll('.t-head [role=columnheader]')].some((each) => each.textContent.startsWith('next'))"
    )


async def test_gaps_are_told(console: Console, world: World) -> None:
    """What the stream says is missing stands between the frames, and so does a stream that broke off."""
    events = [
        ("begin", {"match": "DEPOT-01", "processes": ["p"], "silent": ["q-1"], "frames_per_second": 200}),
        ("gap", {"lost": 37, "process": "p", "why": "too many frames"}),
    ]
    body = "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in events)
    await console.page.route(
        "**/api/v1/chargers/DEPOT-01/frames", lambda route: route.fulfill(content_type="text/event-stream", body=body)
    )
    await console.open("#/charger/DEPOT-01")
    await console.sees('.t-gap:has-text("37 frames are missing here: too many frames (p)")')
    await console.sees('.t-gap:has-text("Frames may be missing here: this process does not answer (q-1)")')
    await console.sees('.t-gap:has-text("the stream broke off and began again")', seconds=10)
    assert "missing" in await console.text(".timeline > header")
    await console.accessible("gaps")


async def test_a_call_is_checked_before_it_is_sent(console: Console, world: World) -> None:
    await console.open("#/charger/HOME-01")
    await console.page.click('button:text-is("Send a call…")')
    await console.page.fill("dialog input[list]", "ChangeAvailability")
    send = console.one('dialog button:text-is("Send to HOME-01")')
    assert await send.is_disabled()
    await console.page.fill("dialog textarea", '{"connectorId": "one"}')
    await console.page.click('dialog button:text-is("Check")')
    await console.sees(".call-said .bad")
    assert await send.is_disabled()
    await console.page.fill("dialog textarea", "{")
    await console.page.click('dialog button:text-is("Check")')
    await console.sees('.call-said .bad:has-text("no JSON")')
    await console.page.fill("dialog input[list]", "TriggerMessage")
    await console.page.fill("dialog textarea", '{"requestedMessage": "Heartbeat"}')
    await console.page.click('dialog button:text-is("Check")')
    await console.sees('.call-said:has-text("As OCPP 1.6 wants it. Nothing was sent.")')
    assert await send.is_enabled()
    await console.looks("call")
    await console.page.fill("dialog textarea", '{"requestedMessage": "BootNotification"}')
    assert await send.is_disabled(), "what was changed is checked again"
    await console.page.click('dialog button:text-is("Check")')
    await console.until("!document.querySelector('dialog button.danger').disabled")
    await send.click()
    await console.sees('.call-said:has-text("Answered after")', seconds=20)
    await console.page.keyboard.press("Escape")
    await console.until("document.querySelector('dialog') === null")


async def test_a_charger_is_disconnected_when_that_is_agreed_to(console: Console, world: World) -> None:
    before = (await world.get("chargers/HOME-02"))["epoch"]
    await console.open("#/charger/HOME-02")
    await console.page.click('button:text-is("Disconnect…")')
    await console.sees('dialog:has-text("Disconnect HOME-02?")')
    await console.accessible("a question")
    await console.page.click('dialog button:text-is("Cancel")')
    assert (await world.get("chargers/HOME-02"))["epoch"] == before
    await console.page.click('button:text-is("Disconnect…")')
    await console.page.click('dialog footer button:text-is("Disconnect")')
    await console.sees('.toast:has-text("HOME-02 is being disconnected")')

    async def came_back() -> bool:
        return bool((await world.get("chargers/HOME-02"))["epoch"] > before)

    await world.until("a new connection", came_back)


async def test_a_charger_is_blocked_and_let_in_again(chromium: Any, tmp_path: Path) -> None:
    """Only what is registered in the store can be blocked: a gateway of its own."""
    csms = RawCsms("ocpp1.6")
    await csms.start()
    gateway = Gateway(
        tmp_path,
        {
            "registry": {"source": "redis"},
            "upstreams": {"main": {"url": csms.url, "version": "ocpp1.6"}},
            "routes": [{"match": "*", "primary": "main"}],
        },
    )
    context = await chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    try:
        await gateway.start()
        assert (await ask(gateway, "PUT", "/api/v1/chargers/CP1", {}))[0] == 201
        socket = await connected(gateway)
        console = Console(await context.new_page(), f"http://127.0.0.1:{gateway.admin_port}", tmp_path)
        await console.open("#/charger/CP1")
        await console.page.click('.actions button:text-is("Block…")')
        go = console.one('dialog[open] footer button:text-is("Block")')
        assert await go.is_disabled(), "the charger's name is typed first"
        await console.page.fill("dialog[open] input", "CP1")
        await go.click()
        await console.sees('.toast:has-text("CP1 is blocked")')
        await asyncio.wait_for(socket.wait_closed(), 20)
        assert (await ask(gateway, "GET", "/api/v1/chargers/CP1"))[1]["registration"]["blocked"]
        with pytest.raises(InvalidStatus, match="403"):
            await dial(gateway)
        await console.page.click('.actions button:text-is("Unblock…")')
        await console.page.click('dialog[open] footer button:text-is("Unblock")')
        await console.sees('.toast:has-text("CP1 is let in again")')
        await console.sees('.actions button:text-is("Block…")')
        await (await connected(gateway)).close()
        assert console.problems == []
    finally:
        await context.close()
        await gateway.stop()
        await csms.stop()


def dial(gateway: Gateway) -> Any:
    return connect(f"{gateway.url}/CP1", subprotocols=["ocpp1.6"], proxy=None)  # type: ignore[list-item]


async def connected(gateway: Gateway) -> Any:
    """A charger that is let in, once the edge has heard that it may."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await dial(gateway)
            except InvalidStatus:
                await asyncio.sleep(0.2)
