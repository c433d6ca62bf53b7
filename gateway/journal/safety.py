"""What a store must be before it is trusted with billing messages (reliability 5.4, I-28)."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from gateway.config import RedisConfig
from gateway.journal.connection import Connection
from gateway.journal.durability import Server
from gateway.journal.errors import OtherPartitions, StoreDown, UnsafeStore

log = structlog.get_logger(__name__)

OLDEST = (6, 2)


async def check(connection: Connection, config: RedisConfig) -> Server:
    """Refuses a store that would lose messages; gives what is known about it.

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
    _check_mode(info, config)
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction" and info.get("maxmemory", "0") != "0":
        raise UnsafeStore(
            f"the store evicts messages when full (maxmemory-policy {policy}): set maxmemory-policy noeviction"
        )
    persists, fsync = info.get("aof_enabled", "0") != "0", ""
    if persists:
        fsync = await _fsync(connection, config)
    elif not config.accept_data_loss:
        raise UnsafeStore(
            "the store keeps no append-only file, its restart would lose acknowledged messages: "
            "set appendonly yes, or redis.accept_data_loss: true"
        )
    life = (info.get("run_id", ""), info.get("master_replid", ""))
    return Server(version, life, persists, fsync, int(info.get("connected_slaves", "0")))


def _check_mode(info: Mapping[str, str], config: RedisConfig) -> None:
    clustered = info.get("cluster_enabled", "0") != "0"
    if clustered and not config.cluster:
        raise UnsafeStore("redis.url leads to a Redis Cluster: set redis.cluster: true, or use a single primary")
    if config.cluster and not clustered:
        raise UnsafeStore("redis.cluster is true but redis.url leads to a server that is no node of a Cluster")


async def _fsync(connection: Connection, config: RedisConfig) -> str:
    """The store's sync policy, or "" when it does not tell."""
    try:
        reply = await connection.call(("CONFIG", "GET", "appendfsync"))
    except StoreDown as error:
        if connection.lost:
            raise
        if config.fsync == "always":
            log.warning(
                "fsync_not_verified", reason=str(error), hint="redis.fsync is always, and the store forbids CONFIG"
            )
        return ""
    policy: str = reply[1].decode() if len(reply) > 1 else ""
    if config.fsync == "always" and policy != "always" and config.url != "embedded":
        raise UnsafeStore("redis.fsync is always but the store is not: set appendfsync always there")
    return policy


async def fix_partitions(connection: Connection, partitions: int, key: str) -> None:
    """Stores the number of partitions at the first start; any other number later raises OtherPartitions."""
    stored = await connection.call(("GET", key))
    if stored is None:
        await connection.call(("SETNX", key, partitions))
        stored = await connection.call(("GET", key))
    if stored is None or int(stored) != partitions:
        told = "no" if stored is None else stored.decode()
        raise OtherPartitions(
            f"the store holds {told} partitions, redis.partitions says {partitions}: "
            f"set redis.partitions to {told}, or use an empty store"
        )


def is_full(info: bytes) -> bool:
    """Whether `INFO memory` tells of a store without room for another entry."""
    told = _parse(info)
    limit = int(told.get("maxmemory", "0"))
    return limit > 0 and int(told.get("used_memory", "0")) >= limit


def _parse(text: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in text.decode("utf-8", "replace").splitlines())
    return {key: value for key, colon, value in lines if colon}
