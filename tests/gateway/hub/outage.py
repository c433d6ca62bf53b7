"""A charger and its primary around one session, in every pair of versions: what the charger hears while the primary is away."""

from __future__ import annotations

import json
from typing import Any

from gateway.config import Upstream
from gateway.config_route import Local
from gateway.hub.effects import Effects
from gateway.hub.link import Link
from gateway.hub.linking import make
from gateway.hub.observer import Observer
from gateway.hub.session import Session
from gateway.journal.entry import Class, Entry, Head
from gateway.routes import Route
from tests.schemas import validate
from translators.frames import decode

CLASSES: dict[str, Class] = {
    "StartTransaction": "K0",
    "StopTransaction": "K0",
    "MeterValues": "K0",
    "TransactionEvent": "K0",
    "Authorize": "K3",
    "Heartbeat": "K2",
}
DAY = 86_400
STATION = {"vendorName": "ACME", "model": "Box", "serialNumber": "1"}
BOOT = {
    "ocpp1.6": {"chargePointVendor": "ACME", "chargePointModel": "Box", "chargePointSerialNumber": "1"},
    "ocpp2.0.1": {"chargingStation": STATION, "reason": "PowerUp"},
}
BOOT["ocpp1.5"] = BOOT["ocpp1.6"]
VERSIONS = [
    ("ocpp1.6", "ocpp1.6"),
    ("ocpp1.6", "ocpp2.0.1"),
    ("ocpp2.0.1", "ocpp2.0.1"),
    ("ocpp2.0.1", "ocpp1.6"),
    ("ocpp1.5", "ocpp1.5"),
    ("ocpp1.5", "ocpp1.6"),
    ("ocpp1.5", "ocpp2.0.1"),
]
TAG = "04A1B2C3"


class Heard(Observer):
    def __init__(self) -> None:
        self.local: list[tuple[str, str]] = []
        self.alarms = 0

    def locally(self, link: Link, action: str, policy: str) -> None:
        self.local.append((action, policy))

    def barred(self, link: Link) -> None:
        self.alarms += 1


