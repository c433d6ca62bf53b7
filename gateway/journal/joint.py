"""A command that others may join until it leaves: what one turn of the loop has to say is said at once."""

from __future__ import annotations

from typing import Any

from gateway.journal.reply import Reply


class Joint(Reply[None]):
    """The reply to such a command. Its place among the commands is that of whoever began it."""

    closed = False
    """Nobody may join it any more."""

    def close(self) -> None:
        """Lets nobody else join. Once."""
        self.closed = True

    def leave(self) -> tuple[tuple[str, ...], tuple[Any, ...]]:
        """Closes it, and gives the keys and arguments of its script."""
        raise NotImplementedError

    def answered(self, reply: Any) -> None:
        """The store's reply, for all who joined."""
        raise NotImplementedError

    def refused(self, error: Exception) -> None:
        """No reply, for all who joined."""
        raise NotImplementedError

    def fail(self, error: Exception) -> None:
        if not self.closed:
            self.close()
        self.refused(error)
        super().fail(error)
