"""A charger as the one who calls: what it is answered, and what the gateway keeps of it for all its upstreams. Pure."""

from __future__ import annotations

from gateway.journal.entry import ToCharger
from translators.frames import Error, Result, encode

from .arbiter import Arbiter
from .backlog import Exchange, order
from .effects import Effects
from .habits import Habits
from .introduction import catch_up
from .link import Link
from .shared import Open, Shared, learn, teaches


class Caller:
    """Its links answer through it, and what one has learned the others can know. `gateway.hub.session` is the rest of the charger."""

    __slots__ = (
        "_booting",
        "_gate_open",
        "arbiter",
        "booted",
        "charger",
        "edge",
        "effects",
        "ended",
        "epoch",
        "habits",
        "links",
        "shared",
    )

    def __init__(self, charger: str, effects: Effects) -> None:
        self.charger = charger
        self.effects = effects
        self.links: dict[str, Link] = {}
        self.shared = Shared()
        self.booted = False
        """A boot was answered, and nobody has looked whether another route fits now."""
        self.ended: list[tuple[str, Open]] | None = None
        """Transactions that have ended while the charger may be linked to other upstreams, with the entry of their end; None: it
        will not."""
        self.edge = ""
        """Edge that holds the charger's socket; empty while the charger is absent."""
        self.epoch = 0
        self._gate_open = False
        self._booting = False
        """The charger waits for the answer to its boot."""
        self.habits = Habits()
        self.arbiter: Arbiter | None = None
        """Where several upstreams may command, or one not everything."""

    def answer(self, link: Link, exchange: Exchange, frame: Result | Error, outcome: str = "") -> None:
        """Answer a charger CALL, if the charger still waits for it on the connection it came from."""
        epoch, seq = exchange.target
        if isinstance(frame, Result) or exchange.call.action != "BootNotification":
            self._gate_open, self._booting = True, False
        if not self.edge or epoch != self.epoch:
            return
        if isinstance(frame, Result):
            item = ToCharger(self.charger, epoch, "answer", bytes(frame.payload), seq)
        else:
            body = encode([frame.code, frame.description, frame.details])[1:-1]
            item = ToCharger(self.charger, epoch, "error", body, seq, outcome=outcome)
        self.effects.to_charger.append((self.edge, item))

    def learn(self, link: Link, exchange: Exchange, answer: Result, now: int) -> None:
        """Keep what any other upstream needs of what the charger is answered now; the others hear its transaction's number, and
        those that came after it was said, but before it was answered, hear it now."""
        entry = exchange.entry
        if not teaches(exchange.call):
            return
        before = self.shared.open
        number = learn(self.shared, entry.head.version, link.name, entry.id, entry.tx, exchange.call, answer)
        if self.ended is not None and exchange.call.action != "StartTransaction":
            runs = {(each.number, each.id) for each in self.shared.open}
            self.ended += [(entry.id, each) for each in before if (each.number, each.id) not in runs]
        self.effects.shared[self.charger] = self.shared
        if exchange.call.action == "BootNotification":
            self.booted = True
            if not exchange.promised:
                self.habits.booted(entry, bytes(answer.payload))
        if number is not None and self.arbiter is not None:
            self.arbiter.began(exchange.call, number, entry.head.received_at)
        if number is not None and len(self.links) > 1:
            for other in self.links.values():
                if other is not link or not link.numbers:
                    other.numbered(entry.id, entry.tx, number)
        for other in self.links.values():
            if entry.id in other.unheard:
                catch_up(other, exchange, now)
                if self.shared.linked is not None and not other.leaving:
                    # Should this hub die before it has been told, it is introduced again.
                    until = self.shared.linked.get(other.name) or entry.id
                    self.shared.linked[other.name] = max(entry.id, until, key=order)

    def open_at(self, since: str) -> list[Open]:
        """The transactions whose end comes after this entry, as far as that is known."""
        ended = [each for end, each in self.ended or () if order(end) > order(since)]
        return [*ended, *self.shared.open]

    def introduced(self, link: Link) -> None:
        """An upstream that came later knows what it has to know."""
        if self.shared.linked is not None and self.links.get(link.name) is link and not link.leaving:
            self.shared.linked[link.name] = ""
            self.effects.shared[self.charger] = self.shared
