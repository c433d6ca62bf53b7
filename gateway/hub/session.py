"""One charger: the lane towards it, and what it and its upstreams do, given to its links. Pure, like `link`."""

from __future__ import annotations

from collections.abc import Callable
from sys import intern
from typing import Any

import msgspec

from gateway.journal.entry import Entry, ToCharger
from gateway.routes import Route
from gateway.treatment import USUAL
from translators.frames import EMPTY, Call, Error, Frame, Result, ResultError, decode, encode

from . import connecting, due, remote_starts
from .arbiter import Arbiter
from .caller import Caller
from .comparing import Comparison
from .effects import Effects
from .intake import ignore
from .lane import Lane
from .link import Link
from .lot import unpark
from .observer import Observer
from .rekeying import rekeyed, rekeys
from .repeatable import repeatable
from .retried import superseded
from .sending import MARKS, pass_on, reject
from .terms import NO_TERMS

OFFLINE = "charger offline"
SESSION = "session"
"""Name of the consumer group that reads opens, closes, answers and repeats at live pace."""

HOLD_MS = 20_000
"""How long a charger waits for a primary that is away before its socket is closed (policy `close`)."""


class Session(Caller):
    """One charger. Feed it what happened; it leaves what is to be done in `effects`, which the hub takes away each tick."""

    __slots__ = (
        "_gate_assumed",
        "_gate_at",
        "absent_since",
        "compared",
        "comparison",
        "gate_ms",
        "hold_ms",
        "lane",
        "observer",
        "opened_at",
        "operator",
        "partition",
        "passwords",
        "patient",
        "rekeying",
        "route",
        "terms",
        "timer",
        "treated",
        "version",
    )

    def __init__(
        self,
        charger: str,
        effects: Effects,
        observer: Observer,
        *,
        gate_ms: int = 60_000,
        call_timeout_ms: int = 30_000,
        queue: int = 32,
        hold_ms: int = HOLD_MS,
    ) -> None:
        super().__init__(charger, effects)
        self.partition = -1
        """Number of the charger's partition."""
        self.route: Route | None = None
        """By which its links were made; None: it has none."""
        self.version = ""
        self.absent_since = 0
        self.opened_at = 0
        self.timer: Any = None
        """Handle of the hub's timer for `deadline`."""
        self.observer = observer
        self.gate_ms = gate_ms
        self.hold_ms = hold_ms
        """How long the primary may be away before policy `close` closes the charger's socket."""
        self._gate_assumed = False
        """The gate is open only because the charger was there before this owner."""
        self._gate_at = 0
        self.lane = Lane(queue, call_timeout_ms)
        """Towards the charger."""
        self.treated = USUAL
        """What its edge has been told of this connection."""
        self.terms = NO_TERMS
        self.passwords = False
        """Somebody wants to know which ones the charger is given."""
        self.rekeying = ("", "")
        """Message id of the CALL that gives the charger another password."""
        self.comparison: Comparison | None = None
        """Where an upstream is a shadow, or was."""
        self.patient = False
        """CALLs for the charger wait while it is away (`charger.offline_commands`)."""
        self.operator: Callable[[str, Result | Error | None], None] | None = None
        """Takes (id, answer) of CALLs that no upstream but an operator has asked; no answer: the charger gave none."""
        self.compared = b""
        """Its records as loaded, until they are needed."""

    # -- what the charger did ----------------------------------------------------------------------------------------

    def opened(self, edge: str, epoch: int, version: str, now: int, *, gate_open: bool = False) -> None:
        """The charger connected (or a new owner learns that it is connected). A stale connection is ignored.

        `gate_open`: CALLs may be sent at once; otherwise the boot gate holds them until a boot was answered, another CALL
        shows that the charger has booted before, or the grace is over (reliability I-16).
        """
        if epoch < self.epoch:
            return
        if self.edge and epoch > self.epoch:
            if self.edge != edge:
                self.effects.to_charger.append(
                    (self.edge, ToCharger(self.charger, self.epoch, "close", b"superseded", code=1008))
                )
            self._hang_up(now)
        self.edge, self.epoch, self.version, self.absent_since = intern(edge), epoch, intern(version), 0
        self.treated = USUAL
        self.opened_at = now
        self._gate_open = self._gate_assumed = gate_open
        self._booting = False
        self._gate_at = now + self.gate_ms
        for link in self.links.values():
            link.translator.connected(now)
        self._pump(now)

    def closed(self, epoch: int, now: int) -> None:
        """The charger's connection `epoch` is gone."""
        if epoch == self.epoch and self.edge:
            self.edge, self.absent_since = "", now
            self._hang_up(now)

    def called(self, name: str, entry: Entry, now: int) -> None:
        """A charger CALL, in the projection of upstream `name`. Raises msgspec.DecodeError for a frame that is not one."""
        link = self.links[name]
        if entry.frame.startswith(MARKS):
            pass_on(link, entry)
            return
        call = self._mended(link, entry)
        if entry.head.action == "BootNotification":
            if self.habits.boots_again(self, link, entry, call, now):
                self._pump(now)
                return
            self._booting = True
            if self._gate_assumed and link.primary and entry.head.epoch == self.epoch:
                self._gate_open = self._gate_assumed = False  # its boot was not answered when the owner before died
        elif not self._booting and entry.head.epoch == self.epoch and not self._gate_open:
            self._gate_open = True
            self.observer.quirk("boot_absent", self.version)
        if self.arbiter is None:
            link.from_charger(entry, call, now)
        else:
            self._tell(self.arbiter, link, entry, call, now)
        if self.lane.waiting or not self._gate_open:
            self._pump(now)

    def unparked(self, name: str, entry: Entry, now: int) -> bool:
        """A charger CALL that link `name` had put aside. False if it is not to be told. Raises msgspec.DecodeError."""
        if entry.id in self.links[name].introducing:
            return False
        call = self._mended(self.links[name], entry)
        told = call if self.arbiter is None else self.arbiter.told(name, call)
        if told is not None:
            unpark(self.links[name], entry, told, now)
            self._pump(now)
        return told is not None

    def repeated(self, entry: Entry, now: int) -> None:
        """A charger CALL that was sent before and has no stored answer."""
        for link in self.links.values():
            if not link.counts(entry.head.action):
                superseded(link, entry)
            else:
                call = self._mended(link, entry)
                told = call if self.arbiter is None else self.arbiter.told(link.name, call)
                link.repeated(entry, told or call, now)
        self._pump(now)

    def answered(self, entry: Entry, now: int) -> None:
        """The charger answered a CALL of ours; anything but the open one is dropped."""
        if entry.head.epoch != self.epoch:
            return
        try:
            frame = decode(entry.frame)
        except msgspec.MsgspecError:
            self.observer.unmatched("charger")
            return
        if isinstance(frame, Call) or not frame.id or frame.id != self.lane.open_id:
            self.observer.unmatched("charger")
            return
        if frame.id == self.rekeying[0]:
            rekeyed(self, frame)
        self.habits.answered()
        self._settle(frame, now)

    def withheld(self, id: str, now: int) -> None:
        """A command could not be sent: what it brings about could not be stored."""
        if id == self.lane.open_id:
            self._settle(Error(id, "InternalError", "the gateway's store is away"), now)

    def _settle(self, frame: Result | Error, now: int) -> None:
        source = self.lane.open_source
        self.lane.settle(frame.id)
        if self.arbiter is not None and self.arbiter.answered(frame, now):
            pass
        elif link := self.links.get(source):
            link.from_command(frame, now)
        elif self.operator is not None:
            self.operator(frame.id, frame)
        self._pump(now)

    # -- what the upstreams did --------------------------------------------------------------------------------------

    def from_upstream(self, name: str, frame: Frame | ResultError, now: int) -> None:
        """A frame of upstream `name`."""
        if isinstance(frame, ResultError):
            reject(self.links[name], frame, self.edge, self.epoch)
            return
        self.links[name].from_upstream(frame, now)
        if self.lane.waiting or not self._gate_open:
            self._pump(now)

    def connected(self, name: str, now: int) -> None:
        """The socket to upstream `name` is open."""
        connecting.connected(self.links[name], now)
        self._pump(now)

    def disconnected(self, name: str, now: int, *, hung_up: bool = False) -> None:
        """The socket to upstream `name` is gone (`hung_up`: not by our doing) or could not be opened."""
        connecting.disconnected(self.links[name], now, hung_up=hung_up)
        self._pump(now)

    def tick(self, now: int) -> None:
        """Time has passed."""
        if expired := self.lane.expire(now):
            self.observer.command_timeout(self.charger)
            self.habits.unanswered(self, now)
            self._unanswered(*expired, now)
        for id, source in self.lane.overdue(now):
            if self.arbiter is not None and self.arbiter.expired(id, now):
                continue
            if link := self.links.get(source):
                link.command_failed(id, "GenericError", OFFLINE, now)
            elif self.operator is not None:
                self.operator(id, None)
        if self.arbiter is not None and self.edge:
            self.arbiter.tick(now)
        for link in self.links.values():
            due.tick(link, now)
            if self._holds_too_long(link, now):
                self.effects.to_charger.append(
                    (self.edge, ToCharger(self.charger, self.epoch, "close", b"the CSMS is away", code=1001))
                )
                self.closed(self.epoch, now)
        self._pump(now)

    def stumbled(self, name: str, now: int) -> None:
        """A bug of ours was met on the way from upstream `name`, or ("") in a tick: what is under way there has failed."""
        for link in self.links.values():
            if name in ("", link.name):
                connecting.stumbled(link, now)
        self._pump(now)

    def deadline(self) -> int:
        """When `tick` is due at the latest, ms; 0: no need."""
        times = [self.lane.deadline, self.lane.waits_until]
        if self.edge and not self._gate_open and len(self.lane):
            times.append(self._gate_at)
        if self.arbiter is not None and self.edge:
            times.append(self.terms.renew_at)
        for link in self.links.values():
            times.append(due.deadline(link))
            if self.edge and link.answers and link.policy == "close" and link.down_since:
                times.append(self._hold_until(link))
        return min((at for at in times if at), default=0)

    @property
    def idle(self) -> bool:
        """The charger is absent, every upstream has been told everything, and no command waits for the charger."""
        return not self.edge and not len(self.lane) and all(link.idle for link in self.links.values())

    @property
    def settled(self) -> bool:
        """No charger CALL waits for its answer, no CALL for the charger's, and no upstream that is there for its own:
        it would be told again by the next owner."""
        return not self.lane.open_id and not any(
            (link.answers and link.waits_unanswered_since()) or (link.up and link.under_way)
            for link in self.links.values()
        )

    # -- what links ask ----------------------------------------------------------------------------------------------

    def command(self, link: Link, call: Call, timeout_ms: int, now: int) -> None:
        """Queue a CALL of `link` for the charger; it fails at once when the charger is absent or the queue is full."""
        if not link.may_command:  # nor may its translation ask, on behalf of a mirror, what the primary would hear of
            link.command_failed(call.id, "NotSupported", "this upstream may not command the charger", now)
        elif not self.edge and not (self.patient and self.arbiter is None):
            link.command_failed(call.id, "GenericError", OFFLINE, now)
        elif (told := call if link.filter is None else self._sift(link, call, now)) is None or (
            self.arbiter is not None and self.arbiter.begin(link.name, told, timeout_ms, now)
        ):
            return
        elif not self.lane.offer(told, link.name, timeout_ms, 0 if self.edge else now):
            link.command_failed(call.id, "InternalError", "queue full", now)
        elif self.edge and not self._gate_open:
            self.observer.quirk("cmd_gated", self.version)

    def _sift(self, link: Link, call: Call, now: int) -> Call | None:
        """What the charger gets of a command that may cut it off from here; None: the link has its answer."""
        assert link.filter is not None
        told, seen = link.filter.sift(call)
        for subject, policy in seen:
            self.observer.lifeline(link, call.action, subject, policy)
        if isinstance(told, Call):
            return told
        link.from_command(told, now)
        return None

    # -- inside ------------------------------------------------------------------------------------------------------

    def _hang_up(self, now: int) -> None:
        """A socket of the charger is gone. What was not written waits for the next one, so does what does no harm twice;
        of anything else that was written nobody knows what became (reliability 5.2, 5.7)."""
        if lost := self.lane.interrupt(now, repeatable):
            self._unanswered(*lost, now)

    def _unanswered(self, id: str, source: str, now: int) -> None:
        if self.arbiter is not None and self.arbiter.expired(id, now):
            return
        if link := self.links.get(source):
            link.command_expired(id, now)
        elif self.operator is not None:
            self.operator(id, None)

    def _tell(self, arbiter: Arbiter, link: Link, entry: Entry, call: Call, now: int) -> None:
        """An upstream hears what the charger says in its own ids, and nothing of what is another's."""
        if link.primary:
            arbiter.heard(call, now)
        told = arbiter.told(link.name, call)
        if told is None:
            ignore(link, entry, call, now)
        else:
            link.from_charger(entry, told, now)

    def _mended(self, link: Link, entry: Entry) -> Call:
        """The CALL of an entry as `link` is to hear it."""
        call = call_of(entry)
        if self.shared.remotes:
            call = remote_starts.named(link, call, self.shared.remotes)
        return call if link.mend is None else link.mend.call(call, entry.head.received_at, self.shared.open)

    def _pump(self, now: int) -> None:
        """Open the gate when it is time, and send the next command. Nothing to do while no command waits and the gate is open."""
        if not self.edge:
            return
        if not self._gate_open and now >= self._gate_at:
            self._gate_open = True
        if self.lane.waiting and self._gate_open and (call := self.lane.next(now)) is not None:
            trace = self.observer.trace(self.charger, self.lane.open_source)
            item = ToCharger(self.charger, self.epoch, "call", encode(call), message_id=call.id, trace=trace)
            self.habits.commanded(call.action)
            if call.action == remote_starts.COMMAND:
                remote_starts.asked(self, call, self.lane.open_source)
            if not (self.passwords and rekeys(self, call, item)):
                self.effects.to_charger.append((self.edge, item))

    def _holds_too_long(self, link: Link, now: int) -> bool:
        return bool(
            self.edge and link.answers and link.policy == "close" and link.down_since and now >= self._hold_until(link)
        )

    def _hold_until(self, link: Link) -> int:
        """A charger that comes while its primary is away waits as long as one that was there before."""
        return max(link.down_since, self.opened_at) + self.hold_ms


_elements = msgspec.json.Decoder(list[msgspec.Raw])


def call_of(entry: Entry) -> Call:
    """The CALL of an entry, with the entry's id as message id: answers are addressed by entry, never by the charger's id.

    The edge has accepted the frame and read its header; what it tolerated (a missing or null payload, surplus elements,
    an id that is a number) is tolerated here too.
    """
    elements = _elements.decode(entry.frame)
    payload = elements[3] if len(elements) > 3 and bytes(elements[3]) != b"null" else EMPTY
    return Call(entry.id, entry.head.action, payload)
