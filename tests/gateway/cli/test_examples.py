"""Every command says how it is used, and what it says is so."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
from typer.main import get_command

from gateway.cli.commands import app
from gateway.cli.examples import EXAMPLES, WITHOUT_OUTPUT, leaves

ROOT = get_command(app)
COMMANDS = sorted(words for words, _ in leaves(app) if not words.startswith("__"))


def command(words: list[str]) -> tuple[Any, list[str]]:
    """The command that a line means, and what is left of the line."""
    found: Any = ROOT
    while hasattr(found, "commands"):
        found, words = found.commands[words[0]], words[1:]
    return found, words


def examples(words: str) -> list[str]:
    """Of a command: each line of its examples that begins with the program."""
    found, _ = command(words.split())
    text = " ".join(re.sub(r"No --output: [^.]*\.", "", f"{found.help} {found.epilog or ''}").split())
    told = re.split(r"Examples?: ", text)[1:]
    assert told, f"{words}: its help has no example"
    return [line.strip() for part in told for line in re.split(r"; +", part)]


@pytest.mark.parametrize("words", COMMANDS)
def test_an_example_is_how_it_is_used(words: str) -> None:
    for line in examples(words):
        assert "ocpp-gateway" in line, line
        if words in ("completion", "demo-csms") or "|" in line:
            continue
        said = shlex.split(re.split(r" [<>] ", line)[0])
        found, rest = command(said[said.index("ocpp-gateway") + 1 :])
        assert found.callback is command(words.split())[0].callback, line
        found.make_context(words, rest).close()


def test_no_example_is_of_a_command_that_is_gone() -> None:
    assert set(EXAMPLES) <= set(COMMANDS)


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_speaks_to_programs_or_says_why_not(words: str) -> None:
    found, _ = command(words.split())
    has = "--output" in [name for each in found.params for name in each.opts]
    assert has != (words in WITHOUT_OUTPUT), words
    assert has or f"No --output: {WITHOUT_OUTPUT[words]}" in found.epilog