class Bench:
    """One charger and its primary `main`; the CSMS answers as `csms` says. The clock moves by hand."""

    def __init__(self, charger: str = "ocpp1.6", csms: Any = "ocpp1.6", policy: Any = "local", **route: Any) -> None:
        self.now = 1_772_366_400_000
        self.versions = charger, csms
        self.seq = 0
        self.verdict = "Accepted"
        self.registration = "Accepted"
        self.refusal = ""
        self.told: list[tuple[str, dict[str, Any]]] = []
        rules = {key: route.pop(key) for key in ("authorize", "cache_ttl", "boot_ttl", "boot_interval") if key in route}
        self.route = Route("main", primary_down=policy, hold=route.pop("hold", 0), local=Local(**rules), **route)
        self.upstreams = {"main": Upstream(url="ws://x", version=csms)}
        self.effects, self.heard = Effects(), Heard()
        self.session = Session("CP", self.effects, self.heard)
        self._link({})
        self.session.opened("edge", 1, charger, self.now, gate_open=True)
        self.up()

    def _link(self, stored: dict[str, bytes]) -> None:
        self.session.links["main"] = make(
            self.session, "main", self.route, self.upstreams, self.versions[0], dict(stored), self.session.shared.open
        )

    @property
    def link(self) -> Link:
        return self.session.links["main"]

    def crash(self) -> None:
        """Another hub goes on with what was stored."""
        stored = {**self.link.stored, **self.link.translator.stored()}
        self.session.links.clear()
        self._link(stored)
        self.link.down_since = self.now

    def up(self) -> None:
        self.session.connected("main", self.now)
        self.talk()

    def down(self) -> None:
        self.session.disconnected("main", self.now)

    def wait(self, seconds: float) -> None:
        self.now += round(seconds * 1000)
        self.session.tick(self.now)
        self.talk()

    def say(self, action: str, payload: dict[str, Any]) -> Any:
        """What the charger is answered: a payload, the code of a CALLERROR, or None."""
        self.seq += 1
        cls = CLASSES.get(action, "K1")
        head = Head("CP", 1, self.seq, self.versions[0], "edge", self.now, action, "m", cls, self.now + 60_000)
        frame = json.dumps([2, "m", action, payload]).encode()
        tx = 5000 + self.seq if action == "StartTransaction" else 0
        self.session.called("main", Entry(f"{self.now}-{self.seq}", "call", head, frame, tx), self.now)
        self.talk()
        return self.answer(self.seq)

    def repeat(self, entry: str, action: str, payload: dict[str, Any]) -> Any:
        """The charger says again what it said in this journal entry, and has no stored answer to."""
        self.seq += 1
        cls = CLASSES.get(action, "K1")
        head = Head(
            "CP", 1, self.seq, self.versions[0], "edge", self.now, action, "n", cls, self.now + 60_000, "d", entry
        )
        frame = json.dumps([2, "n", action, payload]).encode()
        self.session.repeated(Entry("9-9", "repeat", head, frame), self.now)
        self.talk()
        return self.answer(self.seq)

    def answer(self, seq: int) -> Any:
        items = [item for _, item in self.effects.to_charger if item.kind in ("answer", "error") and item.seq == seq]
        assert len(items) <= 1, "one answer per CALL"
        if not items:
            return None
        if items[0].kind == "error":
            return json.loads(b"[" + items[0].body + b"]")[0]
        return json.loads(items[0].body)

    @property
    def outcomes(self) -> list[str]:
        """What CALLs count as that were answered with an error which is not the CSMS's own."""
        return [item.outcome for _, item in self.effects.to_charger if item.outcome]

    def talk(self) -> None:
        """The CSMS answers what it is asked."""
        while self.effects.to_upstream:
            _, raw = self.effects.to_upstream.pop(0)
            frame = json.loads(raw)
            if frame[0] != 2:
                continue
            _, id, action, payload = frame
            version: Any = self.versions[1].removeprefix("ocpp")
            if version != "1.5":
                validate(version, action, "request", payload)
            self.told.append((action, payload))
            answer = [4, id, self.refusal, "no", {}] if self.refusal else [3, id, self._reply(action, payload)]
            self.session.from_upstream("main", decode(json.dumps(answer)), self.now)

    def _reply(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        time, old = "2026-03-01T12:00:00Z", self.versions[1] != "ocpp2.0.1"
        match action:
            case "BootNotification" if self.versions[1] == "ocpp1.5":
                return {"currentTime": time, "heartbeatInterval": 77, "status": self.registration}
            case "BootNotification":
                return {"currentTime": time, "interval": 77, "status": self.registration}
            case "Heartbeat":
                return {"currentTime": time}
            case "Authorize":
                return {"idTagInfo" if old else "idTokenInfo": {"status": self.verdict}}
            case "StartTransaction":
                return {"transactionId": 41, "idTagInfo": {"status": self.verdict}}
            case "TransactionEvent" if "idToken" in payload:
                return {"idTokenInfo": {"status": self.verdict}}
            case "DataTransfer" | "SignCertificate":
                return {"status": "Accepted"}
        return {}

    def actions(self) -> list[str]:
        return [action for action, _ in self.told]

    def commands(self) -> list[tuple[str, dict[str, Any]]]:
        """CALLs that left for the charger; each is accepted."""
        left = [json.loads(item.body) for _, item in self.effects.to_charger if item.kind == "call"]
        self.effects.to_charger = [each for each in self.effects.to_charger if each[1].kind != "call"]
        for _, id, _, _ in left:
            answer = json.dumps([3, id, {"status": "Accepted"}]).encode()
            head = Head("CP", 1, 99, self.versions[0], "edge", self.now)
            self.session.answered(Entry("1-1", "answer", head, answer), self.now)
        self.talk()
        return [(frame[2], frame[3]) for frame in left]

    # what a charger says, in its version

    def boot(self, **change: Any) -> Any:
        boot = json.loads(json.dumps(BOOT[self.versions[0]]))
        boot.get("chargingStation", boot).update(change)
        return self.say("BootNotification", boot)

    def authorize(self, tag: str = TAG) -> str | None:
        if self.versions[0] == "ocpp2.0.1":
            said = self.say("Authorize", {"idToken": {"idToken": tag, "type": "ISO14443"}})
            return said["idTokenInfo"]["status"] if said else None
        said = self.say("Authorize", {"idTag": tag})
        return said["idTagInfo"]["status"] if said else None

    def start(self, tag: str = TAG) -> Any:
        return self.say(
            "StartTransaction",
            {"connectorId": 1, "idTag": tag, "meterStart": 10, "timestamp": "2026-03-01T12:00:00Z"},
        )

    def event(self, kind: str, number: int, tag: str = "", trigger: str = "Authorized", **info: Any) -> Any:
        event: dict[str, Any] = {
            "eventType": kind,
            "timestamp": "2026-03-01T12:00:00Z",
            "triggerReason": trigger,
            "seqNo": number,
            "transactionInfo": {"transactionId": "T1", "chargingState": "Charging", **info},
            "evse": {"id": 1, "connectorId": 1},
            "meterValue": [{"timestamp": "2026-03-01T12:00:00Z", "sampledValue": [{"value": 10 + number}]}],
        }
        if tag:
            event["idToken"] = {"idToken": tag, "type": "ISO14443"}
        return self.say("TransactionEvent", event)

    def status(self, status: str = "Available") -> Any:
        if self.versions[0] == "ocpp2.0.1":
            at = {"timestamp": "2026-03-01T12:00:00Z", "connectorStatus": status, "evseId": 1, "connectorId": 1}
            return self.say("StatusNotification", at)
        return self.say("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": status})
