"""What the sessions of a hub hold, counted in slices: transactions, connectors, what waits for each upstream, what is remembered.

One partition is counted at a time, all of them in some seconds, so that no turn of the loop is long. What is parked lies in the
store: it is read page by page, and again when its size has changed.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

import msgspec
import structlog

from gateway.journal.errors import StoreDown, UnsafeStore
from gateway.journal.journal import Journal
from gateway.metrics import Family, Metrics
from gateway.metrics_catalogue import CONNECTOR_STATUSES, STATE_KINDS
from gateway.routes import facts_of

from .behind import age, earlier
from .lot import Lot
from .parking import Parking
from .partition import Partition
from .session import Session

log = structlog.get_logger(__name__)

ROUND_SECONDS: Final = 5.0
"""For all partitions."""
PAGE: Final = 500
"""Parked entries that are read at once."""
PAGES: Final = 4
"""Pages that are read for one partition in one round."""
BILLING: Final = "K0"

Model: TypeAlias = tuple[str, str]
"""Vendor and model as the configuration spells them."""
OTHERS: Final[Model] = ("other", "other")
Place: TypeAlias = tuple[str, str, Lot]
"""Upstream, casefolded charger, what is parked."""


class _Status(msgspec.Struct):
    status: str = ""
    connectorStatus: str = ""


_status = msgspec.json.Decoder(_Status)


class Waiting:
    """What waits for one upstream. Times are ms; 0: nothing waits."""

    __slots__ = ("billing", "billing_ms", "bytes", "messages", "oldest_ms")

    def __init__(self) -> None:
        self.messages = 0
        self.bytes = 0
        self.oldest_ms = 0
        self.billing = 0
        """Those that belong to a transaction."""
        self.billing_ms = 0

    def note(self, id: str, size: int, *, billing: bool) -> None:
        """One entry more."""
        self.messages += 1
        self.bytes += size
        self.oldest_ms = earlier(self.oldest_ms, id)
        if billing:
            self.billing += 1
            self.billing_ms = earlier(self.billing_ms, id)

    def add(self, other: Waiting) -> None:
        """What waits elsewhere."""
        self.messages += other.messages
        self.bytes += other.bytes
        self.billing += other.billing
        self.oldest_ms = min(filter(None, (self.oldest_ms, other.oldest_ms)), default=0)
        self.billing_ms = min(filter(None, (self.billing_ms, other.billing_ms)), default=0)


class Count:
    """Of one partition."""

    __slots__ = ("connectors", "models", "remembered", "transactions", "waiting")

    def __init__(self) -> None:
        self.transactions: dict[str, int] = {}
        """Version -> transactions that have not ended."""
        self.connectors: dict[str, int] = {}
        """Status -> connectors."""
        self.models: dict[Model, int] = {}
        """(vendor, model) -> chargers that are connected."""
        self.remembered: dict[str, int] = {}
        """Kind of fact -> how many."""
        self.waiting: dict[str, Waiting] = {}
        """Upstream -> what waits in memory, without what is parked."""


class Census:
    """Of one hub."""

    def __init__(
        self, journal: Journal, partitions: dict[int, Partition], parking: Parking, models: Iterable[str] = ()
    ) -> None:
        """`models`: see `metrics.models` of the configuration."""
        self._journal = journal
        self._partitions = partitions
        self._parking = parking
        self._counts: dict[int, Count] = {}
        self._lots: dict[tuple[str, str], tuple[int, Waiting]] = {}
        """(upstream, casefolded charger) -> its size when it was read, what it held."""
        self._parked: dict[int, list[Place]] = {}
        """Partition -> what is parked there, as of the begin of this round."""
        self._models: dict[tuple[str, str], Model] = {}
        self.know(models)

    def know(self, models: Iterable[str]) -> None:
        """These are counted apart from now on."""
        pairs = [each.partition("/")[::2] for each in models]
        self._models = {(vendor.casefold(), model.casefold()): (vendor, model) for vendor, model in pairs}

    async def run(self) -> None:
        """Count, until cancelled."""
        while True:
            self._parked = defaultdict(list)
            for upstream, charger, partition, _, lot in self._parking.lots():
                self._parked[partition.number].append((upstream, charger, lot))
            for number in list(self._partitions):
                try:
                    await self._look(number)
                except (StoreDown, UnsafeStore):
                    pass  # the next round comes soon
                except Exception:
                    log.exception("census_failed", partition=number)
                await asyncio.sleep(ROUND_SECONDS / max(1, len(self._partitions)))
            self._forget()
            if not self._partitions:
                await asyncio.sleep(ROUND_SECONDS)

    async def _look(self, number: int) -> None:
        if (partition := self._partitions.get(number)) is not None:
            self._counts[number] = count(partition.sessions.values(), self._models)
            await self._read_lots(partition)

    def measure(self, metrics: Metrics, upstreams: Mapping[str, Any], now: int) -> None:
        """Called at each scrape, in its thread; `now`: ms."""
        counts = list(self._counts.values())
        _sum(metrics.transactions_active, (each.transactions for each in counts))
        if self._models:
            _sum_models(metrics.chargers, (each.models for each in counts), self._models.values())
        _sum(metrics.connectors, (each.connectors for each in counts), CONNECTOR_STATUSES)
        _sum(metrics.translation_state_entries, (each.remembered for each in counts), STATE_KINDS)
        for name in upstreams:
            total = self.waiting(name)
            metrics.offline_buffer.cell(name).n = total.messages
            metrics.offline_buffer_bytes.cell(name).n = total.bytes
            metrics.offline_buffer_age.cell(name).n = age(total.oldest_ms, now)
            metrics.undelivered_transactions.cell(name).n = total.billing
            metrics.undelivered_transaction_age.cell(name).n = age(total.billing_ms, now)

    def waiting(self, name: str) -> Waiting:
        """What this hub holds for an upstream, as of the last round."""
        total = Waiting()
        for each in list(self._counts.values()):
            if (waiting := each.waiting.get(name)) is not None:
                total.add(waiting)
        for (upstream, _), (_, parked) in list(self._lots.items()):
            if upstream == name:
                total.add(parked)
        return total

    def _forget(self) -> None:
        """What is another hub's now, or parked no more."""
        self._counts = {number: each for number, each in self._counts.items() if number in self._partitions}
        parked = {(upstream, charger) for upstream, charger, *_ in self._parking.lots()}
        self._lots = {key: each for key, each in self._lots.items() if key in parked}

    async def _read_lots(self, partition: Partition) -> None:
        pages = 0
        for upstream, charger, lot in self._parked.get(partition.number, ()):
            if self._lots.get((upstream, charger), (-1,))[0] == lot.size:
                continue
            size, held, after, more = lot.size, Waiting(), "", True
            while more:
                entries = await self._journal.read_parked(partition.number, upstream, charger, after=after, count=PAGE)
                for entry in entries:
                    held.note(entry.id, len(entry.frame), billing=entry.head.cls == BILLING)
                more = len(entries) == PAGE
                after = entries[-1].id if entries else ""
                pages += 1
            held.bytes = size
            self._lots[upstream, charger] = size, held
            if pages >= PAGES:
                return


