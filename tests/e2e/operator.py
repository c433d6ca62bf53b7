"""What an operator does to a running gateway: the real command, and the operators' port."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from typing import Any

import yaml

from .process import COMMAND, Gateway
from .wire import PATIENCE


async def routes(gateway: Gateway, *arguments: str) -> tuple[int, str]:
    """`ocpp-gateway routes ...` against this gateway: exit code and output."""
    process = await asyncio.create_subprocess_exec(
        COMMAND,
        "routes",
        *arguments,
        "--server",
        f"http://127.0.0.1:{gateway.admin_port}",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "COLUMNS": "120", "NO_COLOR": "1"},
    )
    output, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode is not None
    return process.returncode, output.decode()


async def ask(gateway: Gateway, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    """Status and JSON answer of the operators' port."""
    data = b"" if body is None else json.dumps(body).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.admin_port)
    lines = [f"{method} {path} HTTP/1.0", f"Host: 127.0.0.1:{gateway.admin_port}", f"Content-Length: {len(data)}"]
    lines += ["Content-Type: application/json"] if data else []
    lines += [f"{name}: {value}" for name, value in headers.items()]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + data)
    try:
        answer = await asyncio.wait_for(reader.read(), PATIENCE)
    finally:
        writer.close()
    head, _, text = answer.partition(b"\r\n\r\n")
    status = int(head.split()[1])
    try:
        return status, json.loads(text)
    except ValueError:
        return status, text.decode()


async def primary_of(gateway: Gateway, charger: str) -> str:
    """Whose answers the charger gets, as the gateway says."""
    status, found = await ask(gateway, "GET", f"/api/v1/routes/{charger}")
    assert status == 200, found
    primary: str = found["primary"]
    return primary


def write(gateway: Gateway, text: str | None = None) -> None:
    """Puts the gateway's `config` (or a text) into its file, in one step as a person's editor does."""
    fresh = gateway.file.with_suffix(".new")
    fresh.write_text(yaml.safe_dump(gateway.config, sort_keys=False) if text is None else text)
    fresh.replace(gateway.file)


async def metric(gateway: Gateway, series: str) -> float:
    """The value of a series, written as in the exposition; 0 without it."""
    _, text = await ask(gateway, "GET", "/metrics")
    return next((float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(f"{series} ")), 0.0)


async def until(what: str, happens: Callable[[], Any], patience: float = PATIENCE) -> None:
    """Waits until the condition, a coroutine function or a plain one, holds. Raises AssertionError."""
    try:
        async with asyncio.timeout(patience):
            while not (await found if asyncio.iscoroutine(found := happens()) else found):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"no {what} within {patience:g} s") from None
