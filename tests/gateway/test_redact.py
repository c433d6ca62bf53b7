"""What is hidden of every message of every version (reliability 2.9). The list of what must be is this file's own."""

from __future__ import annotations

import itertools
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import ocpp
import pytest

from gateway.redact import redact
from tests import schemas
from tests.translators.models.samples import resolve

CANARY = "CANARY"
SENSITIVE = re.compile(
    r"(?i)^(id_?tag|parentIdTag|idToken|groupIdToken|additionalIdToken|emaid|evccid|vin|customerIdentifier"
    r"|.*password|apnPassword|authorizationKey|csr|certificate|certificateChain|exiRequest|exiResponse"
    r"|vatNumber|pspRef|receiptUrl|receiptId)$"
)
WITHIN = re.compile(r"(?i)^(vpn|personalMessage|vatCompany|company|customerCertificate|iso15118CertificateHashData)$")
"""All texts inside are about a person, or secret (`vpn`: its key and password)."""
DATA = {"DataTransfer", "NotifyCustomerInformation"}

numbers = itertools.count()


def filled(node: Any, root: Any, action: str, path: tuple[str, ...] = ()) -> Any:
    """Everything that a schema allows; what is sensitive begins with the canary."""
    node = resolve(node, root)
    if "enum" in node:
        return node["enum"][0]
    match node.get("type"):
        case "object":
            return {
                name: filled(each, root, action, (*path, name)) for name, each in node.get("properties", {}).items()
            }
        case "array":
            return [filled(node["items"], root, action, path) for _ in range(2)]
        case "string" if sensitive(path, action):
            return f"{CANARY}{next(numbers)}"
        case "string":
            return "2026-01-01T00:00:00Z" if node.get("format") == "date-time" else f"plain{next(numbers)}"
        case "integer" | "number":
            return 1
        case "boolean":
            return True
    return {"any": f"{CANARY}{next(numbers)}" if sensitive((*path, "any"), action) else "plain"}


def sensitive(path: tuple[str, ...], action: str) -> bool:
    if "customData" in path or (path[-1] in ("type", "hashAlgorithm") and "vpn" in path):
        return False
    inside = [each for each in path[:-1] if WITHIN.match(each)]
    if "vpn" in inside:
        return path[-1] in ("key", "password")
    return bool(inside) or SENSITIVE.match(path[-1]) is not None or (action in DATA and path[0] == "data")


@cache
def newest() -> list[tuple[str, str, Any]]:
    """The messages of 2.1, which no rule translates yet."""
    folder = Path(ocpp.__file__).parent / "v21" / "schemas"
    return [
        (path.stem.removesuffix("Request").removesuffix("Response"), path.stem, json.loads(path.read_text("utf-8-sig")))
        for path in sorted(folder.glob("*.json"))
    ]


def messages() -> list[Any]:
    found = [
        pytest.param(action, schemas.schema(version, action, kind), id=f"{version}-{action}-{kind}")
        for version in ("1.5", "1.6", "2.0.1")
        for action in sorted(schemas.actions(version))
        for kind in ("request", "response")
    ]
    return found + [pytest.param(action, schema, id=f"2.1-{name}") for action, name, schema in newest()]


@pytest.mark.parametrize(("action", "schema"), messages())
def test_no_secret_and_no_token_of_any_message_is_left(action: str, schema: Any) -> None:
    payload = filled(schema, schema, action)
    shown = redact(payload, action)
    assert CANARY not in json.dumps(shown), shown


@pytest.mark.parametrize(
    "name",
    [
        "AuthorizationKey",
        "BasicAuthPassword",
        "authorization_key",
        "WifiKey",
        "ApnPassword",
        "SimPin",
        "WiFi.Passphrase",
        "WlanKey",
    ],
)
@pytest.mark.parametrize(
    "message",
    [
        lambda name: {"key": name, "value": CANARY},
        lambda name: {"configurationKey": [{"key": name, "readonly": False, "value": CANARY}]},
        lambda name: {"setVariableData": [{"component": {"name": "X"}, "variable": {"name": name}, "attributeValue": CANARY}]},
        lambda name: {"reportData": [{"variable": {"name": name}, "variableAttribute": [{"type": "Actual", "value": CANARY}]}]},
        lambda name: {"eventData": [{"variable": {"name": name}, "actualValue": CANARY}]},
        lambda name: {"component": {"name": name}, "variable": {"name": "v"}, "attributeValue": CANARY},
    ],
)  # fmt: skip
def test_a_name_that_stands_beside_the_value(name: str, message: Any) -> None:
    assert CANARY not in json.dumps(redact(message(name)))
    assert CANARY in json.dumps(redact(message("HeartbeatInterval")))


def test_the_pin_of_a_sim_card_is_a_number() -> None:
    shown = redact({"connectionData": {"apn": {"apn": "internet", "simPin": 4711}}}, "SetNetworkProfile")
    assert shown == {"connectionData": {"apn": {"apn": "internet", "simPin": "***(<=8)"}}}


@pytest.mark.parametrize("key", ["location", "remoteLocation", "requestUri", "url"])
def test_a_location_has_neither_credentials_nor_a_query(key: str) -> None:
    shown = redact({key: f"ftp://user:{CANARY}@files.example/a?sig={CANARY}"})
    assert shown == {key: "ftp://***@files.example/a?***"}


def test_a_token_is_the_same_in_every_line_and_hidden() -> None:
    one, other = redact({"idTag": "AB12"}), redact({"idToken": {"idToken": "ab12", "type": "ISO14443"}})
    assert one["idTag"] == other["idToken"]["idToken"] and one["idTag"].startswith("tok:")
