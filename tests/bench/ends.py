"""Both ends of a measurement: the process with the chargers and the one with the CSMS, on the core that they share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from .csms import OPENED
from .processes import LOAD_CORE, Process, running


@dataclass(frozen=True)
class Csms:
    """The answering process."""

    process: Process
    url: str

    def heard(self, action: str = "") -> int:
        """CALLs it has answered so far, all or those of one action."""
        seen = self.process.ask()
        opened = seen.pop(OPENED.decode(), 0)
        return opened if action == OPENED.decode() else seen.get(action, 0) if action else sum(seen.values())

    def opened(self) -> int:
        """Connections that it has accepted so far."""
        return self.heard(OPENED.decode())


@contextlib.contextmanager
def answering(port: int = 0) -> Iterator[Csms]:
    """A CSMS on this port, or on a free one."""
    with running(Process.module("csms", LOAD_CORE, str(port))) as process:
        yield Csms(process, f"ws://127.0.0.1:{process.hear(10)['port']}")


@contextlib.contextmanager
def chargers_at(url: str, chargers: int, *, transactions: bool = True) -> Iterator[Process]:
    """A load generator with so many booted chargers. Raises Failed."""
    with running(Process.module("load", LOAD_CORE)) as process:
        connect(process, url, chargers, transactions)
        yield process


def connect(load: Process, url: str, chargers: int, transactions: bool) -> None:
    """Connect and boot more chargers. Raises Failed."""
    load.ask({"do": "connect", "url": url, "chargers": chargers, "prefix": "BENCH", "transactions": transactions}, 300)
