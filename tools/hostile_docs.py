"""docs/bad-input.md from tests/hostile/rows.yaml and gateway/edge/malformed.yaml: what each bad input gets, and who tried."""

# ruff: noqa: E501  a table's lines are as long as they are
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
PARTS = {
    "H": "Handshake",
    "W": "WebSocket",
    "R": "Frames",
    "P": "Payloads",
    "S": "State, and the CSMS",
}
DOORS = {
    "assume": "with `assume_subprotocol` ",
    "complete": "with `subprotocol_mismatch: complete_then_close` ",
    "basic": "profile 1: ",
    "hidden": "with `hide_unknown` ",
    "tls": "profile 2: ",
}
"""Listener of the case -> what is said of it."""
_BEGIN = """\
# Bad input

<!-- Made by `make docs` from the program. Edit the sources, not this file. -->

What a charger, a CSMS or a stranger gets for everything that it can do wrong. Each row is played against a running gateway over
real sockets, for OCPP 1.5, 1.6, 2.0.1 and 2.1 (`tests/hostile/rows.yaml`): the reaction is exactly this one, the next valid frame
works, a metric counts it, and the log has no error.

* `E(code)`: a CALLERROR with the id of the frame, `E(code,-1)` with the id "-1"; FV, RPC and OCC are FormationViolation
  (2.x: FormatViolation), RpcFrameworkError and OccurenceConstraintViolation (2.x: Occurrence...).
* *drop*: nothing is answered. *ok*: it is taken, mended where that is needed.
* Five frames within a minute that are dropped or get RPC close the connection with 1002.
* A billing frame that is refused is kept first (`ocppgw_quarantined_frames_total`); what a translation refuses is a dead letter.
* In brackets: a charger with `strict: true` in the registry, for certification runs. Nothing is mended then, and payloads must
  conform to the official schemas.
* Payloads are looked into where they are translated. A charger and a CSMS of the same version hear each other byte by byte,
  but for what `charger.repair` mends; of 2.1 nothing is mended.
* A key twice in an object (R38) is looked for in the first message of each action on a connection.
"""
_END = """\

## Tools of others

| Tool | What it does here | Result | Where |
|---|---|---|---|
| kosoku (PyPI), the Autobahn cases | both ends of the WebSocket shell, as an echo | all pass but those that `tests/gateway/wire/test_autobahn.py` lists with the reason: binary messages that are no text (1.2.2 to 1.2.8, 9.2, 9.4, 9.6, 9.8, 12.2, 12.3, 12.5: 1007, OCPP is text), more than 4,096 fragments (9.3.1, 9.3.2: 1009), and 7.1.5, in which the `websockets` library says 1002. Compression (12, 13: every window and context a client may ask for) on the side of chargers only: the gateway offers none to a CSMS | fast ones in `make test`, all in `make test-full` |
| hypothesis | any stream of bytes in any pieces: the shell and the `websockets` library make the same of it | {agree}; it had found a frame that was misread when it was cut inside its header | `tests/gateway/wire/test_agrees.py` |
| atheris (PyPI), coverage-guided | the guard of each version, usual and strict, and what reads a CSMS's frames | {atheris} | `python -m tests.fuzz.atheris_frames` |
| atheris, the WebSocket shell | any bytes, cut anywhere, on both legs: the shell and the `websockets` library make the same of it | {wire} | `python -m tests.fuzz.atheris_wire` |
| slowhttptest (Debian) | slow headers, slow bodies, slow reading with 1,000 connections | chargers get in and are answered within 3 s all the while; every connection is let go | `tests/hostile/test_tools.py` |
| sslyze (PyPI) | the TLS listener | no SSL, TLS 1.0 or 1.1; TLS 1.2 with the suites that OCPP demands, AEAD only; TLS 1.3; no Heartbleed, CCS injection, ROBOT, compression, early data or renegotiation attack | `tests/hostile/test_tools.py` |
| ocpp-rpc (npm), strict | as charger and as CSMS, through the gateway | no complaint | `tests/e2e/test_peer_strict.py` |
| our own flood | 5,000 hostile handshakes and 200 wild chargers beside 200 good ones | p99 of the good ones; the test prints it | `tests/hostile/test_flood.py` |
"""
NUMBERS = {
    "atheris": "41,386,339 executions on 2026-11-23, 25 minutes on one core: no crash",
    "wire": "11,969 executions on 2026-11-23, 7 minutes on a busy core: no difference, no crash; a compressed stream is not among them",
    "agree": "10,000 streams per leg without a difference on 2026-11-23 (20,000 in `make test-full`)",
}


