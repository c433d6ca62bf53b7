"""`ocpp-gateway config`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.cli.commands import app

from .test_cli import CONFIG


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In a directory of its own, with no variable of this shell."""
    monkeypatch.chdir(tmp_path)
    for name in [each for each in os.environ if each.upper().startswith("OCPPGW_")]:
        monkeypatch.delenv(name)
    return tmp_path


def run(*arguments: str, **environ: str) -> Any:
    return CliRunner().invoke(app, ["config", *arguments], env=environ)


def test_a_default_file_is_a_good_file(here: Path) -> None:
    (here / "gateway.yaml").write_text(run("default").output)
    assert CliRunner().invoke(app, ["check-config", "gateway.yaml"]).exit_code == 0


def test_show_with_the_environment(here: Path) -> None:
    (here / "gateway.yaml").write_text(CONFIG)
    done = run("show", "--redacted", "--origin", OCPPGW_UPSTREAMS__MAIN__PASSWORD="geheim")
    assert done.exit_code == 0 and "geheim" not in done.output
    [line] = [line for line in done.output.splitlines() if "OCPPGW_UPSTREAMS__MAIN__PASSWORD" in line]
    assert line.split("#")[0].strip() == "password: '***(<=8)'"
    assert "password: geheim" in run("show", "--secrets", OCPPGW_UPSTREAMS__MAIN__PASSWORD="geheim").output


def test_diff(here: Path) -> None:
    (here / "a.yaml").write_text(CONFIG)
    (here / "b.yaml").write_text(CONFIG + "listen: {port: 9005}\nlog: {level: debug}\n")
    same = run("diff", "a.yaml", "a.yaml")
    assert (same.exit_code, same.output) == (0, "")
    done = run("diff", "a.yaml", "b.yaml")
    assert done.exit_code == 1
    assert done.output.splitlines() == [
        "- listen.port: 9000",
        "+ listen.port: 9005  # needs a restart: its sockets are open",
        "- log.level: info",
        "+ log.level: debug",
    ]
    assert "not reachable" in run("diff", "a.yaml", "--server", "http://127.0.0.1:1").output


def test_docs_of_a_key() -> None:
    assert "OCPPGW_LISTEN__PORT" in run("docs", "listen.port").output
    assert run("docs", "listen.prot").exit_code == 2
