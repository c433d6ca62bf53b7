"""What answers a charger in the place of a CSMS of its own version that is away or silent (spec 8.3).

Between equal versions nothing is decoded but what this needs: the tokens that the charger asked about, and the verdicts.
BootNotification is none of its business: whether a charger is registered is for the gateway to say.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Raw

from .frames import EMPTY, Call
from .options import Options
from .values import format_time, parse_time

FORMAT: Final = 1
"""A reader refuses facts with a newer number."""
PART: Final = "standin"
"""Name of its part of the stored facts."""
VERDICTS_MOST: Final = 256
STARTED_MOST: Final = 32
_ASKED_MOST: Final = 16
_REJECTED: Final = Raw(b'{"status":"Rejected"}')
_ACCEPTED: Final = Raw(b'{"status":"Accepted"}')

SETTLED: Final[dict[str, Raw]] = {
    "DataTransfer": _REJECTED,
    "SignCertificate": _REJECTED,
    "NotifyEVChargingNeeds": _REJECTED,
    "Get15118EVCertificate": Raw(b'{"status":"Failed","exiResponse":""}'),
    "GetCertificateStatus": Raw(b'{"status":"Failed"}'),
}
"""What nobody but the CSMS can decide is refused; having been refused, it is not told to the CSMS later."""

_PASSING: Final = frozenset(("ConcurrentTx", "NotAtThisTime", "NotAtThisLocation"))
"""Verdicts about a moment or a place, not about a token."""


class Verdict(msgspec.Struct, array_like=True, gc=False):
    """What the CSMS said last of a token."""

    info: bytes
    """Its idTagInfo or idTokenInfo."""
    at: int
    """When, ms."""


class Kept(msgspec.Struct, omit_defaults=True):
    """What is stored. Only ever extended, always with defaults."""

    format: int = FORMAT
    version: str = ""
    """OCPP version of the verdicts."""
    verdicts: dict[str, Verdict] = {}
    """By token (2.x: with its type), casefolded."""
    started: dict[str, str] = {}
    """2.x: journal entry of a TransactionEvent whose token was accepted here -> its transaction."""
    early_until: str = ""
    """2.x: journal entry up to which the charger was answered while the CSMS was away."""
    stopped: list[str] = []
    """2.x: transactions that the CSMS has refused since."""


class _Token(msgspec.Struct, frozen=True):
    idToken: str = ""
    type: str = ""


class _Transaction(msgspec.Struct, frozen=True):
    transactionId: str = ""


class Said(msgspec.Struct):
    """What a charger says that a token is in, of any version."""

    idTag: str | None = None
    idToken: _Token | None = None
    eventType: str = ""
    transactionInfo: _Transaction = _Transaction()
    certificate: Raw = Raw()
    iso15118CertificateHashData: Raw = Raw()

    @property
    def certified(self) -> bool:
        """The verdict is about a certificate, too."""
        return bool(bytes(self.certificate) or bytes(self.iso15118CertificateHashData))

    @property
    def key(self) -> str:
        """The token; "" if there is none to be judged."""
        if self.idToken is not None:
            return "" if self.certified else f"{self.idToken.type} {self.idToken.idToken}".casefold()
        return (self.idTag or "").casefold()


class _Answer(msgspec.Struct):
    idTagInfo: Raw = Raw()
    idTokenInfo: Raw = Raw()


class _Info(msgspec.Struct):
    status: str = ""
    expiryDate: str | None = None
    cacheExpiryDateTime: str | None = None


_said = msgspec.json.Decoder(Said)
_answer = msgspec.json.Decoder(_Answer)
_info = msgspec.json.Decoder(_Info)
_encoder = msgspec.msgpack.Encoder()
HEEDED: Final = frozenset(("Authorize", "StartTransaction", "StopTransaction", "TransactionEvent"))


class StandIn:
    """For one charger and one CSMS."""

    def __init__(self, version: str, options: Options, neutral: frozenset[str]) -> None:
        """`neutral`: actions that an empty payload answers."""
        self.kept = Kept(version=version)
        self.options = options
        self._old = version in ("ocpp1.5", "ocpp1.6")
        self._neutral = neutral
        self._stored = b""
        self._changed = False
        self._asked: dict[str, str] = {}
        """Id of a CALL that the CSMS has not answered -> the token in it."""

    # -- what the CSMS says ------------------------------------------------------------------------------------------

    def passes(self, id: str, call: Call) -> None:
        """A charger's CALL goes to the CSMS as `id`."""
        if call.action in HEEDED and (said := read(bytes(call.payload))) is not None and said.key:
            self._asked[id] = said.key
            if len(self._asked) > _ASKED_MOST:
                del self._asked[next(iter(self._asked))]

    def heed(self, id: str, payload: bytes, now: int) -> None:
        """The CSMS answers CALL `id`."""
        if (key := self._asked.pop(id, "")) and (info := info_of(payload)) is not None:
            if status_of(info) in _PASSING:
                return
            verdicts = self.kept.verdicts
            verdicts.pop(key, None)
            verdicts[key] = Verdict(info, now)
            if len(verdicts) > VERDICTS_MOST:
                del verdicts[next(iter(verdicts))]
            self._changed = True

    def clear(self) -> None:
        """The CSMS clears the charger's cache: what it said before counts no more."""
        if self.kept.verdicts:
            self.kept.verdicts = {}
            self._changed = True

    # -- what is said in its place -----------------------------------------------------------------------------------

    def away(self, call: Call, clock: int, key: str, tx: int) -> Raw | None:
        """The answer; None: none. `tx`: the number minted for a StartTransaction of journal entry `key`."""
        action = call.action
        if action == "Heartbeat":
            return _json({"currentTime": format_time(clock)})
        if action in HEEDED and action != "StopTransaction":
            said = read(bytes(call.payload))
            return None if said is None else self._judged(action, said, clock, key, tx)
        if action == "NotifyEVChargingSchedule":
            return _ACCEPTED
        return EMPTY if action in self._neutral else SETTLED.get(action)

    def _judged(self, action: str, said: Said, clock: int, key: str, tx: int) -> Raw | None:
        if self._old:
            info = self.judge(said, clock)
            if action == "Authorize":
                return _json({"idTagInfo": info})
            return _json({"transactionId": tx, "idTagInfo": info}) if tx else None
        if action == "Authorize":
            if not said.certified:
                return _json({"idTokenInfo": self.judge(said, clock)})
            return _json({"idTokenInfo": {"status": "Invalid"}, "certificateStatus": "NoCertificateAvailable"})
        if said.idToken is None:
            return EMPTY
        info = self.judge(said, clock)
        if said.eventType != "Ended" and key and info.get("status") == "Accepted":
            self.kept.started[key] = said.transactionInfo.transactionId
            while len(self.kept.started) > STARTED_MOST:
                del self.kept.started[next(iter(self.kept.started))]
            self._changed = True
        return _json({"idTokenInfo": info})

    def judge(self, said: Said, clock: int) -> dict[str, Any]:
        """What a token is worth: the last verdict if it is not too old, else the option; without a token: accepted."""
        if said.idToken is not None and (said.idToken.type == "NoAuthorization" or not said.idToken.idToken):
            return {"status": "Accepted"}
        known = self.kept.verdicts.get(said.key)
        if known is None or known.at + self.options.offline_cache_ttl * 1000 <= clock:
            return {"status": self.options.offline_unknown_id}
        found: dict[str, Any] = msgspec.json.decode(known.info)
        told = _info.decode(known.info)
        expires = parse_time(told.expiryDate or told.cacheExpiryDateTime)
        if expires is not None and expires <= clock:
            found["status"] = "Expired"
        return found

    # -- a token that was accepted here, and that the CSMS refuses (2.x) ---------------------------------------------

    def began(self, key: str) -> str:
        """The transaction whose token was accepted here at journal entry `key`; "" for none."""
        return self.kept.started.get(key, "")

    def stop(self, transaction: str) -> None:
        """The CSMS has refused it."""
        if transaction not in self.kept.stopped:
            self.kept.stopped = [*self.kept.stopped[1 - STARTED_MOST :], transaction]
            self._changed = True

    def ended(self, transaction: str) -> None:
        """A transaction is over for the CSMS."""
        if transaction in self.kept.stopped:
            self.kept.stopped = [each for each in self.kept.stopped if each != transaction]
            self._changed = True

    @property
    def early_until(self) -> str:
        """Journal entry up to which the charger was answered while the CSMS was away."""
        return self.kept.early_until

    @early_until.setter
    def early_until(self, key: str) -> None:
        self._changed = self._changed or key != self.kept.early_until
        self.kept.early_until = key

    def forget(self, key: str) -> None:
        """Journal entry `key` is done."""
        if self.kept.started.pop(key, None) is not None:
            self._changed = True

    def restore(self, stored: bytes) -> None:
        """Go on from what `stored` gave; verdicts of another version do not count. Raises ValueError for newer facts."""
        kept = msgspec.msgpack.decode(stored, type=Kept) if stored else self.kept
        if kept.format > FORMAT:
            raise ValueError(f"verdicts have format {kept.format}, this release reads up to {FORMAT}")
        if stored and kept.version == self.kept.version:
            self.kept, self._stored = kept, stored

    def stored(self) -> bytes:
        """For the store; the same object as before if nothing has changed."""
        if self._changed:
            self._changed = False
            kept = self.kept
            full = kept.verdicts or kept.started or kept.stopped or kept.early_until
            self._stored = _encoder.encode(kept) if full else b""
        return self._stored


def read(payload: bytes) -> Said | None:
    """What a charger says; None if it cannot be read."""
    try:
        return _said.decode(payload)
    except msgspec.MsgspecError:
        return None


def info_of(payload: bytes) -> bytes | None:
    """The verdict in an answer; None if there is none that can be read."""
    try:
        answer = _answer.decode(payload)
        raw = bytes(answer.idTagInfo) or bytes(answer.idTokenInfo)
        return raw if raw and _info.decode(raw).status else None
    except msgspec.MsgspecError:
        return None


def status_of(info: bytes) -> str:
    """Of a verdict."""
    return _info.decode(info).status


def _json(payload: dict[str, Any]) -> Raw:
    return Raw(msgspec.json.encode(payload))
