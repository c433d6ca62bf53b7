"""The engine: a rule is a generator that reads like blocking code and yields what it asks of the other side.

A *dialogue* is one running rule. It begins with a CALL from one side (or by itself, see `Translator.begin`), asks questions of
either side, answers its source exactly once, and may go on asking afterwards. Nothing here does I/O: ids and the time are
injected, and the same input gives the same output. What must survive a restart lives in the facts; a dialogue does not survive
one, because OCPP ties a CALL to its socket. A CALL that is decided again after a restart must ask for the same ids: rules take
every id and every counter through `Dialogue.once`, and change other facts only once the other side has answered.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Any, ClassVar, Literal, Protocol, TypeAlias, TypeVar

import msgspec

from . import frames
from .facts import encode as encode_facts
from .frames import OTHER, Call, Error, Frame, Result, Side
from .losses import Loss, LossKind, Undeclared, ledger
from .models import lenient
from .models.base import Request
from .values import format_time

R = TypeVar("R")
T = TypeVar("T")

_EARLY = "*"
"""Key in the facts' `given` of what belongs to no single journal entry."""

Outcome: TypeAlias = Literal["ok", "error", "silence"]
"""How a dialogue ended for its source: answered, refused with a CALLERROR, or without an answer from the other side."""


class Out(msgspec.Struct, frozen=True, gc=False):
    """A frame that leaves. `timeout`: seconds to wait for the answer of a CALL, 0 for the leg's default."""

    to: Side
    frame: Frame
    losses: tuple[Loss, ...] = ()
    timeout: float = 0
    source: str = ""
    """Action of the CALL that caused this frame, for metrics."""
    commit: bool = True
    """The facts must be stored before this frame leaves. Not so for a question that deciding its journal entry again, from
    the facts as they were stored before, would ask in the same way: then nothing was drawn at random for it."""


class Done(msgspec.Struct, frozen=True, gc=False):
    """A dialogue with a keyed source (a journal entry) has ended; `key` may be acknowledged."""

    key: str
    outcome: Outcome


Step: TypeAlias = Out | Done


class Refusal(Exception):
    """A CALLERROR: thrown into a rule when the other side refuses, raised by a rule to refuse its source.

    `code` is in the neutral (2.0.1) spelling; the engine spells it for the peer it goes to.
    """

    def __init__(self, code: str, description: str = "", details: msgspec.Raw = frames.EMPTY) -> None:
        super().__init__(code, description)
        self.code = code
        self.description = description
        self.details = details


class Silence(Exception):
    """The other side did not answer in time, went away, or answered nonsense."""


class Ask(msgspec.Struct, frozen=True, gc=False):
    """Yielded by a rule: send this CALL to `side` and resume with its response."""

    side: Side
    request: Request[Any]
    timeout: float


class AskRaw(msgspec.Struct, frozen=True, gc=False):
    """Yielded by a rule: send this CALL to `side` undecoded and resume with the payload of the CALLRESULT."""

    side: Side
    action: str
    payload: msgspec.Raw


class Answer(msgspec.Struct, frozen=True, gc=False):
    """Yielded by a rule: answer the source now and go on."""

    payload: msgspec.Struct | msgspec.Raw


class Wait(msgspec.Struct, frozen=True, gc=False):
    """Yielded by a rule: resume after `seconds`, or as soon as `until()` is true; resumes with what `until()` said last."""

    seconds: float
    until: Callable[[], bool] | None


Reply: TypeAlias = msgspec.Struct | msgspec.Raw | None
Rule: TypeAlias = Generator[Ask | AskRaw | Answer | Wait, Any, Reply]
"""A running rule. Returning a payload answers the source (unless it was answered before)."""


class Facts(Protocol):
    """What the engine needs of a pair's facts."""

    given: dict[str, dict[str, Any]]


F = TypeVar("F", bound=Facts)


