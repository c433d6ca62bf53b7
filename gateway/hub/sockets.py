"""The sockets of a hub to the CSMSs: opened for the links of its sessions, and what comes over them is given to the session."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import structlog

from gateway import failpoints, tap
from gateway.clock import now_ms
from gateway.config import Config
from gateway.journal.errors import StoreDown
from gateway.journal.journal import Journal
from gateway.passing import Passing
from gateway.wheel import Wheel
from translators.frames import Call, Error, Frame, Result, ResultError, encode

from . import watching
from .credentials import Contexts, Secrets
from .health import Health
from .link import Link
from .metering import Metering
from .partition import Partition
from .session import Session
from .turn import Turn
from .upstream import Dials, Upstream

log = structlog.get_logger(__name__)

BACK_PER_SECOND = 200
"""Waiting chargers that are dialled per second when their upstream is back."""
DIALS = 256
"""Sockets to CSMSs that are being opened at the same time."""


class Sockets:
    """One for each link that has something to tell or whose charger is here. `gateway.hub.sessions` makes and ends the links."""

    def __init__(
        self,
        config: Config,
        journal: Journal,
        wheel: Wheel,
        observer: Metering,
        partitions: dict[int, Partition],
        turn: Turn,
    ) -> None:
        self.upstreams = turn.upstreams
        self.settings = config.upstreams
        """Also of upstreams that have just left the configuration, until nobody uses them."""
        self._journal = journal
        self._wheel = wheel
        self._observer = observer
        self._partitions = partitions
        self._turn = turn
        self.draining = False
        """Commands are refused."""
        self._dials = Dials(DIALS)
        self._secrets = Secrets(journal, config.vault)
        self._dials.secret = self._secrets.read
        if config.vault.key:
            self._dials.passed = Passing(journal, config.vault).read
        self.traffic = self._dials.traffic
        # Each link and each socket refers to these: they are made once.
        self._heard, self._happened, self._keeper = self._from_upstream, self._upstream_state, self._keep
        self._tasks: set[asyncio.Task[None]] = set()
        self.health = Health(config.upstreams, journal, self._dials.contexts.of, self._upstream_back)

    @property
    def wheel(self) -> Wheel:
        """Of the timers."""
        return self._wheel

    @property
    def contexts(self) -> Contexts:
        """TLS towards the upstreams."""
        return self._dials.contexts

    def connect(self, session: Session) -> None:
        """Sockets for a charger that is here, and for an absent one whose backlog is not empty."""
        for name, link in session.links.items():
            if not session.edge and link.idle:
                continue
            if name in self.health.paused:
                if not link.up and not link.down_since:
                    session.disconnected(name, now_ms())  # nobody tries whether it is there
                continue
            upstream = self.upstreams.get(link)
            if upstream is None:
                upstream = self.upstreams[link] = Upstream(
                    name,
                    session.charger,
                    self.settings[name],
                    self._wheel,
                    self._dials,
                    self._heard,
                    self._happened,
                    self._turn.authorization,
                    (session, link),
                )
            upstream.start()

    def hurry(self, session: Session) -> None:
        """The charger is back: no upstream of it sits out a back-off."""
        for link in session.links.values():
            if upstream := self.upstreams.get(link):
                upstream.hurry()

    def partition_of(self, session: Session) -> Partition | None:
        """Where a session is, if it still is."""
        partition = self._partitions.get(session.partition)
        return partition if partition and partition.sessions.get(session.charger.casefold()) is session else None

    def _close_upstreams(self, session: Session) -> None:
        for link in session.links.values():
            if upstream := self.upstreams.pop(link, None):
                upstream.stop()

    def _upstream_back(self, name: str) -> None:
        """Chargers that wait in a long back-off are dialled soon, not all in the same moment."""
        waiting = [upstream for upstream in self.upstreams.values() if upstream.name == name]
        for upstream in waiting:
            if upstream.state == "backoff":
                self._wheel.after(random.uniform(0, max(1.0, len(waiting) / BACK_PER_SECOND)), upstream.hurry)

    def _from_upstream(self, session: Session, link: Link, frame: Frame | ResultError) -> None:
        name = link.name
        partition = self.partition_of(session)
        if partition is None:
            return
        if failpoints.armed:
            failpoints.hit("after_upstream_answer")
        self._observer.received(frame, self.settings[name].version, link.asked(frame.id))
        if tap.armed:
            watching.received(session, session.links[name], frame)
        if isinstance(frame, Call) and (refused := self._unable(partition)) is not None:
            upstream = self.upstreams.get(session.links[name])
            if upstream is not None:
                upstream.write(encode(Error(frame.id, *refused)))
            return
        try:
            session.from_upstream(name, frame, now_ms())
        except Exception:
            log.exception("answer_poisoned", charger_id=session.charger, upstream=name)
            session.stumbled(name, now_ms())
        self._turn.touched(partition, session)

    def _unable(self, partition: Partition) -> tuple[str, str] | None:
        """Code and reason with which a command is refused at once; None: it is taken."""
        if partition.interrupted or not self._journal.healthy:
            return "InternalError", "the gateway's store is away"
        return ("GenericError", "the gateway restarts") if self.draining else None

    def _upstream_state(self, session: Session, link: Link, event: str) -> None:
        self.health.happened(link.name, event)
        usual = "drain" if self.draining else "charger_gone"
        ended = self.upstreams[link].ended if link in self.upstreams else usual
        self._observer.upstream(link.name, event, ended)
        if tap.armed:
            watching.upstream(session, link, event, self.upstreams[link].last_error if link in self.upstreams else "")
        partition = self.partition_of(session)
        if partition is None or session.links.get(link.name) is not link:
            return
        if event == "connected":
            session.connected(link.name, now_ms())
        else:
            upstream = self.upstreams.get(link)
            hung_up = event == "lost" and upstream is not None and upstream.wanted
            session.disconnected(link.name, now_ms(), hung_up=hung_up)
        self._turn.touched(partition, session)

    def _keep(self, link: Link, password: bytes, frame: Result | Error) -> bool:
        """The charger has accepted a password of this upstream's: does the vault take it?"""
        session = link.owner
        assert isinstance(session, Session)
        settings = self.settings.get(link.name)
        if settings is None or settings.authentication != "vault":
            return False
        self._spawn(self._kept(session, link, settings.version, password, frame))
        return True

    async def _kept(self, session: Session, link: Link, version: str, password: bytes, frame: Result | Error) -> None:
        """The upstream hears that its password is accepted when the next dial will show it, and else that it is not."""
        try:
            await self._secrets.write(link.name, session.charger, version, password)
        except (StoreDown, ValueError) as error:
            log.error("password_not_kept", upstream=link.name, charger_id=session.charger, reason=str(error))
            frame = Error(frame.id, "InternalError", "the gateway could not keep the password")
        if (partition := self.partition_of(session)) is not None and session.links.get(link.name) is link:
            link.from_command(frame, now_ms())
            self._turn.touched(partition, session)

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
