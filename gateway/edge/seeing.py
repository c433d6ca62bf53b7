"""What an edge shows to those who watch: what no hub hears of. Called only while somebody watches (`tap.armed`), and seldom."""

from __future__ import annotations

import msgspec

from gateway import tap
from gateway.edge.verdict import Refuse
from gateway.journal.entry import Head


def malformed(charger: str, version: str, refuse: Refuse, data: bytes, now: int) -> None:
    """A frame that was not accepted, and what the charger is told."""
    if tap.wanted(charger):
        tap.frame(now, charger, "charger", "in", version, data, note=f"not accepted: {refuse.row}")
    if refuse.reply and tap.wanted(charger):
        tap.frame(now, charger, "charger", "out", version, refuse.reply, note=f"answered here: {refuse.row}")


def answered(head: Head, frame: bytes, body: bytes, now: int) -> None:
    """A CALL that came before, and its stored answer."""
    charger, version, exchange = head.charger, head.version, f"{head.epoch}-{head.seq}"
    if tap.wanted(charger):
        tap.frame(
            head.received_at, charger, "charger", "in", version, frame,
            action=head.action, id=head.message_id, exchange=exchange, note="it came before",
        )  # fmt: skip
    if tap.wanted(charger):
        answer = b"[3,%b,%b]" % (msgspec.json.encode(head.message_id), body)
        tap.frame(
            now, charger, "charger", "out", version, answer,
            action=head.action, id=head.message_id, exchange=exchange, ms=max(0, now - head.received_at),
            note="the stored answer",
        )  # fmt: skip
