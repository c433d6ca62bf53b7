"""Recordings of 1.6 chargers that are not ours, replayed: every transaction ends with the right energy."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from ocpp.exceptions import OCPPError
from ocpp.v16 import call as call16
from ocpp.v201 import call as call201

from .charges import charges_16, charges_201
from .conftest import StartCsms, StartGateway
from .csms import Csms, Station
from .replay import FOLDER, Recording, Replay

NAMES = sorted(path.stem for path in FOLDER.glob("*.jsonl"))


def decide_as_recorded(csms: Csms, recording: Recording) -> None:
    """Lets the CSMS give the recorded statuses in their order, Accepted where the recording has none."""
    queues = {action: list(statuses) for action, statuses in recording.verdicts.items()}

    def verdict(action: str, _token: str) -> str:
        queue = queues.get("StartTransaction" if action == "Started" else action)
        return queue.pop(0) if queue else "Accepted"

    csms.verdict = verdict


def commands_201(station: Station) -> Any:
    """The 2.0.1 form of the recorded 1.6 commands that a transaction needs, and of some others."""
    remote_starts = 0

    def transaction(number: int) -> str:
        """The 2.0.1 id of the newest open transaction; recordings have one at a time."""
        opened = [charge.id for charge in charges_201(station.recorder) if charge.energy is None]
        return opened[-1] if opened else str(number)

    async def command(action: str, payload: dict[str, Any]) -> None:
        nonlocal remote_starts
        request: Any
        if action == "RemoteStartTransaction":
            remote_starts += 1
            request = call201.RequestStartTransaction(
                evse_id=payload["connectorId"],
                remote_start_id=remote_starts,
                id_token={"id_token": payload["idTag"], "type": "ISO14443"},
            )
        elif action == "RemoteStopTransaction":
            request = call201.RequestStopTransaction(transaction_id=transaction(payload["transactionId"]))
        elif action == "Reset":
            request = call201.Reset(type={"Hard": "Immediate", "Soft": "OnIdle"}[payload["type"]])
        elif action == "ClearCache":
            request = call201.ClearCache()
        elif action == "UnlockConnector":
            request = call201.UnlockConnector(evse_id=payload["connectorId"], connector_id=1)
        elif action == "TriggerMessage" and payload["requestedMessage"] in ("Heartbeat", "StatusNotification"):
            evse = {"id": payload["connectorId"], "connector_id": 1} if payload.get("connectorId") else None
            request = call201.TriggerMessage(requested_message=payload["requestedMessage"], evse=evse)
        else:
            return
        with contextlib.suppress(OCPPError):
            answer = await station.call(request)
            if action.startswith("Remote"):
                assert answer.status == "Accepted", f"{request}: {answer}"

    return command


def commands_16(station: Station) -> Any:
    async def command(action: str, payload: dict[str, Any]) -> None:
        if action in ("RemoteStartTransaction", "RemoteStopTransaction"):
            snake = {"connectorId": "connector_id", "idTag": "id_tag", "transactionId": "transaction_id"}
            request = getattr(call16, action)(**{snake[key]: value for key, value in payload.items()})
            assert (await station.call(request)).status == "Accepted"

    return command


def refused(replay: Replay) -> list[str]:
    """The CALLs of the charger that got a CALLERROR; these CSMSs give none."""
    return [f"{x.action}: {x.error}" for x in replay.recorder.calls(mine=True) if x.error is not None]


@pytest.mark.parametrize("name", NAMES)
async def test_recording_against_a_16_csms(name: str, start_csms: StartCsms) -> None:
    """Without a gateway: the player itself."""
    recording = Recording.load(name)
    csms = await start_csms("ocpp1.6")
    decide_as_recorded(csms, recording)
    station = csms.station("CP1")
    replay = Replay(recording, csms.url, "CP1", commands_16(station))
    await replay.run()
    assert refused(replay) == []
    assert [c.energy for c in charges_16(station.recorder) if c.energy is not None] == recording.energies


@pytest.mark.parametrize("name", NAMES)
async def test_recording_against_a_201_csms_through_the_gateway(
    name: str, start_csms: StartCsms, start_gateway: StartGateway
) -> None:
    recording = Recording.load(name)
    assert recording.energies, "a recording without a transaction proves nothing"
    csms = await start_csms("ocpp2.0.1")
    decide_as_recorded(csms, recording)
    gateway = await start_gateway({"main": csms})
    station = csms.station("CP1")
    replay = Replay(recording, gateway.url, "CP1", commands_201(station))
    await replay.run()

    # A start that the CSMS refused has no stop in the recording; the gateway may end it when the next one begins.
    assert [charge.energy for charge in charges_201(station.recorder) if charge.accepted] == recording.energies
    assert refused(replay) == []
    assert replay.recorder.faults == []
