"""What watching all chargers costs a gateway that has all that it can do: `python -m tests.bench.watching [PAIRS]`.

Slices of a second without and with somebody who watches take turns in one run; each slice with is compared with its neighbours
without. Needs two cores that do nothing else.
"""

from __future__ import annotations

import json
import socket
import statistics
import sys
import threading
import time
from pathlib import Path

from .ends import answering, chargers_at
from .gateway import gateway
from .processes import cpu_ns, is_store, tree

CHARGERS = 100
SETTLE_S = 1.5
"""After a watch has begun: what it may have at once is had."""
SLICE_S = 1.5


class Reader:
    """Takes a stream of live frames as fast as it comes."""

    def __init__(self, port: int) -> None:
        self.frames = 0
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.sendall(b"GET /api/v1/frames HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        while data := self._socket.recv(1 << 20):
            self.frames += data.count(b"event: frame")

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()


def main(pairs: int, version: str) -> None:
    """Prints CPU time per round trip and round trips per second, without and with, and the medians of the ratios."""
    slices: list[tuple[float, float, float]] = []
    with (
        answering() as csms,
        gateway(csms.url, version) as (process, url),
        chargers_at(url, CHARGERS, transactions=False) as load,
    ):
        file = Path(str(process.popen.args[3]))  # type: ignore[index]
        port = json.loads(file.read_text())["admin"]["port"]
        pids = [pid for pid in tree(process.popen.pid) if not is_store(pid)]
        seconds = (2 * pairs + 1) * (SETTLE_S + SLICE_S + 0.2) + 5
        load.say({"do": "closed", "message": "MeterValues", "warmup": 1, "seconds": seconds})
        load.hear(20)
        for number in range(2 * pairs + 1):
            reader = Reader(port) if number % 2 else None
            time.sleep(SETTLE_S)
            heard, spent, begun = csms.heard(), cpu_ns(pids), time.perf_counter()
            seen = reader.frames if reader else 0
            time.sleep(SLICE_S)
            heard, spent, passed = csms.heard() - heard, cpu_ns(pids) - spent, time.perf_counter() - begun
            slices.append(
                (spent / 1000 / max(1, heard), heard / passed, (reader.frames - seen) / passed if reader else 0)
            )
            if reader is not None:
                reader.close()
        load.hear(seconds + 30)
    cpu, rate = [], []
    for number in range(1, len(slices) - 1, 2):
        before, during, after = slices[number - 1 : number + 2]
        cpu.append(2 * during[0] / (before[0] + after[0]))
        rate.append(2 * during[1] / (before[1] + after[1]))
    for name, part in (("nobody watches", slices[::2]), ("all are watched", slices[1::2])):
        us, per_s, frames = (statistics.median(column) for column in zip(*part, strict=True))
        print(
            f"{version} {name}: {us:.1f} us of CPU a round trip, {per_s:.0f} a second, {frames:.0f} frames shown a second"
        )
    print(
        f"{version} ratio, median of {len(cpu)}: CPU {statistics.median(cpu):.3f}, round trips {statistics.median(rate):.3f}"
    )


if __name__ == "__main__":
    for each in ("ocpp1.6", "ocpp2.0.1"):
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 10, each)
