"""Each line of `doctor`: what it says of things that are not well, and how to mend them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from gateway.admin.processes import Fleeting, Process
from gateway.admin.upstreams import Listed, Reason, Upstream
from gateway.cli import examining
from gateway.cli.commands import app
from gateway.cli.examining import Finding, fleet
from gateway.cli.stored import opened
from gateway.config import Config
from gateway.config_file import load
from gateway.journal import Journal
from gateway.journal.embedded import find_binary
from tests.gateway.edge.authority import Authority, Issued
from tests.gateway.hub.test_health import answering
from tests.gateway.journal.conftest import Server

SERVER = "http://127.0.0.1:9001"
NOWHERE = "ws://127.0.0.1:1/"


def config(folder: Path, **keys: Any) -> Config:
    file = folder / "gateway.yaml"
    file.write_text(json.dumps({"upstreams": {"main": {"url": NOWHERE, "version": "ocpp1.6"}}} | keys))
    return load(file, {})


def line(findings: list[Finding], what: str) -> tuple[str, str, str]:
    """Verdict, what is said, what to do."""
    [found] = [each for each in findings if each.what == what]
    return found.verdict, found.said, found.fix


# -- the configuration, this machine ---------------------------------------------------------------------------------


def test_a_file_that_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "gateway.yaml").write_text("upstreams: {main: {url: here}}")
    nothing, found = examining.configuration(tmp_path / "gateway.yaml")
    assert nothing is None and found.verdict == "fail" and "upstreams.main" in found.said
    assert "check-config" in found.fix


def secure(issued: Issued) -> dict[str, Any]:
    return {"tls": {"cert": issued.cert, "key": issued.key}, "security_profile": 2}


def test_few_descriptors(tmp_path: Path) -> None:
    config(tmp_path, redis={"url": "unix:///nowhere"})
    script = 'ulimit -n 256; exec "$0" -m gateway doctor -o json --server http://127.0.0.1:1'
    done = subprocess.run(
        ["bash", "-c", script, sys.executable],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    found = [Finding(**each) for each in json.loads(done.stdout)]
    assert done.returncode == 1, "something has failed: the store"
    verdict, said, fix = line(found, "descriptors")
    assert verdict == "warn" and said.startswith("up to 256, ") and "LimitNOFILE" in fix
    assert line(found, "store")[0] == "fail" and line(found, "gateway")[0] == "warn"


@pytest.mark.parametrize(
    ("writable", "gigabytes", "verdict"), [(True, 2, "ok"), (True, 0.5, "warn"), (False, 2, "fail")]
)
def test_the_data_directory(
    writable: bool, gigabytes: float, verdict: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = config(tmp_path, redis={"data_dir": str(tmp_path / "not" / "there")})
    space = SimpleNamespace(f_bavail=int(gigabytes * 2**20), f_frsize=1024)
    monkeypatch.setattr(os, "access", lambda path, _mode: path == tmp_path and writable)
    monkeypatch.setattr(os, "statvfs", lambda _path: space)
    found = line(list(examining.machine(settings)), "data directory")
    assert found[0] == verdict and ("not writable" in found[1]) != writable
    assert found[2] == "" if verdict == "ok" else "redis.data_dir" in found[2]


@pytest.mark.parametrize(("days", "verdict"), [(90, "ok"), (10, "warn"), (-1, "fail")])
def test_a_certificate_that_ends(days: int, verdict: str, tmp_path: Path) -> None:
    issued = Authority(tmp_path).issue("localhost", days=days + 0.01)
    settings = config(tmp_path, listen=[secure(issued)], registry={"source": "redis"})
    found = line(list(examining.machine(settings)), "certificate of listen[0]")
    assert (found[0], found[1]) == (verdict, f"ends in {days} days")
    assert ("renew" in found[2]) == (verdict != "ok")


def test_a_certificate_that_cannot_be_read(tmp_path: Path) -> None:
    issued = Authority(tmp_path).issue("localhost")
    settings = config(tmp_path, listen=[secure(issued)], registry={"source": "redis"})
    Path(issued.cert).unlink()
    found = line(list(examining.machine(settings)), "certificate of listen[0]")
    assert found[0] == "fail" and "cannot be read" in found[1] and "rights" in found[2]


# -- the store -------------------------------------------------------------------------------------------------------


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    server = Server(str(tmp_path / "data"), "everysec", binary=find_binary())
    await server.connect_raw()
    yield server
    server.raw.close()
    server.kill()
    await server.stop()


async def looked(settings: Config, opens: Any = opened) -> list[Finding]:
    return [each async for each in examining.store(settings, opens)]


async def test_a_store_that_is_well(server: Server, tmp_path: Path) -> None:
    found = await looked(config(tmp_path, redis={"url": server.url}))
    assert [(each.verdict, each.what) for each in found] == [("ok", "store"), ("ok", "store memory"), ("ok", "clocks")]
    await server.ask("CONFIG", "SET", "maxmemory", "0")
    assert line(await looked(config(tmp_path, redis={"url": server.url})), "store memory")[1] == "no limit"


async def test_a_store_that_is_full_or_forgets(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = config(tmp_path, redis={"url": server.url, "accept_data_loss": True})
    await looked(settings)
    used = int((await server.ask("INFO", "memory")).decode().partition("used_memory:")[2].split()[0])
    await server.ask("CONFIG", "SET", "appendonly", "no", "maxmemory", str(int(used * 1.25)))
    late = SimpleNamespace(time=lambda: time.time() - 5)
    monkeypatch.setattr(examining, "time", late)
    found = await looked(settings)
    assert (line(found, "store")[0], line(found, "store")[2]) == ("fail", "set appendonly yes")
    verdict, said, fix = line(found, "store memory")
    assert verdict == "warn" and said.endswith("of maxmemory is used") and "queue ls" in fix
    verdict, said, fix = line(found, "clocks")
    assert verdict == "warn" and said.startswith("5.") and "NTP" in fix


async def test_a_store_that_is_refused_gone_or_lost(server: Server, tmp_path: Path) -> None:
    settings = config(tmp_path, redis={"url": server.url})
    await server.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    [found] = await looked(settings)
    assert found.verdict == "fail" and "set maxmemory-policy noeviction" in found.said and found.fix
    await server.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")

    async def dies(settings: Config) -> Journal:
        journal = await opened(settings)
        server.kill()
        return journal

    found = (await looked(settings, dies))[-1]
    assert (found.verdict, found.what) == ("fail", "store") and found.said.startswith("lost: "), found
    [found] = await looked(settings)
    assert found.verdict == "fail" and found.said.startswith("not reachable: ") and "redis.url" in found.fix


# -- the CSMSs -------------------------------------------------------------------------------------------------------


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A file that is no certificate."""
    file = tmp_path / "root.pem"
    file.write_text("no certificate")
    return file


