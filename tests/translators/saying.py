"""A charger and a CSMS that answer at once, with a link between them as `ocpp-gateway translate` has it: one says something,
and what the others heard is told. Every frame that leaves is checked against its schema."""

from __future__ import annotations

import itertools
import json
from decimal import Decimal
from typing import Any, NamedTuple

from gateway.cli.translate import Conversation
from tests.golden.test_golden import conforms, plain
from tests.schemas import Version
from tests.translators.playbook import options_of
from translators.frames import Side

ACCEPTED = {"idTokenInfo": {"status": "Accepted"}}
TAG = {"idTagInfo": {"status": "Accepted"}}
TIME = {"currentTime": "2026-03-01T10:00:00Z"}

ANSWERS: dict[tuple[Side, str], dict[str, Any]] = {
    ("csms", "BootNotification"): {**TIME, "interval": 300, "status": "Accepted"},
    ("csms", "Heartbeat"): TIME,
    ("csms", "DataTransfer"): {"status": "Accepted"},
    ("csms", "TransactionEvent"): ACCEPTED,
    ("csms", "SignCertificate"): {"status": "Accepted"},
    ("csms", "StopTransaction"): {},
    ("charger", "GetConfiguration"): {},
    ("charger", "GetDiagnostics"): {"fileName": "log.tgz"},
    ("charger", "GetLocalListVersion"): {"listVersion": 5},
    ("charger", "UpdateFirmware"): {},
    ("charger", "UnlockConnector"): {"status": "Unlocked"},
}
"""What the ends say; nothing but a status Accepted to other commands, nothing at all to other messages."""
SILENT = None
"""An answer that does not come."""


class Said(NamedTuple):
    """A frame that left the gateway."""

    to: Side
    kind: int
    action: str
    """Of the CALL, or of the one that is answered; "" for what is answered to the one who spoke."""
    payload: Any
    """Of a CALLERROR: its code."""
    losses: list[tuple[str, str]]


class Saying:
    """A link in the middle of its work: the charger is registered and nothing has happened."""

    def __init__(self, charger: Version, csms: Version, **options: Any) -> None:
        self.versions: dict[str, Version] = {"charger": charger, "csms": csms}
        self.talk = Conversation(f"ocpp{charger}", f"ocpp{csms}", options_of(options))
        self.answers: dict[tuple[Side, str], Any] = {}
        """What an end answers instead of ANSWERS: a payload, a list that is used up, an error code, or SILENT."""
        self.heard: list[Said] = []
        """All that ever left."""
        self._ids = itertools.count(1)
        self._tids = itertools.count(101)
        self._asked: dict[tuple[str, str], str] = {}

    def charger(self, action: str, payload: Any) -> list[Said]:
        """The charger says something; all that leaves."""
        return self._says("charger", action, payload)

    def csms(self, action: str, payload: Any) -> list[Said]:
        """The CSMS says something; all that leaves."""
        return self._says("csms", action, payload)

    def control(self, *words: Any) -> list[Said]:
        """`csms_down`, `csms_up`, or `tick` and a number of seconds."""
        return self._run(self.talk.feed(json.dumps({"from": "control", "frame": list(words)})))

    def waits(self, seconds: int) -> list[Said]:
        """Time passes, second by second: an end answers before the next one; all that leaves."""
        return [each for _ in range(seconds) for each in self.control("tick", 1)]

    def answers_late(self, side: Side, action: str, payload: Any) -> list[Said]:
        """An end answers what it was silent to before."""
        id = next(id for (to, id), asked in self._asked.items() if to == f"late {side}" and asked == action)
        del self._asked[f"late {side}", id]
        frame = [4, id, payload, "no", {}] if isinstance(payload, str) else [3, id, payload]
        return self._run(self.talk.feed(json.dumps({"from": side, "frame": frame})))

    def _says(self, side: Side, action: str, payload: Any) -> list[Said]:
        id = f"{side}-{next(self._ids)}"
        self._asked[side, id] = action
        return self._run(self.talk.feed(json.dumps({"from": side, "frame": [2, id, action, payload]})))

    def _run(self, left: list[dict[str, Any]]) -> list[Said]:
        told: list[Said] = []
        todo = [json.loads(json.dumps(each, default=plain), parse_float=Decimal) for each in left]
        while todo:
            line = todo.pop(0)
            to, frame = line["to"], line["frame"]
            action = frame[2] if frame[0] == 2 else self._asked.get((to, frame[1]), "")
            conforms(self.versions, self._asked, to, frame)
            losses = [(each["field"], each["kind"]) for each in line["losses"]]
            payload = frame[3] if frame[0] == 2 else frame[2]
            told.append(Said(to, frame[0], action, payload, losses))
            if frame[0] == 2:
                todo += self._answered(to, frame[1], action)
        self.heard += told
        return told

    def _answered(self, to: Side, id: str, action: str) -> list[Any]:
        given = self.answers.get((to, action), self._usual(to, action))
        if isinstance(given, list):
            given = given.pop(0)
        if given is SILENT:
            self._asked[f"late {to}", id] = action
            return []
        frame = [4, id, given, "no", {}] if isinstance(given, str) else [3, id, given]
        more = self.talk.feed(json.dumps({"from": to, "frame": frame}, default=float))
        return [json.loads(json.dumps(each, default=plain), parse_float=Decimal) for each in more]

    def _usual(self, to: Side, action: str) -> Any:
        if to == "csms" and action == "StartTransaction":
            return {"transactionId": next(self._tids), **TAG}
        if to == "csms" and action == "Authorize":
            return TAG if self.versions["csms"] == "1.6" else ACCEPTED
        return ANSWERS.get((to, action), {} if to == "csms" else {"status": "Accepted"})


def calls(said: list[Said], to: Side, action: str = "") -> list[Any]:
    """The payloads of the CALLs to one end; without `action`: (action, payload) of all."""
    found = [each for each in said if each.to == to and each.kind == 2]
    return [each.payload for each in found if each.action == action] if action else [each[2:4] for each in found]


def answer(said: list[Said], to: Side) -> Any:
    """What the one who spoke is answered: a payload, or the code of a CALLERROR."""
    return next(each.payload for each in said if each.to == to and each.kind != 2)


__all__ = ["ACCEPTED", "ANSWERS", "SILENT", "TAG", "TIME", "Said", "Saying", "answer", "calls"]
