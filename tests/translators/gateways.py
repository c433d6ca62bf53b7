"""Gateways in a row, real translators chained in process: what the charger and the CSMS at the ends hear. Every frame is
validated, those between the gateways too."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any, cast

from msgspec import Raw

from tests.schemas import Version, validate
from translators import Options, Translator, pair
from translators.chain import Chain
from translators.dialogue import Out, Step
from translators.frames import OTHER, Call, Error, Frame, Result, Side, encode

NOW = 1_740_823_200_000
VENDOR = "org.example.gateway"

Answer = Callable[[Side, str, Any], Any]
"""What an end answers: (the end, action, request) -> payload, or None to stay silent."""


class Checked(Translator):
    """A translator that validates all that it says."""

    calls: dict[tuple[Side, str], str]

    def receive(self, side: Side, frame: Frame, clock: int, **more: Any) -> list[Step]:
        """As Translator.receive."""
        if isinstance(frame, Call):
            self.__dict__.setdefault("calls", {})[(side, frame.id)] = frame.action
        return super().receive(side, frame, clock, **more)

    def _emit(self, dialogue: Any, to: Side, frame: Frame, timeout: float = 0) -> None:
        version = cast(Version, self.pair.charger if to == "charger" else self.pair.csms)
        if isinstance(frame, Call):
            validate(version, frame.action, "request", json.loads(bytes(frame.payload)))
        elif isinstance(frame, Result):
            validate(version, self.calls[(to, frame.id)], "response", json.loads(bytes(frame.payload)))
        super()._emit(dialogue, to, frame, timeout)


class Gateways:
    """Charger - gateways - CSMS. `ways`: (charger's version, CSMS's version) of each gateway, the charger's end first."""

    def __init__(self, *ways: tuple[str, str], carry: str, **options: Any) -> None:
        numbers = itertools.count(1)
        given = Options(carry_lossy=carry, vendor_id=VENDOR if carry != "off" else "", **options)  # type: ignore[arg-type]
        parts = []
        for way in ways:
            rules = pair(*way)
            part = Checked(rules, rules.facts(), given, lambda: f"00000000-0000-4000-8000-{next(numbers):012d}")
            part.assume(True, 2)
            parts.append(part)
        self.chain = Chain(parts)
        self.count = 0
        self.now = NOW
        self.heard: list[tuple[Side, str, Any]] = []
        self.losses: set[str] = set()
        self.answer: Any = None
        self._answers: Answer = lambda side, action, request: {}

    def says(
        self,
        side: Side,
        action: str,
        payload: Any,
        answers: Answer | dict[str, Any] | None = None,
        *,
        early: bool = False,
    ) -> Any:
        """A CALL of one end; the other ends' answers come from `answers` (by action, or of a function), {} by default.
        Gives what it is answered; None for silence. `early`: the charger was answered in the CSMS's absence."""
        self.count += 1
        self.now += 1000
        self.heard, self.losses, self.answer = [], set(), None
        self._answers = answers if callable(answers) else lambda _, each, request: (answers or {}).get(each, {})
        key = f"{self.count}-0" if side == "charger" else ""
        call = Call(f"s{self.count}", action, Raw(encode(payload)))
        tx = 1000 + self.count if key else 0
        self._work(self.chain.receive(side, call, self.now, now=self.now, key=key, tx=tx, early=early))
        for _ in range(60):
            if self.answer is not None or self.chain.next_wake is None:
                break
            self._work(self.chain.tick(self.chain.next_wake))
        return self.answer

    def said(self) -> list[tuple[str, Any]]:
        """Actions and payloads of what an end heard of the last CALL."""
        return [(action, payload) for _, action, payload in self.heard]

    def _work(self, todo: list[Step]) -> None:
        while todo:
            todo += self._take(todo.pop(0))

    def _take(self, step: Step) -> list[Step]:
        if not isinstance(step, Out):
            return []
        self.losses |= {loss.field for loss in step.losses}
        match step.frame:
            case Call(id=id, action=name, payload=raw):
                body = json.loads(bytes(raw))
                self.heard.append((step.to, name, body))
                answer = self._answers(step.to, name, body)
                if isinstance(answer, Error):
                    refusal = Error(id, answer.code, answer.description)
                    return self.chain.receive(step.to, refusal, self.now)
                return [] if answer is None else self.chain.receive(step.to, Result(id, Raw(encode(answer))), self.now)
            case Result(payload=raw):
                self.answer = json.loads(bytes(raw))
            case other:
                self.answer = other
        return []


__all__ = ["NOW", "OTHER", "VENDOR", "Answer", "Gateways"]
