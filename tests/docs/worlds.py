"""Pages whose commands are run, each with what is there before it begins."""

from __future__ import annotations

from .play import DEFAULT, World
from .seeing import session_in_console

OLD_AND_NEW = {"ws://old.example/ocpp": "ocpp1.6", "ws://new.example/ocpp": "ocpp2.0.1"}
ONLY_OLD = "upstreams: {old: {url: ws://old.example/ocpp, version: ocpp1.6}}\n"
SHADOW = """
upstreams:
  old: {url: ws://old.example/ocpp, version: ocpp1.6}
  new: {url: ws://new.example/ocpp, version: ocpp2.0.1, shadow: true}
routes: [{match: "*", primary: old, mirrors: [new]}]
"""
REGISTRY = DEFAULT + "registry: {source: redis}\n"

WORLDS: dict[str, World] = {
    "README.md": World({}, checkout=True, venv=True),
    "docs/tutorial.md": World({}, checkout=True, looks=session_in_console),
    "docs/how-to/existing-fleet.md": World({"ws://origin.example/ocpp": "ocpp1.6"}, chargers={"CP1": "ocpp1.6"}),
    "docs/how-to/run.md": World(
        {"ws://csms.example:9100/ocpp": "ocpp2.0.1", "ws://billing.example/ocpp": "ocpp1.6"},
        redis="redis://redis.example:6379",
    ),
    "docs/how-to/find-out.md": World(config=DEFAULT, chargers={"CP1": "ocpp1.6"}),
    "docs/how-to/second-csms.md": World(
        {"ws://main.example/ocpp": "ocpp1.6", "ws://energy.example/ocpp": "ocpp2.0.1"},
        config="upstreams: {main: {url: ws://main.example/ocpp, version: ocpp1.6}}\n",
        chargers={"CP1": "ocpp1.6"},
    ),
    "docs/how-to/migrate.md": World(
        OLD_AND_NEW, config=ONLY_OLD, chargers={"DE-0815": "ocpp1.6", "DE-0816": "ocpp1.6"}
    ),
    "docs/captures.md": World(config=DEFAULT, chargers={"DE-0815": "ocpp1.6"}),
    "docs/chargers.md": World(
        config=REGISTRY, files={"secret.txt": "sixteen-letters-", "chargers.csv": "id,password\nCP2,sixteen-letters-\n"}
    ),
    "docs/observability.md": World(config=DEFAULT, chargers={"CP001": "ocpp1.6"}),
    "docs/rollout.md": World(config=DEFAULT, chargers={"CP1": "ocpp1.6"}),
    "docs/shadow.md": World(
        OLD_AND_NEW,
        config=SHADOW,
        chargers={"DE-0815": "ocpp1.6", "DE-0816": "ocpp1.6"},
        sessions=4,
        refuses="ws://new.example/ocpp",
    ),
    "docs/switching.md": World(OLD_AND_NEW, config=ONLY_OLD, chargers={"DE-0815": "ocpp1.6"}),
    "docs/upgrading.md": World(
        config=REGISTRY + "redis: {url: redis://redis.example:6379/0}\n", redis="redis://redis.example:6379"
    ),
}
