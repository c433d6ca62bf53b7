"""What a charger says again: nothing of it is lost, and no CSMS hears twice what it has answered."""

from __future__ import annotations

import asyncio

from gateway.config import RedisConfig, Upstream
from gateway.hub.lot import Lot
from gateway.journal.entry import Entry, Head
from tests.gateway.journal.conftest import Server

from .site import EDGE, Csms, eventually, site
from .test_session import Bench

STAMP = "2026-01-01T00:00:00Z"
STOP = {"transactionId": 5, "meterStop": 10, "timestamp": STAMP}


def again(bench: Bench, entry: Entry, seq: int) -> None:
    """The charger repeats what it said in this entry, which has no stored answer."""
    head = Head("CP", 1, seq, "ocpp1.6", "edge", bench.now, entry.head.action, f"c{seq}", "K0", 0, "d", entry.id)
    bench.session.repeated(Entry(f"9-{seq}", "repeat", head, entry.frame), bench.now)


def pass_time(bench: Bench) -> None:
    bench.now = bench.session.deadline()
    bench.session.tick(bench.now)


def refused() -> tuple[Bench, Entry]:
    """A stop that the CSMS has answered with a CALLERROR: it is acknowledged, and the charger still has it."""
    bench = Bench()
    bench.up()
    entry = bench.call("StopTransaction", STOP)
    bench.csms([4, "g1", "InternalError", "db down", {}])
    assert bench.clear().acks == {"main": [entry.id]}
    return bench, entry


def test_the_retry_of_what_was_refused_is_answered_by_the_upstream_only() -> None:
    """It is in memory, and nowhere else: whoever owns the charger next knows nothing of it."""
    bench, entry = refused()
    again(bench, entry, 7)
    pass_time(bench)
    bench.session.disconnected("main", bench.now)
    assert not bench.charger_items(), "silence and an outage are no reason to say that it is done"
    bench.up()
    pass_time(bench)
    told = bench.upstream_frames()[-1]
    assert told[2:] == ["StopTransaction", STOP]
    bench.csms([3, told[1], {}])
    effects = bench.clear()
    assert [(item.kind, item.seq) for _, item in effects.to_charger] == [("answer", 7)]
    assert effects.answers == [("CP", "d", b"{}")]


def test_the_retry_of_what_was_refused_is_put_aside_where_other_messages_are() -> None:
    bench, entry = refused()
    bench.session.links["main"].lot = Lot()
    again(bench, entry, 7)
    effects = bench.clear()
    (kept,) = effects.parks["main", "CP"]
    assert (kept.id, kept.kind, kept.head.seq) == (entry.id, "call", 7)
    assert [(item.kind, item.seq) for _, item in effects.to_charger] == [("answer", 7)]
    assert effects.answers == [("CP", "d", b"{}")], "what is put aside is safe: a retry is answered at once"


def test_what_was_answered_here_is_answered_so_again_when_the_upstream_has_it() -> None:
    """The answer made here may have met a socket that was gone: the charger asks again."""
    bench = Bench()
    bench.up()
    entry = bench.call("StopTransaction", STOP)
    bench.session.closed(1, bench.now)
    pass_time(bench)
    assert not bench.charger_items() and not bench.effects.answers
    pass_time(bench)
    bench.csms([3, bench.upstream_frames()[-1][1], {"idTagInfo": {"status": "Invalid"}}])
    effects = bench.clear()
    assert effects.acks == {"main": [entry.id]}
    assert effects.answers == [("CP", "d", b"{}")]


async def test_what_is_put_aside_is_there_once(csms: Csms, server: Server) -> None:
    """The charger says again what lies in the store and not in memory: the CSMS hears it once, and answers the newest CALL."""
    csms.refused = {"CP-1"}
    store = RedisConfig(url=server.url)
    async with site(store, {"main": Upstream(url=csms.url, version="ocpp1.6", reconnect_max=0.3)}) as at:
        await at.connect("CP-1")
        await at.meter("CP-1", range(30))
        start = {"connectorId": 1, "idTag": "A", "meterStart": 0, "timestamp": STAMP}
        await at.say("CP-1", "StartTransaction", start, tx=True, dedup="s1")
        sessions = at.hub.partitions[at.partition("CP-1")].sessions
        await eventually("begun", lambda: "cp-1" in sessions)
        session = sessions["cp-1"]
        await eventually("taken", lambda: len(session.links["main"].backlog) == 31)
        at.hub._parking._put_aside(at.hub.partitions[at.partition("CP-1")], session, session.links["main"])
        await eventually("parked", lambda: _count(at.parked("CP-1"), 31))
        assert len(session.links["main"].backlog) < 30
        await at.say("CP-1", "StartTransaction", start, tx=True, dedup="s1")
        await asyncio.sleep(0.3)
        assert await _count(at.parked("CP-1"), 31)
        csms.reply = lambda charger, action, payload: {"transactionId": 5} if action == "StartTransaction" else {}
        csms.refused = set()
        await eventually("all told", lambda: [said[1] for said in csms.said][-1:] == ["StartTransaction"], 30)
        await eventually("answered", lambda: _answered(at.edge, at.heads["CP-1"].seq, b'{"transactionId": 5}'))
        await eventually("the lot ends", lambda: not at.hub._parking.lots())
        assert [said[1] for said in csms.said] == ["MeterValues"] * 30 + ["StartTransaction"]


async def test_a_repeat_that_is_read_before_its_original(csms: Csms, server: Server) -> None:
    """While a partition goes to another hub only the session group is read."""
    csms.reply = lambda charger, action, payload: {"transactionId": 5} if action == "StartTransaction" else {}
    store = RedisConfig(url=server.url)
    async with site(store, {"main": Upstream(url=csms.url, version="ocpp1.6")}) as at:
        await at.connect("CP-1")
        await at.meter("CP-1", range(1))
        await eventually("there", lambda: csms.heard("CP-1") == [0])
        partition = at.hub.partitions[at.partition("CP-1")]
        partition.effects.parting = True
        start = {"connectorId": 1, "idTag": "A", "meterStart": 0, "timestamp": STAMP}
        for _ in range(2):
            await at.say("CP-1", "StartTransaction", start, tx=True, dedup="s1")
        await asyncio.sleep(0.5)
        assert len(csms.said) == 1, "nothing new is begun"
        partition.effects.parting = False
        at.hub._reader.ring(partition.number)
        await eventually("answered", lambda: _answered(at.edge, at.heads["CP-1"].seq, b'{"transactionId": 5}'))
        assert [said[1] for said in csms.said] == ["MeterValues", "StartTransaction"]


async def _count(found: object, count: int) -> bool:
    return len(await found) == count  # type: ignore[misc]


async def _answered(edge: object, seq: int, body: bytes) -> bool:
    items = [item for _, item in await edge.read_inbox(EDGE, "0-0", 1)]  # type: ignore[attr-defined]
    return any((item.kind, item.seq, item.body) == ("answer", seq, body) for item in items)
