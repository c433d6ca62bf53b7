"""Completion as shells do it: zsh on a terminal, with its own completion system; fish as it says itself."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.terminal import on_terminal

from .charger import Charger16
from .conftest import Connect, StartCsms, StartGateway
from .process import COMMAND, Gateway
from .test_commands import run
from .test_operate import two

CASES = {
    "upstreams rec": "upstreams reconnect",
    "upst": "upstreams",
    "tail --both": "tail --both-sides",
    "tail --output y": "tail --output yaml",
    "chargers show C": "chargers show CP1",
    "dlq discard main --al": "dlq discard main --all",
    "upstreams test m": "upstreams test main",
    "--vers": "--version",
    "chargers show X": "chargers show X",
}
"""What is typed before Tab -> what there is then, where only one word fits; the last one has none."""
SEVERAL = {"upstreams re": ["reconnect", "remove", "resume"], "upstreams test ": ["main", "old"]}


@pytest.fixture
async def gateway(start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect) -> Gateway:
    _, _, gateway = await two(start_csms, start_gateway)
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    return gateway


async def script(gateway: Gateway, shell: str, folder: Path) -> tuple[str, dict[str, str]]:
    """The script in a file; an environment that finds the program and the gateway."""
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    file = folder / f"completion.{shell}"
    file.write_text((await run(gateway, "completion", shell)).stdout)
    server = f"http://127.0.0.1:{gateway.admin_port}"
    path = f"{COMMAND.parent}:{os.environ['PATH']}"
    return str(file), {"OCPPGW_SERVER": server, "PATH": path, "HOME": str(folder), "LC_ALL": "C.UTF-8"}


async def test_fish(gateway: Gateway, tmp_path: Path) -> None:
    file, environment = await script(gateway, "fish", tmp_path)

    def fits(typed: str) -> list[str]:
        done = subprocess.run(
            ["fish", "--no-config", "-c", f"source {file}; complete -C 'ocpp-gateway {typed}'"],
            env={**os.environ, **environment}, capture_output=True, text=True, timeout=30, check=True,
        )  # fmt: skip
        assert done.stderr == ""
        return sorted(line.split("\t")[0] for line in done.stdout.splitlines())

    for typed, wanted in CASES.items():
        last = wanted.split()[-1]
        assert await asyncio.to_thread(fits, typed) == ([last] if typed != wanted else []), typed
    for typed, several in SEVERAL.items():
        assert await asyncio.to_thread(fits, typed) == several, typed


ZSH = """
function ocpp-gateway {{
  if [[ $1 == __names ]]; then command ocpp-gateway "$@"; else print -r -- "ran: $*."; fi
}}
PS1= PS2=
autoload -Uz compinit
compinit -D -u
source {file}
"""


async def test_zsh(gateway: Gateway, tmp_path: Path) -> None:
    file, environment = await script(gateway, "zsh", tmp_path)
    (tmp_path / ".zshrc").write_text(ZSH.format(file=file))
    environment["ZDOTDIR"] = str(tmp_path)
    typed = "".join(f"ocpp-gateway {each}\t\n" for each in CASES)
    code, shown = await asyncio.to_thread(
        on_terminal, ["zsh", "-i"], typed + "exit\n", environment=environment, seconds=60
    )
    found = re.findall(r"ran: (.*?) ?\.\r?\n", shown)
    assert code == 0 and found == list(CASES.values()), shown
