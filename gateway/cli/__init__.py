"""The command line. One file per command; what a command needs is imported when it runs, so that --help is fast."""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point of the `ocpp-gateway` command."""
    if sys.argv[1:2] == ["__names"]:  # a shell completes: nothing else is imported
        from gateway.cli import names

        raise SystemExit(names.main(sys.argv[2:]))
    from gateway.cli.commands import app

    app(prog_name="ocpp-gateway")
