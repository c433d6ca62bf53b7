"""The words of the engine: a rule is a generator that reads like blocking code and yields what it asks of the other side.

A *dialogue* is one running rule. It begins with a CALL from one side (or by itself, see `engine.Translator.begin`), asks questions of
either side, answers its source exactly once, and may go on asking afterwards. Nothing here does I/O: ids and the time are
injected, and the same input gives the same output. What must survive a restart lives in the facts; a dialogue does not survive
one, because OCPP ties a CALL to its socket. A CALL that is decided again after a restart must ask for the same ids: rules take
every id and every counter through `Dialogue.once`, and change other facts only once the other side has answered.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, TypeVar

import msgspec

from . import frames
from .frames import Frame, Side
from .losses import Loss, LossKind
from .models.base import Request

if TYPE_CHECKING:
    from .engine import Translator

R = TypeVar("R")
S = TypeVar("S", bound=msgspec.Struct)
T = TypeVar("T")

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
    """Empty for a dialogue without such a source, which is told only because of its losses."""
    outcome: Outcome
    losses: tuple[Loss, ...] = ()
    """What was lost of the last answer that it got: no frame has left since."""
    source: str = ""
    """Action of the CALL that began it, for metrics."""


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
    sound: bool = False


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


class Dialogue(msgspec.Struct, eq=False):
    """What a rule sees: the facts, the time, its options, and the verbs `ask`, `answer`, `wait`, `once`, `lose`, `spawn`."""

    translator: Translator
    facts: Any
    options: Any
    side: Side | None
    """Where the source CALL came from; None for a dialogue that the gateway began."""
    action: str
    source_id: str
    key: str
    """Journal entry of the source; empty if it has none."""
    tx: int
    """The transaction number minted for a 1.x StartTransaction."""
    now: int
    """Milliseconds since 1970: for a journal entry when the charger's frame was received."""
    early: bool
    """The source was answered before this dialogue began (the upstream was away)."""
    answered: bool
    """The source needs no answer (any more)."""
    mended: bool = False
    """The payload that began it was not as its schema wants it."""
    drew: bool = False
    """Something was drawn at random for this dialogue: it cannot be derived from the entry again."""
    subject: str = ""
    """What the dialogue is about, set by rules that must know whether another one is at it already."""
    moves: Any = None
    """Set by a rule that changes nothing of the facts but the course of this transaction (`facts.Course`)."""
    _losses: list[Loss] = []
    _rule: Rule | None = None

    @property
    def clock(self) -> int:
        """The wall clock, ms: for our own `currentTime` and for deadlines. `now` is what the source deserves."""
        return self.translator.clock

    def ask(
        self, side: Side, request: Request[R], timeout: float = 0, *, sound: bool = False
    ) -> Generator[Ask, Any, R]:
        """Send a CALL and return its response. Raises Refusal on a CALLERROR and Silence without an answer.

        `sound`: the rule has checked every member when it made the request, so that it need not be checked again.
        """
        response: R = yield Ask(side, request, timeout, sound)
        return response

    def ask_raw(self, side: Side, action: str, payload: msgspec.Raw) -> Generator[AskRaw, Any, msgspec.Raw]:
        """`ask` for payloads that nobody reads."""
        response: msgspec.Raw = yield AskRaw(side, action, payload)
        return response

    def read(self, type_: type[S], payload: bytes) -> S:
        """A response that came as text. Raises like `ask` when it is not valid."""
        return self.translator.read(self, type_, payload)

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
        given = self.facts.given.get(self.key)
        if given is None:
            given = self.facts.given[self.key] = {}
        if name not in given:
            given[name] = make()
        value: T = given[name]
        return value

    def mark(self, name: str) -> None:
        """A step of this journal entry is complete: it is not taken again when the entry is decided again."""
        self.once(name, lambda: True)

    def marked(self, name: str) -> bool:
        """Whether a step of this journal entry was complete before a crash."""
        return bool(self.key) and name in self.facts.given.get(self.key, {})

    def new_id(self) -> str:
        """A random id for something that lasts; use it through `once`."""
        self.drew = True
        return self.translator.new_id()

    def lose(self, field: str, kind: LossKind = "dropped") -> None:
        """Record a loss; it is reported with the next frame of this dialogue."""
        self._losses.append(Loss(field, kind))

    def quirk(self, label: str) -> None:
        """The charger does what the specification does not say (quirks/table.yaml)."""
        if self.translator.noticed is not None:
            self.translator.noticed(label, "charger")

    def owe(self) -> None:
        """The upstream is not told now: `Pair.back` tells it, when nothing older is left to tell."""
        self.translator.owe()

    def losses(self) -> int:
        """How many losses wait for the next frame, for `spare`."""
        return len(self._losses)

    def recorded(self) -> tuple[Loss, ...]:
        """What was lost since this was asked last, each once."""
        losses, self._losses = self._losses, []
        return tuple(dict.fromkeys(losses)) if len(losses) > 1 else tuple(losses)

    def spare(self, since: int = 0) -> list[Loss]:
        """What was recorded after the first `since` losses is not lost after all: another way carried it, or it was told."""
        spared = self._losses[since:]
        del self._losses[since:]
        return spared

    def spawn(self, rule: Callable[[Dialogue], Rule], action: str = "") -> None:
        """Begin an independent dialogue right after this step."""
        self.translator.spawned.append((rule, action or self.action))


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


def merged(blocks: tuple[dict[str, Row], ...]) -> dict[str, Row]:
    """The rows of all blocks in one table. Raises TypeError when two blocks have a row for the same action."""
    rows: dict[str, Row] = {}
    for block in blocks:
        if twice := rows.keys() & block.keys():
            raise TypeError(f"two rows for {sorted(twice)}")
        rows.update(block)
    return rows


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
    """Raises Refusal for a charger CALL that may not pass yet; not asked once the registration is accepted."""
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
    """What has to happen before a charger CALL passes, None for nothing; not asked once the registration is accepted."""
    custom_data: frozenset[Side] = frozenset()
    """The sides whose version has customData, for which the other has no place."""
    neutral: frozenset[str] = frozenset()
    """Charger actions that need no decision: answered with an empty payload when the upstream stays silent."""
    prefix: str = ""
    """Begins the name of each part of these facts in the store; follows from the versions."""

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "prefix", f"{self.charger}-{self.csms}/")

    def require_complete(self, charger_sends: frozenset[str], csms_sends: frozenset[str]) -> None:
        """Fail at import unless every action of the source versions has a row. Raises TypeError naming what lacks or is extra."""
        for rows, actions in ((self.from_charger, charger_sends), (self.from_csms, csms_sends)):
            if wrong := actions ^ rows.keys():
                raise TypeError(f"{self.charger} -> {self.csms}: rows and actions differ: {sorted(wrong)}")
