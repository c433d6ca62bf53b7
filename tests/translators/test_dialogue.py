"""The engine, with a pair of its own: two rules' worth of OCPP, no real translation."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest

from translators.dialogue import (
    Dialogue,
    Done,
    Local,
    Mapped,
    Out,
    Pair,
    Refusal,
    Refuse,
    Row,
    Rule,
    Same,
    Silence,
    Talk,
)
from translators.engine import Translator
from translators.facts import Facts
from translators.frames import Call, Error, Result
from translators.models import v16, v201
from translators.options import Options

RAW = msgspec.Raw


def translator(
    from_charger: dict[str, Row] | None = None, from_csms: dict[str, Row] | None = None, **more: Any
) -> Translator:
    ids = itertools.count(1)
    pair = Pair(
        charger="1.6",
        csms="2.0.1",
        from_charger=from_charger or {},
        from_csms=from_csms or {},
        charger_actions=v16.ACTIONS,
        csms_actions=v201.ACTIONS,
        facts=Facts,
        options=Options,
        spell={"charger": lambda code: f"16:{code}", "csms": lambda code: f"201:{code}"},
        neutral_code=lambda code: code.removeprefix("16:").removeprefix("201:"),
        **more,
    )
    return Translator(pair, Facts(), Options(), lambda: f"g{next(ids)}")


def call(action: str, payload: str = "{}", id: str = "c1") -> Call:
    return Call(id, action, RAW(payload.encode()))


def test_same_passes_the_bytes() -> None:
    engine = translator({"Heartbeat": Same()})
    (out,) = engine.receive("charger", call("Heartbeat", '{ "x" :1.10}'), 0)
    assert isinstance(out, Out) and out.to == "csms"
    assert isinstance(out.frame, Call) and bytes(out.frame.payload) == b'{ "x" :1.10}'
    (back,) = engine.receive("csms", Result("g1", RAW(b'{"currentTime" : "t"}')), 0)
    assert isinstance(back, Out) and back.frame == Result("c1", RAW(b'{"currentTime" : "t"}'))


def test_mapped_maps_both_ways_and_reports_losses_with_the_frame() -> None:
    def request(d: Dialogue, r: v16.AuthorizeRequest) -> v201.AuthorizeRequest:
        d.lose("idTag", "folded")
        return v201.AuthorizeRequest(idToken=v201.IdToken(idToken=r.idTag, type="Central"))

    def reply(d: Dialogue, r: v201.AuthorizeResponse) -> v16.AuthorizeResponse:
        return v16.AuthorizeResponse(idTagInfo=v16.IdTagInfo(status="Accepted"))

    engine = translator({"Authorize": Mapped(request, reply)})
    (out,) = engine.receive("charger", call("Authorize", '{"idTag":"A"}'), 0, key="k")
    assert isinstance(out, Out) and [loss.field for loss in out.losses] == ["idTag"]
    answer, done = engine.receive("csms", Result("g1", RAW(b'{"idTokenInfo":{"status":"Accepted"}}')), 0)
    assert isinstance(answer, Out) and not answer.losses
    assert done == Done("k", "ok")


def test_callerror_of_the_other_side_is_relayed_in_the_sources_spelling() -> None:
    engine = translator({"Heartbeat": Same()})
    engine.receive("charger", call("Heartbeat"), 0, key="k")
    out, done = engine.receive("csms", Error("g1", "201:InternalError", "db down"), 0)
    assert isinstance(out, Out) and out.frame == Error("c1", "16:InternalError", "upstream: db down", RAW(b"{}"))
    assert done == Done("k", "error")


def test_unknown_code_keeps_its_name_in_the_details() -> None:
    engine = translator({"Heartbeat": Same()})
    engine.pair = msgspec.structs.replace(engine.pair, neutral_code=lambda code: "GenericError")
    engine.receive("charger", call("Heartbeat"), 0)
    (out,) = engine.receive("csms", Error("g1", "Teapot"), 0)
    assert isinstance(out, Out) and isinstance(out.frame, Error)
    assert bytes(out.frame.details) == b'{"originalCode":"Teapot"}'


@pytest.mark.parametrize(
    ("row", "payload", "code"),
    [
        (Refuse("NotSupported", "no"), "{}", "16:NotSupported"),
        (None, "{}", "16:NotSupported"),
        (Talk(lambda d, r: iter(())), '{"idTag":{}}', "16:TypeConstraintViolation"),  # type: ignore[arg-type,return-value]
        (Talk(lambda d, r: iter(())), "{}", "16:OccurrenceConstraintViolation"),  # type: ignore[arg-type,return-value]
    ],
)
def test_refusals_of_the_gateway(row: Row | None, payload: str, code: str) -> None:
    engine = translator({"Authorize": row} if row else {})
    (out,) = engine.receive("charger", call("Authorize", payload), 0)
    assert isinstance(out, Out) and isinstance(out.frame, Error)
    assert (out.to, out.frame.id, out.frame.code) == ("charger", "c1", code)


def test_unknown_action_is_not_implemented() -> None:
    (out,) = translator().receive("charger", call("Teapot"), 0)
    assert isinstance(out, Out) and isinstance(out.frame, Error) and out.frame.code == "16:NotImplemented"


def test_poisoned_rule_costs_one_callerror() -> None:
    def rule(d: Dialogue, request: Any) -> Rule:
        raise ZeroDivisionError
        yield

    engine = translator({"Authorize": Talk(rule), "Heartbeat": Same()})
    out, _ = engine.receive("charger", call("Authorize", '{"idTag":"A"}'), 0, key="k")
    assert isinstance(out, Out) and isinstance(out.frame, Error) and out.frame.code == "16:InternalError"
    assert len(engine.receive("charger", call("Heartbeat"), 0)) == 1


def test_frame_that_would_be_invalid_never_leaves() -> None:
    def rule(d: Dialogue, request: Any) -> Rule:
        yield from d.ask("csms", v201.AuthorizeRequest(idToken=v201.IdToken(idToken="A" * 40, type="Central")))
        return None

    (out,) = translator({"Authorize": Talk(rule)}).receive("charger", call("Authorize", '{"idTag":"A"}'), 0)
    assert isinstance(out, Out) and out.to == "charger"
    assert isinstance(out.frame, Error) and out.frame.code == "16:InternalError"


def secondaries(d: Dialogue, request: v16.StatusNotificationRequest) -> Rule:
    """Asks twice, answers after the first, and takes a number."""
    number = d.once("number", lambda: 7)
    yield from d.ask("csms", v201.HeartbeatRequest())
    yield from d.answer(v16.StatusNotificationResponse())
    try:
        yield from d.ask("csms", v201.HeartbeatRequest())
    except (Refusal, Silence):
        d.facts.extra["failed"] = number
    d.facts.extra["number"] = number
    return None


STATUS = '{"connectorId":1,"errorCode":"NoError","status":"Available"}'


def test_answer_comes_before_the_second_question() -> None:
    engine = translator({"StatusNotification": Talk(secondaries)})
    engine.receive("charger", call("StatusNotification", STATUS), 0, key="k")
    answer, second = engine.receive("csms", Result("g1", RAW(b'{"currentTime":"t"}')), 0)
    assert isinstance(answer, Out) and answer.to == "charger"
    assert isinstance(second, Out) and second.to == "csms"
    assert engine.facts.given == {"k": {"number": 7}}
    assert engine.receive("csms", Error("g2", "201:InternalError"), 0) == [Done("k", "ok")]
    assert engine.facts.extra == {"failed": 7, "number": 7}
    assert engine.facts.given == {}, "done with"


def test_numbers_are_given_once_per_entry_also_after_a_crash() -> None:
    engine = translator({"StatusNotification": Talk(secondaries)})
    engine.receive("charger", call("StatusNotification", STATUS), 0, key="k")
    again = translator({"StatusNotification": Talk(secondaries)})
    again.facts = msgspec.msgpack.decode(engine.state(), type=Facts)
    again.facts.given["k"]["number"] = 9  # whatever was given counts
    again.receive("charger", call("StatusNotification", STATUS), 0, key="k")
    again.receive("csms", Result("g1", RAW(b'{"currentTime":"t"}')), 0)
    again.receive("csms", Result("g2", RAW(b'{"currentTime":"t"}')), 0)
    assert again.facts.extra["number"] == 9


def test_silence_is_the_links_business_for_a_charger_and_an_error_for_a_csms() -> None:
    engine = translator({"Heartbeat": Same()}, {"ClearCache": Same()})
    engine.receive("charger", call("Heartbeat"), 0, key="k")
    assert engine.expire("csms", "g1", 1) == [Done("k", "silence")]
    engine.receive("csms", call("ClearCache", id="s1"), 0)
    (out,) = engine.expire("charger", "g2", 1)
    assert isinstance(out, Out) and isinstance(out.frame, Error)
    assert (out.to, out.frame.id, out.frame.code) == ("csms", "s1", "201:GenericError")
    assert engine.expire("charger", "g2", 1) == [], "only once"


def test_lost_socket_ends_every_question_there() -> None:
    engine = translator({"Heartbeat": Same()}, {"ClearCache": Same()})
    engine.receive("charger", call("Heartbeat"), 0, key="k")
    engine.receive("csms", call("ClearCache", id="s1"), 0)
    assert engine.lost("csms", 0) == [Done("k", "silence")]
    assert engine.awaits("charger", "g2")


def test_late_and_unknown_answers_are_dropped() -> None:
    engine = translator({"Heartbeat": Same()})
    engine.receive("charger", call("Heartbeat"), 0)
    assert engine.receive("csms", Result("nobody"), 0) == []
    assert engine.receive("charger", Result("g1"), 0) == [], "from the wrong side"
    assert engine.receive("csms", Result("g1", RAW(b"{}")), 0)
    assert engine.receive("csms", Result("g1", RAW(b"{}")), 0) == []


def test_wait_ends_by_time_or_by_condition() -> None:
    def rule(d: Dialogue, request: Any) -> Rule:
        came = yield from d.wait(10, lambda: "go" in d.facts.extra)
        return v201.ClearCacheResponse(status="Accepted" if came else "Rejected")

    engine = translator(from_csms={"ClearCache": Talk(rule)})
    assert engine.receive("csms", call("ClearCache"), 1000) == []
    assert engine.next_wake == 11_000
    assert engine.tick(10_999) == []
    (out,) = engine.tick(11_000)
    assert isinstance(out, Out) and bytes(out.frame.payload) == b'{"status":"Rejected"}'  # type: ignore[union-attr]
    engine.receive("csms", call("ClearCache"), 12_000)
    engine.facts.extra["go"] = True
    (out,) = engine.tick(12_001)
    assert isinstance(out, Out) and bytes(out.frame.payload) == b'{"status":"Accepted"}'  # type: ignore[union-attr]
    assert engine.next_wake is None


def test_spawned_dialogue_begins_after_the_step() -> None:
    def follow_up(d: Dialogue) -> Rule:
        yield from d.ask("charger", v16.ClearCacheRequest())
        d.facts.extra["cleared"] = True
        return None

    def answer(d: Dialogue, request: Any) -> v201.ClearCacheResponse:
        d.spawn(follow_up, "ClearCache")
        return v201.ClearCacheResponse(status="Accepted")

    engine = translator(from_csms={"ClearCache": Local(answer)})
    first, second = engine.receive("csms", call("ClearCache"), 0)
    assert isinstance(first, Out) and first.to == "csms"
    assert isinstance(second, Out) and second.to == "charger"
    assert engine.receive("charger", Result("g1", RAW(b'{"status":"Accepted"}')), 0) == []
    assert engine.facts.extra == {"cleared": True}


def test_source_answered_early_is_not_answered_again() -> None:
    engine = translator({"StatusNotification": Talk(secondaries)})
    (ask,) = engine.receive("charger", call("StatusNotification", STATUS), 0, key="k", early=True)
    assert isinstance(ask, Out) and ask.to == "csms"
    (second,) = engine.receive("csms", Result("g1", RAW(b'{"currentTime":"t"}')), 0)
    assert isinstance(second, Out) and second.to == "csms"


def test_early_source_that_is_refused_is_told_to_the_link() -> None:
    engine = translator({"Heartbeat": Same()})
    engine.receive("charger", call("Heartbeat"), 0, key="k", early=True)
    assert engine.receive("csms", Error("g1", "201:InternalError"), 0) == [Done("k", "error")]


def test_invalid_answer_counts_as_none() -> None:
    engine = translator({"StatusNotification": Talk(secondaries)})
    engine.receive("charger", call("StatusNotification", STATUS), 0, key="k")
    assert engine.receive("csms", Result("g1", RAW(b"{}")), 0) == [Done("k", "silence")]


def test_incomplete_pair_fails() -> None:
    with pytest.raises(TypeError, match="Authorize"):
        translator({"Heartbeat": Same()}).pair.require_complete(frozenset({"Heartbeat", "Authorize"}), frozenset())
