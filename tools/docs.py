"""Writes config.md, metrics.md, cli.md, api.md and translation/ in docs/, and the chart's schema and README, from the program itself.

`python -m tools.docs` writes them; `--check` writes nothing and exits with 1 when one of them is out of date.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from gateway import config_schema
from gateway.cli.commands import app
from gateway.cli.examples import leaves
from gateway.config_keys import sections
from gateway.config_print import FIXED, FREE
from gateway.metrics_catalogue import CATALOGUE, OTHER, PREFIX, Label, Spec
from tools import api_docs, chart_docs, hostile_docs, runtime_lock, threat_docs, translation_docs

ROOT = Path(__file__).parent.parent
_NOTE = "<!-- Made by `make docs` from the program. Edit the sources, not this file. -->\n"
_MANY = 16
"""Label values from which on a table names only some."""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def config_page() -> str:
    """docs/config.md."""
    fixed = ", ".join(f"`{section}` ({why})" for section, why in FIXED.items())
    free = ", ".join(f"`{key}`" for key in FREE)
    introduction = _CONFIG_INTRODUCTION.replace("{fixed}", fixed).replace("{free}", free)
    lines = ["# Configuration", "", _NOTE, introduction.strip()]
    for section in sections():
        path = section.path.replace("[0]", "[]")
        lines += ["", f"## `{path}`" if "<" in path else f"## {path}", "", section.text, ""]
        lines += ["| Key | Type | Default | Environment variable | Meaning |", "|---|---|---|---|---|"]
        for key in section.keys:
            cells = (f"`{key.name}`", key.type, key.default, f"`{key.variable}`", key.text)
            lines.append("| " + " | ".join(map(_cell, cells)) + " |")
    return "\n".join(lines) + "\n"


_CONFIG_INTRODUCTION = """
One YAML file: `ocpp-gateway run --config gateway.yaml`, or `OCPPGW_CONFIG=gateway.yaml`. Every key has a default but
`upstreams`. The smallest file:

```yaml
upstreams:
  main: {url: "ws://127.0.0.1:9100/ocpp", version: ocpp2.0.1}
```

* `ocpp-gateway check-config gateway.yaml` tells every error with file, line and key, and exits with 2. An unknown key
  or one given twice is an error.
* Environment variables set any key and win over the file: `OCPPGW_SECTION__KEY`, upper or lower case, `-` in names as
  `_`, list items by number: `OCPPGW_ROUTES__0__PRIMARY=main`. A list can also be given as a whole, with commas.
* `${NAME}` in a value of the file is replaced by that environment variable, `${NAME:-text}` by `text` when it is not
  set or empty; `$${` stands for `${`.
* Secrets can be read from files: `password_file: /run/secrets/csms` instead of `password`, `url_file` instead of `url`.
* Durations are numbers of seconds or have a unit: `500ms`, `10s`, `5m`, `2h`, `7d`. Sizes: `65536`, `64KiB`, `1MiB`.
* No routes and exactly one upstream: every charger goes there. A charger that no route fits gets 404.
* Policies that contradict each other are errors too, with the reason.
* A running gateway takes changes of the file (or of a file that it names), by itself, at a SIGHUP or at
  `POST /api/v1/config/reload` (which reaches every process of the fleet; each reads its own file), as a whole, without
  dropping a charger, for connected chargers too. What it cannot change is refused with the reason, and nothing of that file is
  taken: {fixed}, except {free}. Those of `listen` count for
  handshakes and connections from then on. See [Switching](switching.md).
* `ocpp-gateway config show --origin` says where each value came from, `config diff` which keys differ and need a restart,
  `config default` writes a file with every key. [config.schema.json](config.schema.json) is for editors:
  `# yaml-language-server: $schema=config.schema.json`.
