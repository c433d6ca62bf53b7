"""What an acknowledged message survives, given how the store is set up (reliability 5.4)."""

from __future__ import annotations

import msgspec

from gateway.config import RedisConfig

_SURVIVES = (
    "nothing is kept on disk: a restart of the store loses what was acknowledged",
    "survives the death of any process; a power loss of the store's machine can cost the last second or so",
    "survives a power loss of the store's machine too, as far as its disk keeps its word",
    "survives the loss of the store's primary: ",
)


class Server(msgspec.Struct, frozen=True):
    """What a server says about itself."""

    version: tuple[int, ...] = (0,)
    """Of the Redis that it is compatible with."""
    life: tuple[str, str] = ("", "")
    """Run id and replication id: another pair may hold another history."""
    persists: bool = True
    """It keeps an append-only file."""
    fsync: str = ""
    """Its `appendfsync`; empty: it does not say."""
    replicas: int = 0
    """Replicas that are connected to it."""


class Durability(msgspec.Struct, frozen=True):
    """One of the levels D0 to D3."""

    level: int
    survives: str

    def __str__(self) -> str:
        return f"D{self.level}"


UNKNOWN = Durability(0, "not known before the store was reached")


def durability(server: Server, config: RedisConfig, *, follows: bool) -> Durability:
    """The level that holds with this server. `follows`: the gateway finds the new primary after a failover by itself.

    A sync policy that the server does not tell counts as the weaker one. D3 needs a replica, and either its confirmation
    of each write (`redis.replicas`) or a gateway that follows and re-appends what the new primary lacks (`ring`).
    """
    if not server.persists:
        return Durability(0, _SURVIVES[0])
    level = 2 if server.fsync == "always" else 1
    if config.replicas and server.replicas >= config.replicas:
        return Durability(3, _SURVIVES[3] + f"{config.replicas} replicas confirm each write")
    if follows and server.replicas:
        again = "what the replica that takes over lacks is appended again by the process that still knows it"
        return Durability(3, _SURVIVES[3] + again)
    return Durability(level, _SURVIVES[level])
