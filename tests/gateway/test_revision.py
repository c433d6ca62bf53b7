"""The commit that build_info names."""

from __future__ import annotations

from pathlib import Path

from gateway.revision import revision


def test_where_it_comes_from(tmp_path: Path) -> None:
    package, git = tmp_path / "gateway", tmp_path / ".git"
    package.mkdir()
    assert revision(package) == "unknown"
    git.mkdir()
    (git / "HEAD").write_text("0123abc\n")
    assert revision(package) == "0123abc", "a detached head"
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    assert revision(package) == "unknown"
    (git / "packed-refs").write_text("# pack-refs\nffff refs/heads/other\n4567def refs/heads/main\n")
    assert revision(package) == "4567def"
    (git / "refs" / "heads").mkdir(parents=True)
    (git / "refs" / "heads" / "main").write_text("89abcde\n")
    assert revision(package) == "89abcde"
    (package / "REVISION").write_text("of the image\n")
    assert revision(package) == "of the image"
