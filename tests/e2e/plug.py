"""What every charger of these tests has: an identity, connections, a meter, and a transcript."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import ssl
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar
from uuid import uuid4

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from .csms import now
from .wire import PATIENCE, Exchange, Recorder, Tap


class Charger:
    """One charger identity, across connections. Its meter counts Wh; `clock` stamps what it says."""

    version: ClassVar[str]
    peer_type: ClassVar[type[Any]]

    def __init__(
        self,
        url: str,
        identity: str,
        *,
        clock: Callable[[], str] = now,
        first_id: int | None = None,
        suffix: str = "",
        password: str = "",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`first_id` numbers the message ids from there on; without it they are UUIDs.

        `suffix` follows the identity in the URL; with a password the charger sends HTTP Basic credentials. `tls`: for wss://.
        """
        self.url = f"{url}/{identity}{suffix}"
        basic = base64.b64encode(f"{identity}:{password}".encode()).decode()
        self.headers = {"Authorization": f"Basic {basic}"} if password else {}
        self.identity = identity
        self.tls = tls
        self.clock = clock
        self.recorder = Recorder(self.version, f"charger/{identity}")
        self.meter = 1000
        self._ids = itertools.count(first_id) if first_id is not None else None
        self._socket: ClientConnection | None = None
        self._reading: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self.peer: Any = None

    def _new_id(self) -> str:
        return str(uuid4()) if self._ids is None else str(next(self._ids))

    async def connect(self, patience: float = PATIENCE) -> None:
        """Connects, and tries again while the other side refuses, until patience ends."""
        async with asyncio.timeout(patience):
            while True:
                try:
                    self._socket = await connect(
                        self.url,
                        subprotocols=[self.version],
                        additional_headers=self.headers,
                        ssl=self.tls,
                        compression=None,
                        close_timeout=2,
                        open_timeout=5,
                        proxy=None,
                    )
                    break
                except (OSError, ConnectionClosed, TimeoutError):
                    await asyncio.sleep(0.2)
                except Exception as error:
                    if "HTTP 503" not in str(error):
                        raise
                    await asyncio.sleep(0.2)
        self.recorder.opened()
        self.peer = self.peer_type(self.identity, Tap(self._socket, self.recorder), response_timeout=PATIENCE)
        self.peer._unique_id_generator = self._new_id
        self.peer.charger = self
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            await self.peer.start()

    async def close(self) -> None:
        """Ends the connection in an orderly way."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._socket is not None:
            await asyncio.wait_for(self._socket.close(), PATIENCE)
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        self._socket = self._reading = None

    @property
    def close_code(self) -> int | None:
        """How the other side closed the connection, once it is closed."""
        return None if self._socket is None else self._socket.close_code

    async def lost(self, patience: float = PATIENCE) -> None:
        """Waits until the other side has gone."""
        assert self._reading is not None
        await asyncio.wait_for(asyncio.shield(self._reading), patience)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Does what an accepted command asks for, after it was answered."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def call(self, request: Any, patience: float = PATIENCE) -> Any:
        """Sends a message; returns the answer, raises ocpp.exceptions.OCPPError on a CALLERROR."""
        return await asyncio.wait_for(self.peer.call(request, suppress=False), patience)

    async def say(self, action: str, payload: str) -> Exchange:
        """Sends a CALL with this JSON text, untouched, and returns the exchange once it is answered."""
        message_id = self._new_id()
        await self.peer._connection.send(f'[2, "{message_id}","{action}",{payload}]')
        return await self.recorder.answered(message_id)

    async def heartbeat(self) -> Any:
        raise NotImplementedError
