"""The score: what counts, how much, and for how long; and that what is kept stays small."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.readiness import (
    CLASSES,
    ENOUGH,
    KINDS,
    RECENT_MOST,
    WEIGHT,
    WINDOW,
    Class,
    Kind,
    Noted,
    Record,
    Records,
    decode,
    encode,
    summaries,
    summarise,
)


def record(*said: tuple[Class, int, tuple[Kind, ...]]) -> Record:
    """(class, how often, kinds of differences)."""
    made, at = Record(), 1000
    for of, times, kinds in said:
        for _ in range(times):
            at += 1
            made.add(of, [Noted(at, "Authorize", f"{at}-0", kind, "a", "b") for kind in kinds], at)
    return made


@pytest.mark.parametrize(
    ("said", "score"),
    [
        ((), None),
        ((("decision", ENOUGH - 1, ()),), None),
        ((("decision", ENOUGH, ()),), 100),
        ((("decision", 10, ()), ("other", 10, ())), 100),
        ((("decision", ENOUGH, ("verdict",)),), 0),
        ((("decision", ENOUGH, ("latency",)),), 50),
        ((("decision", ENOUGH, ("interval", "latency")),), 50),
        ((("decision", ENOUGH, ("error", "latency")),), 0),
        (
            (("other", 999, ()), ("decision", 1, ("verdict",))),
            14,
        ),  # 1 of 7 parts is left, however many heartbeats agree
        ((("billing", 99, ()), ("billing", 1, ("missing",)), ("other", 900, ())), 99),
        ((("decision", 399, ()), ("decision", 1, ("latency",))), 99),  # 99.875: only no difference at all is 100
        ((("decision", 1, ("verdict",)), ("decision", WINDOW["decision"], ())), 100),  # long ago
        ((("decision", 1, ("verdict",)), ("other", 5000, ())), 14),  # not long ago among decisions
    ],
)
def test_score(said: tuple[tuple[Class, int, tuple[Kind, ...]], ...], score: int | None) -> None:
    assert record(*said).score == score


def test_the_window_is_a_thousand() -> None:
    assert sum(WINDOW.values()) == 1000 and set(WINDOW) == set(WEIGHT) == set(CLASSES)


comparisons = st.lists(
    st.tuples(
        st.sampled_from(CLASSES), st.just(1), st.lists(st.sampled_from(KINDS), unique=True, max_size=2).map(tuple)
    ),
    max_size=120,
)


@given(comparisons, st.integers(0, 119))
def test_scores_in_general(said: list[tuple[Class, int, tuple[Kind, ...]]], which: int) -> None:
    made = record(*said)
    assert made.compared == len(said)
    assert made.agreed == sum(not kinds for _, _, kinds in said)
    if len(said) < ENOUGH:
        assert made.score is None
        return
    assert made.score is not None and 0 <= made.score <= 100
    assert (made.score == 100) == (made.agreed == len(said))
    of, times, _ = said[which % len(said)]
    worse = list(said)
    worse[which % len(said)] = (of, times, ("verdict",))
    below = record(*worse).score
    assert below is not None and below <= made.score, "a difference more never makes it better"


@given(comparisons)
def test_it_is_what_it_was_when_it_is_read_again(said: list[tuple[Class, int, tuple[Kind, ...]]]) -> None:
    made = Records(upstreams={"new": record(*said)})
    again = decode(encode(made))
    assert again == made
    [summary] = summaries({"shadow:cp1": summarise("CP1", made), "other": b"x"})
    assert summary.charger == "CP1"
    assert summary.upstreams["new"].score == made.upstreams["new"].score
    assert summary.upstreams["new"].kinds == made.upstreams["new"].kinds


def test_it_stays_small() -> None:
    made = record(*((of, 2000, ("verdict", "latency")) for of in CLASSES))
    assert len(made.recent) == RECENT_MOST
    assert made.recent[-1].at == made.at
    assert len(encode(Records(upstreams={"new": made}))) < 4000
    assert made.compared == 6000 and made.kinds == {"verdict": 6000, "latency": 6000}


@pytest.mark.parametrize("state", [b"", b"\xff", b"\x93\x01", msgspec.msgpack.encode({"format": 99})])
def test_what_cannot_be_read_begins_anew(state: bytes) -> None:
    assert decode(state) == Records()
