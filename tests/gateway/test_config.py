"""Configuration: the contract's example, the environment, and bad files with their exact messages."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import Config
from gateway.config_file import ConfigError, load
from gateway.routes import Routes

CONTRACT = """\
listen:   {host: 127.0.0.1, port: 9000, subprotocols: [ocpp2.1, ocpp2.0.1, ocpp1.6, ocpp1.5]}
redis:    {url: embedded, data_dir: ./data}
admin:    {host: 127.0.0.1, port: 9001}
upstreams:
  main:   {url: "ws://127.0.0.1:9100/ocpp", version: ocpp2.0.1}
  legacy: {url: "ws://127.0.0.1:9200/ocpp", version: ocpp1.6}
routes:
  - {match: "*", primary: main, mirrors: [legacy]}
"""

ONE = "upstreams:\n  main: {url: 'ws://csms/ocpp', version: ocpp2.0.1}\n"


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "gateway.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def errors(path: Path | None, environ: dict[str, str] | None = None, roles: str = "edge hub") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(path, environ or {}, frozenset(roles.split()))
    return [line.replace(f"{path}:", "F:") for line in caught.value.errors]


def test_contract_example(tmp_path: Path) -> None:
    config = load(write(tmp_path, CONTRACT), {})
    assert [listen.port for listen in config.listen] == [9000]
    assert config.upstreams["legacy"].version == "ocpp1.6"
    route = Routes(config.routes).of("CP1")
    assert (route.primary, route.mirrors, route.primary_down) == ("main", ("legacy",), "close")


def test_smallest_file_routes_everything_to_its_upstream(tmp_path: Path) -> None:
    config = load(write(tmp_path, ONE), {})
    assert Routes(config.routes).of("CP1").upstreams == ("main",)
    assert (config.redis.url, config.redis.partitions, config.drain.timeout) == ("embedded", 64, 10)


BAD = [
    ("listn: {port: 1}\n" + ONE, ["F:1: listn: unknown key (did you mean listen?)"]),
    (
        "listen: {prot: 1}\n" + ONE,
        ["F:1: listen.prot: unknown key (did you mean port?)"],
    ),
    (
        "listen: {port: 90000}\n" + ONE,
        ["F:1: listen.port: must be a whole number from 0 to 65535, not '90000'"],
    ),
    (
        ONE + "listen:\n  port: 1\n  port: 2\n",
        ["F:5: listen.port: given twice, first at F:4"],
    ),
    ("", ["F:1: upstreams: must name at least one CSMS, such as main: {url: ..., version: ...}"]),
    ("upstreams: [a]\n", [
        "F:1: upstreams: must be a mapping of names, not a list",
        "F:1: upstreams: must name at least one CSMS, such as main: {url: ..., version: ...}",
    ]),
    ("listen: {port: 1\n", ["F:2: yaml: expected ',' or '}', but got '<stream end>'"]),
    ("a: b: c\n", ["F:1: yaml: mapping values are not allowed here"]),
    (
        "upstreams:\n  main:\n    version: ocpp1.7\n",
        [
            "F:2: upstreams.main.url: missing, and it has no default",
            "F:3: upstreams.main.version: 'ocpp1.7' is not allowed (did you mean ocpp1.6?)",
        ],
    ),
    (
        "upstreams:\n  main: {url: 'http://csms', version: ocpp1.6}\n",
        ["F:2: upstreams.main.url: must be a ws:// or wss:// address with a host, such as ws://127.0.0.1:9100/ocpp"],
    ),
    (
        "upstreams:\n  main: {url: 'ws://', version: ocpp1.6}\n",
        ["F:2: upstreams.main.url: must be a ws:// or wss:// address with a host, such as ws://127.0.0.1:9100/ocpp"],
    ),
    (
        "upstreams:\n  main: {url: 'ws://u:p@csms', password: x, version: ocpp1.6}\n",
        ["F:2: upstreams.main.url: has credentials, and username or password is given too; keep one of them"],
    ),
    (
        "upstreams:\n  session: {url: 'ws://csms', version: ocpp1.6}\n",
        ["F:2: upstreams.session: this name is taken by the gateway itself; choose another"],
    ),
    (
        "upstreams:\n  a: {url: 'ws://a', version: ocpp1.6}\n  b: {url: 'ws://b', version: ocpp1.6}\n",
        [
            "F:1: routes: several upstreams need a route; for example "
            'routes: [{match: "*", primary: a, mirrors: [b]}]'
        ],
    ),
    (
        ONE + "routes:\n  - {primary: mian}\n",
        ["F:4: routes[0].primary: no upstream has the name mian (did you mean main?)"],
    ),
    (
        ONE + "routes:\n  - primary: main\n    mirrors: [main, other]\n",
        [
            "F:5: routes[0].mirrors[0]: main is the primary of this route already",
            "F:5: routes[0].mirrors[1]: no upstream has the name other (known: main)",
        ],
    ),
    (
        ONE + "routes:\n  - {primary: main}\n  - {match: 'A*', primary: main}\n",
        ["F:4: routes[0].match: fits every charger; move this route to the end"],
    ),
    (
        ONE + "drain: {timeout: soon}\nlog: {level: chatty}\n",
        [
            "F:3: drain.timeout: must be a duration such as 30, 10s or 5m, not 'soon'",
            "F:4: log.level: 'chatty' is not allowed (known: debug, error, info, warning)",
        ],
    ),
    (ONE + "redis: {url: 'mysql://db'}\n", [
        "F:3: redis.url: must be embedded or begin with redis://, rediss://, redis+sentinel:// or unix://"
    ]),
    (ONE + "tracing: {endpoint: 'collector:4318'}\n", [
        "F:3: tracing.endpoint: must be an http:// or https:// address, such as http://collector:4318"
    ]),
    (ONE + "redis: {replicas: 1}\n", ["F:3: redis.replicas: is for a store of yours; the embedded one is alone"]),
    (ONE + "redis: {url: 'redis+sentinel://a,b/main', cluster: true}\n", [
        "F:3: redis.cluster: needs a redis:// or rediss:// address of its nodes"
    ]),
    (ONE + "redis: {url: '${NOT_SET}'}\n", [
        "F:3: redis.url: environment variable NOT_SET is not set (a default: ${NOT_SET:-value})"
    ]),
    (ONE + "redis: embedded\n", ["F:3: redis: must be a mapping of keys, not 'embedded'"]),
    (ONE + "admin: {port: 9000}\n", ["F:3: admin.port: is listen.port too; give one of them another port"]),
    (
        "upstreams:\n  main:\n    url: ws://a\n    version: ocpp1.6\n    options: {carry_lossy: customData}\n",
        ["F:5: upstreams.main.options: carry_lossy needs vendor_id, a reverse-DNS id such as org.example.gateway"],
    ),
    *(
        (
            f"upstreams:\n  main:\n    url: ws://a\n    version: ocpp2.0.1\n    options: {{topology: {topology}}}\n",
            [f"F:5: upstreams.main.options: topology: {why}"],
        )
        for topology, why in (
            ("{x: [1, 1]}", "x is no connectorId from 1 up"),
            ("{0: [1, 1]}", "0 is no connectorId from 1 up"),
            ("{1: [0, 1]}", "[0, 1] must be [evseId, connectorId] from 1 up, and of one connector only"),
            ("{1: [1, 1], 2: [1, 1]}", "[1, 1] must be [evseId, connectorId] from 1 up, and of one connector only"),
        )
    ),
    (
        "upstreams:\n  main:\n    url: ws://a\n    version: ocpp2.0.1\n    options:\n"
        "      features: [Core, Security]\n      idtoken_default_type: Centrall\n      boot_reason_default: Powerup\n",
        [
            "F:6: upstreams.main.options.features: no feature is called Security (did you mean security?)",
            "F:7: upstreams.main.options.idtoken_default_type: 'Centrall' is not allowed (did you mean Central?)",
            "F:8: upstreams.main.options.boot_reason_default: 'Powerup' is not allowed (did you mean PowerUp?)",
        ],
    ),
    (
        "upstreams:\n  main:\n    url: ws://a\n    version: ocpp1.6\n    options:\n      registered: true\n",
        [
            "F:6: upstreams.main.options.registered: is for `ocpp-gateway translate` only; "
            "a running gateway learns it from the charger"
        ],
    ),
    (
        "upstreams:\n  main:\n    url: ws://a\n    version: ocpp1.6\n    password: x\n    password_file: y\n",
        ["F:6: upstreams.main.password_file: password is given too (at F:5); keep one of them"],
    ),
    (
        "upstreams:\n  main:\n    url: ws://a\n    version: ocpp1.6\n    password_file: not/there\n",
        ["F:5: upstreams.main.password_file: not/there cannot be read: No such file or directory"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), BAD)
def test_bad_files(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert errors(write(tmp_path, text)) == expected


def test_all_errors_at_once_in_file_order(tmp_path: Path) -> None:
    found = errors(
        write(tmp_path, "listen: {port: x}\nupstreams:\n  a: {url: 'ws://a'}\nroutes:\n  - {primary: b}\nfoo: 1\n")
    )
    assert [line.split(": ")[:2] for line in found] == [
        ["F:1", "listen.port"],
        ["F:3", "upstreams.a.version"],
        ["F:5", "routes[0].primary"],
        ["F:6", "foo"],
    ]


@pytest.mark.parametrize("role", ["edge", "hub"])
def test_one_role_needs_a_server(tmp_path: Path, role: str) -> None:
    path = write(tmp_path, ONE)
    assert "redis.url: embedded serves one process" in errors(path, roles=role)[0]
    assert load(path, {"OCPPGW_REDIS__URL": "redis://db:6379/0"}, frozenset({role})).redis.url == "redis://db:6379/0"


@pytest.mark.parametrize("role", ["edge", "hub"])
def test_credentials_are_not_passed_on_between_processes(tmp_path: Path, role: str) -> None:
    path = write(tmp_path, ONE.replace("}", ", credentials: passthrough}"))
    environ = {"OCPPGW_REDIS__URL": "redis://db:6379/0"}
    [error] = errors(path, environ, roles=role)
    assert error.startswith("F:2: upstreams.main.credentials: passthrough needs both roles in one process")
    assert load(path, environ).upstreams["main"].authentication == "passthrough"
    sealed = environ | {"OCPPGW_VAULT__KEY": "ab" * 32}
    assert load(path, sealed, frozenset({role})).upstreams["main"].authentication == "passthrough"


def test_environment_wins_over_the_file(tmp_path: Path) -> None:
    config = load(
        write(tmp_path, CONTRACT),
        {
            "OCPPGW_LISTEN__PORT": "9999",
            "ocppgw_listen__subprotocols": "ocpp1.6, ocpp2.0.1",
            "OCPPGW_UPSTREAMS__MAIN__URL": "wss://csms:444/x/",
            "OCPPGW_UPSTREAMS__THIRD__URL": "ws://third",
            "OCPPGW_UPSTREAMS__THIRD__VERSION": "ocpp1.6",
            "OCPPGW_ROUTES__0__MIRRORS": "[legacy, third]",
            "OCPPGW_ROUTES__0__PRIMARY_DOWN": "buffer",
            "OCPPGW_CONFIG": "elsewhere.yaml",
            "UNRELATED": "1",
        },
    )
    assert config.listen[0].port == 9999
    assert config.subprotocols == ("ocpp1.6", "ocpp2.0.1")
    assert config.upstreams["main"].url == "wss://csms:444/x"
    assert config.routes[0].mirrors == ("legacy", "third")
    assert config.routes[0].primary_down == "buffer"


def test_environment_alone() -> None:
    config = load(None, {"OCPPGW_UPSTREAMS__MAIN__URL": "ws://a", "OCPPGW_UPSTREAMS__MAIN__VERSION": "ocpp1.6"})
    assert config.routes[0].primary == "main"
    routes = '[{match: "A*", primary: main}, {primary: main}]'
    both = {"OCPPGW_ROUTES": routes, "OCPPGW_UPSTREAMS__MAIN": '{url: "ws://a", version: ocpp1.6}'}
    assert [route.match for route in load(None, both).routes] == ["A*", "*"]


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (
            {"OCPPGW_REDIS_URL": "x"},
            ["OCPPGW_REDIS_URL: redis_url: unknown variable (did you mean OCPPGW_REDIS__URL?)"],
        ),
        ({"OCPPGW_REDSI__URL": "x"}, ["OCPPGW_REDSI__URL: redsi: unknown key (did you mean redis?)"]),
        (
            {"OCPPGW_LISTEN__PORT": "x"},
            ["OCPPGW_LISTEN__PORT: listen.port: must be a whole number from 0 to 65535, not 'x'"],
        ),
        ({"OCPPGW_ROUTES__3__PRIMARY": "main"}, None),
    ],
)
def test_bad_environment(tmp_path: Path, environ: dict[str, str], expected: list[str] | None) -> None:
    path = write(tmp_path, ONE + "routes: [{primary: main}]\n")
    found = errors(path, environ)
    assert found == (expected or ["OCPPGW_ROUTES__3__PRIMARY: routes.3.primary: 3 is no position in a list of 1"])


def test_variables_of_kubernetes_services_are_ignored(tmp_path: Path) -> None:
    environ = {
        "OCPPGW_PORT": "tcp://10.0.0.1:9000",
        "OCPPGW_SERVICE_HOST": "10.0.0.1",
        "OCPPGW_PORT_9000_TCP_ADDR": "10.0.0.1",
        "OCPPGW_ADMIN_PORT": "tcp://10.0.0.1:9001",
    }
    assert load(write(tmp_path, ONE), environ).admin.port == 9001


def test_substitution_and_secrets(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    text = (
        "upstreams:\n  main:\n    url: ws://${HOST:-nowhere}:${PORT}/$${x}\n    version: ocpp1.6\n"
        f"    username: gw\n    password_file: {secret}\n"
    )
    upstream = load(write(tmp_path, text), {"PORT": "81"}).upstreams["main"]
    assert (upstream.url, upstream.username, upstream.password) == ("ws://nowhere:81/${x}", "gw", "s3cret")
    assert "s3cret" not in repr(upstream)


def test_credentials_leave_the_url(tmp_path: Path) -> None:
    text = "upstreams:\n  main: {url: 'wss://gw:a%40b@csms:8443/ocpp/', version: ocpp1.6}\n"
    upstream = load(write(tmp_path, text), {}).upstreams["main"]
    assert (upstream.url, upstream.username, upstream.password) == ("wss://csms:8443/ocpp", "gw", "a@b")
    upstream = load(write(tmp_path, text.replace("a%40b", "a%ffb")), {}).upstreams["main"]
    assert upstream.password == "hex:61ff62", "bytes that are no text"


@pytest.mark.parametrize(
    ("text", "seconds"), [("5", 5), ("0.5", 0.5), ("500ms", 0.5), ("10s", 10), ("5m", 300), ("2h", 7200)]
)
def test_durations(tmp_path: Path, text: str, seconds: float) -> None:
    assert load(write(tmp_path, f"{ONE}drain: {{timeout: {text}}}\n"), {}).drain.timeout == seconds


def test_a_part_is_no_duration(tmp_path: Path) -> None:
    assert load(write(tmp_path, f"{ONE}tracing: {{ratio: 0.5}}\n"), {}).tracing.ratio == 0.5
    for text in ("500ms", "1.5", "nan", "-1"):
        wrong = errors(write(tmp_path, f"{ONE}tracing: {{ratio: {text}}}\n"))
        assert wrong == [f"F:3: tracing.ratio: must be a number from 0 to 1, not '{text}'"]


def test_yaml_words_and_anchors(tmp_path: Path) -> None:
    text = (
        "upstreams:\n  a: &a\n    url: ws://a\n    version: ocpp1.6\n    password: 0123\n"
        "    options: {carry_lossy: off, topology: {1: [1, 1], 2: [1, 2]}}\n"
        "  b:\n    <<: *a\n    url: ws://b\nroutes: [{primary: a, mirrors: [b]}]\nredis: {accept_data_loss: yes}\nlog:\n"
    )
    config = load(write(tmp_path, text), {"OCPPGW_UPSTREAMS__B__VERSION": "ocpp2.0.1"})
    a, b = config.upstreams.values()
    assert (a.password, a.options.carry_lossy, a.version, b.version) == ("0123", "off", "ocpp1.6", "ocpp2.0.1")
    assert b.options.topology == {"1": (1, 1), "2": (1, 2)}
    assert config.redis.accept_data_loss


@pytest.mark.parametrize("text", ["a: &a [*a]\n", "[" * 3000, "x: " + "{a: " * 50 + "}" * 50])
def test_hostile_yaml_is_an_error_only(tmp_path: Path, text: str) -> None:
    assert errors(write(tmp_path, text))


def test_upstream_argument() -> None:
    config = Config.from_upstream_argument("ocpp2.0.1=ws://host:9100/path")
    assert config.upstreams["main"].url == "ws://host:9100/path"
    assert config.routes[0].primary == "main"
    assert Config.from_upstream_argument("ocpp1.6=ws://h", {"OCPPGW_LISTEN__PORT": "0"}).listen[0].port == 0
    for bad in ("ws://host", "ocpp3=ws://host", "ocpp1.6=http://host"):
        with pytest.raises(ConfigError, match="--upstream: "):
            Config.from_upstream_argument(bad)


def test_unreadable_file(tmp_path: Path) -> None:
    assert errors(tmp_path / "none.yaml") == ["F:1: file: cannot be read: No such file or directory"]
