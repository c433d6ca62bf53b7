"""HTTP Basic of chargers: what the header says, and whether the password is right, without keeping the loop busy."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from gateway import passwords

REMEMBER_SECONDS: Final = 600.0
"""A password that was right is not computed again for so long after it was used, or its charger disconnected."""
REMEMBERED: Final = 100_000
THREADS: Final = 2
MOST_WAITING: Final = 300
"""Passwords that wait to be computed, some seconds of work; further handshakes are told to come back later."""


class Busy(Exception):
    """Too many passwords wait already."""


def basic(header: str) -> tuple[bytes, bytes] | None:
    """User name and password of an Authorization header; None if it is not one of HTTP Basic, or broken."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(" "), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None
    return (user, password) if colon else None


def same_user(user: bytes, identity: str, *, exact: bool) -> bool:
    """Whether the user name is the identity."""
    named = user.decode("latin-1")
    return named == identity or (not exact and named.isascii() and named.casefold() == identity.casefold())


class Checker:
    """Compares passwords with what is stored of them. Belongs to one event loop."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._right: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self._threads: ThreadPoolExecutor | None = None
        self._waiting = 0

    def known(self, identity: str, stored: str, password: bytes) -> bool:
        """Whether this password is known to be right."""
        found = self._right.get(identity)
        if found is None or found[1] < self._clock() or found[0] != passwords.mark(identity, stored, password):
            return False
        self.keep(identity)
        return True

    def keep(self, identity: str) -> None:
        """The charger was here until now: it may come back soon."""
        if (found := self._right.pop(identity, None)) is not None:
            self._right[identity] = found[0], self._clock() + REMEMBER_SECONDS

    async def check(self, identity: str, stored: str, password: bytes) -> bool:
        """Whether the password is right. Raises Busy."""
        if len(password) > passwords.LONGEST:
            return False
        cheap = passwords.cheap(stored)
        right = passwords.matches(stored, password) if cheap else await self._computed(stored, password)
        if right:
            self._right.pop(identity, None)
            self._right[identity] = passwords.mark(identity, stored, password), self._clock() + REMEMBER_SECONDS
            if len(self._right) > REMEMBERED:
                self._right.popitem(last=False)
        return right

    def stop(self) -> None:
        """End the threads; what waits is dropped."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def _computed(self, stored: str, password: bytes) -> bool:
        if self._waiting >= MOST_WAITING:
            raise Busy
        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS, "password")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, passwords.matches, stored, password)
        finally:
            self._waiting -= 1
