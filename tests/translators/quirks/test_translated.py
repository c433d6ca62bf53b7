"""Quirks that a translation mends or only counts: what a 2.0.1 CSMS hears of an odd 1.6 charger, and which labels are told."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Raw

from tests.translators.v16_v201.station import Station
from translators.frames import Call
from translators.models import v201
from translators.quirks.zones import Zone
from translators.tokens import remember_token

START: dict[str, Any] = {"connectorId": 1, "idTag": "04A1B2C3", "meterStart": 100}
STOP: dict[str, Any] = {"meterStop": 200, "timestamp": "2025-03-01T10:00:00Z"}


class Watched(Station):
    """Remembers the labels."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.seen: list[tuple[str, str]] = []
        self.translator.noticed = lambda label, side: self.seen.append((label, side))

    @property
    def labels(self) -> list[str]:
        return [label for label, side in self.seen if side == "charger"]


@pytest.fixture
def station() -> Watched:
    return Watched()


def told_at(station: Watched, timestamp: str) -> str:
    (_, action, event), *_ = station.charger("StartTransaction", **START, timestamp=timestamp)
    assert action == "TransactionEvent"
    text: str = event["timestamp"]
    return text


def test_what_is_right_has_no_label(station: Watched) -> None:
    told_at(station, "2025-03-01T10:00:00.123Z")
    assert station.seen == []


def test_q39_times_without_zone(station: Watched) -> None:
    assert told_at(station, "2025-03-01T09:28:07") == "2025-03-01T09:28:07Z"
    assert station.labels == ["ts_no_zone"]


def test_q39_a_profile_names_the_zone() -> None:
    zone = Zone("+02:00")
    bare = b'{"connectorId":1,"timestamp":"2025-03-01T11:28:07","meterValue":[{"timestamp" : "2025-03-01T11:28:07.5"}]}'
    told = zone.call(Call("1", "MeterValues", Raw(bare)), 0)
    assert bytes(told.payload) == bare.replace(b':07"', b':07+02:00"').replace(b'.5"', b'.5+02:00"')
    whole = Call("1", "MeterValues", Raw(b'{"timestamp":"2025-03-01T11:28:07Z","data":"2025-03-01T11:28:07"}'))
    assert zone.call(whole, 0) is whole


@pytest.mark.parametrize("offset", ["+03", "+0300"])
def test_q40_short_offsets(offset: str, station: Watched) -> None:
    assert told_at(station, f"2025-03-01T12:00:00{offset}") == "2025-03-01T09:00:00Z"
    assert station.labels == ["ts_offset"]


def test_q41_long_fractions(station: Watched) -> None:
    assert told_at(station, "2025-03-01T09:00:00.1234567Z") == "2025-03-01T09:00:00.123Z"
    assert station.labels == ["ts_fraction"]


@pytest.mark.parametrize(
    "text", ["1970-01-01T00:00:09Z", "0001-01-01T00:00:00Z", "222222017-01-01T00:00:00Z", "yesterday", ""]
)
def test_q42_clocks_never_set(text: str, station: Watched) -> None:
    assert told_at(station, text) == "2025-03-01T10:00:00Z", "the time of receipt"
    assert station.labels == ["ts_suspect"]


def test_q42_a_day_that_does_not_exist(station: Watched) -> None:
    assert told_at(station, "2022-02-29T07:02:33.000Z") == "2025-03-01T10:00:00Z"


def test_q25_a_token_with_what_was_behind_it(station: Watched) -> None:
    token = v201.IdToken(idToken="TOKEN-OF-20-LETTERS!", type="ISO14443")
    remember_token(station.facts.tokens, token.idToken, token)
    for echoed in ("TOKEN-OF-20-LETTERS!\x10\x0e", "TOKEN-OF-20-LETTERS!garbage"):
        ((_, action, asked),) = station.charger("Authorize", idTag=echoed)
        assert (action, asked["idToken"]) == ("Authorize", {"idToken": "TOKEN-OF-20-LETTERS!", "type": "ISO14443"})
        station.answers("csms", idTokenInfo={"status": "Accepted"})
    assert set(station.labels) == {"idtag_repair", "too_long"}
    ((_, _, asked),) = station.charger("Authorize", idTag="SOMEBODY-ELSE-OF-24-LETT")
    assert asked["idToken"]["idToken"] == "SOMEBODY-ELSE-OF-24-LETT"


