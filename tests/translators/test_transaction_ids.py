"""What operators are told of the names of a transaction. Through real conversations: tests/e2e/test_operate.py."""

from __future__ import annotations

import pytest

from translators import Chain, Options, facts, transaction_ids, translator
from translators.engine import Translator
from translators.transaction_ids import Known
from translators.v201_v16 import state as upwards


@pytest.mark.parametrize("charger", ["ocpp1.5", "ocpp1.6"])
def test_a_1x_charger_behind_a_2x_csms(charger: str) -> None:
    made = translator(charger, "ocpp2.0.1", b"", Options(), lambda: "id")
    part = made.parts[-1] if isinstance(made, Chain) else made
    assert isinstance(part, Translator) and transaction_ids.of(made) == []
    begin = facts.Transaction(7, "a-uuid", 1, "key", "TAG", 0, "")
    part.facts.transactions = [begin, facts.Transaction(8, "b-uuid", 2, "k2", "TAG", 0, "", "open")]
    assert transaction_ids.of(made) == [Known(7, "a-uuid", "starting"), Known(8, "b-uuid", "open")]
    begin.state = "ended"
    assert transaction_ids.of(made) == [Known(8, "b-uuid", "open")]


def test_a_2x_charger_behind_a_1x_csms() -> None:
    made = translator("ocpp2.0.1", "ocpp1.6", b"", Options(), lambda: "id")
    assert isinstance(made, Translator)
    made.facts.transactions = [upwards.Transaction("t1"), upwards.Transaction("t2", state="open", tid=99, bound=1)]
    assert transaction_ids.of(made) == [Known("t1", None, "starting"), Known("t2", 99, "open")]


def test_ids_that_pass() -> None:
    assert transaction_ids.of(translator("ocpp2.0.1", "ocpp2.0.1", b"", Options(), lambda: "id", "primary")) is None
    assert transaction_ids.of(translator("ocpp1.6", "ocpp1.6", b"", Options(), lambda: "id", "only")) is None
    assert transaction_ids.of(translator("ocpp1.6", "ocpp1.6", b"", Options(), lambda: "id", "mirror")) == []
