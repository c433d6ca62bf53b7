"""What the hub says about its upstreams, and how it finds out that one is back."""

from __future__ import annotations

import asyncio
import contextlib
import ssl as tls
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from gateway.config import Upstream
from gateway.hub import health as module
from gateway.hub.health import Health, probe
from gateway.journal.journal import Journal


@asynccontextmanager
async def answering(answer: bytes | None, *, asked: bool = True) -> AsyncIterator[str]:
    """URL of a server that answers every request like this; None: never; empty: hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if answer is None:
            await reader.read()
        else:
            writer.write(answer)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        served.set()

    served = asyncio.Event()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    yield f"ws://{host}:{port}/ocpp/{{id}}?x=1"
    server.close()
    if asked:
        await asyncio.wait_for(served.wait(), 5)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (b"HTTP/1.1 426 Upgrade Required\r\n\r\n", "up"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "up"),
        (b"HTTP/1.1 500 Oops\r\n\r\n", "up"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "down"),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "down"),
        (b"SSH-2.0-x\r\n", "unknown"),
        (b"", "unknown"),
        (None, "unknown"),
    ],
)
async def test_probe(answer: bytes | None, verdict: str) -> None:
    async with answering(answer) as url:
        assert await probe(url, tls.create_default_context, 0.3) == verdict


async def test_probe_of_nobody() -> None:
    async with answering(b"", asked=False) as url:
        pass
    assert await probe(url, tls.create_default_context, 0.3) == "down"


class Words:
    """A journal that remembers what was published."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []
        self.others = ""

    async def publish_upstream(self, name: str, state: str) -> None:
        self.said.append((name, state))

    async def upstream_health(self, names: list[str]) -> dict[str, str]:
        return dict.fromkeys(names, self.others)


@pytest.fixture
async def words() -> Words:
    return Words()


@asynccontextmanager
async def running(words: Words, url: str = "ws://127.0.0.1:1", **more: Any) -> AsyncIterator[tuple[Health, list[str]]]:
    back: list[str] = []
    upstreams = {"main": Upstream(url=url, version="ocpp1.6", connect_timeout=0.3)}
    health = Health(upstreams, cast(Journal, words), tls.create_default_context, back.append)
    for name, value in more.items():
        setattr(health, name, value)
    task = asyncio.create_task(health.run())
    yield health, back
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_up_and_down_and_up(words: Words) -> None:
    async with running(words) as (health, back):
        health.happened("main", "connected")
        await settle()
        health.happened("main", "refused")  # one charger's dial fails while another one is connected
        await settle()
        assert words.said == [("main", "up")] and not health.down("main")
        health.happened("main", "lost")
        await settle()
        assert words.said == [("main", "up")], "a lost socket alone says nothing"
        health.happened("main", "refused")
        await settle()
        assert words.said[-1] == ("main", "down") and health.down("main")
        health.happened("main", "connected")
        await settle()
        assert words.said[-1] == ("main", "up") and back == ["main"]


@pytest.mark.parametrize("event", ["http", "auth_failed", "subprotocol", "url"])
async def test_what_is_about_one_charger_is_not_about_the_upstream(event: str, words: Words) -> None:
    async with running(words) as (health, _):
        health.happened("main", event)
        await settle()
        assert words.said == [] and not health.down("main")


async def test_a_probe_finds_out_that_it_is_back(words: Words, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROBE_SECONDS", 0.02)
    async with answering(b"HTTP/1.1 426 Upgrade Required\r\n\r\n") as url, running(words, url) as (health, back):
        health.happened("main", "timeout")
        async with asyncio.timeout(5):
            while ("main", "up") not in words.said:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert words.said == [("main", "down"), ("main", "up")] and back == ["main"]


async def test_another_hub_that_reaches_it_counts_more(words: Words) -> None:
    words.others = "up"
    async with running(words, alone=False) as (health, _):
        health.happened("main", "refused")
        await settle()
        assert words.said == []
        words.others = ""
        health._news.set()
        await settle()
        assert words.said == [("main", "down")]