async def test_a_csms_that_says_nothing_or_has_a_bad_certificate(tmp_path: Path, broken: Path) -> None:
    async with answering(b"HTTP/1.1 426 Upgrade Required\r\n\r\n") as well, answering(b"") as mute:
        secret = {"url": "wss://127.0.0.1:1/", "version": "ocpp1.6", "ca_file": str(broken)}
        upstreams = {
            "well": {"url": well.partition("{")[0], "version": "ocpp1.6"},
            "mute": {"url": mute.partition("{")[0], "version": "ocpp1.6"},
            "away": {"url": NOWHERE, "version": "ocpp1.6"},
            "secret": secret,
        }
        settings = config(tmp_path, upstreams=upstreams, routes=[{"primary": "well"}])
        found = [each async for each in examining.upstreams(settings)]
    verdicts = {each.what.removeprefix("upstream "): each for each in found}
    assert {name: each.verdict for name, each in verdicts.items()} == {
        "well": "ok", "mute": "warn", "away": "fail", "secret": "fail",
    }  # fmt: skip
    assert verdicts["mute"].said == "takes connections, and says nothing"
    assert NOWHERE.rstrip("/") in verdicts["away"].said and "upstreams test away" in verdicts["away"].fix
    assert verdicts["secret"].said.startswith("cannot be dialled: ") and "ca_file" in verdicts["secret"].fix


