"""`ocpp-gateway healthcheck` and `ocpp-gateway boot`: one question each, answered by the exit code."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.options import OcppVersion, fail
from gateway.cli.server import DEFAULT_SERVER, Server


def healthcheck(
    server: Server = DEFAULT_SERVER,
    ready: Annotated[bool, typer.Option("--ready", help="Ask whether chargers can connect, too.")] = False,
    timeout: Annotated[float, typer.Option("--timeout", metavar="SECONDS", help="Time for the answer.")] = 5,
) -> None:
    """Ask a running gateway whether it is well; for container images without a shell or curl.

    Exits with 0 when its event loop answers (with --ready: and chargers can connect), else with 1.
    """
    from urllib.error import HTTPError, URLError
    from urllib.request import urlopen

    url = server.rstrip("/") + ("/readyz" if ready else "/livez")
    try:
        with urlopen(url, timeout=timeout) as answer:
            typer.echo(answer.read().decode(errors="replace").strip())
    except HTTPError as error:
        typer.echo(error.read().decode(errors="replace").strip(), err=True)
        raise typer.Exit(1) from None
    except (URLError, OSError, ValueError) as error:
        typer.echo(f"{url}: {error}", err=True)
        raise typer.Exit(1) from None


def _file(name: str, help: str) -> Any:
    return typer.Option(name, metavar="FILE", exists=True, dir_okay=False, help=help)


def boot(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="ws://host:port/ocpp/<charger id>, or wss://.", show_default=False)
    ],
    version: Annotated[OcppVersion, typer.Option("--version", help="OCPP version to speak.")] = OcppVersion.ocpp16,
    timeout: Annotated[float, typer.Option("--timeout", metavar="SECONDS", help="Time for all of it.")] = 30,
    password_file: Annotated[Path | None, _file("--password-file", "Its password for HTTP Basic.")] = None,
    ca: Annotated[Path | None, _file("--ca", "Trust these roots (PEM) instead of the machine's.")] = None,
    cert: Annotated[Path | None, _file("--cert", "Its client certificate (PEM), with --key.")] = None,
    key: Annotated[Path | None, _file("--key", "The key of it.")] = None,
) -> None:
    """Connect as a charger, send a BootNotification and show the answer; the CSMS behind hears it.

    Exits with 0 when the answer is one of OCPP (Accepted, Pending or Rejected), else with 1. The password can also be in
    OCPPGW_BOOT_PASSWORD, or with the user in the URL. Example:

    ocpp-gateway boot ws://gateway/ocpp/TEST-1 --version ocpp2.0.1
    """
    from gateway.cli.booting import Credentials, Failed, booted

    if (cert is None) != (key is None):
        fail(["--cert and --key belong together"])
    try:
        password = os.environ.get("OCPPGW_BOOT_PASSWORD", "")
        if password_file is not None:
            password = password_file.read_text(encoding="utf-8").rstrip("\r\n")
        typer.echo(booted(url, version.value, timeout, Credentials(password, ca, cert, key)))
    except (OSError, UnicodeDecodeError) as error:
        fail([str(error)])
    except Failed as failed:
        typer.echo(str(failed), err=True)
        raise typer.Exit(1) from None
