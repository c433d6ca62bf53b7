"""The same charging, whichever version the charger speaks: for tests that are about something else."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from .charger import Charger16, Charger201
from .charger15 import Charger15
from .charges import charges_16, charges_201
from .csms import Csms

TAG = "04A1B2C3"
CHARGERS: dict[str, type[Any]] = {"ocpp1.5": Charger15, "ocpp1.6": Charger16, "ocpp2.0.1": Charger201}


class Driver:
    """Somebody who charges at a charger of any version."""

    def __init__(self, charger: Any) -> None:
        self.charger = charger

    async def boot(self) -> tuple[str, int]:
        """Status and interval of the answer."""
        answer = await self.charger.boot()
        if isinstance(answer, dict):
            return answer["status"], answer["heartbeatInterval"]
        return answer.status, answer.interval

    async def authorize(self, tag: str = TAG) -> str:
        if isinstance(self.charger, Charger15):
            answer = await self.charger.call("Authorize", {"idTag": tag})
            status: str = answer["idTagInfo"]["status"]
            return status
        said: str = await self.charger.authorize(tag)
        return said

    async def start(self, connector: int = 1) -> Any:
        if isinstance(self.charger, Charger201):
            return await self.charger.started(connector, {"idToken": TAG, "type": "ISO14443"})
        return await self.charger.start(connector, TAG)

    async def meter(self, transaction: Any, energy: int, connector: int = 1) -> None:
        """So many Wh later."""
        self.charger.meter += energy
        if isinstance(self.charger, Charger201):
            await self.charger.updated(transaction)
        elif isinstance(self.charger, Charger15):
            await self.charger.meter_values(connector, transaction, "A")
        else:
            await self.charger.meter_values(connector, transaction)

    async def stop(self, transaction: Any) -> None:
        if isinstance(self.charger, Charger201):
            await self.charger.ended(transaction)
        else:
            await self.charger.stop(transaction)

    async def status(self, occupied: bool) -> None:
        busy = "Charging" if isinstance(self.charger, Charger16) else "Occupied"
        await self.charger.status(1, busy if occupied else "Available")


def books(csms: Csms, charger: str) -> list[Decimal | None]:
    """What the CSMS bills, in order of the begin: Wh; None for what has not ended."""
    heard = csms.station(charger).recorder
    return [each.energy for each in (charges_201(heard) if csms.version == "ocpp2.0.1" else charges_16(heard))]
