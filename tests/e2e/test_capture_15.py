"""A recorded 1.5 charger replayed against a 2.0.1 CSMS: all it says is answered, all commands reach it."""

from __future__ import annotations

import json
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

from ocpp.v201 import call as call201

from .charger15 import Charger15
from .charges import charges_201
from .conftest import Connect, StartCsms, StartGateway

FRAMES: list[tuple[str, list[Any]]] = [
    (item["dir"], item["frame"])
    for item in map(json.loads, (Path(__file__).parent / "recordings/ocpp15/ocppjs_15.jsonl").read_text().splitlines())
]
RECORDED = 1
"""The transaction number in what this charger says; its own CSMS had answered 0, which it does not heed."""


def answers() -> dict[str, list[dict[str, Any]]]:
    """Command -> what the charger answered."""
    asked = {frame[1]: frame[2] for direction, frame in FRAMES if direction == "out" and frame[0] == 2}
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for direction, frame in FRAMES:
        if direction == "in" and frame[0] == 3:
            found[asked[frame[1]]].append(frame[2])
    return found


class Recorded(Charger15):
    """Answers commands as recorded."""

    recorded = answers()

    def _answer(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        return self.recorded[action][0]


def command(action: str, payload: dict[str, Any]) -> Any:
    """The 2.0.1 form of a recorded command; None for one that 2.0.1 puts otherwise."""
    token = {"id_token": payload.get("idTag", ""), "type": "ISO14443"}
    legacy = {"name": "OCPP16LegacyCtrlr"}
    match action:
        case "GetConfiguration":
            data = [{"component": legacy, "variable": {"name": key}} for key in payload["key"]]
            return call201.GetVariables(get_variable_data=data)
        case "ChangeConfiguration":
            item = {"component": legacy, "variable": {"name": payload["key"]}, "attribute_value": payload["value"]}
            return call201.SetVariables(set_variable_data=[item])
        case "RemoteStartTransaction":
            return call201.RequestStartTransaction(evse_id=1, remote_start_id=1, id_token=token)
        case "UnlockConnector":
            return call201.UnlockConnector(evse_id=1, connector_id=1)
        case "ChangeAvailability":
            return call201.ChangeAvailability(operational_status=payload["type"], evse={"id": 1})
        case "ClearCache":
            return call201.ClearCache()
        case "GetDiagnostics":
            log = {"remote_location": payload["location"]}
            return call201.GetLog(log_type="DiagnosticsLog", request_id=1, log=log)
        case "UpdateFirmware":
            firmware = {"location": payload["location"], "retrieve_date_time": payload["retrieveDate"]}
            return call201.UpdateFirmware(request_id=2, firmware=firmware)
        case "GetLocalListVersion":
            return call201.GetLocalListVersion()
        case "SendLocalList":
            entry = {
                "id_token": {"id_token": "044943121F1D80", "type": "ISO14443"},
                "id_token_info": {"status": "Accepted"},
            }
            return call201.SendLocalList(version_number=1, update_type="Full", local_authorization_list=[entry])
        case "ReserveNow":
            return call201.ReserveNow(id=3, evse_id=1, expiry_date_time="2099-12-01T00:00:00Z", id_token=token)
        case "CancelReservation":
            return call201.CancelReservation(reservation_id=3)
        case "DataTransfer":
            return call201.DataTransfer(vendor_id="x", message_id="GetChargeInstruction")
        case "Reset":
            return call201.Reset(type="Immediate")
    return None


async def test_recorded_15_charger(start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect) -> None:
    csms = await start_csms("ocpp2.0.1")
    gateway = await start_gateway({"main": csms})
    charger: Recorded = await plug_in(Recorded, gateway.url, "CB15")
    station = csms.station("CB15")
    number = RECORDED
    reached: list[str] = []
    for direction, frame in FRAMES:
        if frame[0] != 2:
            continue
        if direction == "in":
            payload = {name: number if name == "transactionId" else value for name, value in frame[3].items()}
            answer = await charger.call(frame[2], payload)
            number = answer.get("transactionId", number)
        elif (request := command(frame[2], frame[3])) is not None:
            answer = await station.call(request)
            status = getattr(answer, "status", "Accepted")
            assert status in ("Accepted", "Unlocked"), f"{request}: {answer}"
            reached.append(frame[2])
    heard = [exchange.action for exchange in charger.recorder.calls()]
    own = "GetConfiguration"  # the gateway asks for it as well
    assert own in heard
    assert [action for action in heard if action != own] == [action for action in reached if action != own]
    [told] = charges_201(station.recorder)
    assert told.energy == Decimal(20)
    registers = [
        sample["value"]
        for event in told.events[1:-1]
        for each in event.get("meterValue", [])
        for sample in each["sampledValue"]
        if sample["measurand"] == "Energy.Active.Import.Register"
    ]
    assert registers == [0, 20], "meter values under their 1.6 names, which its own CSMS refused"
