"""How a charger CALL ends in one link: the charger is answered, the entry acknowledged, tried again or put aside. Pure."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING, Literal, Protocol

from msgspec import Raw

from gateway.journal.entry import Dead
from translators.dialogue import Outcome
from translators.frames import EMPTY, Call, Error, Result

from .backlog import Exchange, order
from .effects import Effects
from .local import BUDGET_MS, payload_away, refusal_away, settled
from .observer import Observer
from .refused import again, dead
from .sending import given
from .shared import LEARNED_FROM, Shared

if TYPE_CHECKING:
    from .habits import Habits
    from .link import Link


class Owner(Protocol):
    """What a link asks of its session."""

    charger: str
    effects: Effects
    habits: Habits
    shared: Shared
    observer: Observer
    opened_at: int

    def answer(self, link: Link, exchange: Exchange, frame: Result | Error, outcome: str = "") -> None: ...
    def learn(self, link: Link, exchange: Exchange, answer: Result, now: int) -> None: ...
    def command(self, link: Link, call: Call, timeout_ms: int, now: int) -> None: ...
    def introduced(self, link: Link) -> None: ...


Policy = Literal["close", "buffer", "local"]

_QUESTIONS = frozenset(("Authorize", "DataTransfer", "SignCertificate"))
"""What a local answer settles for good; a mirror, which gave none, still gets it later."""
_REFUSED_MOST = 32
SILENT = "the CSMS did not answer in time"
RELAYED = "upstream: "
"""Begins the description of a CALLERROR that a translator passes on (spec 2.14)."""


def promise(link: Link, exchange: Exchange, payload: Raw, now: int) -> None:
    """Answer the charger before the upstream has."""
    if exchange.unstored:
        return
    exchange.promised = True
    answer_charger(link, exchange, Result(exchange.entry.id, payload), now)


def drop(link: Link, exchange: Exchange, reason: str, now: int) -> None:
    """The upstream will never be told."""
    promise(link, exchange, EMPTY, now)
    link.owner.observer.dropped(link, exchange.entry, reason)
    ack(link, exchange)


def finished(link: Link, exchange: Exchange, outcome: Outcome, now: int) -> None:
    """The dialogue of a CALL has ended."""
    entry = exchange.entry
    told = exchange.early or exchange.promised or (entry.head.cls == "K0" and not exchange.counts)  # nobody repeats it
    if outcome == "ok" and exchange.call.action == "BootNotification":
        link.barred = False
    if outcome == "ok" or (outcome == "error" and not told):
        if exchange.early:
            link.owner.observer.told_late(link, entry)
        ack(link, exchange)
        return
    if not link.up:  # not the message's fault, but if it happens again and again
        if exchange.hang_ups >= link.attempts and not exchange.perishable:
            answer_now(link, exchange, now)
            if exchange.counts and not exchange.answered and entry.head.cls == "K1":
                give_up(link, exchange, now)
                return
            exchange.failures += exchange.hang_ups
            dead(link, exchange, "hang-up", "attempts")
            ack(link, exchange)
            return
        exchange.not_before = now + link.retry_ms * max(0, exchange.hang_ups - 1)
        link.backlog.appendleft(exchange)
        outlast(link, exchange, now)
        return
    if link.watch is not None and outcome == "silence":
        link.watch.silent(link, exchange, now)
    if outcome == "error" and not exchange.perishable:
        if not again(link, exchange, link.refusal, now):
            dead(link, exchange, outcome, "refused")
            ack(link, exchange)
        return
    if exchange.perishable:
        if exchange.counts and not exchange.answered and (entry.head.cls == "K2" or link.local is not None):
            answer_away(link, exchange, now)  # a Heartbeat: the gateway knows the time too
        if entry.head.cls == "K3":
            answer_charger(link, exchange, Error(entry.id, "GenericError", SILENT), now, outcome="timeout")
        ack(link, exchange)
        return
    exchange.failures += 1
    link.owner.observer.unanswered(link, exchange)
    if exchange.answered:
        exchange.promised = True  # if it is refused next time, it is told again as well: the charger has its answer
    else:
        if exchange.call.action in link.translator.neutral:
            answer_empty(link, exchange, now)
        elif exchange.counts and (entry.head.cls == "K0" or link.local is not None):
            answer_away(link, exchange, now)
            if settled(link, exchange):
                ack(link, exchange)
                return
        elif exchange.counts:
            give_up(link, exchange, now)
            return
    if exchange.failures >= link.attempts:
        dead(link, exchange, outcome, "attempts")
        ack(link, exchange)
        return
    exchange.not_before = now + link.retry_ms * exchange.failures
    link.backlog.appendleft(exchange)


def count_hang_up(link: Link, *, at_fault: bool) -> None:
    """The socket to the upstream has gone. `at_fault`: the upstream ended it while it was told what is under way. One that
    can then not be reached is away: that has nothing to do with the message."""
    if at_fault:
        for exchange in link.under_way:
            exchange.hang_ups += 1
    elif not link.under_way:
        for exchange in link.backlog:
            exchange.hang_ups = 0


def poisoned(link: Link, exchange: Exchange, error: Exception, now: int) -> None:
    """Deciding a CALL met a bug of ours: it costs that message, not the charger's others.

    It is put aside at once, not after some deliveries: rules are pure, so it would fail again, and the deliveries that the
    store counts are those of take-overs and restarts too, which say nothing about the message.
    """
    entry = exchange.entry
    exchange.failures += 1
    link.owner.effects.dead.append(Dead(link.name, entry, "poisoned", exchange.failures, trace(error)))
    link.owner.observer.poisoned(link, entry, error)
    link.owner.observer.dead_letter(link, entry, "poisoned")
    try:
        answer_now(link, exchange, now)
        if entry.head.cls != "K0":
            refusal = Error(entry.id, "InternalError", "the gateway cannot handle this")
            answer_charger(link, exchange, refusal, now, outcome="gateway_error")
    finally:
        ack(link, exchange)


def trace(error: BaseException) -> str:
    """Hash of where an error came from, the same for the same error."""
    frames = [f"{Path(each.filename).name}:{each.name}:{each.lineno}" for each in extract_tb(error.__traceback__)]
    return sha256("\n".join([type(error).__name__, *frames[-8:]]).encode()).hexdigest()[:12]


def overdue_at(link: Link) -> int:
    """When the charger has waited long enough for the answer to a CALL that has not had its turn, ms; 0: none waits.

    A charger has one CALL open, so it is the newest one here.
    """
    newest = link.backlog[-1] if link.backlog else None
    if newest is None or newest.answered or newest.begun or not newest.counts or not link.up:
        return 0
    return newest.entry.head.received_at + BUDGET_MS


def answer_overdue(link: Link, now: int) -> None:
    """Something older keeps the newest CALL from its turn: what needs no decision is answered, billing in any case."""
    exchange = link.backlog[-1]
    exchange.begun = now
    if exchange.call.action in link.translator.neutral:
        link.owner.observer.locally(link, exchange.call.action, link.policy)
        promise(link, exchange, EMPTY, now)
    elif exchange.entry.head.cls == "K0" or (exchange.entry.head.cls == "K1" and link.local is not None):
        answer_away(link, exchange, now)
    elif exchange.entry.head.cls == "K1":
        link.backlog.remove(exchange)
        give_up(link, exchange, now)


def give_up(link: Link, exchange: Exchange, now: int) -> None:
    """Nobody but a CSMS that is silent can answer this, and the charger is told so (translation 1.2.5, 8.2): a boot, a DataTransfer,
    a request for a certificate. The charger asks again if it still wants to know; the CSMS is not told later."""
    answer_charger(link, exchange, Error(exchange.entry.id, "GenericError", SILENT), now, outcome="timeout")
    ack(link, exchange)


def answer_now(link: Link, exchange: Exchange, now: int) -> None:
    """The charger does not wait for what may come much later, or never: what needs no decision is answered."""
    if exchange.answered or not exchange.counts:
        return
    if exchange.call.action in link.translator.neutral:
        exchange.early = True
        answer_empty(link, exchange, now)
    elif exchange.entry.head.cls == "K0" or link.local is not None:
        answer_away(link, exchange, now)


def outlast(link: Link, exchange: Exchange, now: int) -> None:
    """The upstream is away while this CALL waits: answer it here if that is the policy. What is told of it later
    was not told in time."""
    if exchange.answered:
        exchange.early = True
    elif not exchange.counts:
        exchange.early = exchange.call.action not in _QUESTIONS and exchange.call.action != "BootNotification"
    elif link.policy != "close":
        answer_away(link, exchange, now)
    if exchange.early and exchange.counts:
        until = link.translator.early_until
        if not until or order(exchange.entry.id) > order(until):
            link.translator.early_until = exchange.entry.id
            link.owner.effects.links.add(link)


def given_up(link: Link, exchange: Exchange, refusal: Error, now: int) -> bool:
    """Whether a billing message was refused so often that the charger had better stop repeating it (spec 8.2): it is
    answered like one that the upstream could not take, and put aside for a person to look at. One that the translation
    refuses is put aside before the charger hears so: it may never say it again."""
    entry = exchange.entry
    if entry.head.cls != "K0" or exchange.answered or not exchange.counts or refusal.code == "SecurityError":
        return False
    what = entry.head.dedup or f"{exchange.call.action} {hash(bytes(exchange.call.payload))}"
    count = link.refused.pop(what, 0) + 1
    ours = not link.refusal
    if ours and count == 1:
        dead(link, exchange, "untranslatable", "untranslatable")
    if count >= link.attempts:
        payload = link.translator.away(exchange.call, now, key=entry.id, tx=entry.tx)
        if payload is None and exchange.call.action in link.translator.neutral:
            payload = EMPTY
        if payload is not None:
            if not ours:
                link.owner.effects.dead.append(Dead(link.name, entry, "error", count))
                link.owner.observer.dead_letter(link, entry, "attempts")
            answer_charger(link, exchange, Result(entry.id, payload), now)
            return True
    link.refused[what] = count
    while len(link.refused) > _REFUSED_MOST:
        del link.refused[next(iter(link.refused))]
    return False


def answer_empty(link: Link, exchange: Exchange, now: int) -> None:
    """Answer what needs no decision, in place of the upstream."""
    if exchange.counts and not exchange.answered and not exchange.unstored:
        link.owner.observer.locally(link, exchange.call.action, link.policy)
        answer_charger(link, exchange, Result(exchange.entry.id), now, final=False)


def answer_away(link: Link, exchange: Exchange, now: int) -> None:
    """Answer the charger in place of an upstream that is away or silent, if there is an answer."""
    if exchange.unstored:
        return
    if (refusal := refusal_away(link, exchange)) is not None and exchange in link.backlog:
        link.backlog.remove(exchange)
        answer_charger(link, exchange, refusal, now, outcome="rejected_policy")
        ack(link, exchange)
        return
    payload = payload_away(link, exchange, now)
    link.owner.effects.links.add(link)
    if payload is None:
        return
    exchange.early = True
    if not exchange.answered:
        link.owner.observer.locally(link, exchange.call.action, link.policy)
    answer_charger(link, exchange, Result(exchange.entry.id, payload), now, final=False)
    if (exchange.perishable or settled(link, exchange)) and exchange in link.backlog:
        link.backlog.remove(exchange)  # answered for good: a live question is not asked again later
        ack(link, exchange)


def answer_charger(
    link: Link, exchange: Exchange, frame: Result | Error, now: int, *, final: bool = True, outcome: str = ""
) -> None:
    """Answer the charger, once, if it gets this upstream's answers. `final`: a retry of the charger is answered the same.
    `outcome`: what the CALL counts as if this error is not the upstream's own."""
    if exchange.answered or not exchange.counts:
        return
    exchange.answered = True
    link.owner.answer(link, exchange, frame, outcome)
    if not isinstance(frame, Result):
        return
    if link.versions[0] == "ocpp2.1":
        given(link, exchange)
    if exchange.call.action in LEARNED_FROM:
        link.owner.observer.answered(link, exchange, frame)
        link.owner.learn(link, exchange, frame, now)
    if final:
        keep(link, exchange, frame)
    else:
        exchange.said = frame


