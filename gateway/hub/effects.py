"""What the sessions of a partition have decided and nobody has carried out yet. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

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
        """Everything so far but `unstored`; this object starts again empty (sessions keep their reference to it). Nobody adds to
        what was taken: what is empty there is the same for all."""
        taken = Effects.__new__(Effects)
        if self.links:
            taken.links, self.links = self.links, set()
        else:
            taken.links = _NOTHING.links
        if self.acks:
            taken.acks, self.acks = self.acks, {}
        else:
            taken.acks = _NOTHING.acks
        if self.answers:
            taken.answers, self.answers = self.answers, []
        else:
            taken.answers = _NOTHING.answers
        if self.to_upstream:
            taken.to_upstream, self.to_upstream = self.to_upstream, []
        else:
            taken.to_upstream = _NOTHING.to_upstream
        if self.to_charger:
            taken.to_charger, self.to_charger = self.to_charger, []
        else:
            taken.to_charger = _NOTHING.to_charger
        if self.shared or self.terms or self.dead or self.parks or self.unparks or self.rekeys:
            taken.shared, self.shared = self.shared, {}
            taken.terms, self.terms = self.terms, {}
            taken.dead, self.dead = self.dead, []
            taken.parks, self.parks = self.parks, {}
            taken.unparks, self.unparks = self.unparks, {}
            taken.rekeys, self.rekeys = self.rekeys, []
        else:
            taken.shared, taken.terms, taken.dead = _NOTHING.shared, _NOTHING.terms, _NOTHING.dead
            taken.parks, taken.unparks, taken.rekeys = _NOTHING.parks, _NOTHING.unparks, _NOTHING.rekeys
        return taken

    @property
    def to_commit(self) -> bool:
        """Whether anything may have to be stored before the sends."""
        return bool(
            self.acks
            or self.links
            or self.answers
            or self.shared
            or self.terms
            or self.dead
            or self.parks
            or self.unparks
        )


_NOTHING: Final = Effects()
