"""Nine rules that every history of a run must obey, whatever was broken meanwhile (reliability 5.8). Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Final

from .history import Delivered, Fault, History, Key, Said

SLACK: Final = 1.5
"""Seconds by which the peers' notes and what the gateway saw may differ, and in which a cut connection is noticed."""
RECOVERY: Final = 15.0
"""Seconds from the end of a fault to the first answer, on a machine that has time for its processes."""
BUSIEST: Final = 4.0
"""By how much a busy machine makes that longer at the most."""
COMMAND_DEADLINE: Final = 65.0
"""Seconds after which a command must have ended: the boot gate, and the time a charger has."""
ONCE: Final = frozenset(
    {
        "RemoteStartTransaction",
        "RequestStartTransaction",
        "RemoteStopTransaction",
        "Reset",
        "UnlockConnector",
        "ReserveNow",
    }
    | {"DataTransfer"}
)
"""Commands that must not be done twice (class C1), in the spelling of either version."""
GROWTH: Final = 0.05
RSS_ALLOWANCE: Final = 48 << 20
"""Bytes that a young process may still grow: code that runs for the first time, buffers, the share of a hub that died."""
DESCRIPTOR_ALLOWANCE: Final = 6


def check(history: History) -> list[str]:
    """Everything that is wrong, each with the number of its rule; empty when all rules hold."""
    return [f"({number}) {wrong}" for number, rule in enumerate(RULES, 1) for wrong in rule(history)]


def delivered_or_put_aside(h: History) -> Iterator[str]:
    """What a charger was told is accepted, every upstream has accepted, or it is in its dead letters.

    Of the meter values of a charger as many may be missing as the gateway says that it left out of a full store.
    """
    accepted = _accepted(h)
    for upstream in h.upstreams:
        has = {each.message.key for each in h.delivered if each.upstream == upstream and each.answered}
        has |= {key for name, key in h.letters if name == upstream}
        doubt = any(_concerns(fault, upstream) for fault in h.faults)
        thinned = {charger: count for (name, charger), count in h.thinned.items() if name == upstream}
        for key in accepted:
            if key not in has and key[1] == "meter" and thinned.get(key[0], 0) > 0:
                thinned[key[0]] -= 1
            elif key not in has and not (doubt and key[1] == "status" and h.folds(upstream, key[0])):
                yield f"{_name(key)} was acknowledged and never came to {upstream}"
        if doubt:
            yield from _last_status(h, upstream, accepted)


def _last_status(h: History, upstream: str, accepted: dict[Key, None]) -> Iterator[str]:
    said = {x.message.charger: x.message for x in h.sent if x.message.kind == "status" and x.message.key in accepted}
    heard = {x.message.charger: x.message for x in h.delivered if x.message.kind == "status" and x.upstream == upstream}
    for charger, last in said.items():
        if not h.folds(upstream, charger):
            continue
        value = heard[charger].value if charger in heard else "nothing"
        if value != last.value:
            yield f"{charger} is {last.value} since {last.stamp}, the last that {upstream} has heard is {value}"


def nothing_invented(h: History) -> Iterator[str]:
    """What an upstream hears was said, with these values, in that transaction. Boots may be synthetic."""
    said = {each.message.key: each.message for each in h.sent}
    events = {(each.message.charger, each.message.stamp) for each in h.sent}
    for each in h.delivered:
        message = each.message
        if message.kind == "boot":
            continue
        if message.kind == "status" and message.charger in h.modern and (message.charger, message.stamp) in events:
            continue  # what a TransactionEvent says of the connector, in the words of 1.6
        original = said.get(message.key)
        if original is None:
            yield f"{each.upstream} heard {_name(message.key)}, which nobody said"
        elif message.register is not None and message.register != original.register:
            yield f"{each.upstream} heard {message.register} Wh, not {original.register}, in {_name(message.key)}"
        elif message.value != original.value:
            yield f"{each.upstream} heard {message.value}, not {original.value}, in {_name(message.key)}"
        elif message.session != original.session:
            yield (
                f"{each.upstream} heard {_name(message.key)} in transaction {message.session!r}, not {original.session!r}"
            )


def in_order(h: History) -> Iterator[str]:
    """Each upstream hears the messages of a charger first in the order in which they were said first.

    One of another version that was away hears the statuses that changed after the transactions.
    """
    place: dict[Key, int] = {}
    for number, sent in enumerate(h.sent):
        place.setdefault(sent.message.key, number)
    last: dict[tuple[str, str, bool], Said] = {}
    seen: set[tuple[str, Key]] = set()
    for each in h.delivered:
        key = each.message.key
        if each.message.kind == "boot" or (each.upstream, key) in seen or key not in place:
            continue
        seen.add((each.upstream, key))
        lane = (
            each.upstream,
            each.message.charger,
            each.message.kind == "status" and h.folds(each.upstream, each.message.charger),
        )
        before = last.get(lane)
        if before is not None and place[before.key] > place[key]:
            yield f"{each.upstream} heard {_name(key)} after {_name(before.key)}"
        last[lane] = each.message


def twice_only_in_doubt(h: History) -> Iterator[str]:
    """An upstream hears a message again only if it did not answer, or something broke that concerns them since the
    message was said: then it may have been stored twice."""
    said: dict[Key, float] = {}
    for sent in h.sent:
        said.setdefault(sent.message.key, sent.at)
    before: dict[tuple[str, Key], Delivered] = {}
    for each in h.delivered:
        if each.message.kind == "boot":
            continue
        first = before.get((each.upstream, each.message.key))
        before[each.upstream, each.message.key] = each
        if first is None or not first.answered:
            continue
        begin = min(first.at, said.get(each.message.key, first.at))
        if not any(_concerns(fault, each.upstream) and _overlap(fault, begin, each.at) for fault in h.faults):
            yield f"{each.upstream} heard {_name(each.message.key)} twice, at {first.at:.2f} and {each.at:.2f}, without need"


