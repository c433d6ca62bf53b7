"""Runs the CSMS of the ocpp-csms package (1.6). Arguments: PORT. Runs in that package's own environment.

One JSON object a line. In: `{"id": n, "method": "async_...", "params": {"identity": ..., "args": [...]}}` calls a
method of that charge point. Out: `{"ready": true}`, `{"answered": n, "result"|"error": ...}`,
`{"event": "<class>", "data": {...}}`.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
from typing import Any

from ocpp_csms import AvailabilityType, CentralSystem, MessageTrigger, ResetType

WORDS = {
    "async_reset": [ResetType],
    "async_change_availability": [int, AvailabilityType],
    "async_trigger_message": [MessageTrigger, int],
}
"""What the arguments of a method are, where JSON has no word for it."""


def say(**message: Any) -> None:
    print(json.dumps(message, default=str), flush=True)


async def main(port: int) -> None:
    async with CentralSystem(host="127.0.0.1", port=port) as system:
        system.add_listener(lambda event: say(event=type(event).__name__, data=dataclasses.asdict(event)))
        say(ready=True)
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            request = json.loads(line)
            point = system.charge_points[request["params"]["identity"]]
            args = request["params"]["args"]
            if types := WORDS.get(request["method"]):
                args = [make(each) for make, each in zip(types, args, strict=False)]
            try:
                result = await getattr(point, request["method"])(*args)
                say(
                    answered=request["id"],
                    result=dataclasses.asdict(result) if dataclasses.is_dataclass(result) else result,
                )
            except Exception as error:
                say(answered=request["id"], error=repr(error))


asyncio.run(main(int(sys.argv[1])))
