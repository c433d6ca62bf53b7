"""Frames checked against the typed models of their OCPP version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from gateway.admin.commands import MODELS, errors
from gateway.capture import Line
from gateway.cli.recordings import lines_of


def wrong(file: Path, version: str) -> tuple[int, list[dict[str, Any]]]:
    """(frames, errors) of a capture, or of a file with a frame a line. Exits with 2 when it cannot be read."""
    found: list[dict[str, Any]] = []
    asked: dict[tuple[str, str, str, int, str], str] = {}
    count = 0
    for number, line in enumerate(_lines(file, version), 1):
        if line.frame is None:
            continue
        count += 1
        for action, error in _errors(line, asked):
            who = f"{line.charger}: " if line.charger else ""
            found.append({"file": str(file), "line": number, "charger": who, "action": action, "error": error})
    return count, found


def _lines(file: Path, version: str) -> Any:
    if str(file) != "-":
        with file.open("rb") as source:
            first = source.readline().lstrip()
        if not first.startswith(b"["):
            return lines_of([file], version)
        return _frames(file.read_bytes().splitlines(), version)
    import sys

    text = sys.stdin.buffer.read().splitlines()
    if text and not text[0].lstrip().startswith(b"["):
        from gateway.capture import read

        return read(text, version=version)
    return _frames(text, version)


def _frames(lines: list[bytes], version: str) -> Any:
    for text in lines:
        if text.strip():
            try:
                frame = msgspec.json.decode(text)
            except msgspec.MsgspecError as error:
                frame = [f"no JSON: {error}"]
            yield Line("", version=version, frame=frame if isinstance(frame, list) else ["no frame: not an array"])


def _errors(line: Line, asked: dict[tuple[str, str, str, int, str], str]) -> list[tuple[str, str]]:
    frame = line.frame
    if not frame or frame[0] not in (2, 3, 4, 5, 6) or len(frame) < 3 or not isinstance(frame[1], str):
        return [("", "no OCPP-J frame" if not frame or not isinstance(frame[0], str) else frame[0])]
    if len(frame[1]) > 36:
        return [("", "the message id is longer than 36 characters")]
    if not line.version:
        return [("", "the OCPP version is not known (--version)")]
    if line.version not in MODELS:
        return [("", f"{line.version} cannot be checked here")]
    peer = (line.charger, line.leg, line.upstream, line.conn)
    if frame[0] == 2:
        if len(frame) != 4 or not isinstance(frame[2], str):
            return [("", "a CALL has four elements")]
        asked[(*peer, frame[1])] = frame[2]
        return [(frame[2], each) for each in errors(line.version, frame[2], msgspec.json.encode(frame[3]))]
    if frame[0] == 3:
        action = asked.pop((*peer, frame[1]), "")
        if not action:
            return []
        text = msgspec.json.encode(frame[2])
        return [(f"answer to {action}", each) for each in errors(line.version, action, text, answer=True)]
    if frame[0] == 4 and (len(frame) != 5 or not isinstance(frame[2], str) or not isinstance(frame[4], dict)):
        return [("", "a CALLERROR has five elements")]
    return []
