"""What happened in a run, as the peers of the gateway saw it: the only thing that the checker looks at.

Times are seconds of one monotonic clock. Chargers and CSMSs of a run live in one process and write into one History;
the gateway under test knows nothing of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["boot", "status", "start", "meter", "stop"]


@dataclass(frozen=True, slots=True)
class Said:
    """What a message of a charger means, in whatever version it is told."""

    charger: str
    kind: Kind
    stamp: str
    """Its timestamp, no two messages of a charger have the same one; of a boot the firmware version."""
    register: int | None = None
    """Energy in Wh, if it tells any."""
    session: str = ""
    """Stamp of the start of the transaction that it belongs to, as the teller or hearer maps its transaction id."""
    value: str = ""
    """Of a status: Available, Occupied or Faulted."""

    @property
    def key(self) -> Key:
        return self.charger, self.kind, self.stamp


Key: TypeAlias = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Opened:
    at: float
    charger: str
    connection: int


@dataclass(frozen=True, slots=True)
class Closed:
    at: float
    charger: str
    connection: int
    code: int


@dataclass(frozen=True, slots=True)
class Sent:
    """A CALL of a charger, noted before it is written. A retry is another one with the same message."""

    at: float
    message: Said
    connection: int
    call: str


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer that a charger read, whether it waited for it or not."""

    at: float
    charger: str
    connection: int
    call: str
    error: str = ""
    """Code of a CALLERROR; empty: CALLRESULT."""


@dataclass(frozen=True, slots=True)
class Commanded:
    """A CALL that a charger read; `token` says which order of a CSMS it is, empty for those of the gateway itself."""

    at: float
    charger: str
    action: str
    token: str


@dataclass(slots=True)
class Delivered:
    """A message that a CSMS read."""

    at: float
    upstream: str
    message: Said
    connection: int
    call: str
    answered: bool = False
    """Whether the CSMS has written a CALLRESULT."""


@dataclass(slots=True)
class Ordered:
    """A command of a CSMS."""

    at: float
    upstream: str
    charger: str
    action: str
    token: str
    outcomes: list[tuple[float, str]] = field(default_factory=list)
    """When and how it ended: "result", the code of a CALLERROR, or "lost" (the socket to the CSMS has gone)."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something was broken from `begin` to `end`. `target`: `store`, `hub`, `edge`, `charger` or `upstream:<name>`."""

    kind: str
    target: str
    begin: float
    end: float
    seen: bool = False
    """Nobody broke it: it is how a gateway saw what somebody broke."""


@dataclass(frozen=True, slots=True)
class Counters:
    """What one edge process has counted about the CALLs of chargers."""

    process: str
    received: int
    answered: int
    errors: int
    """CALLERRORs of a CSMS that were relayed."""
    refused: int
    """Answered or dropped by the edge because of their form."""
    unanswered: int
    """Their time ran out, or the connection ended first."""
    open: int


@dataclass(frozen=True, slots=True)
class Load:
    """Memory and descriptors of one process, before the first fault and after the last, with the same load."""

    process: str
    rss_before: int
    rss_after: int
    descriptors_before: int
    descriptors_after: int


@dataclass(slots=True)
class History:
    """One run. Lists are in the order of their happening."""

    primary: str
    upstreams: tuple[str, ...]
    folding: frozenset[str] = frozenset()
    """Upstreams of 2.0.1. One of another version than the charger hears of the statuses that it missed the last only."""
    modern: frozenset[str] = frozenset()
    """Chargers of 2.0.1; the others are of 1.6."""
    opened: list[Opened] = field(default_factory=list)
    closed: list[Closed] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    answered: list[Answered] = field(default_factory=list)
    commanded: list[Commanded] = field(default_factory=list)
    delivered: list[Delivered] = field(default_factory=list)
    ordered: list[Ordered] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    letters: set[tuple[str, Key]] = field(default_factory=set)
    """Dead letters: (upstream, message)."""
    thinned: dict[tuple[str, str], int] = field(default_factory=dict)
    """(upstream, charger) -> meter values that the gateway says it left out because the store was full (architecture 6.4)."""
    busy: float = 1.0
    """How many processes wanted each processor of this machine in the last minute."""
    until: float = math.inf
    """Until then the chargers had something to say."""
    counters: list[Counters] = field(default_factory=list)
    loads: list[Load] = field(default_factory=list)
    backlog: dict[str, int] = field(default_factory=dict)
    """Upstream -> journal entries that it has not acknowledged, once all is quiet."""

    def folds(self, upstream: str, charger: str) -> bool:
        """Whether they are of different versions."""
        return (upstream in self.folding) != (charger in self.modern)
