"""Every row of the stop reasons, both ways (spec 2.7)."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from tests.translators.v16_v201.conversation import TAG, TOKEN, Charger, ended, stop
from tests.translators.v201_v16 import conversation as c201
from translators.models import v16, v201
from translators.values import STOP_DOWN, STOP_UP

UP = [
    (None, "Local", "StopAuthorized"),
    ("Local", "Local", "StopAuthorized"),
    ("Remote", "Remote", "RemoteStop"),
    ("DeAuthorized", "DeAuthorized", "Deauthorized"),
    ("EVDisconnected", "EVDisconnected", "EVCommunicationLost"),
    ("EmergencyStop", "EmergencyStop", "AbnormalCondition"),
    ("HardReset", "ImmediateReset", "ResetCommand"),
    ("SoftReset", "ImmediateReset", "ResetCommand"),
    ("PowerLoss", "PowerLoss", "AbnormalCondition"),
    ("Reboot", "Reboot", "AbnormalCondition"),
    ("UnlockCommand", "Remote", "UnlockCommand"),
    ("Other", "Other", "ChargingStateChanged"),
]
DOWN = [
    (None, "Local"),
    ("Local", "Local"),
    ("Remote", "Remote"),
    ("DeAuthorized", "DeAuthorized"),
    ("EVDisconnected", "EVDisconnected"),
    ("EmergencyStop", "EmergencyStop"),
    ("ImmediateReset", "HardReset"),
    ("PowerLoss", "PowerLoss"),
    ("Reboot", "Reboot"),
    ("MasterPass", "Other"),
    ("EnergyLimitReached", "Other"),
    ("TimeLimitReached", "Other"),
    ("SOCLimitReached", "Other"),
    ("LocalOutOfCredit", "Other"),
    ("GroundFault", "Other"),
    ("OvercurrentFault", "Other"),
    ("PowerQuality", "Other"),
    ("StoppedByEV", "Other"),
    ("Timeout", "Other"),
    ("Other", "Other"),
]


def test_no_reason_is_missing() -> None:
    assert {row[0] for row in UP} - {None} == set(get_args(v16.Reason)) == STOP_UP.keys()
    assert {row[0] for row in DOWN} - {None} == set(get_args(v201.Reason)) == STOP_DOWN.keys()


@pytest.mark.parametrize(("reason", "stopped", "trigger"), UP)
def test_up(reason: str | None, stopped: str, trigger: str) -> None:
    """The token passes with the reasons of a driver only; Idle is told for a cable that is out."""
    charger = Charger()
    charger.starts()
    given: dict[str, Any] = {"reason": reason} if reason else {}
    more: dict[str, Any] = {"idToken": TOKEN} if stopped == "Local" else {}
    state = "Idle" if reason == "EVDisconnected" else None
    charger.says(
        "StopTransaction",
        stop(idTag=TAG, **given),
        ended(1, trigger=trigger, reason=stopped, state=state, **more),
    )


def test_other_while_something_is_wrong() -> None:
    charger = Charger()
    charger.reported(1, "Faulted", "Faulted")
    charger.starts()
    charger.says("StopTransaction", stop(reason="Other"), ended(1, trigger="AbnormalCondition", reason="Other"))


@pytest.mark.parametrize(("stopped", "reason"), DOWN)
def test_down(stopped: str | None, reason: str) -> None:
    world = c201.World()
    world.starts()
    about = c201.event("Ended", seq=1, minute=9, trigger="AbnormalCondition", reason=stopped)
    world.says("TransactionEvent", about, c201.stop(5000, reason=reason))


@pytest.mark.parametrize(
    ("stopped", "trigger", "reset", "reason"),
    [
        ("Remote", "UnlockCommand", None, "UnlockCommand"),
        ("Other", "ResetCommand", None, "HardReset"),
        ("Other", "ResetCommand", "Soft", "SoftReset"),
        ("ImmediateReset", "ResetCommand", "Hard", "HardReset"),
        ("ImmediateReset", "AbnormalCondition", "Soft", "SoftReset"),
        ("PowerLoss", "ResetCommand", "Soft", "PowerLoss"),
        ("EmergencyStop", "ResetCommand", None, "EmergencyStop"),
    ],
)
def test_down_by_context(stopped: str, trigger: str, reset: str | None, reason: str) -> None:
    world = c201.World()
    world.starts()
    if reset is not None:
        kind = {"Soft": "OnIdle", "Hard": "Immediate"}[reset]
        accepted = {"status": "Accepted"}
        world.obeys("Reset", {"type": reset}, c201.to_charger("Reset", {"type": kind}), accepted, accepted)
    about = c201.event("Ended", seq=1, minute=9, trigger=trigger, reason=stopped)
    world.says("TransactionEvent", about, c201.stop(5000, reason=reason))
