"""Between the links of a charger and the lane to it, when more than one upstream may command it, or one not everything. Pure.

A rule is a generator: it gets the command as a link would have sent it to the charger, asks the charger what it has to, and
returns the answer for the link. It works in the charger's version, whatever the upstream speaks. A command without a rule, and
every charger whose configuration needs no arbiter, passes by.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from decimal import Decimal
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

import msgspec
from msgspec import Raw

from translators.frames import Call, Error, Result, encode

from .refusals import refusal
from .terms import Own, Terms

RETRY_MS: Final = 60_000
"""After which the charger is told again what it did not take."""

Payload: TypeAlias = dict[str, Any]
Step: TypeAlias = Generator["Ask", "Result | Error", Payload]
"""A running rule: yields what it asks of the charger, returns the CALLRESULT for the upstream."""


class Ask(NamedTuple):
    """A CALL to the charger."""

    action: str
    payload: Payload


class Refused(Exception):
    """The upstream is answered with a CALLERROR."""

    def __init__(self, error: Error) -> None:
        super().__init__(error.code, error.description)
        self.error = error


class May(NamedTuple):
    """What one upstream may do; see the configuration."""

    bills: bool = True
    """The charger gets its answers, to all or some of what it says."""
    primary: bool = True
    levels: tuple[int, int] | None = None
    configure: bool | frozenset[str] = True
    """Folded names of keys, or all, or none."""


class Desk(Protocol):
    """What an arbiter asks of its session."""

    def offer(self, call: Call, source: str, timeout_ms: int) -> bool: ...
    def settled(self, source: str, frame: Result | Error, now: int) -> None: ...
    def unanswered(self, source: str, id: str, now: int) -> None: ...
    def slow_down(self, source: str, meter_ms: int) -> None: ...
    def keep(self, terms: Terms) -> None: ...
    def conflict(self, source: str, action: str) -> None: ...


class Scene:
    """What a rule sees of one command."""

    __slots__ = ("action", "arbiter", "link", "may", "now")

    def __init__(self, arbiter: Arbiter, link: str, action: str, now: int) -> None:
        self.arbiter = arbiter
        self.link = link
        self.action = action
        self.now = now
        self.may = arbiter.may.get(link, May())

    @property
    def terms(self) -> Terms:
        return self.arbiter.terms

    @property
    def own(self) -> Own:
        return self.arbiter.terms.of(self.link)

    def changed(self) -> None:
        """What is remembered has changed: it is stored before anything that was decided leaves."""
        self.arbiter.desk.keep(self.arbiter.terms)

    def ask(self, action: str, payload: Payload) -> Generator[Ask, Result | Error, Payload]:
        """The charger's answer. Raises Refused for a CALLERROR."""
        frame = yield Ask(action, payload)
        if isinstance(frame, Error):
            raise Refused(frame)
        return read(frame.payload)

    def refuse(self) -> Payload:
        """The answer in which nothing happens. Raises Refused where the action has none."""
        self.arbiter.desk.conflict(self.link, self.action)
        frame = refusal(self.arbiter.version, Call("", self.action))
        if isinstance(frame, Error):
            raise Refused(frame)
        return read(frame.payload)


Rule: TypeAlias = Callable[[Scene, Payload], Step]
Told: TypeAlias = Callable[["Arbiter", str, Payload], "Payload | None"]
"""(arbiter, upstream, what the charger says) -> what this upstream is told of it; None: nothing."""


class Book(NamedTuple):
    """The rules for chargers of a version."""

    commands: dict[str, Rule]
    told: dict[str, Told]
    heard: dict[str, Callable[[Terms, Payload, int], bool]]
    """What the charger says that changes the terms -> whether it did."""
    began: Callable[[Terms, Payload, int, int], None]
    """(terms, StartTransaction, the number it was given, when)."""
    renew: Callable[[Scene], Step]
    """Brings what the charger was told up to date."""


class _Talk(NamedTuple):
    link: str
    id: str
    timeout_ms: int
    rule: Step


