"""Those who want a gateway down, as a process of their own: `python -m tests.hostile.attack PORT SECONDS HANDSHAKES FLOODERS [tls]`.

Prints how many handshakes and frames it managed.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import random
import ssl
import sys
from collections.abc import Coroutine
from typing import Any

from .bytes import REQUESTS
from .client import framed, source, upgrade

AT_ONCE = 200
PASSWORD = "of-every-charger"


def basic(charger: str) -> str:
    """What a charger of the listener with TLS says of itself."""
    return "Basic " + base64.b64encode(f"{charger}:{PASSWORD}".encode()).decode()


class Attack:
    """What it did so far."""

    def __init__(self, port: int, seconds: float, *, secure: bool = False) -> None:
        """`secure`: two of three handshakes, and the wild chargers, come over TLS."""
        self.port = port
        self.tls: ssl.SSLContext | None = None
        if secure:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self.tls.check_hostname = False
            self.tls.verify_mode = ssl.CERT_NONE
        self.end = asyncio.get_running_loop().time() + seconds
        self.handshakes = 0
        self.frames = 0

    @property
    def goes_on(self) -> bool:
        return asyncio.get_running_loop().time() < self.end

    async def handshake(self, number: int) -> None:
        """One of everything that a handshake can be, garbage and half a request included."""
        requests = [
            *REQUESTS.values(),
            lambda _: b"GET / HT",
            lambda _: upgrade("/x", "ocpp0.1"),
            lambda _: b"\0" * 500,
        ]
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(5):
                self.handshakes += 1
                tls = self.tls if number % 3 else None
                reader, writer = await asyncio.open_connection(
                    "127.0.0.1", self.port, local_addr=(source(), 0), ssl=tls
                )
                writer.write(requests[number % len(requests)](f"evil-{number}"))
                await reader.read(1)
                writer.transport.abort()

    async def flood(self, number: int) -> None:
        """A charger that sends as much as the socket takes, and never reads. It comes back when it is thrown out."""
        frame = framed(1, b'[2,"%d","DataTransfer",{"vendorId":"x","data":"' + b"y" * 500 + b'"}]')
        garbage = framed(1, b"[2,") + framed(9) * 5
        while self.goes_on:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(max(0.1, self.end - asyncio.get_running_loop().time())):
                    reader, writer = await asyncio.open_connection(
                        "127.0.0.1", self.port, local_addr=(source(), 0), ssl=self.tls
                    )
                    name = f"flood-{number}"
                    writer.write(
                        upgrade(f"/ocpp/{name}", headers=[f"Authorization: {basic(name)}"] if self.tls else [])
                    )
                    await reader.readuntil(b"\r\n\r\n")
                    try:
                        for count in range(1_000_000):
                            writer.write(frame.replace(b"%d", b"%02d" % random.randrange(100)))
                            if not count % 50 and number % 2:
                                writer.write(garbage)
                            self.frames += 1
                            await writer.drain()
                            if not count % 20:
                                await asyncio.sleep(0)
                    finally:
                        writer.transport.abort()
            await asyncio.sleep(0.5)


async def main(port: int, seconds: float, handshakes: int, flooders: int, *, secure: bool) -> None:
    attack = Attack(port, seconds, secure=secure)
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with gate:
            await attack.handshake(number)

    work: list[Coroutine[Any, Any, None]] = [one(number) for number in range(handshakes)]
    await asyncio.gather(*work, *(attack.flood(number) for number in range(flooders)))
    print(attack.handshakes, attack.frames, flush=True)


if __name__ == "__main__":
    os.nice(10)  # elsewhere these would have machines of their own
    asyncio.run(
        main(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), secure=sys.argv[5:] == ["tls"])
    )
