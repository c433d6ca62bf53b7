"""A bug of ours costs the message that met it, never the charger's others, and never the partition (I-19)."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.config import RedisConfig, Upstream
from translators.frames import Call, Result
from translators.options import Options
from translators.untouched import Untouched

from .site import Csms, eventually, site


async def test_a_message_that_no_rule_can_decide_is_put_aside_with_a_trace(
    csms: Csms, store: RedisConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive = Untouched.receive

    def broken(self: Untouched, side: Any, frame: Any, clock: int, **more: Any) -> Any:
        if isinstance(frame, Call) and b'"n": 1}' in bytes(frame.payload):
            raise RuntimeError("a bug")
        return receive(self, side, frame, clock, **more)

    monkeypatch.setattr(Untouched, "receive", broken)
    async with site(store, {"main": Upstream(url=csms.url, version="ocpp1.6")}) as at:
        await at.connect("CP-1")
        ids = await at.meter("CP-1", range(3))
        await eventually("the others are told", lambda: csms.heard("CP-1") == [0, 2])
        await at.settled("CP-1")
        (letter,) = await at.edge.letters("main")
        assert (letter.entry.id, letter.why, letter.attempts) == (ids[1], "poisoned", 1)
        assert len(letter.trace) == 12
        assert at.count("dead_letters") == 1


async def test_an_answer_that_no_rule_can_take_is_no_answer_and_not_asked_for_ever(
    csms: Csms, store: RedisConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive = Untouched.receive
    csms.reply = lambda charger, action, payload: {"bad": 1} if payload.get("n") == 1 else {}

    def broken(self: Untouched, side: Any, frame: Any, clock: int, **more: Any) -> Any:
        if isinstance(frame, Result) and b"bad" in bytes(frame.payload):
            raise RuntimeError("a bug")
        return receive(self, side, frame, clock, **more)

    monkeypatch.setattr(Untouched, "receive", broken)
    options = Options(tx_attempts=3, tx_retry_interval=0.1)
    async with site(store, {"main": Upstream(url=csms.url, version="ocpp1.6", options=options)}) as at:
        await at.connect("CP-1")
        await at.meter("CP-1", range(3))
        await eventually("the others are told", lambda: csms.heard("CP-1") == [0, 1, 1, 1, 2])
        (letter,) = await at.edge.letters("main")
        assert (letter.why, letter.attempts) == ("silence", 3)
