"""The local authorization list of a 1.6 charger."""

from __future__ import annotations

from typing import Any

import pytest

from translators.facts import Key, LocalList

from .station import Station, answered


def entry(id_tag: str, status: str | None = "Accepted", kind: str = "ISO14443", **info: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"idToken": {"idToken": id_tag, "type": kind}}
    if status is not None:
        made["idTokenInfo"] = {"status": status} | info
    return made


def send(s: Station, version: int, *entries: dict[str, Any], update: str = "Full") -> list[Any]:
    listed = {"localAuthorizationList": list(entries)} if entries else {}
    return s.csms("SendLocalList", versionNumber=version, updateType=update, **listed)


@pytest.mark.parametrize(("version", "number"), [(-1, 0), (0, 0), (7, 7)])
def test_version(version: int, number: int) -> None:
    s = Station()
    assert s.csms("GetLocalListVersion") == [("charger", "GetLocalListVersion", {})]
    assert s.answers("charger", listVersion=version) == answered(versionNumber=number)


def test_a_charger_without_lists_has_version_zero() -> None:
    s = Station()
    s.csms("GetLocalListVersion")
    assert s.refuses("charger", "NotSupported") == answered(versionNumber=0)
    assert s.csms("GetLocalListVersion") == answered(versionNumber=0)


def test_entries() -> None:
    s = Station()
    left = send(
        s,
        3,
        entry("A1", "NoCredit", groupIdToken={"idToken": "G", "type": "Central"}),
        entry("B2", None),
        entry("C" * 21),
        entry("D4", "ConcurrentTx", cacheExpiryDateTime="2026-01-01T00:00:00Z"),
        entry("E5", evseId=[1]),
        entry("F6", evseId=[1, 2]),
        entry("a1", "Accepted", "Central"),
        update="Differential",
    )
    assert left[0][2]["localAuthorizationList"] == [
        {"idTag": "B2"},
        {"idTag": "D4", "idTagInfo": {"status": "Accepted", "expiryDate": "2026-01-01T00:00:00Z"}},
        {"idTag": "F6", "idTagInfo": {"status": "Accepted"}},
        {"idTag": "a1", "idTagInfo": {"status": "Accepted"}},
    ]
    assert s.answers("charger", status="Accepted") == answered(status="Accepted")
    assert set(s.facts.local_list.entries) == {"d4", "f6", "a1"}
    assert {("localAuthorizationList", "folded"), ("localAuthorizationList", "dropped")} <= s.lost()


def test_a_restricted_entry_while_nobody_knows_the_evses() -> None:
    left = send(Station(connectors=0), 3, entry("E5", evseId=[1]), entry("F6"))
    accepted = {"idTag": "F6", "idTagInfo": {"status": "Accepted"}}
    assert left[0][2]["localAuthorizationList"] == [accepted]


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        ("Failed", {"status": "Failed"}),
        ("VersionMismatch", {"status": "VersionMismatch"}),
        ("NotSupported", {"status": "Failed", "statusInfo": {"reasonCode": "UnsupportedRequest"}}),
    ],
)
def test_status(status: str, answer: Any) -> None:
    s = Station()
    assert send(s, 1) == [("charger", "SendLocalList", {"listVersion": 1, "updateType": "Full"})]
    assert s.answers("charger", status=status) == answered(**answer)
    assert s.facts.local_list == LocalList()


def test_a_long_list_goes_in_parts() -> None:
    s = Station()
    s.facts.keys["SendLocalListMaxLength"] = Key(value="2", readonly=True)
    tags = [entry(f"T{number}") for number in range(5)]
    left = send(s, 9, *tags)
    seen = []
    while left[0][0] == "charger":
        payload = left[0][2]
        seen.append((payload["listVersion"], payload["updateType"], len(payload["localAuthorizationList"])))
        left = s.answers("charger", status="Accepted")
    assert seen == [(7, "Full", 2), (8, "Differential", 2), (9, "Differential", 1)]
    assert left == answered(status="Accepted")
    assert s.facts.local_list.version == 9
    too_many = answered(status="Failed", statusInfo={"reasonCode": "TooManyElements"})
    assert send(s, 2, *tags) == too_many
    assert send(s, 11, *tags, update="Differential") == too_many
