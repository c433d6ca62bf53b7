"""Sizes of frames, counted by powers of two: one list access per frame."""

from __future__ import annotations

from typing import Final

SIZES: Final = 40
"""Length of a list of counts; `counts[(length - 1).bit_length()] += 1` counts a frame."""


class Traffic:
    """What went through the sockets of one side."""

    __slots__ = ("received_bytes", "sent_bytes", "sizes")

    def __init__(self) -> None:
        self.received_bytes = 0
        self.sent_bytes = 0
        self.sizes = [0] * SIZES


def buckets(sizes: list[int], smallest: int, largest: int) -> list[int]:
    """Counts of the buckets with the bounds 2**smallest, ... 2**largest, and of what is larger."""
    middle = sizes[smallest + 1 : largest + 1]
    return [sum(sizes[: smallest + 1]), *middle, sum(sizes[largest + 1 :])]
