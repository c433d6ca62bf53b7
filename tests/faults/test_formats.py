"""What earlier releases have stored is read by this one; what a newer one has stored is refused, and stays."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.journal import entry, facts, keys

from .fleet import Fleet
from .frozen import CHARGER, DIRECTORY, freeze, thaw

STORED = {path.stem: json.loads(path.read_text()) for path in sorted(DIRECTORY.glob("format*.json"))}


def test_there_is_a_store_of_each_format() -> None:
    """Before a format changes, its store is frozen: `python -m tests.faults.frozen`."""
    found = [each["formats"] for each in STORED.values()]
    assert {each["entries"] for each in found} == set(range(1, entry.FORMAT + 1))
    assert {each["facts"] for each in found} == set(range(1, facts.FORMAT + 1))


async def begin(fleet: Fleet, stored: dict[str, Any]) -> None:
    """Both CSMSs, and a process on that store."""
    for name, version in (("main", "ocpp2.0.1"), ("copy", "ocpp1.6")):
        (await fleet.backend(name, version)).texts = []
    await fleet.store.start()
    await thaw(fleet.store, stored)


@pytest.mark.parametrize("name", STORED)
async def test_a_transaction_goes_on(tmp_path: Path, name: str) -> None:
    """Its second half is told in order, under the ids of the first; a retry of the charger is recognised."""
    told = STORED[name]
    fleet = Fleet(tmp_path, partitions=2)
    try:
        await begin(fleet, told["store"])
        await fleet.node("both")
        await fleet.quiet()
        for backend in fleet.backends.values():
            heard = [each for each in backend.heard() if each.message.kind in ("meter", "stop")]
            assert [[each.message.kind, each.message.stamp, each.message.register] for each in heard] == told["waiting"]
        main, mirror = ([json.loads(text) for text in each.texts or ()] for each in fleet.backends.values())
        started = json.loads(told["started"]["main"])[3]
        events = [frame[3] for frame in main if frame[2] == "TransactionEvent"]
        assert {each["transactionInfo"]["transactionId"] for each in events} == {
            started["transactionInfo"]["transactionId"]
        }
        assert [each["seqNo"] for each in events] == [2, 3, 4]
        numbers = {frame[3]["transactionId"] for frame in mirror if "transactionId" in frame[3]}
        assert numbers == {told["number at copy"]}

        charger = fleet.charger(CHARGER)
        await charger.connect()
        _, at, meter = told["waiting"][-1]
        stop = {"transactionId": told["number"], "meterStop": meter, "timestamp": at}
        answer = await charger.call(None, "StopTransaction", stop)
        assert answer is not None and answer[0] == 3
        await fleet.quiet()
        assert all(len(backend.heard("stop")) == 1 for backend in fleet.backends.values())
    finally:
        assert set(await fleet.stop()) <= {0}


def newer_facts(stored: dict[str, Any]) -> None:
    for key, value in stored.items():
        if ":facts:" in key:
            value["link:main"] = chr(facts.FORMAT + 1) + value["link:main"][1:]


def newer_entry(stored: dict[str, Any]) -> None:
    """The last of the three that wait."""
    for value in stored.values():
        if isinstance(value, dict) and value.get("entries"):
            calls = [fields for _, fields in value["entries"] if fields[fields.index("k") + 1] == "call"]
            if calls:
                place = calls[-1].index("h") + 1
                head = msgspec.msgpack.decode(calls[-1][place].encode("latin-1"))
                head[entry.Head.__struct_fields__.index("format")] = entry.FORMAT + 1
                calls[-1][place] = msgspec.msgpack.encode(head).decode("latin-1")


@pytest.mark.parametrize("newer", [newer_facts, pytest.param(newer_entry, marks=pytest.mark.slow)])
async def test_what_a_newer_release_wrote_is_refused(tmp_path: Path, newer: Any) -> None:
    """It is said what to do; nothing of it is guessed at, deleted or acknowledged."""
    told = copy.deepcopy(list(STORED.values())[-1])
    newer(told["store"])
    fleet = Fleet(tmp_path, partitions=2)
    try:
        await begin(fleet, told["store"])
        node = await fleet.prepare("both")
        with contextlib.suppress(AssertionError):  # it may have ended already
            await node.run(until_ready=False)
        async with asyncio.timeout(20):
            while "run the release that wrote" not in node.log.read_text():  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        await asyncio.sleep(1)
        assert "Traceback" not in node.log.read_text()
        stop = told["waiting"][-1][1]
        assert not [each for each in fleet.backends["main"].heard("stop") if each.message.stamp == stop]
        now = await freeze(fleet.store)
        stream = keys.stream(keys.partition(CHARGER, 2))
        left = [fields for _, fields in now[stream]["entries"]]
        assert any("call" in fields for fields in left)
        for key, value in told["store"].items():
            if ":facts:" in key and newer is newer_facts:
                assert now[key]["link:main"] == value["link:main"]
    finally:
        await fleet.stop()
