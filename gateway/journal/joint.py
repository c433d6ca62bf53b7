"""Calls of a script that leave together: what one turn of the loop has to say is said, and carried out, at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeAlias

from gateway.journal.lua import Script
from gateway.journal.reply import Reply

MOST = 32
"""Calls that leave together. The store does nothing else meanwhile."""
MOST_ARGUMENTS = 1000
"""Of one call among several: more than some thousands do not fit the stack of Lua."""

FREE = {"append"}
"""Scripts whose calls may come before others that were asked for earlier: each is answered with its place among the entries."""

Arguments: TypeAlias = tuple[tuple[str, ...], tuple[Any, ...]]
"""Keys and arguments of a script."""


class Joint:
    """One call, which may grow until it leaves."""

    closed = False
    """Nothing may be added any more."""
    full = False
    """It is as much as the store shall do at once."""

    def close(self) -> None:
        """Nothing is added from now on. Once."""
        self.closed = True

    def leave(self) -> Arguments:
        """Closes it, and gives the keys and arguments of its script."""
        raise NotImplementedError

    def answered(self, reply: Any) -> None:
        """The store's reply."""
        raise NotImplementedError

    def refused(self, error: Exception) -> None:
        """No reply. Closes it."""
        raise NotImplementedError


class Single(Joint):
    """A call that is complete; `future` gives its reply."""

    closed = True

    def __init__(self, loop: asyncio.AbstractEventLoop, made: Arguments, convert: Callable[[Any], Any]) -> None:
        self.future: Reply[Any] = Reply(loop=loop)
        self._made = made
        self._convert = convert

    def leave(self) -> Arguments:
        return self._made

    def answered(self, reply: Any) -> None:
        future = self.future
        if future.done():
            return
        try:
            reply = self._convert(reply)
        except Exception as error:
            future.fail(error)
            return
        future.set_result(reply)
        if future.callback is not None:
            future.tell()

    def refused(self, error: Exception) -> None:
        self.future.fail(error)


class Together(Reply[None]):
    """The reply to all calls of one script that left together, in the order in which they joined.

    The place among the commands of the connection is that of the first. A call that fails takes no other with it.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, script: Script, many: Script, error: Callable[[str], Exception]
    ) -> None:
        """`many`: the same script for several calls (together.lua); `error`: what to make of an error reply."""
        super().__init__(loop=loop)
        self.calls: list[Joint] = []
        self.script = script
        self._many = many
        self._error = error

    def leave(self) -> tuple[Script, Arguments]:
        """What runs."""
        if len(self.calls) == 1:
            return self.script, self.calls[0].leave()
        self.script = self._many
        keys: list[str] = []
        args: list[Any] = []
        sizes: list[int] = [len(self.calls)]
        for call in self.calls:
            more_keys, more = call.leave()
            keys += more_keys
            args += more
            sizes += (len(more_keys), len(more))
        return self.script, (tuple(keys), (*sizes, *args))

    def answered(self, reply: Any) -> None:
        """The store's reply, for all of them."""
        calls, self.calls = self.calls, []
        if len(calls) == 1:
            calls[0].answered(reply)
            return
        for call, said in zip(calls, reply, strict=True):
            if isinstance(said, Exception):
                call.refused(self._error(str(said)))
            else:
                call.answered(said)

    def fail(self, error: Exception) -> None:
        calls, self.calls = self.calls, []
        for call in calls:
            call.refused(error)
        super().fail(error)
