"""Which quirk profile a charger has."""

from __future__ import annotations

import re

import pytest

from gateway.config_quirks import QuirkProfile
from gateway.quirk_profiles import Profiles, shipped, sources
from gateway.routes import Facts


def test_what_ships_can_be_used() -> None:
    assert {name: each["seen"] for name, each in sources().items()}, "every one says where it was seen"
    for profile in shipped().values():
        assert profile.vendor or profile.model
        assert profile != QuirkProfile(profile.vendor, profile.model, profile.firmware), "it changes something"


@pytest.mark.parametrize(
    ("vendor", "name"),
    [
        ("JIGU", "jigu"),
        ("EN+", "en-plus"),
        ("EN+ Technologies", "en-plus"),
        ("FoxESS", "foxess"),
        ("TEISON", "teison"),
        ("Amperfied GmbH", "amperfied"),
        ("Vestel", "vestel"),
        ("sonnen", "sonnen"),
        ("ACME", ""),
        ("", ""),
        ("My JIGU", ""),
    ],
)
def test_by_vendor(vendor: str, name: str) -> None:
    assert Profiles({}).of("", Facts(vendor, "M", "1")) == shipped().get(name)
    assert Profiles({}).of("", None) is None


def test_own_profiles_come_first_and_every_condition_must_hold() -> None:
    own = {
        "new": QuirkProfile(vendor="jigu", firmware=r"2\..*", call_timeout=60),
        "jigu": QuirkProfile(vendor="jigu.*", repair="full"),
        "given": QuirkProfile(silence=3600),
    }
    profiles = Profiles(own)
    assert profiles.of("", Facts("JIGU", "M", "2.1")) == own["new"]
    assert profiles.of("", Facts("JIGU", "M", "1.9")) == own["jigu"], "in place of the one that ships"
    assert profiles.of("given", Facts("JIGU", "M", "2.1")) == own["given"], "the registry knows best"
    assert profiles.of("given", None) == own["given"]
    assert profiles.of("nonsense", Facts("JIGU", "M", "2.1")) == own["new"]
    assert profiles.of("", Facts("ACME")) is None, "one without a condition is only for those that are given it"


def test_a_bad_expression() -> None:
    with pytest.raises(re.error):
        Profiles({"bad": QuirkProfile(vendor="(")})
