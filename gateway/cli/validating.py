"""Frames checked against the official schemas of their OCPP version."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from gateway.capture import Line
from gateway.cli.options import fail
from gateway.cli.recordings import numbered_of
from gateway.schemas import validator

Peer = tuple[str, str, str, int, str]


def wrong(file: Path, version: str) -> tuple[int, list[dict[str, Any]]]:
    """(frames, errors) of a capture, or of a file with a frame a line. Exits with 2 when it cannot be read."""
    found: list[dict[str, Any]] = []
    asked: dict[Peer, str] = {}
    count = 0
    for number, line in _lines(file, version):
        if line.frame is None:
            continue
        count += 1
        for action, error in _errors(line, asked):
            found.append({"file": str(file), "line": number, "charger": line.charger, "action": action, "error": error})
    return count, found


def _lines(file: Path, version: str) -> Iterator[tuple[int, Line]]:
    try:
        if str(file) == "-":
            text = sys.stdin.read()
        else:
            with file.open(encoding="utf-8") as source:
                first = source.readline()
            # A capture may be long: it is read line by line.
            text = first if first.lstrip().startswith("{") else file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fail([f"{file}: cannot be read: {getattr(error, 'strerror', None) or error}"])
    if text.lstrip().startswith("{"):
        yield from numbered_of(file, version, given=text.splitlines() if str(file) == "-" else None)
        return
    for number, each in enumerate(text.splitlines(), 1):
        if each.strip():
            try:
                frame = msgspec.json.decode(each)
            except msgspec.MsgspecError as error:
                frame = [f"no JSON: {error}"]
            yield (
                number,
                Line("", version=version, frame=frame if isinstance(frame, list) else ["no frame: not an array"]),
            )


def _errors(line: Line, asked: dict[Peer, str]) -> list[tuple[str, str]]:
    """(action, error) of a frame. `asked`: the CALLs that have no answer yet."""
    frame = line.frame
    if not frame or frame[0] not in (2, 3, 4, 5, 6) or len(frame) < 3 or not isinstance(frame[1], str):
        return [("", "no OCPP-J frame" if not frame or not isinstance(frame[0], str) else frame[0])]
    if len(frame[1]) > 36:
        return [("", "the message id is longer than 36 characters")]
    if not line.version:
        return [("", "the OCPP version is not known (--version)")]
    kind, peer = frame[0], (line.charger, line.leg, line.upstream, line.conn, frame[1])
    if kind in (2, 6):
        name = "CALL" if kind == 2 else "SEND"
        if len(frame) != 4 or not isinstance(frame[2], str):
            return [("", f"a {name} has four elements")]
        if kind == 2:
            asked[peer] = frame[2]
        return [(frame[2], each) for each in _broken(line.version, frame[2], frame[3])]
    action = asked.pop(peer, "")
    if kind == 3:
        if not action:
            return []
        return [(f"answer to {action}", each) for each in _broken(line.version, action, frame[2], answer=True)]
    if len(frame) != 5 or not isinstance(frame[2], str) or not isinstance(frame[4], dict):
        return [(f"answer to {action}" if action else "", "a CALLERROR has five elements")]
    return []


def _broken(version: str, action: str, payload: Any, *, answer: bool = False) -> list[str]:
    """What is wrong with a payload, each with its JSON path."""
    schema = validator(version, action, answer=answer)
    if schema is None:
        return [f"{version} has no {action}"]
    exact = json.loads(msgspec.json.encode(payload), parse_float=Decimal)  # as the schemas' multiples are
    return [f"{each.json_path}: {each.message}"[:300] for each in schema.iter_errors(exact)]
