"""One pipelined connection to the store: commands in, futures out, one write per loop tick, never a retry."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar, cast

import hiredis

from gateway.journal.address import Address
from gateway.journal.errors import Fenced, StoreDown
from gateway.journal.joint import FREE, MOST, Joint, Together
from gateway.journal.lua import Script
from gateway.journal.reply import Reply

Argument: TypeAlias = str | bytes | int
Convert: TypeAlias = Callable[[Any], Any]
Pending: TypeAlias = tuple[Reply[Any], Convert | None, Sequence[Argument], str]
"""Future, conversion, command, and the source of the script if the command is an EVALSHA."""

pack: Callable[[tuple[Argument, ...]], bytes] = hiredis.pack_command  # type: ignore[assignment]

BUSY = 8
"""Commands under way beyond which new ones wait for replies: under load one write carries what came in the meantime."""

ReplyError = hiredis.ReplyError

_BROKEN = ("READONLY", "LOADING", "MASTERDOWN", "NOAUTH", "CLUSTERDOWN", "MISCONF", "NOREPLICAS", "MOVED")
"""Replies after which this connection is of no use: another server, or the same one later, has to take over.

ASK and TRYAGAIN are not among them: a slot is on its way to another node, and this one still serves all the others.
"""

_KINDS = {word: word.lower() for word in ("LOADING", "READONLY", "OOM", "MISCONF", "FENCED")}
"""First word of an error reply -> what it is counted as."""
_OPTIONAL = ("CONFIG", "CLIENT")
"""A managed store may refuse these, again and again: nothing has failed then."""


class Connection(asyncio.Protocol):
    """Speaks RESP2. When it breaks, every pending future fails with StoreDown."""

    __slots__ = (
        "_leaving",
        "_loop",
        "_lost",
        "_out",
        "_pending",
        "_reader",
        "_together",
        "_transport",
        "errors",
        "full",
        "lost",
        "replied",
        "sent",
        "why",
    )

    def __init__(self, lost: Callable[[], None] | None = None) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reader = hiredis.Reader()
        self._transport: asyncio.Transport | None = None
        self._out: list[bytes] = []
        self._together: dict[str, Together] = {}
        """Script -> the calls of it that others may join."""
        self._leaving: list[tuple[int, Together, list[Argument]]] = []
        """Of what is in `_out` and not yet complete: where, what, and its command to be."""
        self._pending: deque[Pending] = deque()
        self._lost = lost
        self.errors: dict[str, int] = {}
        """Kind -> commands that failed, and attempts to connect; whoever opens connections may give them one table."""
        self.lost = False
        self.full = False
        """The store has refused a write for want of memory; whoever sees to that sets it back."""
        self.sent = 0
        """Commands sent so far; together with `replied` tells how long the oldest one waits."""
        self.replied = 0
        self.why = "the connection broke"
        """Of a lost connection: what ended it."""

    def call(self, args: tuple[Argument, ...], convert: Convert | None = None, source: str = "") -> Reply[Any]:
        """Queues a command; its future gives the reply, passed through `convert` if given.

        `source`: text of the script of an EVALSHA; a server that does not know it gets it once by EVAL.
        Raises in the future: StoreDown, Fenced, and whatever `convert` raises.
        """
        loop = self._loop = self._loop or asyncio.get_running_loop()
        future: Reply[Any] = Reply(loop=loop)
        if self.lost or self._transport is None:
            self.failed("connection")
            future.fail(StoreDown("no connection to the store"))
            return future
        self._together.clear()  # what is said from now on comes behind this
        self._push((future, convert, args, source))
        return future

    def join(self, call: Joint, script: Script, many: Script | None) -> Together | None:
        """Queues a call that leaves, as it is then, at the end of this turn of the loop or later, with others of its script
        if there are any: `many` is the script for those, None if each leaves alone. Gives the reply that it is part of."""
        if self.lost or self._transport is None:
            self.failed("connection")
            call.refused(StoreDown("no connection to the store"))
            return None
        together = self._together.get(script.name)
        if together is None or many is None or len(together.calls) >= MOST or together.calls[-1].full:
            if script.name not in FREE:  # what is said from now on comes behind those
                for name in self._together.keys() - FREE:
                    del self._together[name]
            loop = self._loop = self._loop or asyncio.get_running_loop()
            together = self._together[script.name] = Together(loop, script, many or script, self._error)
            command: list[Argument] = []
            self._leaving.append((len(self._out), together, command))
            self._queue((together, together.answered, command, script.name), b"")
        together.calls.append(call)
        return together

    def _push(self, pending: Pending) -> None:
        self._queue(pending, pack(tuple(pending[2])))

    def _queue(self, pending: Pending, packed: bytes) -> None:
        if not self._out and len(self._pending) < BUSY and self._loop is not None:
            self._loop.call_soon(self._flush)
        self._out.append(packed)
        self._pending.append(pending)
        self.sent += 1

    def _flush(self) -> None:
        out, self._out = self._out, []
        if self._leaving:
            leaving, self._leaving = self._leaving, []
            self._together.clear()
            for place, together, command in leaving:
                script, (keys, args) = together.leave()
                command += ("EVALSHA", script.sha, len(keys), *keys, *args)
                out[place] = pack(tuple(command))
        if out and self._transport is not None and not self.lost:
            self._transport.write(b"".join(out))

    def failed(self, kind: str, commands: int = 1) -> None:
        """Counts an error. Only what goes wrong is counted: a reply costs nothing more."""
        self.errors[kind] = self.errors.get(kind, 0) + commands

    def close(self, error: str = "") -> None:
        """Breaks the connection now; pending futures fail with StoreDown.

        `error`: what they are counted as; not at all when nothing is wrong.
        """
        if self._transport is not None:
            self._transport.abort()
        self._end(error)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._end("connection")

    def _end(self, kind: str) -> None:
        if self.lost:
            return
        self.lost = True
        pending, self._pending = self._pending, deque()
        if kind:
            self.failed(kind, max(1, len(pending)))
        for future, _, _, _ in pending:
            future.fail(StoreDown("the connection to the store broke"))
        if self._lost is not None:
            self._lost()

    def data_received(self, data: bytes) -> None:
        reader, pending = self._reader, self._pending
        try:
            reader.feed(data)
            while (reply := reader.gets()) is not False:
                waiting = pending.popleft()
                future, convert, _, _ = waiting
                self.replied += 1
                if isinstance(reply, ReplyError):
                    self._refused(str(reply), waiting)
                elif not future.done():
                    if convert is not None:
                        try:
                            reply = convert(reply)
                        except Exception as error:
                            future.fail(error)
                            continue
                    future.set_result(reply)
                    if future.callback is not None:
                        future.tell()
            if self._out and len(pending) - len(self._out) < BUSY and self._loop is not None:
                self._loop.call_soon(self._flush)
        except (hiredis.ProtocolError, IndexError):
            # an answer to nothing, or no RESP at all: whoever speaks there is no store
            self.close("other")

    def _refused(self, text: str, waiting: Pending) -> None:
        future, convert, args, source = waiting
        if source and text.startswith("NOSCRIPT"):
            if isinstance(future, Together):
                source = future.script.source
            self._push((future, convert, ("EVAL", source, *args[2:]), ""))
            return
        future.fail(self._error(text, optional=args[0] in _OPTIONAL))

    def _error(self, text: str, optional: bool = False) -> Exception:
        """What an error reply means; it is counted unless it is `optional` that the command works."""
        if text.startswith("ERR Error running script"):
            text = text.rpartition(": -")[2]  # Redis 6.2 wraps what a command of a script was refused for
        kind = _KINDS.get(text.partition(" ")[0], "other")
        if not optional:
            self.failed(kind)
        if kind == "fenced":
            return Fenced(text[7:])
        if kind == "oom":
            self.full = True
        elif text.startswith(_BROKEN):
            self.why = text
            self.close(kind if self._pending else "")
        return StoreDown(text)


C = TypeVar("C", bound="Connection")


async def connect(
    address: Address,
    name: str,
    *,
    within: float = 1.0,
    lost: Callable[[], None] | None = None,
    errors: dict[str, int] | None = None,
) -> Connection:
    """Opens a connection, authenticates, selects the database and names itself; `within` seconds for all of it.

    `errors`: where its failures are counted. Raises StoreDown.
    """
    new = Connection(lost)
    if errors is not None:
        new.errors = errors
    return await establish(new, address, name, within=within)


async def establish(connection: C, address: Address, name: str, *, within: float = 1.0) -> C:
    """The same for a connection of any kind."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(within):
            if address.path:
                await loop.create_unix_connection(lambda: connection, address.path)
            else:
                await loop.create_connection(lambda: connection, address.host, address.port, ssl=address.tls)
            calls = []
            if address.password:
                login = (address.username, address.password) if address.username else (address.password,)
                calls.append(connection.call(("AUTH", *login)))
            if address.db:
                calls.append(connection.call(("SELECT", address.db)))
            # A managed store may forbid it, and nothing depends on the name.
            naming = connection.call(("CLIENT", "SETNAME", name))
            for call in calls:
                await call
            await asyncio.wait([naming])
    except (OSError, TimeoutError) as error:
        connection.failed("timeout" if isinstance(error, TimeoutError) else "connection")
        connection.close()
        raise StoreDown(f"cannot reach the store at {address}: {str(error) or 'no answer'}") from error
    except BaseException:
        connection.close()
        raise
    if connection.lost:
        raise StoreDown(f"the store at {address} closed the connection")
    return connection
