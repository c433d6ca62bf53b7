"""Policies of upstreams and routes: what they may say, and contradictions with their exact messages."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import Upstream
from gateway.config_file import ConfigError, load, load_watched

BASE = """\
upstreams:
  a: {url: "ws://a", version: ocpp1.6%s}
  b: {url: "wss://b", version: ocpp2.0.1%s}
routes:
  - {match: "*", primary: a, mirrors: [b]%s}
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "gateway.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def errors(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    return [line.replace(f"{path}:", "F:") for line in caught.value.errors]


EVERYTHING = """\
listen: {subprotocols: [ocpp1.6]}
upstreams:
  a:
    url: ws://a
    version: ocpp1.6
    charger_id: "fleet-{id}"
    charger_ids: {CP1: Pole-1, CP2: Pole-2}
    passwords: {CP1: secret1}
    password: other
    forward: {except: [DataTransfer]}
    meter_interval: 5m
    may_command: [Reset, RemoteStartTransaction]
    may_configure: [MeterValueSampleInterval]
    stack_levels: [0, 4]
    retention: 3d
    retention_bytes: 1GiB
    replay_from: 2026-11-01T00:00:00Z
  b: {url: "ws://b", version: ocpp2.0.1, may_command: no, shadow: true, stack_levels: [5, 9]}
  c: {url: "ws://c", version: ocpp1.6, credentials: passthrough}
routes:
  - match: [CP1, "DE-*", 're:FR-\\d{1,3}']
    when: {vendor: "A*", firmware: "1.*"}
    primary: a
    mirrors: [b, c]
    primary_down: local
    local: {authorize: accept, cache_ttl: 1h}
    deauthorise: no
    answers: {billing: early, StatusNotification: sync, K1: early}
    authority: {Authorize: c, StartTransaction: c, StopTransaction: c, DataTransfer: c}
    commands: {Reset: [a], ChangeConfiguration: c}
    charging_profiles: stack
    canary: {upstream: b, percent: 10}
  - {primary: c}
"""


def test_everything_that_can_be_said(tmp_path: Path) -> None:
    config = load(write(tmp_path, EVERYTHING), {})
    a, b, c = config.upstreams.values()
    assert (a.id_of("CP9"), a.id_of("cp1"), a.password_of("cP1"), a.password_of("CP9")) == (
        "fleet-CP9",
        "Pole-1",
        "secret1",
        "other",
    )
    assert (a.authentication, b.authentication, c.authentication) == ("basic", "none", "passthrough")
    assert (a.forward.allows("DataTransfer"), a.forward.allows("Heartbeat")) == (False, True)
    assert (a.meter_interval, a.may_command, a.may_configure, a.stack_levels) == (
        300,
        ("Reset", "RemoteStartTransaction"),
        ("MeterValueSampleInterval",),
        (0, 4),
    )
    assert (a.retention, a.retention_bytes, a.begins(0), b.begins(0)) == (3 * 86400, 2**30, "1793491200000-0", "$")
    assert (b.may_command, b.shadow, c.may_command) == (False, True, None)
    route = config.routes[0]
    assert route.patterns == ("CP1", "DE-*", r"re:FR-\d{1,3}")
    assert (route.when.vendor, route.when.model, route.local.cache_ttl, route.deauthorise) == ("A*", "", 3600, False)
    assert route.commands == {"Reset": ("a",), "ChangeConfiguration": ("c",)}
    assert "secret1" not in repr(config)


