"""The image built by buildah and run by podman, without a daemon and without a registry."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".image"
BASE, IMAGE = "localhost/base:bookworm", "localhost/ocpp-gateway:test"
RESTRICTED = ("--read-only", "--cap-drop=ALL", "--security-opt", "no-new-privileges", "--tmpfs", "/tmp")

# Without these podman wants systemd, limits that a sandbox may not set, and a network of its own.
CONTAINERS = """
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
netns = "host"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
"""


TOOLS = ("buildah", "podman", "runc", "conmon", "catatonit", "mmdebstrap", "unshare", "redis-server")
NEEDED_BYTES = 3 << 30
"""The base, the stages of the build and the image, each as a whole copy."""


class Unable(Exception):
    """This machine cannot build or run containers; the text says what it lacks."""


def lacks(directory: Path) -> str:
    """What containers need and this machine does not give: empty if there is nothing of the kind."""
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        return f"not on PATH: {', '.join(missing)} (apt-get install --no-install-recommends {' '.join(missing)})"
    if os.geteuid():
        return "only root may make the base image and its files' owners"
    free = shutil.disk_usage(directory).free
    if free < NEEDED_BYTES:
        return f"{free >> 20} MiB are free for images, {NEEDED_BYTES >> 20} are needed"
    try:
        done = subprocess.run(
            ["unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "--mount-proc", "true"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "namespaces of its own: no answer in 30 s"
    if done.returncode:
        return f"no namespaces of its own (a container without CAP_SYS_ADMIN?): {_last(done.stderr)}"
    return ""


def _last(text: str) -> str:
    line = next((each.strip() for each in reversed(text.splitlines()) if each.strip()), "no reason given")
    return line if len(line) <= 300 else f"... {line[-300:]}"


class Machine:
    """A storage of its own for images and containers."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "containers.conf").write_text(CONTAINERS)
        self._storage = ["--root", directory / "storage", "--runroot", directory / "run", "--storage-driver", "vfs"]

    def _do(self, *command: str | Path, patience: float, text: str | None = None) -> str:
        environment = os.environ | {"CONTAINERS_CONF": str(self.directory / "containers.conf")}
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, timeout=patience, env=environment, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    def buildah(self, *arguments: str | Path, text: str | None = None) -> str:
        return self._do("buildah", *self._storage, *arguments, patience=300, text=text)

    def podman(self, *arguments: str | Path, patience: float = 60, text: str | None = None) -> str:
        return self._do("podman", *self._storage, *arguments, patience=patience, text=text)

    def inspect(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.podman("inspect", name))[0]
        return found

    def prepare(self) -> None:
        """Makes a Debian in place of the published base and runs it, before anything of ours has a part in it.

        Raises Unable: whatever fails here is the machine's.
        """
        if lack := lacks(self.directory):
            raise Unable(lack)
        base = CACHE / "base.tar"
        try:
            if not base.exists():
                self._bootstrap(base)
            shutil.copy(base, self.directory / "base.tar")
            (self.directory / "Base").write_text('FROM scratch\nADD base.tar /\nRUN ["/bin/true"]\n')
            self.buildah("bud", "--isolation", "chroot", "-t", BASE, "-f", self.directory / "Base", self.directory)
            (self.directory / "base.tar").unlink()
            self.podman("run", "--rm", *RESTRICTED, BASE, "/bin/true")
        except (AssertionError, subprocess.TimeoutExpired, OSError) as error:
            raise Unable(_last(str(error))) from error

    def _bootstrap(self, base: Path) -> None:
        """A Debian with Python, by apt; again if that fails, for a mirror may be away for a moment."""
        CACHE.mkdir(exist_ok=True)
        part = CACHE / "part.tar"
        packages = "--include=python3,python3-venv,ca-certificates"
        command = ("mmdebstrap", "--quiet", "--variant=minbase", packages, "bookworm", part)
        try:
            self._do(*command, patience=300)
        except AssertionError:
            part.unlink(missing_ok=True)
            time.sleep(10)
            self._do(*command, patience=300)
        part.rename(base)

    def build(self) -> None:
        """The image as deploy/Dockerfile says, on the Debian of `prepare`."""
        context = self.directory / "context"
        context.mkdir()
        for name in ("gateway", "translators", "deploy"):
            shutil.copytree(ROOT / name, context / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / ".dockerignore", context)
        fetch_wheels(context / "deploy")
        self.buildah(
            *("bud", "--isolation", "chroot", "--pull-never", "--format", "docker"),
            *("--build-arg", f"BASE={BASE}", "--build-arg", "VERSION=1.2.3", "--build-arg", "REVISION=abc"),
            *("-t", IMAGE, "-f", context / "deploy" / "Dockerfile", context),
        )


def fetch_wheels(deploy: Path) -> None:
    """What the lock names, for the Python of the base: its last number decides about one marker."""
    asked = deploy / "asked.txt"
    lock = (deploy / "requirements.lock").read_text()
    asked.write_text(re.sub(r" ; python_full_version < '3\.11\.\d+'", "", lock))
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    done = subprocess.run(
        [*command, "--require-hashes", "--dest", deploy / "wheels", "--requirement", asked],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
