"""Writes docs/translation/ from the tables of the pairs: what becomes of every message and of every member."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from msgspec import inspect

from tools import quirk_docs
from translators import PAIRS, pairs
from translators.dialogue import Local, Pair, Refuse, Row
from translators.losses import Field, Ledger, ledger
from translators.models import v15, v16, v201

MODELS: dict[str, Any] = {"1.5": v15, "1.6": v16, "2.0.1": v201}
NOTE = "<!-- Made by `make docs` from the tables of the pairs. Edit the sources, not this file. -->"
_SENDERS = {"charger": "the charger", "csms": "the CSMS"}
_KINDS = {
    "dropped": "it has no counterpart",
    "defaulted": "the other side requires it, the source lacks it",
    "folded": "several values became one",
    "shortened": "cut to the other side's length",
    "synthesised": "a whole message that the gateway made",
}


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
        name = path if row.becomes not in ("", "used") else row.path
        if name not in told:
            told.add(name)
            yield name, row


def target(row: Field, path: str) -> str:
    """Where a member goes."""
    if row.becomes == "used":
        return "used by the gateway"
    if not row.becomes:
        return "nowhere"
    return f"`{row.path if row.becomes == '=' else row.becomes}{path[len(row.path) :]}`"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _fate(fate: str, row: Row | None) -> str:
    if isinstance(row, Refuse):
        return f"refused: {row.code}"
    return {"translated": "translated", "local": "answered by the gateway", "refused": "refused"}[fate]


def _messages(pair: Pair, found: Ledger, source: str) -> list[str]:
    mine, other = versions(source, pair.charger, pair.csms)
    rows = pair.from_charger if source == "charger" else pair.from_csms
    lines = ["", f"### {mine} messages of {_SENDERS[source]}", ""]
    lines += ["| Message | Fate | Sends | Why, when |", "|---|---|---|---|"]
    for action in actions(mine, source):
        message = found.message(source, action)
        if message is None:
            raise LookupError(f"messages.csv: no row for {source} {action}")
        sends = ", ".join(message.to)
        lines.append(_row(action, _fate(message.fate, rows.get(action)), sends, message.why))
    lines += ["", f"### {other} messages to {_SENDERS['csms' if source == 'charger' else 'charger']}", ""]
    lines += ["| Message | Made from |", "|---|---|"]
    for action in actions(other, source):
        text = ", ".join(made_from(found, source, action, other)) or "nothing"
        reason = next((each.why for each in found.messages if each.fate == "never" and each.action == action), "")
        lines.append(_row(action, f"{text}: {reason}" if reason else text))
    return lines


def made_from(found: Ledger, source: str, action: str, version: str) -> list[str]:
    """What makes the gateway send a message on, away from `source`."""
    both = action in MODELS[version].FROM_CHARGER and action in MODELS[version].FROM_CSMS
    made = []
    for each in found.messages:
        if action not in each.to or each.action == "*" or (both and each.source != source):
            continue
        occasion = each.action or "the CSMS is back"
        made.append(f"the gateway ({occasion})" if each.source == "gateway" else occasion)
    return list(dict.fromkeys(made))


def _fields(pair: Pair, found: Ledger, source: str) -> list[str]:
    mine, _ = versions(source, pair.charger, pair.csms)
    text: list[str] = []
    for action in actions(mine, source):
        text += ["", f"### {action} ({mine}, {_SENDERS[source]})", ""]
        rows: list[str] = []
        for part in parts(found, source, action):
            model = payload(pair, source, action, part)
            where = "" if part == "request" else f"answer to {part}: "
            for name, row in lines(found, source, action, part, leaves(model)):
                lost = ", ".join(row.losses)
                rows.append(_row(f"{where}`{name}`", target(row, name), lost, row.note))
        rows += [
            _row(f"`{each.path}`", "a message or member of the gateway's own", ", ".join(each.losses), each.note)
            for each in found.fields
            if each.source == source and each.action == action and each.part == "message"
        ]
        text += ["| Member | Becomes | May be lost | How |", "|---|---|---|---|", *rows] if rows else ["No members."]
    return text


def payload(pair: Pair, source: str, action: str, part: str) -> type:
    """The type of a part: of the request, or of an answer of the other side, or of who began to a message back."""
    mine, other = versions(source, pair.charger, pair.csms)
    if part == "request":
        return cast(type, MODELS[mine].ACTIONS[action])
    passes_on = MODELS[other].FROM_CHARGER if source == "charger" else MODELS[other].FROM_CSMS
    return cast(type, MODELS[other if part in passes_on else mine].ACTIONS[part].response)


def page(pair: Pair, found: Ledger) -> str:
    """One pair."""
    title = f"# A {pair.charger} charger behind a {pair.csms} CSMS"
    text = [title, "", NOTE, "", _INTRODUCTION.strip(), "", "## Messages"]
    for source in ("charger", "csms"):
        text += _messages(pair, found, source)
    text += ["", "### Begun by the gateway", "", "| Occasion | Sends | Why, when |", "|---|---|---|"]
    for message in found.messages:
        if message.source == "gateway":
            text.append(_row(message.action or "the CSMS is back", ", ".join(message.to), message.why))
        elif message.action == "*":
            text.append(_row(f"any message of {_SENDERS[message.source]}", ", ".join(message.to), message.why))
    text += ["", "## Members"]
    general = [each for each in found.fields if each.action == "*" and each.losses]
    if general:
        text += ["", "### Of any message", "", "| From | Member | May be lost | How |", "|---|---|---|---|"]
        text += [_row(each.source, f"`{each.path}`", ", ".join(each.losses), each.note) for each in general]
    for source in ("charger", "csms"):
        text += _fields(pair, found, source)
    return "\n".join(text) + "\n"


_INTRODUCTION = """
`docs/translation/README.md` says how to read it. Members inside a list stand without an index. Where a message may go by
several ways, the member of the first one is named.
"""


def index() -> str:
    """docs/translation/README.md."""
    text = ["# Translations", "", NOTE, "", _INDEX.strip(), "", "| Charger | CSMS | Page |", "|---|---|---|"]
    for charger, csms, _ in PAIRS:
        [pair] = pairs(charger, csms)
        linked = f"[{pair.charger} to {pair.csms}]({name(pair)})" if ledger(pair.charger, pair.csms) else "-"
        text.append(_row(pair.charger, pair.csms, linked))
    text += ["", "| Loss | Meaning |", "|---|---|", *(_row(kind, meaning) for kind, meaning in _KINDS.items())]
    return "\n".join(text) + "\n"


_INDEX = """
What becomes of every message and of every member when the versions differ. Versions that are not neighbours are joined by
the pairs between them: a 1.5 charger behind a 2.0.1 CSMS is 1.5 to 1.6, then 1.6 to 2.0.1.

A loss is never silent: it is told with the frame that leaves because of the message (`losses` in the output of
`ocpp-gateway translate`), logged at level debug, and counted in `ocppgw_translation_lossy_fields_total` by message and
member. What can be lost is a closed set: the column *May be lost* of the pages. With `carry_lossy` part of it travels in
`customData` or a DataTransfer.
"""


def name(pair: Pair) -> str:
    return f"{pair.charger}-{pair.csms}.md"


def pages() -> dict[str, Any]:
    """File name below docs/ -> what makes its text."""
    found: dict[str, Any] = {"translation/README.md": index, **quirk_docs.pages()}
    for charger, csms, _ in PAIRS:
        [pair] = pairs(charger, csms)
        if (tables := ledger(pair.charger, pair.csms)) is not None:
            found[f"translation/{name(pair)}"] = lambda pair=pair, tables=tables: page(pair, tables)
    return found


def agrees(row: Row, fate: str, to: tuple[str, ...]) -> bool:
    """Whether a table says of a message what its rule does."""
    if isinstance(row, Refuse):
        return fate == "refused" and not to
    if isinstance(row, Local):
        return fate == "local"
    return fate == "local" or (fate == "translated" and bool(to))
