"""`ocpp-gateway demo-csms`: a CSMS to evaluate with."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.options import OcppVersion, fail


def demo_csms(
    port: Annotated[int, typer.Option("--port", metavar="N", min=0, max=65535, help="0: a free one.")] = 9100,
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Where it listens.")] = "127.0.0.1",
    version: Annotated[
        list[OcppVersion] | None,
        typer.Option(
            "--version", help="OCPP version; again for more. Default: ocpp1.6 and ocpp2.0.1.", show_default=False
        ),
    ] = None,
    card: Annotated[
        list[str] | None,
        typer.Option(
            "--card",
            metavar="TAG[=STATUS]",
            help="A card that it knows, Accepted unless said otherwise; again for more. Without any all are accepted.",
            show_default=False,
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Do not tell what chargers do.")] = False,
) -> None:
    """A CSMS to evaluate with, not to charge with: it accepts every charger, answers everything, checks cards, counts
    transactions, and sends what it is told on standard input: list, start, stop, reset, unlock, get, set, trigger, call.

    Examples: ocpp-gateway demo-csms --version ocpp2.0.1 --card 04A1B2C3 --card 04FFFFFF=Blocked;
    echo 'start CP1 04A1B2C3' | ocpp-gateway demo-csms
    """
    import asyncio

    versions = [each.value for each in version or [OcppVersion.ocpp16, OcppVersion.ocpp201]]
    if OcppVersion.ocpp21.value in versions:
        fail(["--version: there is no demo CSMS for ocpp2.1"])
    cards = {tag: status or "Accepted" for tag, _, status in (each.partition("=") for each in card or [])}
    from gateway.demo.serving import serve

    try:
        asyncio.run(serve(versions, host, port, cards, quiet=quiet))
    except KeyboardInterrupt:
        pass
    except OSError as error:
        fail([f"--port: {host}:{port}: {error.strerror or error}"])
