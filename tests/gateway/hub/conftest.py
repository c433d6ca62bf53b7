"""What hubs in tests stand between: a real store, and a CSMS on a socket: one that speaks OCPP, or a scripted one."""

from collections.abc import AsyncIterator

import pytest

from gateway.config import RedisConfig
from tests.gateway.journal.conftest import Server, binary, server

from .script import Script
from .site import Csms

__all__ = ["binary", "server"]


@pytest.fixture
async def csms() -> AsyncIterator[Csms]:
    csms = Csms()
    await csms.start()
    yield csms
    await csms.stop()


@pytest.fixture
async def script() -> AsyncIterator[Script]:
    script = Script()
    await script.start()
    yield script
    await script.stop()


@pytest.fixture
def store(server: Server) -> RedisConfig:
    return RedisConfig(url=server.url)
