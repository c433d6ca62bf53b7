"""What is decided in a turn of the loop: committed on a real server, then sent, and how many commits that takes."""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio import Future

import pytest

from gateway.hub.effects import Effects
from gateway.hub.metering import Metering
from gateway.hub.observer import Observer
from gateway.hub.partition import Partition
from gateway.hub.session import Session
from gateway.hub.terms import FIELD, Terms
from gateway.hub.turn import MOST_COMMITS, Turn
from gateway.journal import Journal
from gateway.journal.entry import ToCharger
from gateway.journal.facts import Commit
from gateway.metrics import Metrics
from gateway.wheel import Wheel
from tests.gateway.journal.conftest import Server, binary, config, journal, server, until

__all__ = ["binary", "config", "journal", "server"]

PARTITIONS = 2 * MOST_COMMITS + 2


class Desk:
    """Partitions whose sessions decide when the test says so; `sent` is what left, in order."""

    def __init__(self, journal: Journal) -> None:
        self.turn = Turn(journal, Wheel(), Metering(Metrics()), None)
        self.journal = journal
        self.partitions: list[Partition] = []
        self.sessions: list[Session] = []
        self.sent: list[str] = []
        self.commits = 0
        commit = journal.commit

        def counted(partition: int, token: int, decided: Commit) -> Future[None]:
            self.commits += 1
            return commit(partition, token, decided)

        journal.commit = counted  # type: ignore[method-assign,assignment]

    async def own(self) -> None:
        for number in range(PARTITIONS):
            token = await self.journal.acquire(number, "hub")
            assert token is not None
            partition = Partition(number, token, self.journal, self._send, self._failed, self.turn.committed)
            self.partitions.append(partition)
            self.sessions.append(Session(f"CP{number}", partition.effects, Observer()))

    def decide(self, number: int, what: str) -> None:
        effects = self.partitions[number].effects
        effects.answers.append((f"CP{number}", what, b"{}"))
        effects.to_charger.append(("edge", ToCharger(f"CP{number}", 1, "answer", f"{number}{what}".encode())))
        self.turn.touched(self.partitions[number], self.sessions[number])

    def _send(self, effects: Effects) -> None:
        self.sent += [item.body.decode() for _, item in effects.to_charger]

    def _failed(self, partition: Partition, error: BaseException) -> None:
        raise AssertionError(f"{partition.number}: {error!r}")


@pytest.fixture
async def desk(journal: Journal) -> Desk:
    desk = Desk(journal)
    await desk.own()
    return desk


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_while_the_store_is_slow_decisions_of_other_partitions_gather(desk: Desk, server: Server) -> None:
    busy, others = range(MOST_COMMITS + 1), range(MOST_COMMITS + 1, PARTITIONS)
    os.kill(server.pid, signal.SIGSTOP)
    try:
        for number in busy:
            desk.decide(number, "a")
        await turns()
        assert desk.commits == len(busy)
        for what in "abc":
            for number in others:
                desk.decide(number, what)
            await turns()
        assert desk.commits == len(busy)
        assert desk.sent == []
    finally:
        os.kill(server.pid, signal.SIGCONT)
    await until(lambda: len(desk.sent) == len(busy) + 3 * len(others))
    assert desk.commits == len(busy) + len(others)
    for number in others:
        assert [each for each in desk.sent if each.startswith(str(number))] == [f"{number}{what}" for what in "abc"]


async def test_with_few_commits_under_way_nobody_waits(desk: Desk, server: Server) -> None:
    os.kill(server.pid, signal.SIGSTOP)
    try:
        for number in range(MOST_COMMITS):
            desk.decide(number, "a")
            await turns()
        desk.decide(MOST_COMMITS, "a")
        await turns()
        assert desk.commits == MOST_COMMITS + 1
    finally:
        os.kill(server.pid, signal.SIGCONT)
    await until(lambda: len(desk.sent) == MOST_COMMITS + 1)


async def test_a_partition_that_was_lost_holds_nobody(desk: Desk, server: Server) -> None:
    os.kill(server.pid, signal.SIGSTOP)
    try:
        for number in range(MOST_COMMITS + 1):
            desk.decide(number, "a")
        await turns()
        desk.decide(MOST_COMMITS + 1, "a")
        await turns()
        assert desk.commits == MOST_COMMITS + 1
        desk.turn.forget(desk.partitions[0])
        await turns()
        assert desk.commits == MOST_COMMITS + 2
    finally:
        os.kill(server.pid, signal.SIGCONT)
    await until(lambda: len(desk.sent) == MOST_COMMITS + 2)


async def test_what_is_remembered_of_commands_waits_for_a_commit_of_its_own(desk: Desk, server: Server) -> None:
    partition = desk.partitions[0]
    os.kill(server.pid, signal.SIGSTOP)
    try:
        desk.decide(0, "a")
        await turns()
        partition.effects.terms["CP0"] = Terms(next_id=7)
        desk.turn.touched(partition, desk.sessions[0])
        await turns()
    finally:
        os.kill(server.pid, signal.SIGCONT)
    await until(lambda: partition.quiet)
    assert FIELD in await desk.journal.load_facts(0, "CP0")
