"""Proxies of others, for comparison: started as their documentation says, with one worker, on the core of what is measured."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeAlias

from .processes import GATEWAY_CORE, ROOT, Failed, Process, free_port, running

PEERS = ROOT / ".peers"
READY_S = 20.0


class Missing(Exception):
    """The peer is not installed; the message says how it would be."""


Peer: TypeAlias = Callable[[str, Path | None], AbstractContextManager[tuple[Process, str]]]
"""(URL of the CSMS, certificate with key for TLS towards the chargers) -> its process and the URL for chargers."""


def _found(program: str) -> str:
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if path is None:
        raise Missing(f"{program} is not on PATH")
    return path


def _listens(process: Process, port: int) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        if process.popen.poll() is not None:
            break
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise Failed(f"{process.name} does not listen: {process.last_words() or 'nothing said'}")


@contextlib.contextmanager
def _configured(
    name: str, files: Callable[[Path, int], dict[str, str]], command: Callable[[Path], list[str]]
) -> Iterator[tuple[Process, int]]:
    """A program with configuration files in a directory of its own; yields it and its port."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as path:
        directory, port = Path(path), free_port()
        for file, text in files(directory, port).items():
            (directory / file).write_text(text)
        process = Process(name, command(directory), GATEWAY_CORE, log=directory / "log", cwd=directory)
        with running(process):
            _listens(process, port)
            yield process, port


NGINX = """daemon off; master_process off; worker_processes 1; worker_rlimit_nofile 20000;
pid {directory}/pid; error_log stderr error;
events {{ worker_connections 16000; }}
http {{
  access_log off; client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
  server {{
    listen 127.0.0.1:{port} {ssl} backlog=4096;
    location / {{
      proxy_pass http://{csms}; proxy_http_version 1.1; proxy_read_timeout 1h; proxy_send_timeout 1h;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
    }}
  }}
}}
"""


@contextlib.contextmanager
def nginx(csms: str, certificate: Path | None = None) -> Iterator[tuple[Process, str]]:
    """One worker. Raises Missing, Failed."""
    program = _found("nginx")
    ssl = "" if certificate is None else "ssl"

    def files(directory: Path, port: int) -> dict[str, str]:
        text = NGINX.format(directory=directory, port=port, csms=csms.removeprefix("ws://"), ssl=ssl)
        if certificate is not None:
            text = text.replace(
                "location /", f"ssl_certificate {certificate}; ssl_certificate_key {certificate};\n    location /", 1
            )
        return {"nginx.conf": text}

    arguments = lambda directory: [program, "-p", str(directory), "-c", str(directory / "nginx.conf")]  # noqa: E731
    with _configured("nginx", files, arguments) as (process, port):
        yield process, f"{'ws' if certificate is None else 'wss'}://127.0.0.1:{port}/ocpp"


HAPROXY = """global
  maxconn 9900
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
frontend chargers
  bind 127.0.0.1:{port} backlog 4096 {ssl}
  default_backend csms
backend csms
  server csms {csms}
"""


@contextlib.contextmanager
def haproxy(csms: str, certificate: Path | None = None) -> Iterator[tuple[Process, str]]:
    """One thread. Raises Missing, Failed."""
    program = _found("haproxy")
    ssl = "" if certificate is None else f"ssl crt {certificate}"
    files = lambda _, port: {"cfg": HAPROXY.format(port=port, csms=csms.removeprefix("ws://"), ssl=ssl)}  # noqa: E731
    with _configured("haproxy", files, lambda directory: [program, "-db", "-f", str(directory / "cfg")]) as (
        process,
        port,
    ):
        yield process, f"{'ws' if certificate is None else 'wss'}://127.0.0.1:{port}/ocpp"


