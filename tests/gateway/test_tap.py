"""Watching: nothing when nobody does, no more than a watcher can take, and nothing left out in silence."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import msgspec
import pytest

from gateway import tap
from gateway.admin.frames import WAITING, Stream


@pytest.fixture(autouse=True)
def nobody() -> Iterator[None]:
    yield
    tap.clock = time.time
    for id in ("a", "b"):
        tap.remove(id)
    assert not tap.armed


def watch(id: str, match: str, now: float = 0.0) -> tap.Watch:
    made = tap.Watch(id, match, now + 15, now, lambda: None)
    tap.add(made)
    return made


def frame(ms: int, charger: str = "CP1", payload: str = "{}") -> None:
    """A CALL, as whoever has it does, at this time."""
    tap.clock = lambda: ms / 1000
    if not tap.begins(charger):
        return
    data = f'[2,"{ms}","Heartbeat",{payload}]'.encode()
    tap.frame(ms, charger, "charger", "in", "ocpp1.6", data, id=str(ms), action="Heartbeat")


def answer(ms: int, charger: str = "CP1") -> None:
    """The answer to it."""
    tap.clock = lambda: ms / 1000
    if tap.wanted(charger):
        tap.frame(ms, charger, "charger", "out", "ocpp1.6", f'[3,"{ms}",{{}}]'.encode(), id=str(ms))


def test_only_who_is_asked_for() -> None:
    one, many = watch("a", "cp1"), watch("b", "CP*")
    assert tap.armed and tap.wanted("Cp1") and tap.wanted("CP2") and not tap.wanted("DE-1")
    for charger in ("CP1", "CP2", "DE-1"):
        frame(1, charger)
    assert [each.charger for each in one.take()[0]] == ["CP1"]
    assert [each.charger for each in many.take()[0]] == ["CP1", "CP2"]
    tap.expire(14.9)
    assert tap.find("a") is one
    tap.expire(15.1)
    assert tap.find("a") is None and not tap.armed
    with pytest.raises(ValueError):
        watch("a", "re:(")


def test_a_thousand_frames_a_second_are_counted_to_the_last_and_exchanges_are_whole() -> None:
    """Ten seconds of CALLs of 20 chargers and, 9 ms later, of their answers: what is not shown is told."""
    watching, lost = watch("a", "*"), 0
    shown: list[tap.Seen] = []
    for ms in range(10_000):
        if ms % 2 == 0:
            frame(ms, f"CP{ms // 2 % 20}")
        elif ms >= 9:
            answer(ms - 9 + 1, f"CP{(ms - 9) // 2 % 20}")
        if ms % 50 == 0:
            taken, missing = watching.take()
            shown, lost = shown + taken, lost + missing
    tap.clock = lambda: 20.0
    taken, missing = watching.take()
    shown, lost = shown + taken, lost + missing
    assert len(shown) + lost == 5000 + 4996
    assert tap.BURST + 8 * tap.RATE <= len(shown) <= tap.BURST + 10 * tap.RATE
    calls = [each.charger for each in shown if each.direction == "in"]
    answers = [each.charger for each in shown if each.direction == "out"]
    assert calls[: len(answers)] == answers and len(calls) - len(answers) <= 5


def test_who_takes_nothing_costs_no_memory() -> None:
    watching = watch("a", "*")
    for ms in range(0, 200_000, 10):
        frame(ms, f"CP{ms}")
        answer(ms, f"CP{ms}")
    assert len(watching.waiting) <= tap.WAITING + 1 and watching.lost == 40_000 - len(watching.waiting)


def test_what_was_lost_last_is_told_though_nothing_follows() -> None:
    woken: list[float] = []
    watching = tap.Watch("a", "*", 15, 0, lambda: woken.append(tap.clock()))
    tap.add(watching)
    for charger in range(300):
        frame(1, f"CP{charger}")
    shown, lost = watching.take()
    assert len(shown) + lost == 300 and lost
    frame(2, "CP300")
    assert watching.take() == ([], 0) and watching.lost and woken[-1] == 0.002
    tap.clock = lambda: 1.5
    assert watching.take()[1] > 0 and not watching.lost


def test_an_answer_that_never_comes_holds_nothing() -> None:
    """The charger has its turn again once there is room; others are not kept out for it."""
    watching = watch("a", "*")
    for ms in range(0, 120_000, 100):
        frame(ms)
        frame(ms, "CP2")
        answer(ms, "CP2")
        watching.take()
    tap.remove("a")
    assert not tap.following and watching.lost == 0


def test_one_charger_cannot_take_more_than_there_is_by_never_answering() -> None:
    watching, shown = watch("a", "*"), 0
    for ms in range(20_000):
        frame(ms)
        if ms % 50 == 0:
            shown += len(watching.take()[0])
    assert shown <= tap.BURST + 21 * tap.RATE


def test_a_frame_that_is_too_long_is_cut_and_said_so() -> None:
    watching = watch("a", "*")
    frame(1, payload='{"x":"' + "y" * 20_000 + '"}')
    [seen], _ = watching.take()
    assert len(seen.data) == tap.LARGEST < seen.size


def decoded(events: list[bytes]) -> list[tuple[str, dict[str, object]]]:
    lines = [each.decode().strip().split("\n") for each in events]
    return [(name.removeprefix("event: "), msgspec.json.decode(data.removeprefix("data: "))) for name, data in lines]


async def test_a_slow_reader_sees_where_frames_are_missing() -> None:
    stream = Stream(raw=False, action="", upstream="", legs=frozenset(("charger", "csms")))
    seen = [tap.Seen(ms, "CP1", "charger", "", "in", "ocpp1.6", b'[2,"1","A",{}]', 14) for ms in range(WAITING + 500)]
    stream.take("p", seen[:3], 0)
    stream.take("p", seen[3:5], 7)
    assert [name for name, _ in decoded(await stream.next())] == ["frame"] * 3 + ["gap"] + ["frame"] * 2
    stream.take("p", seen, 0)
    events = decoded(await stream.next())
    assert [name for name, _ in events].count("frame") == WAITING
    assert events[-1] == ("gap", {"lost": 500, "process": "", "why": "this reader is too slow"})


async def test_what_is_shown_hides_secrets_and_tokens() -> None:
    frames = [
        b'[2,"1","Authorize",{"idTag":"04A1B2C3"}]',
        b'[2,"2","ChangeConfiguration",{"key":"AuthorizationKey","value":"hunter2hunter2"}]',
        b'{"not": "a frame"}',
        b"no json 04A1B2C3",
    ]
    seen = [tap.Seen(1, "CP1", "charger", "", "in", "ocpp1.6", each, len(each)) for each in frames]
    hidden, raw = (Stream(raw=raw, action="", upstream="", legs=frozenset(("charger",))) for raw in (False, True))
    hidden.take("p", seen, 0)
    text = b"".join(await hidden.next())
    assert b"04A1B2C3" not in text and b"hunter2" not in text and b"tok:" in text
    raw.take("p", seen, 0)
    assert b"hunter2hunter2" in b"".join(await raw.next())


async def test_only_exchanges_of_an_action() -> None:
    """The answer belongs to its CALL, and what the CSMS is told in another version does, too."""
    stream = Stream(raw=False, action="StartTransaction", upstream="", legs=frozenset(("charger", "csms")))

    def seen(leg: tap.Leg, action: str, exchange: str) -> tap.Seen:
        return tap.Seen(1, "CP1", leg, "", "in", "", b"[]", 2, action, "1", exchange)

    stream.take(
        "p",
        [
            seen("charger", "Heartbeat", "1-1"), seen("charger", "StartTransaction", "1-2"),
            seen("csms", "TransactionEvent", "1-2"), seen("csms", "TransactionEvent", "1-3"), seen("charger", "", "1-2"),
        ],
        0,
    )  # fmt: skip
    assert len(await stream.next()) == 3
    await asyncio.sleep(0)
