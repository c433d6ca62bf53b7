"""The blocks of code in the documents, and what is to be done with each.

A comment before a block says what is not plain from its language:

    <!-- not run: REASON -->   one of REASONS; its commands are only checked for what they name
    <!-- file: NAME -->        the text is a file of that name where the commands of the page run
    <!-- stays -->             its last command goes on (a server, or what Ctrl-C ends) while the page does
    <!-- exits: N -->          its last command ends with this code
    <!-- looks -->             before it the reader looks at the console; what is seen then is in the page's world
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMANDS = ("console", "sh", "bash")
"""Languages of blocks with commands: `console` has `$ ` before each and shows output, the others are commands only."""
OTHERS = ("text", "yaml", "json", "promql", "python", "csv", "")
REASONS = {
    "cluster": "needs a Kubernetes cluster; helm renders what it would install",
    "container": "needs a container engine",
    "root": "needs root or systemd",
    "tests": "is these tests",
    "checkout": "makes the environment that the tests run in",
}
_FENCE = re.compile(r"^(?P<indent> *)(?P<marks>`{3,}|~{3,})(?P<language>[^\s`]*)[^`]*$")
_COMMENT = re.compile(r"^ *<!--(?P<said>.*)-->\s*$")
_SAID = re.compile(r"(not run|file|exits): *(.+)|(stays|looks)")


@dataclass
class Command:
    """One command of a block, as it is typed, and the lines that the page shows below it."""

    text: str
    shown: list[str] = field(default_factory=list)


@dataclass
class Block:
    """`line`: of its fence, from 1. `said`: what the comment before it says, by word."""

    page: str
    line: int
    language: str
    text: str
    said: dict[str, str]

    @property
    def name(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def commands(self) -> list[Command]:
        """Those of a block with commands, in order."""
        return _console(self.text) if self.language == "console" else _script(self.text)


def _console(text: str) -> list[Command]:
    commands: list[Command] = []
    unfinished = False
    for line in text.splitlines():
        if line.startswith("$ "):
            commands.append(Command(line[2:]))
            unfinished = line.endswith("\\")
        elif unfinished:
            commands[-1].text += "\n" + line.removeprefix("> ")
            unfinished = line.endswith("\\")
        elif commands:
            commands[-1].shown.append(line)
        else:
            raise ValueError(f"output before the first command: {line}")
    for each in commands:
        while each.shown and not each.shown[-1].strip():
            each.shown.pop()
    return commands


def _script(text: str) -> list[Command]:
    commands: list[Command] = []
    unfinished = False
    for line in text.splitlines():
        if unfinished:
            commands[-1].text += "\n" + line
        elif line.strip() and not line.lstrip().startswith("#"):
            commands.append(Command(line))
        else:
            continue
        unfinished = line.endswith("\\")
    return commands


def words(command: str) -> list[str]:
    """The words of a command; operators of the shell (`|`, `>`, `&&`) are words too, comments are none."""
    lexer = shlex.shlex(command.replace("\\\n", " "), posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    return list(lexer)


def blocks_of(page: str, text: str) -> list[Block]:
    """Of a page, in order. Raises ValueError for a comment that says something else than what is known, or an open fence."""
    found: list[Block] = []
    said: dict[str, str] = {}
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        if comment := _COMMENT.match(line):
            said = _said(comment["said"], f"{page}:{number}")
        elif fence := _FENCE.match(line):
            first, end = number, fence["indent"] + fence["marks"]
            while number < len(lines) and lines[number].rstrip() != end:
                number += 1
            if number == len(lines):
                raise ValueError(f"{page}:{first}: a fence that does not end")
            body = [each.removeprefix(fence["indent"]) for each in lines[first:number]]
            found.append(Block(page, first, fence["language"], "\n".join(body), said))
            number += 1
            said = {}
        elif line.strip():
            said = {}
    return found


def _said(text: str, where: str) -> dict[str, str]:
    if not _SAID.match(text.strip()):
        return {}
    said: dict[str, str] = {}
    for part in text.split(","):
        match = _SAID.fullmatch(part.strip())
        if match is None:
            raise ValueError(f"{where}: unknown: {part.strip()}")
        said[match[1] or match[3]] = (match[2] or "").strip()
    return said


@cache
def pages() -> dict[str, str]:
    """Path -> text of everything that people read."""
    outside = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "deploy/README.md")
    paths = [ROOT / name for name in outside]
    paths += sorted((ROOT / "docs").rglob("*.md")) + sorted((ROOT / "helm" / "ocpp-gateway").glob("*.md"))
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in paths}


@cache
def blocks() -> tuple[Block, ...]:
    """Of all pages."""
    return tuple(block for page, text in pages().items() for block in blocks_of(page, text))
