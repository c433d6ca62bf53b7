"""One simulated charger: connects, boots, charges cars, loses its connection, tells later what happened meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections import deque
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from .obeying import Plug, configuration, obey
from .profile import Profile
from .voices import VOICES, Session

ANSWER_SECONDS: Final = 30.0


class Stats(msgspec.Struct):
    """Of the whole swarm."""

    connected: int = 0
    connections: int = 0
    refused: int = 0
    calls: int = 0
    answered: int = 0
    call_errors: int = 0
    unanswered: int = 0
    sessions: int = 0
    refused_tags: int = 0
    """Drivers that the CSMS turned away."""
    energy_kwh: float = 0.0
    told_later: int = 0
    """Messages that were told after the connection came back."""
    commands: int = 0
    ms: list[float] = []
    actions: dict[str, int] = {}

    def took(self, ms: float) -> None:
        """An answer came after so long."""
        self.answered += 1
        if len(self.ms) < 100_000:
            self.ms.append(ms)
        else:
            self.ms[random.randrange(100_000)] = ms


class SimulatedCharger:
    """`quirks`: counter-ids (message ids 1, 2, 3 after every connection), nulls (optional members as null), slow (answers late)."""

    def __init__(
        self,
        url: str,
        identity: str,
        version: str,
        profile: Profile,
        stats: Stats,
        speed: float,
        quirks: frozenset[str],
    ) -> None:
        self._url, self.identity, self.version = f"{url.rstrip('/')}/{identity}", identity, version
        self._profile, self._stats, self._speed, self._quirks = profile, stats, speed, quirks
        self._voice = VOICES[version]()
        self._socket: ClientConnection | None = None
        self._later: deque[tuple[str, dict[str, Any], Session | None]] = deque()
        self._waiting: dict[str, asyncio.Future[list[Any]]] = {}
        self._lane = asyncio.Lock()
        self._count = 0
        self._meter = random.randrange(10_000, 1_000_000)
        self._random = random.Random(identity)
        self.plugs = [Plug(number) for number in range(1, profile.connectors + 1)]
        self.configuration = configuration(profile)
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until cancelled."""
        connectors = [asyncio.create_task(self._connector(plug)) for plug in self.plugs]
        try:
            while True:
                try:
                    await self._connected()
                except (OSError, InvalidHandshake, TimeoutError, ConnectionClosed):
                    self._stats.refused += self._socket is None
                self._lost()
                await asyncio.sleep(max(1.0, self._drawn(self._profile.away)))
        finally:
            for each in (*connectors, *self._tasks):
                each.cancel()
            await asyncio.gather(*connectors, *self._tasks, return_exceptions=True)
            if self._socket is not None:
                with contextlib.suppress(Exception):
                    await self._socket.close()
            self._lost()

    def _drawn(self, seconds: float) -> float:
        return seconds * self._random.uniform(0.5, 1.5) / self._speed

    def _lost(self) -> None:
        if self._socket is not None:
            self._stats.connected -= 1
            self._socket = None
        for waiting in self._waiting.values():
            waiting.cancel()
        self._waiting.clear()

    async def _connected(self) -> None:
        """One connection, from its handshake to its end."""
        self._socket = None
        socket = await connect(
            self._url, subprotocols=[Subprotocol(self.version)], compression=None, close_timeout=2, proxy=None,
            ping_interval=None,
        )  # fmt: skip
        self._socket = socket
        self._stats.connected += 1
        self._stats.connections += 1
        self._count = 0 if "counter-ids" in self._quirks else self._random.randrange(10**9)
        reading = asyncio.create_task(self._read(socket))
        try:
            end = time.monotonic() + self._drawn(self._profile.stays)
            await self._call(*self._voice.boot(self._profile, f"SN-{self.identity}"))
            for plug in self.plugs:
                status = "Available" if plug.session is None else "Charging"
                await self._call(*self._voice.status(plug.number, status, now()))
            while self._later:
                action, payload, session = self._later[0]
                if session is not None and "transactionId" in payload and self.version != "ocpp2.0.1":
                    payload["transactionId"] = session.number or 0
                answer = await self._call(action, payload)
                self._later.popleft()
                self._stats.told_later += 1
                self._learn(session, action, answer)
            while time.monotonic() < end and not reading.done():
                await asyncio.wait(
                    [reading], timeout=min(self._drawn(self._profile.heartbeat), max(0.0, end - time.monotonic()))
                )
                if not reading.done():
                    await self._call("Heartbeat", {})
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            with contextlib.suppress(ConnectionClosed, OSError):
                await socket.close()

    async def _connector(self, plug: Plug) -> None:
        """Cars come and go, whether there is a connection or not."""
        await _happens(plug.start, self._drawn(self._profile.idle) * self._random.random())
        while True:
            number, remote = plug.number, plug.start.is_set()
            tag = plug.tag if remote else f"TAG{self._random.randrange(1, 100):05}"
            session = plug.session = Session(
                number, tag, self._meter, f"{self.identity}-{self._random.getrandbits(48):x}"
            )
            session.remote = plug.remote if remote else 0
            plug.start.clear()
            plug.stop.clear()
            await self._tell(*self._voice.status(number, "Preparing", now()))
            if remote or await self._welcome(tag):
                await self._charge(plug, session)
            plug.session = None
            await self._tell(*self._voice.status(number, "Available", now()))
            await _happens(plug.start, self._drawn(self._profile.idle))

    async def _charge(self, plug: Plug, session: Session) -> None:
        number = plug.number
        await self._tell(*self._voice.start(session, now(), self._socket is None), session)
        await self._tell(*self._voice.status(number, "Charging", now()))
        now_at = time.monotonic()
        end = now_at + self._drawn(self._profile.charging)
        while now_at < end and not plug.stop.is_set():
            await _happens(plug.stop, min(end - now_at, self._profile.meter / self._speed))
            passed, now_at = time.monotonic() - now_at, time.monotonic()
            self._meter += round(self._profile.watts * passed * self._speed / 3600)
            session.meter = self._meter
            if not plug.stop.is_set():
                await self._tell(*self._voice.meter(session, self._profile.watts, now(), self._socket is None), session)
        session.stopped_remotely = plug.stop.is_set()
        await self._tell(*self._voice.stop(session, now(), self._socket is None), session)
        self._stats.sessions += 1
        self._stats.energy_kwh += (session.meter - session.began_with) / 1000
        await self._tell(*self._voice.status(number, "Finishing", now()))

    async def _welcome(self, tag: str) -> bool:
        """Whether the CSMS lets this driver charge; without a connection everybody may."""
        if self._socket is None or self._later:
            return True
        try:
            answer = await self._call(*self._voice.authorize(tag))
        except (ConnectionClosed, OSError, TimeoutError):
            return True
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            return True  # the connection was lost while the answer was waited for
        info = answer[2].get("idTagInfo") or answer[2].get("idTokenInfo") or {} if answer[0] == 3 else {}
        welcome = bool(info.get("status") == "Accepted")
        self._stats.refused_tags += not welcome
        return welcome

    async def _tell(self, action: str, payload: dict[str, Any], session: Session | None = None) -> None:
        """Now, or after the connection has come back; statuses of the past are of no interest."""
        if self._socket is None or self._later:
            if action != "StatusNotification":
                self._later.append((action, payload, session))
            return
        try:
            answer = await self._call(action, payload)
        except (ConnectionClosed, OSError, TimeoutError, asyncio.CancelledError) as error:
            if (
                isinstance(error, asyncio.CancelledError)
                and (task := asyncio.current_task()) is not None
                and task.cancelling()
            ):
                raise
            if action != "StatusNotification":
                self._later.append((action, payload, session))
            return
        self._learn(session, action, answer)

    def _learn(self, session: Session | None, action: str, answer: list[Any]) -> None:
        if session is not None and action == "StartTransaction" and answer[0] == 3:
            session.number = answer[2].get("transactionId")

    async def _call(self, action: str, payload: dict[str, Any]) -> list[Any]:
        async with self._lane:
            socket = self._socket
            if socket is None:
                raise OSError("not connected")
            self._count += 1
            id = str(self._count)
            if "nulls" in self._quirks:
                payload = {**payload, "customData" if self.version == "ocpp2.0.1" else "vendorId": None}
            waiting = self._waiting[id] = asyncio.get_running_loop().create_future()
            begun = time.monotonic()
            try:
                self._stats.calls += 1
                self._stats.actions[action] = self._stats.actions.get(action, 0) + 1
                await socket.send(json.dumps([2, id, action, payload], separators=(",", ":")))
                async with asyncio.timeout(ANSWER_SECONDS):
                    answer: list[Any] = await waiting
            except TimeoutError:
                self._stats.unanswered += 1
                raise
            finally:
                self._waiting.pop(id, None)
            self._stats.took(1000 * (time.monotonic() - begun))
            self._stats.call_errors += answer[0] == 4
            return answer

    async def _triggered(self, action: str, payload: dict[str, Any]) -> None:
        number = payload.get("connectorId") or (payload.get("evse") or {}).get("id") or 1
        plug = self.plugs[min(number, len(self.plugs)) - 1]
        status = "Available" if plug.session is None else "Charging"
        with contextlib.suppress(ConnectionClosed, OSError, TimeoutError, asyncio.CancelledError):
            if action == "StatusNotification":
                await self._call(*self._voice.status(plug.number, status, now()))
            elif action == "BootNotification":
                await self._call(*self._voice.boot(self._profile, f"SN-{self.identity}"))
            else:
                await self._call(action, {})

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _read(self, socket: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for text in socket:
                frame = json.loads(text)
                if frame[0] == 2:
                    self._stats.commands += 1
                    if "slow" in self._quirks:
                        await asyncio.sleep(self._random.uniform(0.5, 3))
                    said, then = obey(self, frame[2], frame[3])
                    answer = [4, frame[1], "NotImplemented", "", {}] if said is None else [3, frame[1], said]
                    await socket.send(json.dumps(answer))
                    if then == "reset":
                        await socket.close(1000)
                    elif then:
                        self._spawn(self._triggered(then, frame[3]))
                elif (waiting := self._waiting.get(frame[1])) is not None and not waiting.done():
                    waiting.set_result(frame)


async def _happens(event: asyncio.Event, seconds: float) -> None:
    """Returns when it does, or after so long."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def now() -> str:
    """The time as OCPP writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
