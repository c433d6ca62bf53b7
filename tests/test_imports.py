"""Who may import whom (ARCHITECTURE.md), read from the source: no rule is broken by accident."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
IO = {"asyncio", "redis", "hiredis", "websockets", "aiohttp", "uvloop", "random", "time", "socket", "prometheus_client"}
PURE = [
    *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "translators").rglob("*.py")),
    "gateway/routes.py",
    "gateway/quirk_profiles.py",
    "gateway/readiness.py",
    "gateway/capture.py",
    "gateway/admin/commands.py",
    "gateway/simulator/profile.py",
    "gateway/simulator/voices.py",
    "gateway/treatment.py",
    "gateway/edge/guard.py",
    "gateway/edge/verdict.py",
    "gateway/edge/jsontext.py",
    "gateway/edge/quirks.py",
    "gateway/edge/reactions.py",
    "gateway/edge/fingerprint.py",
    "gateway/edge/access.py",
    "gateway/edge/lockout.py",
    "gateway/edge/source.py",
    "gateway/hub/session.py",
    "gateway/hub/caller.py",
    "gateway/hub/link.py",
    "gateway/hub/connecting.py",
    "gateway/hub/due.py",
    "gateway/hub/lane.py",
    "gateway/hub/repeatable.py",
    "gateway/hub/shared.py",
    "gateway/hub/introduction.py",
    "gateway/hub/effects.py",
    "gateway/hub/backlog.py",
    "gateway/hub/answering.py",
    "gateway/hub/local.py",
    "gateway/hub/refused.py",
    "gateway/hub/retried.py",
    "gateway/hub/intake.py",
    "gateway/hub/lifeline.py",
    "gateway/hub/throttle.py",
    "gateway/hub/refusals.py",
    "gateway/hub/arbiter.py",
    "gateway/hub/arbitration.py",
    "gateway/hub/book.py",
    "gateway/hub/composite.py",
    "gateway/hub/control.py",
    "gateway/hub/habits.py",
    "gateway/hub/leases.py",
    "gateway/hub/mending.py",
    "gateway/hub/numbers.py",
    "gateway/hub/profiles.py",
    "gateway/hub/schedules.py",
    "gateway/hub/terms.py",
    "gateway/hub/virtual.py",
    "gateway/hub/words.py",
    "gateway/hub/shadow.py",
    "gateway/hub/comparing.py",
]


def imported(path: Path) -> set[str]:
    """Absolute names of the modules that a file imports, also inside functions; not those only for type checking."""
    tree = ast.parse(path.read_text())
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    typing_only = {
        id(node)
        for guard in ast.walk(tree)
        if isinstance(guard, ast.If) and ast.unparse(guard.test).endswith("TYPE_CHECKING")
        for node in ast.walk(guard)
    }
    names: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module or "") if part)
            names.add(module)
            names |= {f"{module}.{alias.name}" for alias in node.names}
    return names


def inside(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


@pytest.mark.parametrize("file", PURE)
def test_pure_modules_do_no_io(file: str) -> None:
    assert not {name for name in imported(ROOT / file) if name.split(".")[0] in IO}


def rows() -> list[tuple[str, str]]:
    return [
        ("translators", "gateway"),
        ("gateway/edge", "gateway.hub"),
        ("gateway/hub", "gateway.edge"),
        ("gateway/journal", "gateway.edge"),
        ("gateway/journal", "gateway.hub"),
        ("gateway/admin", "gateway.edge"),
        ("gateway/admin", "gateway.hub"),
    ]


@pytest.mark.parametrize(("folder", "forbidden"), rows())
def test_halves_do_not_know_each_other(folder: str, forbidden: str) -> None:
    for path in (ROOT / folder).rglob("*.py"):
        assert not [name for name in imported(path) if inside(name, forbidden)], path


def test_version_pairs_do_not_import_each_other() -> None:
    pairs = [path for path in (ROOT / "translators").iterdir() if path.is_dir() and "_v" in path.name]
    assert pairs
    for pair in pairs:
        for path in pair.rglob("*.py"):
            others = {f"translators.{other.name}" for other in pairs if other != pair}
            assert not [name for name in imported(path) if any(inside(name, other) for other in others)], path


def test_serving_code_never_imports_the_ocpp_package() -> None:
    for folder in ("gateway", "translators"):
        for path in (ROOT / folder).rglob("*.py"):
            if "demo" not in path.parts:
                assert not [name for name in imported(path) if inside(name, "ocpp")], path


def test_no_stream_is_trimmed_by_length() -> None:
    for path in (ROOT / "gateway").rglob("*"):
        if path.suffix in (".py", ".lua"):
            assert "MAXLEN" not in path.read_text(), path
