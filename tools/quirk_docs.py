"""docs/quirks.md, from translators/quirks/table.yaml and the quirk profiles that ship."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.quirk_profiles import sources
from translators.quirks import QUIRKS, Quirk

_INTRODUCTION = """
What chargers and CSMSs do that the specification does not say, and what the gateway makes of it: one row each.
[Add a quirk](add-a-quirk.md) says how a row comes to be.

Be liberal, normalise, count: `ocppgw_quirks_total{quirk, ocpp_version, side}` tells how often each label was met, without
the identity of a charger. The journal keeps every frame as it was received, whatever is repaired on its way.

`charger.repair`, or `repair` of a route, says what is changed between a charger and a CSMS of the same version:

| `repair` | what happens |
|---|---|
| `off` | nothing: payloads pass as they are |
| `safe` (default) | what cannot change the meaning (rows with *safe*); what its schema takes leaves byte for byte |
| `full` | also what loses something by it (rows with *full*): text is cut, unknown values become Other, empty samples go |

`safe` costs one strict decode per message; `full` looks at every member, which takes 15 to 150 microseconds.

Times are never changed between equal versions. A translation reads leniently at any level, for it has to write something
valid; what it loses by that is in [Translation](translation/README.md). A charger that is `strict` in the registry is
refused for what is tolerated here.
"""

_GROUPS = {
    "edge": ("Handshake, WebSocket, frames", "Met before a message has a meaning."),
    "hub": ("Conversation", "What one charger does over time."),
    "payload": (
        "Payloads",
        "Read leniently by every translation; between equal versions repaired from the level that is named.",
    ),
    "translation": ("Translation", "Only where the versions differ; equal versions leave it as it is."),
}


_PROFILES = """
What a kind of charger needs that others do not: recognised by its BootNotification, or named by the registry
([Chargers](chargers.md)). `quirks` in the [configuration](config.md#quirksname) adds yours, and replaces these by name.
A charger with a profile is counted like any other; the profile only changes how it is treated.
"""


def page() -> str:
    """docs/quirks.md."""
    lines = ["# Quirks", "", "<!-- Made by `make docs` from the program. Edit the sources, not this file. -->"]
    lines += [_INTRODUCTION.rstrip()]
    for where, (title, meaning) in _GROUPS.items():
        lines += ["", f"## {title}", "", meaning, ""]
        lines += ["| | A peer | Becomes | When | Label | Seen |", "|---|---|---|---|---|---|"]
        lines += [_row(row) for row in QUIRKS if row.where == where]
    lines += ["", "## Profiles that ship", _PROFILES.rstrip(), ""]
    lines += ["| Profile | Recognised by | Sets | Seen |", "|---|---|---|---|"]
    lines += [_profile(name, written) for name, written in sources().items()]
    return "\n".join(lines) + "\n"


def _profile(name: str, written: dict[str, Any]) -> str:
    fits = [key for key in ("vendor", "model", "firmware") if key in written]
    rules = ", ".join(f"{key} `{written[key]}`" for key in fits)
    sets = ", ".join(f"`{key}: {value}`" for key, value in written.items() if key not in (*fits, "seen"))
    cells = (f"`{name}`", rules, sets.replace("'", ""), written["seen"])
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _row(row: Quirk) -> str:
    when = row.at or (f"`{row.option}`" if row.option else "always")
    label = f"`{row.label}`" if row.label else ""
    cells = (f"[{row.quirk}](../tests/{row.test.partition('::')[0]})", row.does, row.becomes, when, label, row.seen)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def pages() -> dict[str, Callable[[], str]]:
    """Name below docs/ -> what makes it."""
    return {"quirks.md": page}
