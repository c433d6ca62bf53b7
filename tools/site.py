"""What mkdocs calls while it makes the site: brings in pages from outside of docs/, and leads links to where things are there.

In the repository every link is a path to a file. On the site a link to a page leads to that page, and of a link to a source file
only its text is left. A link to nothing is a warning, and so the end of `mkdocs build --strict`.
"""

from __future__ import annotations

import logging
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
OUTSIDE = {
    "ARCHITECTURE.md": "architecture.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "deploy/README.md": "deploy.md",
    "helm/ocpp-gateway/README.md": "chart.md",
    "helm/ocpp-gateway/UPGRADING.md": "chart-upgrading.md",
}
"""Path in the repository -> path on the site."""
_PATHS = {page: path for path, page in OUTSIDE.items()}
_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)")
_log = logging.getLogger("mkdocs.site")


def on_files(files: Files, *, config: Any) -> Files:
    """Adds the pages from outside."""
    for path, page in OUTSIDE.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Files) -> str:
    """Leads the links of a page."""
    here = page.file.src_uri
    path = _PATHS.get(here, f"docs/{here}")
    return _LINK.sub(lambda link: _led(link, path, here), markdown)


def _led(link: re.Match[str], path: str, here: str) -> str:
    text, target = link.groups()
    if target.startswith(("#", "https://", "http://", "mailto:")):
        return link[0]
    file, _, anchor = target.partition("#")
    goal = posixpath.normpath(posixpath.join(posixpath.dirname(path), file))
    if goal in OUTSIDE:
        goal = OUTSIDE[goal]
    elif goal.startswith("docs/"):
        goal = goal.removeprefix("docs/")
    elif (ROOT / goal).exists():
        return text
    else:
        _log.warning("%s links to %s, which does not exist", path, target)
    relative = posixpath.relpath(goal, posixpath.dirname(here) or ".")
    return f"[{text}]({relative}{'#' if anchor else ''}{anchor})"


_FETCHED = re.compile(
    r"""<(?:script|img|iframe|source|video)\b[^>]*?\bsrc=["']?((?:https?:)?//[^"'\s>]+)"""
    r"""|<link\b(?![^>]*\brel=["']?(?:canonical|next|prev))[^>]*?\bhref=["']?((?:https?:)?//[^"'\s>]+)"""
    r"""|url\(["']?((?:https?:)?//[^"')]+)|class=["']?(mermaid)\b"""
)


def fetched_from_elsewhere(site: Path) -> list[str]:
    """What a browser would get from another host when it shows a page: style sheets, scripts, fonts, pictures."""
    return [
        f"{path.relative_to(site)}: {next(filter(None, found))}"
        for path in sorted(site.rglob("*"))
        if path.suffix in (".html", ".css")
        for found in _FETCHED.findall(path.read_text(encoding="utf-8"))
    ]


if __name__ == "__main__":
    if found := fetched_from_elsewhere(ROOT / ".site" / "html"):
        raise SystemExit("\n".join(["the site is not whole without these:", *found]))
