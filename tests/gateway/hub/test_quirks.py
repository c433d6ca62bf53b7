"""Quirks of a charger's conversation (translators/quirks/table.yaml), without a loop."""

from __future__ import annotations

import json
from typing import Any

from gateway.config_quirks import QuirkProfile
from gateway.config_upstream import Upstream
from gateway.edge import quirks
from gateway.edge.counters import EdgeCounters
from gateway.edge.metering import export
from gateway.hub.arbitration import arbitrate
from gateway.hub.habits import ABORT, RESET_MS
from gateway.hub.mending import mend, treat
from gateway.hub.observer import Observer
from gateway.hub.session import Session
from gateway.journal.entry import Entry, Head
from gateway.journal.entry import ToCharger as Item
from gateway.metrics import Metrics
from gateway.routes import Route
from gateway.treatment import USUAL, Treatment, decode
from translators.quirks import LABELS

from .test_session import Bench

BOOT = {"chargePointVendor": "V", "chargePointModel": "M"}


class Heard(Observer):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def quirk(self, label: str, version: str, side: str = "charger") -> None:
        assert (version, side) == ("ocpp1.6", "charger")
        self.seen.append(label)

    def deaf(self, session: Session) -> None:
        self.seen.append("cp_deaf")


class Odd(Bench):
    """A bench whose observer listens."""

    def __init__(self, *names: str, gate_open: bool = True) -> None:
        super().__init__(*names, gate_open=gate_open)
        self.heard = Heard()
        self.session.observer = self.heard
        self.up(*names)

    def boot(self, payload: Any = None, status: str = "Accepted", *, mirror: bool = False) -> Any:
        """What the charger is answered, and whether the CSMS was asked."""
        self.clear()
        self.call("BootNotification", payload or BOOT, groups=("main", "mirror") if mirror else ("main",), dedup="")
        told = self.upstream_frames()
        if told:
            answer = {"status": status, "interval": 300, "currentTime": "2025-01-01T00:00:00Z"}
            self.csms([3, told[0][1], answer])
        (item,) = self.charger_items()
        return json.loads(item.body), bool(told)

    def reconnect(self) -> None:
        epoch = self.session.epoch + 1
        self.session.closed(self.session.epoch, self.now)
        self.session.opened("edge", epoch, "ocpp1.6", self.now)

    def called(self, action: str, payload: Any, groups: tuple[str, ...] = ("main",)) -> None:
        """On the connection that is open now."""
        self.seq += 1
        head = Head("CP", self.session.epoch, self.seq, "ocpp1.6", "edge", self.now, action, f"c{self.seq}")
        frame = json.dumps([2, f"c{self.seq}", action, payload]).encode()
        for group in groups:
            self.session.called(group, Entry(f"{self.now}-{self.seq}", "call", head, frame), self.now)


def test_q09_no_boot() -> None:
    odd = Odd(gate_open=False)
    odd.csms([2, "r1", "Reset", {"type": "Soft"}])
    assert odd.charger_items() == [], "the gate is closed"
    odd.call("Heartbeat")
    assert odd.heard.seen == ["cmd_gated", "boot_absent"]
    assert [item.kind for item in odd.charger_items()] == ["call"], "who speaks has booted before"
    odd.call("Heartbeat")
    assert odd.heard.seen == ["cmd_gated", "boot_absent"], "counted once a connection"


def test_q10_the_same_boot_again() -> None:
    odd = Odd()
    first, asked = odd.boot()
    assert asked
    for _ in range(3):
        odd.now += 5_000
        again, asked = odd.boot()
        assert not asked
        assert again | {"currentTime": ""} == first | {"currentTime": ""}
        assert again["currentTime"] == f"1970-01-01T00:{odd.now // 60_000:02}:{odd.now // 1000 % 60:02}Z", "of now"
        assert list(odd.clear().acks) == ["main"]
    assert odd.heard.seen == ["boot_repeat"] * 3
    odd.now += 15_000
    assert odd.boot()[1], "30 s later the CSMS hears it"


def test_q10_a_boot_on_every_connection() -> None:
    odd = Odd()
    assert odd.boot()[1]
    odd.reconnect()
    odd.clear()
    odd.now += 1_000
    odd.called("BootNotification", BOOT)
    assert odd.upstream_frames() == []
    assert [item.kind for item in odd.charger_items()] == ["answer"]


