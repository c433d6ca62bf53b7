"""One kind of charger in the configuration, and what it needs."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.config_kinds import Duration, Version


class QuirkProfile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A kind of charger, by what its BootNotification says, and how it is treated. The registry can name a profile for a charger
    (`quirks`). Those of the configuration come before those that ship; the first that fits counts. See [Quirks](quirks.md)."""

    vendor: str = ""
    """Regular expression for the whole vendor's name, in upper or lower case; empty: any."""
    model: str = ""
    """The same for the model."""
    firmware: str = ""
    """The same for the firmware version. A profile with none of the three is only for chargers that the registry gives it."""
    repair: Literal["", "off", "safe", "full"] = ""
    """Like `charger.repair`, before that and the route's."""
    utc_offset: Annotated[str, Meta(pattern=r"^([+-][0-9]{2}:[0-9]{2})?$")] = ""
    """What a translation takes times without a zone for, such as `+02:00`; empty: UTC."""
    versions: tuple[Version, ...] = ()
    """OCPP versions that it shall speak: a charger that came with another one is asked to come again."""
    close_mode: Literal["close", "reset"] = "close"
    """`reset`: its TCP connection is reset where others get a Close frame, for chargers that do not come back after one."""
    silence: Duration = 0
    """How long it may say nothing, for chargers that do not answer pings; 0: three pings."""
    call_timeout: Duration = 0
    """Like `charger.call_timeout`; 0: like that."""
