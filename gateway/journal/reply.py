"""What a command to the store will be answered: a future that can call somebody the moment it is known."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Reply(asyncio.Future[T], Generic[T]):
    """A callback of a plain future costs a turn of the loop, and a handle: too much for each message.

    Only for who need not see it in turn with others: tasks that await replies before this one run after such a callback.
    """

    callback: Callable[[asyncio.Future[T]], None] | None = None

    def then(self, callback: Callable[[asyncio.Future[T]], None]) -> None:
        """Calls `callback` with this future when it is done: at once on success, from the loop otherwise. For one caller."""
        if self.done():
            self.get_loop().call_soon(callback, self)
        else:
            self.callback = callback

    def tell(self) -> None:
        """Calls the callback, once the result is set."""
        assert self.callback is not None
        try:
            self.callback(self)
        except Exception as error:
            context = {"message": "a callback of a reply failed", "exception": error, "future": self}
            self.get_loop().call_exception_handler(context)

    def fail(self, error: Exception) -> None:
        """Sets the exception, unless it is done."""
        if not self.done():
            self.set_exception(error)
            # Marks it as seen: a lost store is reported once, by health, not once per forgotten reply.
            self.exception()
            if self.callback is not None:
                self.get_loop().call_soon(self.callback, self)
