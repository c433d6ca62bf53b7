"""Listeners and registry in the configuration: one or several, and what contradicts itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import Config
from gateway.config_file import ConfigError, load
from tests.gateway.edge.authority import Authority

ONE = "upstreams:\n  a: {url: 'ws://a', version: ocpp1.6}\n"


def read(tmp_path: Path, text: str, environ: dict[str, str] | None = None) -> Config:
    (tmp_path / "F").write_text(ONE + text)
    return load(tmp_path / "F", environ or {})


def errors(tmp_path: Path, text: str, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text, environ)
    return [error.replace(f"{tmp_path}/", "") for error in caught.value.errors]


def test_one_listener_or_several(tmp_path: Path) -> None:
    assert [each.port for each in read(tmp_path, "").listen] == [9000]
    assert [each.port for each in read(tmp_path, "listen: {port: 1}").listen] == [1]
    several = read(
        tmp_path, "listen:\n  - {port: 1, subprotocols: [ocpp1.6]}\n  - {port: 2, subprotocols: [ocpp2.0.1, ocpp1.6]}\n"
    )
    assert [each.port for each in several.listen] == [1, 2]
    assert several.subprotocols == ("ocpp1.6", "ocpp2.0.1")
    assert several.max_connections == 40_000


def test_listeners_by_variables(tmp_path: Path) -> None:
    assert read(tmp_path, "", {"OCPPGW_LISTEN__TLS__ORGANIZATION": "x"}).listen[0].tls.organization == "x"
    listed = "listen:\n  - {port: 1}\n  - {port: 2}\n"
    assert [each.port for each in read(tmp_path, listed, {"OCPPGW_LISTEN__1__PORT": "7"}).listen] == [1, 7]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("listen:\n  - {port: 1}\n  - {prot: 2}\n", ["F:5: listen[1].prot: unknown key (did you mean port?)"]),
        ("listen:\n  - {port: 1}\n  - {port: 1}\n", ["F:5: listen[1].port: is the port of another listener already"]),
        ("listen: []\n", ["F:3: listen: must have at least one listener"]),
        ("listen: {security_profile: 4}\n", ["F:3: listen.security_profile: must be a whole number from 0 to 3, not '4'"]),
        (
            "listen: {security_profile: 1}\n",
            ["F:3: listen.security_profile: 1 needs the chargers' passwords: give registry.source file or redis"],
        ),
        (
            "registry: {source: redis}\nlisten: {security_profile: 2}\n",
            ["F:4: listen.security_profile: 2 is with TLS: give tls.cert and tls.key, or proxy.terminates_tls"],
        ),
        ("listen: {tls: {cert: none.pem}}\n", [
            "F:3: listen.security_profile: 0 is without TLS, but there is some; profile 2 is HTTP Basic over TLS",
            "F:3: listen.tls.cert: needs tls.key",
            "F:3: listen.tls.cert: none.pem cannot be read: No such file or directory",
        ]),
        (
            "listen: {allow_from: [10.0.0.0/40]}\n",
            [
                "F:3: listen.allow_from: '10.0.0.0/40' does not appear to be an IPv4 or IPv6 network: "
                "write addresses, networks such as 10.0.0.0/8, private or any"
            ],
        ),
        ("listen: {proxy: {protocol: true}}\n", ["F:3: listen.proxy.protocol: needs proxy.addresses: whom to believe"]),
        ("registry: {source: file}\n", ["F:3: registry.file: must name the file with the chargers"]),
        ("registry: {file: x}\n", [
            "F:3: registry.file: is for source: file",
            "F:3: registry.file: x cannot be read: No such file or directory",
        ]),
    ],
)  # fmt: skip
def test_what_is_wrong(text: str, expected: list[str], tmp_path: Path) -> None:
    assert sorted(errors(tmp_path, text)) == sorted(expected)


def test_a_key_that_does_not_fit_its_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    one, other = authority.issue("a"), authority.issue("b")
    tls = f"{{cert: {one.cert}, key: {other.key}}}"
    found = errors(tmp_path, f"registry: {{source: redis}}\nlisten: {{security_profile: 2, tls: {tls}}}\n")
    assert len(found) == 1
    assert found[0].startswith("F:4: listen.tls.cert: the certificates, keys and revocation lists cannot be used")
    tls = f"{{cert: {one.cert}, key: {one.key}}}"
    assert (
        read(tmp_path, f"registry: {{source: redis}}\nlisten: {{security_profile: 2, tls: {tls}}}\n").listen[0].scheme
        == "wss"
    )
    found = errors(tmp_path, f"listen: {{security_profile: 3, tls: {tls}}}\n")
    assert found == [
        "F:3: listen.security_profile: 3 needs tls.client_ca: the roots that issue the chargers' certificates"
    ]


def test_a_registry_with_mistakes(tmp_path: Path) -> None:
    (tmp_path / "chargers.yaml").write_text("CP1: {passwort: x}\nCP2: {versions: ocpp9}\n")
    found = errors(tmp_path, f"registry: {{source: file, file: {tmp_path}/chargers.yaml}}\n")
    assert found == [
        "F:3: registry.file: chargers.yaml: CP1: unknown key passwort (did you mean password?)",
        "F:3: registry.file: chargers.yaml: CP2: versions: ocpp9 is none (did you mean ocpp2.1?)",
    ]
