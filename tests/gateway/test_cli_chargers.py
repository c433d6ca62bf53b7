"""`ocpp-gateway chargers` on a real store: the real command, in a process."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from gateway import passwords
from gateway.cli.commands import app
from tests.gateway.test_cli_store import Store, run
from tests.terminal import on_terminal

CONFIG = """
upstreams:
  main: {url: "ws://127.0.0.1:1/", version: ocpp1.6}
redis: {data_dir: store}
registry: {source: redis}
routes:
  - {name: special, match: [], primary: main}
  - {primary: main}
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "gateway.yaml").write_text(CONFIG)
    return tmp_path


def chargers(place: Path, *arguments: str, answer: str = "") -> tuple[int, str, str]:
    done = run("chargers", *arguments, cwd=place, answer=answer)
    return done.returncode, done.stdout, done.stderr


async def stored(place: Path) -> dict[str, Any]:
    async with Store(place) as journal:
        return {each.id: each for each in (await journal.all_registered())[0]}


@pytest.mark.slow
async def test_one_charger_from_beginning_to_end(place: Path) -> None:
    added = chargers(place, "add", "CP1", "--password", "--serial", "SN", "--route", "special", answer="s3cret\n")
    assert added == (0, "CP1 is registered\n", "")
    found = (await stored(place))["CP1"]
    assert passwords.is_digest(found.password) and passwords.matches(found.password, b"s3cret")
    assert (found.serial, found.route) == ("SN", "special")
    assert chargers(place, "add", "cp1", "--group", "north", "--version", "ocpp1.6")[0] == 0  # another spelling
    code, out, _ = chargers(place, "block", "CP1", "-o", "yaml")
    assert code == 0 and yaml.safe_load(out)["blocked"] is True and "argon2" not in out
    code, out, _ = chargers(place, "list", "-o", "json")
    assert json.loads(out) == [
        {
            "id": "cp1",
            "password": True,
            "serial": "",
            "group": "north",
            "route": "",
            "versions": ["ocpp1.6"],
            "blocked": True,
            "strict": False,
            "quirks": "",
        }
    ]
    code, out, err = chargers(place, "set-password", "CP1", "--generate")
    text = err.strip().removeprefix("password: ")
    assert (code, out, len(text)) == (0, "CP1 has another password\n", 20)
    found = (await stored(place))["cp1"]
    assert passwords.matches(found.password, text.encode()) and not passwords.matches(found.password, b"s3cret")
    assert chargers(place, "unblock", "CP1")[:2] == (0, "CP1 may come in again\n")
    assert "cp1" in chargers(place, "list", "--group", "north")[1]
    assert chargers(place, "remove", "CP1")[0] == 0
    assert await stored(place) == {}
    assert chargers(place, "remove", "CP1")[::2] == (2, "CP1 is not registered\n")
    assert chargers(place, "add", "CP1", "--route", "none")[::2] == (2, "no route has the name none\n")
    assert chargers(place, "add", "CP/1")[0] == 2
    assert json.loads(chargers(place, "allow-downgrade", "CP1", "-o", "json")[1])["security_profile"] == 0


async def test_import(place: Path) -> None:
    rows = "".join(f"CP{number},{'p' * 16}{number},north\n" for number in range(30))
    (place / "chargers.csv").write_text("id,password,group\n" + rows)
    assert chargers(place, "import", "chargers.csv")[:2] == (0, "imported: 30 chargers\n")
    (place / "chargers.yaml").write_text("CP1: {group: south}\nCP99:\n")
    code, out, _ = chargers(place, "import", "chargers.yaml", "--replace", "--yes")
    assert (code, out) == (0, "imported: 2 chargers, removed: 29\n")
    found = await stored(place)
    assert set(found) == {"CP1", "CP99"}
    assert found["CP1"].group == "south"
    assert passwords.matches(found["CP1"].password, b"p" * 16 + b"1")
    (place / "bad.csv").write_text("id,versions\nCP1,ocpp9\nCP1,\nCP 2,\n")
    code, _, err = chargers(place, "import", "bad.csv")
    assert code == 2
    assert err.splitlines() == ["bad.csv:2: versions: ocpp9 is none (did you mean ocpp2.1?)"]
    (place / "names.csv").write_text("id,route,quirks\nCP5,special,\nCP6,none,\nCP7,,odd\n")
    code, _, err = chargers(place, "import", "names.csv")
    assert (code, err) == (
        2, "names.csv:3: no route has the name none\nnames.csv:4: no quirk profile has the name odd\n"
    )  # fmt: skip
    assert set(await stored(place)) == {"CP1", "CP99"}


def test_how_far_an_import_is(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "chargers.txt").write_text("".join(f"CP{number}\n" for number in range(450)))
    words = ["chargers", "import", "chargers.txt"]
    assert run(*words, cwd=place).stderr == "", "what is soon done says nothing"
    path = {"PYTHONPATH": str(Path(__file__).parents[2])}
    code, shown = on_terminal([sys.executable, "-m", "gateway", *words], environment=path, cwd=place)
    assert code == 0 and "imported: 450 chargers" in shown
    assert "chargers" in shown.partition("imported")[0] and "100%" in shown, shown
    monkeypatch.setattr("gateway.cli.progress.LINE_SECONDS", 0.0)
    monkeypatch.chdir(place)
    done = CliRunner().invoke(app, words)
    assert done.stderr.splitlines() == ["200 of 450 chargers", "400 of 450 chargers", "450 of 450 chargers"]


def test_a_gateway_that_does_not_look_at_the_store(place: Path) -> None:
    (place / "gateway.yaml").write_text(
        CONFIG.replace("registry: {source: redis}", "").replace("name: special, match: [], ", "match: x, ")
    )
    code, _, err = chargers(place, "add", "CP1")
    assert (code, err) == (0, "note: registry.source is open: the gateway does not look at these chargers\n")


def test_a_hash_for_a_file(place: Path) -> None:
    code, out, _ = chargers(place, "hash", answer="secret\n")
    assert code == 0 and passwords.matches(out.strip(), b"secret")
    assert chargers(place, "hash", answer="\n")[::2] == (2, "the password is empty\n")
