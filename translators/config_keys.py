"""Where a 1.6 configuration key sits in the 2.x device model (data/config_keys.csv), and what the gateway adds to it."""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources
from typing import Literal, NamedTuple

Scope = Literal["station", "evse", "connector"]

LEGACY = "OCPP16LegacyCtrlr"
"""Component of every key without a place of its own; the variable has the name of the key."""


class Address(NamedTuple):
    """A variable of the device model without its EVSE, folded: names of 2.x are case-insensitive."""

    component: str
    component_instance: str
    variable: str
    variable_instance: str


def address(component: str, component_instance: str | None, variable: str, variable_instance: str | None) -> Address:
    return Address(
        component.casefold(),
        (component_instance or "").casefold(),
        variable.casefold(),
        (variable_instance or "").casefold(),
    )


class KeyRow(NamedTuple):
    """One place that a 1.6 key feeds."""

    key: str
    component: str
    component_instance: str
    variable: str
    variable_instance: str
    scope: Scope
    datatype: str
    unit: str
    mutability: str
    """ReadOnly, WriteOnly, ReadWrite, or `ReadWrite|ReadOnly`: as the charger says."""
    conversion: str
    target: Literal["Actual", "maxLimit", "maxElements", "valuesList", "presence"]
    role: Literal["primary", "fanout", "mirror", "derived", "alias"]

    @property
    def address(self) -> Address:
        return address(self.component, self.component_instance, self.variable, self.variable_instance)


class LocalRow(NamedTuple):
    """One variable that the gateway answers for a 1.6 charger, with the value it has when nothing tells another."""

    component: str
    component_instance: str
    variable: str
    variable_instance: str
    scope: Scope
    datatype: str
    unit: str
    mutability: str
    fallback: str
    values: str
    limit: str
    inventories: str
    """F: full, C: configuration, S: summary."""

    @property
    def address(self) -> Address:
        return address(self.component, self.component_instance, self.variable, self.variable_instance)


def _rows(name: str) -> list[list[str]]:
    text = (resources.files("translators") / "data" / name).read_text(encoding="utf-8")
    return list(csv.reader(text.splitlines()))[1:]


@cache
def key_rows() -> tuple[KeyRow, ...]:
    """Every row of the key table, read at its first use."""
    return tuple(KeyRow(*row) for row in _rows("config_keys.csv"))  # type: ignore[arg-type]


@cache
def local_rows() -> tuple[LocalRow, ...]:
    """Every variable of the gateway's own, read at its first use."""
    return tuple(LocalRow(*row) for row in _rows("base_report.csv"))  # type: ignore[arg-type]
