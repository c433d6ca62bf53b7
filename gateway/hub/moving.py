"""Partitions that another hub shall have: each goes when nothing is open there, so that nothing is told twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from .partition import Partition

MOVE_SECONDS = 10.0
"""How long a partition that another hub shall have is kept for what is open there."""
CALM_SECONDS = 1.0
"""How long it is served as usual meanwhile: there may be a moment in which nothing is open."""
PART_SECONDS = 3.0
"""How long nothing new is taken there after that. Who has not answered by then is told again by the next owner."""


class Moving:
    """Which they are, and when each can be released."""

    def __init__(
        self,
        partitions: Mapping[int, Partition],
        *,
        settled: Callable[[Partition], bool],
        commanding: Callable[[Partition], bool],
        stay: Callable[[Partition], None],
    ) -> None:
        """`partitions`: what this hub owns; the others as `Ownership` has them."""
        self.since: dict[int, float] = {}
        """Partition that another hub shall have -> since when."""
        self._parting: dict[int, float] = {}
        """Those of them, or of a hub that ends, in which nothing new is taken -> since when."""
        self._partitions = partitions
        self._settled = settled
        self._commanding = commanding
        self._go_on = stay

    def goes(self, partition: Partition, since: float, most: float, parting: float) -> bool:
        """Whether a partition can be released that another hub should have `since`. When it has no quiet moment nothing new is
        begun there. `most`, `parting`: how long it is kept at all, and so."""
        now = time.monotonic()
        begun = self._parting.get(partition.number)
        if self._settled(partition) or now - since > most or (begun is not None and now - begun > parting):
            return True
        usual = min(CALM_SECONDS, most / 2)
        if self._commanding(partition):  # that can last, and the others need not wait for it
            usual = max(usual, most - parting)
        if begun is None and now - since > usual and partition.caught_up and not partition.interrupted:
            self._parting[partition.number] = now
            partition.effects.parting = True
        return False

    def keep(self, number: int) -> None:
        """A partition need not go any more, or not now."""
        self.since.pop(number, None)
        partition = self._partitions.get(number)
        if self._parting.pop(number, None) is not None and partition is not None:
            partition.effects.parting = False
            partition.run = -1  # what was not handed over meanwhile is read
            self._go_on(partition)

    def gone(self, number: int) -> None:
        """A partition is not owned any more."""
        self.since.pop(number, None)
        self._parting.pop(number, None)
