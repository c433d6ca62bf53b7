"""What a store must be before it is trusted with billing messages (reliability 5.4, I-28)."""

from __future__ import annotations

import logging

from gateway.config import RedisConfig
from gateway.journal import keys
from gateway.journal.connection import Connection
from gateway.journal.errors import StoreDown, UnsafeStore

log = logging.getLogger(__name__)

OLDEST = (6, 2)


async def check(connection: Connection, config: RedisConfig) -> tuple[int, ...]:
    """Refuses a store that would lose messages; gives the Redis version it is compatible with.

    Only INFO is needed: managed stores forbid CONFIG. Raises UnsafeStore; StoreDown for a replica or one still loading.
    """
    info = _parse(await connection.call(("INFO",)))
    if info.get("loading", "0") != "0":
        raise StoreDown("the store is still loading its data")
    if info.get("role", "master") != "master":
        raise StoreDown("the store is a replica; connect to its primary")
    version = tuple(int(part) for part in info.get("redis_version", "0").split(".")[:3] if part.isdigit())
    if version < OLDEST:
        raise UnsafeStore(f"the store is Redis {info.get('redis_version', '?')}: 6.2 or newer (or Valkey) is needed")
    if info.get("cluster_enabled", "0") != "0":
        raise UnsafeStore("redis.url leads to a Redis Cluster, which is not yet supported: use a single primary")
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction" and info.get("maxmemory", "0") != "0":
        raise UnsafeStore(
            f"the store evicts messages when full (maxmemory-policy {policy}): set maxmemory-policy noeviction"
        )
    if info.get("aof_enabled", "0") == "0":
        if not config.accept_data_loss:
            raise UnsafeStore(
                "the store keeps no append-only file, its restart would lose acknowledged messages: "
                "set appendonly yes, or redis.accept_data_loss: true"
            )
    elif config.fsync == "always" and config.url != "embedded":
        await _check_fsync(connection)
    return version


async def _check_fsync(connection: Connection) -> None:
    try:
        reply = await connection.call(("CONFIG", "GET", "appendfsync"))
    except StoreDown as error:
        log.warning("cannot verify redis.fsync: always, the store forbids CONFIG: %s", error)
        return
    if reply[1:] != [b"always"]:
        raise UnsafeStore("redis.fsync is always but the store is not: set appendfsync always there")


async def fix_partitions(connection: Connection, partitions: int) -> None:
    """Stores the number of partitions at the first start; any other number later raises UnsafeStore."""
    await connection.call(("SETNX", keys.PARTITIONS, partitions))
    stored = int(await connection.call(("GET", keys.PARTITIONS)))
    if stored != partitions:
        raise UnsafeStore(
            f"the store holds {stored} partitions, redis.partitions says {partitions}: "
            f"set redis.partitions to {stored}, or use an empty store"
        )


def is_full(info: bytes) -> bool:
    """Whether `INFO memory` tells of a store without room for another entry."""
    told = _parse(info)
    limit = int(told.get("maxmemory", "0"))
    return limit > 0 and int(told.get("used_memory", "0")) >= limit


def _parse(text: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in text.decode("utf-8", "replace").splitlines())
    return {key: value for key, colon, value in lines if colon}
