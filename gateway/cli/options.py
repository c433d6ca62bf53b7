"""Options that several commands share, and how a wrong configuration is told."""

from __future__ import annotations

import enum
from typing import NoReturn

import typer

CONFIG_VARIABLE = "OCPPGW_CONFIG"


class Role(enum.StrEnum):
    """What a process does."""

    edge = "edge"
    hub = "hub"


class OcppVersion(enum.StrEnum):
    """An OCPP version by its WebSocket subprotocol."""

    ocpp21 = "ocpp2.1"
    ocpp201 = "ocpp2.0.1"
    ocpp16 = "ocpp1.6"
    ocpp15 = "ocpp1.5"


def fail(errors: list[str]) -> NoReturn:
    """Prints every error on a line of its own to standard error and exits with 2."""
    for error in errors:
        typer.echo(error, err=True)
    raise typer.Exit(2)