def count(sessions: Iterable[Session], models: Mapping[tuple[str, str], Model] | None = None) -> Count:
    """Count what these sessions hold; `models` (casefolded): which are counted apart."""
    found = Count()
    for session in sessions:
        _count(session, found)
        if models and session.edge:
            model = _model(session, models)
            found.models[model] = found.models.get(model, 0) + 1
    return found


def _model(session: Session, models: Mapping[tuple[str, str], Model]) -> Model:
    said = facts_of(session.shared.version, session.shared.boot)
    vendor = said.vendor.casefold()
    return models.get((vendor, said.model.casefold())) or models.get((vendor, "*")) or OTHERS


def _count(session: Session, found: Count) -> None:
    shared = session.shared
    if shared.open:
        found.transactions[session.version] = found.transactions.get(session.version, 0) + len(shared.open)
    for place, payload in shared.statuses.items():
        if place != "0":
            status = _status_of(payload)
            found.connectors[status] = found.connectors.get(status, 0) + 1
    for name, link in session.links.items():
        for facts in _facts(link.translator):
            for kind in STATE_KINDS:
                if kept := getattr(facts, kind, None):
                    found.remembered[kind] = found.remembered.get(kind, 0) + len(kept)
        if not link.backlog and not link.under_way:
            continue
        waiting = found.waiting.setdefault(name, Waiting())
        for exchange in (*link.under_way, *link.backlog):
            if not exchange.parked:
                entry = exchange.entry
                waiting.note(entry.id, len(entry.frame), billing=entry.head.cls == BILLING)


def _status_of(payload: bytes) -> str:
    try:
        said = _status.decode(payload)
    except msgspec.MsgspecError:
        return "other"
    status = said.status or said.connectorStatus
    return status if status in CONNECTOR_STATUSES else "other"


def _facts(translator: Any) -> Iterator[Any]:
    """The facts of a translator, or of all in a chain."""
    for each in getattr(translator, "parts", (translator,)):
        facts = getattr(each, "facts", None)
        if facts is not None:
            yield facts


def _sum_models(family: Family[Any], tables: Iterator[dict[Model, int]], known: Iterable[Model]) -> None:
    sums: dict[Model, int] = {(values[0], values[1]): 0 for values, _ in family.items()}
    sums |= dict.fromkeys((*known, OTHERS), 0)
    for table in tables:
        for model, n in table.items():
            sums[model] = sums.get(model, 0) + n
    for (vendor, name), n in sums.items():
        family.cell(vendor, name).n = n


def _sum(family: Family[Any], tables: Iterator[dict[str, int]], known: tuple[str, ...] = ()) -> None:
    """Sets the cells of a gauge with one label."""
    sums = dict.fromkeys(known, 0) | {values[0]: 0 for values, _ in family.items()}
    for table in tables:
        for key, n in table.items():
            label = key.removeprefix("ocpp") or "other"
            sums[label] = sums.get(label, 0) + n
    for label, n in sums.items():
        family.cell(label).n = n
