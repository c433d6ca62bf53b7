"""What every typed payload is made of.

Members keep the names of the schemas. A member that may be absent is None when it is: null is accepted from a peer
and never sent to one. Numbers are Decimals and keep their digits; timestamps are strings as the peer wrote them.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, ClassVar, Generic, TypeAlias, TypeVar, cast

import msgspec


class Struct(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """A payload, or an object inside one."""


T = TypeVar("T", bound=msgspec.Struct)
R = TypeVar("R")


class Request(Struct, Generic[R]):
    """The payload of a CALL whose CALLRESULT carries an R."""

    action: ClassVar[str]
    response: ClassVar[type[Struct]]


Int64: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""The schemas do not bound an integer; no peer or store can hold more than this."""

ABSENT = msgspec.Raw()
"""An optional member of any JSON type that is not there (it is false; every JSON text, null included, is true)."""


def response_of(request: Request[R] | type[Request[R]]) -> type[R]:
    """The type of the answer to `request`."""
    return cast(type[R], request.response)


NOT_PLAIN = "Expected a number in the range of a double"


def is_plain(number: Decimal) -> bool:
    """Whether a peer can hold the number: no NaN, no infinity, and an exponent about as small as a double's.

    Expanding 1e999999999, as int() and format() do, would take all memory.
    """
    return -400 < number.adjusted() < 400 and number.is_finite()


class _Decoders(dict[Any, Any]):
    """Payload type -> its strict decoder, built at its first use."""

    def __missing__(self, type_: Any) -> msgspec.json.Decoder[Any]:
        found = self[type_] = msgspec.json.Decoder(type_)
        return found


decoders = _Decoders()


def decoder(type_: type[T]) -> msgspec.json.Decoder[T]:
    """The strict decoder of a payload type."""
    return decoders[type_]  # type: ignore[no-any-return]
