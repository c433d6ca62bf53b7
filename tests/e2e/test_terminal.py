"""What commands do only on a terminal: ask before they act, and draw how far they are."""

from __future__ import annotations

import asyncio

from tests.terminal import on_terminal

from .charger import Charger16
from .conftest import Connect, StartCsms, StartGateway
from .process import COMMAND, Gateway
from .test_operate import two


async def at(gateway: Gateway, *words: str, typed: str = "") -> tuple[int, str]:
    """`ocpp-gateway ...` on a terminal."""
    environment = {"OCPPGW_SERVER": f"http://127.0.0.1:{gateway.admin_port}"}
    command = [str(COMMAND), *words]
    return await asyncio.to_thread(on_terminal, command, typed, environment=environment)


async def test_asking_and_bars(start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect) -> None:
    _, _, gateway = await two(start_csms, start_gateway)
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    heard = lambda: len(charger.recorder.calls("Reset"))  # noqa: E731

    # A person is asked before a charger is; a person who has said --yes, or only tries, is not.
    send = ("send", "CP1", "Reset", '{"type": "Soft"}')
    for no in ("n\n", "\n"):
        code, shown = await at(gateway, *send, typed=no)
        assert (code, heard()) == (1, 0) and "Send Reset to CP1? [y/N]" in shown, shown
    code, shown = await at(gateway, *send, "--dry-run")
    assert (code, heard()) == (0, 0) and "may be sent" in shown and "[y/N]" not in shown, shown
    code, shown = await at(gateway, *send, typed="y\n")
    assert (code, heard()) == (0, 1) and '"status": "Accepted"' in shown, shown
    code, shown = await at(gateway, *send, "--yes")
    assert (code, heard()) == (0, 2) and "[y/N]" not in shown, shown

    code, shown = await at(gateway, "queue", "replay", "main", "--from", "2020-01-01", typed="y\n")
    assert code == 0 and "Tell main again" in shown and "told again" in shown, shown
    assert "partitions" in shown and "100%" in shown, shown
    code, shown = await at(
        gateway, "simulate", "--to", gateway.url, "--chargers", "2", "--for", "2s", "--speed", "100", "--prefix", "S"
    )
    assert code == 0 and "\r2 connected, " in shown, shown
