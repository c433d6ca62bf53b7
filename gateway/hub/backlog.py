"""The charger CALLs that an upstream has not been told yet, and which of them is next. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gateway.journal.entry import Entry
from translators.frames import Call, Result


class Exchange:
    """One charger CALL in one link."""

    __slots__ = (
        "answered",
        "begun",
        "call",
        "counts",
        "early",
        "entry",
        "failures",
        "hang_ups",
        "not_before",
        "parked",
        "promised",
        "said",
        "target",
        "unstored",
    )

    def __init__(self, entry: Entry, call: Call) -> None:
        self.entry = entry
        self.call = call
        self.target = (entry.head.epoch, entry.head.seq)
        """Where the answer goes: the newest CALL with this content."""
        self.counts = False
        """The charger gets this upstream's answer."""
        self.answered = False
        self.early = False
        """Answered here because the upstream was away."""
        self.promised = False
        """Answered before the upstream has taken all of it: because the configuration says so, or by its first answer."""
        self.said: Result | None = None
        """What it was answered here, as long as a retry would be told to the upstream."""
        self.unstored = False
        """The charger says it again after the upstream had refused it: it is in memory only, and an answer made here might be the
        last that is heard of it."""
        self.parked = False
        """It lies in the link's lot (`lot.py`), no longer in the stream."""
        self.failures = 0
        self.hang_ups = 0
        """How often in a row the upstream hung up while it was told this."""
        self.not_before = 0
        self.begun = 0
        """When the upstream was told last, ms."""

    @property
    def goes_first(self) -> bool:
        """Whether it goes before the statuses that changed during an outage: transactions do, and what they rest on."""
        head = self.entry.head
        return head.cls == "K0" or head.action in ("StatusNotification", "BootNotification")

    @property
    def perishable(self) -> bool:
        """Whether it is worth nothing once its moment has passed (reliability 5.2: K2, K3)."""
        return self.entry.head.cls in ("K2", "K3")


class Backlog(list[Exchange]):
    """Oldest first. A list: it is short, and most of the time empty, when a deque takes ten times the memory."""

    __slots__ = ()

    def calls(self) -> list[Call]:
        return [exchange.call for exchange in self]

    def appendleft(self, exchange: Exchange) -> None:
        self.insert(0, exchange)

    def extendleft(self, exchanges: Iterable[Exchange]) -> None:
        """Each goes before the one before it."""
        self[:0] = reversed([*exchanges])

    def put(self, exchange: Exchange) -> None:
        """Add one where it belongs by its id."""
        index, id = len(self), order(exchange.entry.id)
        while index and order(self[index - 1].entry.id) > id:
            index -= 1
        self.insert(index, exchange)

    def overtaking(self, wanted: Callable[[str], bool]) -> Exchange | None:
        """Take a CALL that the one under way waits for, if `wanted(action)`."""
        for index, exchange in enumerate(self):
            if wanted(exchange.call.action):
                del self[index]
                return exchange
        return None

    def due(
        self, now: int, *, first_only: bool, only: Callable[[Exchange], bool] | None = None
    ) -> tuple[Exchange | None, list[Exchange]]:
        """Take the oldest CALL that is due, and those before it that have expired.

        A billing message in retry back-off is overtaken by what is perishable only. `first_only`: see `goes_first`.
        `only`: which may go at all; None: all.
        """
        expired: list[Exchange] = []
        blocked, index = False, 0
        while index < len(self):
            exchange = self[index]
            head = exchange.entry.head
            later = first_only and not exchange.goes_first and not (blocked and exchange.perishable)
            if later or (only is not None and not only(exchange)):
                index += 1
            elif head.deadline and now > head.deadline and not exchange.answered and exchange.perishable:
                del self[index]
                expired.append(exchange)
            elif exchange.not_before > now or (blocked and not exchange.perishable):
                blocked = blocked or exchange.not_before > now
                index += 1
            else:
                del self[index]
                return exchange, expired
        return None, expired


def behind(exchange: Exchange) -> Exchange:
    """The same for an upstream whose answer the charger does not hear."""
    told = Exchange(exchange.entry, exchange.call)
    told.answered = True
    told.early = exchange.entry.head.cls == "K0"
    return told


def order(id: str) -> tuple[int, int]:
    """A stream id as numbers that compare."""
    ms, _, seq = id.partition("-")
    return int(ms), int(seq or 0)


def before(id: str) -> str:
    """The greatest stream id that is smaller."""
    ms, seq = order(id)
    return f"{ms}-{seq - 1}" if seq else f"{ms - 1}-{2**64 - 1}"
