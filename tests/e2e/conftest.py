from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from .csms import Csms
from .peer import NODE_MODULES, Peer
from .plug import Charger
from .process import Gateway

StartCsms = Callable[..., Awaitable[Csms]]
StartGateway = Callable[..., Awaitable[Gateway]]
Connect = Callable[..., Awaitable[Any]]
StartPeer = Callable[..., Awaitable[Peer]]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


FAILED = pytest.StashKey[bool]()


@pytest.fixture
async def start_csms() -> AsyncIterator[StartCsms]:
    """`await start_csms("ocpp2.0.1")`: a listening CSMS. At the end nothing that it saw may have been wrong."""
    running: list[Csms] = []

    async def start(version: str, **options: Any) -> Csms:
        csms = Csms(version, **options)
        await csms.start()
        running.append(csms)
        return csms

    yield start
    for csms in running:
        await csms.stop()
    assert [fault for csms in running for fault in csms.faults] == []


@pytest.fixture
async def start_gateway(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[StartGateway]:
    """`await start_gateway({"main": csms}, routes=[...])`: a ready gateway. It must drain and exit 0 at the end.

    Its log is shown when the test failed.
    """
    running: list[Gateway] = []

    async def start(
        upstreams: dict[str, Csms | dict[str, Any]],
        *,
        failpoint: str = "",
        until_ready: bool = True,
        arguments: tuple[str, ...] = (),
        **config: Any,
    ) -> Gateway:
        config["upstreams"] = {
            name: {"url": csms.url, "version": csms.version} if isinstance(csms, Csms) else csms
            for name, csms in upstreams.items()
        }
        config.setdefault("routes", [{"match": "*", "primary": next(iter(upstreams))}])
        gateway = Gateway(tmp_path / f"gateway{len(running)}", config)
        running.append(gateway)
        await gateway.start(failpoint=failpoint, until_ready=until_ready, arguments=arguments)
        return gateway

    yield start
    codes = [await gateway.stop() for gateway in running]
    if request.node.stash.get(FAILED, False):
        for gateway in running:
            print(f"--- log of {gateway.directory.name} ---\n{gateway.tail(200)}")
    else:
        assert codes == [0] * len(codes), running[0].tail()


@pytest.fixture
async def plug_in() -> AsyncIterator[Connect]:
    """`await plug_in(Charger16, url, "CP1")`: a connected charger; closed at the end, when nothing may have been wrong
    with what it heard."""
    chargers: list[Charger] = []

    async def connect(kind: type[Charger], url: str, identity: str, **options: Any) -> Charger:
        charger = kind(url, identity, **options)
        await charger.connect()
        chargers.append(charger)
        return charger

    yield connect
    for charger in chargers:
        with contextlib.suppress(OSError):
            await charger.close()
    assert [fault for charger in chargers for fault in charger.recorder.faults] == []


@pytest.fixture(params=["direct", "gateway"])
def charger_url(request: pytest.FixtureRequest, start_gateway: StartGateway) -> Callable[[Csms], Awaitable[str]]:
    """`await charger_url(csms)`: where a charger connects to reach that CSMS, once without and once with a gateway."""

    async def url(csms: Csms) -> str:
        if request.param == "direct":
            return csms.url
        gateway: Gateway = await start_gateway({"main": csms})
        return gateway.url

    return url


@pytest.fixture
async def start_peer(tmp_path: Path) -> AsyncIterator[StartPeer]:
    """`await start_peer("node", script, ...)`: a running peer of somebody else; ended, with its children, at the end."""
    if not NODE_MODULES.is_dir():
        pytest.fail("the peers are missing: run tests/peers/install.sh")
    running: list[Peer] = []

    async def start(*command: str | Path, ready: bool = True, **environment: str) -> Peer:
        peer = Peer(*command, environment=environment, log=tmp_path / f"peer{len(running)}.log")
        running.append(peer)
        await peer.start(ready=ready, cwd=tmp_path)
        return peer

    yield start
    for peer in reversed(running):
        await peer.stop()