def keep(link: Link, exchange: Exchange, frame: Result) -> None:
    """From now on a retry of the charger is answered so, and no upstream hears of it."""
    exchange.said = None
    if exchange.entry.head.dedup:
        payload = bytes(frame.payload)
        link.told = exchange.entry.id, payload
        link.owner.effects.answers.append((link.charger, exchange.entry.head.dedup, payload))


def outcome_of(link: Link, error: Error) -> str:
    """What a charger's CALL counts as that a translator answers with this error; "": the upstream's own answer."""
    translated = link.versions[0] != link.versions[1] and not error.description.startswith(RELAYED)
    return "gateway_error" if translated and error.code == "InternalError" else ""


def ack(link: Link, exchange: Exchange) -> None:
    """The upstream has done with an entry."""
    if exchange.said is not None:
        keep(link, exchange, exchange.said)
    if exchange.entry.id in link.introducing:
        link.introducing.remove(exchange.entry.id)
        if not link.introducing:
            link.owner.introduced(link)
    link.translator.forget(exchange.entry.id)
    link.done += 1
    if exchange.entry.head.trace:
        link.owner.observer.done(link, exchange)
    if exchange.parked:
        link.owner.effects.unparks.setdefault((link.name, link.charger), []).append(exchange.entry.id)
    else:
        link.owner.effects.acks.setdefault(link.name, []).append(exchange.entry.id)
