"""The fleet at a glance, live."""

from __future__ import annotations

from .browser import Console
from .world import CHARGERS, World


async def test_the_figures_are_live(console: Console, world: World) -> None:
    await console.open("#/fleet")
    stat = '[...document.querySelectorAll(".stat")].find((each) => each.textContent.startsWith("%s"))'
    figure = stat + '.querySelector("dd").textContent'
    await console.until(f"({figure % 'Chargers connected'}) === '{len(CHARGERS)}'")
    await console.until(f"parseFloat({figure % 'Messages'}) > 0", seconds=15)
    assert await console.page.evaluate(f"parseFloat(({figure % 'Billing messages at risk'}).replace(',', '')) > 0"), (
        "one CSMS is down"
    )
    await console.sees('.stat:is(.bad, .warn):has-text("Billing messages at risk"):has-text("billing")')
    await console.sees('.stat.warn:has-text("Dead letters"):has-text("of billing")')
    for version in ("1.5", "1.6", "2.0.1"):
        await console.sees(f'.bars .badge:text-is("{version}")')
    before = await console.page.evaluate(figure % "Lost in translation")
    assert before
    lost = stat % "Lost" + ".lastChild.textContent"
    total = await console.page.evaluate(lost)
    await console.until(f"({lost}) !== {total!r}", seconds=15)


async def test_upstreams_and_losses(console: Console, world: World) -> None:
    await console.open("#/fleet")
    row = 'section[aria-label="CSMSs"] tr[data-name="{}"]'
    await console.sees(row.format("billing"))
    assert "down" in await console.text(row.format("billing"))
    assert "up" in await console.text(row.format("main")) and "paused" in await console.text(row.format("archive"))
    assert "ready" in await console.text('section[aria-label="Processes"] tbody')
    losses = await console.text('section[aria-label="What translations lose most"] tbody')
    assert "status" in losses and "StatusNotification" in losses
    await console.page.focus(row.format("archive"))
    await console.page.keyboard.press("ArrowDown")
    assert await console.page.evaluate("document.activeElement.dataset.name") == "billing"
    await console.page.wait_for_timeout(12_000)  # so that the picture shows something
    await console.looks("fleet", full=True)
    await console.page.focus(row.format("billing"))
    await console.page.keyboard.press("Enter")
    await console.until("location.hash === '#/upstreams/billing'")
