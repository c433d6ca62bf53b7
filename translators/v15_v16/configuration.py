"""GetConfiguration and ChangeConfiguration of a 1.6 CSMS: one key is spelled differently, two a 1.5 charger lacks."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final

from ..dialogue import Ask, Dialogue, Rule
from ..models import v15, v16
from ..values15 import HEARTBEAT_15, HEARTBEAT_16
from .carry import carry
from .state import facts_of

CONNECTORS: Final = "NumberOfConnectors"
FEATURES: Final = "SupportedFeatureProfiles"
SAMPLE_INTERVAL: Final = "MeterValueSampleInterval"
KEY_LIMIT: Final = 50
VALUE_LIMIT: Final = 500
_ASSUMED: Final = ("Core", "FirmwareManagement", "LocalAuthListManagement", "Reservation")


def _down(d: Dialogue, key: str) -> str:
    """A key as the charger spells it."""
    if key.casefold() == HEARTBEAT_16.casefold():
        return facts_of(d).heartbeat_key or HEARTBEAT_15
    return key


def _up(key: str) -> str:
    return HEARTBEAT_16 if key.casefold() == HEARTBEAT_16.casefold() else key


def get_configuration(d: Dialogue, request: v16.GetConfigurationRequest) -> Rule:
    """The charger's keys, and for those of 1.6 that say what it is: what the gateway has learned."""
    facts = facts_of(d)
    keys = None if request.key is None else [_down(d, key) for key in request.key]
    answer = yield from d.ask("charger", v15.GetConfigurationRequest(key=keys))
    found: list[v16.KeyValue] = []
    for each in answer.configurationKey or ():
        if each.key.casefold() == HEARTBEAT_16.casefold():
            facts.heartbeat_key = each.key
        key = _cut(d, _up(each.key), "configurationKey.key")
        pair = carry(d, each, v16.KeyValue, "configurationKey.", key=key, value=_value(d, each.value))
        found.append(pair)
        _learn(d, pair.key, pair.value)
    names = {each.key.casefold() for each in found}
    wanted = {key.casefold() for key in request.key or (CONNECTORS, FEATURES)}
    for own in _own(d):
        if own.key.casefold() in wanted - names:
            d.lose("configurationKey", "synthesised")
            found.append(own)
            names.add(own.key.casefold())
    unknown = [_cut(d, _up(key), "unknownKey") for key in answer.unknownKey or () if _up(key).casefold() not in names]
    return v16.GetConfigurationResponse(configurationKey=found or None, unknownKey=unknown or None)


def _cut(d: Dialogue, key: str, path: str) -> str:
    if len(key) > KEY_LIMIT:
        d.lose(path, "shortened")
    return key[:KEY_LIMIT]


def _value(d: Dialogue, value: str | None) -> str | None:
    """The value of a key; an empty one is a value."""
    if value is not None and len(value) > VALUE_LIMIT:
        d.lose("configurationKey.value", "shortened")
    return None if value is None else value[:VALUE_LIMIT]


def _own(d: Dialogue) -> list[v16.KeyValue]:
    """What a 1.5 charger cannot tell of itself (spec 2.1)."""
    facts = facts_of(d)
    features = ",".join(each for each in _ASSUMED if each not in facts.lacks)
    pairs = [v16.KeyValue(key=FEATURES, readonly=True, value=features)]
    numbers = [facts.known_connectors, *facts.places, *(charge.connector for charge in facts.charges)]
    if (most := max(numbers)) > 0:
        pairs.append(v16.KeyValue(key=CONNECTORS, readonly=True, value=str(most)))
    return pairs


def change_configuration(
    d: Dialogue, request: v16.ChangeConfigurationRequest
) -> Generator[Ask, Any, v15.ChangeConfigurationResponse]:
    """Ask the charger to change a key, in its spelling."""
    command = carry(d, request, v15.ChangeConfigurationRequest, key=_down(d, request.key))
    reply = yield from d.ask("charger", command)
    if reply.status == "Accepted":
        _learn(d, request.key, request.value)
    return reply


def _learn(d: Dialogue, key: str, value: str | None) -> None:
    text = (value or "").strip()
    if key.casefold() == SAMPLE_INTERVAL.casefold() and text.isdecimal():
        facts_of(d).sample_interval = min(int(text[:9]), 86_400)
