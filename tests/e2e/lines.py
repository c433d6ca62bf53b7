"""Scripts made from the schemas: every action of a version in both directions, with little and with everything in it, and refused."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any, Literal

from tests import schemas
from tests.schemas import Kind, Version
from tests.translators.models.samples import resolve
from translators.models import v15, v16, v201

from .puppet import Side, Step

MODELS: dict[str, Any] = {"1.5": v15, "1.6": v16, "2.0.1": v201}
_OLD = "NotImplemented NotSupported InternalError ProtocolError SecurityError FormationViolation"
_BOTH = "PropertyConstraintViolation OccurenceConstraintViolation TypeConstraintViolation GenericError"
ERRORS = {
    "1.5": f"{_OLD} {_BOTH}".split(),
    "1.6": f"{_OLD} {_BOTH}".split(),
    "2.0.1": f"{_OLD.replace('Formation', 'Format')} {_BOTH} MessageTypeNotSupported RpcFrameworkError".split(),
}
Fill = Literal["least", "full"]


class Writer:
    """Writes JSON text that no encoder would write again like that; no two payloads with a free value are equal."""

    def __init__(self, version: Version) -> None:
        self.version = version
        self._count = itertools.count(1)

    def payload(self, action: str, kind: Kind, fill: Fill) -> bytes:
        schema = schemas.schema(self.version, action, kind)
        return self._text(schema, schema, fill).encode()

    def _text(self, node: Any, root: Any, fill: Fill) -> str:
        node = resolve(node, root)
        number = next(self._count)
        if "enum" in node:
            return json.dumps(node["enum"][number % len(node["enum"])])
        match node.get("type"):
            case "object":
                wanted = node.get("required", []) if fill == "least" else node.get("properties", {})
                # The order of a schema says nothing: it may not survive by chance.
                members = [
                    f'"{name}": {self._text(node["properties"][name], root, fill)}' for name in reversed(list(wanted))
                ]
                return "{" + (" ,\t" if fill == "full" else ",").join(members) + "}"
            case "array":
                least = node.get("minItems", 0)
                count = least if fill == "least" else max(least, min(2, node.get("maxItems", 2)))
                return "[ " + ",".join(self._text(node["items"], root, fill) for _ in range(count)) + "]"
            case "string" if node.get("format") == "date-time":
                hours, seconds = divmod(number, 3600)
                return f'"2025-03-{1 + hours:02}T10:{seconds // 60:02}:{seconds % 60:02}.50{"Z" if number % 2 else "+01:00"}"'
            case "string":
                longest = node.get("maxLength", 40)
                text = (f"{number}é/" + "ü" * longest)[: longest if fill == "full" else min(longest, 6)]
                return f'"{text}"'.replace("é", "\\u00e9").replace("/", "\\/")
            case "integer":
                return str(min(max(number, int(node.get("minimum", 0))), int(node.get("maximum", number))))
            case "number":
                if "maximum" in node or "minimum" in node:
                    return str(min(max(number, int(node.get("minimum", 0))), int(node.get("maximum", number)))) + ".0"
                return f"{number}.10" if number % 2 else f"{number}e1"
            case "boolean":
                return "true" if number % 2 else "false"
        return '{"any": ["thing", 1.50, null]}'


def script(version: Version) -> Iterator[Step]:
    """Every action: with what it must have, with everything it may have, and answered with a CALLERROR.

    Both directions take turns. The charger boots first: until then it may be sent nothing.
    """
    writer, codes = Writer(version), itertools.cycle(ERRORS[version])
    model = MODELS[version]
    theirs = sorted(model.FROM_CHARGER, key=lambda action: (action != "BootNotification", action))
    for pair in itertools.zip_longest(theirs, sorted(model.FROM_CSMS)):
        for by, action in zip(("charger", "csms"), pair, strict=True):
            if action is not None:
                yield from _steps(writer, "charger" if by == "charger" else "csms", action, next(codes))


def _steps(writer: Writer, by: Side, action: str, code: str) -> Iterator[Step]:
    fills: tuple[Fill, ...] = ("least", "full")
    for fill in fills:
        yield Step(
            by, action, writer.payload(action, "request", fill), b"3, " + writer.payload(action, "response", fill)
        )
    refusal = f'4, "{code}", "no \\"{action}\\" é", {{"why": 1.10}}'
    yield Step(by, action, writer.payload(action, "request", "full"), refusal.encode())
