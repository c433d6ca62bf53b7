"""One real gateway for the whole table: a listener of every kind, a CSMS of every version, every charger of the table."""

from __future__ import annotations

import asyncio
import json
import re
import urllib.request
from pathlib import Path
from typing import Any, Final

import yaml

from gateway import passwords
from tests.e2e.process import Gateway, free_port
from tests.gateway.edge.authority import Authority, Issued

from .client import PATIENCE, Plug
from .csms import Csms

ROADS: Final = {
    "same": {v: v for v in ("ocpp1.5", "ocpp1.6", "ocpp2.0.1", "ocpp2.1")},
    "translated": {"ocpp1.5": "ocpp1.6", "ocpp1.6": "ocpp2.0.1", "ocpp2.0.1": "ocpp1.6"},
}
"""Where a charger of a version goes: to a CSMS of the same, or of another one."""
PASSWORD: Final = bytes.fromhex("00ff10cafe0102030405060708090a0b0c0d0e0f")
"""Binary, as a 1.6 AuthorizationKey is."""
DOORS: Final = ("plain", "assume", "complete", "basic", "hidden", "tls", "mutual", "hasty", "rare")
SAMPLE: Final = re.compile(r"^ocppgw_(\w+(?:\{[^}]*\})?) (\S+)$", re.M)


class Site:
    """Everything that a row of the table needs."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.csms = Csms()
        self.authority = Authority(directory)
        self.revoked: Issued | None = None
        self.ports = {door: free_port() for door in DOORS}
        self.gateway: Gateway
        self._read = 0

    async def start(self, chargers: dict[str, dict[str, Any]]) -> None:
        """`chargers`: identity -> what the registry says of it."""
        await self.csms.start()
        file = self.directory / "chargers.yaml"
        sealed = passwords.digest(PASSWORD)
        file.write_text(yaml.safe_dump({
            id: {**settings, "password_hash": sealed} if settings.pop("has_password", False) else settings
            for id, settings in chargers.items()
        }))  # fmt: skip
        versions = ("ocpp1.5", "ocpp1.6", "ocpp2.0.1", "ocpp2.1")
        url = f"ws://127.0.0.1:{self.csms.port}"
        upstreams: dict[str, Any] = {
            "v" + version.removeprefix("ocpp").replace(".", ""): {"url": url, "version": version, "call_timeout": 5}
            for version in versions
        }
        upstreams["gone"] = {"url": f"ws://127.0.0.1:{free_port()}", "version": "ocpp1.6"}
        upstreams["queue"] = {"url": url + "/queue", "version": "ocpp1.6", "call_timeout": 2}
        routes: list[dict[str, Any]] = [
            {"name": f"{road}-{version}", "match": [], "primary": "v" + csms.removeprefix("ocpp").replace(".", "")}
            for road, pairs in ROADS.items()
            for version, csms in pairs.items()
        ]
        routes += [{**each, "name": "forward-" + each["name"], "unknown_actions": "forward"} for each in routes]
        routes += [
            {"name": "gone", "match": [], "primary": "gone", "hold": 0.5},
            {"name": "local", "match": [], "primary": "gone", "primary_down": "local", "hold": 0},
            {"name": "early", "match": [], "primary": "v16", "answers": {"billing": "early"}},
        ]
        self.gateway = Gateway(self.directory / "gateway", {
            "listen": self._listeners(list(versions)),
            "registry": {"source": "file", "file": str(file)},
            "upstreams": upstreams,
            "routes": routes,
            "charger": {"call_timeout": 2, "answer_timeout": 4},
            "limits": {"source_rate": 0, "write_stall": 1, "probe": 1},
        })  # fmt: skip
        await self.gateway.start()

    def _listeners(self, versions: list[str]) -> list[dict[str, Any]]:
        ec, rsa = self.authority.issue("gateway", stem="ec"), self.authority.issue("gateway", kind="rsa", stem="rsa")
        self.revoked = self.authority.issue("revoked")
        self.authority.revoke(self.revoked)
        keys = {"cert": ec.cert, "key": ec.key, "cert2": rsa.cert, "key2": rsa.key}
        roots = {"client_ca": self.authority.file, "crl": self.authority.crl, "organization": "CPO"}
        kinds: dict[str, dict[str, Any]] = {
            "plain": {},
            "assume": {"assume_subprotocol": "ocpp1.6"},
            "complete": {"subprotocol_mismatch": "complete_then_close"},
            "basic": {"security_profile": 1},
            "hidden": {"security_profile": 1, "hide_unknown": True},
            "tls": {"security_profile": 2, "tls": keys},
            "mutual": {"security_profile": 3, "tls": {**keys, **roots}},
            "hasty": {"handshake_timeout": 0.5},
            "rare": {"accept_rate": 1, "accept_burst": 2},
        }
        common = {
            "host": "127.0.0.1",
            "subprotocols": versions,
            "ping_interval": 0,
            "accept_rate": 5000,
            "accept_burst": 5000,
        }
        return [{**common, "port": self.ports[door], **kinds[door]} for door in DOORS]

    async def stop(self) -> None:
        code = await self.gateway.stop()
        await self.csms.stop()
        assert code == 0, self.gateway.tail()

    async def plug(self, charger: str, version: str, door: str = "plain", **options: Any) -> Plug:
        return await Plug.into(self.ports[door], charger, version, **options)

    async def booted(self, charger: str, version: str) -> Plug:
        """Connected, and its boot was accepted."""
        plug = await self.plug(charger, version)
        answer = json.loads(await plug.ask(BOOTS["1" if version.startswith("ocpp1") else "2"]))
        assert answer[2]["status"] == "Accepted", answer
        return plug

    async def metrics(self) -> dict[str, float]:
        """Samples without the prefix, labels as they stand there; but for what changes by itself."""

        def read() -> str:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.gateway.admin_port}/metrics", timeout=PATIENCE
            ) as page:
                return str(page.read().decode())

        return {name: float(value) for name, value in SAMPLE.findall(await asyncio.to_thread(read))}

    def trouble(self) -> str:
        """What the log has of tracebacks and errors since this was asked last."""
        text = self.gateway.log.read_text(errors="replace")
        new, self._read = text[self._read :], len(text)
        bad = [
            line for line in new.splitlines() if "Traceback" in line or '"level":"error"' in line.replace('": "', '":"')
        ]
        return "\n".join(bad)


BOOTS: Final = {
    "1": '[2,"boot","BootNotification",{"chargePointVendor":"V","chargePointModel":"M"}]',
    "2": '[2,"boot","BootNotification",{"reason":"PowerUp","chargingStation":{"vendorName":"V","model":"M"}}]',
}
