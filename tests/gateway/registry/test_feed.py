"""A registry follows its file while the gateway runs."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from gateway.config import RegistryConfig
from gateway.journal import Journal
from gateway.registry.feed import FileFeed, registry_of
from tests.gateway.journal.conftest import binary, config, journal, server

__all__ = ["binary", "config", "journal", "server"]


async def test_the_file_is_followed_and_mistakes_change_nothing(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.registry.feed.LOOK_SECONDS", 0.02)
    file = tmp_path / "chargers.csv"
    write(file, "id\nCP1\n")
    registry = registry_of(RegistryConfig(source="file", file=str(file)))
    assert not registry.ready and registry.exists("CP1") and not registry.exists("CP2")
    following = FileFeed(registry, str(file), journal)
    await following.begin()
    assert registry.ready
    feed = asyncio.create_task(following.run())
    try:
        for text in ("id\nCP2\n\nCP/\n", "", "id\n", "id\nCP2\n"):
            assert registry.exists("CP1") and not registry.exists("CP2")
            write(file, text)
            await asyncio.sleep(0.2)
        assert registry.exists("CP2") and not registry.exists("CP1")
        file.unlink()
        await asyncio.sleep(0.2)
        assert registry.exists("CP2")
    finally:
        feed.cancel()


def write(file: Path, text: str) -> None:
    """In one step, as an editor or a ConfigMap does."""
    fresh = file.with_suffix(".new")
    fresh.write_text(text)
    os.replace(fresh, file)
