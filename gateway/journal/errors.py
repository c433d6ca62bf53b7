"""What can go wrong between the gateway and its store."""

from __future__ import annotations


class StoreDown(Exception):
    """The store cannot be reached or refuses work (LOADING, READONLY, OOM, MISCONF, ...).

    Of a write that was under way the outcome is unknown: only one that is safe to run again may be repeated.
    """


class Fenced(Exception):
    """The lease under which a hub reads or writes is no longer its own: it must drop the partition."""


class UnsafeStore(Exception):
    """The store would lose or garble messages; the text says what is wrong and how to put it right."""


class OtherPartitions(UnsafeStore):
    """The store was begun with another number of partitions: nothing mends it but another configuration."""
