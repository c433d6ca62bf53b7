"""What systemd is told of a unit with `Type=notify` (sd_notify(3)): ready, why not yet, draining, alive."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import Final

LOOK_SECONDS: Final = 1.0
"""Between two looks at whether the gateway is ready, and at the most between two signs of life."""


class Systemd:
    """The socket of whoever started the process as a unit; silent when nobody did."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) if address else None
        if self._socket is not None:
            self._socket.setblocking(False)
        microseconds = environ.get("WATCHDOG_USEC", "")
        mine = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._pause = LOOK_SECONDS
        self._watchdog = microseconds.isdecimal() and mine
        if self._watchdog:
            self._pause = min(LOOK_SECONDS, int(microseconds) / 2e6)

    @property
    def listens(self) -> bool:
        """Whether there is anybody to tell."""
        return self._socket is not None

    def say(self, *lines: str) -> None:
        """One message of `NAME=value` lines. It is lost when nobody takes it: no charger waits for that."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.sendto("\n".join(lines).encode(), self._address)

    def close(self) -> None:
        """Nothing more is said."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def watch(self, unready: Callable[[], list[str]]) -> None:
        """Says READY once nothing speaks against it any more, what does as long as it does, and signs of life; until cancelled."""
        told: str | None = None
        ready = False
        while self.listens:
            status = "; ".join(unready()) or "serving"
            lines = ["WATCHDOG=1"] if self._watchdog else []
            if status != told:
                lines.append(f"STATUS={status}")
                told = status
            if status == "serving" and not ready:
                lines.append("READY=1")
                ready = True
            if lines:
                self.say(*lines)
            await asyncio.sleep(self._pause)

    def stopping(self, within: int) -> None:
        """The drain has begun; it takes `within` seconds at the most, whatever TimeoutStopSec says."""
        self.say("STOPPING=1", "STATUS=draining", f"EXTEND_TIMEOUT_USEC={within * 1_000_000}")

    def reloading(self) -> None:
        """The configuration is read again (Type=notify-reload)."""
        self.say("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def reloaded(self, *, good: bool) -> None:
        """It has been read; if not `good`, the old one stays."""
        self.say("READY=1", "STATUS=serving" if good else "STATUS=serving; the last reload was refused, see the log")
