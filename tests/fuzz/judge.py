"""What must hold for any bytes that a charger or a CSMS sends, whoever makes them up (hypothesis, atheris, a table)."""

from __future__ import annotations

import json

import msgspec

from gateway.edge.guard import Guard
from gateway.edge.strict import StrictGuard
from gateway.edge.verdict import Take
from translators.frames import Call, Error, Result, decode, encode

VERSIONS = ("ocpp1.5", "ocpp1.6", "ocpp2.0.1", "ocpp2.1")


def judge_charger(version: str, data: bytes, *, strict: bool = False, asked: str = "a") -> None:
    """The guard takes a frame that the hub can read, or refuses it with a CALLERROR that the charger can read."""
    guard = (StrictGuard if strict else Guard)(version)
    guard.asked(asked, "Reset")
    verdict = guard.read(data, 0)
    if isinstance(verdict, Take) and verdict.kind == "send":
        kind, _, action, payload = json.loads(verdict.frame)
        assert (kind, action, json.loads(verdict.payload)) == (6, verdict.action, payload)
        assert version == "ocpp2.1" and isinstance(payload, dict) and guard.idle is not bool(asked)
    elif isinstance(verdict, Take):
        frame = decode(verdict.frame)
        assert frame.id == verdict.message_id
        if verdict.kind == "call":
            assert isinstance(frame, Call)
            assert not strict or not verdict.row or guard._reactions[verdict.row].kind == "accept", verdict
            assert frame.action == verdict.action
            assert bytes(frame.payload) == verdict.payload
            assert isinstance(json.loads(verdict.payload), dict)
            open_call = guard.answered(verdict.seq, 0)
            assert open_call is not None
            reply = json.loads(b"[3,%b,{}]" % open_call.id)
            assert len(reply) == 3
        else:
            assert frame.id == asked
    elif verdict.reply:
        reply = json.loads(verdict.reply)
        assert reply[0] == 4 and len(reply) == 5 and len(reply[3]) <= 255, reply
    assert guard.idle or isinstance(verdict, Take) or guard._asked
    if not isinstance(verdict, Take):
        # Whatever it was, the next valid frame works.
        after = guard.read(b'[2,"next","Heartbeat",{}]', 1)
        assert isinstance(after, Take), after


def judge_csms(data: bytes) -> None:
    """What is read of a CSMS can be written, and reads the same again."""
    from gateway.hub.upstream import _tolerant

    try:
        frame: Call | Result | Error | None = decode(data)
    except msgspec.MsgspecError:
        tolerated = _tolerant(data)
        frame = None if tolerated is None else tolerated[0]
    if frame is not None:
        assert decode(encode(frame)) == frame
