"""The configuration written out reads back to the same, hides secrets and knows where each value came from."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from gateway.config import Config
from gateway.config_file import load, load_traced, load_upstream_argument
from gateway.config_keys import known, sections
from gateway.config_print import FIXED, FREE, changed, described, fixed, flat, shown
from gateway.config_schema import document

FILE = """
upstreams:
  main:
    url: "wss://u:geheim@csms.example/ocpp"
    version: ocpp2.0.1
    passwords: {CP1: geheim1}
    may_command: [Reset]
    options: {tx_attempts: 3}
  legacy: {url: "ws://127.0.0.1:9200/ocpp", version: ocpp1.6, password_file: PASSWORD, stack_levels: [1, 5], linger: 1.5,
    forward: {except: [Heartbeat]}, username: "$${NAME}: #1"}
listen: [{port: 9005}, {port: 9006, host: 127.0.0.2, max_frame: 65536}]
redis: {url: "redis://user:geheim@redis:6379/0", replica_timeout: 250ms}
routes:
  - {match: ["CP*", "re:X.*"], primary: main, mirrors: [legacy], hold: 10}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "password").write_text("geheim2\n")
    path = tmp_path / "gateway.yaml"
    path.write_text(FILE.replace("PASSWORD", str(tmp_path / "password")))
    return path


def test_it_reads_back_to_the_same(file: Path) -> None:
    config = load(file, {})
    file.write_text(shown(config, reveal=True))
    assert load(file, {}) == config
    assert changed(config, load(file, {})) == []


def test_the_file_of_defaults_says_what_is_so_anyway(file: Path) -> None:
    config = load_upstream_argument("ocpp2.0.1=ws://127.0.0.1:9100/ocpp", {})
    text = described(config)
    file.write_text(text)
    assert load(file, {}) == config
    keys = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    assert len(keys) > 100 and "# TCP port; 0 takes a free one and logs it." in text
    assert "  ratio: 0.01" in keys, "no duration"


def test_secrets_are_hidden(file: Path) -> None:
    config = load(file, {})
    text = shown(config)
    assert "geheim" not in text and "***@redis:6379/0" in text
    assert shown(config, reveal=True).count("geheim") == 4
    assert "geheim" not in str(flat(config))


def test_each_value_knows_where_it_came_from(file: Path) -> None:
    environ = {"OCPPGW_LOG__LEVEL": "debug", "OCPPGW_CHARGER": "{call_timeout: 7}"}
    config, root = load_traced(file, environ)
    said = dict(line.split("  # ") for line in shown(config, origin=root).splitlines() if "  # " in line)
    found = {key.split(":")[0].strip() + ":" + key.split(":", 1)[1].strip(): why for key, why in said.items()}
    assert found["level:debug"] == "OCPPGW_LOG__LEVEL"
    assert found["call_timeout:7s"] == "OCPPGW_CHARGER"
    assert found["format:auto"] == "default"
    assert found["username:u"] == "derived"
    assert found["hold:10s"] == f"{file}:14"
    assert found["max_frame:64KiB"] == f"{file}:11"
    assert found["password:'***(<=8)'"].startswith(f"{file}:9, from ")


def test_what_differs_and_what_needs_a_restart(file: Path) -> None:
    old = load(file, {})
    file.write_text(
        file.read_text().replace("9005", "9007").replace("geheim1", "geheim3").replace("hold: 10", "hold: 5")
    )
    assert changed(old, load(file, {})) == ["upstreams.main.passwords.cp1", "listen[0].port", "routes[0].hold"]
    assert fixed("listen[0].port") == "its sockets are open" and not fixed("routes[0].hold")
    assert fixed("admin.port") and not fixed("admin.tokens[0].hash") and not fixed("admin.tokens")


def test_the_schema_takes_what_the_program_takes(file: Path) -> None:
    schema = json.loads(document())
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    for text in (FILE, shown(load(file, {}), reveal=True), described(load(file, {}))):
        assert not list(validator.iter_errors(yaml.safe_load(text)))
    assert [error.json_path for error in validator.iter_errors({"listen": {"prot": 1}, "log": {"level": "all"}})]
    sections = schema["properties"]
    assert [key for key, part in sections.items() if part.get("x-restart")] == ["registry", "redis", "vault"]
    assert [key for key, part in sections["admin"]["properties"].items() if part.get("x-restart")] == ["host", "port"]
    one, many = sections["listen"]["anyOf"]
    for listen in (one["properties"], many["items"]["properties"]):
        assert listen["port"]["x-restart"] and "x-restart" not in listen["max_connections"]


def test_every_key_can_change_or_says_why_not() -> None:
    """What is put in force is said here; e2e/test_reload.py shows it."""
    live = {"upstreams", "routes", "charger", "quirks", "limits", "log", "metrics", "tracing", "drain"}
    assert set(Config.__struct_fields__) == live | set(FIXED)
    keys = [key.path for section in sections() for key in section.keys]
    assert {key for key in FREE if key not in keys} == {"admin.tokens"}, "that is a list of sections"
    for key in keys:
        assert bool(fixed(key)) == (key.partition(".")[0].partition("[")[0] in FIXED and not key.startswith(FREE)), key


def test_keys_are_found_by_name() -> None:
    assert [each.path for each in known("upstreams.main.url")] == ["upstreams.<name>.url"]
    assert [each.path for each in known("upstreams.url")] == ["upstreams.<name>.url"]
    assert [each.path for each in known("routes[3].hold")] == ["routes[0].hold"]
    assert "listen.tls.cert" in [each.path for each in known("listen")]
    assert len(known("")) == sum(len(section.keys) for section in sections())
    assert known("nothing") == []
