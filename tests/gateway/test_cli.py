"""The command as a user runs it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

CONFIG = "upstreams:\n  main: {url: 'ws://csms/ocpp', version: ocpp2.0.1}\n"


def run(*arguments: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {key: text for key, text in os.environ.items() if not key.upper().startswith("OCPPGW_")}
    command = [str(Path(sys.executable).with_name("ocpp-gateway")), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=clean | environ, timeout=30)


def test_version(tmp_path: Path) -> None:
    from gateway import __version__

    done = run("--version", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"ocpp-gateway {__version__}\n")
    told = json.loads(run("version", "--json", cwd=tmp_path).stdout)
    assert told["version"] == __version__ and told["python"].startswith("3.")
    assert run("version", cwd=tmp_path).stdout.startswith(f"ocpp-gateway {__version__} (Python 3.")


@pytest.mark.parametrize("command", ["", "run", "check-config", "translate", "demo"])
def test_help(tmp_path: Path, command: str) -> None:
    done = run(*command.split(), "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "Usage: ocpp-gateway" in done.stdout


@pytest.mark.parametrize("section", ["LISTEN", "ADMIN"])
def test_a_port_that_is_taken_is_one_line(tmp_path: Path, section: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = {"OCPPGW_LISTEN__PORT": "0", "OCPPGW_ADMIN__PORT": "0"}
        ports[f"OCPPGW_{section}__PORT"] = str(taken.getsockname()[1])
        done = run("run", "--upstream", "ocpp1.6=ws://127.0.0.1:9/x", cwd=tmp_path, **ports)
    last = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, done.stderr, last["event"]) == (1, "", "cannot_listen")
    assert "address already in use" in last["reason"]


def test_check_config(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(CONFIG)
    done = run("check-config", "good.yaml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "good.yaml: ok: upstreams main (ocpp2.0.1); 1 route; drains within 225 s\n"


def test_check_config_tells_every_error(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(CONFIG + "listen: {prot: 1}\nlog: {level: all}\n")
    done = run("check-config", "bad.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "bad.yaml:3: listen.prot: unknown key (did you mean port?)",
        "bad.yaml:4: log.level: 'all' is not allowed (known: debug, error, info, warning)",
    ]


def test_check_config_of_one_role(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(CONFIG)
    done = run("check-config", "--role", "edge", "good.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert "good.yaml:1: redis.url: embedded serves one process" in done.stderr
    assert run("check-config", "--role", "edge", "--role", "hub", "good.yaml", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give a file (--config gateway.yaml) or a CSMS"),
        (["--config", "none.yaml"], "none.yaml:1: file: cannot be read"),
        (["--upstream", "ws://host"], "--upstream: ws://host: write VERSION=URL"),
        (["--upstream", "ocpp1.6=ws://h", "--config", "x.yaml"], "give either it or --config"),
        (["--upstream", "ocpp1.6=ws://h", "--role", "hub"], "redis.url: embedded serves one process"),
    ],
)
def test_run_refuses_without_a_stack_trace(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = run("run", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_config_from_the_environment(tmp_path: Path) -> None:
    done = run("run", cwd=tmp_path, OCPPGW_CONFIG="none.yaml")
    assert "none.yaml:1: file: cannot be read" in done.stderr


def test_light_commands_import_no_heavy_library(tmp_path: Path) -> None:
    code = (
        "import sys, gateway.cli.commands, gateway.cli.offline, gateway.config_file\n"
        "heavy = {'aiohttp', 'redis', 'prometheus_client', 'structlog', 'websockets', 'uvloop', 'asyncio'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, timeout=30)
    assert done.stdout.strip() == "[]", done.stderr
