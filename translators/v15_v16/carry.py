"""A payload of one version as the same payload of the other: what both have passes, what does not fit is a loss."""

from __future__ import annotations

from functools import cache
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
from msgspec import inspect

from ..dialogue import Dialogue, Refusal

T = TypeVar("T", bound=msgspec.Struct)

IDENTIFIERS: Final = frozenset({"idTag", "key"})
"""A shortened one would be somebody else's: too long is refused."""


class _Member(NamedTuple):
    """A member of the target."""

    name: str
    required: bool
    longest: int
    """0: any length."""
    values: frozenset[str] | None
    """Of an enumeration."""
    struct: type[msgspec.Struct] | None
    many: bool


def carry(d: Dialogue, source: msgspec.Struct, target: type[T], path: str = "", /, **given: Any) -> T:
    """`source` as a `target`; `given` are members that the caller has translated (None: left out).

    Empty optional texts are absent (spec 3), long ones are cut, members that `target` lacks are dropped. Raises Refusal
    for a value that `target` has no word for.
    """
    members, known = _plan(target)
    found = dict(given)
    for member in members:
        if member.name not in given:
            value = getattr(source, member.name, None)
            if value is not None and (value != "" or member.required):
                found[member.name] = _fit(d, value, member, f"{path}{member.name}")
    for name in source.__struct_fields__:
        if name not in known and name not in given and getattr(source, name) not in (None, ""):
            d.lose(f"{path}{name}")
    return target(**{name: value for name, value in found.items() if value is not None})


def _fit(d: Dialogue, value: Any, member: _Member, path: str) -> Any:
    if member.many:
        alone = member._replace(many=False)
        return [_fit(d, each, alone, path) for each in value]
    if member.struct is not None:
        return carry(d, value, member.struct, f"{path}.")
    if member.values is not None and value not in member.values:
        raise Refusal("PropertyConstraintViolation", path)
    if member.longest and len(value) > member.longest:
        if member.name in IDENTIFIERS:
            raise Refusal("PropertyConstraintViolation", path)
        d.lose(path, "shortened")
        return value[: member.longest]
    return value


@cache
def _plan(target: type[msgspec.Struct]) -> tuple[tuple[_Member, ...], frozenset[str]]:
    info = inspect.type_info(target)
    assert isinstance(info, inspect.StructType)
    members = tuple(_member(field.name, field.required, field.type) for field in info.fields)
    return members, frozenset(member.name for member in members)


def _member(name: str, required: bool, kind: inspect.Type, many: bool = False) -> _Member:
    match kind:
        case inspect.UnionType(types=types):
            (only,) = (each for each in types if not isinstance(each, inspect.NoneType))
            return _member(name, required, only, many)
        case inspect.ListType(item_type=item):
            return _member(name, required, item, True)
        case inspect.StructType(cls=struct):
            return _Member(name, required, 0, None, struct, many)
        case inspect.LiteralType(values=values):
            return _Member(name, required, 0, frozenset(map(str, values)), None, many)
        case inspect.StrType(max_length=longest):
            return _Member(name, required, longest or 0, None, None, many)
    return _Member(name, required, 0, None, None, many)