class Arbiter:
    """For one charger. Times are milliseconds since 1970."""

    __slots__ = ("_book", "_new_id", "_open", "desk", "may", "minimum", "reports", "terms", "version")

    def __init__(
        self,
        version: str,
        book: Book,
        terms: Terms,
        may: dict[str, May],
        desk: Desk,
        new_id: Callable[[], str],
        *,
        minimum: bool = False,
    ) -> None:
        self.version = version
        self.terms = terms
        self.may = may
        self.desk = desk
        self.minimum = minimum
        """The charger gets the minimum of all charging profiles."""
        self.reports: dict[int, str] = {}
        """requestId of a GetChargingProfiles -> who asked."""
        self._book = book
        self._new_id = new_id
        self._open: dict[str, _Talk] = {}

    def begin(self, link: str, call: Call, timeout_ms: int, now: int) -> bool:
        """Take a command over; False: there is no rule for it."""
        rule = self._book.commands.get(call.action)
        if rule is None:
            return False
        try:
            talk = _Talk(link, call.id, timeout_ms, rule(Scene(self, link, call.action, now), read(call.payload)))
        except msgspec.MsgspecError:
            return False
        self._go(talk, None, now)
        return True

    def answered(self, frame: Result | Error, now: int) -> bool:
        """The charger answered a CALL; False: it was none of a rule."""
        talk = self._open.pop(frame.id, None)
        if talk is None:
            return False
        self._go(talk, frame, now)
        return True

    def expired(self, id: str, now: int) -> bool:
        """The charger will not answer a CALL; False: it was none of a rule."""
        talk = self._open.pop(id, None)
        if talk is None:
            return False
        talk.rule.close()
        self.desk.unanswered(talk.link, talk.id, now)
        return True

    def told(self, link: str, call: Call) -> Call | None:
        """What an upstream is told of what the charger says; None: nothing."""
        tell = self._book.told.get(call.action)
        if tell is None:
            return call
        try:
            said = read(call.payload)
            changed = tell(self, link, said)
        except (msgspec.MsgspecError, *_BAD):
            return call
        return None if changed is None else call if changed is said else Call(call.id, call.action, _raw(changed))

    def heard(self, call: Call, now: int) -> None:
        """The charger says this, to whomever."""
        hear = self._book.heard.get(call.action)
        if hear is None:
            return
        try:
            if hear(self.terms, read(call.payload), now):
                self.desk.keep(self.terms)
        except (msgspec.MsgspecError, *_BAD):
            return

    def began(self, call: Call, number: int, now: int) -> None:
        """The charger was told the number of the transaction that it has started (1.x)."""
        try:
            self._book.began(self.terms, read(call.payload), number, now)
        except (msgspec.MsgspecError, *_BAD):
            return
        self.desk.keep(self.terms)

    def tick(self, now: int) -> None:
        """Time has passed."""
        if self.terms.renew_at and now >= self.terms.renew_at:
            self.terms.renew_at = now + RETRY_MS
            self._go(_Talk("", "", 0, self._book.renew(Scene(self, "", "", now))), None, now)

    def _go(self, talk: _Talk, frame: Result | Error | None, now: int) -> None:
        answer: Result | Error
        try:
            ask = talk.rule.send(frame)  # type: ignore[arg-type]
        except StopIteration as end:
            answer = Result(talk.id, _raw(end.value))
        except Refused as refused:
            error = refused.error
            answer = Error(talk.id, error.code, error.description, error.details)
        except _BAD:  # the command is not what its schema says
            answer = Error(talk.id, "FormationViolation", "a member is missing or of another type")
        else:
            id = self._new_id()
            if self.desk.offer(Call(id, ask.action, _raw(ask.payload)), talk.link, talk.timeout_ms):
                self._open[id] = talk
                return
            talk.rule.close()
            answer = Error(talk.id, "InternalError", "queue full")
        self.desk.settled(talk.link, answer, now)


_BAD = (KeyError, TypeError, ValueError, AttributeError, IndexError)
_reader = msgspec.json.Decoder(Payload, float_hook=Decimal)


def read(payload: Raw) -> Payload:
    """A payload as an object; its fractions as they are written. Raises msgspec.MsgspecError."""
    return _reader.decode(payload)


def _raw(payload: Payload) -> Raw:
    return Raw(encode(payload))
