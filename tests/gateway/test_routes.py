"""Routes: first match wins, whatever the case; what is learned at boot, canaries, overrides, who may do what."""

from __future__ import annotations

import pytest

from gateway.config import Canary, RouteConfig, Upstream, When
from gateway.registry import Charger
from gateway.routes import Facts, NoRoute, Override, Routes, chosen, facts_of

ROUTES = Routes(
    [
        RouteConfig(match="DE-*", primary="berlin", mirrors=("archive",), primary_down="buffer"),
        RouteConfig(match="CP[0-9]?", primary="lab"),
        RouteConfig(match="de-berlin-1", primary="never"),
        RouteConfig(match=("Exact|1", r"re:FR-\d{2}|IT.*"), primary="paris"),
    ]
)


@pytest.mark.parametrize(
    ("charger", "primary"),
    [
        ("DE-1", "berlin"),
        ("de-berlin-1", "berlin"),
        ("cp12", "lab"),
        ("CP1x", "lab"),
        ("exact|1", "paris"),
        ("fr-12", "paris"),
        ("itaca", "paris"),
    ],
)
def test_first_match_wins(charger: str, primary: str) -> None:
    assert ROUTES.of(charger).primary == primary


def test_policies_come_with_the_route() -> None:
    route = ROUTES.of("DE-1")
    assert (route.upstreams, route.primary_down, route.hold) == (("berlin", "archive"), "buffer", 20)


@pytest.mark.parametrize("charger", ["FR-1", "FR-123", "CP1", "CP123", "", "DE"])
def test_no_route(charger: str) -> None:
    with pytest.raises(NoRoute):
        ROUTES.of(charger)


def test_what_a_charger_is_counts_once_it_is_known() -> None:
    routes = Routes(
        [
            RouteConfig(when=When(vendor="acme*", firmware=r"re:1\.\d"), primary="new"),
            RouteConfig(when=When(version="ocpp2*"), primary="modern"),
            RouteConfig(primary="old"),
        ]
    )
    assert routes.conditional
    assert not ROUTES.conditional
    assert routes.of("CP1").primary == "old"
    assert routes.of("CP1", Facts("ACME Ltd", "X", "1.4", "ocpp1.6")).primary == "new"
    assert routes.of("CP1", Facts("ACME Ltd", "X", "1.4.2", "ocpp1.6")).primary == "old"
    assert routes.of("CP1", Facts("Other", "X", "1.4", "ocpp2.0.1")).primary == "modern"


def test_what_a_boot_says() -> None:
    old = b'{"chargePointVendor":"V","chargePointModel":"M","firmwareVersion":"1"}'
    assert facts_of("ocpp1.6", old) == Facts("V", "M", "1", "ocpp1.6")
    new = b'{"reason":"PowerUp","chargingStation":{"vendorName":"V","model":"M"}}'
    assert facts_of("ocpp2.0.1", new) == Facts("V", "M", "", "ocpp2.0.1")
    assert facts_of("ocpp1.6", b"[]") == Facts(version="ocpp1.6")


IDS = [f"CP{number}" for number in range(2000)]


def test_a_canary_has_always_the_same_chargers() -> None:
    def at(percent: int) -> set[str]:
        routes = Routes(
            [RouteConfig(primary="old", mirrors=("copy", "new"), canary=Canary(upstream="new", percent=percent))]
        )
        return {id for id in IDS if routes.of(id).primary == "new"}

    assert at(0) == set()
    assert at(10) < at(30) < at(100) == set(IDS)
    assert 150 <= len(at(10)) <= 250
    assert {id for id in IDS if chosen(id.casefold(), "new", 10)} != {
        id for id in IDS if chosen(id.casefold(), "x", 10)
    }
    routes = Routes([RouteConfig(primary="old", mirrors=("copy", "new"), canary=Canary(upstream="new", percent=100))])
    assert routes.of("CP1").upstreams == ("new", "copy", "old")


def test_overrides_come_before_the_routes() -> None:
    file = [RouteConfig(match="DE-*", primary="old", mirrors=("new",)), RouteConfig(primary="old", hold=7)]
    said = [
        Override("DE-1", "third", mirror_old=False),
        Override("DE-*", "new"),
        Override("*", "gone"),
        Override("*", "new", percent=50),
    ]
    routes = Routes(file, said, ["old", "new", "third"])
    assert [each.primary for each in routes.overrides] == ["third", "new", "new"]
    assert routes.of("de-1").upstreams == ("third", "new")
    assert routes.of("DE-2").upstreams == ("new", "old")
    assert {routes.of(id).upstreams for id in IDS} == {("old",), ("new", "old")}
    assert routes.of("CP1").hold == 7
    back = Routes(file, [Override("*", "old")], ["old", "new"])
    assert back.of("DE-1").upstreams == ("old", "new")