def test_q10_what_is_no_repetition_is_told() -> None:
    odd = Odd()
    assert odd.boot(status="Pending")[1]
    assert odd.boot()[1], "the last one was not accepted"
    assert odd.boot({**BOOT, "firmwareVersion": "2"})[1], "something is new"
    odd.csms([2, "r1", "Reset", {"type": "Soft"}])
    odd.charger([3, odd.charger_items()[-1].message_id, {"status": "Accepted"}])
    assert odd.boot({**BOOT, "firmwareVersion": "2"})[1], "the CSMS waits for it"
    assert odd.heard.seen == []


def test_q10_a_mirror_that_is_behind_hears_the_first_one() -> None:
    odd = Odd("main", "mirror")
    odd.boot()
    first = odd.session.habits._boot
    odd.clear()
    head = Head("CP", 1, 1, "ocpp1.6", "edge", odd.now, "BootNotification", "c1")
    odd.session.called(
        "mirror", Entry(first, "call", head, json.dumps([2, "c1", "BootNotification", BOOT]).encode()), odd.now
    )
    assert len(odd.upstream_frames("mirror")) == 1
    odd.boot(mirror=True)
    assert odd.upstream_frames("mirror") == []


def test_q11_calls_wait_for_the_boot() -> None:
    odd = Odd(gate_open=False)
    odd.csms([2, "r1", "GetConfiguration", {}])
    assert odd.charger_items() == []
    assert odd.heard.seen == ["cmd_gated"]
    odd.call("BootNotification", BOOT)
    assert odd.charger_items() == []
    answer = {"status": "Accepted", "interval": 300, "currentTime": "2025-01-01T00:00:00Z"}
    odd.csms([3, odd.upstream_frames()[-1][1], answer])
    assert [item.kind for item in odd.charger_items()] == ["answer", "call"]


def asks(odd: Odd, number: int) -> list[Item]:
    """The CSMS asks so often and gets no answer; what was closed."""
    odd.clear()
    for each in range(number):
        odd.csms([2, f"r{odd.now}{each}", "GetConfiguration", {}])
        odd.now += 31_000
        odd.session.tick(odd.now)
    return [item for item in odd.charger_items() if item.kind == "close"]


def test_q13_deaf() -> None:
    odd = Odd()
    assert asks(odd, 2) == []
    odd.csms([2, "x", "GetConfiguration", {}])
    odd.charger([3, odd.charger_items()[-1].message_id, {}])
    assert asks(odd, 2) == []
    assert odd.heard.seen == [], "it has answered one"
    assert asks(odd, 1) == []
    assert odd.heard.seen == ["cp_deaf"]


def test_q13_a_deaf_charger_is_reset_if_so_configured_once_in_15_minutes() -> None:
    odd = Odd()
    odd.session.habits.resets = True
    (item,) = asks(odd, 3)
    assert (item.code, item.epoch) == (ABORT, 1)
    assert asks(odd, 3) == []
    odd.now += RESET_MS
    assert len(asks(odd, 3)) == 1


def treatments(odd: Odd) -> list[Treatment]:
    return [decode(item.body) for item in odd.charger_items() if item.kind == "treat"]


def test_a_profile_is_told_to_the_edge_of_each_connection_once() -> None:
    odd = Odd()
    treat(odd.session, None, 30)
    assert treatments(odd) == []
    profile = QuirkProfile(close_mode="reset", silence=60, versions=("ocpp1.6",), call_timeout=90)
    for _ in range(2):
        treat(odd.session, profile, 30)
    assert treatments(odd) == [Treatment(reset=True, silence=60, versions=("ocpp1.6",))]
    assert odd.session.lane.timeout_ms == 90_000
    odd.reconnect()
    odd.clear()
    treat(odd.session, profile, 30)
    assert len(treatments(odd)) == 1
    treat(odd.session, None, 30)
    assert treatments(odd)[-1] == USUAL
    assert odd.session.lane.timeout_ms == 30_000


def test_a_profile_has_the_last_word_on_repairs() -> None:
    odd = Odd()
    mend(odd.session, "off", QuirkProfile(repair="full"))
    odd.call("StatusNotification", {"connectorId": 1, "status": "Available", "errorCode": "Error"})
    assert odd.upstream_frames()[-1][3]["errorCode"] == "OtherError"


