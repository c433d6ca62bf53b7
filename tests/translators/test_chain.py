"""Translators in a row: keys, outcomes, losses, deadlines and state of the whole."""

from __future__ import annotations

import itertools
import json
import random
from typing import Any

import msgspec
import pytest

from tests.schemas import validate
from translators import Chain, NoTranslation, Options, Translator, chain, pair, pairs, path, translatable, translator
from translators.dialogue import Done, Out, Step, Talk
from translators.facts import Facts
from translators.frames import Call, Error, Result, encode
from translators.models import v16

NOW = 1_772_436_000_000
T = "2026-03-02T07:20:00Z"
ANSWERS: dict[str, dict[str, Any]] = {
    "Authorize": {"idTokenInfo": {"status": "Accepted"}},
    "BootNotification": {"status": "Accepted", "currentTime": T, "interval": 300},
    "Heartbeat": {"currentTime": T},
    "TransactionEvent": {"idTokenInfo": {"status": "Accepted"}},
}
"""What the CSMS answers; {} to the rest."""


class Station:
    """A 1.5 charger and a 2.0.1 CSMS around one chain. The CSMS answers when it is told to."""

    def __init__(self, **options: Any) -> None:
        numbers = itertools.count(1)
        self.options = Options(**options)
        self.new_id = lambda: f"00000000-0000-4000-8000-{next(numbers):012d}"
        self.clock = NOW
        self.load(b"")
        self.chain.assume(True, 2)
        self.stored = self.chain.state()
        self.asked: list[Call] = []
        """CALLs that the CSMS has not answered."""
        self.heard: list[tuple[str, Any]] = []
        """What the CSMS was told."""
        self.told: list[Result | Error] = []
        """What the charger was answered."""
        self.commands: list[Call] = []
        self.answers: list[Result | Error] = []
        """What the CSMS was answered."""
        self.done: list[Done] = []
        self.outs: list[Out] = []

    def load(self, state: bytes) -> None:
        found = translator("ocpp1.5", "ocpp2.0.1", state, self.options, self.new_id)
        assert isinstance(found, Chain)
        self.chain = found

    def take(self, steps: list[Step], *, sent: bool = True) -> None:
        """Commit, then send; with `sent` false the process dies between the two."""
        if not steps or any(isinstance(step, Done) or step.commit for step in steps):
            self.stored = self.chain.state()
        for step in steps if sent else []:
            match step:
                case Done():
                    self.done.append(step)
                    continue
                case Out(to="csms", frame=Call() as call):
                    payload = json.loads(bytes(call.payload))
                    validate("2.0.1", call.action, "request", payload)
                    self.asked.append(call)
                    self.heard.append((call.action, payload))
                case Out(to="charger", frame=Call() as call):
                    validate("1.5", call.action, "request", json.loads(bytes(call.payload)))
                    self.commands.append(call)
                case Out(to="charger", frame=frame):
                    assert not isinstance(frame, Call)
                    self.told.append(frame)
                case Out(frame=frame):
                    assert not isinstance(frame, Call)
                    self.answers.append(frame)
            self.outs.append(step)

    def call(self, key: str, action: str, payload: dict[str, Any], *, sent: bool = True, early: bool = False) -> None:
        """An entry of the journal."""
        frame = Call(key, action, msgspec.Raw(encode(payload)))
        tx = 7000 if action == "StartTransaction" else 0
        self.take(self.chain.receive("charger", frame, self.clock, now=NOW, key=key, tx=tx, early=early), sent=sent)

    def answer(self, *, sent: bool = True) -> None:
        """The CSMS answers its oldest CALL."""
        call = self.asked.pop(0)
        payload = msgspec.Raw(encode(ANSWERS.get(call.action, {})))
        self.take(self.chain.receive("csms", Result(call.id, payload), self.clock), sent=sent)

    def command(self, action: str, payload: dict[str, Any]) -> None:
        frame = Call(f"s-{len(self.answers)}", action, msgspec.Raw(encode(payload)))
        self.take(self.chain.receive("csms", frame, self.clock))

    def reply(self, payload: dict[str, Any]) -> None:
        """The charger answers its oldest command."""
        call = self.commands.pop(0)
        self.take(self.chain.receive("charger", Result(call.id, msgspec.Raw(encode(payload))), self.clock))

    def restart(self) -> None:
        """A new process: nothing but the committed state is left; the CSMS is asked again or not at all."""
        self.load(self.stored)
        self.asked.clear()


