"""Writes docs/translation/ from the tables of the pairs: what becomes of every message and of every member."""

from __future__ import annotations

from typing import Any

from tools import quirk_docs
from translators import PAIRS, pairs
from translators.atlas import (
    KINDS,
    USED,
    Fate,
    Table,
    table,
    versions,
)
from translators.dialogue import Local, Pair, Refuse, Row
from translators.losses import ledger

NOTE = "<!-- Made by `make docs` from the tables of the pairs. Edit the sources, not this file. -->"
_SENDERS = {"charger": "the charger", "csms": "the CSMS"}


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _fate(each: Fate) -> str:
    if each.code:
        return f"refused: {each.code}"
    return {"translated": "translated", "local": "answered by the gateway", "refused": "refused"}[each.fate]


def _target(becomes: str) -> str:
    return "used by the gateway" if becomes == USED else f"`{becomes}`" if becomes else "nowhere"


def _messages(shown: Table, source: str) -> list[str]:
    mine, other = versions(source, shown.charger, shown.csms)
    lines = ["", f"### {mine} messages of {_SENDERS[source]}", ""]
    lines += ["| Message | Fate | Sends | Why, when |", "|---|---|---|---|"]
    lines += [_row(each.action, _fate(each), ", ".join(each.sends), each.why) for each in _own(shown, source)]
    to = "csms" if source == "charger" else "charger"
    lines += ["", f"### {other} messages to {_SENDERS[to]}", ""]
    lines += ["| Message | Made from |", "|---|---|"]
    for made in shown.arriving:
        if made.to == to:
            text = ", ".join(made.made_from) or "nothing"
            lines.append(_row(made.action, f"{text}: {made.why}" if made.why else text))
    return lines


def _own(shown: Table, source: str) -> list[Fate]:
    return [each for each in shown.messages if each.source == source and each.version]


def _fields(shown: Table, source: str) -> list[str]:
    mine, _ = versions(source, shown.charger, shown.csms)
    text: list[str] = []
    for message in _own(shown, source):
        text += ["", f"### {message.action} ({mine}, {_SENDERS[source]})", ""]
        rows = []
        for each in message.members:
            own = each.part == "message"
            where = "" if own or each.part == "request" else f"answer to {each.part}: "
            becomes = "a message or member of the gateway's own" if own else _target(each.becomes)
            rows.append(_row(f"{where}`{each.path}`", becomes, ", ".join(each.losses), each.note))
        text += ["| Member | Becomes | May be lost | How |", "|---|---|---|---|", *rows] if rows else ["No members."]
    return text


def page(shown: Table) -> str:
    """One pair."""
    title = f"# A {shown.charger} charger behind a {shown.csms} CSMS"
    text = [title, "", NOTE, "", _INTRODUCTION.strip(), "", "## Messages"]
    for source in ("charger", "csms"):
        text += _messages(shown, source)
    text += ["", "### Begun by the gateway", "", "| Occasion | Sends | Why, when |", "|---|---|---|"]
    general = [each for each in shown.messages if not each.version]
    for each in general:
        if each.fate:
            occasion = each.action or "the CSMS is back"
            occasion = occasion if each.source == "gateway" else f"any message of {_SENDERS[each.source]}"
            text.append(_row(occasion, ", ".join(each.sends), each.why))
    text += ["", "## Members"]
    if any(each.members for each in general):
        text += ["", "### Of any message", "", "| From | Member | May be lost | How |", "|---|---|---|---|"]
        text += [
            _row(each.source, f"`{member.path}`", ", ".join(member.losses), member.note)
            for each in general
            for member in each.members
        ]
    for source in ("charger", "csms"):
        text += _fields(shown, source)
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
    text += ["", "| Loss | Meaning |", "|---|---|", *(_row(kind, meaning) for kind, meaning in KINDS.items())]
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
        if (shown := table(pair)) is not None:
            found[f"translation/{name(pair)}"] = lambda shown=shown: page(shown)
    return found


def agrees(row: Row, fate: str, to: tuple[str, ...]) -> bool:
    """Whether a table says of a message what its rule does."""
    if isinstance(row, Refuse):
        return fate == "refused" and not to
    if isinstance(row, Local):
        return fate == "local"
    return fate == "local" or (fate == "translated" and bool(to))