class Dialogue:
    """What a rule sees: the facts, the time, its options, and the verbs `ask`, `answer`, `wait`, `once`, `lose`, `spawn`."""

    __slots__ = (
        "_losses",
        "_rule",
        "_translator",
        "action",
        "answered",
        "drew",
        "early",
        "key",
        "now",
        "side",
        "source_id",
        "subject",
        "tx",
    )

    def __init__(
        self,
        translator: Translator,
        side: Side | None,
        action: str,
        source_id: str,
        key: str,
        tx: int,
        now: int,
        early: bool,
    ) -> None:
        self._translator = translator
        self._losses: list[Loss] = []
        self._rule: Rule | None = None
        self.side = side
        """Where the source CALL came from; None for a dialogue that the gateway began."""
        self.action = action
        self.source_id = source_id
        self.key = key
        """Journal entry of the source; empty if it has none."""
        self.tx = tx
        """The transaction number minted for a 1.x StartTransaction."""
        self.now = now
        """Milliseconds since 1970: for a journal entry when the charger's frame was received."""
        self.early = early
        """The source was answered before this dialogue began (the upstream was away)."""
        self.answered = early or side is None
        self.drew = False
        """Something was drawn at random for this dialogue: it cannot be derived from the entry again."""
        self.subject = ""
        """What the dialogue is about, set by rules that must know whether another one is at it already."""

    @property
    def facts(self) -> Any:
        return self._translator.facts

    @property
    def options(self) -> Any:
        return self._translator.options

    @property
    def clock(self) -> int:
        """The wall clock, ms: for our own `currentTime` and for deadlines. `now` is what the source deserves."""
        return self._translator.clock

    @property
    def translator(self) -> Translator:
        return self._translator

    def ask(self, side: Side, request: Request[R], timeout: float = 0) -> Generator[Ask, Any, R]:
        """Send a CALL and return its response. Raises Refusal on a CALLERROR and Silence without an answer."""
        response: R = yield Ask(side, request, timeout)
        return response

    def ask_raw(self, side: Side, action: str, payload: msgspec.Raw) -> Generator[AskRaw, Any, msgspec.Raw]:
        """`ask` for payloads that nobody reads."""
        response: msgspec.Raw = yield AskRaw(side, action, payload)
        return response

    def answer(self, payload: msgspec.Struct | msgspec.Raw) -> Generator[Answer, Any, None]:
        """Answer the source and go on."""
        yield Answer(payload)

    def wait(self, seconds: float, until: Callable[[], bool] | None = None) -> Generator[Wait, Any, bool]:
        """Pause the dialogue; True if `until` became true."""
        came: bool = yield Wait(seconds, until)
        return came

    def once(self, name: str, make: Callable[[], T]) -> T:
        """The value of `make()`, the same again when this journal entry is decided again (seqNo, ids, counters)."""
        if not self.key:
            return make()
        given = self.facts.given.setdefault(self.key, {})
        if name not in given:
            given[name] = make()
        value: T = given[name]
        return value

    def new_id(self) -> str:
        """A random id for something that lasts; use it through `once`."""
        self.drew = True
        return self._translator.new_id()

    def lose(self, field: str, kind: LossKind = "dropped") -> None:
        """Record a loss; it is reported with the next frame of this dialogue."""
        self._losses.append(Loss(field, kind))

    def losses(self) -> int:
        """How many losses wait for the next frame, for `spare`."""
        return len(self._losses)

    def spare(self, since: int = 0) -> list[Loss]:
        """What was recorded after the first `since` losses is not lost after all: another way carried it, or it was told."""
        spared = self._losses[since:]
        del self._losses[since:]
        return spared

    def spawn(self, rule: Callable[[Dialogue], Rule], action: str = "") -> None:
        """Begin an independent dialogue right after this step."""
        self._translator.spawned.append((rule, action or self.action))


class Same(msgspec.Struct, frozen=True):
    """Both payloads pass undecoded under the same action name."""


class Mapped(msgspec.Struct, frozen=True):
    """One request to the other side and its response back, each by a function of (dialogue, payload)."""

    request: Callable[[Dialogue, Any], Request[Any]]
    reply: Callable[[Dialogue, Any], msgspec.Struct]


class Talk(msgspec.Struct, frozen=True):
    """A rule that asks: generator function of (dialogue, request)."""

    rule: Callable[[Dialogue, Any], Rule]


class Local(msgspec.Struct, frozen=True):
    """Answered by the gateway: function of (dialogue, request)."""

    answer: Callable[[Dialogue, Any], msgspec.Struct]


class Refuse(msgspec.Struct, frozen=True):
    """Refused with a CALLERROR of this code."""

    code: str
    description: str


Row: TypeAlias = Same | Mapped | Talk | Local | Refuse


