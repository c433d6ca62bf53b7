"""What `ocpp-gateway doctor` looks at, one question each: the configuration, the store, this machine, the CSMSs, the fleet."""

from __future__ import annotations

import asyncio
import os
import resource
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from gateway.clock import SUSPECT_SECONDS
from gateway.config import Config
from gateway.config_file import ConfigError, load
from gateway.edge.tls import expiry
from gateway.hub.credentials import Contexts
from gateway.hub.health import probe
from gateway.journal import Journal, StoreDown, UnsafeStore

Verdict = Literal["ok", "warn", "fail"]

OLD_SECONDS: Final = 60.0
FULL: Final = 0.7


class Finding(msgspec.Struct):
    """One line."""

    verdict: Verdict
    what: str
    """What was looked at."""
    said: str
    fix: str = ""
    """What to do about it."""


def configuration(file: Path | None) -> tuple[Config | None, Finding]:
    """Whether it can be read."""
    name = str(file) if file else "the environment"
    try:
        config = load(file, os.environ)
    except ConfigError as error:
        return None, Finding(
            "fail", "configuration", "; ".join(error.errors), "ocpp-gateway check-config shows every line"
        )
    return config, Finding(
        "ok", "configuration", f"{name}: {len(config.upstreams)} upstreams, {len(config.routes)} routes"
    )


async def store(config: Config, opened: Any) -> AsyncIterator[Finding]:
    """`opened`: gives a started journal. Raises nothing."""
    try:
        journal: Journal = await opened(config)
    except UnsafeStore as error:
        yield Finding("fail", "store", str(error), "the message says what to set; docs/outages.md says why")
        return
    except (StoreDown, OSError) as error:
        yield Finding("fail", "store", f"not reachable: {error}", "is redis.url right, and does the server run?")
        return
    try:
        level = journal.durability
        verdict: Verdict = "ok" if level.level else "fail"
        yield Finding(verdict, "store", f"{level}: {level.survives}", "" if level.level else "set appendonly yes")
        full = await journal.fullness(list(range(config.redis.partitions)))
        yield Finding(
            "ok" if full < FULL else "warn", "store memory", f"{full:.0%} of maxmemory is used" if full else "no limit",
            "" if full < FULL else "give it more memory, or mend the upstream that is behind (ocpp-gateway queue ls)",
        )  # fmt: skip
        before = time.time()
        skew = abs(await journal.clock() / 1000 - (before + time.time()) / 2)
        good = skew < SUSPECT_SECONDS
        yield Finding(
            "ok" if good else "warn", "clocks", f"{skew:.1f} s between this machine and the store",
            "" if good else "let both keep time by NTP: leases and deadlines compare clocks",
        )  # fmt: skip
    except StoreDown as error:
        yield Finding("fail", "store", f"lost: {error}")
    finally:
        await journal.stop()


