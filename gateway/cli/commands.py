"""The commands of `ocpp-gateway` put together."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from gateway import __version__
from gateway.cli import (
    captures,
    check_config,
    completion,
    config,
    context,
    csms,
    demo_csms,
    dlq,
    doctor,
    erase,
    examples,
    offline,
    present,
    probe,
    processes,
    queue,
    rebalance,
    routes,
    run,
    shadow,
    simulating,
    streaming,
    token,
    vault,
    version,
    watching,
    wire_log,
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A gateway between EV chargers and their CSMSs: translates OCPP versions, fans out, loses no billing message.",
    epilog="Exit codes: 0 done; 1 failed: not reachable, or a check or test has found something; 2 wrong usage, or refused; 130 "
    "interrupted. OCPPGW_SERVER and OCPPGW_TOKEN: the operators' port and a token for it; --context: a file with both.",
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"ocpp-gateway {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colours, as with NO_COLOR.")] = False,
    file: Annotated[
        Path | None,
        typer.Option(
            "--context",
            metavar="FILE",
            envvar="OCPPGW_CONTEXT",
            show_default=False,
            help="YAML with `server`, and `token` or `token_file`: the gateway that commands speak to.",
        ),
    ] = None,
) -> None:
    if no_color:
        os.environ["NO_COLOR"] = "1"
    if file is not None:
        context.enter(file)


app.command("run")(run.run)
app.command("check-config")(check_config.check_config)
app.add_typer(config.app, name="config")
app.command("translate")(offline.translate)
app.command("demo")(offline.demo)
app.command("demo-csms")(demo_csms.demo_csms)
app.command("healthcheck")(probe.healthcheck)
app.command("boot")(probe.boot)
app.command("rebalance")(rebalance.rebalance)
app.add_typer(routes.app, name="routes")
present.app.command("watch")(watching.watch)
app.add_typer(present.app, name="chargers")
app.command("token")(token.token)
app.add_typer(vault.app, name="vault")
app.command("erase")(erase.erase)
app.add_typer(dlq.app, name="dlq")
app.add_typer(csms.app, name="upstreams")
app.command("shadow")(shadow.shadow)
app.command("tail")(streaming.tail)
app.command("trace")(streaming.trace)
app.command("capture")(streaming.capture)
app.command("send")(present.send)
app.command("doctor")(doctor.doctor)
app.command("completion")(completion.completion)
app.command("replay")(captures.replay)
app.command("simulate")(simulating.simulate)
app.command("validate")(captures.validate)
app.add_typer(captures.migrate, name="migrate")
app.add_typer(queue.app, name="queue")
app.command("processes")(processes.processes)
app.command("drain")(processes.drain)
app.command("log-level")(processes.log_level)
app.command("wire-log")(wire_log.wire_log)
app.command("version")(version.version)
examples.add(app)
