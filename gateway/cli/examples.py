"""What the end of a `--help` says: an example, where the description has none, and why there is no `--output`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import typer

EXAMPLES: Final = {
    "run": "ocpp-gateway run --config gateway.yaml",
    "check-config": "ocpp-gateway check-config gateway.yaml",
    "config show": "ocpp-gateway config show gateway.yaml --origin",
    "config default": "ocpp-gateway config default > gateway.yaml",
    "config docs": "ocpp-gateway config docs redis",
    "config schema": "ocpp-gateway config schema > gateway.schema.json",
    "config diff": "ocpp-gateway config diff old.yaml new.yaml",
    "config reload": "ocpp-gateway config reload",
    "healthcheck": "ocpp-gateway healthcheck",
    "rebalance": "ocpp-gateway rebalance",
    "routes list": "ocpp-gateway routes list",
    "routes show": "ocpp-gateway routes show CP1 -o json",
    "chargers add": "ocpp-gateway chargers add CP1 --generate --group depot",
    "chargers remove": "ocpp-gateway chargers remove CP1",
    "chargers block": "ocpp-gateway chargers block CP1",
    "chargers unblock": "ocpp-gateway chargers unblock CP1",
    "chargers set-password": "ocpp-gateway chargers set-password CP1 < new.txt",
    "chargers forget-password": "ocpp-gateway chargers forget-password CP1",
    "chargers allow-downgrade": "ocpp-gateway chargers allow-downgrade CP1",
    "chargers hash": "ocpp-gateway chargers hash < password.txt",
    "chargers list": "ocpp-gateway chargers list -o ndjson",
    "chargers import": "ocpp-gateway chargers import fleet.csv --yes",
    "chargers kick": "ocpp-gateway chargers kick CP1 --gentle",
    "chargers forget": "ocpp-gateway chargers forget CP1 --yes",
    "token": "ocpp-gateway token alice --scope operate",
    "vault key": "ocpp-gateway vault key",
    "vault set": "ocpp-gateway vault set main CP1 < password.txt",
    "vault remove": "ocpp-gateway vault remove main CP1",
    "vault list": "ocpp-gateway vault list main -o json",
    "vault import": "ocpp-gateway vault import main passwords.yaml",
    "vault rotate": "ocpp-gateway vault rotate",
    "erase": "ocpp-gateway erase --yes < tokens.txt",
    "dlq list": "ocpp-gateway dlq list main -o ndjson",
    "dlq show": "ocpp-gateway dlq show main 17-1795359649180-0",
    "dlq requeue": "ocpp-gateway dlq requeue main --all",
    "dlq discard": "ocpp-gateway dlq discard main 17-1795359649180-0 --yes",
    "dlq quarantined": "ocpp-gateway dlq quarantined -o json",
    "upstreams list": "ocpp-gateway upstreams list",
    "upstreams remove": "ocpp-gateway upstreams remove former --yes",
    "upstreams ls": "ocpp-gateway upstreams ls",
    "upstreams show": "ocpp-gateway upstreams show main -o yaml",
    "upstreams pause": "ocpp-gateway upstreams pause main",
    "upstreams resume": "ocpp-gateway upstreams resume main",
    "upstreams reconnect": "ocpp-gateway upstreams reconnect main",
    "upstreams test": "ocpp-gateway upstreams test main",
    "shadow": "ocpp-gateway shadow",
    "completion": "source <(ocpp-gateway completion bash)",
    "queue ls": "ocpp-gateway queue ls",
    "processes": "ocpp-gateway processes -o json",
    "drain": "ocpp-gateway drain edge-0-7-1a2b3c",
    "log-level": "ocpp-gateway log-level debug",
    "wire-log": "ocpp-gateway wire-log CP1 --for 10m",
    "version": "ocpp-gateway version --json",
}
"""By the words of the command."""

WITHOUT_OUTPUT: Final = {
    "run": "its output is its log",
    "check-config": "the exit code tells programs",
    "translate": "it always writes one JSON object a line",
    "demo": "it is for people",
    "demo-csms": "it is for people",
    "healthcheck": "the exit code tells programs",
    "boot": "the exit code tells programs",
    "token": "it prints a line for the configuration",
    "capture": "it always writes the capture format, one JSON object a line",
    "completion": "it prints a script",
    "config schema": "it is always JSON",
    "config default": "it is always YAML, a file",
    "config show": "it is always YAML, a file",
    "chargers hash": "it prints nothing but the hash",
    "vault key": "it prints nothing but the key",
}
"""Why these commands have no `--output`."""


def leaves(app: typer.Typer, path: str = "") -> Iterator[tuple[str, Any]]:
    """The words of every command, and what typer knows of it."""
    for command in app.registered_commands:
        name = command.name or (command.callback.__name__ if command.callback else "")
        yield f"{path} {name}".strip(), command
    for group in app.registered_groups:
        assert group.typer_instance is not None
        yield from leaves(group.typer_instance, f"{path} {group.name or ''}".strip())


def add(app: typer.Typer) -> None:
    """Puts each at the end of the help of its command."""
    for words, command in leaves(app):
        example, why = EXAMPLES.get(words), WITHOUT_OUTPUT.get(words)
        ends = [f"No --output: {why}."] if why else []
        if example is not None:
            ends.append(f"Example: {example}")
        if ends:
            command.epilog = " ".join(ends)
