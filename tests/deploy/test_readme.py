"""deploy/README.md: its plain machine is made in a folder of its own, and what it tells container engines fits the image."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.config import Config
from gateway.grace import grace
from tests.docs.blocks import ROOT, Block, blocks, words
from tests.docs.parser import segments
from tests.docs.play import NOT_COPIED
from tests.e2e.process import free_port

from .test_systemd import heard
from .test_systemd import told as told

PAGE = "deploy/README.md"
BLOCKS = [block for block in blocks() if block.page == PAGE]
HELP = {"docker run": ["podman", "run"], "buildah bud": ["buildah", "bud"], "docker build": ["buildah", "bud"]}
"""Who knows the same options: Docker's own client needs no daemon for its help, but is seldom there."""


def block_with(text: str) -> Block:
    [found] = [block for block in BLOCKS if text in block.text]
    return found


def containers() -> list[list[str]]:
    """Commands of container engines, word by word."""
    found = [part for block in BLOCKS for command in block.commands for part in segments(words(command.text))]
    return [each for each in found if each[0] in ("docker", "buildah")]


def test_images_are_built_from_what_is_there() -> None:
    builds = [each for each in containers() if "--file" in each and "compose" not in each]
    assert len(builds) == 2
    for build in builds:
        file = (ROOT / build[build.index("--file") + 1]).read_text()
        given = [build[at + 1].partition("=")[0] for at, word in enumerate(build) if word == "--build-arg"]
        assert set(given) <= set(re.findall(r"(?m)^ARG (\w+)", file)) and build[-1] == "."


def test_what_the_container_is_given_is_what_it_needs() -> None:
    [run] = [each for each in containers() if each[:2] == ["docker", "run"]]
    dockerfile = (ROOT / "deploy/Dockerfile").read_text()
    after = lambda word: run[run.index(word) + 1]  # noqa: E731
    ours = run[len(run) - run[::-1].index("ocpp-gateway") :]
    name, _, value = after("--env").partition("=")
    config = Config.from_upstream_argument(ours[ours.index("--upstream") + 1], {name: value})
    assert config.listen[0].host == value == "0.0.0.0"
    assert after("--publish").split(":")[1] == str(config.listen[0].port)
    assert f"WORKDIR {after('--volume').split(':')[1]}" in dockerfile, "there the store is"
    assert int(after("--stop-timeout")) >= grace(config, frozenset(("edge", "hub")))
    slower = replace(config, drain=replace(config.drain, timeout=config.drain.timeout + 60))
    assert int(after("--stop-timeout")) < grace(slower, frozenset(("edge", "hub")))


@pytest.mark.parametrize("command", HELP)
def test_engines_know_the_options(command: str) -> None:
    engine = HELP[command]
    if shutil.which(engine[0]) is None:
        pytest.skip(f"needs {engine[0]}")
    shown = subprocess.run([*engine, "--help"], capture_output=True, text=True, timeout=30, check=True).stdout
    used = 0
    for each in containers():
        if each[:2] == command.split():
            end = each.index("ocpp-gateway") if "run" in each else len(each)
            for flag in (word for word in each[:end] if word.startswith("--")):
                used += 1
                assert re.search(rf"{flag}\b", shown), flag
    assert used >= 3


@pytest.mark.full
@pytest.mark.timeout(900)
async def test_a_plain_machine(told: socket.socket, tmp_path: Path) -> None:
    """As root would do it, below another root; then what systemd does with the unit."""
    here, machine = tmp_path / "here", tmp_path / "machine"
    shutil.copytree(ROOT, here, ignore=shutil.ignore_patterns(*NOT_COPIED))
    port, admin = free_port(), free_port()
    (here / "gateway.yaml").write_text(
        f"listen: {{port: {port}}}\nadmin: {{port: {admin}}}\n"
        "upstreams: {main: {url: ws://127.0.0.1:1/, version: ocpp1.6, username: gw, password: '${SECRET}'}}\n"
        "drain: {timeout: 2}\n"
    )
    (machine / "etc/systemd/system").mkdir(parents=True)

    def moved(text: str) -> str:
        return re.sub(r"(?<![\w.])/(etc|opt|var)/", rf"{machine}/\1/", text)

    environment = {key: value for key, value in os.environ.items() if not key.startswith(("OCPPGW_", "PYTHON"))}
    commands = [command.text for command in block_with("systemctl enable").commands]
    assert commands.pop() == "systemctl enable --now ocpp-gateway"
    for command in commands:
        done = await asyncio.to_thread(
            subprocess.run, ["bash", "-c", moved(command)], cwd=here, env=environment, capture_output=True, text=True, timeout=600
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"

    state, settings = machine / "var/lib/ocpp-gateway", machine / "etc/ocpp-gateway/environment"
    settings.write_text("SECRET=of-the-csms\n")
    unit = moved((machine / "etc/systemd/system/ocpp-gateway.service").read_text())
    said = lambda key: re.findall(rf"(?m)^{key}=(.*)$", unit)  # noqa: E731
    [work], [before], [start] = said("WorkingDirectory"), said("ExecStartPre"), said("ExecStart")
    [secrets] = said("EnvironmentFile")
    assert (work, secrets) == (str(state), f"-{settings}")
    state.mkdir(parents=True)
    both = [*said("Environment"), *settings.read_text().split()]
    environment |= dict(each.split("=", 1) for each in both)
    checked = subprocess.run(before.split(), cwd=work, env=environment, capture_output=True, text=True)  # noqa: ASYNC221
    assert checked.returncode == 0 and ": ok:" in checked.stdout, checked.stdout + checked.stderr
    process = await asyncio.create_subprocess_exec(
        *start.split(), cwd=work, env=environment, start_new_session=True, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        await heard(told, "READY=1", 60)
        assert (state / "data").is_dir(), "the store is in the unit's state directory"
        os.kill(process.pid, signal.SIGHUP)
        await heard(told, "RELOADING=1")
        await heard(told, "READY=1")
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 60) == 0
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
