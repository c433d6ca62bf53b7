"""Each CSMS hears everything, in order, at least once, and at its own pace."""

from __future__ import annotations

import asyncio
import itertools
import random
import statistics
import time

import msgspec
import pytest

from gateway.journal import keys
from tests.e2e.raw import handshake

from .backend import hostile, slow
from .fleet import Fleet
from .history import Said
from .swarm import Charger

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

IMPATIENT = {
    "call_timeout": 0.5,
    "connect_timeout": 2,
    "options": {"tx_attempts": 50, "tx_retry_interval": 0.1},
}


def fickle(dice: random.Random, action: str) -> str:
    """A primary that is silent, late, and hangs up before and after it answers."""
    if action == "BootNotification":
        return "answer"
    return dice.choices(["answer", "wait 0.3", "silence", "hang up before", "hang up after"], [80, 10, 4, 3, 3])[0]


@pytest.mark.parametrize("version", ["ocpp1.6", "ocpp2.0.1"])
async def test_i09_the_messages_of_a_charger_keep_their_order_at_each_backend(fleet: Fleet, version: str) -> None:
    main = await fleet.backend("main", version, mood=fickle, settings=IMPATIENT)
    copy = await fleet.backend("copy", "ocpp1.6", mood=hostile, settings=IMPATIENT)
    await fleet.single()
    async with fleet.load(10):
        await asyncio.sleep(8)
    main.mood = copy.mood = lambda _dice, _action: "answer"
    await fleet.right(100)
    assert sum(each.kind == "hang up" for each in fleet.history.faults) > 10


async def test_i10_at_least_once_and_twice_only_in_doubt(fleet: Fleet) -> None:
    """The primary's sockets die between receipt and answer, again and again: each message comes again, no other does."""
    main = await fleet.backend("main", "ocpp1.6", settings={"connect_timeout": 2})
    await fleet.single()
    main.mood = lambda dice, action: "hang up before" if action == "MeterValues" and dice.random() < 0.3 else "answer"
    async with fleet.load(30):
        await asyncio.sleep(10)
    main.mood = lambda _dice, _action: "answer"
    await fleet.right(100)
    assert sum(each.kind == "hang up" for each in fleet.history.faults) > 60
    heard = [each.message.key for each in main.heard("meter")]
    assert len(heard) > len(set(heard)), "what was not answered came again"


@pytest.mark.parametrize("version", ["ocpp1.6", "ocpp2.0.1"])
async def test_i11_a_repeated_start_gets_the_same_transaction_id(fleet: Fleet, version: str) -> None:
    """With the same or another message id, from any edge, after the death of the edge and of the hub."""
    main = await fleet.backend("main", version)
    await fleet.start(edges=2, hubs=1)
    charger = await fleet.booted("CP1")
    at = charger.begun = charger.clock()
    said = Said("CP1", "start", at, charger.register, at)
    payload = {"connectorId": 1, "idTag": "04A1B2C3", "meterStart": charger.register, "timestamp": at}
    first = await charger.call(said, "StartTransaction", payload, "the-id")
    assert first is not None
    charger.transaction = first[2]["transactionId"]

    async def again(url: str, id: str = "") -> None:
        charger.abort()
        await charger.lost()
        async with asyncio.timeout(30):
            while await charger.dial(url) != 101:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        answer = await charger.call(said, "StartTransaction", payload, id)
        assert answer is not None and answer[2]["transactionId"] == charger.transaction

    one, two = fleet.urls
    await again(one, "the-id")
    await again(two)
    with fleet.fault("kill all", "hub"):
        for node in fleet.nodes:
            await node.kill()
        await fleet.expire()
        for node in fleet.nodes:
            await node.run()
    await again(one)
    await again(two, "the-id")
    await charger.meter()
    await charger.stop()
    assert len(main.heard("start")) == 1
    key = keys.partition("CP1", fleet.partitions)
    remembered = [
        await fleet.store.ask("TTL", each)
        for each in await fleet.store.ask("KEYS", f"{keys.tag(key)}:d:cp1:*")
        if charger.transaction == _number(await fleet.store.ask("GET", each))
    ]
    assert [each > 6 * 86_400 for each in remembered] == [True], "for seven days"
    await fleet.right(3)


def _number(stored: bytes) -> int:
    """The transaction id of a stored answer: `<stream id> <tx> <answer>`."""
    answer = stored.split(b" ", 2)[2]
    return int(msgspec.json.decode(answer).get("transactionId", 0)) if answer else 0


