"""Headless Chromium, and a guard over every page: nothing may fail in it, and nothing may be asked of anybody else."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

PROJECT: Final = Path(__file__).parents[2]
PEERS: Final = PROJECT / ".peers"
PLAYWRIGHT: Final = PEERS / "browser" / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
AXE: Final = PEERS / "npm" / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUM: Final = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or ""
PICTURES: Final = Path(os.environ["CONSOLE_PICTURES"]) if "CONSOLE_PICTURES" in os.environ else None
"""Where screenshots are kept; without it they are taken and thrown away."""

ARGUMENTS: Final = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--force-color-profile=srgb", "--font-render-hinting=none",
)  # fmt: skip
SERIOUS: Final = ("serious", "critical")


def missing() -> str:
    """Why there is no browser; empty: there is one."""
    if not CHROMIUM:
        return "no chromium on PATH (Debian: apt-get install chromium); CHROMIUM names another one"
    if not PLAYWRIGHT.is_dir() or not AXE.is_file():
        return f"playwright or axe-core is missing in {PEERS.name}/: run tests/peers/install.sh"
    return ""


def playwright() -> Any:
    """Playwright's starter. It lies beside the development environment: it is large, and only these tests need it."""
    if str(PLAYWRIGHT) not in sys.path:
        sys.path.append(str(PLAYWRIGHT))
    from playwright.async_api import async_playwright  # type: ignore[import-not-found,unused-ignore]

    return async_playwright()


class Console:
    """A page of the console. `problems` must be empty at the end; `page` is Playwright's."""

    def __init__(self, page: Any, address: str, shots: Path) -> None:
        self.page = page
        self.address = address
        self.problems: list[str] = []
        self._expected: tuple[int, ...] = ()
        self._shots = PICTURES or shots
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        page.on("console", self._said)
        page.on("request", self._asked)
        page.on("requestfailed", self._failed)
        page.on("response", self._answered)

    def expects(self, *statuses: int) -> None:
        """Refusals with these statuses are no fault from now on."""
        self._expected = statuses

    def _said(self, message: Any) -> None:
        if message.type not in ("error", "warning"):
            return
        if "Failed to load resource" in message.text and self._expected:
            return
        self.problems.append(f"console {message.type}: {message.text}")

    def _asked(self, request: Any) -> None:
        parts, own = urlsplit(request.url), urlsplit(self.address)
        if (parts.scheme, parts.netloc) != (own.scheme, own.netloc):
            self.problems.append(f"request to {request.url}")

    def _failed(self, request: Any) -> None:
        # What a page that is left was still asking for, live streams above all.
        if request.failure != "net::ERR_ABORTED":
            self.problems.append(f"{request.failure}: {request.url}")

    def _answered(self, response: Any) -> None:
        if response.status >= 400 and response.status not in self._expected:
            self.problems.append(f"{response.status}: {response.request.method} {response.url}")

    async def open(self, hash: str = "") -> None:
        """A page by its hash, such as `#/upstreams`; waits until it has drawn itself."""
        await self.page.goto(f"{self.address}/console/{hash}")
        await self.page.wait_for_selector("main h1", timeout=10_000)

    def one(self, selector: str) -> Any:
        """Playwright's locator."""
        return self.page.locator(selector)

    async def text(self, selector: str) -> str:
        """What an element says."""
        return str(await self.page.locator(selector).first.inner_text())

    async def sees(self, selector: str, *, seconds: float = 8) -> Any:
        """Waits for an element that can be seen; the locator."""
        found = self.page.locator(selector).first
        await found.wait_for(state="visible", timeout=seconds * 1000)
        return found

    async def until(self, expression: str, *, seconds: float = 8) -> None:
        """Waits until JavaScript holds; what it speaks of may not be there yet. (Playwright's own way evaluates text within the
        page, which its policy forbids.)"""
        holds = f"(() => {{ try {{ return ({expression}); }} catch (error) {{ return false; }} }})()"
        try:
            async with asyncio.timeout(seconds):
                while not await self.page.evaluate(holds):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"not within {seconds:g} s: {expression}") from None

    async def looks(self, name: str, *, full: bool = False) -> None:
        """Takes a screenshot in dark and in light, and lets axe judge both."""
        for scheme in ("dark", "light"):
            await self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            await self.pictured(f"{name}-{scheme}", full=full)
            # Only colours differ between the two, and axe takes its time.
            await self.accessible(f"{name}, {scheme}", "" if scheme == "dark" else "color-contrast")

    async def pictured(self, name: str, *, full: bool = False) -> None:
        """Takes a screenshot. Nothing may stand beyond the edge of the window."""
        await self.page.screenshot(path=self._shots / f"{name}.png", full_page=full)
        wider = "document.documentElement.scrollWidth > document.documentElement.clientWidth + 1"
        assert not await self.page.evaluate(wider), f"{name}: the page scrolls sideways"

    async def accessible(self, what: str, rule: str = "") -> None:
        """No finding of axe, or of one of its rules, that is serious or critical."""
        # Playwright's own world is not bound by the page's content security policy; a script element would be.
        if not await self.page.evaluate("'axe' in globalThis"):
            await self.page.evaluate(AXE.read_text("utf-8"))
        options = {"resultTypes": ["violations"]} | ({"runOnly": [rule]} if rule else {})
        found = await self.page.evaluate("(options) => axe.run(document, options)", options)
        bad = [
            f"{each['id']} ({each['impact']}): {each['help']}: {node['html'][:160]} {node.get('failureSummary', '')[:200]}"
            for each in found["violations"]
            if each["impact"] in SERIOUS
            for node in each["nodes"][:3]
        ]
        assert not bad, f"{what}: " + "\n".join(bad)