def meter(value: Any) -> dict[str, Any]:
    sample = {"value": value, "measurand": "Voltage"}
    return {"connectorId": 1, "meterValue": [{"timestamp": "2025-01-01T00:00:00Z", "sampledValue": [sample]}]}


def test_repairs_follow_the_level_and_are_counted_once() -> None:
    odd = Odd("main", "mirror")
    heard = []
    for level in ("off", "safe"):
        mend(odd.session, level)
        entry = odd.call("MeterValues", meter(1.10), groups=("main", "mirror"))
        assert b"1.1}" in entry.frame.replace(b" ", b"") or b'"value": 1.1' in entry.frame, (
            "the journal keeps the frame"
        )
        for name in ("main", "mirror"):
            frame = odd.upstream_frames(name)[-1]
            heard.append(frame[3]["meterValue"][0]["sampledValue"][0]["value"])
            odd.csms([3, frame[1], {}], name)
    assert heard == [1.1, 1.1, "1.1", "1.1"]
    assert odd.heard.seen == ["num_as_string"], "by the primary"


def test_answers_of_a_charger_are_repaired() -> None:
    odd = Odd()
    mend(odd.session, "safe")
    odd.csms([2, "r1", "GetConfiguration", {}])
    key = {"key": "k", "readonly": "true", "value": 5}
    odd.charger([3, odd.charger_items()[-1].message_id, {"configurationKey": [key]}])
    assert odd.upstream_frames()[-1] == [3, "r1", {"configurationKey": [{"key": "k", "readonly": True, "value": "5"}]}]
    assert set(odd.heard.seen) == {"type_coerced", "num_as_string"}


NAMELESS = {"chargePointVendor": "", "chargePointModel": "M"}


def test_the_quirks_of_a_boot_are_counted_once() -> None:
    """Whether it is told, repeated, or goes to several upstreams that command."""
    odd = Odd("main", "mirror")
    mend(odd.session, "safe")
    odd.boot(NAMELESS, mirror=True)
    assert odd.heard.seen == ["empty_required"]
    odd.now += 5_000
    _, told = odd.boot(NAMELESS, mirror=True)
    assert not told
    assert odd.heard.seen == ["empty_required"] * 2 + ["boot_repeat"]


def test_what_several_upstreams_hear_is_mended_and_counted_once() -> None:
    odd = Odd("main", "ems")
    upstream = {name: Upstream(url="ws://x", version="ocpp1.6", may_command=True) for name in odd.session.links}
    arbitrate(odd.session, Route("main", ("ems",)), upstream, lambda: "x")
    assert odd.session.arbiter is not None
    mend(odd.session, "safe")
    odd.call("BootNotification", NAMELESS, groups=("main", "ems"))
    odd.csms([3, odd.upstream_frames()[-1][1], {"status": "Accepted", "interval": 300, "currentTime": "t"}])
    odd.csms([3, odd.upstream_frames("ems")[-1][1], {"status": "Accepted", "interval": 300, "currentTime": "t"}], "ems")
    odd.call("MeterValues", meter(1.10), groups=("main", "ems"))
    values = [odd.upstream_frames(name)[-1][3]["meterValue"][0]["sampledValue"][0]["value"] for name in ("main", "ems")]
    assert values == ["1.1", "1.1"]
    assert odd.heard.seen == ["empty_required", "num_as_string"]


def test_an_edge_and_a_hub_of_one_process_count_together() -> None:
    counters, metrics = EdgeCounters(), Metrics()
    for _ in range(2):
        quirks.malformed(counters, "R23", "ocpp1.6")  # the name of a message
        metrics.quirks.cell("enum_case", "ocpp1.6", "charger").n += 1  # a value in its payload
        export(counters, metrics)
        export(counters, metrics)
    assert metrics.quirks.cell("enum_case", "1.6", "charger").n == 4


def test_every_quirk_of_two_versions_has_a_series() -> None:
    metrics = Metrics()
    for version in ("1.6", "2.0.1"):
        for label in LABELS:
            metrics.quirks.cell(label, version, "charger").n += 1
    assert {values[0] for values, _ in metrics.quirks.items()} == set(LABELS)
