"""Each 1.6 upstream hears its own transaction ids; the charger hears its own."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from msgspec import Raw

from translators import Options, Renumbering, translator
from translators.dialogue import Done, Out
from translators.frames import Call, Error, Result
from translators.untouched import Untouched


class Bench:
    """One upstream of a charger; entries of its journal are numbered by `entry`."""

    def __init__(self, state: bytes = b"", *, primary: bool = False, accept_away: bool = False) -> None:
        ids = itertools.count(1)
        self.made = Renumbering(state, lambda: f"g{next(ids)}", primary=primary, accept_away=accept_away)

    def charger(self, entry: int, action: str, payload: Any = None, **more: Any) -> Any:
        """The payload that reaches the CSMS, with the id of its CALL."""
        raw = payload if isinstance(payload, bytes) else json.dumps(payload or {}).encode()
        steps = self.made.receive("charger", Call(f"{entry}-0", action, Raw(raw)), 0, key=f"{entry}-0", **more)
        [out] = steps
        assert isinstance(out, Out) and out.to == "csms" and isinstance(out.frame, Call)
        self.id = out.frame.id
        return json.loads(bytes(out.frame.payload))

    def answer(self, payload: Any) -> Any:
        out, done = self.made.receive("csms", Result(self.id, Raw(json.dumps(payload).encode())), 0)
        assert isinstance(out, Out) and isinstance(done, Done) and isinstance(out.frame, Result)
        return json.loads(bytes(out.frame.payload))

    def start(self, entry: int, own: int, **more: Any) -> Any:
        self.charger(entry, "StartTransaction", **more)
        return self.answer({"transactionId": own, "idTagInfo": {"status": "Accepted"}})["transactionId"]

    def csms(self, action: str, payload: Any) -> Any:
        """What the charger is asked, or how the command is answered in its place (a string)."""
        [out] = self.made.receive("csms", Call("x", action, Raw(json.dumps(payload).encode())), 0)
        assert isinstance(out, Out)
        if out.to == "csms":
            assert isinstance(out.frame, Result) and out.frame.id == "x"
            return json.loads(bytes(out.frame.payload))["status"]
        assert isinstance(out.frame, Call)
        return json.loads(bytes(out.frame.payload))

    def again(self, **more: Any) -> Bench:
        return Bench(self.made.state(), **more)


def stop(number: int) -> dict[str, int]:
    return {"transactionId": number, "meterStop": 5}


@pytest.mark.parametrize("first", ["primary", "mirror"])
@pytest.mark.parametrize("crash", [False, True])
def test_a_mirror_hears_its_own_number_whoever_answers_first(first: str, crash: bool) -> None:
    bench = Bench()
    if first == "primary":
        bench.made.numbered("10-0", 900, 41)
        bench = bench.again() if crash else bench
        bench.start(10, 1001)
    else:
        bench.start(10, 1001)
        bench = bench.again() if crash else bench
        bench.made.numbered("10-0", 900, 41)
    bench = bench.again() if crash else bench
    assert bench.charger(11, "MeterValues", {"connectorId": 1, "transactionId": 41})["transactionId"] == 1001
    bench.answer({})
    assert bench.csms("RemoteStopTransaction", {"transactionId": 1001}) == {"transactionId": 41}
    profile = {"connectorId": 1, "csChargingProfiles": {"chargingProfileId": 41, "transactionId": 1001}}
    asked = bench.csms("SetChargingProfile", profile)
    assert asked == {"connectorId": 1, "csChargingProfiles": {"chargingProfileId": 41, "transactionId": 41}}
    assert bench.charger(12, "StopTransaction", stop(41)) == stop(1001)
    bench.answer({})
    assert bench.charger(13, "MeterValues", {"transactionId": 41}) == {"transactionId": 1001}, "told late"


@pytest.mark.parametrize("number", [-1, 0, 17])
def test_unknown_numbers_pass(number: int) -> None:
    bench = Bench()
    bench.made.numbered("10-0", 900, 41)
    bench.start(10, 1001)
    assert bench.charger(11, "MeterValues", {"transactionId": number}) == {"transactionId": number}
    assert bench.csms("RemoteStopTransaction", {"transactionId": number}) == {"transactionId": number}
    assert bench.charger(12, "MeterValues", {"connectorId": 1}) == {"connectorId": 1}


def test_a_start_that_was_refused_leaves_its_rest_to_no_transaction() -> None:
    bench = Bench()
    bench.made.numbered("10-0", 900, 41)
    bench.charger(10, "StartTransaction")
    bench.made.receive("csms", Error(bench.id), 0)
    assert bench.charger(11, "StopTransaction", stop(41)) == stop(-1)


def test_a_number_never_stands_for_another_transaction() -> None:
    """The mirror's 41 is the charger's 77; the charger's 41 is the mirror's 1001."""
    bench = Bench()
    for entry, number, own in ((10, 77, 41), (20, 41, 1001)):
        bench.made.numbered(f"{entry}-0", 900, number)
        bench.start(entry, own)
    assert bench.charger(21, "MeterValues", {"transactionId": 77}) == {"transactionId": 41}
    assert bench.charger(22, "MeterValues", {"transactionId": 41}) == {"transactionId": 1001}
    assert bench.csms("RemoteStopTransaction", {"transactionId": 41}) == {"transactionId": 77}
    assert bench.csms("RemoteStopTransaction", {"transactionId": 77}) == "Rejected"


def test_a_number_of_the_upstream_is_not_told_of_what_it_does_not_know() -> None:
    bench = Bench()
    bench.made.numbered("10-0", 900, 77)
    bench.start(10, 41)
    assert bench.charger(11, "StopTransaction", stop(41)) == stop(-1)


def test_a_command_about_what_the_charger_has_no_number_for_yet_is_rejected() -> None:
    bench = Bench()
    bench.start(10, 1001)
    assert bench.csms("RemoteStopTransaction", {"transactionId": 1001}) == "Rejected"


def test_a_number_that_a_csms_gives_again_means_the_start_before_the_entry() -> None:
    """A mirror that was away hears all of it after the primary has begun to count anew."""
    bench = Bench()
    for entry in (10, 20):
        bench.made.numbered(f"{entry}-0", 900, 41)
    bench.start(10, 1001)
    assert bench.charger(12, "StopTransaction", stop(41)) == stop(1001)
    bench.answer({})
    bench.start(20, 1002)
    assert bench.charger(22, "StopTransaction", stop(41)) == stop(1002)


def test_the_primarys_live_answer_is_the_chargers_number_and_nothing_is_remembered() -> None:
    bench = Bench(primary=True)
    raw = b'{ "transactionId" : 41.0, "idTagInfo":{"status":"Accepted"} }'
    bench.charger(10, "StartTransaction", tx=900)
    out, _ = bench.made.receive("csms", Result(bench.id, Raw(raw)), 0)
    assert isinstance(out, Out) and isinstance(out.frame, Result) and bytes(out.frame.payload) == raw
    assert bench.made.state() == b""


def test_a_primary_that_answers_with_a_number_that_is_taken_gets_another_at_the_charger() -> None:
    """It was a mirror: the charger's 41 is the earlier primary's."""
    bench = Bench()
    bench.made.numbered("10-0", 900, 41)
    bench.start(10, 40)
    bench = bench.again(primary=True)
    assert bench.start(20, 41, tx=901) == 901
    assert bench.charger(21, "MeterValues", {"transactionId": 41}) == {"transactionId": 40}
    assert bench.charger(22, "MeterValues", {"transactionId": 901}) == {"transactionId": 41}
    assert bench.csms("RemoteStopTransaction", {"transactionId": 41}) == {"transactionId": 901}


def test_a_number_that_the_charger_had_before_means_the_newer_transaction() -> None:
    """It was a mirror when the charger's 41, another primary's, began and ended; now it gives 41 itself."""
    bench = Bench()
    bench.made.numbered("10-0", 900, 41)
    bench.start(10, 40)
    assert bench.charger(11, "StopTransaction", stop(41)) == stop(40)
    bench.answer({})
    bench = bench.again(primary=True)
    assert bench.start(20, 41, tx=901) == 41
    bench = bench.again(primary=True)
    assert bench.charger(21, "MeterValues", {"transactionId": 41}) == {"transactionId": 41}
    assert bench.csms("RemoteStopTransaction", {"transactionId": 41}) == {"transactionId": 41}
    assert bench.charger(22, "StopTransaction", stop(41)) == stop(41)


def test_the_minted_number_stays_when_the_primary_answers_late() -> None:
    bench = Bench(primary=True, accept_away=True)
    call = Call("10-0", "StartTransaction", Raw(b"{}"))
    given = bench.made.away(call, 0, key="10-0", tx=900)
    assert given is not None
    assert json.loads(bytes(given)) == {"transactionId": 900, "idTagInfo": {"status": "Accepted"}}
    bench.made.early_until = "10-0"
    bench = bench.again(primary=True, accept_away=True)
    assert bench.made.early_until == "10-0"
    assert bench.start(10, 41, tx=900, early=True) == 900
    bench.made.back(0)
    assert bench.made.early_until == ""
    bench = bench.again(primary=True)
    assert bench.charger(11, "StopTransaction", stop(900)) == stop(41)
    again = bench.made.receive("charger", Call("10-0", "StartTransaction"), 0, key="10-0", tx=900)
    assert [type(step) for step in again] == [Out, Done], "a repeated start is answered without asking again"
    assert json.loads(bytes(again[0].frame.payload))["transactionId"] == 900  # type: ignore[union-attr]


def test_without_configuration_no_start_is_accepted_in_the_name_of_the_csms() -> None:
    bench = Bench(primary=True)
    assert bench.made.away(Call("10-0", "StartTransaction"), 0, key="10-0", tx=900) is None
    assert bench.made.away(Call("11-0", "MeterValues"), 0, key="11-0") is not None


def test_what_is_remembered_is_bounded() -> None:
    bench = Bench()
    for n in range(1, 1200):
        bench.made.numbered(f"{n}-0", 900, n)
    assert len(bench.made._facts.transactions) == 1000
    bench = Bench()
    for n in range(1, 40):
        bench.made.numbered(f"{10 * n}-0", 900, n)
        bench.start(10 * n, 1000 + n)
        bench.charger(10 * n + 1, "StopTransaction", stop(n))
        bench.answer({})
    assert len(bench.made._facts.transactions) == 16
    assert len(bench.made.state()) < 1024


def test_an_upstream_that_joins_does_not_take_the_number_for_one_of_its_own() -> None:
    bench = Bench()
    bench.made.adopt("10-0", 41)
    assert bench.charger(11, "MeterValues", {"transactionId": 41}) == {"transactionId": -1}
    bench.made.numbered("20-0", 900, 42)
    bench.start(20, 42)
    bench.made.adopt("20-0", 42)
    assert bench.charger(21, "MeterValues", {"transactionId": 42}) == {"transactionId": 42}


def test_who_is_renumbered() -> None:
    def made(version: str, role: Any, state: bytes = b"") -> type:
        return type(translator(version, version, state, Options(), str, role))

    assert made("ocpp1.6", "only") is made("ocpp2.0.1", "mirror") is Untouched
    assert made("ocpp1.6", "primary") is made("ocpp1.6", "mirror") is Renumbering
    assert made("ocpp1.5", "mirror") is Renumbering and made("ocpp1.5", "only") is Untouched
    bench = Bench()
    bench.made.numbered("10-0", 900, 41)
    bench.start(10, 1001)
    assert made("ocpp1.6", "only", bench.made.state()) is Renumbering, "until its transactions have ended"
    bench.charger(11, "StopTransaction", stop(41))
    bench.answer({})
    assert made("ocpp1.6", "only", bench.made.state()) is Untouched
    other = translator("ocpp1.6", "ocpp2.0.1", bench.made.state(), Options(), str)
    assert translator("ocpp1.6", "ocpp1.6", other.state(), Options(), str, "mirror").state() == b""


def test_newer_facts_are_refused() -> None:
    with pytest.raises(ValueError, match="format 9"):
        Bench(b"\x82\xa4pair\xa7v16_v16\xa6format\x09")
