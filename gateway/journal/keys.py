"""Names of all keys. Those of one partition share the hash tag `{pNN}`: one command touches one Cluster slot."""

from __future__ import annotations

from binascii import crc_hqx
from functools import lru_cache

PARTITIONS = "ocppgw:partitions"
"""Number of partitions, fixed at the first start."""

EDGES = "edges"
HUBS = "hubs"
PROCESSES = "processes"
"""Sets of the processes that announced themselves; whoever has no lease any more is dead."""


def fold(charger: str) -> str:
    """The identity as keys use it: OCPP identities are case-insensitive (OCPP 2.0.1 part 2, identifierString)."""
    return charger.casefold()


def partition(charger: str, partitions: int) -> int:
    """Number of the charger's partition: CRC-16/XMODEM of its casefolded identity, as Redis Cluster computes slots."""
    return crc_hqx(charger.casefold().encode(), 0) % partitions


@lru_cache(4096)
def tag(partition: int) -> str:
    return f"{{p{partition:02}}}"


@lru_cache(4096)
def stream(partition: int) -> str:
    """Stream of what the partition's chargers said."""
    return tag(partition) + ":in"


@lru_cache(4096)
def live(partition: int) -> str:
    """Hash: `run`, the number of the newest entry of the stream; `newest`, the id of the newest that is no call.

    Nobody here reads `newest`. Hubs of earlier revisions, which may run beside these during an update, do: where it is missing they
    take it that `session` has nothing to be told, and trim what that group has not passed. So it is written on.
    """
    return tag(partition) + ":live"


@lru_cache(4096)
def epochs(partition: int) -> str:
    """Hash: casefolded charger -> number of its newest connection."""
    return tag(partition) + ":epochs"


@lru_cache(4096)
def homes(partition: int) -> str:
    """Hash: casefolded charger -> epoch, edge, version, identity as spelled, one a line."""
    return tag(partition) + ":homes"


@lru_cache(4096)
def lease(partition: int) -> str:
    """`<token> <hub>` of the hub that owns the partition; expires."""
    return tag(partition) + ":lease"


def token(partition: int) -> str:
    """Counter of the fencing tokens."""
    return tag(partition) + ":token"


def dedup(partition: int, charger: str) -> str:
    """Followed by `Head.dedup`: `<stream id> <tx> <answer>` of a message that may be sent again; expires."""
    return f"{tag(partition)}:d:{charger.casefold()}:"


def ring(partition: int, process: str) -> str:
    """Number of the newest append of a process; expires."""
    return f"{tag(partition)}:ring:{process}"


def decisions(partition: int, process: str) -> str:
    """Number of the newest commit of a process; expires."""
    return f"{tag(partition)}:decided:{process}"


def marker(partition: int) -> str:
    """What `PARTITIONS` is, for the node of a Cluster that holds this partition."""
    return tag(partition) + ":partitions"


def slot(key: str) -> int:
    """Cluster slot of a key: CRC-16 of its hash tag, or of the whole key if it has none."""
    _, opened, rest = key.partition("{")
    found, closed, _ = rest.partition("}")
    return crc_hqx((found if opened and closed and found else key).encode(), 0) % 16384


def tx(partition: int, charger: str) -> str:
    """Counter of the transaction numbers minted for a charger."""
    return f"{tag(partition)}:tx:{charger.casefold()}"


def facts(partition: int, charger: str) -> str:
    """Hash of a charger's facts: `shared` and `link:<upstream>`."""
    return f"{tag(partition)}:facts:{charger.casefold()}"


def edge(edge: str) -> str:
    """Lease of an edge; shares its slot with the inbox."""
    return f"edge:{{{edge}}}"


def inbox(edge: str) -> str:
    """Stream of what hubs want an edge to do."""
    return f"inbox:{{{edge}}}"


def hub(hub: str) -> str:
    """Lease of a hub."""
    return f"hub:{{{hub}}}"


def process(name: str) -> str:
    """Lease of a process; shares its slot with its mailbox."""
    return f"process:{{{name}}}"


def mailbox(name: str) -> str:
    """Stream of what other processes say to a process."""
    return f"mail:{{{name}}}"


def upstream(name: str) -> str:
    """Health of an upstream as the hubs see it; expires."""
    return f"upstream:{name}"


def dead_letters(partition: int, upstream: str) -> str:
    """Stream of what an upstream was not given and a person has to look at."""
    return f"{tag(partition)}:dlq:{upstream}"


def dead_letter_index(partition: int) -> str:
    """Set of the upstreams that have, or had, dead letters."""
    return tag(partition) + ":dlq"


def parked(partition: int, upstream: str, charger: str) -> str:
    """Sorted set, all scores 0: entries of a charger that an upstream cannot take now (see `packed`)."""
    return f"{tag(partition)}:parked:{upstream}:{charger.casefold()}"


@lru_cache(4096)
def parked_index(partition: int) -> str:
    """Hash: upstream, casefolded charger, one a line -> bytes parked."""
    return tag(partition) + ":parked"


def begun(partition: int) -> str:
    """Hash: group that was added to a stream in use -> id after which it began."""
    return tag(partition) + ":begun"


def quarantine(partition: int) -> str:
    """Stream of billing frames that an edge could not accept."""
    return tag(partition) + ":quar"


def profiles(partition: int) -> str:
    """Hash: casefolded charger -> highest security profile with which it was accepted."""
    return tag(partition) + ":profiles"