@pytest.mark.parametrize("number", [-1, 0])
def test_q43_the_only_open_transaction_is_meant(number: int, station: Watched) -> None:
    station.transaction()
    ((to, action, event),) = station.charger("StopTransaction", **STOP, transactionId=number)
    assert (to, action, event["eventType"]) == ("csms", "TransactionEvent", "Ended")
    assert station.labels == ["tx_orphan"]


def test_q45_stop_without_start(station: Watched) -> None:
    assert station.charger("StopTransaction", **STOP, transactionId=4711) == [("charger", "answer", {})]
    assert station.labels == ["tx_orphan"]
    assert ("StopTransaction", "dropped") in station.lost()


def test_q47_late_meter_values(station: Watched) -> None:
    station.ends(station.transaction())
    value = {"timestamp": "2025-03-01T10:00:00Z", "sampledValue": [{"value": "150", "measurand": "Voltage"}]}
    for number in (1001, 0):
        ((_, action, _),) = station.charger("MeterValues", connectorId=1, transactionId=number, meterValue=[value])
        assert action == "MeterValues", "no event of a transaction that has ended"
        station.answers("csms")
    assert station.labels == ["meter_late", "meter_late"]


def test_q48_less_energy(station: Watched) -> None:
    station.transaction(meter_start=201)
    ((_, _, event),) = station.charger("StopTransaction", **STOP, transactionId=1001)
    assert event["meterValue"][-1]["sampledValue"][-1]["value"] == 200, "energy is never mended"
    assert station.labels == ["meter_regress"]


def configured(station: Watched, **values: str) -> dict[str, str]:
    """What the CSMS reads of a charger with this configuration."""
    variables = {
        "MeterValuesSampledData": ("SampledDataCtrlr", "TxUpdatedMeasurands"),
        "ChargingScheduleAllowedChargingRateUnit": ("SmartChargingCtrlr", "RateUnit"),
    }
    asked = [{"component": {"name": variables[key][0]}, "variable": {"name": variables[key][1]}} for key in values]
    left = station.csms("GetVariables", getVariableData=asked)
    while left and left[0][:2] == ("charger", "GetConfiguration"):
        keys = [{"key": key, "readonly": False, "value": value} for key, value in values.items()]
        left = station.answers("charger", configurationKey=keys)
    ((_, kind, answer),) = left
    assert kind == "answer"
    return {
        each["variable"]["name"]: each.get("attributeValue", each["attributeStatus"])
        for each in answer["getVariableResult"]
    }


def test_q36_quoted_lists(station: Watched) -> None:
    found = configured(station, MeterValuesSampledData="\"Voltage\", Current.Import ,'SoC'")
    assert found == {"TxUpdatedMeasurands": "Voltage,Current.Import,SoC"}
    assert station.labels == ["cfg_list_repair"]


@pytest.mark.parametrize(
    ("written", "labels"), [("Power", []), ("W", ["enum_synonym"]), ("Current,W", ["enum_synonym"])]
)
def test_q37_rate_units(written: str, labels: list[str], station: Watched) -> None:
    found = configured(station, ChargingScheduleAllowedChargingRateUnit=written)
    assert found["RateUnit"].split(",")[-1] == "W"
    assert station.labels == labels


def test_answers_of_a_csms_are_told_as_its_own(station: Watched) -> None:
    station.charger("Heartbeat")
    station.answers("csms", currentTime="2025-03-01T10:00:00Z")
    station.charger("Authorize", idTag="04A1B2C3")
    assert station.answers("csms", idTokenInfo={"status": "accepted"}) == [
        ("charger", "answer", {"idTagInfo": {"status": "Accepted"}})
    ]
    assert station.seen == [("enum_case", "csms")]
