"""What the tutorial promises in the browser is there."""

from __future__ import annotations

from pathlib import Path

from ..console.browser import ARGUMENTS, CHROMIUM, Console, missing, playwright


async def session_in_console(address: str, pictures: Path) -> None:
    """From the first page to a charger whose start of a transaction stands beside what the CSMS was told."""
    if missing():
        return  # tests/console say so, and skip
    async with playwright() as started:
        browser = await started.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        try:
            context = await browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
            console = Console(await context.new_page(), address, pictures)
            await console.open()
            await console.page.keyboard.press("g")
            await console.page.keyboard.press("c")
            await (await console.sees("main >> text=SIM00001", seconds=30)).click()
            await console.sees("main >> text=StartTransaction", seconds=60)
            await console.sees("main >> text=TransactionEvent", seconds=30)
            await console.pictured("tutorial")
            assert console.problems == []
        finally:
            await browser.close()
