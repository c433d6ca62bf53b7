from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator

import pytest

from .building import Machine, Unable


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    machine = Machine(tmp_path_factory.mktemp("machine"))
    try:
        machine.prepare()
    except Unable as unable:
        pytest.skip(f"this machine cannot build and run images: {unable}")
    machine.build()
    yield machine
    # Layers hold files of other users and modes: buildah knows how to remove them. What it leaves pytest removes later.
    with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
        machine.podman("rm", "--all", "--force", "--time", "1")
        machine.buildah("rmi", "--all", "--force")
