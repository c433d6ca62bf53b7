"""Two upstreams that command one charger, without a loop: what reaches the charger, and what each is answered."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from gateway.config_upstream import Upstream
from gateway.hub import terms
from gateway.hub.arbitration import arbitrate
from gateway.hub.effects import Effects
from gateway.hub.intake import intake
from gateway.hub.leases import IDLE_MS
from gateway.hub.link import Link
from gateway.hub.observer import Observer
from gateway.hub.session import Session
from gateway.journal.entry import Entry, Head
from gateway.routes import Route
from tests import schemas
from translators.frames import decode, encode
from translators.untouched import Untouched

VERSIONS: dict[str, schemas.Version] = {"ocpp1.6": "1.6", "ocpp2.0.1": "2.0.1"}
MINUTE = 60_000


class Bench:
    """A charger behind `main` (primary) and `ems`, both of its version; `now` moves by hand."""

    def __init__(self, version: str = "ocpp1.6", *, minimum: bool = False, state: bytes = b"", **ems: Any) -> None:
        self.version = version
        self.now = 1_000_000_000_000
        self.ids = itertools.count(1)
        self.seq = itertools.count(1)
        self.effects = Effects()
        self.session = Session("CP", self.effects, Observer())
        self.session.version = version
        self.session.terms = terms.decode(state)
        self.upstreams = {
            "main": Upstream(url="ws://x", version=version, may_command=True),  # type: ignore[arg-type]
            "ems": Upstream(url="ws://y", version=version, **{"may_command": True, **ems}),  # type: ignore[arg-type]
        }
        self.route = Route("main", ("ems",), charging_profiles="minimum" if minimum else "stack")
        for name in self.upstreams:
            link = Link(name, self.session, Untouched(self.new_id), versions=(version, version), primary=name == "main")
            self.session.links[name] = link
        arbitrate(self.session, self.route, self.upstreams, self.new_id)
        self.session.opened("edge", 1, version, self.now, gate_open=True)
        self.session.connected("main", self.now)
        self.session.connected("ems", self.now)
        self.asked: list[tuple[str, dict[str, Any]]] = []
        """What reached the charger."""

    def new_id(self) -> str:
        return f"g{next(self.ids)}"

    def command(self, name: str, action: str, payload: dict[str, Any], *answers: Any) -> Any:
        """What upstream `name` is answered, when the charger answers these payloads in turn (default: Accepted)."""
        schemas.validate(VERSIONS[self.version], action, "request", payload)
        id = f"x{next(self.ids)}"
        self.session.from_upstream(name, decode(json.dumps([2, id, action, payload])), self.now)
        self.serve(*answers)
        frames = [json.loads(raw) for link, raw in self.effects.to_upstream if link.name == name]
        [answer] = [frame for frame in frames if frame[1] == id]
        if answer[0] == 3:
            schemas.validate(VERSIONS[self.version], action, "response", answer[2])
            return answer[2]
        return answer[2]

    def serve(self, *answers: Any) -> None:
        """The charger answers what it is asked."""
        left = list(answers)
        while items := [item for _, item in self.effects.to_charger if item.kind == "call"]:
            self.effects.to_charger = []
            for item in items:
                _, id, action, payload = json.loads(item.body)
                schemas.validate(VERSIONS[self.version], action, "request", payload)
                self.asked.append((action, payload))
                answer = left.pop(0) if left else {"status": "Accepted"}
                frame = [3, id, answer] if isinstance(answer, dict) else [4, id, answer, "", {}]
                head = Head("CP", 1, 99, self.version, "edge", self.now)
                self.session.answered(Entry("1-1", "answer", head, json.dumps(frame).encode()), self.now)
        assert not left

    def say(self, action: str, payload: dict[str, Any], answer: dict[str, Any] | None = None) -> dict[str, Any]:
        """The charger says something, the CSMSs answer; gives what each was told."""
        seq = next(self.seq)
        head = Head("CP", 1, seq, self.version, "edge", self.now, action, f"c{seq}", "K0")
        entry = Entry(f"{self.now}-{seq}", "call", head, json.dumps([2, f"c{seq}", action, payload]).encode())
        told: dict[str, Any] = {}
        for name in self.upstreams:
            before = len(self.effects.to_upstream)
            self.session.called(name, entry, self.now)
            for link, raw in self.effects.to_upstream[before:]:
                _, id, heard, said = json.loads(raw)
                if link.name == name and heard == action:
                    told[name] = said
                    reply = json.dumps([3, id, {} if answer is None else answer])
                    self.session.from_upstream(name, decode(reply), self.now)
        return told

    def start(self, connector: int, number: int, **more: Any) -> dict[str, Any]:
        payload = {"connectorId": connector, "idTag": "A", "meterStart": 0, "timestamp": "2025-01-01T00:00:00Z"}
        answer = {"transactionId": number, "idTagInfo": {"status": "Accepted"}}
        return self.say("StartTransaction", {**payload, **more}, answer)

    def stop(self, number: int) -> None:
        self.say("StopTransaction", {"transactionId": number, "meterStop": 1, "timestamp": "2025-01-01T01:00:00Z"})

    def restart(self) -> Bench:
        """The same charger in another process, from what was committed."""
        again = Bench(self.version, state=terms.encode(self.session.terms))
        again.upstreams, again.route = self.upstreams, self.route
        arbitrate(again.session, self.route, self.upstreams, again.new_id)
        again.now = self.now
        return again

    def last(self) -> dict[str, Any]:
        return self.asked[-1][1]


def profile(
    id: int, amps: int = 16, *, level: int = 0, purpose: str = "TxDefaultProfile", **more: Any
) -> dict[str, Any]:
    periods = [{"startPeriod": 0, "limit": amps}]
    return {
        "chargingProfileId": id,
        "stackLevel": level,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute",
        "chargingSchedule": {
            "startSchedule": "2001-09-09T00:00:00Z",
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": periods,
        },
        **more,
    }


def set_16(connector: int, body: dict[str, Any]) -> dict[str, Any]:
    return {"connectorId": connector, "csChargingProfiles": body}


def profile_201(id: int, *, level: int = 0, purpose: str = "TxDefaultProfile", amps: int = 16) -> dict[str, Any]:
    schedule = {
        "id": 1,
        "chargingRateUnit": "A",
        "startSchedule": "2001-09-09T00:00:00Z",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": amps}],
    }
    return {
        "id": id,
        "stackLevel": level,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute",
        "chargingSchedule": [schedule],
    }


ACCEPTED = {"status": "Accepted"}
REJECTED = {"status": "Rejected"}


# -- who needs one -------------------------------------------------------------------------------------------------------


def test_one_upstream_that_may_everything_needs_no_arbiter() -> None:
    assert Bench(may_command=False).session.arbiter is None
    assert Bench(may_command=False, may_configure=False).session.arbiter is None
    assert Bench(may_command=False, meter_interval=5).session.arbiter is None
    assert Bench().session.arbiter is not None


def test_what_has_no_rule_passes_byte_for_byte() -> None:
    bench = Bench()
    bench.session.from_upstream("ems", decode(b'[2,"1","ClearCache",{ }]'), bench.now)
    [(_, item)] = bench.effects.to_charger
    assert item.body.endswith(b'"ClearCache",{ }]')


# -- control of a connector ----------------------------------------------------------------------------------------------


def test_who_started_controls_until_the_transaction_has_ended() -> None:
    bench = Bench()
    assert bench.command("ems", "RemoteStartTransaction", {"connectorId": 1, "idTag": "A"}) == ACCEPTED
    bench.start(1, 41)
    assert bench.command("main", "UnlockConnector", {"connectorId": 1}) == {"status": "UnlockFailed"}
    assert bench.command("main", "Reset", {"type": "Soft"}) == REJECTED
    assert bench.command("main", "RemoteStartTransaction", {"connectorId": 1, "idTag": "B"}) == REJECTED
    assert bench.command("main", "UnlockConnector", {"connectorId": 2}, {"status": "Unlocked"}) == {
        "status": "Unlocked"
    }
    assert bench.command("ems", "UnlockConnector", {"connectorId": 1}, {"status": "Unlocked"}) == {"status": "Unlocked"}
    bench.now += 10 * IDLE_MS
    assert bench.command("main", "Reset", {"type": "Soft"}) == REJECTED, "it still runs"
    bench.stop(41)
    assert bench.command("main", "Reset", {"type": "Soft"}) == ACCEPTED


def test_who_bills_may_stop_and_nobody_else() -> None:
    bench = Bench()
    assert bench.command("main", "RemoteStartTransaction", {"connectorId": 1, "idTag": "A"}) == ACCEPTED
    bench.start(1, 41)
    assert bench.command("ems", "RemoteStopTransaction", {"transactionId": 41}) == REJECTED
    assert bench.command("main", "RemoteStopTransaction", {"transactionId": 41}) == ACCEPTED
    other = Bench()
    other.command("ems", "RemoteStartTransaction", {"connectorId": 1, "idTag": "A"})
    other.start(1, 41)
    assert other.command("main", "RemoteStopTransaction", {"transactionId": 41}) == ACCEPTED


def test_control_without_a_transaction_ends_after_ten_minutes() -> None:
    bench = Bench()
    reservation = {"connectorId": 1, "expiryDate": "2030-01-01T00:00:00Z", "idTag": "A", "reservationId": 5}
    assert bench.command("ems", "ReserveNow", reservation) == ACCEPTED
    assert bench.command("main", "ReserveNow", reservation) == REJECTED
    bench.now += IDLE_MS - 1
    assert bench.command("main", "Reset", {"type": "Hard"}) == REJECTED
    bench.now += 1
    assert bench.command("main", "Reset", {"type": "Hard"}) == ACCEPTED


def test_a_refused_start_gives_no_control() -> None:
    bench = Bench()
    assert bench.command("ems", "RemoteStartTransaction", {"connectorId": 1, "idTag": "A"}, REJECTED) == REJECTED
    assert bench.command("main", "UnlockConnector", {"connectorId": 1}, {"status": "Unlocked"}) == {
        "status": "Unlocked"
    }


def test_a_profile_gives_control_but_not_over_who_bills() -> None:
    bench = Bench()
    assert bench.command("main", "SetChargingProfile", set_16(1, profile(1))) == ACCEPTED
    assert bench.command("ems", "RemoteStartTransaction", {"connectorId": 1, "idTag": "A"}) == REJECTED
    other = Bench()
    assert other.command("ems", "SetChargingProfile", set_16(1, profile(1))) == ACCEPTED
    assert other.command("main", "RemoteStartTransaction", {"connectorId": 1, "idTag": "A"}) == ACCEPTED


def test_control_survives_a_restart() -> None:
    bench = Bench()
    bench.command("ems", "RemoteStartTransaction", {"connectorId": 1, "idTag": "A"})
    bench.start(1, 41)
    again = bench.restart()
    assert again.command("main", "UnlockConnector", {"connectorId": 1}) == {"status": "UnlockFailed"}
    again.stop(41)
    assert again.command("main", "Reset", {"type": "Soft"}) == ACCEPTED


def test_a_transaction_whose_end_was_never_told_controls_nothing() -> None:
    bench = Bench()
    bench.command("ems", "RemoteStartTransaction", {"connectorId": 1, "idTag": "A"})
    bench.start(1, 41)
    bench.start(1, 42)
    assert bench.command("main", "Reset", {"type": "Soft"}) == ACCEPTED


def test_a_start_without_a_connector_controls_where_the_transaction_begins() -> None:
    bench = Bench()
    bench.command("ems", "RemoteStartTransaction", {"idTag": "A"})
    bench.start(2, 41)
    assert bench.command("main", "UnlockConnector", {"connectorId": 2}) == {"status": "UnlockFailed"}
    assert bench.command("main", "UnlockConnector", {"connectorId": 1}, {"status": "Unlocked"}) == {
        "status": "Unlocked"
    }


def test_control_at_a_2x_charger() -> None:
    bench = Bench("ocpp2.0.1")
    token = {"idToken": "A", "type": "Central"}
    request = {"evseId": 1, "remoteStartId": 7, "idToken": token}
    assert bench.command("ems", "RequestStartTransaction", request) == ACCEPTED
    event = {
        "eventType": "Started",
        "timestamp": "2025-01-01T00:00:00Z",
        "triggerReason": "RemoteStart",
        "seqNo": 0,
        "transactionInfo": {"transactionId": "T1"},
        "evse": {"id": 1},
    }
    bench.say("TransactionEvent", event)
    assert bench.command("main", "Reset", {"type": "Immediate"}) == REJECTED
    assert bench.command("main", "Reset", {"type": "Immediate", "evseId": 2}) == ACCEPTED
    unlock = {"evseId": 1, "connectorId": 1}
    assert bench.command("main", "UnlockConnector", unlock) == {"status": "UnlockFailed"}
    bench.say("TransactionEvent", {**event, "eventType": "Ended", "triggerReason": "RemoteStop", "seqNo": 1})
    assert bench.command("main", "Reset", {"type": "Immediate"}) == ACCEPTED


# -- reservations --------------------------------------------------------------------------------------------------------


def reserve(connector: int, id: int) -> dict[str, Any]:
    return {"connectorId": connector, "expiryDate": "2030-01-01T00:00:00Z", "idTag": "A", "reservationId": id}


def test_reservations_of_two_never_have_the_same_id() -> None:
    bench = Bench()
    bench.command("main", "ReserveNow", reserve(1, 5))
    assert bench.last()["reservationId"] == 5, "the primary's own id, where it is free"
    bench.command("ems", "ReserveNow", reserve(2, 5))
    number = bench.last()["reservationId"]
    assert number != 5
    bench = bench.restart()
    told = bench.start(2, 41, reservationId=number)
    assert told["ems"]["reservationId"] == 5 and "reservationId" not in told["main"]
    assert bench.command("ems", "CancelReservation", {"reservationId": 5}) == ACCEPTED
    assert bench.last() == {"reservationId": number}
    assert bench.command("ems", "CancelReservation", {"reservationId": 5}) == REJECTED, "what is left is the primary's"
    assert bench.command("main", "CancelReservation", {"reservationId": 5}) == ACCEPTED
    assert bench.last() == {"reservationId": 5}


def test_the_end_of_a_reservation_is_told_to_whose_it_is() -> None:
    bench = Bench("ocpp2.0.1")
    request = {"id": 3, "expiryDateTime": "2030-01-01T00:00:00Z", "idToken": {"idToken": "A", "type": "Central"}}
    bench.command("ems", "ReserveNow", {**request, "evseId": 1})
    number = bench.last()["id"]
    told = bench.say("ReservationStatusUpdate", {"reservationId": number, "reservationUpdateStatus": "Expired"})
    assert told == {"ems": {"reservationId": 3, "reservationUpdateStatus": "Expired"}}
    answers = [item for _, item in bench.effects.to_charger if item.kind == "answer"]
    assert [item.body for item in answers] == [b"{}"], "the charger is answered all the same"
    assert bench.effects.acks["main"]


# -- charging profiles, stacked ------------------------------------------------------------------------------------------


def test_profiles_of_two_have_ids_and_levels_of_their_own() -> None:
    bench = Bench(stack_levels=(5, 8))
    bench.command("main", "SetChargingProfile", set_16(0, profile(1, 32)))
    assert bench.last()["csChargingProfiles"]["chargingProfileId"] == 1
    assert bench.command("ems", "SetChargingProfile", set_16(0, profile(1, 10, level=2))) == ACCEPTED
    theirs = bench.last()["csChargingProfiles"]
    assert theirs["chargingProfileId"] != 1 and theirs["stackLevel"] == 7
    assert theirs["chargingSchedule"] == profile(1, 10)["chargingSchedule"]
    assert bench.command("ems", "SetChargingProfile", set_16(0, profile(2, level=4))) == REJECTED, "beyond its range"
    bench = bench.restart()
    bench.command("ems", "SetChargingProfile", set_16(0, profile(1, 12)))
    assert bench.last()["csChargingProfiles"]["chargingProfileId"] == theirs["chargingProfileId"]


def test_clearing_everything_clears_ones_own() -> None:
    bench = Bench()
    bench.command("main", "SetChargingProfile", set_16(0, profile(1)))
    bench.command("ems", "SetChargingProfile", set_16(0, profile(1)))
    number = bench.last()["csChargingProfiles"]["chargingProfileId"]
    bench.command("ems", "SetChargingProfile", set_16(1, profile(2, level=1)))
    second = bench.last()["csChargingProfiles"]["chargingProfileId"]
    assert bench.command("ems", "ClearChargingProfile", {"stackLevel": 1}) == ACCEPTED
    assert bench.last() == {"id": second}
    assert bench.command("main", "ClearChargingProfile", {}) == ACCEPTED
    assert bench.last() == {"id": 1}
    assert bench.command("ems", "ClearChargingProfile", {"id": 1}) == ACCEPTED
    assert bench.last() == {"id": number}
    assert bench.command("ems", "ClearChargingProfile", {}) == {"status": "Unknown"}
    assert bench.command("main", "ClearChargingProfile", {}) == ACCEPTED
    assert bench.last() == {}, "nobody else has any: as the primary says it"


def test_a_profile_that_the_charger_refuses_is_nobodys() -> None:
    bench = Bench()
    assert bench.command("ems", "SetChargingProfile", set_16(0, profile(1)), REJECTED) == REJECTED
    assert bench.command("ems", "SetChargingProfile", set_16(0, profile(1)), "InternalError") == "InternalError"
    assert bench.command("ems", "ClearChargingProfile", {"id": 1}) == {"status": "Unknown"}


def test_each_reads_its_own_profiles() -> None:
    bench = Bench("ocpp2.0.1", stack_levels=(3, 5))
    bench.command("main", "SetChargingProfile", {"evseId": 0, "chargingProfile": profile_201(1)})
    bench.command("ems", "SetChargingProfile", {"evseId": 0, "chargingProfile": profile_201(1, level=1)})
    number = bench.last()["chargingProfile"]["id"]
    wanted = {"requestId": 9, "chargingProfile": {"chargingProfilePurpose": "TxDefaultProfile"}}
    assert bench.command("ems", "GetChargingProfiles", wanted) == ACCEPTED
    report = {
        "requestId": 9,
        "chargingLimitSource": "CSO",
        "evseId": 0,
        "chargingProfile": [profile_201(1), profile_201(number, level=4)],
    }
    assert bench.say("ReportChargingProfiles", report) == {
        "ems": {**report, "chargingProfile": [profile_201(1, level=1)]}
    }
    by_id = {"requestId": 10, "chargingProfile": {"chargingProfileId": [1, 77]}}
    bench.command("ems", "GetChargingProfiles", by_id)
    assert bench.last()["chargingProfile"] == {"chargingProfileId": [number]}
    unknown = {"requestId": 10, "chargingProfile": {"chargingProfileId": [77]}}
    assert bench.command("ems", "GetChargingProfiles", unknown) == {"status": "NoProfiles"}


# -- the minimum of all --------------------------------------------------------------------------------------------------


def rates(request: dict[str, Any]) -> list[tuple[int, float]]:
    periods = request["csChargingProfiles"]["chargingSchedule"]["chargingSchedulePeriod"]
    return [(each["startPeriod"], each["limit"]) for each in periods]


def test_the_charger_gets_the_minimum() -> None:
    bench = Bench(minimum=True)
    assert bench.command("main", "SetChargingProfile", set_16(0, profile(1, 32))) == ACCEPTED
    assert rates(bench.last()) == [(0, 32)]
    assert bench.command("ems", "SetChargingProfile", set_16(0, profile(1, 10))) == ACCEPTED
    assert rates(bench.last()) == [(0, 10)]
    assert bench.command("ems", "SetChargingProfile", set_16(0, profile(1, 20))) == ACCEPTED
    assert rates(bench.last()) == [(0, 20)]
    bench = bench.restart()
    assert bench.session.arbiter is not None and bench.session.arbiter.minimum
    assert bench.command("ems", "ClearChargingProfile", {"id": 1}) == ACCEPTED
    assert rates(bench.last()) == [(0, 32)]
    assert bench.command("main", "ClearChargingProfile", {}) == ACCEPTED
    assert bench.asked[-1] == ("ClearChargingProfile", {"id": 900_100})


def test_a_profile_that_the_charger_refuses_leaves_the_minimum_as_it_was() -> None:
    bench = Bench(minimum=True)
    bench.command("main", "SetChargingProfile", set_16(0, profile(1, 32)))
    assert bench.command("ems", "SetChargingProfile", set_16(0, profile(1, 10)), REJECTED) == REJECTED
    assert bench.command("ems", "ClearChargingProfile", {"id": 1}) == {"status": "Unknown"}
    watts = profile(2)
    watts["chargingSchedule"]["chargingRateUnit"] = "W"
    assert bench.command("ems", "SetChargingProfile", set_16(0, watts)) == REJECTED, "amperes and watts do not compare"


def test_the_limit_of_a_transaction_counts_the_default_of_the_other() -> None:
    bench = Bench(minimum=True)
    bench.command("ems", "SetChargingProfile", set_16(0, profile(1, 13)))
    bench.start(1, 41)
    relative = profile(7, 32, purpose="TxProfile", chargingProfileKind="Relative", transactionId=41)
    del relative["chargingSchedule"]["startSchedule"]
    assert bench.command("main", "SetChargingProfile", set_16(1, relative)) == ACCEPTED
    told = bench.last()["csChargingProfiles"]
    assert told["transactionId"] == 41 and told["chargingProfilePurpose"] == "TxProfile"
    assert rates(bench.last()) == [(0, 13)]
    assert bench.command("main", "SetChargingProfile", set_16(2, relative)) == REJECTED, "no transaction runs there"


def test_a_start_with_a_profile_gets_the_minimum_when_it_has_begun() -> None:
    bench = Bench(minimum=True)
    bench.command("ems", "SetChargingProfile", set_16(0, profile(1, 13)))
    wish = profile(7, 32, purpose="TxProfile", chargingProfileKind="Relative")
    request = {"connectorId": 1, "idTag": "A", "chargingProfile": wish}
    assert bench.command("main", "RemoteStartTransaction", request) == ACCEPTED
    assert "chargingProfile" not in bench.last()
    bench.start(1, 41)
    assert bench.session.deadline() == bench.now
    bench.session.tick(bench.now)
    bench.serve()
    assert rates(bench.last()) == [(0, 13)] and bench.last()["csChargingProfiles"]["transactionId"] == 41


def test_who_leaves_the_route_has_no_say_any_more() -> None:
    bench = Bench(minimum=True)
    bench.session.terms.of("gone").profiles[1] = terms.Profile(0, 0, "TxDefaultProfile", 0, profile(1, 6))
    bench.command("main", "SetChargingProfile", set_16(0, profile(1, 32)))
    assert rates(bench.last()) == [(0, 6)]
    arbitrate(bench.session, bench.route, bench.upstreams, bench.new_id)
    bench.session.tick(bench.now)
    bench.serve()
    assert rates(bench.last()) == [(0, 32)]


def test_what_repeats_is_told_anew_in_time() -> None:
    bench = Bench(minimum=True)
    daily = profile(1, 32, chargingProfileKind="Recurring", recurrencyKind="Daily")
    daily["chargingSchedule"]["chargingSchedulePeriod"] += [{"startPeriod": 43_200, "limit": 6}]
    bench.command("main", "SetChargingProfile", set_16(0, daily))
    first = bench.last()
    bench.now = bench.session.deadline()
    bench.session.tick(bench.now)
    bench.serve()
    assert bench.last() != first and rates(bench.last())[-1][1] == 6, "after what is written out: the lowest"


def test_the_minimum_at_a_2x_charger() -> None:
    bench = Bench("ocpp2.0.1", minimum=True)
    max_ = "ChargingStationMaxProfile"
    for name, amps in (("main", 32), ("ems", 25)):
        request = {"evseId": 0, "chargingProfile": profile_201(1, purpose=max_, amps=amps)}
        assert bench.command(name, "SetChargingProfile", request) == ACCEPTED
    [schedule] = bench.last()["chargingProfile"]["chargingSchedule"]
    assert schedule["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 25, "numberPhases": 3}]


# -- configuration -------------------------------------------------------------------------------------------------------


def test_what_it_may_not_change_is_kept_for_it_alone() -> None:
    bench = Bench(may_configure=("HeartbeatInterval",))
    change = {"key": "MeterValuesSampledData", "value": "Voltage"}
    assert bench.command("ems", "ChangeConfiguration", change) == ACCEPTED
    assert bench.asked == [], "the charger never hears of it"
    bench = bench.restart()
    known = {"configurationKey": [{"key": "MeterValuesSampledData", "readonly": True, "value": "Power"}]}
    read = {"key": ["MeterValuesSampledData"]}
    assert bench.command("main", "GetConfiguration", read, known) == known
    [entry] = bench.command("ems", "GetConfiguration", read, known)["configurationKey"]
    assert entry == {"key": "MeterValuesSampledData", "readonly": False, "value": "Voltage"}
    heartbeat = {"key": "heartbeatinterval", "value": "60"}
    bench.command("ems", "ChangeConfiguration", heartbeat)
    assert bench.asked[-1] == ("ChangeConfiguration", heartbeat), "this one it may"


def test_a_key_that_the_charger_does_not_have_is_read_back_too() -> None:
    bench = Bench(may_configure=False)
    bench.command("ems", "ChangeConfiguration", {"key": "Fancy", "value": "1"})
    answer = bench.command("ems", "GetConfiguration", {"key": ["Fancy", "Other"]}, {"unknownKey": ["Fancy", "Other"]})
    assert answer == {
        "configurationKey": [{"key": "Fancy", "readonly": False, "value": "1"}],
        "unknownKey": ["Other"],
    }


@pytest.mark.parametrize("key", ["AuthorizationKey", "SecurityProfile"])
def test_nobody_is_led_to_believe_that_a_password_has_changed(key: str) -> None:
    bench = Bench(may_configure=False)
    assert bench.command("ems", "ChangeConfiguration", {"key": key, "value": "1"}) == REJECTED
    assert b'"1"' not in encode(terms.encode(bench.session.terms))


def test_its_interval_of_meter_values_is_its_own() -> None:
    bench = Bench(may_configure=False)
    bench.command("ems", "ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": "900"})
    bench = bench.restart()
    link = bench.session.links["ems"]
    assert link.intake is not None and link.intake.throttle is not None
    assert link.intake.throttle.interval_ms == 900_000
    assert bench.session.links["main"].intake is None
    meter = {
        "connectorId": 1,
        "transactionId": 41,
        "meterValue": [{"timestamp": "x", "sampledValue": [{"value": "1"}]}],
    }
    bench.start(1, 41)
    assert bench.say("MeterValues", meter).keys() == {"main", "ems"}
    assert bench.say("MeterValues", meter).keys() == {"main"}


def test_it_does_not_get_more_meter_values_than_the_configuration_says() -> None:
    bench = Bench(may_configure=False, meter_interval=60.0)
    settings, link = bench.upstreams["ems"], bench.session.links["ems"]
    link.intake = intake("ems", bench.route, settings)
    bench.command("ems", "ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": "5"})
    assert link.intake is not None and link.intake.throttle is not None
    assert link.intake.throttle.interval_ms == 60_000


def test_the_highest_stack_level_is_read_in_its_own_count() -> None:
    bench = Bench(stack_levels=(5, 30))
    known = {"configurationKey": [{"key": "ChargeProfileMaxStackLevel", "readonly": True, "value": "20"}]}
    [entry] = bench.command("ems", "GetConfiguration", {}, known)["configurationKey"]
    assert entry["value"] == "15"


def test_variables_are_split() -> None:
    bench = Bench("ocpp2.0.1", may_configure=("OCPPCommCtrlr.HeartbeatInterval",))
    heartbeat = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}}
    sampled = {"component": {"name": "SampledDataCtrlr"}, "variable": {"name": "TxUpdatedInterval"}}
    password = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
    request = {
        "setVariableData": [
            {**sampled, "attributeValue": "900"},
            {**heartbeat, "attributeValue": "60"},
            {**password, "attributeValue": "secret"},
        ]
    }
    said = {"setVariableResult": [{**heartbeat, "attributeStatus": "RebootRequired"}]}
    results = bench.command("ems", "SetVariables", request, said)["setVariableResult"]
    assert [each["attributeStatus"] for each in results] == ["Accepted", "RebootRequired", "Rejected"]
    assert [each["variable"] for each in results] == [each["variable"] for each in (sampled, heartbeat, password)]
    assert bench.last() == {"setVariableData": [{**heartbeat, "attributeValue": "60"}]}
    read = {"getVariableData": [sampled, heartbeat]}
    said = {"getVariableResult": [{**heartbeat, "attributeStatus": "Accepted", "attributeValue": "60"}]}
    results = bench.command("ems", "GetVariables", read, said)["getVariableResult"]
    assert [each["attributeValue"] for each in results] == ["900", "60"]
    link = bench.session.links["ems"]
    assert link.intake is not None and link.intake.throttle is not None
    assert link.intake.throttle.interval_ms == 900_000


# -- what can go wrong ---------------------------------------------------------------------------------------------------


def test_a_charger_that_is_silent_or_gone() -> None:
    bench = Bench()
    bench.session.from_upstream("ems", decode(b'[2,"1","Reset",{"type":"Soft"}]'), bench.now)
    bench.now += MINUTE
    bench.session.tick(bench.now)
    frames = [json.loads(raw) for _, raw in bench.effects.to_upstream]
    assert frames[-1][:3] == [4, "1", "GenericError"]
    bench.session.from_upstream("ems", decode(b'[2,"2","Reset",{"type":"Soft"}]'), bench.now)
    bench.session.closed(1, bench.now)
    frames = [json.loads(raw) for _, raw in bench.effects.to_upstream]
    assert frames[-1][:3] == [4, "2", "GenericError"]


@pytest.mark.parametrize("payload", [b"{}", b'{"connectorId":1,"csChargingProfiles":3}', b'{"csChargingProfiles":{}}'])
@pytest.mark.parametrize("minimum", [False, True])
def test_a_command_that_is_none(payload: bytes, minimum: bool) -> None:
    bench = Bench(minimum=minimum)
    bench.session.from_upstream("ems", decode(b'[2,"1","SetChargingProfile",' + payload + b"]"), bench.now)
    frames = [json.loads(raw) for _, raw in bench.effects.to_upstream]
    assert frames[-1][:3] == [4, "1", "FormationViolation"]


def test_what_is_remembered_is_stored_before_the_frame_leaves() -> None:
    bench = Bench()
    request = json.dumps([2, "1", "ReserveNow", reserve(1, 5)])
    bench.session.from_upstream("ems", decode(request), bench.now)
    assert bench.effects.terms["CP"].of("ems").reservations == {5: 1_000_000}


def test_terms_of_a_newer_release_are_refused() -> None:
    newer = terms.Terms(format=terms.FORMAT + 1)
    with pytest.raises(ValueError, match="format"):
        terms.decode(terms.encode(newer))
