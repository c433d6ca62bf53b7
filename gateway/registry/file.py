"""Chargers from a file: YAML, CSV, or a text with one identity a line."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from gateway import passwords
from gateway.config_kinds import VERSIONS
from gateway.config_source import suggestion
from gateway.registry import Charger

COLUMNS = ("id", "password", "password_hash", "serial", "group", "route", "versions", "blocked", "strict", "quirks")
LONGEST_ID = 100
_TRUE, _FALSE = ("true", "yes", "1", "on"), ("", "false", "no", "0", "off")


class BadFile(ValueError):
    """The file cannot be used; `errors` has a line for everything that is wrong, at most 20."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("; ".join(errors[:20]))
        self.errors = errors[:20]


def read(path: Path) -> list[Charger]:
    """All chargers of a file, in their order. Passwords in plain text are sealed. Raises BadFile, OSError."""
    errors: list[str] = []
    found: dict[str, Charger] = {}
    for where, row in rows(path):
        try:
            charger = charger_of(row)
        except ValueError as error:
            errors.append(f"{where}: {error}")
            continue
        if charger.id.casefold() in found:
            errors.append(f"{where}: {charger.id} is there twice")
        found[charger.id.casefold()] = charger
    if errors:
        raise BadFile(errors)
    return list(found.values())


def rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every charger of a file as keys and values, with the place where it stands. Raises BadFile, OSError."""
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise BadFile([f"{path}: is not UTF-8 text"]) from None
    if path.suffix in (".yaml", ".yml"):
        return _yaml(path, text)
    if path.suffix == ".csv":
        return _csv(path, text)
    return _lines(path, text)


def charger_of(row: Mapping[str, Any], hashed: bool = False) -> Charger:
    """One charger. `hashed`: a password in plain text becomes an argon2id hash, which takes its time. Raises ValueError."""
    for key in row:
        if key not in COLUMNS:
            raise ValueError(f"unknown key {key}{suggestion(str(key), COLUMNS)}")
    given = {key: "" if value is None else value for key, value in row.items()}
    identity = str(given.get("id", "")).strip()
    check_identity(identity)
    password = str(given.get("password_hash", ""))
    if password and not passwords.is_digest(password):
        raise ValueError("password_hash is no argon2id hash ($argon2id$...)")
    if plain := str(given.get("password", "")):
        if password:
            raise ValueError("has password and password_hash; keep one of them")
        try:
            raw = passwords.of_text(plain)
        except ValueError:
            raise ValueError("password: after hex: come pairs of hex digits") from None
        password = passwords.digest(raw) if hashed else passwords.sealed(raw)
    return Charger(
        id=identity,
        password=password,
        serial=str(given.get("serial", "")),
        group=str(given.get("group", "")),
        route=str(given.get("route", "")),
        versions=_versions(given.get("versions", "")),
        blocked=_truth("blocked", given.get("blocked", "")),
        strict=_truth("strict", given.get("strict", "")),
        quirks=str(given.get("quirks", "")),
    )


def check_identity(identity: str) -> None:
    """Raises ValueError for what can be no charger's identity."""
    if not identity:
        raise ValueError("id is missing")
    if (
        len(identity) > LONGEST_ID
        or not identity.isascii()
        or not identity.isprintable()
        or set(identity) & set("/\\%")
    ):
        raise ValueError(f"{identity!r} can be no identity: up to {LONGEST_ID} printable ASCII characters, no / \\ %")


def _versions(given: object) -> tuple[str, ...]:
    words = given if isinstance(given, list) else str(given).replace(";", ",").replace(" ", ",").split(",")
    found = tuple(str(word).strip() for word in words if str(word).strip())
    for word in found:
        if word not in VERSIONS:
            raise ValueError(f"versions: {word} is none{suggestion(word, VERSIONS)}")
    return found


def _truth(key: str, given: object) -> bool:
    if isinstance(given, bool):
        return given
    word = str(given).strip().casefold()
    if word not in _TRUE + _FALSE:
        raise ValueError(f"{key}: must be true or false, not {given}")
    return word in _TRUE


def _yaml(path: Path, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """A mapping of identities to their keys, a list of mappings, or either of them under `chargers`."""
    try:
        document = yaml.load(text, Loader=_Texts)
    except yaml.YAMLError as error:
        raise BadFile([f"{path}: {' '.join(str(error).split())}"]) from None
    if isinstance(document, dict) and set(document) == {"chargers"}:
        document = document["chargers"]
    items: Iterable[tuple[str, Any]]
    if isinstance(document, dict):
        items = ((f"{path}: {id}", {"id": id, **each} if isinstance(each, dict) else {"id": id} if each is None else each)
                 for id, each in document.items())  # fmt: skip
    elif isinstance(document, list):
        items = (
            (f"{path}: item {n}", {"id": each} if isinstance(each, str) else each) for n, each in enumerate(document, 1)
        )
    elif document is None:
        items = ()
    else:
        raise BadFile([f"{path}: must be a list of chargers, or a mapping of their identities"])
    for where, each in items:
        if not isinstance(each, dict):
            raise BadFile([f"{where}: must be a mapping of keys"])
        yield where, each


class _Texts(yaml.SafeLoader):
    """Leaves numbers as they are written: an identity or a password `0012` is no twelve."""


_Texts.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.endswith((":bool", ":null", ":merge"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _csv(path: Path, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    lines = text.splitlines()
    head = lines[0] if lines else ""
    reader = csv.DictReader(lines, delimiter=";" if head.count(";") > head.count(",") else ",")
    if "id" not in (reader.fieldnames or ()):
        raise BadFile([f"{path}:1: the first line names the columns: {', '.join(COLUMNS)}; id must be there"])
    for row in reader:
        if None in row:
            raise BadFile([f"{path}:{reader.line_num}: has more values than the first line has columns"])
        if any(row.values()):
            yield f"{path}:{reader.line_num}", row


def _lines(path: Path, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for number, line in enumerate(text.splitlines(), 1):
        if identity := line.partition("#")[0].strip():
            yield f"{path}:{number}", {"id": identity}
