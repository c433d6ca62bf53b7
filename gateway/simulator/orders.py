"""What a person tells the demo CSMS to do, in a line of text: `start CP1 TAG00001`, `reset CP1`, ... Nothing is sent here."""

from __future__ import annotations

import json
import shlex
from typing import Any, Final

from .csms import DemoCsms, Station

HELP: Final = """\
list                               who is connected, and what goes on there
cards                              the cards, and what is said about them
card TAG STATUS                    from now on: Accepted, Blocked, Expired, Invalid, ...
start CHARGER TAG [CONNECTOR]      start a transaction
stop CHARGER [TRANSACTION]         end one; without an id the newest
reset CHARGER [soft|hard]
unlock CHARGER [CONNECTOR]
get CHARGER [KEY...]               configuration keys; in 2.0.1 Component.Variable
set CHARGER KEY VALUE
trigger CHARGER MESSAGE            Heartbeat, StatusNotification, ...
call CHARGER ACTION [JSON]         anything else
help, quit"""


class BadOrder(ValueError):
    """It cannot be understood or done; the text says why."""


_remote_ids: list[int] = [0]


async def obeyed(csms: DemoCsms, line: str) -> str:
    """Does what a line says, and gives what is to be told. Raises BadOrder, NoStation, TimeoutError, ConnectionClosed."""
    try:
        words = shlex.split(line, posix=True) if not line.strip().startswith("call ") else line.split(maxsplit=3)
    except ValueError as error:
        raise BadOrder(f"{line}: {error}") from None
    match words:
        case []:
            return ""
        case ["help"]:
            return HELP
        case ["list"]:
            return _list(csms)
        case ["cards"]:
            return "\n".join(f"{tag} {status}" for tag, status in csms.cards.items()) or "every card is accepted"
        case ["card", tag, status]:
            csms.cards[tag.casefold()] = status
            return f"{tag} {status}"
        case [_, identity, *rest]:
            station = csms.station(identity)
            action, payload = order(station, words[0], rest)
            answer = await station.call(action, payload)
            shown = json.dumps(answer[2] if answer[0] == 3 else answer[2:], ensure_ascii=False)
            return f"{action}: {'' if answer[0] == 3 else 'error '}{shown}"
    raise BadOrder(f"{line.strip()}: not understood; `help` tells what is")


def order(station: Station, verb: str, rest: list[str]) -> tuple[str, dict[str, Any]]:
    """Action and payload in the version of the charger. Raises BadOrder."""
    new = station.version == "ocpp2.0.1"
    try:
        match verb, rest:
            case "start", [tag, *more]:
                number = int(more[0]) if more else 1
                if not new:
                    return "RemoteStartTransaction", {"idTag": tag, "connectorId": number}
                _remote_ids[0] += 1
                token = {"idToken": tag, "type": "ISO14443"}
                return "RequestStartTransaction", {"idToken": token, "evseId": number, "remoteStartId": _remote_ids[0]}
            case "stop", more:
                known = list(station.transactions)
                if not more and not known:
                    raise BadOrder(f"{station.identity} has no transaction")
                if new:
                    return "RequestStopTransaction", {"transactionId": more[0] if more else known[-1]}
                return "RemoteStopTransaction", {"transactionId": int(more[0]) if more else known[-1]}
            case "reset", more:
                hard = more[:1] == ["hard"]
                kinds = ("OnIdle", "Immediate") if new else ("Soft", "Hard")
                return "Reset", {"type": kinds[hard]}
            case "unlock", more:
                number = int(more[0]) if more else 1
                return "UnlockConnector", {"evseId": number, "connectorId": 1} if new else {"connectorId": number}
            case "get", names if new:
                asked = names or ["OCPPCommCtrlr.HeartbeatInterval", "SampledDataCtrlr.TxUpdatedInterval"]
                return "GetVariables", {"getVariableData": [_variable(name) for name in asked]}
            case "get", names:
                return "GetConfiguration", {"key": names} if names else {}
            case "set", [name, value]:
                if new:
                    return "SetVariables", {"setVariableData": [{**_variable(name), "attributeValue": value}]}
                return "ChangeConfiguration", {"key": name, "value": value}
            case "trigger", [message]:
                return "TriggerMessage", {"requestedMessage": message}
            case "call", [action, *text]:
                payload = json.loads(text[0]) if text else {}
                if not isinstance(payload, dict):
                    raise BadOrder("call: the payload must be a JSON object")
                return action, payload
    except ValueError as error:
        raise error if isinstance(error, BadOrder) else BadOrder(f"{verb}: {error}") from None
    raise BadOrder(f"{verb}: not understood; `help` tells what is")


def _variable(name: str) -> dict[str, Any]:
    component, dot, variable = name.partition(".")
    if not dot:
        raise BadOrder(f"{name}: Component.Variable is needed, such as OCPPCommCtrlr.HeartbeatInterval")
    return {"component": {"name": component}, "variable": {"name": variable}}


def _list(csms: DemoCsms) -> str:
    lines = []
    for each in sorted(csms.stations.values(), key=lambda station: station.identity):
        statuses = ", ".join(f"{number} {status}" for number, status in sorted(each.statuses.items()))
        lines.append(f"{each.identity}  {each.version}  {each.about}  {statuses}")
        lines += [
            f"    transaction {t.id}: connector {t.connector}, card {t.tag}, {t.wh:.0f} Wh"
            for t in each.transactions.values()
        ]
    return "\n".join(lines) or "nobody is connected"
