"""A flood of strangers and of wild chargers, and what the others notice of it.

The attackers and everything else that runs share the cores with the gateway here. What the kernel says of how long it let the
gateway and the chargers wait for a core is therefore taken out of the limit: with cores of its own it would have been so much faster.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.process import Gateway
from tests.gateway.edge.authority import Authority

from .attack import PASSWORD, basic
from .client import Plug
from .csms import Csms

GOOD, FLOODERS, HANDSHAKES = 200, 200, 5000
SECONDS = 20.0
LIMIT = 1.0
"""Seconds that 99 of 100 answers may take at the most, on cores of their own."""
MOST_CPU = 0.75
"""Of a core that the gateway may use: more, and a machine of half the speed would not keep up."""


class Clock:
    """Seconds that processes ran, and that they waited for a core, since this was made."""

    def __init__(self, *pids: int) -> None:
        self._pids = pids
        self._begun = self._read()

    def _read(self) -> tuple[float, float]:
        ran = waited = 0.0
        for pid in self._pids:
            for task in Path(f"/proc/{pid}/task").iterdir():
                numbers = (task / "schedstat").read_text().split()
                ran, waited = ran + int(numbers[0]) / 1e9, waited + int(numbers[1]) / 1e9
        return ran, waited

    def passed(self) -> tuple[float, float]:
        """Seconds that they ran, and how many times longer that took than with a core for each."""
        ran, waited = (now - then for now, then in zip(self._read(), self._begun, strict=True))
        return ran, (ran + waited) / ran


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
async def test_the_good_ones_are_served(secure: bool, tmp_path: Path) -> None:
    csms, tls = Csms(), None
    await csms.start()
    listen: dict[str, Any] = {"host": "127.0.0.1"}
    if secure:
        authority = Authority(tmp_path)
        issued, rsa = authority.issue("gateway", stem="ec"), authority.issue("gateway", kind="rsa", stem="rsa")
        listen["security_profile"] = 2
        listen["tls"] = {"cert": issued.cert, "key": issued.key, "cert2": rsa.cert, "key2": rsa.key}
        tls = ssl.create_default_context(cafile=authority.file)
        tls.check_hostname = False
    gateway = Gateway(tmp_path / "gateway", {
        "upstreams": {"main": {"url": f"ws://127.0.0.1:{csms.port}", "version": "ocpp1.6"}},
        "routes": [{"match": "*", "primary": "main"}],
    })  # fmt: skip
    gateway.config["listen"] = {**listen, "port": gateway.port}
    names = [f"good-{number}" for number in range(GOOD)] + [f"flood-{number}" for number in range(FLOODERS)]
    if secure:
        file = tmp_path / "chargers.csv"
        file.write_text("id,password\n" + "".join(f"{name},{PASSWORD}\n" for name in [*names, "newcomer"]))
        gateway.config["registry"] = {"source": "file", "file": str(file)}
    await gateway.start()
    plugs: list[Plug] = []
    attack: asyncio.subprocess.Process | None = None
    try:
        for name in names[:GOOD]:
            plugs.append(await into(gateway, name, tls))
        calm = await served(plugs, 5)
        attack = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.hostile.attack", str(gateway.port), str(SECONDS), str(HANDSHAKES), str(FLOODERS),
            *(["tls"] if secure else []), stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert gateway.process is not None
        alone, both = Clock(gateway.process.pid), Clock(gateway.process.pid, os.getpid())
        began = time.monotonic()
        took = await served(plugs, SECONDS)
        used, slower = alone.passed()[0] / (time.monotonic() - began), both.passed()[1]
        out, _ = await asyncio.wait_for(attack.communicate(), 120)
        handshakes, frames = map(int, out.split())
        newcomer = await into(gateway, "newcomer", tls)
        await newcomer.works()
        await newcomer.leave()
    finally:
        if attack is not None and attack.returncode is None:
            attack.kill()
            await attack.wait()
        for plug in plugs:
            await plug.leave()
        code = await gateway.stop()
        await csms.stop()
    print(f"\n{len(took)} answers, p50 {at(took, 50):.3f} s, p99 {at(took, 99):.3f} s, longest {took[-1]:.3f} s;")
    print(
        f"before: p99 {at(calm, 99):.3f} s; {handshakes} hostile handshakes, {frames} frames of wild chargers written;"
    )
    print(f"the gateway used {used:.2f} of a core, which it had to share: all took {slower:.1f} times as long")
    assert code == 0
    assert handshakes >= HANDSHAKES * 0.9 and frames > 5_000
    assert at(took, 99) < LIMIT * slower
    assert used < MOST_CPU
    text = gateway.log.read_text(errors="replace")
    assert "Traceback" not in text


async def into(gateway: Gateway, charger: str, tls: ssl.SSLContext | None) -> Plug:
    headers = {"Authorization": basic(charger)} if tls else {}
    return await Plug.into(gateway.port, charger, "ocpp1.6", ssl=tls, additional_headers=headers)


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
