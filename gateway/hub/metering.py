"""The hub's observations as metrics: cells are obtained once and kept, nothing is looked up by label per message."""

from __future__ import annotations

import logging
from typing import Any

import structlog

from gateway import tap, tracing
from gateway.journal.entry import Entry, exchange_of
from gateway.journal.streams import Batch
from gateway.metrics import Cell, HistogramCell, Metrics
from gateway.metrics_actions import ACTION_GROUP, action_group
from gateway.readiness import Kind
from translators.dialogue import Out
from translators.frames import Call, Error, Frame, Result, ResultError, Side
from translators.losses import Loss

from . import watching
from .answering import trace
from .backlog import Exchange
from .habits import DEAF
from .happenings import Happenings
from .link import Link
from .observer import Observer
from .outcomes import command, translation, violation
from .session import SESSION, Session

log = structlog.get_logger(__name__)


def known(action: str) -> str:
    """The action itself if OCPP knows it, else `other`: nothing a peer invents becomes a key."""
    return action if action in ACTION_GROUP else "other"


POLICY = {
    "ChangeConfiguration": "configuration",
    "SetVariables": "configuration",
    "SetChargingProfile": "charging_profiles",
    "ClearChargingProfile": "charging_profiles",
    "ReserveNow": "reservations",
    "CancelReservation": "reservations",
    "RemoteStartTransaction": "transactions",
    "RequestStartTransaction": "transactions",
    "RemoteStopTransaction": "transactions",
    "RequestStopTransaction": "transactions",
    "UnlockConnector": "transactions",
    "Reset": "transactions",
    "SendLocalList": "local_list",
}
"""Command -> what several upstreams may want differently."""
_KINDS = {"K0": "transaction", "K1": "status", "K2": "other", "K3": "other"}
_DIALS = {
    "connected": "connected",
    "auth_failed": "auth_failed",
    "credentials": "auth_failed",
    "unknown_identity": "unknown_identity",
    "unavailable": "refused",
    "refused": "refused",
    "timeout": "timeout",
    "tls": "tls_failed",
    "subprotocol": "subprotocol_mismatch",
}


