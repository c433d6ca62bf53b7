"""The processes of a fleet as an operator sees them: any of them can be asked, and asks the others, through the store.

What is asked is small and seldom. A process that does not answer in time is left out, and named.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

import msgspec
import structlog

from gateway import tap
from gateway.journal.errors import StoreDown
from gateway.journal.journal import Journal

log = structlog.get_logger(__name__)

ANSWER_SECONDS: Final = 3.0
"""For another process to answer."""
RENEW_SECONDS: Final = 5.0
BLOCK_MS: Final = 1000
PUMP_SECONDS: Final = 0.05
"""Frames that were seen here go to whoever watches elsewhere so often."""
LOST_SECONDS: Final = 0.5
"""How long after the last frame that could be shown it is looked at how many could not."""
WATCH_SECONDS: Final = 15.0
"""A watch ends after so long unless it is asked for again."""
PORTION: Final = 200
"""Frames of one message."""

Reply: TypeAlias = Callable[[dict[str, Any]], Awaitable[Any]]
"""Answers a question: gets its arguments, gives what msgspec can encode. May raise Refused."""


class Refused(Exception):
    """A question was understood and answered with no; the text says why."""


class NoAnswer(Exception):
    """A process did not answer in time, or is gone."""


class _Mail(msgspec.Struct, array_like=True):
    kind: str
    """ask, reply, refused, frames."""
    id: str
    sender: str
    what: str
    body: msgspec.Raw


class _Frames(msgspec.Struct, array_like=True):
    seen: list[tap.Seen]
    lost: int


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Mail).decode
_decode_any = msgspec.msgpack.Decoder().decode
_decode_frames = msgspec.msgpack.Decoder(_Frames).decode

OnFrames: TypeAlias = Callable[[str, list[tap.Seen], int], None]
"""Takes (process, frames, how many were left out there)."""


class Fleet:
    """This process among the others. `run()` in a task; `stop()` at the end."""

    def __init__(self, journal: Journal) -> None:
        self.name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:6]}"
        self.replies: dict[str, Reply] = {"watch": self._watch, "unwatch": self._unwatch}
        """What can be asked of a process."""
        self._journal = journal
        self._asked: dict[str, asyncio.Future[Any]] = {}
        self._watchers: dict[str, OnFrames] = {}
        """Watches that this process asked for."""
        self._away: dict[str, str] = {}
        """Watches that others asked for here -> who."""
        self._news = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    # -- asking ------------------------------------------------------------------------------------------------------

    async def processes(self) -> list[str]:
        """All that live; only this one while the store is away."""
        try:
            return sorted(await self._journal.processes() | {self.name})
        except StoreDown:
            return [self.name]

    async def ask(self, process: str, what: str, seconds: float = ANSWER_SECONDS, /, **arguments: Any) -> Any:
        """What a process answers. Raises NoAnswer, Refused."""
        if process == self.name:
            return await self._reply(what, arguments)
        id = uuid.uuid4().hex
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked[id] = answer
        try:
            if await self._post(process, _Mail("ask", id, self.name, what, msgspec.Raw(_encode(arguments)))) != 1:
                raise NoAnswer(f"{process} is gone, or does not read what it is asked")
            async with asyncio.timeout(seconds):
                return await answer
        except (TimeoutError, StoreDown) as error:
            raise NoAnswer(f"{process} does not answer") from error
        finally:
            del self._asked[id]

    async def ask_all(
        self, what: str, seconds: float = ANSWER_SECONDS, /, **arguments: Any
    ) -> tuple[dict[str, Any], list[str]]:
        """(process -> answer, of all that live; those that gave none). Raises Refused if all that answer refuse."""
        names = await self.processes()
        found = await asyncio.gather(
            *(self.ask(name, what, seconds, **arguments) for name in names), return_exceptions=True
        )
        answers: dict[str, Any] = {}
        silent: list[str] = []
        refused: Refused | None = None
        for name, each in zip(names, found, strict=True):
            if isinstance(each, Refused):
                refused = each
            elif isinstance(each, NoAnswer):
                silent.append(name)
            elif isinstance(each, BaseException):
                raise each
            else:
                answers[name] = each
        if refused is not None and not any(each is not None for each in answers.values()):
            raise refused
        return answers, silent

    # -- watching ----------------------------------------------------------------------------------------------------

    async def watch(self, id: str, match: str, on_frames: OnFrames) -> tuple[list[str], list[str]]:
        """Ask all processes for the frames of some chargers, or prolong that; again every 5 s. Gives (who shows them, who does
        not answer). Raises ValueError, Refused."""
        self._watchers[id] = on_frames
        answers, silent = await self.ask_all("watch", id=id, match=match, sender=self.name)
        return sorted(answers), silent

    async def end_watch(self, id: str) -> None:
        """No more frames, please."""
        self._watchers.pop(id, None)
        tap.remove(id)
        with contextlib.suppress(StoreDown):
            mail = _Mail("ask", "", self.name, "unwatch", msgspec.Raw(_encode({"id": id})))
            for name in await self.processes():
                if name != self.name:
                    await self._post(name, mail)

    async def _watch(self, arguments: dict[str, Any]) -> Any:
        id, sender, now = str(arguments["id"]), str(arguments["sender"]), time.time()
        watch = tap.find(id)
        if watch is None:
            try:
                watch = tap.Watch(id, str(arguments["match"]), 0, now, self._news.set)
                tap.add(watch)
            except ValueError as error:
                raise Refused(str(error)) from None
            self._away[id] = sender
        watch.until = now + WATCH_SECONDS
        return True

    async def _unwatch(self, arguments: dict[str, Any]) -> Any:
        tap.remove(str(arguments["id"]))
        self._away.pop(str(arguments["id"]), None)

    async def _pump(self) -> None:
        while True:
            await self._news.wait()
            await asyncio.sleep(PUMP_SECONDS)
            self._news.clear()
            tap.expire(time.time())
            for id, sender in list(self._away.items()):
                watch = tap.find(id)
                if watch is None:
                    del self._away[id]
                    continue
                seen, lost = watch.take()
                if watch.lost:
                    asyncio.get_running_loop().call_later(LOST_SECONDS, self._news.set)
                if not seen and not lost:
                    continue
                if sender == self.name:
                    if (on_frames := self._watchers.get(id)) is not None:
                        on_frames(self.name, seen, lost)
                    continue
                mails = []
                for start in range(0, len(seen), PORTION):
                    portion = _Frames(seen[start : start + PORTION], lost if not start else 0)
                    mails.append(_encode(_Mail("frames", id, self.name, "", msgspec.Raw(_encode(portion)))))
                try:
                    put = await self._journal.post(sender, mails)
                except StoreDown:
                    put = 0
                if put < 0:
                    tap.remove(id)
                elif put < len(mails):
                    watch.lost += len(seen[put * PORTION :]) + (lost if not put else 0)

    # -- life --------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Answer the others, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._stay())
            tasks.create_task(self._read())
            tasks.create_task(self._pump())

    async def stop(self) -> None:
        """Tell the others that this process is gone."""
        with contextlib.suppress(StoreDown):
            await self._journal.process_gone(self.name)

    async def _stay(self) -> None:
        while True:
            with contextlib.suppress(StoreDown):
                await self._journal.process_alive(self.name)
            tap.expire(time.time())
            await asyncio.sleep(RENEW_SECONDS)

    async def _read(self) -> None:
        after = "0"
        while True:
            try:
                for id, raw in await self._journal.read_mail(self.name, after, BLOCK_MS):
                    after = id
                    self._received(raw)
            except StoreDown:
                await asyncio.sleep(0.5)

    def _received(self, raw: bytes) -> None:
        try:
            mail = _decode(raw)
            match mail.kind:
                case "ask":
                    self._spawn(self._answer(mail))
                case "reply" | "refused":
                    answer = self._asked.get(mail.id)
                    if answer is not None and not answer.done():
                        body = _decode_any(mail.body)
                        if mail.kind == "reply":
                            answer.set_result(body)
                        else:
                            answer.set_exception(Refused(str(body)))
                case "frames":
                    frames = _decode_frames(mail.body)
                    if (on_frames := self._watchers.get(mail.id)) is not None:
                        on_frames(mail.sender, frames.seen, frames.lost)
        except msgspec.MsgspecError as error:
            log.warning("fleet_mail_unreadable", reason=str(error))  # of a newer release, perhaps

    async def _answer(self, mail: _Mail) -> None:
        try:
            kind, body = "reply", await self._reply(mail.what, _decode_any(mail.body))
        except Refused as refused:
            kind, body = "refused", str(refused)
        if mail.id:
            with contextlib.suppress(StoreDown):
                await self._post(mail.sender, _Mail(kind, mail.id, self.name, mail.what, msgspec.Raw(_encode(body))))

    async def _reply(self, what: str, arguments: dict[str, Any]) -> Any:
        reply = self.replies.get(what)
        if reply is None:
            return None  # an edge knows no sessions, an older release not every question
        try:
            return await reply(arguments)
        except Refused:
            raise
        except StoreDown as error:
            raise Refused(f"the store is unreachable: {error}") from error
        except Exception as error:
            log.exception("fleet_question_failed", what=what)
            raise Refused(f"{what} failed: {type(error).__name__}") from error

    def _post(self, process: str, mail: _Mail) -> asyncio.Future[int]:
        return self._journal.post(process, [_encode(mail)])

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
