"""Live frames for those who watch. Whoever has a frame tests `armed` first: while nobody watches, that is all it costs. Then it
asks `wanted`, which counts what is not.

A watch has a limit of frames per second and of frames that wait to be taken. What is more is counted and told as a gap, never
left out in silence.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Literal, TypeAlias

import msgspec

from gateway.routes import matcher

Leg: TypeAlias = Literal["charger", "csms"]

RATE: Final = 200.0
"""Frames per second of one watch; what a second leaves over may be used later, up to `BURST`."""
BURST: Final = 1000.0
WAITING: Final = 2000
"""Frames of one watch that wait to be taken."""
MOST: Final = 32
"""Watches at a time."""
LARGEST: Final = 16 * 1024
"""Bytes of a frame that are passed on."""

armed = False
"""Somebody watches."""

clock = time.time

_watches: dict[str, Watch] = {}


class Seen(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A frame, or something that happened to a connection."""

    at: int
    """ms: when it came, or was sent."""
    charger: str
    leg: Leg
    upstream: str = ""
    """Of the leg `csms`."""
    direction: Literal["in", "out", ""] = ""
    """As the gateway sees it; empty: no frame, `note` says what happened."""
    version: str = ""
    data: bytes = b""
    """The frame as text."""
    size: int = 0
    """Its bytes; more than `data` has if it was cut."""
    action: str = ""
    id: str = ""
    exchange: str = ""
    """The same for all frames, on both legs, that one CALL of the charger or of a CSMS brought about; empty: not known."""
    losses: tuple[tuple[str, str], ...] = ()
    """What the translation to this frame lost: (member, kind)."""
    ms: int = -1
    """Of an answer: since its CALL on the same leg; -1: not known."""
    note: str = ""


class Watch:
    """What one watcher wants to see, and what waits for it. `now`: seconds, never going back."""

    def __init__(self, id: str, match: str, until: float, now: float, wake: Callable[[], None]) -> None:
        """`match`: an identity, a glob or `re:`; raises ValueError for one that cannot be read. `wake` is called when
        something waits that did not before. `until`: when it ends unless it is prolonged."""
        try:
            self._matches = matcher((match,))
        except Exception as error:  # re.error, RecursionError, ...
            raise ValueError(f"match: {match} is no pattern: {error}") from error
        self.id = id
        self.match = match
        self.until = until
        self.waiting: deque[Seen] = deque()
        self.lost = 0
        """Frames left out since `take` was called last."""
        self._wake = wake
        self._known: dict[str, bool] = {}
        self._allowed = BURST
        self._at = now

    def wants(self, charger: str) -> bool:
        """Whether frames of this charger are asked for."""
        found = self._known.get(charger)
        if found is None:
            if len(self._known) > 100_000:
                self._known.clear()
            found = self._known[charger] = self._matches(charger.casefold())
        return found

    def room(self, now: float) -> bool:
        """Whether one more can be taken; `now`: seconds."""
        if now > self._at:
            self._allowed = min(BURST, self._allowed + (now - self._at) * RATE)
            self._at = now
        return self._allowed >= 1 and len(self.waiting) < WAITING

    def put(self, seen: Seen) -> None:
        """One more, for which there is room."""
        self._allowed -= 1
        if not self.waiting:
            self._wake()
        self.waiting.append(seen)

    def take(self) -> tuple[list[Seen], int]:
        """What waits, and how many were lost since the last time."""
        taken, self.waiting = list(self.waiting), deque()
        lost, self.lost = self.lost, 0
        return taken, lost


def add(watch: Watch) -> None:
    """Begin to watch. Raises ValueError when there are too many."""
    global armed
    if watch.id not in _watches and len(_watches) >= MOST:
        raise ValueError(f"{MOST} watch already")
    _watches[watch.id] = watch
    armed = True


def find(id: str) -> Watch | None:
    """A watch that was added."""
    return _watches.get(id)


def remove(id: str) -> None:
    """End a watch; nothing happens if there is none."""
    global armed
    _watches.pop(id, None)
    armed = bool(_watches)


def expire(now: float) -> None:
    """End those whose time is over: whoever wanted them is gone."""
    for id in [watch.id for watch in _watches.values() if now > watch.until]:
        remove(id)


def watched(charger: str) -> bool:
    """Whether somebody watches this charger."""
    return any(watch.wants(charger) for watch in _watches.values())


def roomy(charger: str) -> bool:
    """Whether somebody watches this charger and could take one more frame of it now."""
    now = clock()
    return any(watch.wants(charger) and watch.room(now) for watch in _watches.values())


def wanted(charger: str) -> bool:
    """Whether somebody watches this charger and can take one more frame of it, which must then be shown; for all others it is
    counted as lost. Asked before anything is done for a frame: those that are too many cost next to nothing."""
    now, found = clock(), False
    for watch in _watches.values():
        if watch.wants(charger):
            if watch.room(now):
                found = True
            else:
                watch.lost += 1
    return found


def show(seen: Seen) -> None:
    """Give it to everybody who watches its charger and has room."""
    now = clock()
    for watch in _watches.values():
        if watch.wants(seen.charger) and watch.room(now):
            watch.put(seen)


def frame(
    at: int, charger: str, leg: Leg, direction: Literal["in", "out"], version: str, data: bytes, **more: Any
) -> None:
    """Show a frame. `more`: the other members of `Seen`."""
    show(Seen(at, charger, leg, more.pop("upstream", ""), direction, version, data[:LARGEST], len(data), **more))


def happened(at: int, charger: str, leg: Leg, note: str, *, upstream: str = "", version: str = "") -> None:
    """Show something that is no frame: a connection came or went."""
    show(Seen(at, charger, leg, upstream, "", version, note=note))
