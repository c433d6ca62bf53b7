"""`ocpp-gateway version`."""

from __future__ import annotations

import platform
from typing import Annotated

import typer

from gateway import __version__
from gateway.cli.output import Output, OutputOption, tell


def version(
    json: Annotated[bool, typer.Option("--json", help="The same as --output json.")] = False,
    output: OutputOption = Output.table,
) -> None:
    """The version of this program, and what it runs on."""
    python, system = platform.python_version(), f"{platform.system()} {platform.machine()}"
    found = {"version": __version__, "python": python, "system": system}
    tell(found, Output.json if json else output, f"ocpp-gateway {__version__} (Python {python}, {system})")
