"""Runs the CSMS arthexis (2.0.1 and 1.6). Arguments: PORT DIRECTORY SECRET. Runs in that package's own environment.

Starts a redis-server on a Unix socket in DIRECTORY and daphne on PORT; both end with this process. One JSON object a
line. In: `{"id": n, "method": "<action>", "params": {"identity": ..., "payload": {...}}}` sends a command, the method
`transactions` lists what it stored. Out: `{"ready": true}`, `{"answered": n, "result"|"error": ...}`.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PORT, DIRECTORY, SECRET = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
REDIS = DIRECTORY / "redis.sock"

os.environ.update(
    ARTHEXIS_DATA_DIR=str(DIRECTORY),
    ARTHEXIS_ALLOWED_HOSTS="*",
    ARTHEXIS_CHANNEL_REDIS_URL=f"unix://{REDIS}",
    DJANGO_SETTINGS_MODULE="arthexis.settings",
)


def say(**message: Any) -> None:
    print(json.dumps(message, default=str), flush=True)


def wait_for(address: tuple[str, int] | str) -> None:
    """Waits up to 30 s until somebody accepts connections there."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    for _ in range(600):
        with socket.socket(family) as probe:
            try:
                probe.connect(address)
                return
            except OSError:
                time.sleep(0.05)
    raise TimeoutError(f"nobody listens on {address}")


async def operate(action: str, identity: str, payload: dict[str, Any]) -> Any:
    """Queues a command for the live connection and waits for its outcome."""
    from apps.ocpp.models import Charger, ProtocolOperation
    from apps.ocpp.protocol.contracts import ProtocolVersion
    from apps.ocpp.transport.operations import request_explicit_operation

    charger = await Charger.objects.aget(identity=identity)
    operation = await request_explicit_operation(
        charger=charger, version=ProtocolVersion.OCPP_201, action=action, payload=payload, timeout=20
    )
    for _ in range(400):
        operation = await ProtocolOperation.objects.aget(pk=operation.pk)
        if operation.completed_at is not None:
            break
        await asyncio.sleep(0.05)
    return {
        "status": operation.status,
        "payload": operation.response_payload,
        "error": f"{operation.error_code} {operation.error_description}".strip(),
    }


async def transactions(identity: str) -> Any:
    from apps.ocpp.models import OcppTransaction

    return [row async for row in OcppTransaction.objects.filter(charger__identity=identity).order_by("pk").values()]


async def serve() -> None:
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        request = json.loads(line)
        params = request["params"]
        try:
            if request["method"] == "transactions":
                result = await transactions(params["identity"])
            else:
                result = await operate(request["method"], params["identity"], params["payload"])
            say(answered=request["id"], result=result)
        except Exception as error:
            say(answered=request["id"], error=repr(error))


def main() -> None:
    import django
    from django.core.management import call_command

    django.setup()
    from django.contrib.auth.hashers import make_password

    call_command("migrate", interactive=False, verbosity=0)
    environment = {**os.environ, "ARTHEXIS_OCPP_ENROLLMENT_TOKEN_HASH": make_password(SECRET)}
    log = (DIRECTORY / "children.log").open("ab")
    redis_options = ["--port", "0", "--unixsocket", str(REDIS), "--save", "", "--appendonly", "no"]
    daphne = ["-b", "127.0.0.1", "-p", str(PORT), "arthexis.asgi:application"]
    children = [
        subprocess.Popen(["redis-server", *redis_options, "--dir", str(DIRECTORY)], stdout=log, stderr=log),
        subprocess.Popen(
            [sys.executable, "-m", "daphne", *daphne], stdout=log, stderr=log, env=environment, cwd=DIRECTORY
        ),
    ]
    try:
        wait_for(str(REDIS))
        wait_for(("127.0.0.1", PORT))
        say(ready=True)
        asyncio.run(serve())
    finally:
        for child in children:
            child.terminate()
            child.wait(10)


main()
