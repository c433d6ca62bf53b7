"""By what a CALL is recognised when a charger sends it again, and for how long (reliability 5.5).

Pure. Only transaction messages are decoded, and only the members that identify them.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final

import msgspec

from gateway.journal.entry import Class

WEEK: Final = 7 * 86_400
HOUR: Final = 3_600
QUARTER: Final = 900

_SANE_YEAR, _LAST_SANE_YEAR = "2015", "2099"
_YEAR = re.compile(r"\s*(\d{4})-", re.ASCII)
_TIMESTAMP = re.compile(rb'"(?:timestamp|generatedAt)"\s*:\s*"(\d{4})-')


class Fingerprint(msgspec.Struct, frozen=True, gc=False):
    """`key`: hexadecimal digest; empty: every such CALL is new. `ttl`: seconds for which it holds. `mint_tx`: the CALL
    opens a transaction and needs a number of ours in case the CSMS gives none in time."""

    key: str = ""
    ttl: int = 0
    mint_tx: bool = False


NONE: Final = Fingerprint()


class _Start(msgspec.Struct, gc=False):
    idTag: str
    timestamp: str
    connectorId: msgspec.Raw = msgspec.Raw()
    meterStart: msgspec.Raw = msgspec.Raw()
    reservationId: msgspec.Raw = msgspec.Raw()


class _Stop(msgspec.Struct, gc=False):
    timestamp: str
    transactionId: msgspec.Raw
    meterStop: msgspec.Raw = msgspec.Raw()


class _TransactionInfo(msgspec.Struct, gc=False):
    transactionId: str


class _Event(msgspec.Struct, gc=False):
    eventType: str
    timestamp: str
    seqNo: msgspec.Raw
    transactionInfo: _TransactionInfo


_start = msgspec.json.Decoder(_Start).decode
_stop = msgspec.json.Decoder(_Stop).decode
_event = msgspec.json.Decoder(_Event).decode


def fingerprint(action: str, cls: Class, payload: bytes, message_id: str, epoch: int) -> Fingerprint:
    """How a CALL of a charger is recognised. `epoch`: number of its connection."""
    if cls == "K2" or cls == "K3":
        return NONE
    try:
        if action == "StartTransaction":
            start = _start(payload)
            if _is_sane(start.timestamp):
                return Fingerprint(
                    _digest(
                        action,
                        start.connectorId,
                        start.idTag.casefold(),
                        start.timestamp,
                        start.meterStart,
                        start.reservationId,
                    ),
                    WEEK,
                    True,
                )
        elif action == "StopTransaction":
            stop = _stop(payload)
            return Fingerprint(_digest(action, stop.transactionId, stop.timestamp, stop.meterStop), WEEK)
        elif action == "TransactionEvent":
            event = _event(payload)
            info = event.transactionInfo
            key = _digest(action, info.transactionId, event.seqNo, event.eventType, event.timestamp)
            return Fingerprint(key, HOUR if event.eventType == "Updated" else WEEK)
    except (msgspec.MsgspecError, RecursionError):
        pass
    if action == "StartTransaction":
        # A charger without a clock that counts its message ids from 1 after every start makes the same bytes for
        # different sessions: hold it only as long as a retry takes. A lost session is worse than a doubled one.
        return Fingerprint(_digest(action, message_id, payload), QUARTER, True)
    stamp = _TIMESTAMP.search(payload)
    if stamp is not None and stamp[1].decode() >= _SANE_YEAR:
        return Fingerprint(sha256(b"%b\x00%b" % (action.encode(), payload)).hexdigest()[:32], HOUR)
    return Fingerprint(_digest(action, str(epoch), message_id, payload), QUARTER)


def _is_sane(timestamp: str) -> bool:
    """Whether a clock that was set may have made it. What is no time at all may be the same in each session."""
    year = _YEAR.match(timestamp)
    return year is not None and _SANE_YEAR <= year[1] <= _LAST_SANE_YEAR


def _digest(*parts: str | bytes | msgspec.Raw) -> str:
    text = b"\x00".join(part.encode() if isinstance(part, str) else bytes(part) for part in parts)
    return sha256(text).hexdigest()[:32]
