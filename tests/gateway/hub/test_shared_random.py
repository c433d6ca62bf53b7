"""Several 1.6 upstreams, random outages, orders and new owners: no upstream ever hears another one's number."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from typing import Any

import pytest

from gateway.journal.entry import Entry
from translators.frames import decode

from .test_shared import ACCEPTED, START, Bench, meter, stop

FIRST = {"main": 41, "copy": 42, "third": 41}
"""The numbers overlap on purpose."""


class World:
    """A charger with two connectors. What is not acknowledged is fed again to a new owner, as the journal does."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.bench = Bench(main="ocpp1.6", copy="ocpp1.6", third="ocpp1.6")
        self.names = list(FIRST)
        self.pending: dict[str, dict[str, Entry]] = {name: {} for name in self.names}
        self.queues: dict[str, list[Any]] = defaultdict(list)
        """CALLs that left and are not answered."""
        self.next = dict(FIRST)
        self.subjects: dict[str, dict[int, int]] = {name: {} for name in self.names}
        """Upstream -> its number -> which transaction that is."""
        self.heard: dict[str, list[tuple[str, int]]] = defaultdict(list)
        self.numbers: dict[int, int] = {}
        """Transaction -> the charger's number."""
        self.begun = 0
        self.waiting = ""

    def settle(self) -> None:
        """What was decided is stored; then the frames leave."""
        effects = self.bench.commit()
        for name, ids in effects.acks.items():
            for id in ids:
                self.pending[name].pop(id, None)
        for link, raw in self.bench.out:
            self.queues[link.name].append(json.loads(raw))
        self.bench.out = []
        for _, item in effects.to_charger:
            if item.kind == "answer":
                answer = json.loads(item.body)
                if "transactionId" in answer:
                    self.numbers[self.begun] = answer["transactionId"]
                self.waiting = ""

    def charger(self, action: str, payload: Any) -> None:
        entry = self.bench.call(action, payload, *self.names, tx=900_000 + self.begun)
        self.waiting = entry.id
        for name in self.names:
            self.pending[name][entry.id] = entry
        self.settle()

    def answer(self, name: str) -> None:
        """The upstream takes one CALL, and checks that it is about what it says it is about."""
        _, id, action, payload = self.queues[name].pop(0)
        answer: dict[str, Any] = {}
        if action == "StartTransaction":
            number = self.next[name]
            self.next[name] += 1
            self.subjects[name][number] = subject = payload["meterStart"]
            answer = {"transactionId": number, "idTagInfo": ACCEPTED}
        else:
            said = payload["meterStop"] if action == "StopTransaction" else payload["connectorId"]
            subject = self.subjects[name][payload["transactionId"]]
            assert subject == said, f"{name}: {action} of {said} under the number of {subject}"
        self.heard[name].append((action, subject))
        self.bench.session.from_upstream(name, decode(json.dumps([3, id, answer])), self.bench.now)
        self.settle()

    def crash(self) -> None:
        self.queues.clear()
        self.bench.crash()
        for name in self.names:
            self.bench.feed_all(list(self.pending[name].values()), name)
        self.bench.up("main", *self.random.sample(["copy", "third"], self.random.randint(0, 2)))
        self.settle()

    def some_time(self) -> None:
        """Things happen until the charger has its answer."""
        for _ in range(200):
            if not self.waiting and self.random.random() < 0.7:
                return
            what = self.random.random()
            name = self.random.choice(self.names)
            if what < 0.03:
                self.crash()
            elif what < 0.1 and name != "main":
                self.bench.session.disconnected(name, self.bench.now)
                self.queues[name].clear()
                self.settle()
            elif what < 0.25:
                if not self.bench.session.links[name].up:
                    self.bench.up(name)
                self.settle()
            elif self.queues[name]:
                self.answer(name)
        assert not self.waiting

    def transaction(self) -> None:
        self.begun += 1
        which = self.begun
        self.charger("StartTransaction", {**START, "meterStart": which})
        self.some_time()
        self.started.append(which)

    started: list[int] = []  # noqa: RUF012  replaced, never changed

    def run(self) -> None:
        self.started = []
        self.bench.up(*self.names)
        for _ in range(60):
            if len(self.started) < 2 and self.random.random() < 0.4:
                self.transaction()
            elif self.started:
                which = self.random.choice(self.started)
                if self.random.random() < 0.4:
                    self.started.remove(which)
                    self.charger("StopTransaction", {**stop(self.numbers[which]), "meterStop": which})
                else:
                    self.charger("MeterValues", {**meter(self.numbers[which]), "connectorId": which})
                self.some_time()
        self.bench.up(*(name for name in self.names if not self.bench.session.links[name].up))
        self.settle()
        while any(self.queues.values()):
            self.answer(next(name for name in self.names if self.queues[name]))


@pytest.mark.parametrize("seed", range(40))
def test_numbers_never_cross(seed: int) -> None:
    world = World(seed)
    world.run()
    assert world.begun > 3
    assert not any(world.pending.values()), "everybody has heard everything"
    for name in world.names:
        heard = list(dict.fromkeys(world.heard[name]))
        assert set(heard) == set(world.heard["main"]), name
