"""Messages whose members can be told apart, and where each of them went."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from tests import schemas
from tests.schemas import Kind, Version
from tests.translators.models.samples import is_custom_data, resolve
from translators.losses import Ledger, Loss
from translators.values import format_time, parse_time

Member = tuple[str, Any, bool]
"""Path without indices, value, whether it is one of a few words (an enum, a boolean, a place)."""
PLACES = ("connectorId", "evseId", "evse.id", "evse.connectorId")
START = 1_740_820_000_000


class Maker:
    """Draws valid payloads in which every free value is another one."""

    def __init__(self, data: st.DataObject, given: dict[str, Any] | None = None) -> None:
        self.data = data
        self.count = 0
        self.given = given or {}
        """Values of some members, by name: lists to choose from."""

    def payload(self, version: Version, action: str, kind: Kind) -> Any:
        schema = schemas.schema(version, action, kind)
        return self._value(schema, schema, "")

    def _value(self, node: Any, root: Any, name: str) -> Any:
        node = resolve(node, root)
        self.count += 1
        if name in self.given:
            return self.data.draw(st.sampled_from(self.given[name]))
        if is_custom_data(node):
            return {"vendorId": f"c{self.count}z"}
        if "enum" in node:
            return self.data.draw(st.sampled_from(node["enum"]))
        match node.get("type"):
            case "object":
                required = node.get("required", [])
                found = {}
                for each, member in node.get("properties", {}).items():
                    rare = is_custom_data(resolve(member, root))
                    if each in required or self.data.draw(st.integers(0, 19 if rare else 1)) == 0:
                        found[each] = self._value(member, root, each)
                return found
            case "array":
                least, most = node.get("minItems", 0), min(node.get("maxItems", 2), 2)
                number = self.data.draw(st.integers(max(least, 1), max(least, most)))
                return [self._value(node["items"], root, name) for _ in range(number)]
            case "string" if node.get("format") == "date-time":
                return format_time(START + 1000 * self.count)
            case "string" if node.get("format") == "uri":
                return f"ftp://x/v{self.count}z"
            case "string" if name == "value":
                return str(1000 + self.count)
            case "string":
                text = f"v{self.count}z"
                long = self.data.draw(st.booleans())
                return (text * 20)[: node.get("maxLength", 300)] if long else text[: node.get("maxLength", 300)]
            case "integer":
                return min(max(1000 + self.count, int(node.get("minimum", 0))), int(node.get("maximum", 10**9)))
            case "number":
                return self.count + self.data.draw(st.sampled_from([0, 0.5, 0.25])) * (0.1 not in node.values())
            case "boolean":
                return self.data.draw(st.booleans())
        return f"v{self.count}z"


def members(version: Version, action: str, kind: Kind, payload: Any) -> Iterator[Member]:
    """The leaves of a payload."""
    schema = schemas.schema(version, action, kind)
    return _members(schema, schema, payload, "")


def _members(node: Any, root: Any, value: Any, path: str) -> Iterator[Member]:
    node = resolve(node, root)
    match value:
        case dict() if "properties" in node:
            for name, each in value.items():
                if name in node["properties"]:
                    yield from _members(node["properties"][name], root, each, f"{path}.{name}" if path else name)
        case list() if "items" in node:
            for each in value:
                yield from _members(node["items"], root, each, path)
        case _:
            yield path, value, "enum" in node or isinstance(value, bool) or path.endswith(PLACES)


class Told:
    """What the messages and answers that left say."""

    def __init__(self) -> None:
        self.values: set[Any] = set()
        self.texts: list[str] = []
        self.paths: set[str] = set()
        self.losses: set[Loss] = set()

    def add(self, payload: Any, path: str = "") -> None:
        match payload:
            case dict():
                for name, each in payload.items():
                    self.paths.add(where := f"{path}.{name}" if path else name)
                    self.add(each, where)
            case list():
                for each in payload:
                    self.add(each, path)
            case _:
                self.values.add(plain(payload))
                if isinstance(payload, str):
                    self.texts += [payload, _unwrapped(payload)]
                    if payload[:1] in ("{", "["):
                        self.add(json.loads(payload), path)

    def lacks(self, ledger: Ledger, source: str, action: str, part: str, member: Member) -> str | None:
        """Why a member went lost without a word; None if it did not."""
        path, value, few = member
        names = {loss.field for loss in self.losses}
        if action in names or any(path == name or path.startswith(name + ".") for name in names):
            return None
        if "customData" in path.split("."):
            return None if "customData" in names or plain(value) in self.values else f"{path} is lost"
        row = ledger.field(source, action, part, path)
        if row is None:
            return f"no row for {path}"
        if row.becomes == "used" or value in ("", "Raw", "NoError"):
            return None
        if plain(value) in self.values or (isinstance(value, str) and any(value in text for text in self.texts)):
            return None
        target = (path if row.becomes == "=" else row.becomes + path[len(row.path) :]).split(".")
        tail = ".".join(target[1:] if target[0][:1].isupper() else target)
        mapped = few or "transactionId" in path or "idT" in path or path.endswith(("data.cost", ".type"))
        if row.becomes and mapped and any(each == tail or each.endswith("." + tail) for each in self.paths):
            return None
        return f"{path} = {value!r} is neither told nor named as lost"


def _unwrapped(text: str) -> str:
    """What a signature holds that had no JSON around it."""
    try:
        return base64.b64decode(text, validate=True).decode()
    except ValueError:
        return ""


def plain(value: Any) -> Any:
    """A value as it compares in both versions."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float | Decimal):
        return Decimal(str(value)).normalize()
    if isinstance(value, str):
        if (at := parse_time(value)) is not None:
            return at
        if value.replace(".", "", 1).isdecimal():
            return Decimal(value).normalize()
        return value.casefold()
    return str(value)