def page() -> str:
    """docs/bad-input.md."""
    rows = yaml.safe_load((ROOT / "tests" / "hostile" / "rows.yaml").read_text(encoding="utf-8"))
    lines = [_BEGIN]
    for kind, title in PARTS.items():
        lines += [
            f"## {title}\n",
            "| Row | What | 1.5, 1.6 | 2.0.1, 2.1 | Metric (`ocppgw_`) |",
            "|---|---|---|---|---|",
        ]
        for row in rows:
            if row["row"].startswith(kind):
                lines.append(_line(row))
        lines.append("")
    end = _END
    for name, text in NUMBERS.items():
        end = end.replace("{" + name + "}", text)
    return "\n".join(lines).rstrip("\n") + "\n" + end


def _line(row: dict[str, Any]) -> str:
    cases = row["cases"]
    reactions = [_unique(_reaction(case, family) for case in cases) for family in ("1.x", "2.x")]
    reactions[1] = "=" if reactions[0] == reactions[1] else reactions[1]
    metrics = _unique(_metric(case, row["row"]) for case in cases)
    return f"| {row['row']} | {row['what']} | {reactions[0]} | {reactions[1]} | {metrics} |"


def _reaction(case: dict[str, Any], family: str) -> str:
    only = case.get("only")
    if only and not any((version < "ocpp2") == (family == "1.x") for version in only) and "ask" not in case:
        return ""
    if "elsewhere" in case:
        return f"see `{case['elsewhere']}`"
    if "scene" in case:
        return str(case["does"]) + (f" [{case['strict does']}]" if "strict does" in case else "")
    if "status" in case:
        found = case["status"] if isinstance(case["status"], list) else [case["status"]]
        text = " or ".join("closed" if each == 0 else str(each) for each in found)
        text += f", then {case['close']}" if "close" in case else ""
        text = DOORS.get(case.get("door", ""), "") + text
        return f"[{text}]" if case.get("strict") else text
    if "bytes" in case:
        strict = f" [{case['strict']['close']}]" if "strict" in case else ""
        return ("ok" if case.get("ok") else str(case["close"])) + strict
    policy = "with `unknown_actions: forward` " if case.get("prefix") and case.get("heard") else ""
    usual = policy + str(case.get(family, case.get("all", "")))
    if family == "2.x" and "2.1" in case:
        usual += f" (2.1: {case['2.1']})"
    strict = case.get(f"strict {family}", case.get("strict all", ""))
    return usual + (f" [{strict}]" if strict and strict != usual else "")


def _metric(case: dict[str, Any], row: str) -> str:
    counts = case.get("counts", f'malformed_frames_total{{row="{row}"}}')
    if "elsewhere" in case:
        return ""
    name, _, labels = counts.partition("{")
    labels = labels.rstrip("}").replace('action="{bill}",', "")
    return f"`{name}{{{labels}}}`" if labels else f"`{name}`"


def _unique(texts: Any) -> str:
    return "; ".join(dict.fromkeys(text.replace("|", "\\|") for text in texts if text))


def pages() -> dict[str, Callable[[], str]]:
    """For tools.docs."""
    return {"bad-input.md": page}
