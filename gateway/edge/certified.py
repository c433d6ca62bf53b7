"""A charger that came with a certificate: its BootNotification must name the same serial number (2.0.1 B01.FR.11, .12).

A 1.x charger that names another is told of in the log and the metric, and let be unless it is strict (row S04).
"""

from __future__ import annotations

from typing import Final

import msgspec
import structlog

from gateway.edge.access import Admission
from gateway.edge.connection import ChargerConnection
from gateway.edge.counters import count
from gateway.edge.hearing import Pending

log = structlog.get_logger(__name__)

CLOSE_CODE: Final = 1008


class _Station(msgspec.Struct, frozen=True):
    serialNumber: str = ""


class _Boot(msgspec.Struct):
    """The serial numbers in a BootNotification of any version."""

    chargePointSerialNumber: str = ""
    chargeBoxSerialNumber: str = ""
    chargingStation: _Station = _Station()


_boot = msgspec.json.Decoder(_Boot)


def serials_of(payload: bytes) -> frozenset[str]:
    """The serial numbers that a boot tells, casefolded; none if it cannot be read."""
    try:
        boot = _boot.decode(payload)
    except msgspec.MsgspecError:
        return frozenset()
    told = (boot.chargePointSerialNumber, boot.chargeBoxSerialNumber, boot.chargingStation.serialNumber)
    return frozenset(each.strip().casefold() for each in told if each.strip())


class CertifiedConnection(ChargerConnection):
    """Looks at boots before they go to the journal. Other connections do not pay for it."""

    __slots__ = ("_serials",)

    def _welcome(self, admission: Admission) -> None:
        self._serials = admission.serials
        super()._welcome(admission)

    def _append(self, pending: Pending) -> None:
        take = pending[0]
        if take.action == "BootNotification" and take.kind == "call" and self._serials:
            told = serials_of(take.payload)
            # A 1.6 charger has two serial numbers, of which one is in the certificate.
            if told and not told & self._serials:
                count(self._edge.counters.security, "serial")
                log.warning("security_event", type="serial", charger_id=self.charger, source=self.peer[0])
                # Only 2.x demands the same number in both: 1.6 chargers put what they like into either.
                if self.guard.strict or not self.guard.version.startswith("ocpp1"):
                    self.part("wrong_serial", CLOSE_CODE, "serial number is not that of the certificate")
                    return
        super()._append(pending)
