"""`ocpp-gateway config` as a user runs it."""

from __future__ import annotations

from pathlib import Path

from .test_cli import CONFIG, run


def test_a_default_file_is_a_good_file(tmp_path: Path) -> None:
    (tmp_path / "gateway.yaml").write_text(run("config", "default", cwd=tmp_path).stdout)
    assert run("check-config", "gateway.yaml", cwd=tmp_path).returncode == 0


def test_show_with_the_environment(tmp_path: Path) -> None:
    (tmp_path / "gateway.yaml").write_text(CONFIG)
    done = run("config", "show", "--redacted", "--origin", cwd=tmp_path, OCPPGW_UPSTREAMS__MAIN__PASSWORD="geheim")
    assert done.returncode == 0 and "geheim" not in done.stdout
    [line] = [line for line in done.stdout.splitlines() if "OCPPGW_UPSTREAMS__MAIN__PASSWORD" in line]
    assert line.split("#")[0].strip() == "password: '***(<=8)'"


def test_diff(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(CONFIG)
    (tmp_path / "b.yaml").write_text(CONFIG + "listen: {port: 9005}\nlog: {level: debug}\n")
    same = run("config", "diff", "a.yaml", "a.yaml", cwd=tmp_path)
    assert (same.returncode, same.stdout) == (0, "")
    done = run("config", "diff", "a.yaml", "b.yaml", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "- listen.port: 9000",
        "+ listen.port: 9005  # needs a restart: its sockets are open",
        "- log.level: info",
        "+ log.level: debug",
    ]
    assert "not reachable" in run("config", "diff", "a.yaml", "--server", "http://127.0.0.1:1", cwd=tmp_path).stderr


def test_docs_of_a_key(tmp_path: Path) -> None:
    assert "OCPPGW_LISTEN__PORT" in run("config", "docs", "listen.port", cwd=tmp_path).stdout
    assert run("config", "docs", "listen.prot", cwd=tmp_path).returncode == 2
