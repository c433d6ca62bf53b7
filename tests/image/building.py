"""The image built by buildah and run by podman, without a daemon and without a registry."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".image"
BASE, IMAGE = "localhost/base:bookworm", "localhost/ocpp-gateway:test"

# Without these podman wants systemd, limits that a sandbox may not set, and a network of its own.
CONTAINERS = """
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
netns = "host"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
"""


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

    def build(self) -> None:
        """The image as deploy/Dockerfile says, on a Debian made here in place of the published base."""
        base = CACHE / "base.tar"
        if not base.exists():
            CACHE.mkdir(exist_ok=True)
            part = CACHE / "part.tar"
            packages = "--include=python3,python3-venv,ca-certificates"
            self._do("mmdebstrap", "--quiet", "--variant=minbase", packages, "bookworm", part, patience=300)
            part.rename(base)
        context = self.directory / "context"
        context.mkdir()
        for name in ("gateway", "translators", "deploy"):
            shutil.copytree(ROOT / name, context / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / ".dockerignore", context)
        fetch_wheels(context / "deploy")
        shutil.copy(base, self.directory / "base.tar")
        (self.directory / "Base").write_text("FROM scratch\nADD base.tar /\n")
        self.buildah("bud", "--isolation", "chroot", "-t", BASE, "-f", self.directory / "Base", self.directory)
        (self.directory / "base.tar").unlink()
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
