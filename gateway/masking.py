"""Masks of the frames that a client sends (RFC 6455 section 5.3)."""

from __future__ import annotations

import os
from collections.abc import Iterator

try:
    from websockets.speedups import apply_mask
except ImportError:  # a platform without the compiled part of the library
    from websockets.utils import apply_mask

__all__ = ["apply_mask", "new_mask"]

_masks: Iterator[bytes] = iter(())


def new_mask() -> bytes:
    """Four random bytes, unpredictable as RFC 6455 section 10.3 asks; the system is asked for 2 KiB at a time."""
    global _masks
    mask = next(_masks, None)
    if mask is None:
        pool = os.urandom(2048)
        _masks = iter([pool[at : at + 4] for at in range(0, len(pool), 4)])
        mask = next(_masks)
    return mask