def one_answer_at_most(h: History) -> Iterator[str]:
    """A CALL gets one answer at most, on the connection that it was sent on, while that is open."""
    ends = {(each.charger, each.connection): each.at for each in h.closed}
    open_calls: dict[tuple[str, int, str], int] = defaultdict(int)
    asked = sorted(
        [(each.at, 0, each.message.charger, each.connection, each.call) for each in h.sent]
        + [(each.at, 1, each.charger, each.connection, each.call) for each in h.answered]
    )
    for at, is_answer, charger, connection, call in asked:
        if not is_answer:
            open_calls[charger, connection, call] += 1
            continue
        open_calls[charger, connection, call] -= 1
        if open_calls[charger, connection, call] < 0:
            yield f"{charger} got an answer to {call} on connection {connection} for which it did not wait"
        if at > ends.get((charger, connection), at):
            yield f"{charger} got an answer to {call} on connection {connection} after its end"


def commands_end_once(h: History) -> Iterator[str]:
    """A command ends once, in time; one that must not be done twice comes to the charger once at most."""
    came: dict[tuple[str, str], int] = defaultdict(int)
    for commanded in h.commanded:
        if commanded.token:
            came[commanded.charger, commanded.token] += 1
    orders = {(each.charger, each.token) for each in h.ordered}
    for charger, token in came:
        if (charger, token) not in orders:
            yield f"{charger} was commanded {token!r}, which nobody ordered"
    for each in h.ordered:
        if each.action in ONCE and came[each.charger, each.token] > 1:
            yield f"{each.action} {each.token} came to {each.charger} {came[each.charger, each.token]} times"
        if len(each.outcomes) > 1:
            yield f"{each.action} {each.token} of {each.upstream} ended {len(each.outcomes)} times: {each.outcomes}"
        elif not each.outcomes:
            yield f"{each.action} {each.token} of {each.upstream} never ended"
        elif each.outcomes[0][0] - each.at > COMMAND_DEADLINE:
            yield f"{each.action} {each.token} of {each.upstream} took {each.outcomes[0][0] - each.at:.0f} s"


def conserved(h: History) -> Iterator[str]:
    """Every CALL that came in was answered, refused, given up or is open; nothing is left in the journal unsaid."""
    for each in h.counters:
        ended = each.answered + each.errors + each.refused + each.unanswered + each.open
        if each.received != ended:
            yield f"{each.process} received {each.received} CALLs and accounts for {ended}: {each}"
        if each.open < 0:
            yield f"{each.process} has {each.open} open CALLs"
    for upstream in h.upstreams:
        if h.backlog.get(upstream, 0):
            yield f"{h.backlog[upstream]} entries are still kept for {upstream}"


def nothing_leaks(h: History) -> Iterator[str]:
    """Memory and descriptors are what they were before the faults."""
    for each in h.loads:
        if each.descriptors_after > each.descriptors_before * (1 + GROWTH) + DESCRIPTOR_ALLOWANCE:
            yield f"{each.process} has {each.descriptors_after} descriptors, before it had {each.descriptors_before}"
        if each.rss_after > each.rss_before * (1 + GROWTH) + RSS_ALLOWANCE:
            yield f"{each.process} takes {each.rss_after >> 20} MiB, before it took {each.rss_before >> 20}"


def comes_back(h: History) -> Iterator[str]:
    """Within 15 s after a fault somebody is answered, if anybody asks; time in which something else was broken, or a process was
    starting, does not count."""
    good = [each.at for each in h.answered if not each.error]
    for fault in h.faults:
        if fault.end > h.until or fault.seen:
            continue
        limit = fault.end + RECOVERY * min(max(h.busy, 1.0), BUSIEST)
        for other in sorted(h.faults, key=lambda each: each.begin):
            if other is not fault and fault.end < other.end and other.begin < limit:
                limit += other.end - max(other.begin, fault.end)
        asked = any(fault.end <= each.at <= limit - SLACK for each in h.sent)
        if asked and not any(fault.end <= at <= limit for at in good):
            yield f"nobody was answered within {limit - fault.end:.0f} s after {fault.kind} of {fault.target}"


RULES: Final[tuple[Callable[[History], Iterator[str]], ...]] = (
    delivered_or_put_aside,
    nothing_invented,
    in_order,
    twice_only_in_doubt,
    one_answer_at_most,
    commands_end_once,
    conserved,
    nothing_leaks,
    comes_back,
)


def _accepted(h: History) -> dict[Key, None]:
    """Messages to which a charger got a CALLRESULT, in order."""
    calls = {(each.message.charger, each.connection, each.call): each.message for each in h.sent}
    found: dict[Key, None] = {}
    for answer in h.answered:
        message = calls.get((answer.charger, answer.connection, answer.call))
        if message is not None and not answer.error:
            found[message.key] = None
    return found


def _concerns(fault: Fault, upstream: str) -> bool:
    """Whether it leaves open what that CSMS has heard."""
    return fault.target in ("hub", "store", f"upstream:{upstream}")


def _overlap(fault: Fault, begin: float, end: float) -> bool:
    return fault.begin - SLACK <= end and begin <= fault.end + SLACK


def _name(key: Key) -> str:
    charger, kind, stamp = key
    return f"{charger}'s {kind} of {stamp}"
