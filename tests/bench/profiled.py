"""The gateway, which samples itself between two SIGUSR1: where its CPU time goes, as JSON in the file of `PROFILE_TO`, a list of
`[file, function, samples]`.

The kernel's timer counts the process's CPU time alone, so a process that waits for its core, or for the store, is not sampled. (A
profiler that looks from outside cannot tell a thread that runs from one that could.)
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import Coroutine
from pathlib import Path
from types import FrameType
from typing import Any

import uvloop

INTERVAL_S = 0.001
"""The kernel rounds it up to its tick, 1 to 4 ms."""
OWN = ("gateway/", "translators/")
RUN = ("gateway/app.py", "gateway/cli/run.py", "gateway/cli/__init__.py")
"""Nothing of ours runs but these: it is the loop."""
LOOP = ("event loop", "reads sockets, waits, calls")

samples: Counter[tuple[str, str]] = Counter()


def own_frame(frame: FrameType | None) -> tuple[str, str]:
    """File and function of the innermost frame of ours, which what it calls of libraries and the kernel is the cost of."""
    if frame is not None and frame.f_lasti == 0:
        frame = frame.f_back  # it has only been entered: the time is its caller's
    while frame is not None:
        file = frame.f_code.co_filename
        for own in OWN:
            if f"/{own}" in file and "site-packages" not in file and not file.endswith(RUN):
                return own + file.rpartition(f"/{own}")[2], frame.f_code.co_qualname
        frame = frame.f_back
    return LOOP


def sampled(_: int, frame: FrameType | None) -> None:
    samples[own_frame(frame)] += 1


def toggle() -> None:
    if signal.getitimer(signal.ITIMER_PROF)[1]:
        signal.setitimer(signal.ITIMER_PROF, 0)
        file = Path(os.environ["PROFILE_TO"])
        file.with_suffix(".part").write_text(json.dumps([(*place, count) for place, count in samples.items()]))
        file.with_suffix(".part").replace(file)
    else:
        samples.clear()
        signal.signal(signal.SIGPROF, sampled)
        signal.setitimer(signal.ITIMER_PROF, INTERVAL_S, INTERVAL_S)


def sampling(coroutine: Coroutine[Any, Any, Any], run: Any = uvloop.run) -> Any:
    async def outer() -> Any:
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, toggle)
        return await coroutine

    return run(outer())


if __name__ == "__main__":
    uvloop.run = sampling
    from gateway.cli import main

    main()
