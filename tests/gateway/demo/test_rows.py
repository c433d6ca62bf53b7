"""How frames find each other, and what a row looks like at 100 columns."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.demo.pairing import ANSWER_PATIENCE, CALL_PATIENCE, SETTLE, Lost, Pairing, Row
from gateway.demo.screen import ASCII, Signs, columns, lines_of
from gateway.demo.summary import Summary, histogram
from gateway.demo.tap import Seen
from gateway.demo.words import describe

WIDTH = 100
UUID = "0b8f8a52-6a0a-4c0e-8b39-1f2b8f6f9f11"
START = {"connectorId": 1, "idTag": "04A2B9C1D7E5F0", "meterStart": 48000, "timestamp": "2026-01-01T10:00:00Z"}
STARTED = {
    "eventType": "Started",
    "timestamp": "2026-01-01T10:00:00Z",
    "triggerReason": "RemoteStart",
    "seqNo": 0,
    "transactionInfo": {"transactionId": UUID, "chargingState": "EVConnected", "remoteStartId": 1},
    "meterValue": [
        {
            "timestamp": "2026-01-01T10:00:00Z",
            "sampledValue": [{"value": 48000, "unitOfMeasure": {"unit": "Wh"}, "context": "Transaction.Begin"}],
        }
    ],
}


def seen(words: str, payload: Any, at: float = 0.0, charger: str = "DEMO-16") -> Seen:
    """`charger said call 1 Authorize`."""
    side, how, kind, id, action = words.split()
    return Seen(side, charger, how == "said", kind, id, action, payload, at)  # type: ignore[arg-type]


def shown(row: Row, signs: Signs | None = None, width: int = WIDTH) -> list[str]:
    return [line.plain for line in lines_of(row, 0.0, width, "DEMO-16", signs or Signs())]


def started() -> Row:
    row = Row(True, 2.6)
    row.left = seen("charger said call 7 StartTransaction", START, 2.6)
    row.right = seen("csms heard call 9 TransactionEvent", STARTED, 2.603)
    return row


def test_a_row_has_both_messages_side_by_side_and_fits() -> None:
    row = started()
    row.losses = (("idToken.type", "dropped"), ("idTokenInfo.groupIdToken.additionalInfo", "dropped"))
    lines = shown(row)
    left, _ = columns(WIDTH)
    assert lines[0].startswith(" 2.60 StartTransaction connector 1,")
    assert lines[0][6 + left :].startswith(" ──▶ TransactionEvent Started #0, RemoteStart,")
    assert any("48000 Wh" in line for line in lines)
    assert lines[3].strip() == "╰ idToken.type dropped,"
    assert max(map(len, lines)) <= WIDTH
    assert all(line == line.rstrip() for line in lines)


@pytest.mark.parametrize("width", [80, 100, 132])
def test_long_messages_are_cut_and_never_wider_than_the_screen(width: int) -> None:
    row = started()
    row.left = seen("charger said call 7 StartTransaction", {**START, "idTag": "X" * 400})
    row.losses = (("y" * 300, "dropped"),)
    lines = shown(row, width=width)
    assert max(map(len, lines)) <= width
    assert any("…" in line for line in lines)


def test_ascii_needs_no_other_character() -> None:
    row = started()
    row.losses = (("idToken.type", "dropped"),)
    row.left = seen("charger said call 7 StartTransaction", {**START, "idTag": "X" * 400})
    assert all(line.isascii() for line in shown(row, ASCII))


def test_an_unexpected_payload_is_shown_all_the_same() -> None:
    assert describe(seen("csms heard call 1 TransactionEvent", {"eventType": "Started", "seqNo": 3})) == (
        "eventType Started, seqNo 3"
    )


def test_a_frame_heard_joins_the_frame_that_was_said() -> None:
    pairing = Pairing()
    pairing.add(seen("charger said call 7 StartTransaction", START, 1.0))
    pairing.add(seen("csms heard call a TransactionEvent", STARTED, 1.002))
    assert pairing.due(1.01) == []
    (row,) = pairing.due(1.002 + SETTLE)
    assert row.left is not None and row.right is not None
    assert row.latency == pytest.approx(0.002)


def test_the_last_of_several_answers_is_the_one_that_made_the_answer() -> None:
    pairing = Pairing()
    pairing.add(seen("csms said call 1 SetVariables", {}, 1.0))
    for number in (1, 2):
        pairing.add(seen(f"charger heard call c{number} ChangeConfiguration", {}, 1.0))
        pairing.add(seen(f"charger said result c{number} ChangeConfiguration", {"status": "Accepted"}, 1.0))
    pairing.add(seen("csms heard result 1 SetVariables", {}, 1.0))
    rows = pairing.due(1.0 + CALL_PATIENCE)
    assert [(row.up, row.left is not None, row.right is not None) for row in rows] == [
        (False, True, True),
        (True, True, False),
        (False, True, False),
        (True, True, True),
    ]
    assert rows[2].cause == "SetVariables"
    assert "(more of SetVariables)" in shown(rows[2])[0]


def test_what_the_gateway_answers_itself_has_an_empty_side() -> None:
    pairing = Pairing()
    pairing.add(seen("csms said call 1 UnlockConnector", {"evseId": 1, "connectorId": 1}, 1.0))
    pairing.add(seen("csms heard result 1 UnlockConnector", {"status": "OngoingAuthorizedTransaction"}, 1.001))
    call, answer = pairing.due(1.001 + SETTLE)
    assert "(not for the charger)" in shown(call)[0]
    assert "(the gateway answers)" in shown(answer)[0]
    assert "OngoingAuthorizedTransaction" in shown(answer)[0]


def test_an_answer_does_not_join_a_later_one() -> None:
    """What was heard before it was said has another cause."""
    pairing = Pairing()
    pairing.add(seen("charger heard result 1 StatusNotification", {}, 1.0))
    pairing.add(seen("csms said result a StatusNotification", {}, 1.001))
    assert len(pairing.due(1.001 + ANSWER_PATIENCE)) == 2


def test_losses_find_their_frame_whether_they_come_before_or_after_it() -> None:
    event = {
        "event": "translation_losses",
        "charger_id": "DEMO-16",
        "action": "StartTransaction",
        "to": "csms",
        "message_action": "TransactionEvent",
        "losses": [{"field": "idToken.type", "kind": "dropped"}],
    }
    for early in (True, False):
        pairing = Pairing()
        if early:
            pairing.lose(Lost.of(event))
            pairing.due(0.0)
        pairing.add(seen("charger said call 7 StartTransaction", START, 1.0))
        pairing.add(seen("csms heard call a TransactionEvent", STARTED, 1.0))
        if not early:
            pairing.lose(Lost.of(event))
        (row,) = pairing.due(1.0 + SETTLE)
        assert row.losses == (("idToken.type", "dropped"),)


def test_losses_of_an_answer_are_not_those_of_its_call() -> None:
    pairing = Pairing()
    pairing.add(seen("csms said result a Authorize", {"idTokenInfo": {"status": "Accepted"}}, 1.0))
    pairing.add(seen("charger heard result 7 Authorize", {"idTagInfo": {"status": "Accepted"}}, 1.0))
    pairing.lose(
        Lost.of(
            {
                "charger_id": "DEMO-16",
                "action": "Authorize",
                "to": "charger",
                "message_action": "",
                "losses": [{"field": "idTokenInfo.language1", "kind": "dropped"}],
            }
        )
    )
    (row,) = pairing.due(1.0 + SETTLE)
    assert row.losses == (("idTokenInfo.language1", "dropped"),)


def test_frames_of_other_chargers_stay_apart() -> None:
    pairing = Pairing()
    pairing.add(seen("charger said call 1 Heartbeat", {}, 1.0))
    pairing.add(seen("csms heard call a Heartbeat", {}, 1.0, charger="MINE"))
    mine = pairing.due(1.0 + CALL_PATIENCE)[1]
    assert "(MINE)" in shown(mine)[0]


def test_a_session_without_a_stop_is_a_fault() -> None:
    summary = Summary("DEMO-16")
    summary.seen.append(seen("charger said call 7 StartTransaction", START))
    summary.seen.append(seen("csms heard call a TransactionEvent", STARTED))
    assert any("energy" in fault for fault in summary.faults())


def test_a_histogram_is_read_as_prometheus_would() -> None:
    page = """# TYPE ocppgw_translation_duration_seconds histogram
ocppgw_translation_duration_seconds_bucket{le="0.001"} 5
ocppgw_translation_duration_seconds_bucket{le="0.002"} 10
ocppgw_translation_duration_seconds_bucket{le="+Inf"} 10
ocppgw_translation_duration_seconds_sum 0.01
ocppgw_translation_duration_seconds_count 10
"""
    found = histogram(page)
    assert found is not None
    assert (found.count, found.quantile(0.5), found.quantile(0.99)) == (10, 0.001, pytest.approx(0.0018 + 0.00018))
    assert histogram("# nothing\n") is None
