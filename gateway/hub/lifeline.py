"""Commands that would cut a charger off from the gateway: another CSMS's address, another security profile, ... (reliability
2.6). Pure.

A command is seen as the charger would get it, in its version. What no policy minds passes with its bytes as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from msgspec import Raw

from gateway.config_route import Lifeline
from translators.frames import Call, Error, Result, encode

from .rekeying import ACTIONS, accepted, new_password

if TYPE_CHECKING:
    from .link import Link

SUBJECTS: Final = ("address", "security_profile", "passwords", "organization", "certificates", "firmware")
"""What a charger hangs by; each is a key of the configuration."""
POLICIES: Final = ("deny", "consume", "rewrite", "alert")
"""Those that are counted; `allow` is silent."""
HELD_MOST: Final = 64
WHY: Final = "the gateway does not let this be changed"

_NAMES: Final = {
    "authorizationkey": "passwords",
    "basicauthpassword": "passwords",
    "securityprofile": "security_profile",
    "allowsecurityprofiledowngrade": "security_profile",
    "cponame": "organization",
    "organizationname": "organization",
    "networkconfigurationpriority": "address",
    "activenetworkprofile": "address",
    "chargepointid": "address",
    "identity": "address",
}
"""Folded key (1.x) or variable (2.x), letters and digits only."""
_PLAIN: Final = re.compile(r"[^a-z0-9]")
_ADDRESS: Final = re.compile(
    r"(central(system)?|cs|csms|cpo|backend|backoffice|ocpp|server|websocket|ws|steve)[a-z0-9]*"
    r"(ur[il]|addr(ess)?|endpoint|host(name)?|ip|port|path)"
)
"""Names that vendors give to the address of the CSMS."""
_SOCKET: Final = re.compile(r"\s*wss?://", re.IGNORECASE)
_ROOTS: Final = frozenset(("CentralSystemRootCertificate", "CSMSRootCertificate"))

Payload = dict[str, Any]
Keep = Callable[["Link", bytes, Result | Error], bool]
"""(link, password, answer of the charger) -> whether it is being kept, and the answer is given afterwards."""
_reader = msgspec.json.Decoder(Payload)


class Seen(NamedTuple):
    """A change that some policy minds."""

    subject: str
    policy: str


class Filter:
    """The commands of one upstream for one charger. Remembers what it has taken out of a SetVariables until its answer comes."""

    __slots__ = ("_charger", "_held", "_keys", "_secrets", "keep", "rules")

    def __init__(self, rules: Lifeline, charger: str) -> None:
        self.rules = rules
        self._charger = charger
        self._keys = _keys(rules.keys)
        self._held: dict[str, list[Payload | None]] | None = None
        self._secrets: dict[str, bytes] | None = None
        self.keep: Keep | None = None
        """Takes the password that this upstream has given the charger, once that is accepted."""

    def sift(self, call: Call) -> tuple[Call | Result | Error, list[Seen]]:
        """What the charger gets, or else the answer; and what was seen in it."""
        judge = _JUDGES.get(call.action)
        if judge is None:
            return call, []
        in_use = call.action in ACTIONS and call.action != "SetNetworkProfile"
        if self.keep is not None and in_use and (password := new_password(call)) is not None:
            self._secrets = {call.id: password}  # one command at a time goes to a charger
        try:
            return judge(self, call, _reader.decode(call.payload))
        except (msgspec.MsgspecError, KeyError, TypeError, AttributeError):
            return call, []  # the charger says what is wrong with it

    def mend(self, frame: Result | Error) -> Result | Error:
        """The charger's answer with the items that it never got."""
        held = self._held.pop(frame.id, None) if self._held else None
        if held is None or not isinstance(frame, Result):
            return frame
        try:
            answer = _reader.decode(frame.payload)
            said = iter(answer["setVariableResult"])
            merged = [item if item is not None else next(said) for item in held]
        except (msgspec.MsgspecError, KeyError, TypeError, StopIteration):
            return frame
        return Result(frame.id, Raw(encode({**answer, "setVariableResult": merged})))

    def kept(self, link: Link, frame: Result | Error) -> bool:
        """Whether the answer waits until the password is kept that it accepts."""
        password = self._secrets.pop(frame.id, None) if self._secrets else None
        return (
            password is not None
            and self.keep is not None
            and bool(accepted(frame))
            and self.keep(link, password, frame)
        )

    # Inside.

    def policy(self, subject: str) -> str:
        return str(getattr(self.rules, subject)) if subject else "allow"

    def subject(self, name: str, value: str) -> str:
        """What a key or variable is about; "": nothing that matters here."""
        folded = _folded(name)
        if (known := _NAMES.get(folded)) is not None:
            return known
        return "address" if folded in self._keys or _ADDRESS.fullmatch(folded) or _SOCKET.match(value) else ""

    def rewritten(self, name: str, value: str) -> str | None:
        """The value in whose place the charger keeps to the gateway; None: there is none."""
        folded = _folded(name)
        if _SOCKET.match(value) or folded.endswith(("url", "uri")):
            return self.url
        return value if folded in ("networkconfigurationpriority", "activenetworkprofile") else None

    @property
    def url(self) -> str:
        return self.rules.url.replace("{id}", self._charger)

    def hold(self, id: str, items: list[Payload | None]) -> None:
        held = self._held = {} if self._held is None else self._held
        held[id] = items
        while len(held) > HELD_MOST:
            del held[next(iter(held))]


Judged = tuple[Call | Result | Error, list[Seen]]