class Pair(msgspec.Struct, frozen=True):
    """The rules of one adjacent pair of versions: charger version, then CSMS version."""

    charger: str
    csms: str
    from_charger: dict[str, Row]
    from_csms: dict[str, Row]
    charger_actions: dict[str, type[Request[Any]]]
    csms_actions: dict[str, type[Request[Any]]]
    facts: type[Any]
    options: type[Any]
    spell: dict[Side, Callable[[str], str]]
    """Per side: neutral error code -> the spelling of that side's version."""
    neutral_code: Callable[[str], str]
    """Error code as any peer spells it -> neutral spelling."""
    gate: Callable[[Dialogue], None] | None = None
    """Raises Refusal for a charger CALL that may not pass yet (registration)."""
    away: Callable[[Dialogue, Any], msgspec.Struct | None] | None = None
    """The local answer to a charger CALL while the upstream is away (spec 8.3); None: no answer."""
    back: Callable[[Dialogue], Rule] | None = None
    """What to tell the upstream once it is back and the backlog is flushed."""
    connected: Callable[[Any, int], None] | None = None
    """(facts, ms): the charger has a new connection."""
    resume: Callable[[Dialogue], None] | None = None
    """Spawns the dialogues that a restart has ended."""
    numbered: Callable[[Any, str, int, int], None] | None = None
    """(facts, journal entry of a StartTransaction, minted number, number): what the charger was told by another upstream."""
    first: Callable[[Dialogue], Rule | None] | None = None
    """What has to happen before a charger CALL passes, None for nothing."""
    custom_data: frozenset[Side] = frozenset()
    """The sides whose version has customData, for which the other has no place."""
    neutral: frozenset[str] = frozenset()
    """Charger actions that need no decision: answered with an empty payload when the upstream stays silent."""

    def require_complete(self, charger_sends: frozenset[str], csms_sends: frozenset[str]) -> None:
        """Fail at import unless every action of the source versions has a row. Raises TypeError naming what lacks or is extra."""
        for rows, actions in ((self.from_charger, charger_sends), (self.from_csms, csms_sends)):
            if wrong := actions ^ rows.keys():
                raise TypeError(f"{self.charger} -> {self.csms}: rows and actions differ: {sorted(wrong)}")


