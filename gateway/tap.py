"""Live frames for those who watch. Whoever has a frame tests `armed` first: while nobody watches, that is all it costs. Then it
asks `begins` or `wanted`, which count what is not shown: only for what is shown is anything decoded or remembered.

A watch has a limit of frames per second and of frames that wait to be taken. What is more is counted and told as a gap, never
left out in silence. Exchanges are shown as a whole or not at all: the CALL with which one begins decides, and from then on
everything of this charger is shown until it has no exchange open.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Literal, TypeAlias

import msgspec

from gateway.routes import matcher

Leg: TypeAlias = Literal["charger", "csms"]

RATE: Final = 100.0
"""Frames per second of one watch; what a second leaves over may be used later, up to `BURST`."""
BURST: Final = 1000.0
WAITING: Final = 2000
"""Frames of one watch that wait to be taken."""
MOST: Final = 32
"""Watches at a time."""
LARGEST: Final = 16 * 1024
"""Bytes of a frame that are passed on."""
RESERVED: Final = 3.0
"""Frames that are kept free for the rest of an exchange when its first is shown."""
REST: Final = 0.25
"""Seconds for which nothing begins to be shown once a watch has had all that it may: few long gaps rather than many short ones."""
PATIENCE: Final = 30.0
"""Seconds after which an exchange is over, shown or not."""

armed = False
"""Somebody watches."""

clock = time.time

following: dict[str, int] = {}
"""Chargers of which frames are shown now -> to how many."""

_watches: dict[str, Watch] = {}
_interest: dict[str, tuple[Watch, ...]] = {}
"""Charger as spelled -> who watches it."""


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


class _Followed:
    """A charger that is shown."""

    __slots__ = ("open", "until")

    def __init__(self, until: float) -> None:
        self.open = 0
        """CALLs that were shown and not their answers."""
        self.until = until


class Watch:
    """What one watcher wants to see, and what waits for it. `now`: seconds, never going back."""

    def __init__(self, id: str, match: str, until: float, now: float, wake: Callable[[], None]) -> None:
        """`match`: an identity, a glob or `re:`; raises ValueError for one that cannot be read. `wake` is called when
        something waits that did not before. `until`: when it ends unless it is prolonged."""
        try:
            self.matches = matcher((match,))
        except Exception as error:  # re.error, RecursionError, ...
            raise ValueError(f"match: {match} is no pattern: {error}") from error
        self.id = id
        self.match = match
        self.until = until
        self.waiting: deque[Seen] = deque()
        self.lost = 0
        """Frames left out since `take` was called last."""
        self._wake = wake
        self._followed: dict[str, _Followed] = {}
        self.skipped: dict[str, float] = {}
        """Chargers with an exchange that is not shown -> when it began."""
        self._looked = self._took = now
        self._allowed = BURST
        self._again = 0.0
        """Nothing begins to be shown before."""
        self._at = now

    def begins(self, charger: str) -> bool:
        """Whether a frame with which something begins is shown; it is counted as lost if not."""
        if charger in self._followed:
            return True
        now = clock()
        if now >= self._again and self._room(now):
            self._allowed -= RESERVED
            self._followed[charger] = _Followed(now + PATIENCE)
            following[charger] = following.get(charger, 0) + 1
            self.skipped.pop(charger, None)
            return True
        self.skipped[charger] = now
        self.miss()
        return False

    def wants(self, charger: str) -> bool:
        """The same of a frame that may belong to something that has begun."""
        if charger in self.skipped and charger not in self._followed:
            self.miss()
            return False
        return self.begins(charger)

    def miss(self) -> None:
        """Count a frame that is not shown."""
        if not self.lost:
            self._wake()
        self.lost += 1

    def follows(self, charger: str) -> bool:
        """Whether frames of this charger are shown now."""
        return charger in self._followed

    def _room(self, now: float) -> bool:
        if now > self._at:
            self._allowed = min(BURST, self._allowed + (now - self._at) * RATE)
            self._at = now
        if self._allowed >= 1 + RESERVED and len(self.waiting) < WAITING:
            return True
        self._again = now + max(REST, (1 + RESERVED - self._allowed) / RATE)
        for charger in [charger for charger, each in self._followed.items() if now > each.until]:
            self._leave(charger)
        return False

    def put(self, seen: Seen, kind: int, now: float) -> None:
        """One more of a charger that is followed. `kind`: 1 for a CALL, -1 for an answer, 0 for what is neither."""
        followed = self._followed[seen.charger]
        if self._allowed < -RATE or len(self.waiting) >= 2 * WAITING:
            self.miss()
            self.skipped[seen.charger] = now
            self._leave(seen.charger)
            return
        self._allowed -= 1
        followed.open += kind
        if followed.open <= 0 or now > followed.until:
            self._leave(seen.charger)
        if not self.waiting:
            self._wake()
        self.waiting.append(seen)

    def _leave(self, charger: str) -> None:
        del self._followed[charger]
        self._allowed += RESERVED
        if following.get(charger, 0) > 1:
            following[charger] -= 1
        else:
            following.pop(charger, None)

    def end(self) -> None:
        """Nothing is shown to it any more."""
        for charger in list(self._followed):
            self._leave(charger)

    def take(self) -> tuple[list[Seen], int]:
        """What waits, and how many were lost since the last time; when nothing waits, only a second after something did, so
        that there are few gaps. Then `lost` is left and should be asked for again."""
        now = clock()
        if not self.waiting and abs(now - self._took) < 1:
            return [], 0
        self._took = now
        taken, self.waiting = list(self.waiting), deque()
        lost, self.lost = self.lost, 0
        if now - self._looked > PATIENCE:
            self._looked = now
            for charger in [charger for charger, since in self.skipped.items() if now - since > PATIENCE]:
                del self.skipped[charger]
        return taken, lost


def add(watch: Watch) -> None:
    """Begin to watch. Raises ValueError when there are too many."""
    global armed
    if watch.id not in _watches and len(_watches) >= MOST:
        raise ValueError(f"{MOST} watch already")
    remove(watch.id)
    _watches[watch.id] = watch
    _interest.clear()
    armed = True


def find(id: str) -> Watch | None:
    """A watch that was added."""
    return _watches.get(id)


def remove(id: str) -> None:
    """End a watch; nothing happens if there is none."""
    global armed
    watch = _watches.pop(id, None)
    if watch is not None:
        watch.end()
    _interest.clear()
    armed = bool(_watches)


def expire(now: float) -> None:
    """End those whose time is over: whoever wanted them is gone."""
    for id in [watch.id for watch in _watches.values() if now > watch.until]:
        remove(id)


def _interested(charger: str) -> tuple[Watch, ...]:
    """Who watches this charger."""
    found = _interest.get(charger)
    if found is None:
        if len(_interest) > 100_000:
            _interest.clear()
        folded = charger.casefold()
        found = _interest[charger] = tuple(watch for watch in _watches.values() if watch.matches(folded))
    return found


def begins(charger: str) -> bool:
    """Whether the frame with which an exchange begins must be shown; for all who watch and cannot take it it is counted as lost.
    Asked before anything is done for a frame: those that are too many cost next to nothing."""
    found = False
    for watch in _interest.get(charger) or _interested(charger):
        if watch.begins(charger):
            found = True
    return found


def wanted(charger: str) -> bool:
    """The same of any other frame: it is shown when the exchange to which it may belong is."""
    found = False
    for watch in _interest.get(charger) or _interested(charger):
        if charger in watch.skipped and charger not in following:
            watch.miss()
        elif watch.wants(charger):
            found = True
    return found


def show(seen: Seen) -> None:
    """Give it to everybody who watches its charger and follows it now, and end to follow what has ended with it."""
    now = clock()
    kind = 0 if not seen.direction else 1 if seen.data[:16].lstrip(b"[ \t\r\n")[:1] == b"2" else -1
    for watch in _interested(seen.charger):
        if watch.follows(seen.charger):
            watch.put(seen, kind, now)


def frame(
    at: int, charger: str, leg: Leg, direction: Literal["in", "out"], version: str, data: bytes, **more: Any
) -> None:
    """Show a frame. `more`: the other members of `Seen`."""
    show(Seen(at, charger, leg, more.pop("upstream", ""), direction, version, data[:LARGEST], len(data), **more))


def happened(at: int, charger: str, leg: Leg, note: str, *, upstream: str = "", version: str = "") -> None:
    """Show something that is no frame: a connection came or went."""
    show(Seen(at, charger, leg, upstream, "", version, note=note))
