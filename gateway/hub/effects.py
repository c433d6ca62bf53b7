"""What the sessions of a partition have decided and nobody has carried out yet. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.journal.entry import Dead, Entry, ToCharger

from .comparing import Unstored
from .shared import Shared
from .terms import Terms

if TYPE_CHECKING:
    from .link import Link
    from .rekeying import Rekey


class Effects:
    """What a tick decided for one partition: first the commit (facts, answers, acks), then the sends."""

    __slots__ = (
        "acks",
        "answers",
        "dead",
        "facts",
        "links",
        "parks",
        "parting",
        "rekeys",
        "shared",
        "terms",
        "to_charger",
        "to_upstream",
        "unparks",
        "unstored",
    )

    def __init__(self) -> None:
        self.parting = False
        """The partition goes to another hub: nothing new is begun that nobody waits for."""
        self.links: set[Link] = set()
        """Links whose facts may have changed."""
        self.facts: dict[tuple[str, str], bytes | None] = {}
        """(charger, field) -> facts that were packed for a link that others go on for (see `linking.hand_on`)."""
        self.shared: dict[str, Shared] = {}
        """Charger -> facts of it that have changed and belong to no single link."""
        self.terms: dict[str, Terms] = {}
        """Charger -> what is remembered of the commands of its upstreams, where it has changed."""
        self.answers: list[tuple[str, str, bytes]] = []
        """(charger, dedup key, CALLRESULT payload): what a retry of the charger is answered."""
        self.acks: dict[str, list[str]] = {}
        self.dead: list[Dead] = []
        self.parks: dict[tuple[str, str], list[Entry]] = {}
        """(upstream, charger) -> entries that are put aside, so that they hold nobody else's."""
        self.unparks: dict[tuple[str, str], list[str]] = {}
        """(upstream, charger) -> ids of entries put aside that are done with."""
        self.to_upstream: list[tuple[Link, bytes]] = []
        self.to_charger: list[tuple[str, ToCharger]] = []
        """(edge, what to do)."""
        self.rekeys: list[Rekey] = []
        """Passwords that chargers are given, and what they say to them."""
        self.unstored = Unstored()
        """What was found about shadows: it goes with any commit, and causes none."""

    def take(self) -> Effects:
        """Everything so far but `unstored`; this object starts again empty (sessions keep their reference to it)."""
        taken = Effects.__new__(Effects)
        taken.links, self.links = self.links, set()
        taken.facts, self.facts = self.facts, {}
        taken.shared, self.shared = self.shared, {}
        taken.terms, self.terms = self.terms, {}
        taken.answers, self.answers = self.answers, []
        taken.acks, self.acks = self.acks, {}
        taken.dead, self.dead = self.dead, []
        taken.parks, self.parks = self.parks, {}
        taken.unparks, self.unparks = self.unparks, {}
        taken.to_upstream, self.to_upstream = self.to_upstream, []
        taken.to_charger, self.to_charger = self.to_charger, []
        taken.rekeys, self.rekeys = self.rekeys, []
        return taken

    @property
    def to_commit(self) -> bool:
        """Whether anything may have to be stored before the sends."""
        return bool(
            self.acks
            or self.links
            or self.facts
            or self.answers
            or self.shared
            or self.terms
            or self.dead
            or self.parks
            or self.unparks
        )
