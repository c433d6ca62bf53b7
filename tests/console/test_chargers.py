"""The table of chargers: 10,000 rows, few of them in the document."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pytest_asyncio import fixture

from tests.e2e.operator import ask
from tests.e2e.process import Gateway

from .browser import Console
from .conftest import _window
from .world import CHARGERS, World

MANY = 10_000


@fixture(scope="session", loop_scope="session")
async def many(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """A gateway that knows 10,000 chargers."""
    gateway = Gateway(
        tmp_path_factory.mktemp("many"),
        {
            "registry": {"source": "redis"},
            "upstreams": {"main": {"url": "ws://127.0.0.1:9/ocpp", "version": "ocpp2.0.1"}},
            "routes": [{"match": "*", "primary": "main"}],
        },
    )
    await gateway.start()
    for start in range(0, MANY, 500):
        chargers = [{"id": f"CP-{n:05}", "serial": f"S{n}", "group": f"g{n % 7}"} for n in range(start, start + 500)]
        status, said = await ask(gateway, "POST", "/api/v1/chargers", {"chargers": chargers})
        assert status == 200, said
    yield gateway
    await gateway.stop()


@fixture(loop_scope="session")
async def crowded(chromium: Any, many: Gateway, tmp_path: Path) -> AsyncIterator[Console]:
    """Its console."""
    async for each in _window(chromium, f"http://127.0.0.1:{many.admin_port}", tmp_path):
        yield each


SCROLL = """async () => {
  const scroller = document.querySelector(".grid-scroll");
  const frames = [];
  let most = 0, last = performance.now();
  const height = scroller.scrollHeight - scroller.clientHeight;
  const steps = 240;
  for (let step = 1; step <= steps; step += 1) {
    scroller.scrollTop = (height * step) / steps;
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    frames.push(now - last);
    last = now;
    most = Math.max(most, document.querySelectorAll(".grid *").length);
  }
  frames.sort((one, other) => one - other);
  return {most, height, median: frames[steps / 2], late: frames.filter((each) => each > 250).length};
}"""


async def test_ten_thousand_rows_stay_fluid(crowded: Console) -> None:
    await crowded.open("#/chargers")
    await crowded.sees('.grid-row:has-text("CP-00000")', seconds=20)
    assert "10,000 chargers, 0 connected" in await crowded.text(".head")
    nodes = await crowded.page.evaluate("document.querySelectorAll('.grid *').length")
    said = await crowded.page.evaluate(SCROLL)
    print(json.dumps(said))
    assert said["height"] > MANY * 36 - 1000
    assert said["most"] <= max(nodes * 1.2, 1200), "as many elements as at the beginning"
    assert said["median"] < 100 and said["late"] <= 12, said
    await crowded.until(
        "[...document.querySelectorAll('.grid-row')].some((row) => row.textContent.startsWith('CP-09999'))", seconds=30
    )
    assert await crowded.one(".grid").get_attribute("aria-rowcount") == str(MANY + 1)
    # What was scrolled past is right when one comes back to it.
    await crowded.page.evaluate("document.querySelector('.grid-scroll').scrollTop = 5000 * 37")
    await crowded.until(
        """[...document.querySelectorAll('.grid-row:not([hidden])')].every((row) =>
          row.firstChild.textContent === "CP-" + String(row.getAttribute("aria-rowindex") - 2).padStart(5, "0"))"""
    )


async def test_keys_in_the_table(crowded: Console) -> None:
    await crowded.open("#/chargers")
    await crowded.sees('.grid-row:has-text("CP-00000")', seconds=20)
    await crowded.page.keyboard.press("/")
    await crowded.page.keyboard.press("ArrowDown")
    for key in ("ArrowDown", "j", "k", "End"):
        await crowded.page.keyboard.press(key)
    await crowded.until("document.querySelector('.grid-row.active')?.textContent.startsWith('CP-09999')", seconds=30)
    active = "document.getElementById(document.querySelector('.grid').getAttribute('aria-activedescendant'))"
    assert await crowded.page.evaluate(f"{active}.textContent.startsWith('CP-09999')")
    await crowded.page.keyboard.press("PageUp")
    await crowded.page.keyboard.press("Home")
    await crowded.page.keyboard.press("ArrowDown")
    await crowded.until("document.querySelector('.grid-row.active')?.textContent.startsWith('CP-00001')")
    await crowded.page.keyboard.press("Enter")
    await crowded.until("location.hash === '#/charger/CP-00001'")
    await crowded.page.go_back()
    await crowded.sees(".grid-row")


async def test_the_server_filters_and_sorts(crowded: Console) -> None:
    await crowded.open("#/chargers")
    await crowded.sees('.grid-row:has-text("CP-00000")', seconds=20)
    await crowded.page.click('.grid-head button:has-text("Identity")')
    await crowded.sees('.grid-row:has-text("CP-09999")', seconds=20)
    assert await crowded.one(".grid-head [aria-sort=descending]").count() == 1
    await crowded.page.keyboard.press("/")
    await crowded.page.keyboard.type("S777")
    await crowded.until("document.querySelector('.head').textContent.includes('11 chargers')", seconds=20)
    assert "q=S777" in crowded.page.url and "sort=-id" in crowded.page.url
    await crowded.page.reload()
    await crowded.until("document.querySelector('.head').textContent.includes('11 chargers')", seconds=20)
    assert await crowded.one("[data-search]").input_value() == "S777"
    await crowded.page.fill("[data-search]", "nobody is called so")
    await crowded.sees("text=No charger fits.", seconds=20)


async def test_what_it_says_of_each(console: Console, world: World) -> None:
    await console.open("#/chargers")
    await console.sees('.grid-row:has-text("HOME-03")')
    assert f"{len(CHARGERS)} chargers" in await console.text(".head")
    row = await console.text('.grid-row:has-text("HOME-03")')
    assert "connected" in row and "1.5" in row and "Hearth · Wall 11" in row and "main + archive" in row
    await console.looks("chargers")
    await console.page.select_option('select[aria-label="Version"]', "ocpp2.0.1")
    await console.until("document.querySelector('.head').textContent.includes('4 chargers,')")
    await console.page.select_option('select[aria-label="Version"]', "")
    await console.page.select_option('select[aria-label="CSMS"]', "billing")
    await console.until("document.querySelector('.head').textContent.includes('9 chargers')")
    await console.page.click('.grid-row:has-text("DEPOT-03") a')
    await console.until("location.hash === '#/charger/DEPOT-03'")