class Translator:
    """One charger as one upstream sees it: frames in, frames out. State: facts and open dialogues."""

    strict_losses: ClassVar[bool] = False
    """Fail on a loss or a message that the pair's tables do not declare (losses.py). The tests switch it on."""

    def __init__(self, pair: Pair, facts: Any, options: Any, new_id: Callable[[], str]) -> None:
        self.pair = pair
        self.facts = facts
        self.options = options
        self.new_id = new_id
        self.clock = 0
        self.keeps_given = False
        """What a journal entry was given outlives its dialogue here, until `forget`: others work on the entry too."""
        self._resumed = False
        self.awaited: set[str] = set()
        """Charger actions that an open dialogue waits for."""
        self.backlog: Callable[[], Iterable[Call]] = tuple
        """Charger CALLs that wait for their turn, where there is a queue."""
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
        match frame:
            case Call():
                dialogue = Dialogue(self, side, frame.action, frame.id, key, tx, clock if now is None else now, early)
                dialogue.answered = early and not answer_early
                self._open(dialogue, side, frame)
            case Result():
                asked = self._asked.pop((side, frame.id), None)
                if asked is not None:
                    self._answered(asked[0], side, asked[1], frame.payload)
            case Error():
                asked = self._asked.pop((side, frame.id), None)
                if asked is not None:
                    self._resume(asked[0], error=self._relayed(frame))
        return self._flush()

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

    def forget(self, key: str) -> None:
        """Journal entry `key` is done: drop what it was given, and what was derived from it."""
        given = self.facts.given
        if not given:
            return
        for each in [each for each in given if each == key or each.startswith(key + "/")]:
            del given[each]

    def numbered(self, key: str, tx: int, number: int) -> None:
        """Another upstream has answered the StartTransaction of entry `key`, for which `tx` was minted: the charger knows
        the transaction by `number`."""
        if self.pair.numbered is not None:
            self.pair.numbered(self.facts, key, tx, number)

    def assume(self, registered: bool, connectors: int) -> None:
        """Begin with a charger that has booted before (or not), with this many connectors."""
        self.facts.registration = "Accepted" if registered else ""
        self.facts.known_connectors = connectors

    def expire(self, side: Side, id: str, clock: int) -> list[Step]:
        """The CALL `id` that left for `side` got no answer in time."""
        self.clock = clock
        asked = self._asked.pop((side, id), None)
        if asked is not None:
            self._resume(asked[0], error=Silence())
        return self._flush()

    def connected(self, at: int) -> None:
        """The charger has a new connection since `at`, ms: what was learned of it on the one before may be wrong now."""
        if self.pair.connected is not None:
            self.pair.connected(self.facts, at)
        if self.pair.resume is not None and not self._resumed:
            self._resumed = True
            self.pair.resume(Dialogue(self, None, "", "", "", 0, at, False))

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

    @property
    def early_until(self) -> str:
        """Journal id up to which the charger was answered while the upstream was away; "" without an outage."""
        until: str = self.facts.given.get(_EARLY, {}).get("until", "")
        return until

    @early_until.setter
    def early_until(self, key: str) -> None:
        self.facts.given[_EARLY] = {"until": key}

    def away(self, call: Call, clock: int, *, key: str = "", tx: int = 0) -> msgspec.Raw | None:
        """The payload that answers a charger CALL while the upstream is away, or None if it gets no answer."""
        self.clock = clock
        if self.pair.away is None:
            return None
        dialogue = Dialogue(self, "charger", call.action, call.id, key, tx, clock, False)
        try:
            payload = self.pair.away(dialogue, _request(dialogue, self.pair.charger_actions[call.action], call))
        except (lenient.Invalid, Refusal):
            return None
        return None if payload is None else msgspec.Raw(lenient.check(payload))

    @property
    def neutral(self) -> frozenset[str]:
        """Charger actions that an empty payload answers well enough."""
        return self.pair.neutral

    def back(self, clock: int) -> list[Step]:
        """The upstream is back and has been told the backlog: tell it what else changed."""
        self.facts.given.pop(_EARLY, None)
        return [] if self.pair.back is None else self.begin(self.pair.back, clock)

    def state(self) -> bytes:
        """The facts, encoded for the store."""
        return encode_facts(self.facts)

    @property
    def next_wake(self) -> int | None:
        """When `tick` is due at the latest, ms; None if no dialogue waits."""
        return min((at for at, _, _ in self._waiting), default=None)

    def _open(self, dialogue: Dialogue, side: Side, call: Call) -> None:
        if side == "charger":
            rows, actions = self.pair.from_charger, self.pair.charger_actions
        else:
            rows, actions = self.pair.from_csms, self.pair.csms_actions
        row = rows.get(call.action)
        try:
            if row is None:
                known = call.action in actions
                raise Refusal("NotSupported" if known else "NotImplemented", f"{call.action} is not accepted here")
            if side == "charger" and self.pair.gate is not None:
                self.pair.gate(dialogue)
            match row:
                case Refuse(code, description):
                    raise Refusal(code, description)
                case Same():
                    dialogue._rule = _same(dialogue, call.payload)
                case Mapped():
                    dialogue._rule = _mapped(dialogue, row, _request(dialogue, actions[call.action], call))
                case Talk(rule):
                    dialogue._rule = rule(dialogue, _request(dialogue, actions[call.action], call))
                case Local(answer):
                    self._end(dialogue, answer(dialogue, _request(dialogue, actions[call.action], call)))
                    return
        except Refusal as refusal:
            self._refuse(dialogue, refusal)
            return
        except lenient.Invalid as invalid:
            self._refuse(dialogue, Refusal(invalid.code, invalid.path))
            return
        if side == "charger" and self.pair.first is not None and (first := self.pair.first(dialogue)) is not None:
            dialogue._rule = _after(first, dialogue._rule)
        self._resume(dialogue)

    def _relayed(self, error: Error) -> Refusal:
        """A peer's CALLERROR as a refusal for the other side (spec 2.14)."""
        code = self.pair.neutral_code(error.code)
        details = frames.EMPTY
        if code == "GenericError" and error.code != code:
            details = msgspec.Raw(frames.encode({"originalCode": error.code}))
        return Refusal(code, f"upstream: {error.description}", details)

    def _answered(self, dialogue: Dialogue, side: Side, request: Request[Any] | None, payload: msgspec.Raw) -> None:
        if request is None:
            self._resume(dialogue, payload)
            return
        _custom_data(dialogue, side, payload)
        try:
            response, _ = lenient.decode(type(request).response, bytes(payload))
        except lenient.Invalid as invalid:
            error = (
                Silence()
                if dialogue.side == "charger"
                else Refusal("FormatViolation", f"the answer is invalid: {invalid.path}")
            )
            self._resume(dialogue, error=error)
            return
        self._resume(dialogue, response)

    def _resume(self, dialogue: Dialogue, value: Any = None, error: Exception | None = None) -> None:
        """Run a rule up to its next question, or to its end."""
        rule = dialogue._rule
        assert rule is not None
        try:
            while True:
                wish = rule.send(value) if error is None else rule.throw(error)
                value, error = None, None
                match wish:
                    case Ask(side, request, timeout):
                        frame = Call(self.new_id(), type(request).action, msgspec.Raw(lenient.check(request)))
                        self._asked[(side, frame.id)] = (dialogue, request)
                        self._emit(dialogue, side, frame, timeout)
                        return
                    case AskRaw(side, action, payload):
                        frame = Call(self.new_id(), action, payload)
                        self._asked[(side, frame.id)] = (dialogue, None)
                        self._emit(dialogue, side, frame)
                        return
                    case Answer(payload):
                        self._answer(dialogue, payload)
                    case Wait(seconds, until):
                        self._waiting.append((self.clock + round(seconds * 1000), until, dialogue))
                        return
        except StopIteration as stop:
            self._end(dialogue, stop.value)
        except Refusal as refusal:
            self._refuse(dialogue, refusal)
        except Silence:
            self._silent(dialogue)
        except Undeclared:
            raise
        except Exception as bug:  # a poisoned payload costs one CALLERROR, not the session
            self._refuse(dialogue, Refusal("InternalError", f"{type(bug).__name__} in the rule of {dialogue.action}"))

    def _emit(self, dialogue: Dialogue, to: Side, frame: Frame, timeout: float = 0) -> None:
        losses: tuple[Loss, ...] = ()
        if dialogue._losses:
            losses, dialogue._losses = tuple(dict.fromkeys(dialogue._losses)), []
        if self.strict_losses:
            self._declared(dialogue, frame, losses)
        derived = bool(dialogue.key) and type(frame) is Call and not dialogue.drew and not dialogue.answered
        self._steps.append(Out(to, frame, losses, timeout, dialogue.action, not derived))

    def _declared(self, dialogue: Dialogue, frame: Frame, losses: tuple[Loss, ...]) -> None:
        """Raise Undeclared unless the pair's tables name what is lost and sent."""
        found = ledger(self.pair.charger, self.pair.csms)
        if found is None:
            return
        source = dialogue.side or "gateway"
        about = f"{self.pair.charger} - {self.pair.csms}, {source} {dialogue.action}"
        for loss in losses:
            if not found.loses(source, dialogue.action, loss):
                raise Undeclared(f"{about}: {loss}")
        if type(frame) is Call and not found.causes(source, dialogue.action, frame.action):
            raise Undeclared(f"{about}: sends {frame.action}")

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
            self._refuse(dialogue, Refusal("InternalError", f"the translated answer is invalid: {bug}"))
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
            self._refuse(dialogue, Refusal("GenericError", "the charger did not answer in time"))
        elif dialogue.answered and not dialogue.early:
            self._finish(dialogue, "ok")
        else:
            self._finish(dialogue, "silence")

    def _finish(self, dialogue: Dialogue, outcome: Outcome) -> None:
        if dialogue.key:
            if not self.keeps_given and (outcome == "ok" or (outcome == "error" and not dialogue.early)):
                self.facts.given.pop(dialogue.key, None)
            self._steps.append(Done(dialogue.key, outcome))

    def _flush(self) -> list[Step]:
        """Start what was spawned, resume what has waited long enough, and hand out what is to be done."""
        progress = True
        while progress:
            progress = False
            while self.spawned:
                rule, action = self.spawned.pop(0)
                dialogue = Dialogue(self, None, action, "", "", 0, self.clock, False)
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


