"""What a hub shows to those who watch: both legs of a charger, tied together by the exchange that each frame belongs to.

Called only while somebody watches (`tap.armed`). What is remembered here serves only that, is bounded, and is of exchanges that
are shown: what is too much for those who watch ends at the first question.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Final, TypeVar

import msgspec

from gateway import tap
from gateway.journal.entry import Entry, ToCharger
from translators import Chain, Translating, Translator
from translators.dialogue import Out
from translators.frames import Call, Frame, ResultError, Send, Side, decode, decode_21, encode

from .link import Link
from .session import Session

K = TypeVar("K")
V = TypeVar("V")

REMEMBERED: Final = 20_000


class Memory(OrderedDict[K, V]):
    """Forgets the oldest."""

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        if len(self) > REMEMBERED:
            self.popitem(last=False)


class _Sent(msgspec.Struct, gc=False):
    """A CALL whose answer may come."""

    at: int
    action: str
    exchange: str
    id: str = ""


_said: Memory[tuple[str, int, int], _Sent] = Memory()
"""CALLs of chargers: (charger, epoch, seq)."""
_commands: Memory[tuple[str, str], _Sent] = Memory()
"""CALLs to chargers: (charger, id)."""
_asked: Memory[tuple[str, str, str], _Sent] = Memory()
"""CALLs of either side on the socket to a CSMS: (charger, upstream, id), with `<` before an id of the CSMS."""
_leaving: Memory[tuple[str, str, str], tuple[str, tuple[tuple[str, str], ...]]] = Memory()
"""Frames that a translator has made: (charger, upstream or "", id) -> exchange, losses."""


_versions: Memory[str, str] = Memory()
"""OCPP version of a charger."""
_missed: Memory[str, str] = Memory()
"""Charger -> its newest CALL that is not shown, which other links will bring again."""


def _now() -> int:
    return time.time_ns() // 1_000_000


def said(session: Session, entry: Entry) -> None:
    """A charger CALL comes to one of its links: shown when it comes to the first."""
    charger, head = session.charger, entry.head
    several = len(session.links) > 1
    if several and (_missed.get(charger) == entry.id or (charger.casefold(), head.epoch, head.seq) in _said):
        return
    if not tap.begins(charger):
        if several:
            _missed[charger] = entry.id
        return
    folded = charger.casefold()
    exchange = f"{head.epoch}-{head.seq}"
    _versions[folded] = head.version
    _said[folded, head.epoch, head.seq] = _Sent(head.received_at, head.action, exchange, head.message_id)
    tap.frame(
        head.received_at, charger, "charger", "in", head.version, entry.frame,
        action=head.action, id=head.message_id, exchange=exchange, note="repeated" if entry.kind == "repeat" else "",
    )  # fmt: skip


def answered(session: Session, entry: Entry) -> None:
    """The charger answers a CALL of the gateway."""
    head = entry.head
    if not tap.wanted(session.charger):
        return
    try:
        id = decode(entry.frame).id
    except msgspec.MsgspecError:
        id = ""
    sent = _commands.pop((session.charger.casefold(), id), None)
    tap.frame(
        head.received_at, session.charger, "charger", "in", head.version, entry.frame,
        action="" if sent is None else sent.action, id=id, exchange="" if sent is None else sent.exchange,
        ms=-1 if sent is None else max(0, head.received_at - sent.at),
    )  # fmt: skip


def connection(session: Session, entry: Entry) -> None:
    """The charger came or went."""
    head = entry.head
    if tap.wanted(session.charger):
        note = "connected" if entry.kind == "open" else f"disconnected: {head.reason}"
        tap.happened(head.received_at, session.charger, "charger", note, version=head.version)


def upstream(session: Session, link: Link, event: str, why: str) -> None:
    """The socket to a CSMS opened, was lost, or could not be opened."""
    if tap.wanted(session.charger):
        note = event if event == "connected" else f"disconnected: {why}" if event == "lost" else f"not connected: {why}"
        tap.happened(_now(), session.charger, "csms", note, upstream=link.name, version=link.versions[1])


def translated(link: Link, step: Out) -> None:
    """A translator has made a frame: remembered until it leaves."""
    charger = link.charger
    if charger not in tap.following:
        return
    frame, losses = step.frame, tuple((loss.field, loss.kind) for loss in step.losses)
    folded = charger.casefold()
    _versions[folded] = link.versions[0]
    if isinstance(frame, Call):
        where = link.name if step.to == "csms" else ""
        _leaving[folded, where, frame.id] = _cause(link, step.to, frame.id), losses
    elif step.to == "csms":
        _leaving[folded, link.name, "<" + frame.id] = f"{link.name}:{frame.id}", losses
    else:
        for each in link.under_way:
            if each.entry.id == frame.id and (each.counts or link.answers):
                _leaving[folded, "", "{}-{}".format(*each.target)] = "", losses


def wrote(link: Link, data: bytes) -> None:
    """A frame leaves for a CSMS."""
    charger = link.charger
    if not tap.wanted(charger):
        return
    now, folded = _now(), charger.casefold()
    try:
        frame = decode_21(data)
    except msgspec.MsgspecError:
        return
    if isinstance(frame, Send | ResultError):
        tap.frame(
            now, charger, "csms", "out", link.versions[1], data,
            upstream=link.name, action=frame.action if isinstance(frame, Send) else "", id=frame.id,
        )  # fmt: skip
        return
    if isinstance(frame, Call):
        exchange, losses = _leaving.pop((folded, link.name, frame.id), ("", ()))
        action, ms = frame.action, -1
        _asked[folded, link.name, frame.id] = _Sent(now, action, exchange)
    else:
        exchange, losses = _leaving.pop((folded, link.name, "<" + frame.id), (f"{link.name}:{frame.id}", ()))
        sent = _asked.pop((folded, link.name, "<" + frame.id), None)
        action, ms = ("", -1) if sent is None else (sent.action, now - sent.at)
    tap.frame(
        now, charger, "csms", "out", link.versions[1], data,
        upstream=link.name, action=action, id=frame.id, exchange=exchange, losses=losses, ms=ms,
    )  # fmt: skip


def received(session: Session, link: Link, frame: Frame | ResultError) -> None:
    """A frame came from a CSMS."""
    charger = session.charger
    if not (tap.begins if type(frame) is Call else tap.wanted)(charger):
        return
    now, folded = _now(), charger.casefold()
    if isinstance(frame, Call):
        action, exchange, ms = frame.action, f"{link.name}:{frame.id}", -1
        _asked[folded, link.name, "<" + frame.id] = _Sent(now, action, exchange)
    else:
        sent = _asked.pop((folded, link.name, frame.id), None)
        action, exchange, ms = ("", "", -1) if sent is None else (sent.action, sent.exchange, now - sent.at)
    tap.frame(
        now, charger, "csms", "in", link.versions[1], encode(frame),
        upstream=link.name, action=action, id=frame.id, exchange=exchange, ms=ms,
    )  # fmt: skip


def delivered(item: ToCharger) -> None:
    """Something leaves for a charger."""
    charger = item.charger
    if not tap.wanted(charger):
        return
    now, folded = _now(), charger.casefold()
    version = _versions.get(folded, "")
    if item.kind == "close":
        tap.happened(now, charger, "charger", f"closed {item.code}: {item.body.decode(errors='replace')}")
        return
    if item.kind == "call" and not item.message_id:
        tap.frame(now, charger, "charger", "out", version, item.body)
        return
    if item.kind == "call":
        try:
            frame = decode(item.body)
        except msgspec.MsgspecError:
            return
        exchange, losses = _leaving.pop((folded, "", item.message_id), ("", ()))
        action = frame.action if isinstance(frame, Call) else ""
        _commands[folded, item.message_id] = _Sent(now, action, exchange)
        tap.frame(
            now, charger, "charger", "out", version, item.body,
            action=action, id=item.message_id, exchange=exchange, losses=losses,
        )  # fmt: skip
        return
    exchange = f"{item.epoch}-{item.seq}"
    sent = _said.get((folded, item.epoch, item.seq))
    _, losses = _leaving.pop((folded, "", exchange), ("", ()))
    id = "" if sent is None else sent.id
    data = b"[%d,%b,%b]" % (3 if item.kind == "answer" else 4, msgspec.json.encode(id), item.body)
    tap.frame(
        now, charger, "charger", "out", version, data,
        action="" if sent is None else sent.action, id=id, exchange=exchange, losses=losses,
        ms=-1 if sent is None else max(0, now - sent.at),
    )  # fmt: skip


def _cause(link: Link, to: Side, id: str) -> str:
    """The exchange for which a translator asks something."""
    key, asked_by = _origin(link.translator, to, id)
    under_way = link.under_way
    if asked_by is None:  # nothing is translated: it is what has just come
        if to == "charger":
            return f"{link.name}:{next(reversed(link._open_calls), '')}"
        return "{}-{}".format(*under_way[-1].target) if under_way else ""
    if asked_by:
        return f"{link.name}:{asked_by}"
    return next(("{}-{}".format(*each.target) for each in under_way if key and each.entry.id == key), "")


def _origin(translating: Translating, to: Side, id: str) -> tuple[str, str | None]:
    """(journal entry, id of the CSMS's CALL) for which a question is asked; each may be empty, the second unknown."""
    parts = translating.parts if isinstance(translating, Chain) else [translating]
    index = len(parts) - 1 if to == "csms" else 0
    side = to
    while index < len(parts):
        part = parts[index]
        if not isinstance(part, Translator):
            return "", None
        asker = part.asker(side, id)
        if asker is None:
            return "", ""
        if asker.side != "csms":
            return asker.key.partition("/")[0], ""
        index, side, id = index + 1, "charger", asker.source_id
    return "", id