# -- the fleet -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "verdict", "fix"), [(None, "warn", "is it running"), ("401 Unauthorized", "fail", "is OCPPGW_TOKEN set")]
)
def test_nobody_and_a_refusal_are_told_apart(answer: str | None, verdict: str, fix: str) -> None:
    [found] = fleet(SERVER, lambda _: answer)
    assert found.verdict == verdict and SERVER in found.said and found.fix.startswith(fix)


def process(name: str, **other: Any) -> Process:
    known = {"name": name, "host": "h", "pid": 1, "version": "1.0.0", "roles": ["edge"], "started_at": "", "edge": ""}
    rest = {"chargers": 2, "partitions": [], "draining": False, "unready": [], "log_level": "info"}
    return Process(**known | rest | other)


def said_of(processes: list[Process], upstreams: list[Upstream], silent: tuple[str, ...] = ()) -> list[Finding]:
    """What `doctor` makes of what the operators' port would answer."""
    answers = {
        "processes": Fleeting(processes, list(silent)),
        "upstreams": Listed(upstreams, []),
    }
    return list(fleet(SERVER, lambda what: msgspec.to_builtins(answers[what])))


def test_a_fleet_that_is_well() -> None:
    found = said_of([process("a"), process("b")], [Upstream("main", False, oldest_seconds=1.26)])
    assert [(each.verdict, each.what, each.said, each.fix) for each in found] == [
        ("ok", "processes", "2, 4 chargers", ""),
        ("ok", "queue of main", "oldest 1.3 s", ""),
    ]


def test_processes_that_are_not_well() -> None:
    talks = process("b", version="1.1.0", unready=["store", "drains"], log_level="debug")
    found = said_of([process("a"), talks], [], silent=("c",))
    assert line(found, "processes")[:2] == ("fail", "b: store, drains; c does not answer")
    assert line(found, "versions")[:2] == ("warn", "1.0.0, 1.1.0")
    assert line(found, "log") == ("warn", "debug at b", "ocpp-gateway log-level info")
    assert len(found) == 3


@pytest.mark.parametrize(
    ("upstream", "verdict", "said", "fix"),
    [
        (Upstream("x", True), "warn", "in no configuration any more", "upstreams remove x"),
        (Upstream("x", False, paused_at="2026-01-01"), "warn", "paused since 2026-01-01", "upstreams resume x"),
        (Upstream("x", False, oldest_seconds=61, state="up"), "warn", "61 s behind", "upstreams show x"),
        (
            Upstream("x", False, oldest_seconds=7000, state="down", errors=[Reason("refused", 3), Reason("401", 1)]),
            "fail", "7000 s behind: refused; 401", "upstreams show x",
        ),
    ],
)  # fmt: skip
def test_a_csms_that_is_behind(upstream: Upstream, verdict: str, said: str, fix: str) -> None:
    found = line(said_of([process("a")], [upstream]), "queue of x")
    assert found == (verdict, said, f"ocpp-gateway {fix}")


def test_dead_letters() -> None:
    found = said_of([process("a")], [Upstream("x", False, dead_letters=7)])
    assert line(found, "dead letters of x") == ("warn", "7", "ocpp-gateway dlq list x")
    assert line(found, "queue of x")[0] == "ok"


def test_every_fix_that_names_a_command_names_one_that_exists() -> None:
    text = Path(examining.__file__).read_text()
    named = set(re.findall(r"ocpp-gateway ([a-z-]+(?: (?:ls|show|test|remove|resume|list))?)", text))
    assert len(named) > 6
    for words in named:
        assert CliRunner().invoke(app, [*words.split(), "--help"]).exit_code == 0, words
