"""In a real cluster, the one of KUBECONFIG: install, test, upgrade, uninstall. `pytest -m cluster`.

IMAGE names an image that the cluster can pull, as repository:tag.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest

from .rendering import CHART, helm

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(900),
    pytest.mark.skipif("KUBECONFIG" not in os.environ, reason="needs a cluster: set KUBECONFIG"),
]
VALUES = ("--values", str(CHART / "ci" / "minimal-values.yaml"), "--set", "config.routes[0].primary=main",
          "--set", "config.routes[0].primary_down=buffer")  # fmt: skip


@pytest.fixture
def namespace() -> Iterator[str]:
    name = f"ocppgw-test-{uuid.uuid4().hex[:8]}"
    yield name
    # What a test that failed has left; a release that cannot be removed is a failure of its own.
    helm("uninstall", "gateway", "--namespace", name, "--ignore-not-found", "--wait", "--timeout", "5m", patience=400)


def test_life_of_a_release(namespace: str) -> None:
    repository, _, tag = os.environ.get("IMAGE", "ocpp-gateway:test").rpartition(":")
    image = ("--set", f"image.repository={repository}", "--set", f"image.tag={tag}")
    common = ("gateway", CHART, "--namespace", namespace, *VALUES, *image, "--wait", "--timeout", "5m")
    helm("install", *common, "--create-namespace", patience=400)
    helm("test", "gateway", "--namespace", namespace, "--timeout", "2m", patience=200)
    helm("upgrade", *common, "--set", "config.listen.ping_interval=20s", patience=400)
    helm("test", "gateway", "--namespace", namespace, "--timeout", "2m", patience=200)
    helm("uninstall", "gateway", "--namespace", namespace, "--wait", "--timeout", "5m", patience=400)
    assert helm("list", "--namespace", namespace, "--short").split() == []
