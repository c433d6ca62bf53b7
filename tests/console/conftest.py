from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pytest_asyncio import fixture

from .browser import ARGUMENTS, CHROMIUM, Console, missing, playwright
from .world import Guarded, World


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of this folder is `full`, in one loop: the gateway and the browser are started once."""
    here = Path(__file__).parent
    for item in items:
        if item.path.parent == here and item.get_closest_marker("asyncio"):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
        if item.path.parent == here:
            item.add_marker(pytest.mark.full)
            if reason := missing():
                item.add_marker(pytest.mark.skip(reason=reason))


@fixture(scope="session", loop_scope="session")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """The system that the console shows."""
    world = World(tmp_path_factory.mktemp("world"))
    try:
        await world.start()
        yield world
    finally:
        await world.stop()


@fixture(scope="session", loop_scope="session")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Guarded]:
    """A gateway that asks for tokens."""
    guarded = Guarded(tmp_path_factory.mktemp("guarded"))
    await guarded.gateway.start()
    yield guarded
    await guarded.gateway.stop()


@fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Any]:
    """The browser."""
    async with playwright() as started:
        browser = await started.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        await browser.close()


@fixture(loop_scope="session")
async def console(chromium: Any, world: World, tmp_path: Path) -> AsyncIterator[Console]:
    """The console of `world` in a window of its own, under the guard."""
    async for each in _window(chromium, world.address, tmp_path):
        yield each


@fixture(loop_scope="session")
async def guarded_console(chromium: Any, guarded: Guarded, tmp_path: Path) -> AsyncIterator[Console]:
    """The console of `guarded`."""
    async for each in _window(chromium, guarded.address, tmp_path):
        yield each


async def _window(chromium: Any, address: str, shots: Path) -> AsyncIterator[Console]:
    context = await chromium.new_context(viewport={"width": 1440, "height": 900}, color_scheme="dark", locale="en-GB")
    try:
        console = Console(await context.new_page(), address, shots)
        yield console
        assert console.problems == []
    finally:
        await context.close()
