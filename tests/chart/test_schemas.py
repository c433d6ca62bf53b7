"""Everything that the chart makes is what Kubernetes and the operators' schemas say, the oldest and the newest."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from .rendering import CHART, CI, HELMS, NEWEST, OLDEST, TOOLS, helm, pods, render, text

CUSTOM = ("monitoring.coreos.com/", "keda.sh/", "gateway.networking.k8s.io/")


@pytest.mark.parametrize("values", CI)
@pytest.mark.parametrize("binary", HELMS)
def test_lint(values: str, binary: str) -> None:
    assert "0 chart(s) failed" in text(values, binary=binary, lint=True)


@pytest.mark.parametrize("values", CI)
def test_both_helms_render_the_same_every_time(values: str) -> None:
    once = render(values)
    assert render(values, binary="helm3") == once
    assert text.__wrapped__(values) == text(values)


@pytest.mark.parametrize("values", CI)
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_kubernetes_schemas(values: str, version: str, tmp_path: Path) -> None:
    core = [doc for doc in render(values, kube=version) if not doc["apiVersion"].startswith(CUSTOM)]
    file = tmp_path / "objects.yaml"
    file.write_text(yaml.safe_dump_all(core))
    command = [TOOLS / "python" / "bin" / "kubernetes-validate", "-k", version, "--strict", file]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    said = done.stdout + done.stderr
    # It exits with 0 when it has no schema for a kind, and only warns.
    assert done.returncode == 0 and "WARN" not in said and "rror" not in said, said


def test_the_chart_names_its_images() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    named = {each["image"] for each in yaml.safe_load(chart["annotations"]["artifacthub.io/images"])}
    assert named == {pod["containers"][0]["image"] for _, pod in pods(render("minimal-values.yaml"))}


def checked(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    script = Path(__file__).with_name("crd.js")
    done = subprocess.run(
        ["node", script, TOOLS / "node"],
        input=json.dumps(objects),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_custom_resources() -> None:
    custom = [doc for values in CI for doc in render(values) if doc["apiVersion"].startswith(CUSTOM)]
    kinds = {doc["kind"] for doc in custom}
    assert kinds == {"PodMonitor", "PrometheusRule", "ScaledObject", "HTTPRoute", "Gateway"}
    assert [each for each in checked(custom) if each["errors"]] == []


def test_the_check_of_custom_resources_finds_unknown_keys_and_wrong_values() -> None:
    wrong = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "x"},
        "spec": {"hostnamess": ["a"], "rules": [{"timeouts": {"request": "soon"}}]},
    }
    [found] = checked([wrong])
    assert any("hostnamess: unknown key" in error for error in found["errors"])
    assert any("timeouts/request" in error for error in found["errors"])


def test_package(tmp_path: Path) -> None:
    from .rendering import CHART

    helm("package", CHART, "--destination", tmp_path)
    [package] = tmp_path.glob("*.tgz")
    assert package.stat().st_size < 500_000
