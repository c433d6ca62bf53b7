"""How an edge treats a charger with a quirk profile: said by a hub, which knows what the charger is. Pure."""

from __future__ import annotations

from typing import Final

import msgspec


class Treatment(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is different from other chargers."""

    reset: bool = False
    """Its TCP connection is reset where others get a Close frame."""
    silence: float = 0.0
    """Seconds for which it may say nothing; 0: like others."""
    versions: tuple[str, ...] = ()
    """OCPP versions that it shall speak if it offers one of them; empty: any."""


USUAL: Final = Treatment()
_decode = msgspec.json.Decoder(Treatment).decode
encode = msgspec.json.encode


def decode(body: bytes) -> Treatment:
    """Of a hub; what cannot be read, of a newer release, changes nothing."""
    try:
        return _decode(body)
    except msgspec.MsgspecError:
        return USUAL
