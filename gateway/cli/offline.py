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
    explain: Annotated[
        bool, typer.Option("--explain", help="Also what becomes of each message, and why each loss is one.")
    ] = False,
    capture: Annotated[
        Path | None,
        typer.Option(
            "--capture", metavar="FILE", help="What the charger of a capture said, for a CSMS that agrees with all."
        ),
    ] = None,
) -> None:
    """Translate a conversation from standard input to standard output, without network or store.

    Input, one JSON object a line: {"from": "charger"|"csms"|"control", "frame": [...], "at": "<optional ISO time>"}.
    Output after each: {"to": ..., "frame": [...], "losses": [...]} per frame that leaves, then {"done": true}.

    Example: echo '{"from": "charger", "frame": [2, "1", "StatusNotification", {"connectorId": 1, "errorCode": "NoError",
    "status": "Preparing"}]}' | ocpp-gateway translate --charger ocpp1.6 --csms ocpp2.0.1 --explain
    """
    from gateway.cli.translate import command

    if capture is not None:
        from gateway.cli.explaining import from_capture

        raise typer.Exit(from_capture(charger.value, csms.value, options, capture, explain=explain))
    explained = None
    if explain:
        from gateway.cli.explaining import Explained

        explained = Explained(charger.value, csms.value)
    raise typer.Exit(command(charger.value, csms.value, options, explain=explained))


def demo(
    once: Annotated[bool, typer.Option("--once", help="End after one charging session.")] = False,
    plain: Annotated[bool, typer.Option("--plain", help="Plain text: no colours, no countdown.")] = False,
    console: Annotated[
        bool, typer.Option("--console", help="A living system to look at in the console: a fleet and two CSMSs.")
    ] = False,
    browser: Annotated[bool, typer.Option(help="With --console: open a browser, where there is a display.")] = True,
    chargers: Annotated[int, typer.Option("--chargers", "-n", min=1, max=1000, help="With --console: how many.")] = 12,
    speed: Annotated[
        float, typer.Option("--speed", metavar="N", min=0.1, max=10_000, help="With --console: so fast is life.")
    ] = 30,
) -> None:
    """Show a 1.6 charger charging against a 2.0.1 CSMS, both played here, through a real gateway.

    With --console: chargers of OCPP 1.5, 1.6 and 2.0.1 charge cars, a 2.0.1 CSMS answers them, and a 1.6 CSMS is its shadow.
    The console's address with a token for it is printed; what is typed goes to the CSMS (`help` tells what). Ctrl-C ends all.

    Examples: ocpp-gateway demo --once;  ocpp-gateway demo --console --chargers 40
    """
    from gateway.demo import main, main_living

    raise typer.Exit(main_living(chargers, speed, browser) if console else main(once=once, plain=plain))
