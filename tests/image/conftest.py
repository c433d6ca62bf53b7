from __future__ import annotations

from collections.abc import Iterator

import pytest

from .building import Machine


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    machine = Machine(tmp_path_factory.mktemp("machine"))
    machine.build()
    yield machine
    machine.podman("rm", "--all", "--force", "--time", "1")
    # Layers hold files of other users and modes: buildah knows how to remove them.
    machine.buildah("rmi", "--all", "--force")
