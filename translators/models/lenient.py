"""Lenient in, strict out: payloads from peers are repaired where their meaning is plain, ours are checked.

A payload that is as the schema wants it costs one strict decode. Only one that is not is walked member by member; what
had to be repaired is returned, as `label path`. The labels:

    payload_null    null for the whole payload: read as {}
    null_member     null for a member, or in a list: dropped
    num_as_string   a number for a string: its own digits
    type_coerced    "1" or 1.0 for 1, "true" or 1 for true, true for "true", "1.5" for 1.5
    obj_as_list     a lone item for a list: wrapped
    enum_case       wrong case, or blanks around: the canonical value
    enum_synonym    a known misspelling: the canonical value
    enum_unknown    an unknown value: kept as it is
    too_long        an over-long string: kept as it is
    empty_list      no item where one is required: kept
    default_filled  a timestamp is missing: the caller's
    old_names       a 2.0.1 boot that names its station as 1.6 does: renamed, for the reason Unknown if it gives none

Unknown members are ignored and empty strings allowed without a label, and so is null for an optional member where nothing
else is wrong. A payload with `enum_unknown`, `too_long` or `empty_list` does not pass `check` unchanged: its translation
has to decide.

Sources: reliability.md sections 1.5, 3 (Q18 to Q38) and 6.4.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from functools import cache
from typing import Any, Literal, NoReturn, TypeAlias, TypeVar, cast

import msgspec
from msgspec import Raw, inspect

from .. import frames
from .base import decoder, decoders, is_plain
from .rewriting import Changes, lists, objects, rewrite

T = TypeVar("T", bound=msgspec.Struct)

Code: TypeAlias = Literal[
    "FormatViolation", "OccurrenceConstraintViolation", "PropertyConstraintViolation", "TypeConstraintViolation"
]
"""CALLERROR codes in the neutral (2.0.1) spelling."""


class Invalid(Exception):
    """A payload that cannot be repaired. `path` is the member at fault, "" for the payload itself."""

    def __init__(self, code: Code, path: str) -> None:
        super().__init__(code, path)
        self.code: Code = code
        self.path = path


def decode(type_: type[T], raw: bytes | Raw, *, timestamp: str | None = None) -> tuple[T, list[str]]:
    """The payload as a `type_`, and the repairs made. Raises Invalid.

    `timestamp` fills required members of that name that are missing.
    """
    try:
        return decoders[type_].decode(raw), []
    except msgspec.ValidationError:
        pass
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Invalid("FormatViolation", "") from None
    walk = _Walk(timestamp)
    try:
        return cast(T, walk.payload(type_, bytes(raw).strip())), walk.repairs
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Invalid("FormatViolation", "") from None


def repair(
    type_: type[msgspec.Struct], raw: bytes, *, timestamp: str | None = None, drastic: bool = False
) -> tuple[bytes, list[str]]:
    """The payload with what has to be repaired in it, everything else as it was written; and the repairs. Raises Invalid.

    `drastic`: also where something is lost by it. Over-long strings are cut, unknown values become Other, unknown members and
    meter values without a sample go. Then also a payload that its schema takes may be repaired.
    """
    walk = _Walk(timestamp)
    try:
        walk.payload(type_, raw.strip())
        changes = walk.changes
        if drastic:
            changes |= walk.drastic | dict.fromkeys(walk.extra)
            walk.repairs += [f"extra_field {path}" for path in walk.extra]
        return rewrite(b"{}" if raw.strip() == b"null" else raw, changes, walk.wrapped), walk.repairs
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Invalid("FormatViolation", "") from None


def check(payload: msgspec.Struct) -> bytes:
    """Encode a payload that is about to leave. Raises msgspec.ValidationError when its schema would refuse it."""
    try:
        text = frames.encode(payload)
        decoder(type(payload)).decode(text)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeError, TypeError, RecursionError) as error:
        # NaN, a lone surrogate, an object that has no JSON form
        raise msgspec.ValidationError(str(error)) from error
    return text


@cache
def _fields(type_: type[msgspec.Struct]) -> tuple[inspect.Field, ...]:
    return cast(inspect.StructType, inspect.type_info(type_)).fields


_texts: msgspec.json.Decoder[str] = msgspec.json.Decoder(str)
_anything: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(dict[str, Any])

_INTEGER = re.compile(r"[+-]?[0-9]{1,30}")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,9})?")
_LEADING = re.compile(r"^\+?(-?)0*(?=[0-9])")
"""What JSON does not allow before a number."""
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_STATION = {
    "chargePointVendor": "vendorName",
    "chargePointModel": "model",
    "chargePointSerialNumber": "serialNumber",
    "firmwareVersion": "firmwareVersion",
}
_SYNONYMS = {"celsius": "celcius", "celcius": "celsius", "hz": "hertz", "hertz": "hz"}


class _Walk:
    """One payload, level by level: each value stays the text that was received until its type is known."""

    def __init__(self, timestamp: str | None) -> None:
        self.timestamp = timestamp
        self.repairs: list[str] = []
        self.changes: Changes = {}
        self.drastic: Changes = {}
        """Further ones by which something is lost."""
        self.extra: list[str] = []
        """Where there is a member that the schema does not have."""
        self.wrapped: set[str] = set()
        """Where a lone item stands for a list."""

    def payload(self, type_: type[msgspec.Struct], raw: bytes) -> msgspec.Struct:
        if raw == b"null":
            self._repaired("payload_null", "")
            raw = b"{}"
        if not raw.startswith(b"{"):
            raise Invalid("FormatViolation", "")
        return self._struct(type_, raw, "")

    def _repaired(self, label: str, path: str) -> None:
        self.repairs.append(f"{label} {path}".rstrip())

    def _replaced(self, label: str, path: str, value: str | bool | bytes | None) -> None:
        """The text at `path` gives way to another; None: it goes. Bytes are JSON already."""
        self._repaired(label, path)
        self.changes[path] = frames.encode(value) if isinstance(value, str | bool) else value

    def _struct(self, type_: type[msgspec.Struct], raw: bytes, path: str) -> msgspec.Struct:
        if not raw.startswith(b"{"):
            _refuse(path)
        given = objects(raw)
        fields = _fields(type_)
        if not path and "chargePointVendor" in given and any(each.name == "chargingStation" for each in fields):
            given = self._renamed(given)
        members: dict[str, Any] = {}
        if len(given) > sum(field.encode_name in given for field in fields):
            known = {field.encode_name for field in fields}
            self.extra += [f"{path}.{name}" if path else name for name in given if name not in known]
        for field in fields:
            name = field.encode_name
            where = f"{path}.{name}" if path else name
            text = bytes(given[name]).strip() if name in given else b"null"
            if text != b"null":
                members[field.name] = self._value(field.type, text, where)
            elif field.required:
                members[field.name] = self._missing(where, null=name in given)
            elif name in given:
                self._replaced("null_member", where, None)
        return type_(**members)

    def _renamed(self, given: dict[str, Raw]) -> dict[str, Raw]:
        """A boot with its station in one piece."""
        if "chargingStation" in given:
            return given
        station = frames.encode({new: given[old] for old, new in _STATION.items() if old in given})
        self._replaced("old_names", "chargingStation", station)
        self.changes |= dict.fromkeys((old for old in _STATION if old in given), None)
        if "reason" not in given:
            self.changes["reason"] = b'"Unknown"'
        return {"reason": Raw(b'"Unknown"'), **given, "chargingStation": Raw(station)}

    def _missing(self, path: str, *, null: bool) -> str:
        if self.timestamp is None or path.rpartition(".")[2] != "timestamp":
            raise Invalid("OccurrenceConstraintViolation", path)
        if null:
            self._repaired("null_member", path)
        self._replaced("default_filled", path, self.timestamp)
        return self.timestamp

    def _value(self, kind: inspect.Type, text: bytes, path: str) -> Any:
        """The value of one member or item; `text` is not null and has no blanks around it."""
        match kind:
            case inspect.UnionType(types=types):
                (only,) = (each for each in types if not isinstance(each, inspect.NoneType))
                return self._value(only, text, path)
            case inspect.LiteralType(values=values):
                return self._enum(cast(tuple[str, ...], values), text, path)
            case inspect.StrType(max_length=longest):
                return self._string(longest, text, path)
            case inspect.IntType(ge=least, le=most):
                return self._integer(cast(int, least), cast(int, most), text, path)
            case inspect.DecimalType():
                return self._number(text, path)
            case inspect.BoolType():
                return self._boolean(text, path)
            case inspect.StructType(cls=type_):
                return self._struct(type_, text, path)
            case inspect.ListType(item_type=item, min_length=least, max_length=most):
                return self._list(item, least or 0, most, text, path)
            case inspect.DictType():
                return _anything.decode(text) if text.startswith(b"{") else _refuse(path)
            case inspect.RawType():
                return Raw(text)
        raise TypeError(f"{path}: no lenient reading of {kind}")

    def _list(self, item: inspect.Type, least: int, most: int | None, text: bytes, path: str) -> list[Any]:
        if text.startswith(b"["):
            texts = [bytes(each).strip() for each in lists(text)]
        else:
            self._repaired("obj_as_list", path)
            self.wrapped.add(path)
            texts = [text]
        values = []
        for index, each in enumerate(texts):
            where = f"{path}[{index}]"
            if each == b"null":
                self._replaced("null_member", where, None)
            else:
                values.append(self._value(item, each, where))
        if most is not None and len(values) > most:
            raise Invalid("OccurrenceConstraintViolation", path)
        if len(values) < least:
            self._repaired("empty_list", path)
            if path.endswith("].sampledValue"):
                self.drastic[path.removesuffix(".sampledValue")] = None
        return values

    def _string(self, longest: int | None, text: bytes, path: str) -> str:
        if text.startswith(b'"'):
            value = _texts.decode(text)
        elif text in (b"true", b"false"):
            value = text.decode()
            self._replaced("type_coerced", path, value)
        elif text[:1] in (b"{", b"["):
            _refuse(path)
        else:
            value = text.decode()
            self._replaced("num_as_string", path, value)
        if longest is not None and len(value) > longest:
            self._repaired("too_long", path)
            self.drastic[path] = frames.encode(value[:longest])
        return value

    def _enum(self, values: tuple[str, ...], text: bytes, path: str) -> str:
        if not text.startswith(b'"'):
            _refuse(path)
        value = _texts.decode(text)
        if value in values:
            return value
        folded = value.strip().casefold()
        for label, wanted in (("enum_case", folded), ("enum_synonym", _SYNONYMS.get(folded))):
            found = _only(each for each in values if each.casefold() == wanted)
            if found is not None:
                self._replaced(label, path, found)
                return found
        self._repaired("enum_unknown", path)
        if other := next((each for each in ("Other", "OtherError") if each in values), ""):
            self.drastic[path] = frames.encode(other)
            if path == "errorCode":
                self.drastic["vendorErrorCode"] = frames.encode(value[:50])
        return value

    def _integer(self, least: int, most: int, text: bytes, path: str) -> int:
        value = _plain(text)
        if _INTEGER.fullmatch(value):
            number = int(value)
        elif _NUMBER.fullmatch(value):
            exact = Decimal(value)
            if not is_plain(exact):
                raise Invalid("PropertyConstraintViolation", path)
            if exact != exact.to_integral_value():
                _refuse(path)
            number = int(exact)
        else:
            _refuse(path)
        if not least <= number <= most:
            raise Invalid("PropertyConstraintViolation", path)
        if text != str(number).encode():
            self._replaced("type_coerced", path, str(number).encode())
        return number

    def _number(self, text: bytes, path: str) -> Decimal:
        value = _plain(text)
        if not _NUMBER.fullmatch(value):
            _refuse(path)
        number = Decimal(value)
        if not is_plain(number):
            raise Invalid("PropertyConstraintViolation", path)
        if text.startswith(b'"'):
            self._replaced("type_coerced", path, _LEADING.sub(r"\1", value).encode())
        return number

    def _boolean(self, text: bytes, path: str) -> bool:
        value = _BOOLEANS.get(_plain(text).lower())
        if value is None:
            _refuse(path)
        if text not in (b"true", b"false"):
            self._replaced("type_coerced", path, value)
        return value


def _refuse(path: str) -> NoReturn:
    raise Invalid("TypeConstraintViolation", path)


def _plain(text: bytes) -> str:
    """The text of a number, a boolean, or what a string holds."""
    return _texts.decode(text).strip() if text.startswith(b'"') else text.decode()


def _only(found: Iterable[str]) -> str | None:
    """The one item, or None if there are none or several."""
    several = list(found)
    return several[0] if len(several) == 1 else None
