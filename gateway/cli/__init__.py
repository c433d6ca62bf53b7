"""The command line. One file per command; what a command needs is imported when it runs, so that --help is fast."""

from __future__ import annotations


def main() -> None:
    """Entry point of the `ocpp-gateway` command."""
    from gateway.cli.commands import app

    app(prog_name="ocpp-gateway")
