"""One charging session: what the driver, the charger and the CSMS do, in order."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from gateway.demo.charger import PATIENCE, Charger
from gateway.demo.csms import Csms, Station

TAG = "04A2B9C1D7E5F0"
SAMPLES = ((11.0, 34), (11.0, 47), (10.9, 61), (7.4, 73))
"""What the meter tells: power in kW, state of charge in percent."""
STEP_WH = 920
"""What is charged between two samples. A session lasts seconds here and hours at a charger."""


class Surprise(Exception):
    """Somebody answered what the script did not expect."""


def expect(what: str, got: object, wanted: object = "Accepted") -> None:
    """Raises Surprise unless both are the same."""
    if got != wanted:
        raise Surprise(f"{what}: {got!r} instead of {wanted!r}")


@dataclass(frozen=True)
class Session:
    """One play. Odd sessions are started by the CSMS, even ones by the driver's card."""

    number: int
    charger: Charger
    csms: Csms
    pause: float
    """Between two steps, s: for the eyes of who watches."""

    async def play(self) -> None:
        """Raises Surprise, TimeoutError, OSError, or an exception of `ocpp` or websockets."""
        await self.charger.connect()
        try:
            await self._arrive()
            station = await self.csms.station(self.charger.identity)
            await self._provision(station)
            await self._begin(station)
            await self._charge(station)
            await self._end(station)
            await self._report(station)
        finally:
            await self.charger.close()

    async def _rest(self, steps: float = 1) -> None:
        await asyncio.sleep(self.pause * steps)

    async def _arrive(self) -> None:
        charger = self.charger
        expect("BootNotification", await charger.boot())
        await self._rest(2)  # the gateway reads the charger's configuration meanwhile
        await charger.status(0, "Available")
        await self._rest()
        await charger.status(1, "Available")
        await self._rest()
        await charger.heartbeat()
        await self._rest()

    async def _provision(self, station: Station) -> None:
        interval = ("SampledDataCtrlr", "TxUpdatedInterval")
        before = await station.get_variables(interval, ("OCPPCommCtrlr", "HeartbeatInterval"))
        expect("GetVariables", before, [self.charger.configuration["MeterValueSampleInterval"], "300"])
        await self._rest()
        wanted = "30" if before[0] == "60" else "60"
        statuses = await station.set_variables((*interval, wanted), ("OCPPCommCtrlr", "HeartbeatInterval", "300"))
        expect("SetVariables", statuses, ["Accepted", "Accepted"])
        expect("MeterValueSampleInterval", self.charger.configuration["MeterValueSampleInterval"], wanted)
        await self._rest()

    async def _begin(self, station: Station) -> None:
        charger = self.charger
        await charger.status(1, "Preparing")
        await self._rest()
        if self.number % 2:
            expect("RequestStartTransaction", await station.request_start(self.number, TAG))
            await self._rest()
        expect("Authorize", await charger.authorize(TAG))
        await self._rest()
        expect("StartTransaction", await charger.start(TAG))
        await self._rest()
        await charger.status(1, "Charging")
        await self._rest()

    async def _charge(self, station: Station) -> None:
        charger = self.charger
        for count, (power, soc) in enumerate(SAMPLES):
            charger.register += STEP_WH
            await charger.meter_values(power, soc)
            await self._rest()
            if count == 1:
                expect("TriggerMessage", await station.trigger_meter_values())
                await self._rest(0.5)
                charger.register += 40
                await charger.meter_values(power, soc, "Trigger")
                await self._rest()
                # A 1.6 charger would end the transaction; a 2.0.1 CSMS does not expect that.
                expect("UnlockConnector", await station.unlock(), "OngoingAuthorizedTransaction")
                await self._rest()

    async def _end(self, station: Station) -> None:
        charger = self.charger
        await charger.status(1, "SuspendedEV")
        await self._rest()
        expect("RequestStopTransaction", await station.request_stop())
        await self._rest()
        charger.register += 12
        await charger.stop("Remote")
        await self._rest()
        await charger.status(1, "Finishing")
        await self._rest()
        await charger.status(1, "Available")
        await self._rest()

    async def _report(self, station: Station) -> None:
        expect("GetBaseReport", await station.base_report(self.number))
        async with asyncio.timeout(PATIENCE):
            await station.reported.wait()
        await self._rest()
