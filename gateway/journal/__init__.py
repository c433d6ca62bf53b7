"""The durable log between edges and hubs, and the only code that talks to the store."""

from gateway.journal.appending import Appended
from gateway.journal.entry import Dead
from gateway.journal.errors import Fenced, StoreDown, UnsafeStore
from gateway.journal.facts import Commit
from gateway.journal.journal import Journal
from gateway.journal.letters import Letter
from gateway.journal.streams import SESSION, Batch, Lag

__all__ = [
    "SESSION",
    "Appended",
    "Batch",
    "Commit",
    "Dead",
    "Fenced",
    "Journal",
    "Lag",
    "Letter",
    "StoreDown",
    "UnsafeStore",
]
