"""Chargers in files: three forms, the same chargers; what is wrong is told with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway import passwords
from gateway.registry import Charger
from gateway.registry.file import BadFile, read

HASH = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$" + "A" * 43


def chargers(tmp_path: Path, name: str, text: str) -> list[Charger]:
    (tmp_path / name).write_text(text)
    return read(tmp_path / name)


def test_a_text_with_one_identity_a_line(tmp_path: Path) -> None:
    found = chargers(tmp_path, "chargers", "# ours\nCP1\n  cp two # with a space\n\n")
    assert found == [Charger("CP1"), Charger("cp two")]


def test_yaml(tmp_path: Path) -> None:
    mapping = f"""
        CP1: {{password: s3cret, group: north, versions: [ocpp1.6, ocpp2.0.1]}}
        CP2: {{password_hash: '{HASH}', serial: 00123, route: special, blocked: true}}
        0012:
    """
    found = chargers(tmp_path, "a.yaml", mapping)
    assert [each.id for each in found] == ["CP1", "CP2", "0012"]
    assert (found[0].group, found[0].versions) == ("north", ("ocpp1.6", "ocpp2.0.1"))
    assert passwords.matches(found[0].password, b"s3cret") and not passwords.matches(found[0].password, b"s3creT")
    assert found[1] == Charger("CP2", HASH, "00123", "", "special", (), True)
    listed = "chargers:\n  - {id: CP1, versions: ocpp1.6}\n  - CP2\n"
    assert chargers(tmp_path, "b.yml", listed) == [Charger("CP1", versions=("ocpp1.6",)), Charger("CP2")]


@pytest.mark.parametrize("mark", [",", ";"])
def test_csv(tmp_path: Path, mark: str) -> None:
    lines = ["id,password,group,versions,blocked", "CP1,hex:00ff,north,ocpp1.6 ocpp2.0.1,", "CP2,,,,yes", ",,,,"]
    found = chargers(tmp_path, "a.csv", "﻿" + "\n".join(line.replace(",", mark) for line in lines))
    assert passwords.matches(found[0].password, b"\x00\xff")
    assert (found[0].group, found[0].versions, found[0].blocked) == ("north", ("ocpp1.6", "ocpp2.0.1"), False)
    assert found[1:] == [Charger("CP2", blocked=True)]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a", "CP/1\n", "a:1: 'CP/1' can be no identity: up to 100 printable ASCII characters, no / \\ %"),
        ("a", "CP1\n\ncp1\n", "a:3: cp1 is there twice"),
        ("a.csv", "name\nCP1\n", "a.csv:1: the first line names the columns: id, password, password_hash, serial"),
        ("a.csv", "id,group\nCP1,x,y\n", "a.csv:2: has more values than the first line has columns"),
        ("a.csv", "id,colour\nCP1,x\n", "a.csv:2: unknown key colour (known: "),
        ("a.yaml", "CP1: {blocked: perhaps}\n", "a.yaml: CP1: blocked: must be true or false, not perhaps"),
        ("a.yaml", "CP1: {password_hash: x}\n", "a.yaml: CP1: password_hash is no argon2id hash ($argon2id$...)"),
        ("a.yaml", "CP1: {password: hex:0}\n", "a.yaml: CP1: password: after hex: come pairs of hex digits"),
        ("a.yaml", f"CP1: {{password: a, password_hash: '{HASH}'}}\n", "a.yaml: CP1: has password and password_hash; keep"),
        ("a.yaml", "CP1: [\n", "a.yaml: while parsing"),
        ("a.yaml", "CP1\n", "a.yaml: must be a list of chargers, or a mapping of their identities"),
        ("a.yaml", "- 7\n- {group: x}\n", "a.yaml: item 2: id is missing"),
    ],
)  # fmt: skip
def test_what_is_wrong(name: str, text: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(BadFile) as caught:
        chargers(tmp_path, name, text)
    assert any(error.replace(f"{tmp_path}/", "").startswith(expected) for error in caught.value.errors), (
        caught.value.errors
    )
