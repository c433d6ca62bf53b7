"""The capture format: what a charger and its CSMSs said, one JSON object a line. docs/captures.md describes it. Pure.

Read as well are recordings of other tools with `{"dir": "in"|"out", "t": seconds, "conn": n, "frame": [...]}` a line, where
`in` is what the charger said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final, Literal

import msgspec

from gateway.redact import redact

FORMAT: Final = 1
"""A reader refuses anything newer."""


class BadCapture(ValueError):
    """A line that cannot be read; the text names it."""


class Header(msgspec.Struct):
    """The first line."""

    capture: int = FORMAT
    """Number of the format."""
    made_by: str = ""
    at: str = ""
    """ISO 8601."""
    match: str = ""
    """Which chargers."""
    redacted: bool = True
    """Secrets are `***`, tokens are replaced by a hash that is the same for the same token within the file."""


class Line(msgspec.Struct, omit_defaults=True, rename={"source": "from"}):
    """Any other line: a frame (`frame`), a connection that came or went (`state`), or missing frames (`gap`)."""

    at: str
    charger: str = ""
    leg: Literal["charger", "csms"] = "charger"
    upstream: str = ""
    """Of the leg `csms`."""
    source: Literal["charger", "gateway", "csms", ""] = ""
    """Who said it."""
    version: str = ""
    """OCPP version of the frame."""
    frame: list[Any] | None = None
    exchange: str = ""
    """The same for all frames on both legs that one CALL brought about."""
    losses: list[dict[str, str]] = []
    """What the translation to this frame lost: `field` and `kind`."""
    ms: int | None = None
    """Of an answer: since its CALL on the same leg."""
    state: str = ""
    gap: int | None = None
    """So many frames are missing here; 0: nobody knows how many."""
    conn: int = 0
    """Connection of the charger, where it is known."""

    @property
    def time(self) -> float:
        """Seconds since 1970; 0: not known. Raises ValueError."""
        if not self.at:
            return 0.0
        moment = datetime.fromisoformat(self.at)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


class _Other(msgspec.Struct):
    """A line of another tool."""

    dir: Literal["in", "out"]
    frame: list[Any]
    t: float = 0
    """Seconds since 1970; 0: not recorded."""
    conn: int = 0


_header = msgspec.json.Decoder(Header, strict=True)
_line = msgspec.json.Decoder(Line)
_other = msgspec.json.Decoder(_Other)
_encode = msgspec.json.Encoder().encode


def write(item: Header | Line) -> str:
    """A line, without its end."""
    return _encode(item).decode()


def read(lines: Iterable[str | bytes], *, charger: str = "", version: str = "") -> Iterator[Line]:
    """The lines of a capture but its header. `charger` and `version` are taken where the lines do not say. Raises BadCapture."""
    return (line for _, line in numbered(lines, charger=charger, version=version))


def numbered(lines: Iterable[str | bytes], *, charger: str = "", version: str = "") -> Iterator[tuple[int, Line]]:
    """The same, each with the number of its line."""
    other = None
    for number, raw in enumerate(lines, 1):
        text = raw.encode() if isinstance(raw, str) else raw
        if not text.strip():
            continue
        try:
            if other is None:
                other = b'"capture"' not in text[:200]
                if not other:
                    header = _header.decode(text)
                    if header.capture > FORMAT:
                        raise BadCapture(f"line {number}: format {header.capture}; this release reads up to {FORMAT}")
                    continue
            if other and b'"dir"' in text[:20]:
                line = _from_other(_other.decode(text))
            else:
                line = _line.decode(text)
        except msgspec.MsgspecError as error:
            raise BadCapture(f"line {number}: {error}") from None
        line.charger = line.charger or charger
        line.version = line.version or version
        yield number, line


def _from_other(line: _Other) -> Line:
    at = datetime.fromtimestamp(line.t, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if line.t else ""
    return Line(at, source="charger" if line.dir == "in" else "csms", frame=line.frame, conn=line.conn)


def version_of(meta: Iterable[str | bytes]) -> str:
    """The OCPP version in the handshakes that other tools keep beside a recording (`*.meta.jsonl`); "" if it is not there."""
    for raw in meta:
        try:
            said = msgspec.json.decode(raw)
        except msgspec.MsgspecError:
            continue
        for line in said.get("lines", ()) if isinstance(said, dict) and said.get("who") == "csms" else ():
            name, _, value = str(line).partition(":")
            if name.strip().casefold() == "sec-websocket-protocol":
                return value.strip()
    return ""


def hidden(frame: list[Any], action: str = "") -> list[Any]:
    """A frame without secrets and tokens. `action`: that of the CALL, for an answer."""
    if len(frame) > 3 and frame[0] == 2 and isinstance(frame[2], str):
        action = frame[2]
    return [*frame[:2], *(redact(each, action) if isinstance(each, dict | list) else each for each in frame[2:])]
