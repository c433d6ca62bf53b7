"""What each defect of a frame gets in each version: malformed.yaml, read once (reliability 6.3)."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from translators.tables import table

DEFECTS: Final = 5
"""So many RPC-level defects within `WINDOW_MS` close the socket with 1002."""
WINDOW_MS: Final = 60_000


class Reaction(msgspec.Struct, frozen=True):
    """What one row gets in one version."""

    kind: Literal["drop", "error", "accept"]
    code: str
    title: str
    strikes: str
    """What it counts towards: "defect", the row itself, or nothing."""
    limit: int
    close: int


def _load() -> tuple[dict[str, dict[str, Reaction]], dict[str, dict[str, Reaction]]]:
    rows = table("gateway.edge", "malformed.yaml")
    columns = {
        "ocpp1.5": ("ocpp1.5", "ocpp1.6"),
        "ocpp1.6": ("ocpp1.6",),
        "ocpp2.0.1": ("ocpp2.0.1",),
        "ocpp2.1": ("ocpp2.1", "ocpp2.0.1"),
    }
    usual: dict[str, dict[str, Reaction]] = {version: {} for version in columns}
    strict: dict[str, dict[str, Reaction]] = {version: {} for version in columns}
    for row in rows:
        for version, names in columns.items():
            said = next(row[name] for name in names if name in row)
            usual[version][row["row"]] = _reaction(row, said)
            strictly = row.get("strict", {})
            said = next((strictly[name] for name in names if name in strictly), said)
            strict[version][row["row"]] = _reaction(row, said)
    return usual, strict


def _reaction(row: dict[str, Any], said: str) -> Reaction:
    kind, _, code = said.partition(" ")
    counts = code == "RpcFrameworkError" or (kind == "drop" and row.get("defect", False))
    limit, close = (row["limit"], 1008) if "limit" in row else (DEFECTS if counts else 0, 1002)
    strikes = row["row"] if "limit" in row else "defect" if counts else ""
    return Reaction(kind, code, row["title"], strikes, limit, close)  # type: ignore[arg-type]


REACTIONS, STRICT = _load()
"""Version -> row -> reaction; `STRICT`: for chargers in certification runs."""