async def test_i12_a_mirror_never_affects_the_charger_or_the_primary(fleet: Fleet) -> None:
    """It stalls, waits 10 s, refuses, reads a byte at a time, is away: the round trips do not change."""
    main = await fleet.backend("main", "ocpp1.6")
    copy = await fleet.backend("copy", "ocpp2.0.1", settings={"call_timeout": 5, "connect_timeout": 2})
    await fleet.single()
    chargers = [await fleet.booted(f"CP{number}") for number in range(4)]
    link = fleet.to_upstream["copy"]
    for each in chargers:
        await each.start()

    async def trips() -> float:
        """Median round trip of 160 messages, seconds."""

        async def some(charger: Charger) -> list[float]:
            took = []
            for _ in range(40):
                began = time.monotonic()
                await charger.meter()
                took.append(time.monotonic() - began)
            return took

        return statistics.median(itertools.chain(*await asyncio.gather(*(some(each) for each in chargers))))

    await trips()
    calm = min([await trips() for _ in range(3)])
    measured = {}

    async def best() -> float:
        """Whatever else this machine does is not the mirror's doing: three chances."""
        took = await trips()
        for _ in range(2):
            if took >= 2 * calm + 0.01:
                took = min(took, await trips())
        return took

    with fleet.fault("all kinds", "upstream:copy"):
        for mood in ("wait 10", "error", "silence"):
            copy.mood = lambda _dice, _action, mood=mood: mood  # type: ignore[misc]
            measured[mood] = await best()
        copy.mood = lambda _dice, _action: "answer"
        for mode, options in (("stall", {}), ("blackhole", {}), ("throttle", {"bytes": 1}), ("reset", {})):
            link.set(mode, **options)  # type: ignore[arg-type]
            measured[mode] = await best()
        link.heal()
    assert all(took < 2 * calm + 0.01 for took in measured.values()), (calm, measured)
    before = len(main.heard())
    for each in chargers:
        await each.stop()
    assert len(main.heard()) == before + len(chargers)
    await fleet.right(100)


async def test_i17_the_policy_for_an_absent_primary_is_followed(fleet: Fleet) -> None:
    """Two policies side by side: one sends its chargers away after the hold and refuses them, one answers for it."""
    main = await fleet.backend("main", "ocpp2.0.1", settings={"connect_timeout": 2})
    fleet.config = {
        "routes": [
            {"match": "C*", "primary": "main", "primary_down": "close", "hold": 1.5},
            {"match": "B*", "primary": "main", "primary_down": "buffer"},
        ]
    }
    node = await fleet.single()
    closing, buffered = await fleet.booted("C1"), await fleet.booted("B1")
    for each in (closing, buffered):
        await each.start()
        await each.meter()
    with fleet.fault("stop main", "upstream:main"):
        await main.stop()
        assert await closing.lost() == 1001
        async with asyncio.timeout(10):
            while await handshake(node.url, "C1") != 503:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        waiting = asyncio.create_task(closing.meter())
        await buffered.meter()
        await buffered.status("Charging")
        await buffered.stop()
        await buffered.start()
        local = buffered.transaction
        assert local > 0
        await buffered.meter()
        assert not waiting.done()
        assert buffered.connected and buffered.connection == 1
        await main.start()
        await waiting
    await buffered.stop()
    await closing.stop()
    kinds = [each.message.kind for each in main.heard(charger="B1")]
    transactional = [each for each in kinds if each not in ("boot", "status")]
    assert transactional == ["start", "meter", "meter", "stop", "start", "meter", "stop"]
    await fleet.right()


@pytest.mark.parametrize(
    "mood",
    [
        "silence",
        "error",
        "hang up before",
    ],
)
async def test_i19_one_poison_message_stops_only_its_own_charger_and_ends_as_a_dead_letter(
    fleet: Fleet, mood: str
) -> None:
    """A CSMS that cannot bear one certain message: it says nothing, refuses, or hangs up."""
    main = await fleet.backend(
        "main", "ocpp1.6", settings={"options": {"tx_attempts": 3, "tx_retry_interval": 0.1}, "call_timeout": 1}
    )
    await fleet.single()
    poisoned = await fleet.booted("POISON")
    await poisoned.start()
    stamp = poisoned.clock()
    said = Said("POISON", "meter", stamp, poisoned.register, poisoned.begun)
    main.poison, main.poisoned = stamp, mood
    async with fleet.load(10) as others:
        telling = asyncio.create_task(poisoned.tell(said, "MeterValues", poisoned.meter_payload(stamp)))
        told = sum(each.told for each in others)
        letters: list[tuple[str, object, str]] = []
        async with asyncio.timeout(15):
            while not letters or sum(each.told for each in others) <= told + 20:
                await asyncio.sleep(0.2)
                letters = list(await fleet.dead_letters())
    assert [each[0] for each in letters] == ["POISON"]
    assert len([each for each in main.heard("meter", "POISON") if each.message.stamp == stamp]) <= 10
    await telling
    await poisoned.meter()
    await poisoned.stop()
    await fleet.right()


async def test_i26_what_is_delivered_again_is_what_was_received(fleet: Fleet) -> None:
    """A hub dies with entries that its CSMS has not answered: the next one delivers the same, in the same order."""
    main = await fleet.backend("main", "ocpp1.6", mood=slow)
    await fleet.start(edges=1, hubs=1)
    charger = await fleet.booted("CP1")
    await charger.start()
    await main.stop()
    for _ in range(6):
        await charger.meter()
    stream = keys.stream(keys.partition("CP1", fleet.partitions))
    before = await fleet.store.ask("XRANGE", stream, "-", "+")
    with fleet.fault("kill hub", "hub"):
        await fleet.hubs[0].kill()
        await fleet.expire()
        await fleet.hubs[0].run()
    async with asyncio.timeout(15):  # what is not done goes to the pending list every 5 s
        while len(pending := await fleet.store.ask("XPENDING", stream, "main", "-", "+", 100)) < 6:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    kept = dict(await fleet.store.ask("XRANGE", stream, "-", "+"))
    for id, fields in before:
        if id in {each[0] for each in pending}:
            assert kept[id] == fields, "received-at, trace and frame are those of the first time"
    await main.start()
    await charger.stop()
    await fleet.right(8)
    stamps = [each.message.stamp for each in main.heard("meter")]
    assert stamps == sorted(stamps)
