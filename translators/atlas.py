"""What becomes of every message and of every member, read from the tables of the pairs: for the generated pages and the operators."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, cast

import msgspec
from msgspec import inspect

from .dialogue import Pair, Refuse
from .losses import ANY, Field, Ledger, ledger
from .models import v15, v16, v201

MODELS: Final[dict[str, Any]] = {"1.5": v15, "1.6": v16, "2.0.1": v201}
KINDS: Final = {
    "dropped": "it has no counterpart",
    "defaulted": "the other side requires it, the source lacks it",
    "folded": "several values became one",
    "shortened": "cut to the other side's length",
    "synthesised": "a whole message that the gateway made",
}
"""What each kind of loss means."""
USED: Final = "used"
"""What becomes of a member that only the gateway needs."""


class Member(msgspec.Struct):
    """A member of a message, or several that share its fate."""

    part: str
    """`request`; or the action whose answer has it; or `message`: a message or member of the gateway's own."""
    path: str
    """Without the index of lists."""
    becomes: str
    """Its path on the other side; `used`: by the gateway itself; empty: nothing."""
    losses: list[str]
    """What may be lost of it: dropped, defaulted, folded, shortened, synthesised."""
    note: str


class Fate(msgspec.Struct):
    """What becomes of a message."""

    source: str
    """Who begins: charger, csms, or gateway for a dialogue of its own."""
    version: str
    action: str
    """`*`: any message."""
    fate: str
    """translated, local (answered by the gateway), refused."""
    code: str
    """Of the CALLERROR, when it is refused."""
    sends: list[str]
    """Actions of the CALLs that it may cause."""
    why: str
    members: list[Member]


class Made(msgspec.Struct):
    """A message that may arrive on the other side."""

    to: str
    version: str
    action: str
    made_from: list[str]
    """Messages and occasions; empty: it never comes."""
    why: str


class Table(msgspec.Struct):
    """What one pair of neighbouring versions makes of everything."""

    charger: str
    csms: str
    messages: list[Fate]
    arriving: list[Made]


_tables: dict[tuple[str, str], Table] = {}


def table(pair: Pair) -> Table | None:
    """The whole of a pair, made once; None if the pair has no tables. Raises LookupError when a row is missing."""
    key = pair.charger, pair.csms
    if key not in _tables:
        if (found := ledger(*key)) is None:
            return None
        _tables[key] = Table(*key, list(_fates(pair, found)), list(_arriving(pair, found)))
    return _tables[key]


def _fates(pair: Pair, found: Ledger) -> Iterator[Fate]:
    for source, rows in (("charger", pair.from_charger), ("csms", pair.from_csms)):
        mine, _ = versions(source, pair.charger, pair.csms)
        for action in actions(mine, source):
            said = found.message(source, action)
            if said is None:
                raise LookupError(f"messages.csv: no row for {source} {action}")
            row = rows.get(action)
            code = row.code if isinstance(row, Refuse) else ""
            yield Fate(
                source,
                mine,
                action,
                said.fate,
                code,
                list(said.to),
                said.why,
                list(members(pair, found, source, action)),
            )
    for each in found.messages:
        if each.fate != "never" and (each.source == "gateway" or each.action == ANY):
            yield Fate(each.source, "", each.action, each.fate, "", list(each.to), each.why, [])
    for source in dict.fromkeys(each.source for each in found.fields if each.action == ANY and each.losses):
        general = [each for each in found.fields if (each.source, each.action) == (source, ANY) and each.losses]
        yield Fate(source, "", ANY, "", "", [], "", [_member(each, each.path) for each in general])


def members(pair: Pair, found: Ledger, source: str, action: str) -> Iterator[Member]:
    """Those of an action and of the answers to it, and what the gateway adds of its own."""
    for part in parts(found, source, action):
        for name, row in lines(found, source, action, part, leaves(payload(pair, source, action, part))):
            yield _member(row, name, part)
    for each in found.fields:
        if (each.source, each.action, each.part) == (source, action, "message"):
            yield _member(each, each.path)


def _member(row: Field, path: str, part: str = "") -> Member:
    becomes = row.becomes
    if becomes not in ("", USED):
        becomes = f"{row.path if becomes == '=' else becomes}{path[len(row.path) :]}"
    return Member(part or row.part, path, becomes, list(row.losses), row.note)


def _arriving(pair: Pair, found: Ledger) -> Iterator[Made]:
    for source, to in (("charger", "csms"), ("csms", "charger")):
        _, other = versions(source, pair.charger, pair.csms)
        for action in actions(other, source):
            why = next((each.why for each in found.messages if each.fate == "never" and each.action == action), "")
            yield Made(to, other, action, made_from(found, source, action, other), why)


def versions(source: str, charger: str, csms: str) -> tuple[str, str]:
    """(version of who begins, version of the other side)."""
    return (charger, csms) if source == "charger" else (csms, charger)


def actions(version: str, source: str) -> list[str]:
    """What a charger, or a CSMS, of a version sends."""
    model = MODELS[version]
    return sorted(model.FROM_CHARGER if source == "charger" else model.FROM_CSMS)


def parts(found: Ledger, source: str, action: str) -> list[str]:
    """The parts of an action's own rows: `request`, then the answers."""
    names = {each.part for each in found.fields if each.source == source and each.action == action}
    return ["request", *sorted(names - {"request", "message"})]


def lines(found: Ledger, source: str, action: str, part: str, paths: list[str]) -> Iterator[tuple[str, Field]]:
    """Every member with the row that speaks for it; members of one row that the row's own path says stand together."""
    told = set()
    for path in paths:
        row = found.field(source, action, part, path)
        if row is None:
            raise LookupError(f"fields.csv: no row for {source} {action} {part} {path}")
        name = path if row.becomes not in ("", USED) else row.path
        if name not in told:
            told.add(name)
            yield name, row


def made_from(found: Ledger, source: str, action: str, version: str) -> list[str]:
    """What makes the gateway send a message on, away from `source`."""
    both = action in MODELS[version].FROM_CHARGER and action in MODELS[version].FROM_CSMS
    made = []
    for each in found.messages:
        if action not in each.to or each.action == ANY or (both and each.source != source):
            continue
        occasion = each.action or "the CSMS is back"
        made.append(f"the gateway ({occasion})" if each.source == "gateway" else occasion)
    return list(dict.fromkeys(made))


def payload(pair: Pair, source: str, action: str, part: str) -> type:
    """The type of a part: of the request, or of an answer of the other side, or of who began to a message back."""
    mine, other = versions(source, pair.charger, pair.csms)
    if part == "request":
        return cast(type, MODELS[mine].ACTIONS[action])
    passes_on = MODELS[other].FROM_CHARGER if source == "charger" else MODELS[other].FROM_CSMS
    return cast(type, MODELS[other if part in passes_on else mine].ACTIONS[part].response)


def leaves(type_: type) -> list[str]:
    """The paths of all members of a payload, customData left out."""
    return list(dict.fromkeys(_leaves(inspect.type_info(type_), "")))


def _leaves(kind: inspect.Type, path: str) -> Iterator[str]:
    match kind:
        case inspect.UnionType(types=types):
            for each in types:
                if not isinstance(each, inspect.NoneType):
                    yield from _leaves(each, path)
        case inspect.ListType(item_type=item):
            yield from _leaves(item, path)
        case inspect.StructType(fields=fields):
            for field in fields:
                if field.encode_name != "customData":
                    yield from _leaves(field.type, f"{path}.{field.encode_name}" if path else field.encode_name)
        case _:
            yield path