def machine(config: Config) -> Iterator[Finding]:
    """Limits of this machine, files of the configuration."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * config.max_connections + 200
    enough = hard == resource.RLIM_INFINITY or hard >= wanted
    yield Finding(
        "ok" if enough else "warn", "descriptors", f"up to {hard}, {wanted} are needed for max_connections",
        "" if enough else "raise the hard limit (ulimit -Hn, LimitNOFILE=), or lower listen.max_connections",
    )  # fmt: skip
    if config.redis.url == "embedded":
        folder = Path(config.redis.data_dir)
        above = next((each for each in (folder, *folder.resolve().parents) if each.exists()), Path("/"))
        writable = os.access(above, os.W_OK)
        free = os.statvfs(above)
        room = free.f_bavail * free.f_frsize / 2**30
        yield Finding(
            "fail" if not writable else "ok" if room > 1 else "warn", "data directory",
            f"{folder}: {'writable' if writable else 'not writable'}, {room:.1f} GiB free",
            "" if writable and room > 1 else "give the gateway's user a directory with room (redis.data_dir)",
        )  # fmt: skip
    for number, listen in enumerate(config.listen):
        if listen.tls.cert:
            yield certificate(f"certificate of listen[{number}]", lambda tls=listen.tls: expiry(tls))


def certificate(what: str, ends: Any) -> Finding:
    """How long it is valid."""
    try:
        days = (ends() - time.time()) / 86400
    except (OSError, ValueError, ssl.SSLError) as error:
        return Finding("fail", what, f"cannot be read: {error}", "the path, the rights, and that the key fits it")
    verdict: Verdict = "fail" if days < 0 else "warn" if days < 30 else "ok"
    return Finding(
        verdict, what, f"ends in {days:.0f} days", "" if verdict == "ok" else "renew it: chargers will not connect"
    )


async def upstreams(config: Config) -> AsyncIterator[Finding]:
    """Whether anything answers there, from here; no charger appears."""
    contexts = Contexts()
    unusable: dict[str, OSError] = {}
    for name, each in config.upstreams.items():
        if each.url.startswith("wss:"):
            try:
                contexts.of(each)
            except OSError as error:  # the probe would take it for nobody answering
                unusable[name] = error
    names = [name for name in config.upstreams if name not in unusable]
    dialled = [config.upstreams[name] for name in names]
    verdicts = await asyncio.gather(
        *(probe(each.url, partial(contexts.of, each), min(each.connect_timeout, 5)) for each in dialled)
    )
    for name in config.upstreams:
        what = f"upstream {name}"
        if name in unusable:
            said = f"cannot be dialled: {unusable[name]}"
            yield Finding("fail", what, said, "look at its ca_file, client_cert and client_key")
            continue
        verdict = verdicts[names.index(name)]
        if verdict == "up":
            yield Finding("ok", what, "answers")
        elif verdict == "unknown":
            yield Finding("warn", what, "takes connections, and says nothing", f"ocpp-gateway upstreams test {name}")
        else:
            yield Finding(
                "fail", what, f"{config.upstreams[name].url} does not answer from here",
                f"is the address right? ocpp-gateway upstreams test {name} asks every hub",
            )  # fmt: skip


def fleet(server: str, ask: Any) -> Iterator[Finding]:
    """What a running gateway says. `ask(path)`: its answer, None if nobody answers, a text if that is a refusal."""
    found = ask("processes")
    if found is None:
        yield Finding("warn", "gateway", f"no process answers at {server}", "is it running? another address: --server")
        return
    if isinstance(found, str):
        yield Finding("fail", "gateway", f"{server} refuses: {found}", "is OCPPGW_TOKEN set, and to a token of it?")
        return
    unready = [f"{each['name']}: {', '.join(each['unready'])}" for each in found["processes"] if each["unready"]]
    silent = found["silent"]
    if silent or unready:
        said = "; ".join([*unready, *(f"{each} does not answer" for each in silent)])
        yield Finding("fail", "processes", said, "ocpp-gateway processes; the log of that process")
    else:
        count = sum(each["chargers"] for each in found["processes"])
        yield Finding("ok", "processes", f"{len(found['processes'])}, {count} chargers")
    versions = sorted({each["version"] for each in found["processes"]})
    if len(versions) > 1:
        yield Finding("warn", "versions", ", ".join(versions), "finish the update: no more than two releases at a time")
    loud = [each["name"] for each in found["processes"] if each["log_level"] == "debug"]
    if loud:
        yield Finding("warn", "log", f"debug at {', '.join(loud)}", "ocpp-gateway log-level info")
    for each in (ask("upstreams") or {"upstreams": []})["upstreams"]:
        name, what = each["name"], f"queue of {each['name']}"
        if each["orphan"]:
            yield Finding("warn", what, "in no configuration any more", f"ocpp-gateway upstreams remove {name}")
        elif each["paused_at"]:
            yield Finding("warn", what, f"paused since {each['paused_at']}", f"ocpp-gateway upstreams resume {name}")
        elif each["oldest_seconds"] > OLD_SECONDS:
            reasons = "; ".join(one["reason"] for one in each["errors"][:2])
            said = f"{each['oldest_seconds']:.0f} s behind" + (f": {reasons}" if reasons else "")
            yield Finding(
                "fail" if each["state"] == "down" else "warn", what, said, f"ocpp-gateway upstreams show {name}"
            )
        else:
            yield Finding("ok", what, f"oldest {each['oldest_seconds']:.1f} s")
        if each["dead_letters"]:
            yield Finding("warn", f"dead letters of {name}", str(each["dead_letters"]), f"ocpp-gateway dlq list {name}")