def _folded(name: str) -> str:
    return _PLAIN.sub("", name.casefold())


@cache
def _keys(names: tuple[str, ...]) -> frozenset[str]:
    """The keys of a route's rules, folded: the same for all its chargers."""
    return frozenset(_folded(name) for name in names)


def _denied(call: Call) -> Error:
    return Error(call.id, "SecurityError", WHY)


def _key(of: Filter, call: Call, request: Payload) -> Judged:
    """ChangeConfiguration."""
    name, value = request["key"], str(request["value"])
    subject = of.subject(name, value)
    policy = of.policy(subject)
    if policy == "allow":
        return call, []
    fate, put = _fate(of, policy, name, value)
    seen = [Seen(subject, fate)]
    if fate == "deny":
        return _denied(call), seen
    if fate == "consume":
        return Result(call.id, Raw(b'{"status":"Accepted"}')), seen
    return (call if put == value else Call(call.id, call.action, Raw(encode({**request, "value": put})))), seen


def _fate(of: Filter, policy: str, name: str, value: str) -> tuple[str, str]:
    """The policy that it comes to, and the value that the charger gets."""
    if policy != "rewrite":
        return policy, value
    put = of.rewritten(name, value)
    return ("deny", value) if put is None else ("rewrite", put)


def _variables(of: Filter, call: Call, request: Payload) -> Judged:
    """SetVariables: each item by itself."""
    seen: list[Seen] = []
    passed: list[Payload] = []
    results: list[Payload | None] = []
    changed = False
    for item in request["setVariableData"]:
        name, value = item["variable"]["name"], str(item["attributeValue"])
        subject = of.subject(name, value)
        policy = of.policy(subject)
        if policy == "allow":
            passed.append(item)
            results.append(None)
            continue
        fate, put = _fate(of, policy, name, value)
        seen.append(Seen(subject, fate))
        if fate in ("deny", "consume"):
            results.append(_result(item, fate))
            continue
        changed = changed or put != value
        passed.append({**item, "attributeValue": put})
        results.append(None)
    if all(each is None for each in results):
        return (call if not changed else _with(call, request, passed)), seen
    if not passed:
        return Result(call.id, Raw(encode({"setVariableResult": results}))), seen
    of.hold(call.id, results)
    return _with(call, request, passed), seen


def _with(call: Call, request: Payload, items: list[Payload]) -> Call:
    return Call(call.id, call.action, Raw(encode({**request, "setVariableData": items})))


def _result(item: Payload, fate: str) -> Payload:
    made: Payload = {name: item[name] for name in ("attributeType", "component", "variable") if name in item}
    if fate == "consume":
        return {**made, "attributeStatus": "Accepted"}
    return {**made, "attributeStatus": "Rejected", "attributeStatusInfo": {"reasonCode": "SecurityError"}}


def _profile(of: Filter, call: Call, request: Payload) -> Judged:
    """SetNetworkProfile. With another security profile than the address can have the charger would not come back."""
    connection = request["connectionData"]
    policy = of.policy("address")
    if "basicAuthPassword" in connection and of.policy("passwords") == "deny":
        return _whole(of, call, "passwords")
    if policy != "rewrite":
        return _whole(of, call, "address")
    secure = of.url.startswith("wss:")
    profile = connection.get("securityProfile", 0)
    profile = max(profile, 2) if secure else min(profile, 1)
    connection = {**connection, "ocppCsmsUrl": of.url, "securityProfile": profile}
    connection.pop("identity", None)  # 2.1: another one has no meaning here
    return Call(call.id, call.action, Raw(encode({**request, "connectionData": connection}))), [
        Seen("address", "rewrite")
    ]


def _whole(of: Filter, call: Call, subject: str) -> Judged:
    policy = of.policy(subject)
    if policy == "allow":
        return call, []
    seen = [Seen(subject, policy)]
    if policy == "deny":
        return _denied(call), seen
    if policy == "consume":
        return Result(call.id, Raw(b'{"status":"Accepted"}')), seen
    return call, seen


def _root(of: Filter, call: Call, request: Payload) -> Judged:
    """InstallCertificate: only the roots by which a charger knows the CSMS."""
    return _whole(of, call, "certificates") if request["certificateType"] in _ROOTS else (call, [])


def _signed(of: Filter, call: Call, request: Payload) -> Judged:
    """CertificateSigned: not those of ISO 15118."""
    vehicle = request.get("certificateType") in ("V2GCertificate", "V2G20Certificate")
    return (call, []) if vehicle else _whole(of, call, "certificates")


def _deleted(of: Filter, call: Call, request: Payload) -> Judged:
    """DeleteCertificate: nobody knows here which one it is."""
    return _whole(of, call, "certificates")


def _firmware(of: Filter, call: Call, request: Payload) -> Judged:
    return _whole(of, call, "firmware")


_JUDGES: Final = {
    "CertificateSigned": _signed,
    "ChangeConfiguration": _key,
    "DeleteCertificate": _deleted,
    "InstallCertificate": _root,
    "SetNetworkProfile": _profile,
    "SetVariables": _variables,
    "SignedUpdateFirmware": _firmware,
    "UpdateFirmware": _firmware,
}


def filter_of(rules: Lifeline | None, charger: str, before: Filter | None = None) -> Filter:
    """The filter for a charger's route; the one that it had stays if the rules are the same."""
    wanted = rules or Lifeline()
    if before is not None and before.rules == wanted:
        return before
    made = Filter(wanted, charger)
    if before is not None:
        made.keep = before.keep
    return made
