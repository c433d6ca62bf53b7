"""What the sessions hold, counted: transactions, connectors, what waits for an upstream, billing messages apart."""

from __future__ import annotations

from typing import Any

from gateway.hub.census import Census, count
from gateway.hub.lot import Lot
from gateway.hub.partition import Partition
from gateway.journal.entry import Entry, Head
from gateway.metrics import Metrics

from .test_session import Bench


def values(metrics: Metrics, name: str) -> dict[tuple[str, ...], float]:
    return {labels: cell.n for labels, cell in getattr(metrics, name).items() if cell.n}


def answer(bench: Bench, payload: dict[str, Any]) -> None:
    bench.csms([3, bench.upstream_frames()[-1][1], payload])


def status(bench: Bench, connector: int, text: str) -> None:
    bench.call("StatusNotification", {"connectorId": connector, "errorCode": "NoError", "status": text})
    answer(bench, {})


class Parked:
    """A journal and a parking that hold one lot."""

    def __init__(self, entries: list[Entry]) -> None:
        self.entries = entries
        self.reads = 0
        self.partition: Any = None
        self.lot = Lot()
        self.lot.size = 1000

    def lots(self) -> list[Any]:
        return [("main", "cp", self.partition, None, self.lot)] if self.entries else []

    async def read_parked(self, *_: Any, after: str = "", count: int = 100) -> list[Entry]:
        self.reads += 1
        ids = [entry.id for entry in self.entries]
        at = ids.index(after) + 1 if after else 0
        return self.entries[at : at + count]


async def counted(bench: Bench, parked: Parked | None = None) -> Metrics:
    metrics = Metrics(["main", "copy"])
    parked = parked or Parked([])
    census = Census(parked, {}, parked)  # type: ignore[arg-type]
    await look(census, bench, parked, metrics)
    return metrics


async def look(census: Census, bench: Bench, parked: Parked, metrics: Metrics) -> None:
    partition = Partition(0, 1, parked, lambda effects: None, lambda partition, error: None)  # type: ignore[arg-type]
    partition.sessions["cp"] = bench.session
    parked.partition = census._partitions[0] = partition
    census._parked = {0: [(upstream, charger, lot) for upstream, charger, _, _, lot in parked.lots()]}
    await census._look(0)
    census.measure(metrics, {"main": None, "copy": None}, bench.now + 5000)


async def test_transactions_and_connectors() -> None:
    bench = Bench()
    bench.up()
    for connector, text in ((0, "Available"), (1, "Faulted"), (2, "Charging"), (3, "Odd")):
        status(bench, connector, text)
    bench.call("StartTransaction", {"connectorId": 2, "idTag": "T", "meterStart": 0, "timestamp": "x"})
    answer(bench, {"transactionId": 7, "idTagInfo": {"status": "Accepted"}})
    metrics = await counted(bench)
    assert values(metrics, "transactions_active") == {("1.6",): 1}
    assert values(metrics, "connectors") == {("Faulted",): 1, ("Charging",): 1, ("other",): 1}
    assert ("Available",) in dict(metrics.connectors.items()), "every status is there, so that a query finds it"
    bench.call("StopTransaction", {"transactionId": 7, "meterStop": 1, "timestamp": "x"})
    answer(bench, {})
    assert values(await counted(bench), "transactions_active") == {}


def test_models_that_are_counted_apart() -> None:
    bench = Bench()
    census = Census(None, {}, None, ["ABB/Terra 54", "Alfen/*"])  # type: ignore[arg-type]
    for vendor, model, counted in (
        ("abb", "TERRA 54", ("ABB", "Terra 54")),
        ("ABB", "Terra 184", ("other", "other")),
        ("Alfen", "Eve", ("Alfen", "*")),
    ):
        bench.session.shared.boot = b'{"chargePointVendor":"%b","chargePointModel":"%b"}' % (
            vendor.encode(),
            model.encode(),
        )
        assert count([bench.session], census._models).models == {counted: 1}
    bench.session.closed(1, bench.now)
    assert count([bench.session], census._models).models == {}


async def test_billing_at_risk() -> None:
    bench = Bench("main", "copy")
    bench.up("main")
    groups = ("main", "copy")
    bench.call("StartTransaction", {"connectorId": 2, "idTag": "T", "meterStart": 0, "timestamp": "x"}, groups=groups)
    answer(bench, {"transactionId": 7, "idTagInfo": {"status": "Accepted"}})
    bench.now += 2000
    bench.call("MeterValues", {"connectorId": 1, "meterValue": []}, groups=("copy",))
    bench.call("StatusNotification", {"connectorId": 1}, groups=("copy",))
    metrics = await counted(bench)
    assert values(metrics, "undelivered_transactions") == {("copy",): 2}
    assert values(metrics, "undelivered_transaction_age") == {("copy",): 7}
    assert values(metrics, "offline_buffer") == {("copy",): 3}
    assert values(metrics, "offline_buffer_age") == {("copy",): 7}
    assert values(metrics, "offline_buffer_bytes")["copy",] > 100


async def test_what_is_parked_counts_and_is_read_when_it_has_changed() -> None:
    bench = Bench()
    head = Head("CP", 1, 1, "ocpp1.6", "edge", bench.now)
    entries = [
        Entry(
            f"{bench.now + n}-0", "call", Head(*[getattr(head, each) for each in head.__struct_fields__[:8]], cls), b"x"
        )
        for n, cls in enumerate(["K1", *["K0"] * 700])  # type: ignore[arg-type]
    ]
    parked = Parked(entries)
    census, metrics = Census(parked, {}, parked), Metrics(["main", "copy"])  # type: ignore[arg-type]
    await look(census, bench, parked, metrics)
    assert values(metrics, "undelivered_transactions") == {("main",): 700}
    assert metrics.undelivered_transaction_age.cell("main").n == 4.999
    assert values(metrics, "offline_buffer_bytes") == {("main",): 1000}
    assert parked.reads == 2
    await look(census, bench, parked, metrics)
    assert parked.reads == 2
    parked.lot.size, parked.entries = 10, entries[-1:]
    await look(census, bench, parked, metrics)
    assert values(metrics, "undelivered_transactions") == {("main",): 1}


def test_an_empty_house() -> None:
    assert count([]).waiting == {}
