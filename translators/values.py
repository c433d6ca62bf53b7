"""Value mappings between OCPP 1.6 and 2.0.1, each written once (spec/translation-16-201 section 2).

`up` is towards the newer version, `down` towards the older one. Times are milliseconds since 1970.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from functools import lru_cache
from typing import Final, Generic, NamedTuple, TypeVar

import msgspec

from .models import v16, v201

Old = TypeVar("Old")
New = TypeVar("New")


class TwoWay(Generic[Old, New]):
    """A value mapping written once: `pairs` hold both ways, `up_only` and `down_only` what folds into another value."""

    __slots__ = ("_down", "_up")

    def __init__(
        self,
        pairs: Mapping[Old, New],
        *,
        up_only: Mapping[Old, New] | None = None,
        down_only: Mapping[New, Old] | None = None,
    ) -> None:
        self._up: dict[Old, New] = {**pairs, **(up_only or {})}
        self._down: dict[New, Old] = {new: old for old, new in pairs.items()}
        if len(self._down) != len(pairs):
            raise ValueError("two older values share a newer one: one of them belongs in up_only")
        self._down.update(down_only or {})

    def up(self, value: Old) -> New:
        """The newer value. Raises KeyError if there is none."""
        return self._up[value]

    def down(self, value: New) -> Old:
        """The older value. Raises KeyError if there is none."""
        return self._down[value]

    def up_or(self, value: Old, default: New) -> New:
        return self._up.get(value, default)

    def down_or(self, value: New, default: Old) -> Old:
        return self._down.get(value, default)


# 2.1 Scalars

DAY_MS: Final = 86_400_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_EARLIEST = 1_420_070_400_000  # 2015-01-01: no charger with this protocol is older, its clock was not set
_TIDY = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:[0-5]\d(?:\.\d{1,3})?Z", re.ASCII)
_TIME = re.compile(
    r"(\d{4})-(\d\d?)-(\d\d?)[Tt ](\d\d?):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?\s*(?:([Zz])|([+-])(\d\d):?(\d\d)?)?",
    re.ASCII,
)


_SECONDS: Final = {f"{second:02d}Z": second * 1000 for second in range(60)}
_MORE: Final = {f"{second:02d}.": second * 1000 for second in range(60)}
_MILLISECONDS: Final = {f"{ms:03d}Z": ms for ms in range(1000)}


@lru_cache(256)
def _minute(text: str) -> int | None:
    """Milliseconds since 1970 of the minute that `2026-01-01T00:00:` begins, None if it begins none."""
    return _read_time(text + "00Z") if _TIDY.fullmatch(text + "00Z") else None


def _usual_time(text: str) -> int | None:
    """Milliseconds since 1970 of a time in the forms that nearly all have: UTC with `Z`, in seconds or milliseconds."""
    since, part = _SECONDS.get(text[17:]), 0
    if since is None:
        since, milliseconds = _MORE.get(text[17:20]), _MILLISECONDS.get(text[20:])
        if since is None or milliseconds is None:
            return None
        part = milliseconds
    minute = _minute(text[:17])
    return None if minute is None else minute + since + part


def parse_time(text: str | None) -> int | None:
    """Milliseconds since 1970 of any spelling seen in the field, None if it is no date-time. No zone means UTC."""
    if not text:
        return None
    ms = _usual_time(text)
    return ms if ms is not None else _read_time(text)


@lru_cache(256)
def _read_time(text: str) -> int | None:
    if _TIDY.fullmatch(text):
        try:
            return (datetime.fromisoformat(text) - _EPOCH) // _MS
        except ValueError:
            return None
    if (match := _TIME.fullmatch(text.strip())) is None:
        return None
    year, month, day, hour, minute, second, fraction, _, sign, off_hours, off_minutes = match.groups()
    try:
        # A leap second has no place in a datetime; the second before it is the nearest.
        at = datetime(int(year), int(month), int(day), int(hour), int(minute), min(int(second or 0), 59), tzinfo=UTC)
        offset = timedelta(hours=int(off_hours or 0), minutes=int(off_minutes or 0))
        if offset >= timedelta(days=1) or int(second or 0) > 60:
            return None
        since = at - _EPOCH + (offset if sign == "-" else -offset)
    except ValueError:
        return None
    return since // _MS + int((fraction or "0")[:3].ljust(3, "0"))


def format_time(ms: int) -> str:
    """RFC 3339 in UTC with `Z`; milliseconds only if there are any."""
    at = _EPOCH + timedelta(milliseconds=ms)
    return at.strftime("%Y-%m-%dT%H:%M:%S") + (f".{ms % 1000:03d}Z" if ms % 1000 else "Z")


def tidy_time(text: str | None) -> str | None:
    """`text` as every peer parses it: unchanged if it is, else in UTC with at most 3 decimals; None if no date-time."""
    ms = parse_time(text)
    if ms is None:
        return None
    if text is not None and _TIDY.fullmatch(text):
        return text
    return format_time(ms)


class Moment(msgspec.Struct, frozen=True, gc=False):
    """A timestamp of a charger, made presentable."""

    text: str
    ms: int
    substituted: bool
    """The charger's value was unusable; this is when the gateway received it."""


