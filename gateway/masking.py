"""Masks of the frames that a client sends (RFC 6455 section 5.3)."""

from __future__ import annotations

import os

try:
    from websockets.speedups import apply_mask
except ImportError:  # a platform without the compiled part of the library
    from websockets.utils import apply_mask

__all__ = ["apply_mask", "new_mask"]

_pool = b""
_pool_at = 0


def new_mask() -> bytes:
    """Four random bytes, unpredictable as RFC 6455 section 10.3 asks; the system is asked for 8 KiB at a time."""
    global _pool, _pool_at
    if _pool_at >= len(_pool):
        _pool, _pool_at = os.urandom(8192), 0
    _pool_at += 4
    return _pool[_pool_at - 4 : _pool_at]
