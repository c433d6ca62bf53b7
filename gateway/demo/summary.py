"""What one session came to, from the frames that both sides saw."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

from gateway.demo.pairing import Lost, Row
from gateway.demo.tap import Seen
from gateway.demo.words import register

METRIC = "ocppgw_translation_duration_seconds"


@dataclass(frozen=True)
class Energy:
    """The two registers of a transaction, Wh; None while unknown."""

    first: float | None
    last: float | None

    @property
    def wh(self) -> float | None:
        return None if self.first is None or self.last is None else self.last - self.first


@dataclass(frozen=True)
class Times:
    """Seconds."""

    values: list[float]

    def quantile(self, share: float) -> float:
        """The smallest value that is not below `share` of all values."""
        return sorted(self.values)[max(math.ceil(share * len(self.values)) - 1, 0)]


@dataclass
class Summary:
    """Collects one session."""

    charger: str
    seen: list[Seen] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    losses: Counter[tuple[str, str]] = field(default_factory=Counter)
    translation: Histogram | None = None
    """Pure translation, as the gateway measured it since its start."""

    def lose(self, lost: Lost) -> None:
        self.losses.update(lost.losses)

    def calls(self, side: str, *, said: bool) -> int:
        return sum(1 for seen in self.seen if seen.kind == "call" and (seen.side, seen.said) == (side, said))

    def errors(self) -> list[Seen]:
        """The CALLERRORs that somebody heard."""
        return [seen for seen in self.seen if seen.kind == "error" and not seen.said]

    def charger_energy(self) -> Energy:
        """From meterStart and meterStop."""
        starts = [seen.payload["meterStart"] for seen in self._calls("charger", "StartTransaction")]
        stops = [seen.payload["meterStop"] for seen in self._calls("charger", "StopTransaction")]
        return Energy(starts[-1] if starts else None, stops[-1] if stops else None)

    def csms_energy(self) -> Energy:
        """From the registers of the Started and the Ended event."""
        return Energy(self._event_register("Started"), self._event_register("Ended"))

    def transaction(self) -> tuple[str, str]:
        """The charger's integer and the CSMS's id; several ids of one session are joined, so that it shows."""
        started = (
            seen.payload.get("transactionId")
            for seen in self.seen
            if (seen.side, seen.kind, seen.action) == ("charger", "result", "StartTransaction")
        )
        stopped = (seen.payload.get("transactionId") for seen in self._calls("charger", "StopTransaction"))
        events = (seen.payload["transactionInfo"]["transactionId"] for seen in self._calls("csms", "TransactionEvent"))
        numbers = dict.fromkeys(str(number) for number in (*started, *stopped))
        return " and ".join(numbers), " and ".join(dict.fromkeys(events))

    def sequence(self) -> list[int]:
        """The seqNos of the transaction's events as the CSMS heard them."""
        return [seen.payload["seqNo"] for seen in self._calls("csms", "TransactionEvent")]

    def latencies(self, *, up: bool) -> Times:
        """From one socket to the other, CALLs only, without the boot: it waits until the gateway has dialled the CSMS."""
        rows = (row for row in self.rows if row.up == up and row.call and row.seen[0].action != "BootNotification")
        return Times([row.latency for row in rows if row.latency is not None])

    def faults(self) -> list[str]:
        """What must not be after a whole session."""
        faults = [f"{seen.side} heard {seen.payload['code']} for {seen.action}" for seen in self.errors()]
        charger, csms = self.charger_energy(), self.csms_energy()
        if charger.wh is None or csms.wh is None or (charger.first, charger.last) != (csms.first, csms.last):
            faults.append(f"the energy differs: {charger} at the charger, {csms} at the CSMS")
        if any(not id or " and " in id for id in self.transaction()):
            faults.append(f"not one transaction: {self.transaction()}")
        if self.sequence() != list(range(len(self.sequence()))):
            faults.append(f"seqNos are not in order: {self.sequence()}")
        return faults

    def _calls(self, side: str, action: str) -> list[Seen]:
        return [seen for seen in self.seen if (seen.side, seen.kind, seen.action) == (side, "call", action)]

    def _event_register(self, event: str) -> float | None:
        values = [
            register(seen.payload.get("meterValue", []))
            for seen in self._calls("csms", "TransactionEvent")
            if seen.payload["eventType"] == event
        ]
        return values[-1] if values else None


@dataclass(frozen=True)
class Histogram:
    """A Prometheus histogram, all its children together."""

    buckets: tuple[tuple[float, float], ...]
    """(upper bound, how many at most that), ascending."""

    @property
    def count(self) -> float:
        return self.buckets[-1][1]

    def quantile(self, share: float) -> float:
        """Interpolated in its bucket, as PromQL's histogram_quantile does."""
        wanted, low, below = share * self.count, 0.0, 0.0
        for bound, count in self.buckets:
            if count >= wanted and count > below:
                return low if math.isinf(bound) else low + (bound - low) * (wanted - below) / (count - below)
            low, below = bound, count
        return low


def histogram(page: str, metric: str = METRIC) -> Histogram | None:
    """Reads a histogram from a metrics page; None if it has no observation."""
    from prometheus_client.parser import text_string_to_metric_families

    buckets: Counter[float] = Counter()
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if sample.name == f"{metric}_bucket":
                buckets[float(sample.labels["le"])] += sample.value  # type: ignore[assignment]
    found = Histogram(tuple(sorted(buckets.items()))) if buckets else None
    return found if found is not None and found.count else None
