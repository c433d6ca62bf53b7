"""In which order chargers are listed, and where a page of them begins."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from .directory import Line

KEYS: Final[dict[str, Callable[[Line], str]]] = {
    "id": lambda line: "",
    "state": lambda line: "1" if line.connected else "0",
    "version": lambda line: line.version,
    "model": lambda line: f"{line.vendor} {line.model}".casefold(),
    "firmware": lambda line: line.firmware.casefold(),
    "upstream": lambda line: line.primary,
    "transactions": lambda line: f"{len(line.transactions):06}",
}
"""What `sort` can name; equal ones are in the order of their identities."""
CHOICES: Final = (*KEYS, *(f"-{name}" for name in KEYS))
"""With a minus: the other way round."""
KEPT_SECONDS: Final = 5.0
"""A list serves all its pages for so long: each of them would need what is known of every charger."""
_BETWEEN: Final = "\t"


def place(line: Line, sort: str) -> tuple[str, str]:
    """Where a charger stands in the order `sort`, one of `CHOICES`."""
    return KEYS[sort.removeprefix("-")](line), line.id.casefold()


def cut(lines: list[Line], sort: str, cursor: str, limit: int) -> tuple[list[Line], str]:
    """The page of the ordered `lines` behind `cursor`, and the cursor of the next one; "" if there is none."""
    if cursor:
        key, _, id = cursor.rpartition(_BETWEEN)
        after, back = (key, id.casefold()), sort.startswith("-")
        lines = [each for each in lines if (place(each, sort) < after if back else place(each, sort) > after)]
    page = lines[:limit]
    return page, _BETWEEN.join(place(page[-1], sort)).removeprefix(_BETWEEN) if len(lines) > limit else ""


class Ordered:
    """The list that was asked for last, in its order, for the next pages of it."""

    def __init__(self) -> None:
        self._question: tuple[str, ...] = ()
        self._lines: list[Line] = []
        self._forgetting: asyncio.TimerHandle | None = None
        self._making = asyncio.Lock()

    async def lines(
        self, question: tuple[str, ...], sort: str, make: Callable[[], Awaitable[list[Line]]]
    ) -> list[Line]:
        """What `make` gives, in order; made anew for another question, or after `KEPT_SECONDS`."""
        async with self._making:
            if self._question != (sort, *question) or self._forgetting is None:
                self.forget()
                self._lines = sorted(await make(), key=lambda line: place(line, sort), reverse=sort.startswith("-"))
                self._question = (sort, *question)
                self._forgetting = asyncio.get_running_loop().call_later(KEPT_SECONDS, self.forget)
            return self._lines

    def forget(self) -> None:
        """The list is old, or something in it has changed."""
        if self._forgetting is not None:
            self._forgetting.cancel()
        self._forgetting, self._lines = None, []
