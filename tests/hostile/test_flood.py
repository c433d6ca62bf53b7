"""A flood of strangers and of wild chargers, and what the others notice of it."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.process import Gateway

from .client import Plug
from .csms import Csms

GOOD, FLOODERS, HANDSHAKES = 200, 200, 5000
SECONDS = 20.0
LIMIT = 1.0
"""Seconds that 99 of 100 answers may take at the most, on a machine that does nothing else."""


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_the_good_ones_are_served(tmp_path: Path) -> None:
    csms = Csms()
    await csms.start()
    gateway = Gateway(tmp_path / "gateway", {
        "upstreams": {"main": {"url": f"ws://127.0.0.1:{csms.port}", "version": "ocpp1.6"}},
        "routes": [{"match": "*", "primary": "main"}],
    })  # fmt: skip
    limit = LIMIT * max(1.0, os.getloadavg()[0])  # what else runs takes its share
    await gateway.start()
    plugs: list[Plug] = []
    try:
        for number in range(GOOD):
            plugs.append(await Plug.into(gateway.port, f"good-{number}", "ocpp1.6"))
        calm = await served(plugs, 5)
        attack = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.hostile.attack", str(gateway.port), str(SECONDS), str(HANDSHAKES), str(FLOODERS),
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        took = await served(plugs, SECONDS)
        out, _ = await asyncio.wait_for(attack.communicate(), 60)
        handshakes, frames = map(int, out.split())
        newcomer = await Plug.into(gateway.port, "newcomer", "ocpp1.6")
        await newcomer.works()
        await newcomer.leave()
    finally:
        for plug in plugs:
            await plug.leave()
        code = await gateway.stop()
        await csms.stop()
    print(f"\n{len(took)} answers, p50 {at(took, 50):.3f} s, p99 {at(took, 99):.3f} s, longest {took[-1]:.3f} s;")
    print(
        f"before: p99 {at(calm, 99):.3f} s; {handshakes} hostile handshakes, {frames} frames of wild chargers written"
    )
    assert code == 0
    assert handshakes >= HANDSHAKES * 0.9 and frames > 10_000
    assert at(took, 99) < limit
    text = gateway.log.read_text(errors="replace")
    assert "Traceback" not in text


async def served(plugs: list[Plug], seconds: float) -> list[float]:
    """Each charger says something every two seconds; how long the answers took, in order of length."""
    took: list[float] = []
    end = time.monotonic() + seconds

    async def live(plug: Plug, number: int) -> None:
        await asyncio.sleep(number / len(plugs) * 2)
        count = 0
        while time.monotonic() < end:
            count += 1
            began = time.monotonic()
            await plug.works(str(count))
            took.append(time.monotonic() - began)
            await asyncio.sleep(2)

    await asyncio.gather(*(live(plug, number) for number, plug in enumerate(plugs)))
    return sorted(took)


def at(values: list[float], percent: int) -> float:
    return values[min(len(values) - 1, len(values) * percent // 100)]
