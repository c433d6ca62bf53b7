"""How fast a charger may send without waiting for answers. Pure: times are seconds of any clock that never goes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gateway.config_limits import Limits

CALM_SECONDS: Final = 30.0
"""After so long without a pause an earlier one counts no more."""


class Pace:
    """Two token buckets of one connection: messages and bytes. Made only for those that hurry."""

    __slots__ = ("_at", "_bytes", "_frames", "_paused_at", "_since")

    def __init__(self, limits: Limits, now: float) -> None:
        self._frames: float = limits.frame_burst
        self._bytes: float = _most_bytes(limits)
        self._at = now
        self._since = self._paused_at = -CALM_SECONDS

    def spend(self, size: int, limits: Limits, now: float) -> float:
        """A message of so many bytes: for how many seconds nothing more is to be read; 0: read on."""
        passed, self._at = now - self._at, now
        wait = 0.0
        if limits.frame_rate:
            self._frames = min(limits.frame_burst, self._frames + passed * limits.frame_rate) - 1
            wait = max(wait, -self._frames / limits.frame_rate)
        if limits.byte_rate:
            self._bytes = min(_most_bytes(limits), self._bytes + passed * limits.byte_rate) - size
            wait = max(wait, -self._bytes / limits.byte_rate)
        if wait <= 0:
            return 0.0
        if now - self._paused_at > CALM_SECONDS:
            self._since = now
        self._paused_at = now + wait
        return wait

    def take(self, limits: Limits, now: float) -> bool:
        """A message that may be thrown away: whether there is room for it. One that is thrown away costs nothing here."""
        passed, self._at = now - self._at, now
        if limits.send_rate:
            self._frames = min(limits.frame_burst, self._frames + passed * limits.send_rate)
            if self._frames < 1:
                return False
            self._frames -= 1
        return True

    def too_long(self, limits: Limits, now: float) -> bool:
        """Whether it has gone on like that for too long."""
        return now - self._paused_at <= CALM_SECONDS and now - self._since >= limits.pause_longest


def _most_bytes(limits: Limits) -> float:
    """As many seconds' worth as of messages, but one message of any size always fits."""
    seconds = limits.frame_burst / limits.frame_rate if limits.frame_rate else 10.0
    return max(256 * 1024, limits.byte_rate * seconds)
