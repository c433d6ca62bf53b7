"""What answers in the place of a CSMS of the charger's own version: what it remembers, and what it says."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from msgspec import Raw

from translators import Options, Renumbering, in_role, translator
from translators.frames import Call
from translators.standin import STARTED_MOST, VERDICTS_MOST, StandIn
from translators.untouched import Untouched
from translators.v201_v201 import Recalling

NOW = 1_772_366_400_000


def stand_in(version: str = "ocpp1.6", **options: Any) -> StandIn:
    return StandIn(version, Options(**options), Untouched.neutral)


def call(action: str, **payload: Any) -> Call:
    return Call("1", action, Raw(json.dumps(payload).encode()))


def says(made: StandIn, asked: Call, tx: int = 7, at: int = NOW) -> Any:
    answer = made.away(asked, at, "1-0", tx)
    return None if answer is None else json.loads(bytes(answer))


def told(made: StandIn, asked: Call, answer: dict[str, Any]) -> None:
    made.passes("g1", asked)
    made.heed("g1", json.dumps(answer).encode(), NOW)


def test_the_last_verdict_counts_whoever_asked_for_it() -> None:
    made = stand_in()
    told(made, call("Authorize", idTag="A"), {"idTagInfo": {"status": "Accepted", "parentIdTag": "P"}})
    assert says(made, call("Authorize", idTag="a")) == {"idTagInfo": {"status": "Accepted", "parentIdTag": "P"}}
    told(made, call("StartTransaction", idTag="A"), {"transactionId": 1, "idTagInfo": {"status": "Blocked"}})
    assert says(made, call("Authorize", idTag="A")) == {"idTagInfo": {"status": "Blocked"}}
    told(made, call("StopTransaction", idTag="A"), {"idTagInfo": {"status": "Accepted"}})
    assert says(made, call("StartTransaction", idTag="A")) == {
        "transactionId": 7,
        "idTagInfo": {"status": "Accepted"},
    }
    assert says(made, call("StartTransaction", idTag="A"), tx=0) is None, "no number, no transaction"


@pytest.mark.parametrize("status", ["ConcurrentTx", "NotAtThisTime", "NotAtThisLocation"])
def test_a_verdict_about_a_moment_is_none_about_the_token(status: str) -> None:
    made = stand_in("ocpp2.0.1")
    token = {"idToken": "A", "type": "ISO14443"}
    told(made, call("Authorize", idToken=token), {"idTokenInfo": {"status": "Accepted"}})
    told(made, call("TransactionEvent", idToken=token), {"idTokenInfo": {"status": status}})
    assert says(made, call("Authorize", idToken=token)) == {"idTokenInfo": {"status": "Accepted"}}
    other = {"idToken": "A", "type": "eMAID"}
    assert says(made, call("Authorize", idToken=other)) == {"idTokenInfo": {"status": "Invalid"}}


def test_what_cannot_be_read_teaches_nothing_and_is_not_answered() -> None:
    made = stand_in()
    told(made, call("Authorize", idTag=5), {"idTagInfo": {"status": "Accepted"}})
    told(made, call("Authorize", idTag="A"), {"idTagInfo": "Accepted"})
    told(made, call("Authorize", idTag="A"), {})
    made.heed("g9", b"{}", NOW)
    assert made.kept.verdicts == {} and made.stored() == b""
    assert says(made, call("Authorize", idTag=5)) is None
    assert says(made, call("GetDiagnostics")) is None


def test_memory_is_bounded() -> None:
    made = stand_in("ocpp2.0.1", offline_unknown_id="Accepted")
    for number in range(VERDICTS_MOST + 10):
        token = {"idToken": f"T{number}", "type": "ISO14443"}
        told(made, call("Authorize", idToken=token), {"idTokenInfo": {"status": "Accepted"}})
    assert len(made.kept.verdicts) == VERDICTS_MOST and "iso14443 t0" not in made.kept.verdicts
    event = call(
        "TransactionEvent",
        eventType="Started",
        idToken={"idToken": "T", "type": "ISO14443"},
        transactionInfo={"transactionId": "X"},
    )
    for number in range(STARTED_MOST + 10):
        made.away(event, NOW, f"{number}-0", 0)
        made.stop(f"X{number}")
    assert len(made.kept.started) == STARTED_MOST == len(made.kept.stopped)
    again = stand_in("ocpp2.0.1")
    again.restore(made.stored())
    assert again.kept == made.kept and again.stored() is again.stored()
    older = stand_in("ocpp1.6")
    older.restore(made.stored())
    assert older.kept.verdicts == {}, "other words, other verdicts"


def test_a_role_that_begins_and_ends() -> None:
    ids = itertools.count(1)

    def new_id() -> str:
        return f"g{next(ids)}"

    plain = translator("ocpp1.6", "ocpp1.6", b"", Options(), new_id)
    assert type(plain) is Untouched and plain.stored() == {}
    plain.receive("charger", call("Authorize", idTag="A"), NOW, key="1-0")
    one = in_role(plain, "ocpp1.6", Options(), new_id, "only", stands_in=True)
    assert isinstance(one, Renumbering) and one.primary and one.stand_in is not None and one.awaits("csms", "g1")
    assert in_role(one, "ocpp1.6", Options(), new_id, "only") is one and one.stand_in is None
    plain = translator("ocpp2.0.1", "ocpp2.0.1", b"", Options(), new_id)
    two = in_role(plain, "ocpp2.0.1", Options(deauthorise=False), new_id, "primary", stands_in=True)
    assert isinstance(two, Recalling) and not two.deauthorise
    two.early_until = "5-0"
    assert two.early_until == "5-0" and b"5-0" in two.stored()["standin"]
    two.back(NOW)
    assert two.early_until == "" and two.stored() == {"standin": b""}
