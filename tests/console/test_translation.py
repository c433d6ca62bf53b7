"""The pages of the translation: what becomes of everything, and trying a frame."""

from __future__ import annotations

import json
import re

from .browser import PROJECT, Console
from .world import World

PAGE = PROJECT / "docs" / "translation" / "1.6-2.0.1.md"


async def test_the_matrix_says_what_the_pages_say(console: Console, world: World) -> None:
    await console.open("#/matrix")
    await console.sees(".fates tbody tr")
    assert await console.one('button.way[aria-pressed="true"]').get_attribute("data-way") == "ocpp1.6 ocpp2.0.1"
    shown = await console.one(".fates > tbody > tr strong").all_inner_texts()
    documented = re.findall(r"^### (\w+) \(", PAGE.read_text(), re.MULTILINE)
    assert set(documented) <= set(shown) and len(documented) == int(await console.text(".stat dd"))
    await console.page.click('button.way[data-way="ocpp2.0.1 ocpp1.6"]')
    await console.until("document.querySelector('.panel h2').textContent === '2.0.1 charger, 1.6 CSMS'")
    await console.page.click('button.chip[data-value="local"]')
    assert "fate=local" in console.page.url
    assert set(await console.one(".fates .badge").all_inner_texts()) == {"answered here"}
    await console.page.click('button.way[data-way="ocpp1.5 ocpp2.0.1"]')
    await console.sees('h2:has-text("Step 1: 1.5 charger")')
    await console.page.click('button.chip[data-value="refused"]')
    assert "refused" in (await console.one(".fates .badge").all_inner_texts())
    await console.page.click('button.chip[data-value=""] >> nth=1')
    await console.until("document.querySelectorAll('section.panel').length === 2")
    await console.page.click('button.way[data-way="ocpp1.6 ocpp1.6"]')
    await console.sees('.empty:has-text("Nothing is translated")')
    await console.page.click('button.way[data-way="ocpp1.6 ocpp2.0.1"]')
    await console.sees(".fates tbody tr")
    await console.page.keyboard.press("/")
    await console.page.keyboard.type("StopTransaction")
    await console.until("document.querySelectorAll('.fates > tbody > tr').length < 10")
    row = console.one('.fates > tbody > tr:has(strong:text-is("StopTransaction"))')
    await row.focus()
    await console.page.keyboard.press("Enter")
    inside = await console.text("tr.inside")
    for cell in re.findall(r"^\| `(meterStop|reason)` \| `([\w.]+)` \| (\w+)", PAGE.read_text(), re.MULTILINE):
        assert all(word in inside for word in cell), cell
    await console.looks("matrix")
    await console.page.keyboard.press("Enter")
    await console.page.wait_for_selector("tr.inside", state="detached")


async def test_a_frame_is_tried(console: Console, world: World) -> None:
    await console.open("#/translate")
    await console.sees("textarea")
    await console.page.click('.examples button:has-text("Authorize")')
    await console.page.keyboard.press("Control+Enter")
    await console.sees(".exchange .frame.at-csms")
    assert "idToken" in await console.text(".exchange .frame.at-csms")
    info = {"status": "Accepted", "language1": "de", "groupIdToken": {"idToken": "FLEET-7", "type": "Central"}}
    await console.page.fill("textarea", json.dumps([3, "gateway-1", {"idTokenInfo": info}]))
    await console.page.click('button:has-text("Translate")')
    answer = await console.sees(".exchange:nth-of-type(2) .frame.at-charger")
    said = await answer.inner_text()
    assert "FLEET-7" in said and "dropped" in said and "language1" in said, said
    assert await console.one(".exchange:nth-of-type(2) mark .name").all_inner_texts() == ['"language1"', '"type"']
    await console.page.click('.examples button:has-text("StatusNotification")')
    await console.page.click('button:has-text("Translate")')
    await console.sees(".exchange:nth-of-type(3) .frame.at-csms")
    await console.looks("translate")
    await console.page.fill("textarea", "[2, ")
    await console.page.click('button:has-text("Translate")')
    await console.sees(".editor .banner.bad")
    console.expects(422)
    await console.page.fill("textarea", '{"no": "frame"}')
    await console.page.click('button:has-text("Translate")')
    assert "a frame is a list" in await console.text(".editor .banner.bad")
    await console.page.click('button:has-text("Begin anew")')
    await console.sees('.empty:has-text("No frame yet")')
