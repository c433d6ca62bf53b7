"""Where the answer of a shadow differs from the one that counts. Pure.

Both are compared as the charger would hear them, in its own OCPP version, after translation. Only what decides something is
looked at: never ids of transactions, times, texts or costs.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, TypeAlias

import msgspec

from gateway.readiness import Class, Kind
from translators.error_codes import neutral_code
from translators.frames import Error, Result

LATE_MS: Final = 2_000
"""A shadow that takes so much longer than the other is late."""
INFINITE: Final = -1
"""Milliseconds of an answer that never came."""

NONE: Final = "(none)"
UNREADABLE: Final = "(unreadable)"
RESULT: Final = "CALLRESULT"
SILENCE: Final = "(no answer)"

BOOT: Final = "BootNotification"
VERDICTS: Final = frozenset(("Authorize", "StartTransaction", "StopTransaction", "TransactionEvent"))
"""Their answers may say whether a token may charge."""
_ALWAYS: Final = frozenset(("Authorize", "StartTransaction", BOOT))
"""Their answers always decide something."""


class Said(msgspec.Struct, frozen=True, gc=False):
    """What an answer comes to. All words are letters only, or one of the constants above: they may be shown."""

    outcome: str = RESULT
    """Or the code of a CALLERROR in its neutral spelling, or SILENCE."""
    verdict: str = ""
    """Authorisation status of the token; "": nothing was said of it."""
    status: str = ""
    """Registration status."""
    interval: int | None = None
    """Of the heartbeats, or until the next boot; seconds."""
    ms: int = INFINITE
    """From the beginning of the exchange with that upstream to its answer."""


class Difference(msgspec.Struct, frozen=True, gc=False):
    """One thing that differs."""

    kind: Kind
    answer: str
    """Of the upstream whose answer counts."""
    shadow: str


class _Info(msgspec.Struct):
    status: str = ""


class _Verdict(msgspec.Struct):
    idTagInfo: _Info | None = None
    idTokenInfo: _Info | None = None


_Seconds: TypeAlias = Annotated[float, msgspec.Meta(gt=-1e9, lt=1e9)]


class _Boot(msgspec.Struct):
    status: str = ""
    interval: _Seconds | None = None
    heartbeatInterval: _Seconds | None = None
    """1.5"""


_verdict = msgspec.json.Decoder(_Verdict)
_boot = msgspec.json.Decoder(_Boot)
_letters = re.compile(r"[A-Za-z]{1,40}").fullmatch

NOTHING: Final = Said(SILENCE)


def heard(action: str, frame: Result | Error, ms: int) -> Said:
    """What the answer to a charger's CALL with this action comes to; it took `ms`."""
    if isinstance(frame, Error):
        return Said(neutral_code(frame.code), ms=ms)
    try:
        if action == BOOT:
            boot = _boot.decode(frame.payload)
            interval = boot.heartbeatInterval if boot.interval is None else boot.interval
            return Said(status=word(boot.status), interval=None if interval is None else int(interval), ms=ms)
        if action in VERDICTS:
            verdict = _verdict.decode(frame.payload)
            info = verdict.idTagInfo or verdict.idTokenInfo
            return Said(verdict=word(info.status) if info is not None else "", ms=ms)
    except msgspec.MsgspecError:
        return Said(UNREADABLE, ms=ms)
    return Said(ms=ms)


def differences(action: str, answer: Said, shadow: Said) -> list[Difference]:
    """How a shadow's answer to a CALL with this action differs from the one that counts. At most one of verdict, boot_status,
    interval, error and missing, and latency beside any but the last."""
    if shadow.outcome == SILENCE:
        return [] if answer.outcome == SILENCE else [Difference("missing", answer.outcome, SILENCE)]
    if answer.outcome == SILENCE:
        return []  # there is nothing to compare with
    found: list[Difference] = []
    if answer.outcome != shadow.outcome:
        found.append(Difference("error", answer.outcome, shadow.outcome))
    elif answer.status != shadow.status:
        found.append(Difference("boot_status", answer.status or NONE, shadow.status or NONE))
    elif answer.interval != shadow.interval:
        found.append(Difference("interval", _seconds(answer), _seconds(shadow)))
    elif _verdict_of(action, answer) != _verdict_of(action, shadow):
        found.append(Difference("verdict", answer.verdict or NONE, shadow.verdict or NONE))
    if answer.ms >= 0 and shadow.ms - answer.ms > LATE_MS:
        found.append(Difference("latency", f"{answer.ms} ms", f"{shadow.ms} ms"))
    return found


def class_of(action: str, billing: bool, answer: Said, shadow: Said) -> Class:
    """What a compared message is. `billing`: it is one that must never be lost (reliability 5.2: K0)."""
    if action in _ALWAYS or answer.verdict or shadow.verdict:
        return "decision"
    return "billing" if billing else "other"


def _verdict_of(action: str, said: Said) -> str:
    """To say nothing of a token refuses nothing, but for an Authorize, which asks."""
    return said.verdict or ("" if action in ("Authorize", "StartTransaction") else "Accepted")


def _seconds(said: Said) -> str:
    return NONE if said.interval is None else f"{said.interval} s"


def word(text: str) -> str:
    """OCPP's words are letters; whatever else a CSMS puts in their place may be personal."""
    return text if not text or _letters(text) else UNREADABLE
