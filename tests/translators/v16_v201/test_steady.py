"""Meter values that become text at once are what they would have become sample by sample."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests import schemas
from translators import Options, Translator
from translators.dialogue import Out, Step
from translators.frames import Call, Result
from translators.models import v16
from translators.v16_v201 import PAIR, metering, stopping

T0 = 1_772_352_000_000
"""2026-03-01T08:00:00Z"""

numbers = st.one_of(
    st.integers(0, 10**13).map(str),
    st.decimals(0, 10**9, places=3).map(str),
    st.sampled_from(
        ["0", "0.0", "0.10", "007", ".5", "5.", "1e3", "-3", " 12 ", "0.0000001", "", "NaN", "x", "1234.500", "١٢"]
    ),
)
samples = st.fixed_dictionaries(
    {"value": numbers},
    optional={
        "context": st.sampled_from(get_args(v16.ReadingContext)),
        "measurand": st.one_of(
            st.just("Energy.Active.Import.Register"), st.sampled_from(get_args(v16.Measurand)), st.just("Nonsense")
        ),
        "phase": st.sampled_from(get_args(v16.Phase)),
        "location": st.sampled_from(get_args(v16.Location)),
        "unit": st.sampled_from(["Wh", "kWh", "W", "A", "V", "Celcius", "Percent", "furlong"]),
        "format": st.sampled_from(["Raw", "SignedData"]),
    },
)
times = st.sampled_from(
    ["2026-03-01T08:05:00Z", "2026-03-01T08:06:00.5Z", "2026-03-01T09:07:00+01:00", "2001-01-01T00:00:00Z", "no"]
)
readings = st.lists(
    st.fixed_dictionaries(
        {
            "timestamp": times,
            "sampledValue": st.lists(samples, min_size=1, max_size=4),
        }
    ),
    min_size=1,
    max_size=2,
)
messages = st.lists(
    st.tuples(readings, st.sampled_from([b"{}", b'{"totalCost":3}', b'{"idTokenInfo":{"status":"Blocked"}}'])),
    min_size=1,
    max_size=4,
)


usual = st.fixed_dictionaries(
    {"value": numbers},
    optional={
        "context": st.sampled_from(["Transaction.Begin", "Transaction.End", "Sample.Periodic"]),
        "unit": st.just("Wh"),
        "location": st.just("Outlet"),
    },
)
stops = st.fixed_dictionaries(
    {"meterStop": st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(0, 2000)), "timestamp": times},
    optional={
        "transactionData": st.one_of(
            readings,
            st.lists(
                st.fixed_dictionaries({"timestamp": times, "sampledValue": st.lists(usual, min_size=1, max_size=3)}),
                max_size=3,
            ),
        )
    },
)


@contextmanager
def slowly() -> Iterator[None]:
    """Every message goes sample by sample."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metering, "reading", lambda d, request: None)
        patch.setattr(stopping, "_written_values", lambda d, transaction, request, moment: None)
        yield


class Talk:
    def __init__(self) -> None:
        ids = itertools.count(1)
        self.translator = Translator(PAIR, PAIR.facts(), Options(post_boot=False), lambda: f"id{next(ids)}")
        self.translator.assume(True, 2)
        self.left: list[Any] = []
        self.count = 0

    def says(self, action: str, payload: Any, answer: bytes, tx: int = 0) -> None:
        self.count += 1
        frame = Call(f"c{self.count}", action, msgspec.Raw(msgspec.json.encode(payload)))
        steps = self.translator.receive("charger", frame, T0 + 600_000, key=f"{self.count}-0", tx=tx)
        while asked := self._keep(steps):
            steps = []
            for call in asked:
                steps += self.translator.receive(call.to, Result(call.frame.id, msgspec.Raw(answer)), T0 + 600_000)

    def _keep(self, steps: list[Step]) -> list[Out]:
        asked: list[Out] = []
        for step in steps:
            if not isinstance(step, Out):
                self.left.append(step)
                continue
            if isinstance(step.frame, Call):
                asked.append(step)
                payload = msgspec.json.decode(step.frame.payload)
                if step.to == "csms":
                    schemas.validate("2.0.1", step.frame.action, "request", payload)
                self.left.append((step.to, step.frame.action, payload, step.losses, step.commit))
            else:
                self.left.append((step.to, bytes(msgspec.json.encode(step.frame)), step.losses))
        return asked


def conversation(told: list[tuple[Any, bytes]], stop: dict[str, Any] | None = None) -> tuple[list[Any], bytes]:
    talk = Talk()
    begin = {"connectorId": 1, "idTag": "A1", "meterStart": 5, "timestamp": "2026-03-01T08:01:00Z"}
    talk.says("StartTransaction", begin, b'{"idTokenInfo":{"status":"Accepted"}}', tx=77)
    for values, answer in told:
        talk.says("MeterValues", {"connectorId": 1, "transactionId": 77, "meterValue": values}, answer)
    if stop is not None:
        talk.says("StopTransaction", {"transactionId": 77, **stop}, b"{}")
    return talk.left, talk.translator.state()


@settings(max_examples=150, deadline=None)
@given(messages)
def test_both_ways_say_and_remember_the_same(told: list[tuple[Any, bytes]]) -> None:
    quick = conversation(told)
    with slowly():
        slow = conversation(told)
    assert quick == slow


def test_the_usual_message_takes_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metering, "readings", None)
    sampled = [
        {"value": "1500", "context": "Sample.Periodic", "measurand": "Energy.Active.Import.Register", "unit": "Wh"},
        {"value": "16.5", "context": "Sample.Periodic", "measurand": "Current.Import", "unit": "A", "phase": "L1"},
    ]
    left, _ = conversation([([{"timestamp": "2026-03-01T08:05:00Z", "sampledValue": sampled}], b"{}")])
    events = [each[2]["seqNo"] for each in left if isinstance(each, tuple) and each[1] == "TransactionEvent"]
    assert events == [0, 1]


@pytest.mark.parametrize("count", [1, 64, 65, 500])
def test_a_reading_of_many_samples(count: int) -> None:
    sampled = [{"value": f"{at}.5", "measurand": "Current.Import", "phase": "L1"} for at in range(count)]
    told: list[tuple[Any, bytes]] = [([{"timestamp": "2026-03-01T08:05:00Z", "sampledValue": sampled}], b"{}")]
    quick = conversation(told)
    with slowly():
        assert conversation(told) == quick


@settings(max_examples=300, deadline=None)
@given(stops)
@example({"meterStop": 10**15 + 1, "timestamp": "2026-03-01T08:05:00Z"})
def test_both_ways_end_a_transaction_alike(stop: dict[str, Any]) -> None:
    quick = conversation([], stop)
    with slowly():
        slow = conversation([], stop)
    assert quick == slow


def test_the_usual_end_takes_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "readings", None)
    data = [
        {"timestamp": "2026-03-01T08:01:00Z", "sampledValue": [{"value": "5", "context": "Transaction.Begin"}]},
        {"timestamp": "2026-03-01T08:05:00Z", "sampledValue": [{"value": "900", "context": "Transaction.End"}]},
    ]
    for some in (data, data[:1], []):
        left, _ = conversation([], {"meterStop": 900, "timestamp": "2026-03-01T08:05:01Z", "transactionData": some})
        events = [each[2] for each in left if isinstance(each, tuple) and each[1] == "TransactionEvent"]
        end = events[-1]
        assert end["meterValue"][-1]["sampledValue"][-1]["value"] == 900
