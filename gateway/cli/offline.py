"""`ocpp-gateway translate` and `ocpp-gateway demo`: what needs no configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.options import OcppVersion


def translate(
    charger: Annotated[OcppVersion, typer.Option("--charger", help="The charger's OCPP version.", show_default=False)],
    csms: Annotated[OcppVersion, typer.Option("--csms", help="The CSMS's OCPP version.", show_default=False)],
    options: Annotated[
        Path | None,
        typer.Option("--options", metavar="FILE.json", help="Translation options as a JSON object."),
    ] = None,
) -> None:
    """Translate a conversation from standard input to standard output, without network or store.

    Input, one JSON object a line: {"from": "charger"|"csms"|"control", "frame": [...], "at": "<optional ISO time>"}.
    Output after each: {"to": ..., "frame": [...], "losses": [...]} per frame that leaves, then {"done": true}.
    """
    from gateway.cli.translate import command

    raise typer.Exit(command(charger.value, csms.value, options))


def demo(
    once: Annotated[bool, typer.Option("--once", help="End after one charging session.")] = False,
    plain: Annotated[bool, typer.Option("--plain", help="Plain text: no colours, no countdown.")] = False,
) -> None:
    """Show a 1.6 charger charging against a 2.0.1 CSMS, both played here, through a real gateway."""
    from gateway.demo import main

    raise typer.Exit(main(once=once, plain=plain))
