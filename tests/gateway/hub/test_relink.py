"""A charger comes back with another OCPP version."""

from __future__ import annotations

import msgspec
import pytest

from gateway.config import RedisConfig, Upstream
from tests.gateway.journal.conftest import Server

from .site import Csms, eventually, site


@pytest.mark.slow
async def test_what_was_not_told_in_the_old_words_becomes_dead_letters(server: Server) -> None:
    csms = Csms()
    await csms.start()
    csms.refused = {"CP-1"}
    csms.reply = lambda charger, action, payload: BOOTED if action == "BootNotification" else {}
    upstreams = {"main": Upstream(url=csms.url, version="ocpp1.6", reconnect_max=0.3)}
    async with site(RedisConfig(url=server.url), upstreams) as at:
        await at.connect("CP-1")
        ids = await at.meter("CP-1", range(3))
        await at.say("CP-1", "Heartbeat", {}, "K2")
        await eventually("taken", lambda: len(_backlog(at)) == 4)
        head = msgspec.structs.replace(at.heads["CP-1"], version="ocpp2.0.1")
        epoch, _ = await at.edge.connect(head)
        at.heads["CP-1"] = msgspec.structs.replace(head, epoch=epoch)
        await eventually("linked anew", lambda: not _backlog(at))
        await at.settled("CP-1")
        letters = await at.edge.letters("main")
        assert [(each.entry.id, each.why) for each in letters] == [(id, "version") for id in ids]
        csms.refused = set()
        await at.say("CP-1", "StatusNotification", STATUS, "K1")
        await eventually("told in the new words", lambda: ("CP-1", "StatusNotification") in [x[:2] for x in csms.said])
        assert at.count("upstream_disconnects") == 0
        await at.hub.drain(5)
        await eventually("hung up", lambda: at.count("upstream_disconnects") == 1)
        assert at.metrics.upstream_disconnects.cell("main", "drain").n == 1
    await csms.stop()


def _backlog(at):  # type: ignore[no-untyped-def]
    session = at.hub.partitions[at.partition("CP-1")].sessions.get("cp-1")
    return [] if session is None else [*session.links["main"].backlog]


BOOTED = {"status": "Accepted", "currentTime": "2026-01-01T00:00:00Z", "interval": 300}
STATUS = {"timestamp": "2026-01-01T00:00:00Z", "connectorStatus": "Available", "evseId": 1, "connectorId": 1}
