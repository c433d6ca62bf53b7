"""Answers and commands: one for each question, to the one who asked, whatever the CSMS or the charger does."""

from __future__ import annotations

import asyncio
import itertools
import random
import signal
import time

import pytest
import yaml

from .backend import Backend
from .fleet import EAGER, Fleet
from .history import Said
from .swarm import Charger

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

TAG = "04A1B2C3"
LONG = (pytest.mark.soak, pytest.mark.timeout(7200))
"""As often as the specification says: `make soak`."""


async def connected(backend: Backend, charger: str) -> None:
    async with asyncio.timeout(20):
        while charger not in backend.sockets:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def ended(*orders: list[tuple[float, str]], patience: float = 40) -> None:
    async with asyncio.timeout(patience):
        while not all(orders):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_i06_one_answer_at_most_of_the_right_id_on_the_same_connection(fleet: Fleet) -> None:
    """The primary answers late, twice, with a wrong id, garbage first, and after the charger has come again."""
    main = await fleet.backend("main", "ocpp1.6", settings={"call_timeout": 5})
    fleet.config = {"charger": {"answer_timeout": 1}}
    await fleet.single()
    charger = await fleet.booted("CP1", ids="counter")
    for mood in ("double", "wrong id", "garbage", "double", "answer"):
        main.mood = lambda _dice, _action, mood=mood: mood  # type: ignore[misc]
        await charger.status("Available")
    assert not charger.strays

    main.mood = lambda _dice, _action: "wait 1.6"
    at = charger.clock()
    late = Said("CP1", "status", at, value="Available")
    payload = {"connectorId": 1, "errorCode": "NoError", "status": "Available", "timestamp": at}
    charger.patience = 4
    assert await charger.call(late, "StatusNotification", payload) is None, "too late is never"
    main.mood = lambda _dice, _action: "wait 0.7"
    for _ in range(3):
        at = charger.clock()
        said = Said("CP1", "status", at, value="Available")
        asking = asyncio.create_task(charger.call(said, "StatusNotification", {**payload, "timestamp": at}))
        await asyncio.sleep(0.2)
        charger.abort()
        assert await asking is None
        await charger.connect()  # counts its ids from 1 again
        await asyncio.sleep(0.8)
    assert not charger.strays
    main.mood = lambda _dice, _action: "answer"
    await charger.status("Available")
    await fleet.right(8)


async def test_i07_one_open_call_per_direction_on_every_socket(fleet: Fleet) -> None:
    """A CSMS fires 50 commands at once: the charger gets them one by one and in order, those beyond 32 are refused."""
    main = await fleet.backend("main", "ocpp1.6")
    await fleet.single()
    charger = await fleet.booted("CP1")
    charger.answer_after = 0.02
    await connected(main, "CP1")
    orders = [
        await main.order("CP1", "DataTransfer", {"vendorId": "ACME", "data": f"order{number}"}, f"order{number}")
        for number in range(50)
    ]
    await ended(*(each.outcomes for each in orders))
    outcomes = [each.outcomes[0][1] for each in orders]
    assert charger.most_open == 1
    came = [each.token for each in fleet.history.commanded if each.token]
    assert came == [each.token for each in orders if each.outcomes[0][1] == "result"], "in order"
    assert 32 <= len(came) <= 34, "one open, 32 waiting"
    assert set(outcomes) == {"result", "InternalError"}

    charger.answer_after = 0
    await charger.start()
    for _ in range(20):
        await charger.meter()
    await charger.stop()
    await fleet.right()  # the backend notes any second open CALL


