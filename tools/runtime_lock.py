"""deploy/requirements.lock: what of requirements.lock the running program needs, for the image. `make docs` writes it."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
_OURS = "ocpp-gateway (pyproject.toml)"
_NOTE = "# Made by `make docs` from requirements.lock: what the program needs when it runs.\n"


def blocks(lock: str) -> dict[str, tuple[str, set[str]]]:
    """Package -> (its lines without comments, who needs it)."""
    found: dict[str, tuple[str, set[str]]] = {}
    for block in re.split(r"\n(?=[A-Za-z0-9])", lock):
        lines = block.splitlines()
        name = re.match(r"([A-Za-z0-9_.-]+)(\[[^]]*\])?==", lines[0])
        if name is None:
            continue
        comments = [line.strip().removeprefix("#").strip() for line in lines if line.strip().startswith("#")]
        needed_by = {comment.removeprefix("via").strip() for comment in comments} - {""}
        text = "\n".join(line for line in lines if not line.strip().startswith("#"))
        found[name[1]] = (text.rstrip(" \\\n") + "\n", needed_by)
    return found


def lock() -> str:
    """The file."""
    packages = blocks((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    chosen: set[str] = set()
    while more := {name for name, (_, by) in packages.items() if by & (chosen | {_OURS})} - chosen:
        chosen |= more
    return _NOTE + "".join(packages[name][0] for name in sorted(chosen))