CONTRADICTIONS = [
    (
        "",
        "",
        ", authority: {StartTransaction: a, StopTransaction: b}",
        [
            "F:5: routes[0].authority.StopTransaction: b would answer for a transaction that a began: "
            "give StartTransaction and StopTransaction to the same upstream"
        ],
    ),
    (
        "",
        "",
        ", authority: {MeterValues: b}",
        [
            "F:5: routes[0].authority.MeterValues: b would answer for a transaction that a began: "
            "give StartTransaction and MeterValues to the same upstream"
        ],
    ),
    (
        "",
        "",
        ", authority: {Authorise: b, Heartbeat: c}",
        [
            "F:5: routes[0].authority.Authorise: no charger sends Authorise (did you mean Authorize?)",
            "F:5: routes[0].authority.Heartbeat: no upstream has the name c (known: a, b)",
        ],
    ),
    (
        "",
        ", forward: {only: [Heartbeat]}",
        ", authority: {Authorize: b}",
        ["F:5: routes[0].authority.Authorize: b does not get Authorize, by its forward"],
    ),
    (
        "",
        ", shadow: true",
        ", authority: {Authorize: b}",
        [
            "F:5: routes[0].authority.Authorize: b is a shadow: its answers are compared with those the charger gets, "
            "they cannot be these"
        ],
    ),
    (
        ", shadow: true",
        "",
        "",
        ["F:2: upstreams.a.shadow: is for a mirror: the answers of a primary are those that others are compared with"],
    ),
    (
        ", forward: {except: [Authorize, DataTransfer]}",
        "",
        ", authority: {DataTransfer: b}",
        [
            "F:5: routes[0].primary: a does not get Authorize by its forward, "
            "and no authority says who answers instead"
        ],
    ),
    (
        ", forward: {only: [Heartbeat], except: [StopTransaction, Stert]}",
        "",
        "",
        [
            "F:2: upstreams.a.forward: has only and except; keep one of them",
            "F:2: upstreams.a.forward.except: no charger sends Stert",
            "F:5: routes[0].primary: a does not get Authorize, BootNotification, ClearedChargingLimit and 25 more by its "
            "forward, and no authority says who answers instead",
        ],
    ),
    (
        ", forward: {except: [StopTransaction]}",
        "",
        ", authority: {StartTransaction: b}",
        [
            "F:2: upstreams.a.forward: StartTransaction and StopTransaction tell of one transaction: "
            "let both pass or none"
        ],
    ),
    (
        ", stack_levels: [0, 5]",
        ", stack_levels: [5, 9]",
        "",
        ["F:5: routes[0].charging_profiles: the stack_levels of a [0, 5] and b [5, 9] overlap"],
    ),
    (", stack_levels: [3, 1]", "", "", ["F:2: upstreams.a.stack_levels: must be [lowest, highest], from 0 up"]),
    (
        "",
        ", may_command: false",
        ", commands: {Reset: [b], SetVariables: [a, a], ChangeConfiguration: [a], Boot: [a], ClearCache: []}",
        [
            "F:5: routes[0].commands.Reset: b owns it, but its may_command forbids it",
            "F:5: routes[0].commands.SetVariables: names a twice",
            "F:5: routes[0].commands.ChangeConfiguration: is the same command as SetVariables, which has owners already",
            "F:5: routes[0].commands.Boot: no CSMS sends Boot",
            "F:5: routes[0].commands.ClearCache: names no upstream",
        ],
    ),
    (
        ", may_command: [Rest, RequestStartTransaction]",
        "",
        "",
        [
            "F:2: upstreams.a.may_command: a CSMS of ocpp1.6 sends no Rest (did you mean Reset?)",
            "F:2: upstreams.a.may_command: a CSMS of ocpp1.6 sends no RequestStartTransaction "
            "(did you mean RemoteStartTransaction?)",
        ],
    ),
    (
        "",
        "",
        ", canary: {upstream: bb, percent: 101}",
        [
            "F:5: routes[0].canary.percent: must be a whole number from 0 to 100, not '101'",
            "F:5: routes[0].canary.upstream: no upstream has the name bb (did you mean b?)",
        ],
    ),
    (
        "",
        "",
        ", canary: {upstream: a}",
        ["F:5: routes[0].canary.upstream: a is the primary of this route already"],
    ),
    ("", "", ", canary: {percent: 5}", [
        "F:5: routes[0].canary.percent: needs canary.upstream: the primary of these chargers"
    ]),
    (
        "",
        "",
        ", answers: {Authorize: early, live: early, StatusNotification: soon}",
        [
            "F:5: routes[0].answers.StatusNotification: 'soon' is not allowed (known: early, sync)",
            "F:5: routes[0].answers.Authorize: the answer is a decision of the CSMS: it cannot be given before",
            "F:5: routes[0].answers.live: is no action of a charger and no class",
        ],
    ),
    (
        "",
        "",
        ", local: {authorize: accept}",
        ["F:5: routes[0].local: has no effect with primary_down: close; say primary_down: local"],
    ),
    (
        "",
        "",
        ", primary_down: local, local: {authorize: deny, cache_ttl: 1h}",
        ["F:5: routes[0].local.cache_ttl: has no effect with authorize: deny, which lets nobody in"],
    ),
    (
        "",
        "",
        ", primary_down: local, local: {cache_ttl: 2d, boot_ttl: 1d}",
        [
            "F:5: routes[0].local.cache_ttl: is longer than boot_ttl: who may charge there would outlast the charger's own "
            "registration"
        ],
    ),
    (
        "",
        "",
        ", when: {vendor: X}",
        [
            "F:5: routes[0].when: every route has it, but what a charger is is known only after its first boot: "
            "end with a route without"
        ],
    ),
    (
        ", charger_id: pole, charger_ids: {x: p, X: q, y: P}",
        "",
        "",
        [
            "F:2: upstreams.a.charger_id: must contain {id}, or all chargers would be the same one there",
            "F:2: upstreams.a.charger_ids.X: is the same charger as x: identities differ by more than case",
            "F:2: upstreams.a.charger_ids.y: P is the id of x already",
        ],
    ),
    (
        ", password: 'hex:0g', passwords: {X: 'hex:00ff', y: 'hex:0'}",
        "",
        "",
        [
            "F:2: upstreams.a.password: after hex: come pairs of hex digits",
            "F:2: upstreams.a.passwords.y: after hex: come pairs of hex digits",
        ],
    ),
    (
        ", credentials: basic, ca_file: none.pem",
        ", credentials: passthrough, password: x",
        "",
        [
            "F:2: upstreams.a.credentials: basic needs password or passwords (or password_file, passwords_file)",
            "F:2: upstreams.a.ca_file: is for wss:// addresses",
            "F:2: upstreams.a.ca_file: none.pem cannot be read: No such file or directory",
            "F:3: upstreams.b.credentials: passthrough sends no user name or password of ours, but they are given",
        ],
    ),
    (
        "",
        ", credentials: certificate, client_key: k.pem, replay_from: yesterday",
        "",
        [
            "F:3: upstreams.b.credentials: certificate needs client_cert and client_key",
            "F:3: upstreams.b.client_key: needs client_cert",
            "F:3: upstreams.b.client_key: k.pem cannot be read: No such file or directory",
            "F:3: upstreams.b.replay_from: must be tail, start, a duration such as 7d, or a time such as 2026-11-01T00:00:00Z",
        ],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("a", "b", "route", "expected"), CONTRADICTIONS)
def test_contradictions(tmp_path: Path, a: str, b: str, route: str, expected: list[str]) -> None:
    assert errors(write(tmp_path, BASE % (a, b, route))) == expected


def test_patterns(tmp_path: Path) -> None:
    text = BASE.replace('match: "*"', "match: ['re:(', '']") % ("", "", "")
    found = errors(write(tmp_path, text))
    assert "F:5: routes[0].match: must name at least one pattern, and none may be empty" in found
    assert any(line.startswith("F:5: routes[0].match: re:( is no regular expression: ") for line in found)
    brackets = BASE.replace('match: "*"', "match: '[ab]*'") % ("", "", "")
    assert load(write(tmp_path, brackets), {}).routes[0].patterns == ("[ab]*",)


def test_passwords_of_a_file_are_watched(tmp_path: Path) -> None:
    passwords = tmp_path / "passwords.yaml"
    passwords.write_text("CP1: one\nCP2: 0123\n")
    path = write(tmp_path, BASE % (f", passwords_file: {passwords}", "", ""))
    config, files = load_watched(path, {})
    assert config.upstreams["a"].passwords == {"cp1": "one", "cp2": "0123"}
    assert files == {path, passwords}
    passwords.write_text("CP1: one\nCP1: two\n")
    assert errors(path) == [f"{passwords}:2: CP1: given twice, first at {passwords}:1"]


def test_where_a_new_upstream_begins() -> None:
    now = 1_800_000_000_000

    def begins(text: str) -> str:
        return Upstream(url="ws://x", version="ocpp1.6", replay_from=text).begins(now)

    assert (begins("tail"), begins("start")) == ("$", "0")
    assert begins("7d") == f"{now - 7 * 86_400_000}-0" and begins("1.5h") == f"{now - 5_400_000}-0"
    assert begins("2026-11-01T00:00:00+01:00") == begins("2026-10-31T23:00:00") == "1793487600000-0"
    assert begins("99999d") == "0-0"
