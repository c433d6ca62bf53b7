"""A 1.6 charger behind a 2.0.1 CSMS, played by a test: every frame that leaves is checked against its official schema."""

from __future__ import annotations

import json
from typing import Any

from msgspec import Raw

from tests.schemas import validate
from translators.dialogue import Out, Step
from translators.engine import Translator
from translators.facts import Facts, Transaction
from translators.frames import Call, Error, Result, Side
from translators.losses import Loss
from translators.options import Options
from translators.v16_v201 import PAIR

NOW = 1_740_823_200_000
"""2025-03-01T10:00:00Z."""


class Station:
    """Sends what the test says and returns what leaves, as (to, action or "answer" or error code, payload)."""

    def __init__(self, registration: Any = "Accepted", connectors: int = 2, **options: Any) -> None:
        self._count = 0
        self.facts = Facts(registration=registration, known_connectors=connectors)
        self.translator = Translator(PAIR, self.facts, Options(**options), self._new_id)
        self.clock = NOW
        self.losses: list[Loss] = []
        self.bugs: list[str] = []
        """What the engine says of rules that failed."""
        self._asked: dict[tuple[str, str], str] = {}
        self._sent: dict[tuple[str, str], str] = {}
        self._open: dict[str, str] = {}

    def _new_id(self) -> str:
        self._count += 1
        return f"g{self._count}"

    def csms(self, action: str, **payload: Any) -> list[Any]:
        return self.call("csms", action, payload)

    def charger(self, action: str, **payload: Any) -> list[Any]:
        return self.call("charger", action, payload)

    def call(self, side: Side, action: str, payload: Any) -> list[Any]:
        self._count += 1
        id = f"{side}-{self._count}"
        self._sent[(side, id)] = action
        frame = Call(id, action, Raw(json.dumps(payload).encode()))
        return self._leaving(self.translator.receive(side, frame, self.clock))

    def answers(self, side: Side, **payload: Any) -> list[Any]:
        """The peer answers the CALL that is open towards it."""
        return self._leaving(
            self.translator.receive(side, Result(self._open.pop(side), Raw(json.dumps(payload).encode())), self.clock)
        )

    def refuses(self, side: Side, code: str) -> list[Any]:
        return self._leaving(self.translator.receive(side, Error(self._open.pop(side), code, "no"), self.clock))

    def silent(self, side: Side) -> list[Any]:
        return self._leaving(self.translator.expire(side, self._open.pop(side), self.clock))

    def after(self, seconds: float) -> list[Any]:
        self.clock += round(seconds * 1000)
        return self._leaving(self.translator.tick(self.clock))

    def transaction(self, connector: int = 1, **members: Any) -> Transaction:
        """A transaction that runs already."""
        number = len(self.facts.transactions) + len(self.facts.ended) + 1
        known: dict[str, Any] = {
            "tid": 1000 + number,
            "uuid": f"00000000-0000-4000-8000-{number:012d}",
            "connector": connector,
            "start_key": str(number),
            "id_tag": "04A1B2C3",
            "meter_start": 100,
            "started_at": "2025-03-01T09:00:00Z",
            "state": "open",
            "auth_status": "Accepted",
        }
        made = Transaction(**(known | members))
        (self.facts.ended if made.state == "ended" else self.facts.transactions).append(made)
        return made

    def ends(self, transaction: Transaction) -> None:
        """Its end is told."""
        transaction.state = "ended"
        self.facts.transactions.remove(transaction)
        self.facts.ended.append(transaction)

    def lost(self) -> set[tuple[str, str]]:
        return {(loss.field, loss.kind) for loss in self.losses}

    def _leaving(self, steps: list[Step]) -> list[Any]:
        left: list[Any] = []
        for step in steps:
            if not isinstance(step, Out):
                continue
            self.losses += step.losses
            version: Any = "1.6" if step.to == "charger" else "2.0.1"
            match step.frame:
                case Call(id, action, payload):
                    assert step.to not in self._open, "two open CALLs to one side"
                    self._open[step.to] = id
                    body = json.loads(bytes(payload))
                    validate(version, action, "request", body)
                    left.append((step.to, action, body))
                case Result(id, payload):
                    body = json.loads(bytes(payload))
                    validate(version, self._sent.pop((step.to, id)), "response", body)
                    left.append((step.to, "answer", body))
                case Error(id, code, description):
                    if " in the rule of " in description or "is invalid" in description:
                        self.bugs.append(description)
                    self._sent.pop((step.to, id))
                    left.append((step.to, code, None))
        return left


def rejected(reason: str) -> list[Any]:
    return [("csms", "answer", {"status": "Rejected", "statusInfo": {"reasonCode": reason}})]


def answered(**payload: Any) -> list[Any]:
    return [("csms", "answer", payload)]