def test_what_an_override_had_stays_a_mirror_of_its_chargers() -> None:
    said = Override("*", "old", also=(("new", 30), ("gone", 100)))
    routes = Routes([RouteConfig(primary="old")], [said], ["old", "new"])
    both = {id for id in IDS if routes.of(id).upstreams == ("old", "new")}
    assert both == {id for id in IDS if chosen(id.casefold(), "new", 30)}
    assert {routes.of(id).upstreams for id in IDS if id not in both} == {("old",)}


def test_a_primary_that_answers_or_owns_something_stays() -> None:
    file = [RouteConfig(primary="old", authority={"Authorize": "old"})]
    assert Routes(file, [Override("*", "new", mirror_old=False)]).of("CP1").upstreams == ("new", "old")


def test_who_answers() -> None:
    route = Routes(
        [RouteConfig(primary="a", mirrors=("b",), authority={"StartTransaction": "b", "Heartbeat": "a"})]
    ).of("CP1")
    answers = {action: route.answerer(action) for action in ("MeterValues", "StopTransaction", "Authorize")}
    assert answers == {"MeterValues": "b", "StopTransaction": "b", "Authorize": "a"}
    assert route.answerers == {"a", "b"}
    assert (route.role("a"), route.role("b"), ROUTES.of("CP11").role("lab")) == ("mirror", "primary", "only")


def test_what_is_answered_early() -> None:
    route = Routes(
        [RouteConfig(primary="a", answers={"billing": "early", "StopTransaction": "sync", "K1": "early"})]
    ).of("CP1")
    assert route.early("MeterValues", "K0")
    assert route.early("StatusNotification", "K1")
    assert not route.early("StopTransaction", "K0")
    assert not route.early("StartTransaction", "K0")
    assert not route.early("BootNotification", "K1")
    assert not route.early("Authorize", "K3")
    assert not route.early("Heartbeat", "K2")


def test_who_may_command() -> None:
    upstreams = {
        "a": Upstream(url="ws://a", version="ocpp1.6"),
        "b": Upstream(url="ws://b", version="ocpp2.0.1", may_command=("Reset",)),
        "c": Upstream(url="ws://c", version="ocpp1.6"),
        "d": Upstream(url="ws://d", version="ocpp1.6", may_command=False),
    }
    route = Routes([RouteConfig(primary="a", mirrors=("b", "c", "d"), commands={"RemoteStartTransaction": ("c",)})]).of(
        "CP1"
    )

    def may(name: str, action: str) -> bool:
        return route.may_command(name, upstreams[name], action)

    assert [may(name, "Reset") for name in upstreams] == [True, True, False, False]
    assert [may(name, "ClearCache") for name in upstreams] == [True, False, False, False]
    assert [may(name, "RemoteStartTransaction") for name in upstreams] == [False, False, True, False]
    assert may("b", "RequestStartTransaction") is False
    assert route.commanders(upstreams) == {"a", "b", "c"}
    assert not route.may_all("a", upstreams["a"]), "one command is another's"
    plain = Routes([RouteConfig(primary="a", mirrors=("b", "c", "d"))]).of("CP1")
    assert [plain.may_all(name, upstreams[name]) for name in upstreams] == [True, False, False, False]


def test_the_registry_places_a_charger() -> None:
    """By group, or by the name of a route before all others; a name that no route has counts for nothing."""
    chargers = {
        "cp1": Charger("CP1", group="North"),
        "cp2": Charger("CP2", route="special"),
        "cp3": Charger("CP3", group="south", route="gone"),
    }
    routes = Routes(
        [
            RouteConfig(groups=("north",), primary="a"),
            RouteConfig(name="special", match=(), primary="b"),
            RouteConfig(match="CP*", primary="c"),
        ],
        placed=chargers.get,
    )
    assert [routes.of(charger).primary for charger in ("CP1", "cp2", "CP3", "CP4")] == ["a", "b", "c", "c"]
    with pytest.raises(NoRoute):
        routes.of("X")