def charger_time(text: str | None, received: int) -> Moment:
    """The time a charger means; unreadable, before 2015 or over a day ahead of `received`: the time of receipt."""
    if text and (since := _SECONDS.get(text[17:])) is not None and (minute := _minute(text[:17])) is not None:
        ms: int | None = minute + since  # nearly always
    else:
        ms = _usual_time(text) if text else None
    if ms is not None and text and _EARLIEST <= ms <= received + DAY_MS:
        return Moment(text, ms, False)
    tidy = ms is not None
    if not tidy and text:
        ms, tidy = _read_time(text), _TIDY.fullmatch(text) is not None
    if text is None or ms is None or ms < _EARLIEST or ms > received + DAY_MS:
        return Moment(format_time(received), received, True)
    return Moment(text if tidy else format_time(ms), ms, False)


_NUMBER = re.compile(r"[+-]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})(?:[eE][+-]?\d{1,2})?", re.ASCII)


def parse_decimal(text: str) -> Decimal | None:
    """The number in a 1.6 meter value, digits kept, without an exponent; None if it is none (blank, NaN, words)."""
    digits = text.replace(".", "", 1)
    if digits.isdecimal() and digits.isascii() and len(digits) <= 30:  # nearly always
        return Decimal(text) or _ZERO
    text = text.strip()
    if not _NUMBER.fullmatch(text):
        return None
    number = Decimal(text)
    if "e" in text or "E" in text:
        number = Decimal(format(number, "f"))
    return number or _ZERO


_ZERO = Decimal(0)


def plain(value: Decimal) -> str:
    """Plain decimal notation: no exponent, the digits of the source."""
    return format(value, "f")


def tenth(value: Decimal) -> Decimal:
    """Rounded towards zero to one decimal: a limit never grows (1.6 schedules are multiples of 0.1)."""
    return value if value == value.to_integral_value() else value.quantize(Decimal("0.1"), ROUND_DOWN)


def cut(text: str, length: int) -> str:
    """At most `length` code points."""
    return text[:length]


def json_text(data: bytes) -> str:
    """JSON of any type as the string that a 1.6 DataTransfer carries: a string as it is, the rest as compact JSON."""
    try:
        return msgspec.json.decode(data, type=str)
    except msgspec.ValidationError:
        return msgspec.json.format(data, indent=-1).decode()


# 2.4 Authorization

AUTHORIZATION: Final[TwoWay[v16.AuthorizationStatus, v201.AuthorizationStatus]] = TwoWay(
    {
        "Accepted": "Accepted",
        "Blocked": "Blocked",
        "Expired": "Expired",
        "Invalid": "Invalid",
        "ConcurrentTx": "ConcurrentTx",
    },
    down_only={
        "Unknown": "Invalid",
        "NoCredit": "Blocked",
        "NotAllowedTypeEVSE": "Blocked",
        "NotAtThisLocation": "Blocked",
        "NotAtThisTime": "Blocked",
    },
)