async def test_i07_the_primary_has_four_commands_for_one_of_a_mirror(fleet: Fleet) -> None:
    """Both have many that wait; a mirror that fills the queue leaves the primary room. Then the primary is another one."""
    backends = {
        name: await fleet.backend(name, "ocpp1.6", settings={"may_command": True, **EAGER}) for name in ("main", "copy")
    }
    node = await fleet.single()
    charger = await fleet.booted("CP1")
    for primary, mirror in (("main", "copy"), ("copy", "main")):
        settings = yaml.safe_load(node.file.read_text())
        settings["routes"][0] |= {"primary": primary, "mirrors": [mirror]}
        node.file.write_text(yaml.safe_dump(settings))
        node.signal(signal.SIGHUP)
        async with asyncio.timeout(10):
            while primary != "main" and "rerouted" not in node.log.read_text():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        for each in backends.values():
            await connected(each, "CP1")
        fleet.history.commanded.clear()
        charger.answer_after = 1.0
        orders = []
        for name, count in ((mirror, 40), (primary, 8)):
            for number in range(count):
                token = f"{primary} leads, {name}{number}"
                payload = {"vendorId": "ACME", "data": token}
                orders.append(await backends[name].order("CP1", "DataTransfer", payload, token))
            await ended(*(each.outcomes for each in orders[25:]) if name == mirror else ())  # the queue is full
        await asyncio.sleep(0.2)
        charger.answer_after = 0.01
        await ended(*(each.outcomes for each in orders))
        assert {each.outcomes[0][1] for each in orders if each.upstream == primary} == {"result"}
        came = "".join("p" if primary in each.token.split(", ")[1] else "m" for each in fleet.history.commanded)
        assert came == "mm" + "ppppm" * 2 + "m" * 21
    fleet.history.upstreams = ()  # what the second primary has heard of the boot is not the point
    assert not [fault for each in backends.values() for fault in each.faults]


async def test_i08_answers_never_wait_for_calls(fleet: Fleet) -> None:
    """A CSMS that reads no CALL while one of its own is open, and 10,000 CALLs that cross: nobody waits for the other."""
    main = await fleet.backend("main", "ocpp1.6")
    main.one_slot = True
    await fleet.single()
    chargers = [await fleet.booted(f"CP{number}") for number in range(5)]
    dice = random.Random(8)

    async def commands(charger: Charger) -> list[float]:
        took = []
        for number in range(1000):
            token = f"{charger.identity}-order{number}"
            order = await main.order(charger.identity, "DataTransfer", {"vendorId": "ACME", "data": token}, token)
            await ended(order.outcomes)
            took.append(order.outcomes[0][0] - order.at)
            await asyncio.sleep(dice.uniform(0, 0.01))
        return took

    async def calls(charger: Charger) -> list[float]:
        took = []
        for _ in range(1000):
            began = time.monotonic()
            await charger.status("Available")
            took.append(time.monotonic() - began)
            await asyncio.sleep(dice.uniform(0, 0.01))
        return took

    took = await asyncio.gather(*(work(each) for each in chargers for work in (commands, calls)))
    assert max(itertools.chain(*took)) < 1.0
    assert main.deferred > 300, "they did cross"
    await fleet.right()


@pytest.mark.parametrize("times", [3, pytest.param(200, marks=LONG)])
async def test_i13_each_command_ends_once_when_its_hub_dies(fleet: Fleet, times: int) -> None:
    """Between the command's way to the charger and its answer the hub is killed: it is not done twice."""
    main = await fleet.backend("main", "ocpp1.6")
    await fleet.start(edges=1, hubs=1)
    hub = fleet.hubs[0]
    charger = await fleet.booted("CP1")
    actions = itertools.cycle(("RemoteStartTransaction", "Reset"))
    for number, action in enumerate(itertools.islice(actions, times)):
        await connected(main, "CP1")
        charger.answer_after = 1.0
        token = f"order{number}"
        order = await main.order("CP1", action, {"idTag": token, "type": "Soft", "data": token}, token)
        await asyncio.sleep(0.3)
        assert sum(each.token == token for each in fleet.history.commanded) == 1
        with fleet.fault("kill hub", "hub"):
            await hub.kill()
            await fleet.expire()
            await hub.run()
        await asyncio.sleep(1.2)
        charger.answer_after = 0
        await ended(order.outcomes)
        await charger.status("Available")
    await connected(main, "CP1")
    order = await main.order("CP1", "RemoteStartTransaction", {"idTag": "after"}, "after")
    await ended(order.outcomes)
    assert order.outcomes[0][1] == "result"
    await fleet.right(3)


