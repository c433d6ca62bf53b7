"""Every block of the documents is run, or says why not; every command of ours in them is one."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest
import yaml

from gateway.config import Config
from gateway.config_file import ConfigError, load

from .blocks import COMMANDS, OTHERS, REASONS, ROOT, Block, blocks, blocks_of, pages
from .parser import calls, mentions, mistake
from .worlds import WORLDS

_TYPED = re.compile(r"^\s*(\$ )?([A-Z_]+=\S+ )*(ocpp-gateway|helm|kubectl|docker|curl|pip|make) [a-z-]")


def test_every_block_has_a_known_language() -> None:
    assert [block.name for block in blocks() if block.language not in COMMANDS + OTHERS] == []


def test_commands_are_in_blocks_for_commands() -> None:
    """Elsewhere nobody would run them. docs/cli.md is what `--help` prints: its examples are checked there."""
    typed = [
        f"{block.name}: {line.strip()}"
        for block in blocks()
        if block.language not in COMMANDS and block.page != "docs/cli.md"
        for line in block.text.splitlines()
        if _TYPED.match(line)
    ]
    for page, text in pages().items():
        outside = re.sub(r"(?ms)^( *)(```+).*?^\1\2$", "", text)
        typed += [
            f"{page}: {line.strip()}" for line in outside.splitlines() if line[:4] == "    " and _TYPED.match(line)
        ]
    assert typed == []


def unclaimed(found: Iterable[Block]) -> list[str]:
    """Blocks with commands that nobody runs and that do not say why."""
    return [
        block.name
        for block in found
        if block.language in COMMANDS and "not run" not in block.said and block.page not in WORLDS
    ]


def test_every_block_with_commands_is_run_or_says_why_not() -> None:
    assert unclaimed(blocks()) == [], "a page needs a world (tests/docs/worlds.py), or the block a reason (blocks.py)"


def test_reasons_are_of_the_list() -> None:
    assert {block.said["not run"] for block in blocks() if "not run" in block.said} <= set(REASONS)


def test_worlds_are_of_pages_with_commands() -> None:
    run = {block.page for block in blocks() if block.language in COMMANDS and "not run" not in block.said}
    assert set(WORLDS) == run


@pytest.mark.parametrize(
    "block", [block for block in blocks() if block.language in COMMANDS], ids=lambda each: each.name
)
def test_commands_are_commands(block: Block) -> None:
    """For those that are run too: an option that was renamed is found here, at once."""
    for command in block.commands:
        for arguments in calls(command.text):
            assert mistake(arguments) == "", command.text


def test_shells_can_read_them() -> None:
    script = "\n".join(command.text for block in blocks() if block.language in COMMANDS for command in block.commands)
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_mentioned_commands_are_commands() -> None:
    mistakes = [
        f"{page}: {' '.join(each)}: {why}"
        for page, text in pages().items()
        for each in mentions(text)
        if (why := mistake(each, whole=False))
    ]
    assert mistakes == []


def test_examples_of_the_help_are_commands() -> None:
    """Those of docs/cli.md, which is what `--help` prints."""
    helps = [block.text for block in blocks() if block.page == "docs/cli.md"]
    examples = [
        " ".join(found.split()) for text in helps for found in re.findall(r"(?s)Examples?: (.*?)(?=\n\n|\Z)", text)
    ]
    assert len(examples) > 10
    wrong = []
    for example in examples:
        for command in example.split("; "):
            wrong += [f"{command}: {why}" for each in calls(command) if (why := mistake(each))]
    assert wrong == []


def test_targets_exist() -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8")))
    named = {name for text in pages().values() for name in re.findall(r"`make ([a-z-]+)[ `]", text)}
    named |= {
        name
        for block in blocks()
        if block.language in COMMANDS
        for command in block.commands
        for name in re.findall(r"(?:^|&& )make ([a-z-]+)", command.text)
    }
    assert named - targets == set()


def test_files_that_commands_name_are_there() -> None:
    """What is not run must at least be about files of this repository."""
    missing = [
        f"{block.name}: {path}"
        for block in blocks()
        if "not run" in block.said
        for path in re.findall(r"(?<![\w./-])(?<!exec )(?:deploy|helm|docs|tests)/[\w./-]+", block.text)
        if not (ROOT / path).exists() and not path.endswith("/wheels")
    ]
    assert missing == []


@pytest.mark.parametrize("block", [block for block in blocks() if block.language == "yaml"], ids=lambda each: each.name)
def test_configurations_are_right(block: Block, tmp_path: Path) -> None:
    """YAML that is a part of a configuration is one when upstreams that it does not describe are added; files need not be there."""
    shown = yaml.safe_load(block.text)
    if not set(shown) <= {field.encode_name for field in msgspec.structs.fields(Config)}:
        return
    upstreams = shown.setdefault("upstreams", {})
    for name in {name for route in shown.get("routes", ()) for name in (route["primary"], *route.get("mirrors", ()))}:
        upstreams.setdefault(name, {"url": "ws://csms.example", "version": "ocpp1.6"})
    upstreams.update({} if upstreams else {"main": {"url": "ws://csms.example", "version": "ocpp1.6"}})
    file = tmp_path / "gateway.yaml"
    file.write_text(yaml.safe_dump(shown))
    try:
        load(file, dict.fromkeys(re.findall(r"\$\{(\w+)", block.text), "0" * 64))
    except ConfigError as found:
        assert [each for each in found.errors if "cannot be read: No such file" not in each] == []


def test_a_new_block_is_noticed() -> None:
    text = "Text.\n\n<!-- not run: cluster -->\n```sh\nhelm install x y\n```\n\n```console\n$ ls \\\n    -l\na\n\n$ true\n```\n"
    first, second = blocks_of("page.md", text)
    assert (first.line, first.said, second.said) == (4, {"not run": "cluster"}, {})
    assert [(each.text, each.shown) for each in second.commands] == [("ls \\\n    -l", ["a"]), ("true", [])]
    assert unclaimed([first, second]) == ["page.md:8"]
    with pytest.raises(ValueError, match="unknown: perhaps"):
        blocks_of("page.md", "<!-- not run: cluster, perhaps -->\n```sh\nls\n```\n")
    assert mistake(["tail", "CP1", "--both-side"]) and not mistake(["tail", "CP1", "--both-sides"])
