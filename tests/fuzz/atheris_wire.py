"""Coverage-guided fuzzing of the WebSocket shell: `python -m tests.fuzz.atheris_wire [seconds] [corpus folder]`.

Any stream of bytes, cut anywhere: `gateway/wire.py`, `gateway/reading.py` and the `websockets` library make the same of it.
What that means is in tests/gateway/wire/test_agrees.py, where hypothesis asks it in the usual runs. Needs `atheris`
(tests/fuzz/requirements.txt).
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris
from websockets.protocol import Side

with atheris.instrument_imports(include=["gateway.wire", "gateway.reading", "gateway.serve", "gateway.dial"]):
    from tests.gateway.wire.test_agrees import LIMIT, agree

LONGEST = 2048


def once(data: bytes) -> None:
    """The first byte chooses the leg and how many cuts there are, the next ones where; the rest is the stream."""
    if not data:
        return
    cuts = data[0] >> 1 & 15
    places = [at * 7 for at in data[1 : 1 + cuts]] if cuts < 15 else list(range(LONGEST))
    agree((Side.SERVER, Side.CLIENT)[data[0] & 1], data[1 + cuts :], places)


def seeds() -> list[bytes]:
    """Frames of every kind, for either leg (zero masks)."""
    found = []
    for leg, (bit, mask) in enumerate(((0x80, bytes(4)), (0, b""))):
        for first in (0x81, 0x82, 0x01, 0x00, 0x80, 0x88, 0x89, 0x8A, 0xC1, 0x83):
            for payload in (b"", b"[]", b"\x03\xe8", b"\xc3\xa9", b"\xff", b"x" * 126, b"x" * (LIMIT + 1)):
                size = len(payload)
                head = bytes([first, bit | size]) if size < 126 else bytes([first, bit | 126]) + size.to_bytes(2, "big")
                frame = head + mask + payload
                found += [
                    bytes([leg]) + frame,
                    bytes([leg | 4, 0, 1]) + frame * 2,
                    bytes([leg | 30]) + bytes(15) + frame,
                ]
    return found


def main() -> None:
    seconds = sys.argv[1] if len(sys.argv) > 1 else "60"
    corpus = Path(sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp(prefix="wire-"))
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = [f"-max_total_time={seconds}", f"-max_len={LONGEST}", "-rss_limit_mb=3000", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
