"""A store that was put back from an older copy: what is said again, and what is not (docs/upgrading.md)."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from .fleet import Fleet
from .frozen import freeze, thaw
from .nodes import Store


async def test_an_old_copy_says_again_what_waited_then(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, partitions=2)
    try:
        main = await fleet.backend("main", "ocpp2.0.1")
        node = await fleet.single()
        charger = await fleet.booted("CP1")
        await charger.start()
        await fleet.quiet()
        await main.stop()
        await charger.meter()
        await charger.meter()
        await asyncio.sleep(0.5)
        copy = await freeze(fleet.store)

        await main.start()
        await fleet.quiet()
        await charger.stop()
        stopped = fleet.history.sent[-1].message
        first, second = charger.transaction, await charger.start()
        await fleet.quiet()
        assert [each.message.kind for each in main.heard()][-5:] == ["start", "meter", "meter", "stop", "start"]
        known = len(main.heard())
        assert await node.stop() == 0
        await fleet.store.stop()

        fleet.store = Store(tmp_path / "restored")
        await fleet.store.start()
        await thaw(fleet.store, copy)
        await fleet.node("both")
        await fleet.quiet()
        again = [each.message for each in main.heard()[known:] if each.message.kind != "boot"]
        assert again == [each.message for each in main.heard("meter")[:2]], "what waited, in order, and nothing else"

        charger.urls = fleet.urls[-1:]
        await charger.connect()
        retry = {"transactionId": first, "meterStop": stopped.register, "timestamp": stopped.stamp}
        answer = await charger.call(None, "StopTransaction", retry)
        assert answer is not None and answer[0] == 3
        # Numbers follow the clock in seconds, and no store is put back within one.
        await asyncio.sleep(max(0, second + 1 - time.time()))
        assert await charger.start() > second, "a number never comes twice"
        await fleet.quiet()
        assert len(main.heard("start")) == 3
    finally:
        await fleet.stop()
