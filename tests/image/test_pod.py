"""The chart's own pod, as Kubernetes would run it, by podman: its configuration, its rights, its drain."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.rendering import of, render
from tests.e2e.process import free_port

from .building import IMAGE, Machine
from .test_image import wait_for

pytestmark = [pytest.mark.image, pytest.mark.timeout(900)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[int]:
    """Port of a redis-server that keeps what it is told."""
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", tmp_path, "--appendonly", "yes"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    yield port
    process.terminate()
    process.wait(10)


def play(docs: list[dict[str, Any]], store: int) -> str:
    """What podman can play of the objects: the Deployment and its ConfigMaps, on the host's network."""
    deployment = of(docs, "Deployment")
    deployment["spec"]["replicas"] = 1
    pod = deployment["spec"]["template"]["spec"]
    pod["hostNetwork"] = True
    container = pod["containers"][0]
    container["image"] = IMAGE
    del container["ports"]
    for name in ("startupProbe", "livenessProbe", "readinessProbe"):  # they need systemd here
        del container[name]
    for each in container["env"]:
        if each["name"] == "OCPPGW_REDIS__URL":
            each["value"] = f"redis://127.0.0.1:{store}"
    return yaml.safe_dump_all([*(doc for doc in docs if doc["kind"] == "ConfigMap"), deployment])


def test_the_charts_pod_serves_a_charger(machine: Machine, store: int) -> None:
    port, admin = free_port(), free_port()
    docs = render(
        "minimal-values.yaml",
        sets=(
            f"config.listen.port={port}",
            f"config.admin.port={admin}",
            f"config.upstreams.main.url=ws://127.0.0.1:{free_port()}/ocpp",
            "config.drain.timeout=2s",
            "config.drain.delay=1s",
            "config.routes[0].primary=main",
            "config.routes[0].primary_down=buffer",
        ),
    )
    objects = play(docs, store)
    machine.podman("kube", "play", "-", text=objects)
    name = next(each for each in machine.podman("ps", "--format", "{{.Names}}").split() if each.endswith("-gateway"))
    wait_for(machine, name, f"--server=http://127.0.0.1:{admin}")
    command = [
        Path(sys.executable).with_name("ocpp-gateway"),
        "boot",
        f"ws://127.0.0.1:{port}/ocpp/CP1",
        "--timeout=10",
    ]
    booted = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert booted.returncode == 0, booted.stderr
    found = json.loads(machine.podman("inspect", name))[0]
    assert found["Config"]["User"].startswith("10001")
    assert found["HostConfig"]["ReadonlyRootfs"] is True
    machine.podman("stop", "--time", "30", name)
    assert machine.inspect(name)["State"]["ExitCode"] == 0
    machine.podman("kube", "down", "-", text=objects)
