"""What the hub counts of what it does: outcomes of translations and commands, boots, transactions, clocks."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from gateway.hub.answering import outcome_of
from gateway.hub.metering import Metering
from gateway.metrics import Metrics
from tests.gateway.hub.test_arbiter import Bench as TwoCommanders
from tests.gateway.hub.test_session import Bench
from tests.gateway.hub.test_translated_links import OK, START, Site
from translators.frames import Error, decode


def counts(metrics: Metrics, name: str) -> dict[tuple[str, ...], float]:
    """What is not zero, of a counter by attribute."""
    return {labels: cell.n for labels, cell in getattr(metrics, name).items() if cell.n}


def metered(bench: Any) -> Metrics:
    metrics = Metrics(bench.session.links)
    bench.session.observer = Metering(metrics)
    return metrics


def stamp(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat().replace("+00:00", "Z")


def answer(bench: Bench, payload: dict[str, Any]) -> None:
    bench.csms([3, bench.upstream_frames()[-1][1], payload])


def test_transactions_and_boots() -> None:
    bench = Bench()
    metrics = metered(bench)
    bench.up()
    bench.call("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
    answer(bench, {"status": "Pending", "currentTime": stamp(bench.now), "interval": 5})
    bench.call("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
    answer(bench, {"status": "Accepted", "currentTime": stamp(bench.now), "interval": 5})
    assert counts(metrics, "boot_notifications") == {("accepted",): 1, ("pending",): 1}
    bench.now += 100_000
    start = {"connectorId": 1, "idTag": "T", "meterStart": 0, "timestamp": stamp(bench.now - 3000)}
    bench.call("StartTransaction", start)
    answer(bench, {"transactionId": 7, "idTagInfo": {"status": "Accepted"}})
    for number in (7, 8):
        bench.call("StopTransaction", {"transactionId": number, "meterStop": 1, "timestamp": stamp(bench.now)})
        answer(bench, {})
    assert counts(metrics, "transactions") == {("started",): 1, ("ended",): 1, ("orphaned",): 1}
    skew = metrics.charger_clock_skew.cell()
    assert (sum(skew.counts), skew.total) == (3, 3)


def test_what_was_told_late() -> None:
    site = Site(policy="local")
    metrics = metered(site)
    site.session.disconnected("main", site.now)
    site.call("StartTransaction", START)
    assert counts(metrics, "transactions") == {("started",): 1}
    site.up()
    while asked := [frame for frame in site.to_csms() if frame[0] == 2]:
        for frame in asked:
            reply = json.dumps([3, frame[1], OK if frame[2] == "TransactionEvent" else {}])
            site.session.from_upstream("main", decode(reply), site.now)
    assert counts(metrics, "transactions") == {("started",): 1, ("replayed",): 1}


def test_outcomes_of_translations() -> None:
    site = Site()
    metrics = metered(site)
    site.call("StopTransaction", {"transactionId": "x"})
    site.call("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Available"})
    commands = ("GetTransactionStatus", {"transactionId": "x"}), ("CostUpdated", {"totalCost": 1}), ("MakeCoffee", {})
    for action, payload in commands:
        site.session.from_upstream("main", decode(json.dumps([2, action, action, payload])), site.now)
    outcomes = counts(metrics, "translations")
    assert ("1.6", "2.0.1", "StopTransaction", "error") in outcomes  # the way of what cannot be translated
    assert ("2.0.1", "1.6", "CostUpdated", "error") in outcomes  # a member is missing
    assert ("2.0.1", "1.6", "other", "unsupported") in outcomes
    assert ("1.6", "2.0.1", "GetTransactionStatus", "exact") in outcomes  # its answer
    violations = counts(metrics, "schema_violations")
    assert violations["charger", "1.6", "StopTransaction", "rejected"] == 1


def test_outcomes_of_dials() -> None:
    metrics = Metrics(["main"])
    for event in ("connected", "http", "auth_failed", "credentials", "unknown_identity", "unavailable", "tls", "url"):
        Metering(metrics).upstream("main", event)
    outcomes = {outcome: n for (_, outcome), n in counts(metrics, "upstream_connect_attempts").items()}
    assert outcomes == {
        "connected": 1, "auth_failed": 2, "unknown_identity": 1, "refused": 1, "tls_failed": 1, "other": 2
    }  # fmt: skip


def test_outcomes_of_commands() -> None:
    bench = TwoCommanders()
    metrics = metered(bench)
    bench.command("main", "Reset", {"type": "Soft"}, {"status": "Rejected"})
    bench.command("main", "Reset", {"type": "Soft"})
    bench.command("ems", "CancelReservation", {"reservationId": 5})
    bench.session.links["ems"].allows = lambda action: action != "ClearCache"
    bench.command("ems", "ClearCache", {})
    bench.session.closed(1, bench.now)
    bench.session.from_upstream("main", _call("TriggerMessage", {"requestedMessage": "Heartbeat"}), bench.now)
    assert counts(metrics, "commands") == {
        ("main", "Reset", "rejected"): 1,
        ("main", "Reset", "accepted"): 1,
        ("ems", "CancelReservation", "conflict"): 1,
        ("ems", "ClearCache", "forbidden"): 1,
        ("main", "TriggerMessage", "charger_offline"): 1,
    }
    assert counts(metrics, "command_conflicts") == {("reservations",): 1}
    calls = {(action, outcome): n for (_, action, outcome), n in counts(metrics, "calls").items()}
    assert calls["Reset", "ok"] == 2 and calls["CancelReservation", "rejected_policy"] == 1
    assert calls["TriggerMessage", "charger_offline"] == 1


def _call(action: str, payload: dict[str, Any]) -> Any:
    return decode(json.dumps([2, "late", action, payload]))


def test_whose_fault_a_callerror_of_a_translated_route_is() -> None:
    [link] = Site().session.links.values()
    assert outcome_of(link, Error("1", "InternalError", "KeyError in the rule of Authorize")) == "gateway_error"
    assert outcome_of(link, Error("1", "InternalError", "upstream: busy")) == ""
    assert outcome_of(link, Error("1", "NotSupported", "2.0.1 has no such message")) == ""
    untouched = Bench().session.links["main"]
    assert outcome_of(untouched, Error("1", "InternalError", "busy")) == "", "as the CSMS said it"