@contextlib.contextmanager
def ocpp_broker(csms: str, certificate: Path | None = None) -> Iterator[tuple[Process, str]]:
    """ocpp-broker with its defaults: relay to one backend, a log line per frame. Raises Missing, Failed."""
    program = PEERS / "ocpp-broker" / "bin" / "ocpp-broker-server"
    if certificate is not None or not program.exists():
        raise Missing("ocpp-broker is not in .peers: tests/peers/install.sh bench")

    def files(_: Path, port: int) -> dict[str, str]:
        backend = {"id": "main", "url": f"{csms}/ocpp", "leader": True}
        organizations = [{"name": "ocpp", "connect_to_backend": True, "backends": [backend], "chargers": []}]
        return {
            "config.yaml": json.dumps({"broker": {"host": "127.0.0.1", "port": port}, "organizations": organizations})
        }

    with _configured(
        "ocpp-broker", files, lambda directory: [str(program), "-c", str(directory / "config.yaml")]
    ) as found:
        yield found[0], f"ws://127.0.0.1:{found[1]}/ocpp"


@contextlib.contextmanager
def ocpp_rpc(csms: str, certificate: Path | None = None) -> Iterator[tuple[Process, str]]:
    """A proxy of the npm package ocpp-rpc. Raises Missing, Failed."""
    modules = PEERS / "npm" / "node_modules"
    if certificate is not None or not (modules / "ocpp-rpc").exists():
        raise Missing("ocpp-rpc is not in .peers: tests/peers/install.sh")
    command = [_found("env"), f"NODE_PATH={modules}", _found("node"), str(Path(__file__).with_name("rpc_proxy.js"))]
    with running(Process("ocpp-rpc", [*command, f"{csms}/ocpp"], GATEWAY_CORE, quiet=True)) as process:
        yield process, f"ws://127.0.0.1:{process.hear(READY_S)['port']}/ocpp"


@contextlib.contextmanager
def ocpp_package(csms: str, certificate: Path | None = None) -> Iterator[tuple[Process, str]]:
    """A proxy of the `ocpp` package over uvloop, without validation. Raises Failed."""
    if certificate is not None:
        raise Missing("it has no TLS of its own")
    with running(Process.module("ocpp_proxy", GATEWAY_CORE, csms, quiet=True)) as process:
        yield process, f"ws://127.0.0.1:{process.hear(READY_S)['port']}/ocpp"


@contextlib.contextmanager
def bare(csms: str, certificate: Path | None = None) -> Iterator[tuple[Process, str]]:
    """The yardstick, see `proxy`. Raises Failed."""
    if certificate is not None:
        raise Missing("it has no TLS of its own")
    with running(Process.module("proxy", GATEWAY_CORE, csms, quiet=True)) as process:
        yield process, f"ws://127.0.0.1:{process.hear(READY_S)['port']}/ocpp"


@contextlib.contextmanager
def floor(csms: str, *how: str) -> Iterator[tuple[Process, str]]:
    """See `floor`. Raises Failed."""
    with running(Process.module("floor", GATEWAY_CORE, csms, *how, quiet=True)) as process:
        yield process, f"ws://127.0.0.1:{process.hear(READY_S)['port']}/ocpp"


YARDSTICK = "yardstick (websockets asyncio)"
ALL: dict[str, Peer] = {
    "nginx": nginx,
    "haproxy": haproxy,
    YARDSTICK: bare,
    "ocpp-broker 0.4": ocpp_broker,
    "npm ocpp-rpc": ocpp_rpc,
    "`ocpp` package as a proxy": ocpp_package,
}


def version_of(name: str) -> str:
    """What is installed of a peer, as it says itself; "" if it is not."""
    with contextlib.suppress(Missing, OSError, subprocess.SubprocessError, ValueError, KeyError):
        if name in ("nginx", "haproxy"):
            said = subprocess.run([_found(name), "-v"], capture_output=True, text=True, timeout=10)
            return (
                (said.stdout + said.stderr)
                .split("version")[1]
                .split("\n")[0]
                .strip(" :/")
                .removeprefix("nginx/")
                .split()[0]
            )
        if name == "ocpp-broker":
            program = PEERS / name / "bin" / "pip"
            said = subprocess.run([program, "show", name], capture_output=True, text=True, timeout=20)
            return next(line.split()[1] for line in said.stdout.splitlines() if line.startswith("Version"))
        if name == "ocpp-rpc":
            version: str = json.loads((PEERS / "npm" / "node_modules" / name / "package.json").read_text())["version"]
            return version
    return ""
