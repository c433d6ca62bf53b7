"""OCPP-J frames: the JSON array *is* the type, the payload stays undecoded.

Sources: OCPP-J 1.6 section 4, OCPP 2.0.1 part 4 section 4.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Side: TypeAlias = Literal["charger", "csms"]
"""Who a frame comes from or goes to: the charger, or the CSMS of one upstream."""

OTHER: dict[Side, Side] = {"charger": "csms", "csms": "charger"}

EMPTY = msgspec.Raw(b"{}")
"""The payload of a message without members."""


class Call(msgspec.Struct, tag=2, array_like=True, frozen=True, gc=False):
    """CALL `[2, id, action, payload]`."""

    id: str
    action: str
    payload: msgspec.Raw = EMPTY


class Result(msgspec.Struct, tag=3, array_like=True, frozen=True, gc=False):
    """CALLRESULT `[3, id, payload]`."""

    id: str
    payload: msgspec.Raw = EMPTY


class Error(msgspec.Struct, tag=4, array_like=True, frozen=True, gc=False):
    """CALLERROR `[4, id, code, description, details]`; trailing elements that a peer left out get their defaults."""

    id: str
    code: str = "GenericError"
    description: str = ""
    details: msgspec.Raw = EMPTY


class ResultError(msgspec.Struct, tag=5, array_like=True, frozen=True, gc=False):
    """CALLRESULTERROR of 2.1 `[5, id, code, description, details]`: what is wrong with an answer. Nobody answers it."""

    id: str
    """Of the CALL that was answered."""
    code: str = "GenericError"
    description: str = ""
    details: msgspec.Raw = EMPTY


class Send(msgspec.Struct, tag=6, array_like=True, frozen=True, gc=False):
    """SEND of 2.1 `[6, id, action, payload]`. Nobody answers it."""

    id: str
    action: str
    payload: msgspec.Raw = EMPTY


Frame: TypeAlias = Call | Result | Error
Unanswered: TypeAlias = ResultError | Send
"""What 2.1 has besides."""

_decoder: msgspec.json.Decoder[Frame] = msgspec.json.Decoder(Call | Result | Error)
_decoder_21: msgspec.json.Decoder[Frame | Unanswered] = msgspec.json.Decoder(Call | Result | Error | ResultError | Send)
_encoder = msgspec.json.Encoder(decimal_format="number")

decode = _decoder.decode
"""bytes or str -> Frame. Raises msgspec.DecodeError (not JSON) or msgspec.ValidationError (not a frame)."""

decode_21 = _decoder_21.decode
"""The same where 2.1 is spoken."""

encode = _encoder.encode
"""Frame or payload -> bytes. Decimals are written as JSON numbers."""


def packed(payload: msgspec.Struct) -> bytes:
    """A payload to be kept: `encode`, but no byte more. What an encoder gives holds on to all the room it was written in."""
    return bytes(memoryview(encode(payload)))
