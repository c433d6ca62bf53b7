"""The golden transcripts once more: after every step the process ends, and another goes on with the stored facts.

The sockets stay, as they do for a peer that waits; what was open is decided again from the journal. A step is left out when
a command of the CSMS is open (it ends with its socket), a delivery that failed waits for its time, which no store keeps,
or a station is being introduced to the CSMS by a message that is no boot (that begins again).
"""

from __future__ import annotations

import json
from typing import Any, cast

import msgspec
import pytest

from gateway.cli.translate import Conversation
from gateway.hub.link import Link
from gateway.ids import new_id
from gateway.journal.entry import Entry
from tests.golden.test_golden import SCENARIOS, play
from translators import Options, Translator, translator
from translators.chain import Chain
from translators.dialogue import Dialogue, Out
from translators.frames import Call, Side, encode

Said = list[Any]


class Crashes:
    """Ends the process after every step that allows it."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.asked: dict[tuple[str, str], Said] = {}
        """CALLs of the gateway that have no answer yet, by who was asked."""
        self.open: dict[tuple[str, str], str] = {}
        """CALLs to the gateway that have no answer yet, by who asked."""
        self.count = 0

    def __call__(self, conversation: Conversation, source: str, frame: Said, left: list[Any]) -> None:
        if source == "control" or frame[0] == 2:
            self.open.update({(source, frame[1]): frame[2]} if source != "control" else {})
        else:
            self.asked.pop((source, frame[1]), None)
        for each in left:
            to, said = each["to"], each["frame"]
            if said[0] == 2:
                self.asked[to, said[1]] = said
            else:
                self.open.pop((to, said[1]), None)
        link = conversation.session.links["csms"]
        old = link.translator
        if not isinstance(old, Translator | Chain) or not link.up or link.backlog or link.returning.flushing:
            return
        self.asked = {at: said for at, said in self.asked.items() if old.awaits(cast(Side, at[0]), at[1])}
        parts = old.parts if isinstance(old, Chain) else (old,)
        if any(part.awaited for part in parts):
            return
        if any(who == "csms" for who, _ in self.open) or (self.asked and not self._decided_again(old, link)):
            return
        self.count += 1
        self.restart(conversation)

    def _decided_again(self, old: Translator | Chain, link: Link) -> bool:
        """Whether all open questions are those of journal entries."""
        if isinstance(old, Chain):
            return False
        askers = [(old.asker(cast(Side, side), id), said[2]) for (side, id), said in self.asked.items()]
        return all(
            each is not None and each.key in link._current and (action != "BootNotification" or each.action == action)
            for each, action in askers
        )

    def restart(self, conversation: Conversation) -> None:
        """Another process: the facts, and the journal entries that are not done."""
        link = conversation.session.links["csms"]
        old = [id for _, id in self.asked]
        assert isinstance(link.translator, Translator | Chain)
        now = (link.translator.parts[0] if isinstance(link.translator, Chain) else link.translator).clock
        state = link.translator.state()
        fresh: Any = translator(
            f"ocpp{link.versions[0].removeprefix('ocpp')}",
            f"ocpp{link.versions[1].removeprefix('ocpp')}",
            state,
            self.options,
            lambda: old.pop(0) if old else new_id(),
        )
        assert fresh.state() == state, "facts change when they are stored"
        fresh.backlog = link.translator.backlog
        link.translator = fresh
        for part in fresh.parts if isinstance(fresh, Chain) else (fresh,):
            part.clock = now
            if part.pair.resume is not None:
                part.pair.resume(Dialogue(part, part.facts, part.options, None, "", "", "", 0, now, False, True))
        steps = fresh.tick(now)
        for exchange in link._current.values():
            entry: Entry = exchange.entry
            steps += fresh.receive(
                "charger",
                exchange.call,
                now,
                now=entry.head.received_at,
                key=entry.id,
                tx=entry.tx,
                early=exchange.early,
            )
        again = [step for step in steps if isinstance(step, Out) and isinstance(step.frame, Call)]
        told = [[step.to, json.loads(encode(step.frame))] for step in again]
        wanted = [[to, said] for (to, _), said in self.asked.items()]
        assert json.loads(json.dumps(wanted, default=float)) == told, "decided otherwise"


@pytest.mark.parametrize("scenario", [pytest.param(each, id=each["name"]) for each in SCENARIOS])
def test_another_process_goes_on(scenario: dict[str, Any]) -> None:
    options = msgspec.convert(scenario.get("options", {}), Options)
    crashes = Crashes(options)
    play(scenario, crashes)


def test_most_steps_allow_it() -> None:
    """A restart that never happens proves nothing."""
    steps = count = 0
    for scenario in SCENARIOS:
        crashes = Crashes(msgspec.convert(scenario.get("options", {}), Options))
        play(scenario, crashes)
        steps, count = steps + len(scenario["steps"]), count + crashes.count
    assert count > steps / 2, (count, steps)