def status(connector: int, value: str, code: str = "NoError") -> tuple[str, dict[str, Any]]:
    return "StatusNotification", {"connectorId": connector, "status": value, "errorCode": code, "timestamp": T}


def meter(wh: int) -> tuple[str, dict[str, Any]]:
    at = f"2026-03-02T07:2{wh // 100}:00Z"
    return "MeterValues", {"connectorId": 1, "transactionId": 7000, "values": [{"timestamp": at, "value": str(wh)}]}


START = ("StartTransaction", {"connectorId": 1, "idTag": "04A1B2C3", "timestamp": T, "meterStart": 0})
STOP = ("StopTransaction", {"transactionId": 7000, "timestamp": "2026-03-02T07:29:00Z", "meterStop": 300})
CHARGE: list[tuple[str, dict[str, Any]]] = [
    ("BootNotification", {"chargePointVendor": "A", "chargePointModel": "B"}),
    status(1, "Available"),
    ("Authorize", {"idTag": "04A1B2C3"}),
    status(1, "Occupied"),
    START,
    meter(100),
    status(1, "Occupied"),
    status(1, "Faulted", "Mode3Error"),
    meter(200),
    STOP,
    status(1, "Occupied"),
    status(1, "Available"),
]


def play(station: Station, crash: int = -1, *, sent: bool = True) -> None:
    """The charge, one entry after the other. In the `crash`-th event the process dies, after its commit."""
    events = itertools.count()
    for number, (action, payload) in enumerate(CHARGE):
        key = f"{number}-0"
        done = len(station.done)
        at = next(events)
        station.call(key, action, payload, sent=sent or at != crash)
        while at == crash or len(station.done) == done or station.asked:
            if at == crash:
                station.restart()
                if any(each.key == key for each in station.done):
                    break  # it was acknowledged
                at = next(events)
                station.call(key, action, payload)
                continue
            assert station.asked, f"{action} neither ends nor asks"
            at = next(events)
            station.answer(sent=sent or at != crash)


