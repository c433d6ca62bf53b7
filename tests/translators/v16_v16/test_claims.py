"""Two 1.6 upstreams command one charger: each has its own reservation and profile ids."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from translators import Renumbering
from translators.dialogue import Out
from translators.frames import Call, Error, Result
from translators.v16_v16 import claims, members, unfinished
from translators.v16_v16.claims import MOST, Kind

WHEN = "2025-03-01T10:00:00Z"


class Pair:
    """Upstreams a (the primary) and b of one charger."""

    def __init__(self, states: tuple[bytes, bytes] = (b"", b"")) -> None:
        ids = itertools.count(1)
        self.made = {
            name: Renumbering(state, lambda: f"g{next(ids)}", primary=name == "a")
            for name, state in zip("ab", states, strict=True)
        }
        self.made["a"].others = lambda kind: self.made["b"].held(kind)
        self.made["b"].others = lambda kind: self.made["a"].held(kind)

    def again(self) -> Pair:
        """After a restart."""
        return Pair((self.made["a"].state(), self.made["b"].state()))

    def asks(self, name: str, action: str, payload: Any, reply: Any = "Accepted") -> Any:
        """What the charger hears, or the status that answers in its place. `reply`: its status, or a CALLERROR code."""
        [out] = self.made[name].receive("csms", Call("x", action, Raw(json.dumps(payload).encode())), 0)
        assert isinstance(out, Out)
        if isinstance(out.frame, Result):
            return json.loads(bytes(out.frame.payload))["status"]
        assert out.to == "charger" and out.commit and isinstance(out.frame, Call)
        self.made[name].state()
        errors = ("NotSupported", "GenericError")
        answer = (
            Error(out.frame.id, reply)
            if reply in errors
            else Result(out.frame.id, Raw(b'{"status":"%b"}' % reply.encode()))
        )
        [back] = self.made[name].receive("charger", answer, 0)
        assert isinstance(back, Out) and back.to == "csms" and back.frame.id == "x"
        return json.loads(bytes(out.frame.payload))

    def starts(self, name: str, entry: int, **more: Any) -> Any:
        """The StartTransaction that the upstream hears."""
        payload = json.dumps({"connectorId": 1, "idTag": "A", "meterStart": 0, "timestamp": WHEN, **more}).encode()
        [out] = self.made[name].receive(
            "charger", Call(f"c{entry}", "StartTransaction", Raw(payload)), 0, key=f"{entry}-0"
        )
        assert isinstance(out, Out) and isinstance(out.frame, Call)
        return json.loads(bytes(out.frame.payload))


def reserve(id: int) -> dict[str, Any]:
    return {"connectorId": 1, "expiryDate": WHEN, "idTag": "A", "reservationId": id}


def install(id: int) -> dict[str, Any]:
    return {"connectorId": 1, "csChargingProfiles": {"chargingProfileId": id, "stackLevel": 0}}


@pytest.mark.parametrize("crash", [False, True])
def test_a_reservation_whose_id_is_taken_gets_another_one(crash: bool) -> None:
    pair = Pair()
    assert pair.asks("a", "ReserveNow", reserve(5)) == reserve(5)
    pair = pair.again() if crash else pair
    assert pair.asks("b", "ReserveNow", reserve(5)) == reserve(6)
    pair = pair.again() if crash else pair
    assert pair.asks("b", "ReserveNow", reserve(5)) == reserve(6), "the same again replaces it"
    assert pair.asks("a", "ReserveNow", reserve(6)) == reserve(7), "6 is b's by now"
    assert pair.starts("a", 1, reservationId=5)["reservationId"] == 5
    assert pair.starts("a", 2, reservationId=7)["reservationId"] == 6
    assert "reservationId" not in pair.starts("a", 3, reservationId=6), "b's"
    assert pair.starts("b", 4, reservationId=6)["reservationId"] == 5
    assert "reservationId" not in pair.starts("b", 5, reservationId=5), "a's"
    assert pair.starts("b", 6, reservationId=99)["reservationId"] == 99, "nobody's"
    assert pair.starts("b", 7, reservationId=0)["reservationId"] == 0, "none"
    assert pair.asks("b", "CancelReservation", {"reservationId": 5}) == {"reservationId": 6}
    assert pair.asks("b", "CancelReservation", {"reservationId": 5}) == "Rejected", "that is a's"
    assert pair.asks("a", "CancelReservation", {"reservationId": 5}) == {"reservationId": 5}
    assert pair.asks("a", "CancelReservation", {"reservationId": 5}) == {"reservationId": 5}, (
        "nobody's: the charger says so"
    )


def test_a_profile_whose_id_is_taken_gets_another_one() -> None:
    pair = Pair()
    assert pair.asks("a", "SetChargingProfile", install(1)) == install(1)
    assert pair.asks("b", "SetChargingProfile", install(1)) == install(2)
    start = {"idTag": "A", "chargingProfile": {"chargingProfileId": 2, "stackLevel": 1}}
    assert pair.asks("a", "RemoteStartTransaction", start)["chargingProfile"]["chargingProfileId"] == 3
    assert pair.asks("a", "RemoteStartTransaction", {"idTag": "A"}) == {"idTag": "A"}
    assert pair.asks("b", "ClearChargingProfile", {"id": 1}) == {"id": 2}
    assert pair.asks("b", "ClearChargingProfile", {"id": 1}) == "Unknown"
    assert pair.asks("b", "ClearChargingProfile", {"connectorId": 1, "stackLevel": 0}) == {
        "connectorId": 1,
        "stackLevel": 0,
    }
    assert pair.asks("b", "ClearChargingProfile", {}) == {}
    assert pair.asks("a", "ClearChargingProfile", {"id": 2}, "Unknown") == {"id": 3}
    assert pair.asks("a", "ClearChargingProfile", {"id": 2}) == {"id": 2}, "gone, and b's number is free again"


@pytest.mark.parametrize("reply", ["Rejected", "NotSupported", "GenericError"])
def test_what_the_charger_refused_is_free_again(reply: str) -> None:
    pair = Pair()
    pair.asks("a", "ReserveNow", reserve(5), reply)
    assert pair.asks("b", "ReserveNow", reserve(5)) == reserve(5)


def test_what_the_charger_has_not_answered_is_not_free() -> None:
    pair = Pair()
    [out] = pair.made["a"].receive("csms", Call("x", "ReserveNow", Raw(json.dumps(reserve(5)).encode())), 0)
    assert isinstance(out, Out)
    pair.made["a"].expire("charger", out.frame.id, 1)
    assert pair.asks("b", "ReserveNow", reserve(5)) == reserve(6)


def test_a_refused_replacement_leaves_the_old_one() -> None:
    pair = Pair()
    pair.asks("a", "ReserveNow", reserve(5))
    pair.asks("a", "ReserveNow", reserve(5), "Occupied")
    assert pair.asks("b", "ReserveNow", reserve(5)) == reserve(6)
    pair.asks("b", "CancelReservation", {"reservationId": 5}, "Rejected")
    assert pair.asks("b", "CancelReservation", {"reservationId": 5}) == {"reservationId": 6}


def test_the_largest_number_has_a_neighbour_too() -> None:
    pair = Pair()
    pair.asks("a", "ReserveNow", reserve(2**31 - 1))
    assert pair.asks("b", "ReserveNow", reserve(2**31 - 1)) == reserve(1)


def test_an_only_upstream_with_other_numbers_stays_one_of_several() -> None:
    pair = Pair()
    pair.asks("a", "ReserveNow", reserve(5))
    pair.asks("b", "ReserveNow", reserve(5))
    assert not unfinished(pair.made["a"].state()) and unfinished(pair.made["b"].state())
    pair.asks("b", "CancelReservation", {"reservationId": 5})
    assert pair.made["b"].state() == b""


def test_what_is_remembered_is_bounded() -> None:
    pair = Pair()
    for number in range(MOST + 10):
        pair.asks("a", "SetChargingProfile", install(number))
    assert len(pair.made["a"].held("profile")) == MOST


def test_bytes_pass_as_they_are_where_nothing_is_taken() -> None:
    made = Renumbering(b"", lambda: "g", primary=True)
    made.others = lambda kind: ()
    raw = b'{ "reservationId" : 5 ,"connectorId":1.0, "idTag":"\\u0041","expiryDate":"x"}'
    [out] = made.receive("csms", Call("x", "ReserveNow", Raw(raw)), 0)
    assert isinstance(out, Out) and bytes(out.frame.payload) == raw  # type: ignore[union-attr]
    raw = b'{"reservationId" : "seven"}'
    assert claims.to_charger({}, "ReserveNow", raw, ()) == (raw, None)


def test_nothing_is_remembered_where_no_other_may_command() -> None:
    made = Renumbering(b"", lambda: "g", primary=True)
    made.receive("csms", Call("x", "ReserveNow", Raw(b'{"reservationId":5}')), 0)
    assert made.state() == b"" and not made.held("reservation")


def test_a_member_is_left_out() -> None:
    assert json.loads(members.without(b'{"a": 1, "b": {"a": 2}, "c": 1.50}', "a")) == {"b": {"a": 2}, "c": 1.5}


KIND: Kind = "reservation"
commands = st.lists(
    st.tuples(st.sampled_from("ab"), st.booleans(), st.integers(1, 6), st.sampled_from(["Accepted", "Rejected"]))
)


@given(commands)
def test_no_two_ever_share_a_number(script: list[tuple[str, bool, int, str]]) -> None:
    pair = Pair()
    charger: dict[int, tuple[str, int]] = {}
    for name, new, own, reply in script:
        heard = pair.asks(
            name, "ReserveNow" if new else "CancelReservation", reserve(own) if new else {"reservationId": own}, reply
        )
        if isinstance(heard, str):
            continue
        number = heard["reservationId"]
        assert charger.get(number, (name, own)) == (name, own), "it means what it meant"
        if reply == "Accepted" and new:
            charger[number] = (name, own)
        elif reply == "Accepted":
            charger.pop(number, None)
        assert not set(pair.made["a"].held(KIND)) & set(pair.made["b"].held(KIND))
