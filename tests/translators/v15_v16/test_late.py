"""A 1.5 charger whose token a 1.6 CSMS refuses once it is back (translation spec 8.3)."""

from __future__ import annotations

from tests.translators.saying import Saying, answer, calls

AT = "2026-03-01T10:00:00Z"
START = {"connectorId": 1, "idTag": "ABC", "meterStart": 5, "timestamp": AT}
REFUSED = {"transactionId": 5, "idTagInfo": {"status": "Blocked"}}


def refused_late(*, ends: bool = False, deauthorise: bool = True, unknown: str = "Accepted") -> tuple[Saying, int]:
    """A transaction that began in an outage, and what the charger knows it by."""
    s = Saying("1.5", "1.6", offline_unknown_id=unknown, deauthorise=deauthorise)
    s.answers["csms", "StartTransaction"] = REFUSED
    s.answers["charger", "RemoteStopTransaction"] = [{"status": "Rejected"}, {"status": "Accepted"}]
    s.control("csms_down")
    [told] = s.charger("StartTransaction", START)
    tid = told.payload["transactionId"]
    if ends:
        s.charger("StopTransaction", {"transactionId": tid, "timestamp": AT, "meterStop": 9})
    s.heard.clear()
    s.control("csms_up")
    return s, tid


def test_it_is_stopped_and_told_once_more() -> None:
    s, tid = refused_late()
    stop = ("RemoteStopTransaction", {"transactionId": tid})
    assert calls(s.heard, "charger") == [stop]
    assert calls(s.control("tick", 11), "charger") == [stop]
    left = s.charger("StopTransaction", {"transactionId": tid, "timestamp": AT, "meterStop": 9})
    told = {"transactionId": 5, "timestamp": AT, "meterStop": 9, "reason": "DeAuthorized"}
    assert (calls(left, "csms"), answer(left, "charger")) == ([("StopTransaction", told)], {})


def test_not_if_it_has_ended_or_was_refused_at_once_or_the_option_says_no() -> None:
    for s, _ in (refused_late(ends=True), refused_late(unknown="Invalid"), refused_late(deauthorise=False)):
        assert calls(s.heard, "charger") == []
        assert calls(s.control("tick", 60), "charger") == []
