"""Runs the dialogues of one charger as one upstream sees it: frames in, frames out, nothing awaited (see `dialogue`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, TypeVar

import msgspec

from . import frames
from .dialogue import (
    Answer,
    Ask,
    AskRaw,
    Dialogue,
    Done,
    Local,
    Mapped,
    Out,
    Outcome,
    Pair,
    Refusal,
    Refuse,
    Reply,
    Rule,
    Same,
    Silence,
    Step,
    Talk,
    Wait,
)
from .frames import Call, Error, Frame, Result, Side
from .losses import Loss, Undeclared
from .memory import Memory
from .models import lenient
from .models.base import Request
from .opening import Noticed, after, mapped, notice, request_of, require_declared, same, tell_custom_data
from .quirks.signs import answer_signs

S = TypeVar("S", bound=msgspec.Struct)


class Translator(Memory):
    """One charger as one upstream sees it: frames in, frames out. State: facts and open dialogues."""

    strict_losses: ClassVar[bool] = False
    """Fail on a loss or a message that the pair's tables do not declare (losses.py). The tests switch it on."""

    __slots__ = (
        "_asked",
        "_resumed",
        "_steps",
        "_waiting",
        "awaited",
        "backlog",
        "clock",
        "identity",
        "new_id",
        "noticed",
        "options",
        "spawned",
    )

    def __init__(self, pair: Pair, facts: Any, options: Any, new_id: Callable[[], str]) -> None:
        super().__init__(pair, facts)
        self.options = options
        self.new_id = new_id
        self.clock = 0
        self.identity = ""
        """What the CSMS calls the charger; "" where nobody has told."""
        self._resumed = False
        self.awaited: tuple[str, ...] = ()
        """Charger actions that open dialogues wait for."""
        self.backlog: Callable[[], Iterable[Call]] = tuple
        """Charger CALLs that wait for their turn, where there is a queue."""
        self.noticed: Noticed | None = None
        """Told of the quirks of peers."""
        self.spawned: list[tuple[Callable[[Dialogue], Rule], str]] = []
        self._asked: dict[tuple[Side, str], tuple[Dialogue, Request[Any] | None]] = {}
        self._waiting: list[tuple[int, Callable[[], bool] | None, Dialogue]] = []
        self._steps: list[Step] = []

    def receive(
        self,
        side: Side,
        frame: Frame,
        clock: int,
        *,
        now: int | None = None,
        key: str = "",
        tx: int = 0,
        early: bool = False,
        answer_early: bool = False,
    ) -> list[Step]:
        """Take one frame from `side`. An answer that nobody waits for is dropped (empty list).

        `answer_early`: the source wants its answer although `early` says that it has one.
        """
        self.clock = clock
        whole, self.whole = self.whole, True
        if type(frame) is Call:
            at, answered = clock if now is None else now, early and not answer_early
            dialogue = Dialogue(
                self, self.facts, self.options, side, frame.action, frame.id, key, tx, at, early, answered
            )
            self._open(dialogue, side, frame)
            moves = dialogue.moves
        else:
            asked = self._asked.pop((side, frame.id), None)
            if asked is None:
                return self._flush()
            dialogue, request = asked
            moves = dialogue.moves
            if isinstance(frame, Error):
                self._resume(dialogue, error=self._relayed(frame))
            elif request is None:
                self._resume(dialogue, frame.payload)
            else:
                self._answered(dialogue, side, request, frame.payload)
        if self.spawned or self._waiting:
            return self._flush()
        if moves is not None and dialogue.moves is not None:
            self.whole, self.moving = whole, True
            if moves not in self.moved:
                self.moved = (*self.moved, moves)
        steps, self._steps = self._steps, []
        return steps

    def asking(self, subject: str) -> Dialogue | None:
        """The dialogue about `subject` that waits for an answer."""
        return next((each for each, _ in self._asked.values() if each.subject == subject), None)

    def awaits(self, side: Side, id: str) -> bool:
        """Whether an answer of `side` with this id is expected."""
        return (side, id) in self._asked

    def asker(self, side: Side, id: str) -> Dialogue | None:
        """The dialogue that waits for this answer of `side`."""
        asked = self._asked.get((side, id))
        return None if asked is None else asked[0]

    def expire(self, side: Side, id: str, clock: int) -> list[Step]:
        """The CALL `id` that left for `side` got no answer in time."""
        self.clock = clock
        asked = self._asked.pop((side, id), None)
        if asked is not None:
            self._resume(asked[0], error=Silence())
        return self._flush()

    def connected(self, at: int) -> None:
        """The charger has a new connection since `at`, ms: what was learned of it on the one before may be wrong now."""
        self.whole = True
        if self.pair.connected is not None:
            self.pair.connected(self.facts, at)
        if self.pair.resume is not None and not self._resumed:
            self._resumed = True
            self.pair.resume(Dialogue(self, self.facts, self.options, None, "", "", "", 0, at, False, True))

    def overtakes(self, action: str) -> bool:
        """Whether a charger CALL of this action need not wait for those before it: a dialogue waits for it."""
        return action in self.awaited

    def lost(self, side: Side, clock: int) -> list[Step]:
        """The socket to `side` is gone: every open question there ends in Silence."""
        self.clock = clock
        for asked_side, id in [at for at in self._asked if at[0] == side]:
            dialogue, _ = self._asked.pop((asked_side, id))
            self._resume(dialogue, error=Silence())
        return self._flush()

    def begin(self, rule: Callable[[Dialogue], Rule], clock: int, action: str = "") -> list[Step]:
        """Start a dialogue of the gateway's own."""
        self.clock = clock
        self.spawned.append((rule, action))
        return self._flush()

    def tick(self, clock: int) -> list[Step]:
        """Resume the dialogues whose wait is over."""
        self.clock = clock
        return self._flush()

    def away(self, call: Call, clock: int, *, key: str = "", tx: int = 0) -> msgspec.Raw | None:
        """The payload that answers a charger CALL while the upstream is away, or None if it gets no answer."""
        self.clock = clock
        if self.pair.away is None:
            return None
        self.whole = True
        dialogue = Dialogue(
            self, self.facts, self.options, "charger", call.action, call.id, key, tx, clock, False, False
        )
        try:
            payload = self.pair.away(dialogue, request_of(dialogue, self.pair.charger_actions[call.action], call))
        except (lenient.Invalid, Refusal):
            return None
        return None if payload is None else msgspec.Raw(lenient.check(payload))

    @property
    def neutral(self) -> frozenset[str]:
        """Charger actions that an empty payload answers well enough."""
        return self.pair.neutral

    def back(self, clock: int) -> list[Step]:
        """The upstream is back and has been told the backlog: tell it what else changed."""
        self.settled()
        return [] if self.pair.back is None else self.begin(self.pair.back, clock)

    def stored(self) -> dict[str, bytes]:
        """The facts as they are to be stored (see `Memory.packed`)."""
        rest = not self._asked and not self._waiting
        if rest:
            self._asked.clear()  # and with it the room that it had grown to
        return self.packed(rest=rest)

    @property
    def next_wake(self) -> int | None:
        """When `tick` is due at the latest, ms; None if no dialogue waits."""
        return min((at for at, _, _ in self._waiting), default=None)

    def _open(self, dialogue: Dialogue, side: Side, call: Call) -> None:
        pair, doubtful = self.pair, False
        if side == "charger":
            doubtful = pair.first is not None and self.facts.registration != "Accepted"
            rows, actions = pair.from_charger, pair.charger_actions
        else:
            rows, actions = pair.from_csms, pair.csms_actions
        row = rows.get(call.action)
        try:
            if row is None:
                # A signed message (2.x part 4, 7) cannot be translated: its signature would no longer fit.
                known = call.action.removesuffix("-Signed") in actions
                raise Refusal("NotSupported" if known else "NotImplemented", f"{call.action} is not accepted here")
            if doubtful and pair.gate is not None:
                pair.gate(dialogue)
            if type(row) is Talk:  # not `match`: one with members costs half a microsecond, here and in `_resume`
                dialogue._rule = row.rule(dialogue, request_of(dialogue, actions[call.action], call))
            elif type(row) is Refuse:
                raise Refusal(row.code, row.description)
            elif type(row) is Same:
                dialogue._rule = same(dialogue, call.payload)
            elif type(row) is Mapped:
                dialogue._rule = mapped(dialogue, row, request_of(dialogue, actions[call.action], call))
            elif type(row) is Local:
                self._end(dialogue, row.answer(dialogue, request_of(dialogue, actions[call.action], call)))
                return
        except Refusal as refusal:
            self._refuse(dialogue, refusal)
            return
        except lenient.Invalid as invalid:
            self._refuse(dialogue, Refusal(invalid.code, invalid.path))
            return
        if doubtful and pair.first and (first := pair.first(dialogue)) is not None:
            dialogue._rule = after(first, dialogue._rule)
        self._resume(dialogue)

    def _relayed(self, error: Error) -> Refusal:
        """A peer's CALLERROR as a refusal for the other side (spec 2.14)."""
        code = self.pair.neutral_code(error.code)
        details = frames.EMPTY
        if code == "GenericError" and error.code != code:
            details = msgspec.Raw(frames.encode({"originalCode": error.code}))
        return Refusal(code, f"upstream: {error.description}", details)

    def _answered(self, dialogue: Dialogue, side: Side, request: Request[Any], payload: msgspec.Raw) -> None:
        try:
            response = self.read(dialogue, type(request).response, bytes(payload), side)
        except (Silence, Refusal) as error:
            self._resume(dialogue, error=error)
            return
        self._resume(dialogue, response)

    def read(self, dialogue: Dialogue, type_: type[S], payload: bytes, side: Side = "csms") -> S:
        """The response of `side` to a question of a dialogue. Raises Silence or Refusal when it is not valid."""
        tell_custom_data(dialogue, side, payload)
        try:
            response, repairs = lenient.decode(type_, payload)
            if self.noticed is not None:
                notice(self.noticed, side, repairs, answer_signs(response) if side == "charger" else ())
            return response
        except lenient.Invalid as invalid:
            if dialogue.side == "charger":
                raise Silence from None
            raise Refusal("FormatViolation", f"the answer is invalid: {invalid.path}") from None

    def _resume(self, dialogue: Dialogue, value: Any = None, error: Exception | None = None) -> None:
        """Run a rule up to its next question, or to its end."""
        rule = dialogue._rule
        assert rule is not None
        try:
            while True:
                wish = rule.send(value) if error is None else rule.throw(error)
                value, error = None, None
                if type(wish) is AskRaw:
                    frame = Call(self.new_id(), wish.action, wish.payload)
                    self._asked[(wish.side, frame.id)] = (dialogue, None)
                    self._emit(dialogue, wish.side, frame)
                    return
                if type(wish) is Ask:
                    request = wish.request
                    text = frames.encode(request) if wish.sound else lenient.check(request)
                    frame = Call(self.new_id(), type(request).action, msgspec.Raw(text))
                    self._asked[(wish.side, frame.id)] = (dialogue, request)
                    self._emit(dialogue, wish.side, frame, wish.timeout)
                    return
                if type(wish) is Wait:
                    self._waiting.append((self.clock + round(wish.seconds * 1000), wish.until, dialogue))
                    return
                if type(wish) is Answer:
                    self._answer(dialogue, wish.payload)
        except StopIteration as stop:
            self._end(dialogue, stop.value)
        except Refusal as refusal:
            self._refuse(dialogue, refusal)
        except Silence:
            self._silent(dialogue)
        except Undeclared:
            raise
        except Exception as bug:  # a poisoned payload costs one CALLERROR, not the session
            self._refuse(dialogue, _fault(dialogue, bug))

    def _emit(self, dialogue: Dialogue, to: Side, frame: Frame, timeout: float = 0) -> None:
        losses: tuple[Loss, ...] = ()
        if dialogue._losses:
            losses = dialogue.recorded()
        if self.strict_losses:
            require_declared(self.pair, dialogue, frame, losses)
        commit = dialogue.answered or type(frame) is not Call or dialogue.drew or not dialogue.key
        self._steps.append(Out(to, frame, losses, timeout, dialogue.action, commit))

    def _answer(self, dialogue: Dialogue, payload: msgspec.Struct | msgspec.Raw) -> None:
        if dialogue.answered or dialogue.side is None:
            return
        raw = payload if isinstance(payload, msgspec.Raw) else msgspec.Raw(lenient.check(payload))
        dialogue.answered = True
        self._emit(dialogue, dialogue.side, Result(dialogue.source_id, raw))

    def _end(self, dialogue: Dialogue, payload: Reply) -> None:
        try:
            if payload is not None:
                self._answer(dialogue, payload)
        except msgspec.ValidationError as bug:
            self._refuse(dialogue, _fault(dialogue, bug))
            return
        self._finish(dialogue, "ok")

    def _refuse(self, dialogue: Dialogue, refusal: Refusal) -> None:
        if dialogue.side is None or dialogue.answered:
            # Answered already: what failed is a follow-up, or the source was acknowledged while the upstream was away.
            self._finish(dialogue, "error" if dialogue.early else "ok")
            return
        dialogue.answered = True
        code = self.pair.spell[dialogue.side](refusal.code)
        self._emit(dialogue, dialogue.side, Error(dialogue.source_id, code, refusal.description[:255], refusal.details))
        self._finish(dialogue, "error")

    def _silent(self, dialogue: Dialogue) -> None:
        if dialogue.side == "csms":
            self._refuse(dialogue, Refusal("GenericError", "outcome unknown: the charger did not answer"))
        elif dialogue.answered and not dialogue.early:
            self._finish(dialogue, "ok")
        else:
            self._finish(dialogue, "silence")

    def _finish(self, dialogue: Dialogue, outcome: Outcome) -> None:
        if dialogue._losses:
            losses = dialogue.recorded()
            if self.strict_losses:
                require_declared(self.pair, dialogue, None, losses)
        else:
            losses = ()
        if dialogue.key or losses:
            if not self.keeps_given and (outcome == "ok" or (outcome == "error" and not dialogue.early)):
                self.facts.given.pop(dialogue.key, None)
            self._steps.append(Done(dialogue.key, outcome, losses, dialogue.action if losses else ""))

    def _flush(self) -> list[Step]:
        """Start what was spawned, resume what has waited long enough, and hand out what is to be done."""
        self.whole = True
        progress = True
        while progress:
            progress = False
            while self.spawned:
                rule, action = self.spawned.pop(0)
                dialogue = Dialogue(self, self.facts, self.options, None, action, "", "", 0, self.clock, False, True)
                dialogue._rule = rule(dialogue)
                self._resume(dialogue)
            for waiting in list(self._waiting):
                at, until, dialogue = waiting
                came = until() if until is not None else False
                if came or self.clock >= at:
                    self._waiting.remove(waiting)
                    self._resume(dialogue, came)
                    progress = True
        steps, self._steps = self._steps, []
        return steps


def _fault(dialogue: Dialogue, bug: Exception) -> Refusal:
    """What is said of a rule that failed: what was invalid from the start is not made valid by a translation."""
    if dialogue.mended and isinstance(bug, msgspec.ValidationError):
        return Refusal("PropertyConstraintViolation", str(bug))
    if isinstance(bug, msgspec.ValidationError):
        return Refusal("InternalError", f"what it was translated to is invalid: {bug}")
    return Refusal("InternalError", f"{type(bug).__name__} in the rule of {dialogue.action}")
