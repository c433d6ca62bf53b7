"""`ocpp-gateway doctor`: everything that is usually wrong, looked at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from gateway.cli.output import Output, OutputOption, show
from gateway.cli.server import DEFAULT_SERVER, Server
from gateway.cli.stored import ConfigFile


def doctor(
    config: ConfigFile = None,
    server: Server = DEFAULT_SERVER,
    output: OutputOption = Output.table,
) -> None:
    """Look at everything that is usually wrong: configuration, store, limits, certificates, CSMSs, and a running gateway's
    processes and queues. Each line is ok, warn or fail, and says how to fix it. Exit code 1 if one is fail.

    Example: ocpp-gateway doctor --config gateway.yaml --server http://127.0.0.1:9001
    """
    import asyncio

    from gateway.cli.stored import quiet

    quiet()
    default = Path("gateway.yaml")
    file = config if config is not None else default if default.exists() else None
    findings: list[Any] = asyncio.run(_examine(file, server))
    if output is not Output.table:
        show(findings, output)
    else:
        for each in findings:
            typer.echo(f"{each.verdict:<4}  {each.what}: {each.said}")
            if each.fix and each.verdict != "ok":
                typer.echo(f"      -> {each.fix}")
    if any(each.verdict == "fail" for each in findings):
        raise typer.Exit(1)


async def _examine(file: Path | None, server: str) -> list[Any]:
    import asyncio

    from gateway.cli import examining
    from gateway.cli.stored import opened

    config, first = examining.configuration(file)
    found: list[Any] = [first]
    if config is not None:
        found += examining.machine(config)
        found += [each async for each in examining.store(config, opened)]
        found += [each async for each in examining.upstreams(config)]
    found += await asyncio.to_thread(lambda: list(examining.fleet(server, lambda what: _ask(server, what))))
    return found


def _ask(server: str, what: str) -> Any:
    """The answer of the operators' port; None without one, a text if it refuses."""
    import json
    import urllib.error
    import urllib.request

    from gateway.cli.server import headers, path_of

    request = urllib.request.Request(server.rstrip("/") + path_of(what), headers=headers())
    try:
        with urllib.request.urlopen(request, timeout=15) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.reason}"
    except (OSError, ValueError):
        return None
