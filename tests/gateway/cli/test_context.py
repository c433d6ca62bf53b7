"""Which gateway commands speak to, from a file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from gateway.cli import queue, server
from gateway.cli.commands import app
from gateway.cli.context import enter


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OCPPGW_SERVER", "OCPPGW_TOKEN", "OCPPGW_CONTEXT", "NO_COLOR"):
        monkeypatch.setenv(name, "")  # so that it is as it was after the test
        monkeypatch.delenv(name)


def test_the_file_says_where_and_with_which_token(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("a-token\n")
    file = tmp_path / "context.yaml"
    file.write_text("server: http://gateway:9001\ntoken_file: secret\n")
    enter(file)
    assert os.environ["OCPPGW_SERVER"] == "http://gateway:9001"
    assert server.headers()["Authorization"] == "Bearer a-token"


def test_the_environment_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCPPGW_SERVER", "http://other:9001")
    file = tmp_path / "context.yaml"
    file.write_text("server: http://gateway:9001\ntoken: a-token\n")
    enter(file)
    assert (os.environ["OCPPGW_SERVER"], os.environ["OCPPGW_TOKEN"]) == ("http://other:9001", "a-token")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("- server", "a mapping of texts is expected"),
        ("server: 9001", "a mapping of texts is expected"),
        ("servers: http://gateway:9001", "unknown key servers"),
        ("token: a\ntoken_file: b", "not both"),
        ("token_file: nowhere", "nowhere: No such file"),
        ("server: [", "no YAML"),
        (None, "context.yaml: No such file"),
    ],
)
def test_a_file_that_cannot_be_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, why: str
) -> None:
    file = tmp_path / "context.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(typer.Exit) as ended:
        enter(file)
    assert ended.value.exit_code == 2
    assert why in capsys.readouterr().err


def test_commands_take_both(tmp_path: Path) -> None:
    file = tmp_path / "context.yaml"
    file.write_text("server: http://127.0.0.1:9\n")
    done = CliRunner().invoke(app, ["--no-color", "--context", str(file), "upstreams", "ls"])
    assert done.exit_code == 1 and "http://127.0.0.1:9: not reachable" in done.output
    assert os.environ["NO_COLOR"] == "1"


def test_a_replay_keeps_to_its_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [{"partitions": [{"partition": 1}, {"partition": 2}]}]
    answers += [{"found": 30, "replayed": 30, "oldest": None}, {"found": 5, "replayed": 5, "oldest": None}]
    pauses: list[float] = []
    monkeypatch.setattr(queue, "ask", lambda *given: answers.pop(0))
    monkeypatch.setattr("time.sleep", pauses.append)
    assert queue._in_parts("http://gateway", "/replay", {}, 10)["replayed"] == 35
    assert pauses == [3, 0.5]