# 2.5 Status

CONNECTOR_STATUS: Final[dict[v16.ChargePointStatus, v201.ConnectorStatus]] = {
    "Available": "Available",
    "Preparing": "Occupied",
    "Charging": "Occupied",
    "SuspendedEV": "Occupied",
    "SuspendedEVSE": "Occupied",
    "Finishing": "Occupied",
    "Reserved": "Reserved",
    "Unavailable": "Unavailable",
    "Faulted": "Faulted",
}
"""1.6 -> 2.0.1; the way back needs the state of the transaction."""

CHARGING_STATE: Final[dict[v16.ChargePointStatus, v201.ChargingState]] = {
    "Available": "Idle",
    "Preparing": "EVConnected",
    "Charging": "Charging",
    "SuspendedEV": "SuspendedEV",
    "SuspendedEVSE": "SuspendedEVSE",
    "Finishing": "EVConnected",
}
"""chargingState of an open transaction; statuses that are not listed leave it as it was."""


# 2.7 Stop reasons


class Stop(NamedTuple):
    """What a 1.6 stop reason becomes in an Ended event."""

    reason: v201.Reason
    trigger: v201.TriggerReason


STOP_UP: Final[dict[v16.Reason, Stop]] = {
    "Local": Stop("Local", "StopAuthorized"),
    "Remote": Stop("Remote", "RemoteStop"),
    "DeAuthorized": Stop("DeAuthorized", "Deauthorized"),
    "EVDisconnected": Stop("EVDisconnected", "EVCommunicationLost"),
    "EmergencyStop": Stop("EmergencyStop", "AbnormalCondition"),
    "HardReset": Stop("ImmediateReset", "ResetCommand"),
    "SoftReset": Stop("ImmediateReset", "ResetCommand"),
    "PowerLoss": Stop("PowerLoss", "AbnormalCondition"),
    "Reboot": Stop("Reboot", "AbnormalCondition"),
    "UnlockCommand": Stop("Remote", "UnlockCommand"),
    "Other": Stop("Other", "ChargingStateChanged"),
}
"""`Other` becomes AbnormalCondition while an error is active; an absent reason means Local."""

STOP_DOWN: Final[dict[v201.Reason, v16.Reason]] = {
    "Local": "Local",
    "Remote": "Remote",
    "DeAuthorized": "DeAuthorized",
    "EVDisconnected": "EVDisconnected",
    "EmergencyStop": "EmergencyStop",
    "ImmediateReset": "HardReset",
    "PowerLoss": "PowerLoss",
    "Reboot": "Reboot",
    "MasterPass": "Other",
    "EnergyLimitReached": "Other",
    "TimeLimitReached": "Other",
    "SOCLimitReached": "Other",
    "LocalOutOfCredit": "Other",
    "GroundFault": "Other",
    "OvercurrentFault": "Other",
    "PowerQuality": "Other",
    "StoppedByEV": "Other",
    "Timeout": "Other",
    "Other": "Other",
}
"""Without the overrides by context (unlock and reset commands)."""


# 2.12 Security event names

_SECURITY_EVENTS: Final[TwoWay[str, str]] = TwoWay(
    {
        "FailedToAuthenticateAtCentralSystem": "FailedToAuthenticateAtCsms",
        "CentralSystemFailedToAuthenticate": "CsmsFailedToAuthenticate",
        "InvalidCentralSystemCertificate": "InvalidCsmsCertificate",
        "InvalidChargePointCertificate": "InvalidChargingStationCertificate",
    }
)


def security_event_up(name: str) -> str:
    """The 2.0.1 name of a whitepaper security event; any other name stays."""
    return _SECURITY_EVENTS.up_or(name, name)


def security_event_down(name: str) -> str:
    """The whitepaper name of a 2.0.1 security event; any other name stays."""
    return _SECURITY_EVENTS.down_or(name, name)
