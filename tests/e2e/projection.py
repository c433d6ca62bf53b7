"""What must be the same whatever version the other side speaks: the charger's conversation, and the CSMS's account of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ocpp.v16 import call as call16
from ocpp.v201 import call as call201

from .charges import REGISTER, Charge, charges_16, charges_201, registers
from .csms import Station
from .wire import Exchange, Recorder

TIMES = {"timestamp", "currentTime", "generatedAt"}
ASKED_BY_THE_GATEWAY = {"GetConfiguration", "GetVariables", "GetBaseReport", "NotifyReport"}
"""What a gateway that translates asks a charger on its own account, and the answer to it."""


def conversation(recorder: Recorder) -> list[tuple[bool, str, Any, Any]]:
    """The CALLs of a charger and to it in order: action, payload, answer. Times are left out and ids are counted."""
    seen: dict[str, dict[Any, str]] = {"transactionId": {}, "remoteStartId": {}}

    def bare(value: Any, name: str = "") -> Any:
        if name in seen:
            return seen[name].setdefault(value, f"#{len(seen[name]) + 1}")
        match value:
            case dict():
                return {key: bare(each, key) for key, each in value.items() if key not in TIMES}
            case list():
                return [bare(each) for each in value]
        return value

    def line(exchange: Exchange) -> tuple[bool, str, Any, Any]:
        answer = exchange.error[0] if exchange.error else bare(exchange.answer)
        return exchange.mine, exchange.action, bare(exchange.payload), answer

    return [line(each) for each in recorder.exchanges if each.action not in ASKED_BY_THE_GATEWAY]


@dataclass
class Account:
    """What a CSMS knows of a charger at the end of the day."""

    charges: list[tuple[int, str, Decimal | None, str]] = field(default_factory=list)
    """Connector, token, Wh, why it ended."""
    readings: list[Decimal] = field(default_factory=list)
    """Registers in between, in Wh."""
    statuses: dict[int, list[str]] = field(default_factory=dict)
    """Of each connector: Available, Occupied, Faulted, ...; repeats left out."""
    station: tuple[str, str, str] = ("", "", "")
    """Vendor, model, serial number."""


def charges(recorder: Recorder) -> list[Charge]:
    """The transactions of a CSMS's transcript of either version."""
    return charges_201(recorder) if recorder.version == "ocpp2.0.1" else charges_16(recorder)


def account(recorder: Recorder) -> Account:
    """The account of a transcript of either version."""
    return _account_201(recorder) if recorder.version == "ocpp2.0.1" else _account_16(recorder)


def _account_16(recorder: Recorder) -> Account:
    found = Account()
    starts = {x.answer["transactionId"]: x.payload for x in recorder.calls("StartTransaction") if x.answer}
    reasons = {x.payload["transactionId"]: x.payload.get("reason", "Local") for x in recorder.calls("StopTransaction")}
    for charge in charges_16(recorder):
        start = starts[int(charge.id)]
        found.charges.append((start["connectorId"], start["idTag"], charge.energy, reasons[int(charge.id)]))
    for exchange in recorder.calls("MeterValues"):
        found.readings += _registers_16(exchange.payload)
    for exchange in recorder.calls("StatusNotification"):
        word = exchange.payload["status"]
        plain = word if word in ("Available", "Faulted", "Unavailable", "Reserved") else "Occupied"
        _note(found, exchange.payload["connectorId"], plain)
    [boot, *_] = recorder.calls("BootNotification")
    names = ("chargePointVendor", "chargePointModel", "chargePointSerialNumber")
    found.station = tuple(boot.payload[name] for name in names)
    return found


def _registers_16(payload: dict[str, Any]) -> Iterator[Decimal]:
    for element in payload["meterValue"]:
        for sample in element["sampledValue"]:
            if sample.get("measurand", REGISTER) == REGISTER:
                yield Decimal(sample["value"])


def _account_201(recorder: Recorder) -> Account:
    found = Account()
    for charge in charges_201(recorder):
        [token] = {event["idToken"]["idToken"] for event in charge.events if "idToken" in event}
        [evse] = {event["evse"]["id"] for event in charge.events if "evse" in event}
        reason = charge.events[-1]["transactionInfo"].get("stoppedReason", "Local")
        found.charges.append((evse, token, charge.energy, reason))
        for event in charge.events:
            found.readings += [value for context, value in registers(event) if context == "Sample.Periodic"]
    for exchange in recorder.calls("StatusNotification"):
        _note(found, exchange.payload["evseId"], exchange.payload["connectorStatus"])
    [boot, *_] = recorder.calls("BootNotification")
    station = boot.payload["chargingStation"]
    found.station = (station["vendorName"], station["model"], station["serialNumber"])
    return found


def _note(found: Account, connector: int, status: str) -> None:
    told = found.statuses.setdefault(connector, [])
    if connector and told[-1:] != [status]:
        told.append(status)
    if not connector:
        del found.statuses[connector]


class Desk:
    """An operator who gives the same commands to a charger whatever version the CSMS speaks; each gives the answer's status."""

    def __init__(self, station: Station) -> None:
        self.station = station
        self.new = station.recorder.version == "ocpp2.0.1"

    async def _ask(self, old: Any, new: Any) -> str:
        status: str = (await self.station.call(new if self.new else old)).status
        return status

    async def start(self, connector: int, tag: str) -> str:
        token = {"id_token": tag, "type": "ISO14443"}
        return await self._ask(
            call16.RemoteStartTransaction(connector_id=connector, id_tag=tag),
            call201.RequestStartTransaction(evse_id=connector, remote_start_id=5, id_token=token),
        )

    async def stop(self) -> str:
        """The newest transaction."""
        id = charges(self.station.recorder)[-1].id
        return await self._ask(
            None if self.new else call16.RemoteStopTransaction(transaction_id=int(id)),
            call201.RequestStopTransaction(transaction_id=id),
        )

    async def unlock(self, connector: int) -> str:
        return await self._ask(
            call16.UnlockConnector(connector_id=connector), call201.UnlockConnector(evse_id=connector, connector_id=1)
        )

    async def availability(self, connector: int, status: str) -> str:
        return await self._ask(
            call16.ChangeAvailability(connector_id=connector, type=status),
            call201.ChangeAvailability(operational_status=status, evse={"id": connector}),
        )

    async def clear_cache(self) -> str:
        return await self._ask(call16.ClearCache(), call201.ClearCache())

    async def data(self, text: str) -> str:
        old, new = (
            version.DataTransfer(vendor_id="com.example", message_id="m", data=text) for version in (call16, call201)
        )
        answer = await self.station.call(new if self.new else old)
        return f"{answer.status} {answer.data}"

    async def trigger(self, message: str) -> str:
        """Heartbeat, or StatusNotification of connector 1."""
        place = {"connector_id": 1} if message == "StatusNotification" else {}
        return await self._ask(
            call16.TriggerMessage(requested_message=message, **place),
            call201.TriggerMessage(requested_message=message, evse={"id": 1, **place} if place else None),
        )

    async def reset(self) -> str:
        return await self._ask(call16.Reset(type="Hard"), call201.Reset(type="Immediate"))

    async def read(self, name: str) -> str:
        """The value of a configuration key of the same name in both versions, of OCPPCommCtrlr in 2.0.1."""
        if not self.new:
            value: str = (await self.station.call(call16.GetConfiguration(key=[name]))).configuration_key[0]["value"]
            return value
        data = [{"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": name}, "attribute_type": "Actual"}]
        got = await self.station.call(call201.GetVariables(get_variable_data=data))
        value = got.get_variable_result[0]["attribute_value"]
        return value