"""


def _values(label: Label) -> str:
    if label.values[0].startswith("<"):
        return label.values[0].strip("<>")
    if len(label.values) > _MANY:
        return f"{', '.join(label.values[:3])}, ... ({len(label.values)} values, else {OTHER})"
    return ", ".join(label.values)


def _metric(spec: Spec) -> list[str]:
    name = PREFIX + spec.name
    lines = ["", f"## {name}", "", f"{spec.kind.capitalize()}. {spec.meaning}", ""]
    lines += [f"* `{label.name}`: {_values(label)}" for label in spec.labels]
    if spec.buckets:
        unit = spec.name.rpartition("_")[2]
        lines.append(f"* buckets: {', '.join(f'{bound:.7g}' for bound in spec.buckets)} {unit}")
    return [*lines, f"* query: `{spec.query.replace('$m', name)}`"]


def metrics_page() -> str:
    """docs/metrics.md."""
    lines = ["# Metrics", "", _NOTE, _METRICS_INTRODUCTION.strip()]
    for spec in CATALOGUE:
        lines += _metric(spec)
    return "\n".join(lines) + "\n"


_METRICS_INTRODUCTION = """
`GET /metrics` on the admin port, in Prometheus' text format. No metric has a charger, a connector, a transaction, a
token or an address as label; every label has a closed set of values. One process exports at most 3,000 series with two
upstreams: a metric that has reached its share counts what is new under `other`. The process also exports `process_*`
and `python_gc_*`. What an upstream has counted is exported for 15 minutes after it has left the configuration.
What is not counted, and why: [What operators see](observability.md#metrics-objectives-alerts-dashboards).
"""


def cli_page() -> str:
    """docs/cli.md."""
    lines = ["# Command line", "", _NOTE.rstrip()]
    for command, text in _helps().items():
        lines += ["", f"## ocpp-gateway {command}".rstrip(), "", "```text", text, "```"]
    return "\n".join(lines) + "\n"


_ASK = """
import contextlib, io, json, sys
import typer
from gateway.cli.commands import app
command = typer.main.get_command(app)
def help(name):
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        command.main([*name.split(), "--help"], prog_name="ocpp-gateway", standalone_mode=False)
    return shown.getvalue()
print(json.dumps({name: help(name) for name in json.load(sys.stdin)}))
"""


def _helps() -> dict[str, str]:
    """Command -> what `--help` says; all of them by one process, with nothing of this one's terminal."""
    commands = ["", *(words for words, _ in leaves(app))]
    plain = {"COLUMNS": "100", "TERMINAL_WIDTH": "100", "NO_COLOR": "1", "TERM": "dumb", "LC_ALL": "C.UTF-8"}
    keep = {key: os.environ[key] for key in ("PATH", "HOME", "PYTHONPATH", "VIRTUAL_ENV") if key in os.environ}
    shown = subprocess.run(
        [sys.executable, "-c", _ASK], input=json.dumps(commands), check=True, capture_output=True, encoding="utf-8",
        env=keep | plain | {"PYTHONUTF8": "1"}, cwd=ROOT,
    )  # fmt: skip
    helps: dict[str, str] = json.loads(shown.stdout)
    return {name: "\n".join(line.rstrip() for line in text.strip().splitlines()) for name, text in helps.items()}


PAGES = {
    "config.md": config_page,
    "config.schema.json": config_schema.document,
    "metrics.md": metrics_page,
    "cli.md": cli_page,
    "api.md": api_docs.page,
    **translation_docs.pages(),
    **threat_docs.pages(),
    **hostile_docs.pages(),
    **chart_docs.pages(),
    "../deploy/requirements.lock": runtime_lock.lock,
}


def main(arguments: list[str]) -> int:
    """Writes or checks the pages; the exit code."""
    stale = 0
    for name, make in PAGES.items():
        path, text = ROOT / "docs" / name, make()
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        if "--check" in arguments:
            print(f"docs/{name} is out of date: run make docs")
            stale = 1
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"docs/{name} written")
    return stale


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
