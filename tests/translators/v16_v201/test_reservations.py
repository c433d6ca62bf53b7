"""Reservations on a 1.6 charger, which does not say how they end."""

from __future__ import annotations

from typing import Any

import pytest

from translators.facts import Connector
from translators.v16_v201.reservations import resume

from .station import Station, answered, rejected

TOKEN = {"idToken": "04A1B2C3", "type": "ISO14443"}
SOON = "2025-03-01T10:10:00Z"
UPDATE = "ReservationStatusUpdate"


def reserved(s: Station, **more: Any) -> list[Any]:
    s.csms("ReserveNow", id=32, expiryDateTime=SOON, idToken=TOKEN, **more)
    return s.answers("charger", status="Accepted")


def test_fields() -> None:
    s = Station()
    group = {"idToken": "FLEET", "type": "Central"}
    left = s.csms("ReserveNow", id=1, expiryDateTime=SOON, idToken=TOKEN, groupIdToken=group, evseId=2)
    assert left[0][2] == {
        "reservationId": 1,
        "connectorId": 2,
        "expiryDate": SOON,
        "idTag": "04A1B2C3",
        "parentIdTag": "FLEET",
    }


@pytest.mark.parametrize(
    ("expires", "told"),
    [("2025-03-01T10:10:00.000Z",) * 2, ("2025-03-01T11:10:00+01:00", SOON)],
)
def test_the_time_is_told_as_it_came(expires: str, told: str) -> None:
    left = Station().csms("ReserveNow", id=1, expiryDateTime=expires, idToken=TOKEN)
    assert left[0][2]["expiryDate"] == told


@pytest.mark.parametrize("status", ["Accepted", "Faulted", "Occupied", "Rejected", "Unavailable"])
def test_status(status: str) -> None:
    s = Station()
    left = s.csms("ReserveNow", id=1, expiryDateTime=SOON, idToken=TOKEN)
    assert left[0][2]["connectorId"] == 0
    assert s.answers("charger", status=status) == answered(status=status)
    assert bool(s.facts.extra.get("reservations")) == (status == "Accepted")


def test_what_cannot_be_reserved() -> None:
    s = Station()
    common: dict[str, Any] = {"id": 1, "expiryDateTime": SOON, "idToken": TOKEN}
    assert s.csms("ReserveNow", **common, evseId=9) == rejected("UnknownEvse")
    assert s.csms("ReserveNow", **common, connectorType="cType2") == rejected("UnknownConnectorType")


def test_it_expires() -> None:
    s = Station()
    reserved(s, evseId=1)
    assert s.after(599) == []
    assert s.after(1) == [("csms", UPDATE, {"reservationId": 32, "reservationUpdateStatus": "Expired"})]
    assert s.answers("csms") == []
    assert s.facts.extra["reservations"] == {}


@pytest.mark.parametrize("status", ["Faulted", "Unavailable"])
def test_it_is_removed_with_its_connector(status: str) -> None:
    s = Station()
    reserved(s, evseId=2)
    s.facts.connectors[1] = Connector(status=status, told=status)
    assert s.after(1) == []
    s.facts.connectors[2] = Connector(status=status, told=status)
    assert s.after(1) == [("csms", UPDATE, {"reservationId": 32, "reservationUpdateStatus": "Removed"})]


@pytest.mark.parametrize("ending", ["cancelled", "used"])
def test_an_orderly_end_is_not_reported(ending: str) -> None:
    s = Station()
    reserved(s, evseId=1)
    if ending == "cancelled":
        assert s.csms("CancelReservation", reservationId=32) == [
            ("charger", "CancelReservation", {"reservationId": 32})
        ]
        assert s.answers("charger", status="Accepted") == answered(status="Accepted")
    else:
        begins(s)
    assert s.after(3600) == []
    assert s.facts.extra["reservations"] == {}


def begins(s: Station) -> None:
    s.charger(
        "StartTransaction",
        connectorId=1,
        idTag="04A1B2C3",
        meterStart=0,
        timestamp="2025-03-01T10:00:00Z",
        reservationId=32,
    )
    s.answers("csms", idTokenInfo={"status": "Accepted"})


def test_the_number_of_a_used_reservation_may_be_given_again() -> None:
    s = Station()
    reserved(s, evseId=1)
    begins(s)
    reserved(s, evseId=1)
    assert [payload["reservationUpdateStatus"] for _, _, payload in s.after(3600)] == ["Expired"]


def test_a_refused_cancellation() -> None:
    s = Station()
    reserved(s)
    s.csms("CancelReservation", reservationId=32)
    assert s.answers("charger", status="Rejected") == answered(status="Rejected")
    assert s.facts.extra["reservations"]


def test_it_is_watched_again_after_a_restart_and_told_once() -> None:
    s = Station()
    s.facts.extra["reservations"] = {"5": {"connector": 0, "expires": s.clock + 1000, "told": ""}}

    def again(d: Any) -> Any:
        resume(d)
        resume(d)
        return iter(())

    s._leaving(s.translator.begin(lambda d: (yield from _nothing(again, d)), s.clock))
    left = s.after(2)
    assert [payload["reservationUpdateStatus"] for _, _, payload in left] == ["Expired"]


def _nothing(act: Any, d: Any) -> Any:
    act(d)
    yield from ()