def _request(dialogue: Dialogue, type_: type[Request[Any]], call: Call) -> Request[Any]:
    """The payload of a CALL. A charger's message without its time happened when it was received. Raises lenient.Invalid."""
    if dialogue.side is not None:
        _custom_data(dialogue, dialogue.side, call.payload)
    try:
        return lenient.decode(type_, call.payload)[0]
    except lenient.Invalid as invalid:
        if dialogue.side != "charger" or invalid.path != "timestamp" or "OccurrenceC" not in invalid.code:
            raise
    dialogue.lose("timestamp", "defaulted")
    return lenient.decode(type_, call.payload, timestamp=format_time(dialogue.now))[0]


def _custom_data(dialogue: Dialogue, side: Side, payload: msgspec.Raw) -> None:
    """Record that a payload of `side` holds customData, wherever it is."""
    if side in dialogue.translator.pair.custom_data and b'"customData"' in bytes(payload):
        dialogue.lose("customData")


def _after(first: Rule, rule: Rule | None) -> Rule:
    """`rule`, once `first` is done."""
    assert rule is not None
    yield from first
    return (yield from rule)


def _same(dialogue: Dialogue, payload: msgspec.Raw) -> Rule:
    assert dialogue.side is not None
    reply = yield from dialogue.ask_raw(OTHER[dialogue.side], dialogue.action, payload)
    return reply


def _mapped(dialogue: Dialogue, row: Mapped, request: Any) -> Rule:
    assert dialogue.side is not None
    response = yield from dialogue.ask(OTHER[dialogue.side], row.request(dialogue, request))
    return row.reply(dialogue, response)
