"""The gateway, with its calls counted: between two SIGUSR1, the second of which writes them to the file of `COUNTED_CALLS`.

Python functions only: how often C functions are called differs between releases of Python.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Coroutine
from pathlib import Path
from types import FrameType
from typing import Any

import uvloop

calls: Counter[str] = Counter()


def seen(frame: FrameType, event: str, _: Any) -> None:
    if event == "call":
        code = frame.f_code
        calls[f"{code.co_qualname} {'/'.join(Path(code.co_filename).parts[-2:])}"] += 1


def toggle() -> None:
    if sys.getprofile() is None:
        calls.clear()
        sys.setprofile(seen)
    else:
        sys.setprofile(None)
        file = Path(os.environ["COUNTED_CALLS"])
        file.with_suffix(".part").write_text(json.dumps(calls))
        file.with_suffix(".part").replace(file)


def counting(coroutine: Coroutine[Any, Any, Any], run: Any = uvloop.run) -> Any:
    async def outer() -> Any:
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, toggle)
        return await coroutine

    return run(outer())


if __name__ == "__main__":
    uvloop.run = counting
    from gateway.cli import main

    main()