async def test_i13_each_command_ends_once_when_the_charger_is_lost(fleet: Fleet) -> None:
    """The edge is killed, or the charger's link is cut, before it answers: the CSMS hears how it ended, once, in time."""
    main = await fleet.backend("main", "ocpp1.6")
    await fleet.start(edges=1, hubs=1)
    edge = fleet.edges[0]
    charger = await fleet.booted("CP1")
    for number, kill in enumerate((False, True, False)):
        await connected(main, "CP1")
        charger.answer_after = 5.0
        token = f"order{number}"
        order = await main.order("CP1", "RemoteStartTransaction", {"idTag": token}, token)
        await asyncio.sleep(0.3)
        with fleet.fault("kill edge" if kill else "cut", "edge"):
            if kill:
                await edge.kill()
                await fleet.expire()
                await edge.run()
            else:
                charger.abort()
            await charger.lost()
            await charger.close()
            charger.answer_after = 0
            await charger.connect()
        await charger.status("Available")
        await ended(order.outcomes)
        assert order.outcomes[0][1] in ("GenericError", "InternalError"), order.outcomes
    await fleet.right(3)


async def test_i16_no_command_before_the_boot_was_answered_or_the_grace_is_over(fleet: Fleet) -> None:
    main = await fleet.backend("main", "ocpp1.6")
    fleet.config = {"charger": {"boot_gate_seconds": 2}}
    await fleet.single()
    charger = fleet.charger("CP1")
    await charger.connect()
    begun = time.monotonic()
    await connected(main, "CP1")
    order = await main.order("CP1", "RemoteStartTransaction", {"idTag": "grace"}, "grace")
    await ended(order.outcomes)
    [command] = fleet.history.commanded
    assert 1.9 < command.at - begun < 4, "it was silent: the grace"

    booting = fleet.charger("CP2")
    await booting.connect()
    await connected(main, "CP2")
    main.mood = lambda _dice, action: "wait 1" if action == "BootNotification" else "answer"
    order = await main.order("CP2", "RemoteStartTransaction", {"idTag": "boot"}, "boot")
    await asyncio.sleep(0.3)
    assert not any(each.charger == "CP2" for each in fleet.history.commanded)
    await booting.boot()
    answered = fleet.history.answered[-1].at
    await ended(order.outcomes)
    [command] = [each for each in fleet.history.commanded if each.charger == "CP2"]
    assert command.at >= answered
    for each in (charger, booting):
        await each.charge(2)
    await fleet.right(8)


async def test_i35_message_ids_are_our_own_unique_and_short(fleet: Fleet) -> None:
    """Chargers that number from 1 after each connect, and CSMSs that number alike: no id is seen twice on a socket."""
    main = await fleet.backend("main", "ocpp1.6")
    await fleet.backend("copy", "ocpp2.0.1")
    await fleet.single()
    chargers = [fleet.charger(f"CP{number}", ids="counter") for number in range(5)]
    for each in chargers:
        await each.connect()
        await each.boot()
    for _ in range(2):
        for each in chargers:
            await each.charge(2)
            each.abort()
            await each.lost()
            await each.connect()
    for each in chargers:
        await each.status("Available")  # opens the boot gate of its new connection
        order = await main.order(each.identity, "DataTransfer", {"vendorId": "ACME", "data": "1"}, "1")
        await ended(order.outcomes)
    ids = {each.call for each in fleet.history.delivered}
    assert max(map(len, ids)) <= 36 and not {"1", "2"} & ids
    await fleet.right()


async def test_i36_the_boot_gate_survives_the_hub(fleet: Fleet) -> None:
    """The hub dies while the charger waits for the answer to its boot: the next one sends no command before either."""
    main = await fleet.backend("main", "ocpp1.6", settings={"call_timeout": 3})
    await fleet.start(edges=1, hubs=1)
    hub = fleet.hubs[0]
    main.mood = lambda _dice, action: "silence" if action == "BootNotification" else "answer"
    charger = fleet.charger("CP1", patience=60)
    await charger.connect()
    booting = asyncio.create_task(charger.boot())
    await connected(main, "CP1")
    await asyncio.sleep(0.3)
    with fleet.fault("kill hub", "hub"):
        await hub.kill()
        await fleet.expire()
        await hub.run()
    await connected(main, "CP1")
    order = await main.order("CP1", "RemoteStartTransaction", {"idTag": "early"}, "early")
    await asyncio.sleep(1)
    assert not fleet.history.commanded, "it has not booted"
    main.mood = lambda _dice, _action: "answer"
    await booting
    await ended(order.outcomes)
    await charger.charge(3)
    await charger.charge(3)
    await fleet.right()