def plain(heard: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Without what is said again, and with the transaction ids in the order of their appearance."""
    found: list[tuple[str, Any]] = []
    names: dict[str, str] = {}
    for action, payload in heard:
        info = payload.get("transactionInfo")
        if info is not None:
            info = {**info, "transactionId": names.setdefault(info["transactionId"], f"tx{len(names)}")}
            payload = {**payload, "transactionInfo": info}
        for event in payload.get("eventData", ()):
            event["transactionId"] = names.get(event.get("transactionId", ""), "")
        if (action, payload) not in found or action == "StatusNotification":
            found.append((action, payload))
    return [each for at, each in enumerate(found) if at == 0 or each != found[at - 1]]


def test_a_charge_through_the_chain() -> None:
    station = Station()
    play(station)
    assert [each.outcome for each in station.done] == ["ok"] * len(CHARGE)
    events = [payload for action, payload in station.heard if action == "TransactionEvent"]
    assert [event["seqNo"] for event in events] == list(range(len(events)))
    assert [event["eventType"] for event in events][:: len(events) - 1] == ["Started", "Ended"]
    assert all(isinstance(each, Result) for each in station.told) and len(station.told) == len(CHARGE)
    assert station.chain._entries == station.chain._passed == station.chain._losses == station.chain._timeouts == {}
    assert all(part.facts.given == {} for part in station.chain.parts)


def total() -> int:
    """How many events the charge has."""
    station = Station()
    play(station)
    return len(CHARGE) + len(station.heard)


@pytest.mark.parametrize("sent", [True, False], ids=["sent", "not sent"])
@pytest.mark.parametrize("crash", range(total()))
def test_a_crash_at_any_step_changes_nothing_for_the_csms(crash: int, sent: bool) -> None:
    expected, station = Station(), Station()
    play(expected)
    play(station, crash, sent=sent)
    heard, wanted = plain(station.heard), plain(expected.heard)
    # What the CSMS acknowledged just before the crash need not be said again by a chain that knows it was.
    assert [each for each in wanted if each not in heard] == []
    assert [each for each in heard if each not in wanted] == []
    assert [action for action, _ in heard] == [action for action, _ in wanted]


@pytest.mark.parametrize("crash", range(len(CHARGE)))
def test_saved_and_loaded_between_entries(crash: int) -> None:
    expected, station = Station(), Station()
    play(expected)
    for number, (action, payload) in enumerate(CHARGE):
        if number == crash:
            station.restart()
        station.call(f"{number}-0", action, payload)
        while station.asked:
            station.answer()
    assert station.heard == expected.heard
    assert station.told == expected.told
    assert station.stored == expected.stored


@pytest.mark.parametrize("seed", range(25))
def test_two_transactions_at_once_with_crashes_silences_and_outages(seed: int) -> None:
    """Entries one at a time, as a link decides them; whatever happens, each charge arrives whole and as one."""
    pick, station = random.Random(seed), Station()
    meters, numbers = {1: 0, 2: 0}, {1: 0, 2: 0}
    charged: list[int] = []
    keys = itertools.count(1)

    def deliver(action: str, payload: dict[str, Any]) -> dict[str, Any] | None:
        """Until the entry is acknowledged; the charger's answer."""
        key, tx = f"{next(keys)}-0", 1000 + len(charged) + sum(map(bool, numbers.values()))
        frame = Call(key, action, msgspec.Raw(encode(payload)))
        early = pick.random() < 0.2
        given = station.chain.away(frame, NOW, key=key, tx=tx) if early else None
        early = given is not None
        station.stored = station.chain.state()
        for _ in range(50):
            if any(each == Done(key, "ok") for each in station.done):
                told = [bytes(each.payload) for each in station.told if isinstance(each, Result) and each.id == key]
                raw = bytes(given) if given is not None else told[-1] if told else b"{}"
                return dict(json.loads(raw))
            done = len(station.done)
            sent = pick.random() < 0.8
            station.take(station.chain.receive("charger", frame, NOW, now=NOW, key=key, tx=tx, early=early), sent=sent)
            if not sent:
                station.restart()
                continue
            while station.asked and len(station.done) == done:
                match pick.choice(["answer"] * 6 + ["crash", "silence", "lost"]):
                    case "answer":
                        station.answer()
                    case "crash":
                        station.restart()
                    case "silence":
                        station.take(station.chain.expire("csms", station.asked.pop(0).id, NOW))
                    case "lost":
                        station.asked.clear()
                        station.take(station.chain.lost("csms", NOW))
            while station.asked:
                station.answer()
        raise AssertionError(f"{action} is never acknowledged")

    clock = itertools.count(1)
    for _ in range(40):
        connector = pick.choice([1, 2])
        meters[connector] += pick.randint(1, 500)
        at = f"2026-03-02T{7 + next(clock) // 60:02d}:{next(clock) % 60:02d}:00Z"
        base = {"connectorId": connector, "timestamp": at}
        if not numbers[connector]:
            start = {**base, "idTag": f"TAG{connector}", "meterStart": meters[connector]}
            answer = deliver("StartTransaction", start)
            assert answer is not None
            numbers[connector] = answer["transactionId"]
            charged.append(-meters[connector])
            meters[-connector] = len(charged) - 1
        elif pick.random() < 0.3:
            stop = {"transactionId": numbers[connector], "timestamp": at, "meterStop": meters[connector]}
            deliver("StopTransaction", stop)
            charged[meters[-connector]] += meters[connector]
            numbers[connector] = 0
        elif pick.random() < 0.5:
            deliver(*status(connector, "Occupied"))
        else:
            value = {"timestamp": at, "value": str(meters[connector])}
            deliver("MeterValues", {"connectorId": connector, "transactionId": numbers[connector], "values": [value]})
    events: dict[str, dict[int, dict[str, Any]]] = {}
    for action, payload in station.heard:
        if action == "TransactionEvent":
            payload = {name: member for name, member in payload.items() if name != "offline"}
            known = events.setdefault(payload["transactionInfo"]["transactionId"], {})
            assert known.setdefault(payload["seqNo"], payload) == payload
    energies = []
    for numbered in events.values():
        assert sorted(numbered) == list(range(len(numbered)))
        first, last = numbered[0], numbered[len(numbered) - 1]
        assert first["eventType"] == "Started"
        if last["eventType"] == "Ended":
            register = [each["meterValue"][-1]["sampledValue"][0]["value"] for each in (first, last)]
            energies.append(register[1] - register[0])
    ended = [each for at, each in enumerate(charged) if not _open(at, meters, numbers)]
    assert sorted(energies) == sorted(ended)
    assert station.chain._entries == station.chain._passed == {} and not station.chain._binding
    assert all(not part.facts.given.keys() - {"*owes"} for part in station.chain.parts)  # nobody comes back here


def _open(charge: int, meters: dict[int, int], numbers: dict[int, int]) -> bool:
    """Whether the charge has not ended."""
    return any(numbers[connector] and meters[-connector] == charge for connector in (1, 2))


def test_an_entry_ends_with_the_worst_outcome() -> None:
    station = Station()
    station.call("1-0", *START)
    [asked] = station.asked
    station.take(station.chain.expire("csms", asked.id, NOW + 25_000))
    assert station.done == [Done("1-0", "silence")] and station.told == []
    assert "1-0/1" in station.chain.parts[1].facts.given, "a silent entry is told again under the same numbers"
    station.asked.clear()
    station.call("1-0", *START)
    assert station.heard[0] == station.heard[1]
    error = Error(station.asked[0].id, "InternalError", "no")
    station.take(station.chain.receive("csms", error, NOW))
    assert station.done[1:] == [Done("1-0", "error")]
    [refused] = station.told
    assert isinstance(refused, Error) and refused.description == "upstream: no"
    assert station.chain.parts[1].facts.given == {}


def test_a_lost_upstream_silences_every_entry() -> None:
    station = Station()
    station.call("1-0", "Heartbeat", {})
    station.call("2-0", *START)
    station.take(station.chain.lost("csms", NOW))
    assert [(each.key, each.outcome) for each in station.done] == [("1-0", "silence"), ("2-0", "silence")]
    assert station.chain._entries == station.chain._passed == {}


def test_away_then_told_again_as_offline() -> None:
    station = Station()
    before = station.chain.parts[0].state()
    call = Call("1-0", START[0], msgspec.Raw(encode(START[1])))
    payload = station.chain.away(call, NOW, key="1-0", tx=7000)
    assert payload is not None and json.loads(bytes(payload))["transactionId"] == 7000
    assert station.chain.parts[0].state() == before, "only the last translator decides"
    station.stored = station.chain.state()
    station.restart()
    station.call("1-0", *START, early=True)
    assert station.heard[0][1]["offline"] is True
    station.take(station.chain.receive("csms", Error(station.asked.pop().id, "InternalError", ""), NOW))
    assert station.done == [Done("1-0", "error")] and "1-0/1" in station.chain.parts[1].facts.given
    station.call("1-0", *START, early=True)
    assert station.heard[1] == station.heard[0]
    station.answer()
    assert station.done[1:] == [Done("1-0", "ok")] and station.told == []
    assert [each.tid for each in station.chain.parts[0].facts.charges] == [7000]


def test_away_questions_that_are_not_asked_again() -> None:
    station = Station()
    for key, action, payload in (("1-0", "Authorize", {"idTag": "A"}), ("2-0", "DataTransfer", {"vendorId": "v"})):
        assert station.chain.away(Call(key, action, msgspec.Raw(encode(payload))), NOW, key=key) is not None
        station.call(key, action, payload, early=True)
        assert station.done.pop() == Done(key, "ok")
    assert station.heard == []


def test_what_the_upper_translator_does_not_answer_early_is_done() -> None:
    """A 2.0.1 CSMS is not asked again about a tag that was accepted while it was away."""
    station = Station()
    lower, upper = station.chain.parts
    lower.facts.registration = ""
    steps = station.chain.receive("charger", Call("1-0", "Heartbeat"), NOW, key="1-0", early=True)
    station.take(steps)
    station.answer()
    assert station.done == [Done("1-0", "ok")] and station.told == []
    assert upper.facts.given == lower.facts.given == {}


def test_what_an_entry_was_given_is_kept_until_all_have_ended() -> None:
    """A translator that asks twice: the next one has done the first question when the process dies in the second."""

    def ask_twice(d: Any, request: v16.HeartbeatRequest) -> Any:
        yield from d.ask("csms", v16.AuthorizeRequest(idTag="A"))
        yield from d.ask("csms", v16.AuthorizeRequest(idTag="B"))
        return v16.HeartbeatResponse(currentTime=T)

    def numbered(d: Any, request: v16.AuthorizeRequest) -> Any:
        yield from d.ask("csms", v16.AuthorizeRequest(idTag=request.idTag + d.once("id", new_id)))
        return v16.AuthorizeResponse(idTagInfo=v16.IdTagInfo(status="Accepted"))

    def load(facts: list[Facts]) -> Chain:
        below = msgspec.structs.replace(rules, from_charger={"Heartbeat": Talk(ask_twice)})
        above = msgspec.structs.replace(rules, from_charger={"Authorize": Talk(numbered)})
        return Chain([Translator(each, at, Options(), new_id) for each, at in zip((below, above), facts, strict=True)])

    def asked(steps: list[Step]) -> tuple[str, str]:
        [out] = [each for each in steps if isinstance(each, Out)]
        assert isinstance(out.frame, Call)
        return out.frame.id, json.loads(bytes(out.frame.payload))["idTag"]

    numbers = itertools.count(1)
    new_id = lambda: str(next(numbers))  # noqa: E731
    rules = msgspec.structs.replace(pair("ocpp1.6", "ocpp2.0.1"), csms_actions=v16.ACTIONS, first=None)
    good = msgspec.Raw(b'{"idTagInfo":{"status":"Accepted"}}')
    told: list[str] = []
    facts = [Facts(), Facts()]
    for _ in range(2):
        both = load(facts)
        id, first = asked(both.receive("charger", Call("1-0", "Heartbeat"), NOW, key="1-0"))
        id, second = asked(both.receive("csms", Result(id, good), NOW))
        told += [first, second]
        facts = [msgspec.msgpack.decode(part.state(), type=Facts) for part in both.parts]
    assert told[:2] == told[2:]
    assert both.receive("csms", Result(id, good), NOW)[-1] == Done("1-0", "ok")
    assert [part.facts.given for part in both.parts] == [{}, {}]


def test_losses_and_patience_travel_along() -> None:
    station = Station()
    payload = {"connectorId": 0, "status": "Occupied", "errorCode": "NoError", "info": "i" * 60, "vendorId": "v"}
    station.call("1-0", "StatusNotification", payload | {"errorCode": "OtherError"})
    [first] = station.outs
    losses = [(loss.field, loss.kind) for loss in first.losses]
    assert losses == [("status", "folded"), ("info", "shortened"), ("vendorId", "dropped")]
    upper = station.chain.parts[1]

    def patient(d: Any) -> Any:
        yield from d.ask("charger", v16.ClearCacheRequest(), 77)

    station.take(station.chain._run(1, upper.begin(patient, NOW)))
    assert station.outs[-1].frame.action == "ClearCache" and station.outs[-1].timeout == 77  # type: ignore[union-attr]


def test_a_command_that_makes_messages() -> None:
    """TriggerMessage is emulated between the translators: no journal entry is behind what it makes."""
    station = Station()
    station.call("1-0", *status(1, "Available"))
    station.answer()
    station.command("TriggerMessage", {"requestedMessage": "Heartbeat"})
    assert station.heard[-1] == ("Heartbeat", {})
    assert station.outs[-1].commit, "no journal entry would bring it about again"
    station.take(station.chain.lost("csms", NOW))
    assert station.chain._entries == station.chain._passed == {} and not station.chain._binding
    assert all(part.facts.given == {} for part in station.chain.parts)
    assert [each.key for each in station.done] == ["1-0"]


def test_what_an_earlier_process_left_between_translators_is_dropped() -> None:
    station = Station()
    upper = station.chain.parts[1]
    upper.facts.given = {"~x": {"seq": 1}, "1-0/1": {"seq": 2}}
    station.stored = station.chain.state()
    station.restart()
    assert station.chain.parts[1].facts.given == {"1-0/1": {"seq": 2}}
    station.chain.forget("1-0")
    assert station.chain.parts[1].facts.given == {}


def test_waiting_dialogues_wake_the_chain() -> None:
    station = Station()
    station.chain.parts[0].facts.registration = "Pending"
    station.command("ClearCache", {})
    assert station.commands == [] and station.chain.next_wake == NOW + 20_000
    station.clock += 20_000
    station.take(station.chain.tick(station.clock))
    [answer] = station.answers
    assert isinstance(answer, Error) and station.chain.next_wake is None


def test_state_is_one_blob_that_other_arrangements_can_read() -> None:
    station = Station()
    play(station)
    blob = station.chain.state()
    upper = translator("ocpp1.6", "ocpp2.0.1", blob, Options(), station.new_id)
    lower = translator("ocpp1.5", "ocpp1.6", blob, Options(), station.new_id)
    assert isinstance(upper, Translator) and len(upper.facts.ended) == 1
    assert isinstance(lower, Translator) and len(lower.facts.ended) == 1
    # A charger whose firmware was updated from 1.6 to 1.5, or the reverse, keeps its transactions.
    back = translator("ocpp1.5", "ocpp2.0.1", upper.state(), Options(), station.new_id)
    assert isinstance(back, Chain) and back.parts[1].facts.ended == upper.facts.ended
    assert back.parts[0].facts.ended == []
    fresh = translator("ocpp1.6", "ocpp2.0.1", lower.state(), Options(), station.new_id)
    assert isinstance(fresh, Translator) and fresh.facts == Facts()


def test_newer_state_is_refused() -> None:
    new = msgspec.msgpack.encode({"parts": {}, "format": chain.FORMAT + 1})
    with pytest.raises(ValueError, match="format 2"):
        translator("ocpp1.5", "ocpp2.0.1", new, Options(), str)
    part = msgspec.msgpack.encode({"pair": "v15_v16", "format": 2})
    with pytest.raises(ValueError, match="format 2"):
        translator("ocpp1.5", "ocpp1.6", part, Options(), str)


def test_the_shortest_path() -> None:
    assert path("ocpp1.5", "ocpp2.0.1") == ("translators.v15_v16", "translators.v16_v201")
    assert [each.charger for each in pairs("ocpp1.5", "ocpp2.0.1")] == ["1.5", "1.6"]
    assert pair("ocpp1.5", "ocpp1.6").csms == "1.6"
    assert path("ocpp1.6", "ocpp1.6") == ()
    with pytest.raises(NoTranslation):
        pair("ocpp1.5", "ocpp2.0.1")
    with pytest.raises(NoTranslation):
        path("ocpp1.6", "ocpp1.5")
    assert translatable("ocpp1.5", "ocpp2.0.1") and translatable("ocpp1.5", "ocpp1.5")
    assert not translatable("ocpp2.0.1", "ocpp1.5")
