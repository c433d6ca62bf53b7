"""One upstream as one charger sees it: a projection of that charger's journal at the upstream's own pace.

Pure: no socket, no store, no clock. The session feeds it entries, frames and the time; it leaves what is to be done in `Effects`.
One charger CALL at a time is decided; the next begins when the dialogue of the one before has ended, so that order is kept.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.journal.entry import Entry
from translators import Translating
from translators.dialogue import Done, Step
from translators.frames import Call, Error, Frame, Result, Side, encode
from translators.quirks.mending import Mending

from .answering import (
    Owner,
    Policy,
    ack,
    answer_charger,
    finished,
    given_up,
    outcome_of,
    outlast,
    poisoned,
)
from .backlog import Backlog, Exchange, order
from .comparing import Comparison
from .connecting import disconnected
from .intake import Intake
from .lane import Lane
from .lifeline import Filter
from .local import Local, heard
from .lot import Lot
from .refusals import refusal
from .refused import passes
from .retried import retried
from .returning import Returning

_LOOKS_ONLY = frozenset(("GetConfiguration",))
"""Commands of a gateway dialogue that change nothing: the only ones for an upstream that may not command."""

TIMED = 16
"""So many frames of a link are timed at first, then one of so many: to time one costs a tenth of its translation."""

_NOTHING: set[str] = set()
"""Shared by all links that introduce nothing; never added to."""


class Link:
    """One upstream of one charger."""

    __slots__ = (
        "_asked_at",
        "_current",
        "_frames",
        "_open_calls",
        "_stopwatch",
        "allows",
        "answers",
        "attempts",
        "backlog",
        "barred",
        "charger",
        "done",
        "down_since",
        "filter",
        "intake",
        "introducing",
        "lane",
        "leaving",
        "local",
        "lot",
        "may_command",
        "mend",
        "name",
        "numbers",
        "owner",
        "policy",
        "primary",
        "refusal",
        "refused",
        "retry_ms",
        "returning",
        "stored",
        "told",
        "translator",
        "unheard",
        "up",
        "versions",
        "watch",
    )

    def __init__(
        self,
        name: str,
        owner: Owner,
        translator: Translating,
        *,
        versions: tuple[str, str] = ("", ""),
        primary: bool,
        answers: bool | None = None,
        policy: Policy = "close",
        may_command: bool = True,
        call_timeout_ms: int = 20_000,
        attempts: int = 5,
        retry_ms: int = 10_000,
        stopwatch: Callable[[], float] | None = None,
    ) -> None:
        self.name = name
        self.versions = versions
        """OCPP versions of the charger and of the CSMS."""
        self.primary = primary
        self.answers = primary if answers is None else answers
        """The charger gets its answers, to all or (`intake`) to some of what it says."""
        self.policy: Policy = policy if self.answers else "buffer"
        self.may_command = may_command
        """Anything at all."""
        self.allows: Callable[[str], bool] | None = None
        """Whether it may send CALLs with this action; None: with any, if it may command."""
        self.filter: Filter | None = None
        """What it may not change at the charger; None: it may change anything."""
        self.mend: Mending | None = None
        """Repairs what the charger says; None: it is left as it is, or a translation reads it."""
        self.intake: Intake | None = None
        """What it takes of what the charger says; None: everything."""
        self.local: Local | None = None
        """How the charger is answered while the upstream is away; None: as the translation says, or not at all."""
        self.barred = False
        """It refuses the charger: what it was to be told waits until the charger boots (`refused`)."""
        self.refusal = ""
        """Code of the CALLERROR that is being taken from the upstream."""
        self.lot: Lot | None = None
        """What it has put aside; None: nothing."""
        self.done = 0
        """How many entries it has done with."""
        self.numbers = primary
        """Its number for a transaction is the charger's."""
        self.leaving = False
        """Its route goes there no more: it gets what is left, and nothing new."""
        self.introducing = _NOTHING
        """Ids of what it is told because it came later than the charger (`introduction`)."""
        self.unheard = _NOTHING
        """Ids of what the charger had said before this upstream came, and was not answered yet."""
        self.translator = translator
        self.up = False
        self.down_since = 0
        """When the upstream went away or first could not be reached, ms; 0 while it is up or was not tried yet."""
        self.stored: dict[str, bytes] = {}
        """Facts as last committed, by part."""
        self.owner = owner
        self.charger = owner.charger
        """Identity of the charger."""
        self.attempts = attempts
        self.retry_ms = retry_ms
        self.lane = Lane(256, call_timeout_ms)
        """Towards the upstream."""
        self.backlog = Backlog()
        self._current: dict[str, Exchange] = {}
        self._open_calls: dict[str, int] = {}
        """CALLs of the CSMS that wait for their answer on this socket, with their arrival."""
        self._asked_at: dict[str, tuple[str, int]] = {}
        self.returning = Returning()
        self.refused: dict[str, int] = {}
        """Billing message, by what it says -> how often the upstream refused it."""
        self.told: tuple[str, bytes] | None = None
        """Entry that the charger was answered last, and the payload: until that is stored a retry looks like one without an answer."""
        self.watch: Comparison | None = None
        """Is told what the upstream answers, where the charger has a shadow."""
        self._stopwatch = stopwatch
        self._frames = 0
        """How many the translator was given, where it is timed."""
        translator.backlog = self.backlog.calls

    # -- what happens ------------------------------------------------------------------------------------------------

    def from_charger(self, entry: Entry, call: Call, now: int) -> None:
        """A charger CALL of this group, new or pending."""
        exchange = Exchange(entry, call)
        if entry.id in self.introducing:
            self.owner.effects.acks.setdefault(self.name, []).append(entry.id)
            return
        exchange.counts = self.primary
        if self.intake is None or self.intake.take(self, exchange, now):
            self.enqueue(exchange, now)

    def enqueue(self, exchange: Exchange, now: int) -> None:
        """It is to be told in its turn."""
        boots = self.barred and exchange.call.action == "BootNotification"
        if self.lot is not None and not boots and self.lot.takes(self, exchange, now):
            return
        self.backlog.append(exchange)
        if exchange.counts and self.policy != "close" and (until := self.translator.early_until):
            # Read again by a new owner: whoever owned it before has answered it while the upstream was away.
            exchange.early = order(exchange.entry.id) <= order(until)
            exchange.answered = exchange.answered or exchange.early
        if not self.up and self.down_since:
            outlast(self, exchange, now)
        self.pump(now)

    def introduce(self, told: list[Exchange], now: int) -> None:
        """Tell an upstream that is new to this charger what was there before it came, before anything else."""
        self.introducing = {exchange.entry.id for exchange in told}
        self.backlog.extendleft(reversed(told))
        self.pump(now)

    def hand_over(self, now: int) -> list[Exchange]:
        """End here, for another link to this upstream goes on: gives what is left to tell, oldest first."""
        if self.up:
            disconnected(self, now)
        held = self.intake.release() if self.intake is not None else []
        left = [*self._current.values(), *held, *self.backlog]
        return sorted(left, key=lambda each: order(each.entry.id)) if held else left

    def counts(self, action: str) -> bool:
        """Whether the charger gets this upstream's answer to a CALL with this action."""
        return self.primary if self.intake is None else self.intake.counts(action)

    def repeated(self, entry: Entry, call: Call, now: int) -> None:
        """The charger sent a CALL again that has no stored answer."""
        retried(self, entry, call, now)
        self.pump(now)

    def numbered(self, entry: str, tx: int, number: int) -> None:
        """Another upstream has answered a StartTransaction, for which `tx` was minted: the charger calls it `number`."""
        self.translator.numbered(entry, tx, number)
        self.owner.effects.links.add(self)

    def asked(self, id: str) -> str:
        """The action of a CALL that waits for its answer; empty: none does."""
        return self._asked_at.get(id, ("", 0))[0]

    def from_upstream(self, frame: Frame, now: int) -> None:
        """A frame of the CSMS."""
        if isinstance(frame, Call):
            if not self.may_command or (self.allows is not None and not self.allows(frame.action)):
                refused = refusal(self.versions[1], frame)
                self.owner.observer.commanded(self, frame.action, refused, 0)
                self._send(refused)
                return
            self._open_calls[frame.id] = now
            self.owner.observer.called(self, frame)
            self._receive("csms", frame, now)
        elif not self.lane.settle(frame.id):
            self.owner.observer.unmatched("csms")
        elif isinstance(frame, Error) and "already in progress" in frame.description.lower():
            # A CSMS with one open call for both directions lost this CALL: as good as no answer (real-peers 1).
            self.apply(self.translator.expire("csms", frame.id, now), now)
        else:
            action, asked_at = self._asked_at.pop(frame.id, ("", now))
            if not self._asked_at:
                self._asked_at.clear()
            self.owner.observer.upstream_answered(self, action, now - asked_at)
            self.refusal = frame.code if isinstance(frame, Error) else ""
            self._receive("csms", frame, now)
            self.refusal = ""
        self.pump(now)

    def from_command(self, frame: Result | Error, now: int) -> None:
        """The charger's answer to a CALL of this link."""
        if self.filter is not None:
            frame = self.filter.mend(frame)
            if self.filter.kept(self, frame):
                return
        self._receive("charger", frame, now)
        self.pump(now)

    def command_failed(self, id: str, code: str, description: str, now: int) -> None:
        """A CALL of this link cannot reach the charger."""
        self.apply(self.translator.receive("charger", Error(id, code, description), now), now)
        self.pump(now)

    def command_expired(self, id: str, now: int) -> None:
        """The charger did not answer a CALL of this link."""
        self.apply(self.translator.expire("charger", id, now), now)
        self.pump(now)

    @property
    def idle(self) -> bool:
        """Nothing is left to tell this upstream."""
        waits = self.backlog or self._current or len(self.lane) or self.lane.open_id or self.lot
        return not (waits or (self.intake is not None and self.intake.holds))

    @property
    def commands_open(self) -> int:
        """CALLs of the upstream that wait for their answer."""
        return len(self._open_calls)

    @property
    def under_way(self) -> list[Exchange]:
        """What the upstream is being told."""
        return list(self._current.values())

    def waits_unanswered_since(self) -> int:
        """Received-at of the oldest charger CALL that still waits for its answer, ms; 0: none."""
        waiting = [*self._current.values(), *self.backlog]
        return min((exchange.entry.head.received_at for exchange in waiting if not exchange.answered), default=0)

    # -- deciding ----------------------------------------------------------------------------------------------------

    def pump(self, now: int) -> None:
        """Begin the next charger CALL if none is under way, and write the next CALL if the lane is free."""
        while self.up and self.backlog and (exchange := self._next(now)):
            exchange.begun = now
            if exchange.entry.head.trace:
                self.owner.observer.begun(self, exchange, now)
            self._current[exchange.entry.id] = exchange
            try:
                self._receive("charger", exchange.call, now, exchange)
            except Exception as error:
                self._current.pop(exchange.entry.id, None)
                poisoned(self, exchange, error, now)
        if self.up and not self._current and (self.returning.flushing or self.returning.owes(self)):
            self.returning.go_on(self, now)
        while self.lane.waiting and self.up and (call_out := self.lane.next(now)) is not None:
            self._asked_at[call_out.id] = call_out.action, now
            self._send(call_out)

    def _next(self, now: int) -> Exchange | None:
        """The CALL to begin now."""
        if self.owner.effects.parting and not (self.answers and self.waits_unanswered_since()):
            return None
        if self._current:
            return self.backlog.overtaking(self.translator.overtakes)
        first_only = self.returning.flushing and not self.barred and self.versions[0] != self.versions[1]
        only = passes if self.barred else None
        exchange, expired = self.backlog.due(now, first_only=first_only, only=only)
        for each in expired:
            self.owner.observer.dropped(self, each.entry, "expired")
            if self.watch is not None:
                self.watch.silent(self, each, now)
            ack(self, each)
        return exchange

    def _receive(self, side: Side, frame: Frame, now: int, exchange: Exchange | None = None) -> None:
        """Give the translator a frame, and do what it says. `exchange`: the frame is the CALL of this entry."""
        begin = 0.0
        if self._stopwatch is not None:
            self._frames += 1
            if self._frames <= TIMED or not self._frames % TIMED:
                begin = self._stopwatch()
        if exchange is None:
            steps = self.translator.receive(side, frame, now)
        else:
            entry = exchange.entry
            steps = self.translator.receive(
                side, frame, now, now=entry.head.received_at, key=entry.id, tx=entry.tx, early=exchange.early
            )
        if begin and self._stopwatch is not None:
            self.owner.observer.timed(self, side, self._stopwatch() - begin)
        self.apply(steps, now)

    def apply(self, steps: list[Step], now: int) -> None:
        """Do what the translator says."""
        owner = self.owner
        changed = not steps
        for step in steps:
            if isinstance(step, Done):
                changed = True
                if step.losses:
                    owner.observer.lost(self, "charger", step.source, step.losses)
                if exchange := self._current.pop(step.key, None):
                    if not self._current:
                        self._current.clear()  # and with it the room for one
                    finished(self, exchange, step.outcome, now)
                continue
            changed = changed or step.commit
            owner.observer.translated(self, step)
            frame = step.frame
            if step.to == "csms":
                if isinstance(frame, Call):
                    self._ask(frame, round(step.timeout * 1000) if step.timeout else 0, now)
                elif (asked_at := self._open_calls.pop(frame.id, None)) is not None:
                    owner.observer.commanded(self, step.source, frame, now - asked_at)
                    self._send(frame)  # otherwise it was asked on a socket that is gone
            elif not isinstance(frame, Call):
                answered = self._current.get(frame.id)
                if answered:
                    heard(self, answered, frame, now)
                if answered and self.watch is not None:
                    self.watch.said(self, answered, frame, now)
                if isinstance(frame, Result):
                    if answered:
                        answer_charger(self, answered, frame, now)
                elif answered and not given_up(self, answered, frame, now):
                    answer_charger(self, answered, frame, now, outcome=outcome_of(self, frame))
            elif self.may_command or frame.action in _LOOKS_ONLY:
                owner.command(self, frame, round(step.timeout * 1000), now)
            else:
                refused = Error(frame.id, "SecurityError", "this upstream may not command the charger")
                self.apply(self.translator.receive("charger", refused, now), now)
        if changed:
            owner.effects.links.add(self)

    def _ask(self, call: Call, timeout_ms: int, now: int) -> None:
        if self.up and self.lane.take(call, "", timeout_ms, now):
            self._asked_at[call.id] = call.action, now
            self._send(call)
        elif not self.lane.offer(call, "", timeout_ms):
            self.apply(self.translator.expire("csms", call.id, now), now)

    def _send(self, frame: Frame) -> None:
        self.owner.effects.to_upstream.append((self, encode(frame)))
