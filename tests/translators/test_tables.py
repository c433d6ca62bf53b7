"""The tables of the pairs against the rules and the models, and the pages made of them."""

from __future__ import annotations

import pytest

from tools import translation_docs as docs
from translators import PAIRS, atlas, pairs
from translators.dialogue import Local, Pair, Refuse, Same, Talk
from translators.losses import ANY, Ledger, folder, folders, ledger, names

TABLES: list[tuple[Pair, Ledger]] = [
    (pair, found)
    for charger, csms, _ in PAIRS
    for pair in pairs(charger, csms)
    if (found := ledger(pair.charger, pair.csms)) is not None
]
WITHOUT: set[str] = set()
"""Pairs that have none yet."""
EACH = pytest.mark.parametrize(("pair", "found"), [pytest.param(*each, id=docs.name(each[0])) for each in TABLES])


def test_every_pair_has_tables() -> None:
    have = {folder(*(each.removeprefix("ocpp") for each in pair[:2])) for pair in PAIRS}
    assert set(folders()) == have - WITHOUT


@EACH
def test_every_message_of_both_versions_has_a_line(pair: Pair, found: Ledger) -> None:
    for source, rows in (("charger", pair.from_charger), ("csms", pair.from_csms)):
        mine, other = atlas.versions(source, pair.charger, pair.csms)
        for action in atlas.actions(mine, source):
            message = found.message(source, action)
            assert message is not None, (source, action)
            assert docs.agrees(rows[action], message.fate, message.to), message
        for action in atlas.actions(other, source):
            never = any(each.fate == "never" and each.action == action for each in found.messages)
            assert never or atlas.made_from(found, source, action, other), (other, action)


@EACH
def test_no_line_speaks_of_what_does_not_exist(pair: Pair, found: Ledger) -> None:
    known = {*atlas.MODELS[pair.charger].ACTIONS, *atlas.MODELS[pair.csms].ACTIONS}
    keys = [each[:2] for each in found.messages if each.fate != "never"]
    assert len(keys) == len(set(keys))
    for message in found.messages:
        assert message.source == "gateway" or message.action in known | {ANY}, message
        assert set(message.to) <= known, message
    cells = [each[:4] for each in found.fields]
    assert len(cells) == len(set(cells)), [each for each in cells if cells.count(each) > 1]


@EACH
@pytest.mark.parametrize("source", ["charger", "csms"])
def test_every_member_has_a_row_and_every_row_a_member(pair: Pair, found: Ledger, source: str) -> None:
    mine, _ = atlas.versions(source, pair.charger, pair.csms)
    for action in atlas.actions(mine, source):
        told = set()
        for part in atlas.parts(found, source, action):
            for path in atlas.leaves(atlas.payload(pair, source, action, part)):
                row = found.field(source, action, part, path)
                assert row is not None, (source, action, part, path)
                told.add(row)
        for field in found.fields:
            if field.source == source and field.action == action and field.part != "message":
                inside = any(each.path.startswith(field.path + ".") for each in told)
                assert field in told or inside, field
                assert field.becomes or field.losses, f"goes nowhere and is not lost: {field}"


@EACH
def test_what_a_member_becomes_exists(pair: Pair, found: Ledger) -> None:
    for field in found.fields:
        head, _, path = field.becomes.partition(".")
        if field.becomes in ("", "=", "used") or field.source == "gateway":
            continue
        mine, other = atlas.versions(field.source, pair.charger, pair.csms)
        if not head[:1].isupper():
            model, path = atlas.MODELS[mine].ACTIONS[field.action].response, field.becomes
        else:
            assert found.causes(field.source, field.action, head), field
            model = atlas.MODELS[other if head in atlas.MODELS[other].ACTIONS else mine].ACTIONS[head]
            if head == "DataTransfer" and path.startswith("data."):
                continue
        assert any(each == path or each.startswith(path + ".") for each in atlas.leaves(model)), field


def test_kinds_of_rules() -> None:
    rule = Talk(lambda d, request: iter(()))  # type: ignore[arg-type,return-value]
    assert docs.agrees(rule, "translated", ("Heartbeat",))
    assert docs.agrees(Same(), "translated", ("Heartbeat",))
    assert not docs.agrees(rule, "translated", ())
    assert not docs.agrees(rule, "refused", ())
    assert not docs.agrees(Local(lambda d, request: request), "translated", ("Heartbeat",))
    assert docs.agrees(Refuse("NotSupported", ""), "refused", ())


def test_the_metric_knows_what_can_be_lost() -> None:
    assert {"idTag", "TransactionEvent", "chargingProfile.chargingSchedule.salesTariff"} <= set(names())
