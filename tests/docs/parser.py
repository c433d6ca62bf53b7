"""Whether a command of ours, as a document writes it, is one: commands, options and their values, by the program's own parser."""

from __future__ import annotations

import itertools
import re
from functools import cache
from typing import Any

import typer

from .blocks import words

_OPERATORS = ("|", "||", "&&", ";", "&", ">", ">>", "<", "<<")
_ENVIRONMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
OURS = "ocpp-gateway"


def calls(command: str) -> list[list[str]]:
    """The arguments of every call of our program in a line of shell, also behind `--` and `docker run`."""
    found: list[list[str]] = []
    for segment in segments(words(command)):
        while segment and (_ENVIRONMENT.match(segment[0]) or segment[0] in ("sudo", "exec", "time")):
            segment = segment[1:]
        if segment and segment[0].rpartition("/")[2] == OURS:
            found.append(segment[1:])
        elif segment[:2] == ["docker", "run"] and OURS in segment:
            found.append(segment[len(segment) - segment[::-1].index(OURS) :])
        elif "--" in segment and segment[segment.index("--") + 1 :][:1] == [OURS]:
            found.append(segment[segment.index("--") + 2 :])
    return found


def segments(all_words: list[str]) -> list[list[str]]:
    segments: list[list[str]] = [[]]
    skip = False
    for word in all_words:
        if skip:
            skip = False
        elif word in (">", ">>", "<"):
            skip = True
        elif word in _OPERATORS:
            segments.append([])
        else:
            segments[-1].append(word)
    return segments


@cache
def _root() -> Any:
    from gateway.cli.commands import app

    return typer.main.get_command(app)


def mistake(arguments: list[str], *, whole: bool = True) -> str:
    """What is wrong with a call; empty: nothing. `whole=False`: it is only mentioned, and may lack arguments."""
    command, name, parent = _root(), OURS, None
    rest = list(arguments)
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        if rest[0] not in command.commands:
            return f"no command {' '.join([name, rest[0]])}"
        name = f"{name} {rest[0]}"
        command = command.commands[rest.pop(0)]
    if hasattr(command, "commands"):
        return "" if rest in (["--help"], ["--version"]) or not (rest or whole) else f"{name} needs a command"
    try:
        with command.make_context(name, rest, parent=parent):
            pass
    except typer.Exit:
        pass
    except Exception as error:
        kind, text = type(error).__name__, str(error)
        if (kind == "MissingParameter" and not whole) or "does not exist" in text:
            return ""
        return f"{name}: {text}"
    return ""


_INLINE = re.compile(r"(?<!`)`(ocpp-gateway(?: [^`]*)?)`(?!`)")


def mentions(text: str) -> list[list[str]]:
    """The arguments of every call in running text; `list|show` are two, `[--upstream NAME]` counts, `<name>` is a word."""
    found: list[list[str]] = []
    for inline in _INLINE.findall(text):
        plain = re.sub(r"<[^>]*>", "NAME", inline.replace("\\|", "|").replace("[", "").replace("]", ""))
        if "..." in plain or "{" in plain:
            continue
        try:
            choices = [part.split("|") for part in re.findall(r"'[^']*'|\"[^\"]*\"|\S+", plain)[1:]]
        except ValueError:
            continue
        found += [[word.strip("'\"") for word in each] for each in itertools.product(*choices)]
    return found
