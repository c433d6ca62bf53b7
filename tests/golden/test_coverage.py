"""Every message of every version occurs in a transcript of each pair of versions between which it can be sent."""

from __future__ import annotations

from itertools import permutations
from types import ModuleType
from typing import Any

import pytest

from tests.golden.test_golden import SCENARIOS
from translators import VERSIONS, path, translatable
from translators.losses import ledger
from translators.models import v15, v16, v201

MODELS: dict[str, ModuleType] = {"ocpp1.5": v15, "ocpp1.6": v16, "ocpp2.0.1": v201}
PAIRS = [each for each in permutations(VERSIONS, 2) if translatable(*each)]


def steps(charger: str, csms: str) -> list[dict[str, Any]]:
    """What happens in the transcripts of a pair."""
    return [
        step
        for scenario in SCENARIOS
        if (f"ocpp{scenario['charger_version']}", f"ocpp{scenario['csms_version']}") == (charger, csms)
        for step in scenario["steps"]
    ]


def said(charger: str, csms: str, side: str) -> set[str]:
    """The actions that one side sends in the transcripts of a pair."""
    return {step["frame"][2] for step in steps(charger, csms) if step["from"] == side and step["frame"][0] == 2}


@pytest.mark.parametrize(("charger", "csms"), PAIRS)
def test_every_message_has_a_transcript(charger: str, csms: str) -> None:
    assert sorted(set(MODELS[charger].FROM_CHARGER) - said(charger, csms, "charger")) == []
    assert sorted(set(MODELS[csms].FROM_CSMS) - said(charger, csms, "csms")) == []


@pytest.mark.parametrize(("charger", "csms"), [each for each in PAIRS if len(path(*each)) == 1])
def test_every_message_that_a_pair_makes_has_a_transcript(charger: str, csms: str) -> None:
    tables = ledger(charger.removeprefix("ocpp"), csms.removeprefix("ocpp"))
    assert tables is not None
    made = {left["frame"][2] for step in steps(charger, csms) for left in step["expect"] if left["frame"][0] == 2}
    told = {call for _, action, call in tables.calls if action != "DataTransfer"}  # which may carry any other
    assert sorted(told - made) == []
