"""A journal entry as one string that sorts like its id: how entries are kept outside of their stream."""

from __future__ import annotations

import msgspec

from gateway.journal.entry import FORMAT, Entry, Head, Kind
from gateway.journal.errors import UnsafeStore


class _Rest(msgspec.Struct, array_like=True, frozen=True, gc=False):
    kind: Kind
    head: Head
    frame: bytes
    tx: int


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Rest).decode
_ID_BYTES = 31


def place(id: str) -> bytes:
    """A stream id, padded so that ids sort as strings."""
    ms, _, seq = id.partition("-")
    return b"%020d-%010d" % (int(ms), int(seq or 0))


def pack(entry: Entry) -> bytes:
    """The same entry always gives the same string."""
    return place(entry.id) + _encode(_Rest(entry.kind, entry.head, entry.frame, entry.tx))


def unpack(packed: bytes) -> Entry:
    """Raises UnsafeStore for an entry that a newer release wrote."""
    ms, _, seq = packed[:_ID_BYTES].partition(b"-")
    id = f"{int(ms)}-{int(seq)}"
    try:
        rest = _decode(packed[_ID_BYTES:])
    except msgspec.ValidationError as error:
        raise UnsafeStore(f"entry {id} was put aside by a newer release: run that one, or a newer one") from error
    if rest.head.format > FORMAT:
        raise UnsafeStore(
            f"entry {id} has format {rest.head.format}, this release reads up to {FORMAT}: "
            "run the release that wrote it, or a newer one"
        )
    return Entry(id, rest.kind, rest.head, rest.frame, rest.tx)
