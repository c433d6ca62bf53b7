"""A store as text, so that what one release has stored can be given to another.

`python -m tests.faults.frozen` writes tests/faults/stored/format<N>.json for the formats of this release; do it once per format,
before it changes, and keep the files of the earlier ones.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

from gateway.journal import entry, facts

from .fleet import Fleet
from .nodes import Store
from .swarm import Charger

DIRECTORY = Path(__file__).parent / "stored"
CHARGER = "CP1"
_LEASES = ("edge:", "hub:", "process:", "upstream:", "inbox:")
_GONE = (":lease", ":ring")


async def freeze(store: Store) -> dict[str, Any]:
    """Everything but what ends with its process. Bytes are text of the same code points."""
    found: dict[str, Any] = {}
    for name in sorted(await store.ask("KEYS", "*")):
        key = name.decode("latin-1")
        if key.startswith(_LEASES) or any(word in key for word in _GONE):
            continue
        kind = (await store.ask("TYPE", name)).decode()
        if kind == "string":
            found[key] = _text(await store.ask("GET", name))
        elif kind == "hash":
            flat = _text(await store.ask("HGETALL", name))
            found[key] = dict(zip(flat[::2], flat[1::2], strict=True))
        elif kind == "set":
            found[key] = {"members": sorted(_text(await store.ask("SMEMBERS", name)))}
        elif kind == "stream":
            groups = []
            for raw in await store.ask("XINFO", "GROUPS", name):
                group = dict(zip(_text(raw[::2]), raw[1::2], strict=True))
                pending = await store.ask("XPENDING", name, group["name"], "-", "+", 1000)
                ids = [_text(each[0]) for each in pending]
                groups.append([_text(group["name"]), _text(group["last-delivered-id"]), ids])
            found[key] = {"entries": _text(await store.ask("XRANGE", name, "-", "+")), "groups": groups}
        else:
            raise TypeError(f"{key} is a {kind}")
    return found


async def thaw(store: Store, frozen: dict[str, Any]) -> None:
    """Gives an empty store what `freeze` has found."""
    for key, value in frozen.items():
        name = key.encode("latin-1")
        if isinstance(value, str):
            await store.ask("SET", name, _bytes(value))
        elif "entries" in value:
            for id, fields in value["entries"]:
                await store.ask("XADD", name, id, *_bytes(fields))
            for group, last, pending in value["groups"]:
                await store.ask("XGROUP", "CREATE", name, group, last, "MKSTREAM")
                if pending:
                    await store.ask("XCLAIM", name, group, "hub", 0, *pending, "FORCE", "JUSTID")
        elif "members" in value:
            await store.ask("SADD", name, *_bytes(value["members"]))
        else:
            await store.ask("HSET", name, *(part for pair in value.items() for part in _bytes(list(pair))))


def _text(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return [_text(each) for each in value] if isinstance(value, list) else value


def _bytes(value: Any) -> Any:
    return value.encode("latin-1") if isinstance(value, str) else [_bytes(each) for each in value]


async def story(fleet: Fleet) -> dict[str, Any]:
    """A transaction whose second half no CSMS has heard yet: what was said of it, and the store."""
    for name, version in (("main", "ocpp2.0.1"), ("copy", "ocpp1.6")):
        backend = await fleet.backend(name, version)
        backend.texts = []
    node = await fleet.single()
    charger: Charger = await fleet.booted(CHARGER)
    await charger.status("Available")
    await charger.start()
    await charger.meter()
    await fleet.quiet()
    heard = {name: [*backend.texts] for name, backend in fleet.backends.items() if backend.texts is not None}
    for backend in fleet.backends.values():
        await backend.stop()
    await charger.meter()
    await charger.meter()
    await charger.stop()
    await asyncio.sleep(1)
    assert await node.stop() == 0
    waiting = [each.message for each in fleet.history.sent[-3:]]
    return {
        "formats": {"entries": entry.FORMAT, "facts": facts.FORMAT},
        "started": {name: next(text for text in texts if "Start" in text) for name, texts in heard.items()},
        "number": charger.transaction,
        "number at copy": fleet.backends["copy"].transaction(CHARGER, charger.begun),
        "waiting": [[each.kind, each.stamp, each.register] for each in waiting],
        "store": await freeze(fleet.store),
    }


async def main(directory: Path) -> Path:
    fleet = Fleet(directory, partitions=2)
    try:
        told = await story(fleet)
    finally:
        await fleet.stop()
    DIRECTORY.mkdir(exist_ok=True)
    path = DIRECTORY / f"format{entry.FORMAT}-{facts.FORMAT}.json"
    host = socket.gethostname()
    text = json.dumps(told, indent=1).replace(f"{host}-", "h" * len(host) + "-")
    path.write_text(text + "\n")
    return path


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        print(asyncio.run(main(Path(temporary))), file=sys.stderr)
