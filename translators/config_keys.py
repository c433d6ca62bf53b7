"""Where a 1.6 configuration key sits in the 2.x device model (data/config_keys.csv), and what the gateway adds to it."""

from __future__ import annotations

import csv
import re
from functools import cache
from hashlib import sha256
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


class Spot(NamedTuple):
    """A variable of a 2.x charger as a flat 1.6 key names it (config-keys 6.2)."""

    component: str
    component_instance: str
    evse: int
    """0: of the station."""
    connector: int
    """0: of the EVSE as a whole."""
    variable: str
    variable_instance: str
    attribute: str = "Actual"

    @property
    def address(self) -> Address:
        return address(self.component, self.component_instance, self.variable, self.variable_instance)

    @property
    def key(self) -> str:
        """The flat key, of any length."""
        where = f":{self.evse}" + (f"/{self.connector}" if self.connector else "") if self.evse else ""
        component = _escaped(self.component) + (
            f"#{_escaped(self.component_instance)}" if self.component_instance else ""
        )
        variable = _escaped(self.variable) + (f"#{_escaped(self.variable_instance)}" if self.variable_instance else "")
        return f"{component}{where}.{variable}" + (f"@{self.attribute}" if self.attribute != "Actual" else "")


_SPOT = re.compile(
    r"(?P<c>[^.#:/@\[\]]+)(?:#(?P<ci>[^.#:/@\[\]]+)|\[(?P<cb>[^\[\]]+)\])?(?::(?P<e>\d{1,9})(?:/(?P<n>\d{1,9}))?)?"
    r"\.(?P<v>[^.#:/@\[\]]+)(?:#(?P<vi>[^#:/@\[\]]+)|\[(?P<vb>[^\[\]]+)\]|\.(?P<vd>[^.#:/@\[\]]+))?"
    r"(?:@(?P<a>Target|MinSet|MaxSet))?",
    re.ASCII,
)


def spot_of(key: str) -> Spot | None:
    """What a flat key names: `Comp#inst:evse/connector.Var#inst@Attr`, or with instances in brackets; that of the
    variable also after a dot. None if it is none."""
    match = _SPOT.fullmatch(key)
    if match is None:
        return None
    part = match.groupdict(default="")
    return Spot(
        _plain(part["c"]),
        _plain(part["ci"] or part["cb"]),
        int(part["e"] or 0),
        int(part["n"] or 0),
        _plain(part["v"]),
        _plain(part["vi"] or part["vb"] or part["vd"]),
        part["a"] or "Actual",
    )


def _escaped(name: str) -> str:
    return "".join(f"%{ord(letter):02X}" if letter in "%#:/.@" else letter for letter in name)


def _plain(text: str) -> str:
    return re.sub(r"%([0-9A-Fa-f]{2})", lambda match: chr(int(match[1], 16)), text)


def short_key(key: str) -> str:
    """A flat key that fits 1.6: beyond 50 characters the first 40, and the start of its digest."""
    return key if len(key) <= 50 else f"{key[:40]}~{sha256(key.encode()).hexdigest()[:9]}"


_ESCAPED = re.compile(rb"=([0-9A-Fa-f]{2})")


def unescape(name: str) -> str:
    """The key of a vendor that a variable is named after (config-keys 6.1): `Foo=20Bar` -> `Foo Bar`."""
    return _ESCAPED.sub(lambda match: bytes([int(match[1], 16)]), name.encode()).decode(errors="replace")
