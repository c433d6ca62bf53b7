"""Which commit runs."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def revision(package: Path = _PACKAGE) -> str:
    """The commit: of the build, from the file REVISION that the image has, or of the checkout; "unknown" without either."""
    try:
        return (package / "REVISION").read_text(encoding="ascii").strip() or "unknown"
    except (OSError, ValueError):
        return _checked_out(package.parent / ".git") or "unknown"


def _checked_out(git: Path) -> str:
    try:
        head = (git / "HEAD").read_text(encoding="ascii").strip()
        if not head.startswith("ref: "):
            return head
        name = head.removeprefix("ref: ")
        if (git / name).exists():
            return (git / name).read_text(encoding="ascii").strip()
        packed = (git / "packed-refs").read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return ""
    return next((line.split()[0] for line in packed if line.endswith(f" {name}")), "")
