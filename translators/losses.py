"""What a translation dropped, defaulted, folded or invented: recorded with the frame that carries it, never silent.

What a pair may lose is a closed set: its folder holds `messages.csv` (what becomes of each message) and `fields.csv` (what
becomes of each member of each message, and what may be recorded of it as lost). The docs, the metric's label and the tests
read the same two files. Their columns:

    messages.csv    from, action, fate, to, why
    fields.csv      from, action, part, field, becomes, losses, note

`from` is who begins: `charger`, `csms`, or `gateway` for a dialogue of its own. `fate` is `translated`, `local` (answered by the
gateway), `refused`, or `never` (the other version has the message, nothing here makes one). `part` is `request`, or the action
whose answer has the member, or `message` for a whole message. A row speaks for what is inside its member too, unless a
longer path has a row. `becomes`: `=` the member of the same path, a path in the other version, `used` by the gateway, or
nothing: it is always lost. An action `*` stands for every one.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias, cast, get_args

import msgspec

LossKind: TypeAlias = Literal["dropped", "defaulted", "folded", "shortened", "synthesised"]
"""dropped: the member has no counterpart; defaulted: the target requires a member that the source lacks;
folded: several source values became one; shortened: cut to the target's length; synthesised: a whole message was invented."""

KINDS: tuple[str, ...] = get_args(LossKind)
Source: TypeAlias = Literal["charger", "csms", "gateway"]
ANY = "*"
FATES = ("translated", "local", "refused", "never")


class Loss(msgspec.Struct, frozen=True, gc=False):
    """One loss: the member it concerns (in the spelling of the version that has it) and what happened to it."""

    field: str
    kind: LossKind


class Undeclared(AssertionError):
    """A rule lost a member, or sent a message, that the tables of its pair do not name."""


class Message(NamedTuple):
    """A row of messages.csv."""

    source: str
    action: str
    fate: str
    to: tuple[str, ...]
    """Actions of the CALLs that it may cause, answers not counted."""
    why: str


class Field(NamedTuple):
    """A row of fields.csv."""

    source: str
    action: str
    part: str
    path: str
    becomes: str
    losses: tuple[LossKind, ...]
    note: str

    def covers(self, path: str) -> bool:
        """Whether it speaks for the member at `path`."""
        return path == self.path or path.startswith(self.path + ".")


class Ledger(NamedTuple):
    """What one pair says of itself."""

    messages: tuple[Message, ...]
    fields: tuple[Field, ...]
    losses: frozenset[tuple[str, str, str, str]]
    """(from, action, field, kind), the closed set."""
    calls: frozenset[tuple[str, str, str]]
    """(from, action, action of a CALL it may cause)."""

    def loses(self, source: str, action: str, loss: Loss) -> bool:
        """Whether this loss is declared."""
        return any((source, each, loss.field, loss.kind) in self.losses for each in (action, ANY))

    def causes(self, source: str, action: str, call: str) -> bool:
        """Whether this CALL is declared to follow."""
        return any((source, each, call) in self.calls for each in (action, ANY))

    def message(self, source: str, action: str) -> Message | None:
        return next((each for each in self.messages if (each.source, each.action) == (source, action)), None)

    def field(self, source: str, action: str, part: str, path: str) -> Field | None:
        """The row that speaks for a member: the longest path, a row of its own action before one of all."""
        found = [
            each
            for each in self.fields
            if each.source == source and each.part == part and each.action in (action, ANY) and each.covers(path)
        ]
        return max(found, key=lambda each: (len(each.path), each.action != ANY), default=None)


def folder(charger: str, csms: str) -> str:
    """The folder of a pair, by the versions it joins."""
    return f"v{charger}_v{csms}".replace(".", "")


@cache
def ledger(charger: str, csms: str) -> Ledger | None:
    """The tables of a pair of versions (`1.6`, `2.0.1`); None if it has none. Raises ValueError for a row that is wrong."""
    home = resources.files("translators") / folder(charger, csms)
    if not (home / "fields.csv").is_file():
        return None
    messages = [
        Message(row[0], row[1], row[2], tuple(row[3].split()), row[4])
        for row in csv.reader((home / "messages.csv").read_text("utf-8").splitlines()[1:])
    ]
    fields = [
        Field(row[0], row[1], row[2], row[3], row[4], cast("tuple[LossKind, ...]", tuple(row[5].split())), row[6])
        for row in csv.reader((home / "fields.csv").read_text("utf-8").splitlines()[1:])
    ]
    for message in messages:
        if message.source not in get_args(Source) or message.fate not in FATES:
            raise ValueError(f"messages.csv of {home}: {message}")
    for field in fields:
        if field.source not in get_args(Source) or set(field.losses) - set(KINDS):
            raise ValueError(f"fields.csv of {home}: {field}")
    return Ledger(
        tuple(messages),
        tuple(fields),
        frozenset((each.source, each.action, each.path, kind) for each in fields for kind in each.losses),
        frozenset((each.source, each.action, call) for each in messages for call in each.to),
    )


def folders() -> list[str]:
    """The folders of all pairs that have tables."""
    home = Path(str(resources.files("translators")))
    return sorted(each.parent.name for each in home.glob("v*/fields.csv"))


@cache
def names() -> tuple[str, ...]:
    """Every field that any pair may name in a loss."""
    home = resources.files("translators")
    found = set()
    for each in folders():
        rows = csv.DictReader((home / each / "fields.csv").read_text("utf-8").splitlines())
        found |= {row["field"] for row in rows if row["losses"]}
    return tuple(sorted(found))
