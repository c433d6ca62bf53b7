"""Every row of the 1.5 value mappings, both ways."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from translators import values15
from translators.models import v15, v16

TABLES: list[tuple[Any, Any, Any, set[str]]] = [
    (values15.STATUS, v15.ChargePointStatus, v16.ChargePointStatus, {"Occupied"}),
    (values15.ERROR_CODE, v15.ChargePointErrorCode, v16.ChargePointErrorCode, set()),
    (values15.REGISTRATION, v15.RegistrationStatus, v16.RegistrationStatus, set()),
    (values15.UNLOCK, v15.GenericStatus, v16.UnlockStatus, set()),
    (values15.UPDATE, v15.UpdateStatus, v16.UpdateStatus, set()),
    (values15.CONFIGURATION, v15.ConfigurationStatus, v16.ConfigurationStatus, set()),
]
ROWS = [
    (values15.ERROR_CODE, "Mode3Error", "EVCommunicationError"),
    (values15.ERROR_CODE, "UnderVoltage", "UnderVoltage"),
    (values15.REGISTRATION, "Rejected", "Rejected"),
    (values15.UNLOCK, "Accepted", "Unlocked"),
    (values15.UNLOCK, "Rejected", "UnlockFailed"),
    (values15.UPDATE, "VersionMismatch", "VersionMismatch"),
    (values15.UNIT, "Amp", "A"),
    (values15.UNIT, "Volt", "V"),
]
UP = [(values15.UPDATE, "HashError", "Failed")]
DOWN = [
    *((values15.STATUS, status, "Occupied") for status in ("Preparing", "Charging", "SuspendedEV", "SuspendedEVSE")),
    (values15.STATUS, "Finishing", "Occupied"),
    (values15.ERROR_CODE, "InternalError", "OtherError"),
    (values15.ERROR_CODE, "LocalListConflict", "OtherError"),
    (values15.ERROR_CODE, "OverVoltage", "OtherError"),
    (values15.REGISTRATION, "Pending", "Rejected"),
    (values15.UNLOCK, "NotSupported", "Rejected"),
    (values15.CONFIGURATION, "RebootRequired", "Accepted"),
]


@pytest.mark.parametrize(("table", "old", "new"), ROWS)
def test_both_ways(table: Any, old: str, new: str) -> None:
    assert (table.up(old), table.down(new)) == (new, old)


@pytest.mark.parametrize(("table", "old", "new"), UP)
def test_up(table: Any, old: str, new: str) -> None:
    assert table.up(old) == new


@pytest.mark.parametrize(("table", "new", "old"), DOWN)
def test_down(table: Any, new: str, old: str) -> None:
    assert table.down(new) == old


@pytest.mark.parametrize(("table", "old", "new", "apart"), TABLES)
def test_tables_are_complete(table: Any, old: Any, new: Any, apart: set[str]) -> None:
    for value in set(get_args(old)) - apart:
        assert table.up(value) in get_args(new)
    for value in get_args(new):
        assert table.down(value) in get_args(old)


def test_occupied_alone_says_too_little() -> None:
    with pytest.raises(KeyError):
        values15.STATUS.up("Occupied")