class Metering(Observer):
    """Counts for one hub."""

    __slots__ = (
        "_acked",
        "_cells",
        "_conflicting",
        "_delivered",
        "_dequeuing",
        "_happenings",
        "_metrics",
        "_received",
        "_timed",
        "_translated",
        "_translating",
    )

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._cells: dict[tuple[object, ...], Cell | HistogramCell] = {}
        self._translated: dict[tuple[object, ...], tuple[Cell, ...]] = {}
        self._timed: dict[tuple[tuple[str, str], Side], HistogramCell] = {}
        self._delivered: dict[str, tuple[Cell, HistogramCell]] = {}
        self._acked: dict[str, Cell] = {}
        self._received: dict[tuple[str, type[Frame | ResultError], str], Cell] = {}
        self._dequeuing = metrics.processing_duration.cell("dequeue")
        self._translating = metrics.processing_duration.cell("translate")
        self._happenings = Happenings(metrics)
        self._conflicting = ""
        """Upstream whose command has just been refused because of another's: its answer comes in the same turn."""

    def deaf(self, session: Session) -> None:
        self.quirk("cp_deaf", session.version)
        log.warning("cp_deaf", charger_id=session.charger, unanswered=DEAF, resets=session.habits.resets)

    def quirk(self, label: str, version: str, side: str = "charger") -> None:
        self._metrics.quirks.cell(label, version, side).n += 1

    def passed_on(self, link: Link, action: str) -> None:
        self._metrics.messages.cell("csms", "out", "send", known(action), link.versions[1]).n += 1

    def unmatched(self, side: str) -> None:
        self._metrics.unmatched_responses.cell(side).n += 1

    def translated(self, link: Link, step: Out) -> None:
        if tap.armed:
            watching.translated(link, step)
        frame, source, losses = step.frame, step.source, step.losses
        action = frame.action if type(frame) is Call else source
        outcome = "exact" if not losses and type(frame) is not Error else translation(step)
        invalid = outcome == "error" and violation(step)
        key = (link.versions, step.to, type(frame), source, action, outcome, invalid)
        cells = self._translated.get(key)
        if cells is None:
            cells = self._left(link, step, action, outcome, invalid)
            if known(source) == source and known(action) == action:
                self._translated[key] = cells
        for cell in cells:
            cell.n += 1
        if invalid:
            version = link.versions[step.to == "csms"]
            self._metrics.schema_violations.cell(step.to, version, source, "rejected").n += 1
        if losses:
            self.lost(link, step.to, source, losses, frame.action if type(frame) is Call else "")

    def _left(self, link: Link, step: Out, action: str, outcome: str, invalid: bool) -> tuple[Cell, ...]:
        """What counts a frame that a translator sends. With a CALL that it refuses, the way of that counts, not the way back."""
        frame, (charger, csms) = step.frame, link.versions
        refused = invalid or outcome == "unsupported"
        way = (charger, csms) if (step.to == "csms") is not refused else (csms, charger)
        translated = self._metrics.translations.cell(*way, step.source, outcome)
        if step.to == "charger":
            return (translated,)
        kind = "call" if type(frame) is Call else "result" if type(frame) is Result else "error"
        return translated, self._metrics.messages.cell("csms", "out", kind, known(action), csms)

    def lost(self, link: Link, to: Side, source: str, losses: tuple[Loss, ...], action: str = "") -> None:
        if log.is_enabled_for(logging.DEBUG):
            log.debug(
                "translation_losses",
                charger_id=link.charger,
                upstream=link.name,
                action=source,
                to=to,
                message_action=action,
                losses=[{"field": loss.field, "kind": loss.kind} for loss in losses],
            )
        charger, csms = link.versions
        from_version, to_version = (charger, csms) if to == "csms" else (csms, charger)
        for loss in losses:
            self._metrics.translation_lossy_fields.cell(from_version, to_version, source, loss.field).n += 1

    def called(self, link: Link, call: Call) -> None:
        if tracing.armed:
            tracing.current.commanding(link.name, link.charger, link.versions[1], call.action, call.id)

    def trace(self, charger: str, upstream: str) -> str:
        return tracing.current.leg(charger, upstream) if tracing.armed else ""

    def begun(self, link: Link, exchange: Exchange, now: int) -> None:
        if tracing.armed:
            tracing.current.begun(link.name, exchange.entry, now - exchange.entry.head.received_at)

    def done(self, link: Link, exchange: Exchange) -> None:
        if tracing.armed:
            tracing.current.done(link.name, exchange.entry, "unanswered" if exchange.failures else "ok")

    def answered(self, link: Link, exchange: Exchange, answer: Result) -> None:
        self._happenings.answered(link, exchange, answer)

    def told_late(self, link: Link, entry: Entry) -> None:
        self._happenings.told_late(entry)

    def timed(self, link: Link, side: Side, seconds: float) -> None:
        self._translating.observe(seconds)
        key = (link.versions, side)
        cell = self._timed.get(key)
        if cell is None:
            from_version, to_version = link.versions if side == "charger" else link.versions[::-1]
            cell = self._timed[key] = self._metrics.translation_duration.cell(from_version, to_version)
        cell.observe(seconds)

    def upstream_answered(self, link: Link, action: str, ms: int) -> None:
        key = ("upstream", link.name, action)
        cell = self._cells.get(key)
        if cell is None:
            cell = self._metrics.upstream_call_duration.cell(link.name, action_group(action))
            if known(action) == action:
                self._cells[key] = cell
        assert isinstance(cell, HistogramCell)
        cell.observe(ms / 1000)
        if tracing.armed:
            for exchange in link.under_way:
                if exchange.entry.head.trace:
                    tracing.current.asked(link.name, exchange.entry, action, ms)

    def commanded(self, link: Link, action: str, frame: Result | Error, ms: int) -> None:
        if self._conflicting == link.name:
            self._conflicting, outcome = "", "conflict"
        elif not link.may_command or (link.allows is not None and not link.allows(action)):
            outcome = "forbidden"
        else:
            outcome = command(frame)
        self._metrics.commands.cell(link.name, action, outcome).n += 1
        if tracing.armed:
            tracing.current.commanded(link.name, link.charger, frame.id, outcome)
        ended = {
            "conflict": "rejected_policy",
            "forbidden": "rejected_policy",
            "charger_offline": outcome,
            "timeout": outcome,
        }
        self._call("csms", action, ended.get(outcome, "ok" if type(frame) is Result else "call_error"), ms)

    def conflict(self, upstream: str, action: str) -> None:
        self._metrics.command_conflicts.cell(POLICY.get(action, "other")).n += 1
        self._conflicting = upstream

    def lifeline(self, link: Link, action: str, subject: str, policy: str) -> None:
        self._metrics.lifeline_commands.cell(link.name, subject, policy).n += 1
        log.warning(
            "lifeline_command",
            charger_id=link.charger,
            upstream=link.name,
            action=action,
            subject=subject,
            policy=policy,
        )

    def dropped(self, link: Link, entry: Entry, reason: str) -> None:
        self._metrics.messages_dropped.cell(link.name, _class(entry), reason).n += 1

    def untranslatable(self, upstream: str, entry: Entry) -> None:
        """There is no translation between the charger's version and this upstream's, which never gets an entry of it."""
        self._metrics.messages_dropped.cell(upstream, _class(entry), "untranslatable").n += 1

    def locally(self, link: Link, action: str, policy: str) -> None:
        """Answered here, in place of the upstream."""
        self._metrics.local_answers.cell(action, policy).n += 1
        if log.is_enabled_for(logging.DEBUG):
            log.debug(
                "answered_locally",
                charger_id=link.charger,
                upstream=link.name,
                action=known(action),
                policy=policy,
                synthetic=True,
            )

    def barred(self, link: Link) -> None:
        """An upstream refuses a charger."""
        self._metrics.replays_stopped.cell(link.name).n += 1
        log.error(
            "replay_stopped", charger_id=link.charger, upstream=link.name, reason="SecurityError: a boot is needed"
        )

    def expired(self, upstream: str, count: int) -> None:
        """Dead letters whose retention is over are gone."""
        self._metrics.messages_dropped.cell(upstream, "transaction", "retention").n += count

    def poisoned(self, link: Link, entry: Entry, error: Exception) -> None:
        log.error(
            "entry_poisoned",
            **_whose(link, entry),
            entry=entry.id,
            trace=trace(error),
            exc_info=error,
        )

    def compared(self, upstream: str, action: str, kinds: list[Kind], later_ms: int | None) -> None:
        self._metrics.shadow_comparisons.cell(upstream, "differed" if kinds else "agreed").n += 1
        for kind in kinds:
            self._metrics.shadow_differences.cell(upstream, action, kind).n += 1
        if later_ms is not None:
            order = "later" if later_ms >= 0 else "earlier"
            self._metrics.shadow_latency_difference.cell(upstream, order).observe(abs(later_ms) / 1000)

    def uncompared(self, charger: str, error: Exception) -> None:
        log.error("comparison_failed", charger_id=charger, exc_info=error)

    def dead_letter(self, link: Link, entry: Entry, reason: str) -> None:
        self._metrics.dead_letters.cell(link.name, reason).n += 1
        if reason != "poisoned":  # that has a line of its own
            log.warning(
                "dead_letter",
                **_whose(link, entry),
                reason=reason,
            )

    def received(self, frame: Frame | ResultError, version: str, asked: str) -> None:
        """A frame came from a CSMS; of an answer, `asked` is the action of the CALL. Empty: nobody waits for it."""
        action = frame.action if type(frame) is Call else asked
        key = (version, type(frame), action)
        cell = self._received.get(key)
        if cell is None:
            kind = "call" if type(frame) is Call else "result" if type(frame) is Result else "error"
            cell = self._metrics.messages.cell("csms", "in", kind, known(action), version)
            if known(action) == action:
                self._received[key] = cell
        cell.n += 1

    def delivered(self, upstream: str, entries: list[Entry], now: int) -> None:
        """Entries were handed to an upstream's links."""
        if entries:
            cells = self._delivered.get(upstream)
            if cells is None:
                cells = self._delivered[upstream] = (
                    self._metrics.stream_delivered.cell(upstream),
                    self._metrics.stream_wait.cell(upstream),
                )
            delivered, wait = cells
            delivered.n += len(entries)
            for entry in entries:
                seconds = max(now - entry.head.received_at, 0) / 1000
                wait.observe(seconds)
            if not int(delivered.n) & 15:
                self._dequeuing.observe(seconds)

    def redelivered(self, batch: Batch, *, claimed: bool) -> None:
        """What was pending is read again, or may have been told by an owner that died; `claimed`: it was another owner's."""
        for group, entries in batch.items():
            if entries and group != SESSION:
                self._metrics.stream_redelivered.cell(group).n += len(entries)
                if claimed:
                    self._metrics.stream_claimed.cell(group).n += len(entries)

    def gone(self, upstream: str, count: int) -> None:
        """Entries that an upstream had not finished are in the store no more; nobody knows what they said."""
        self._metrics.messages_dropped.cell(upstream, "transaction", "trimmed").n += count
        log.error("entries_lost", upstream=upstream, entries=count, reason="somebody trimmed or deleted them")

    def acknowledged(self, upstream: str, count: int) -> None:
        """An upstream is done with entries."""
        cell = self._acked.get(upstream)
        if cell is None:
            cell = self._acked[upstream] = self._metrics.stream_acked.cell(upstream)
        cell.n += count

    def upstream(self, name: str, event: str, ended: str = "") -> None:
        """A dial ended, or a socket was lost."""
        if event == "lost":
            self._metrics.upstream_disconnects.cell(name, ended).n += 1
        else:
            self._metrics.upstream_connect_attempts.cell(name, _DIALS.get(event, "other")).n += 1

    def _call(self, initiator: str, action: str, outcome: str, ms: int) -> None:
        action = known(action)
        key = (initiator, action, outcome)
        cell = self._cells.get(key)
        if cell is None:
            cell = self._cells[key] = self._metrics.calls.cell(initiator, action, outcome)
        assert isinstance(cell, Cell)
        cell.n += 1
        group = ("duration", initiator, action)
        duration = self._cells.get(group)
        if duration is None:
            duration = self._cells[group] = self._metrics.call_duration.cell(initiator, action_group(action))
        assert isinstance(duration, HistogramCell)
        duration.observe(ms / 1000)


def _class(entry: Entry) -> str:
    return "meter" if entry.head.action == "MeterValues" else _KINDS[entry.head.cls]


def _whose(link: Link, entry: Entry) -> dict[str, Any]:
    """What a log line says of a message."""
    return {
        "charger_id": link.charger,
        "upstream": link.name,
        "action": known(entry.head.action),
        "message_id": entry.head.message_id,
        "exchange": exchange_of(entry.head),
    }
