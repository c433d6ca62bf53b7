"""Rows that take more than one frame. Each function is one; it raises when anything is not as the table says.

The driver looks at metrics and log afterwards, and lets the charger come again, unless it is locked out.
"""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import ssl
import struct
from typing import Any

from websockets.exceptions import InvalidStatus

from .client import Plug, Raw, framed, source, upgrade
from .csms import polite
from .site import BOOTS, PASSWORD, Site

ROUTES = {"primary_away": "gone", "before_the_boot_local": "local", "pending_here": "local", "refused_early": "early"}
"""Scene -> route of its charger; the others go the road of their case."""
WITH_PASSWORD = frozenset({"wrong_passwords", "lower_profile"})
LOCKED_OUT = frozenset(
    {
        "wrong_passwords",
        "lower_profile",
        "primary_away",
        "before_the_boot_local",
        "pending_here",
        "wrong_certificates",
        "wrong_serial",
    }
)
"""Scenes after which the charger cannot come to the plain listener; they show themselves who can come, and where."""


def authorization(user: str, password: bytes) -> str:
    return "Authorization: Basic " + base64.b64encode(user.encode() + b":" + password).decode()


def command(version: str, id: str = "c1") -> str:
    """A CALL that changes nothing."""
    return f'[2,"{id}","ClearCache",{{}}]'


async def _status(site: Site, door: str, charger: str, *headers: str, address: str = "") -> tuple[int, dict[str, str]]:
    raw = await Raw.into(site.ports[door], upgrade(f"/ocpp/{charger}", "ocpp1.6", list(headers)), address=address)
    found = await raw.head()
    raw.end()
    return found


# 6.1


async def wrong_passwords(site: Site, charger: str, version: str) -> None:
    address = source()
    for _ in range(10):
        status, headers = await _status(site, "basic", charger, authorization(charger, b"wrong"), address=address)
        assert (status, headers["www-authenticate"]) == (401, 'Basic realm="ocpp"')
    status, headers = await _status(site, "basic", charger, authorization(charger, b"wrong"), address=address)
    assert status == 429 and int(headers["retry-after"]) > 0
    plug = await site.plug(charger, version, "basic", additional_headers=_header(charger))  # from elsewhere
    await plug.works()
    await plug.leave()


async def old_tls(site: Site, charger: str, version: str) -> None:
    """A ClientHello that knows nothing newer than TLS 1.1."""
    body = b"\x03\x02" + bytes(32) + b"\x00" + b"\x00\x04\xc0\x13\x00\x2f" + b"\x01\x00"
    hello = b"\x01" + len(body).to_bytes(3, "big") + body
    raw = await Raw.into(site.ports["tls"], b"\x16\x03\x01" + len(hello).to_bytes(2, "big") + hello)
    alert = await asyncio.wait_for(raw.reader.readexactly(7), 10)
    assert (alert[0], alert[6]) == (21, 70), "protocol_version"
    raw.end()


async def wrong_certificates(site: Site, charger: str, version: str) -> None:
    other = type(site.authority)(site.directory, "others")
    good = site.authority.issue(charger)
    revoked = site.revoked
    assert revoked is not None
    for shown, status in (
        (None, 0), (other.issue(charger), 0), (site.authority.issue(charger, days=-1), 0), (revoked, 0),
        (site.authority.issue(charger, organization="Other"), 401), (site.authority.issue("somebody"), 401), (good, 101),
    ):  # fmt: skip
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls.check_hostname = False
        tls.load_verify_locations(site.authority.file)
        if shown is not None:
            tls.load_cert_chain(shown.cert, shown.key)
        try:
            raw = await Raw.into(site.ports["mutual"], upgrade(f"/ocpp/{charger}"), tls=tls)
            assert (await raw.head())[0] == status
            if status == 101:
                raw.writer.write(framed(1, b'[2,"next","Heartbeat",{}]'))
                await asyncio.wait_for(raw.reader.readuntil(b'[3,"next"'), 10)
            raw.end()
        except OSError:  # ssl.SSLError is one
            assert status == 0


async def dribbled_headers(site: Site, charger: str, version: str) -> None:
    raw = await Raw.into(site.ports["hasty"])
    began = asyncio.get_running_loop().time()
    request = upgrade(f"/ocpp/{charger}")
    for byte in request:
        raw.writer.write(bytes([byte]))
        await asyncio.sleep(0.02)
        if raw.reader.at_eof() or raw.writer.is_closing():
            break
    else:
        raise AssertionError("nobody hung up")
    assert 0.4 < asyncio.get_running_loop().time() - began < 3


async def second_connection(site: Site, charger: str, version: str) -> None:
    """Without credentials the newcomer must outlive a ping of the old one: who answers stays."""
    old = await site.plug(charger, version)
    await old.works()
    old.socket.transport.pause_reading()  # it is half dead: no pong will come
    new = await site.plug(charger, version)
    await new.works()
    old.socket.transport.resume_reading()
    await old.closed()
    await new.leave()


async def lower_profile(site: Site, charger: str, version: str) -> None:
    assert (await _status(site, "basic", charger, authorization(charger, PASSWORD)))[0] == 101
    assert (await _status(site, "plain", charger))[0] == 401
    plug = await site.plug(charger, version, "basic", additional_headers=_header(charger))
    await plug.works()
    await plug.leave()


def _header(charger: str) -> dict[str, str]:
    return {"Authorization": authorization(charger, PASSWORD).partition(": ")[2]}


async def primary_away(site: Site, charger: str, version: str) -> None:
    """The first charger is let in and finds out; then there is 503 until the primary is back."""
    status = 101
    async with asyncio.timeout(15):
        while status == 101:
            status, headers = await _status(site, "plain", charger)
            await asyncio.sleep(0.1)
    assert status == 503 and 30 <= int(headers["retry-after"]) <= 120


async def too_often(site: Site, charger: str, version: str) -> None:
    answers = [await _status(site, "rare", charger) for _ in range(6)]
    assert 101 in [status for status, _ in answers]
    late = [headers for status, headers in answers if status == 503]
    assert late and all(30 <= int(headers["retry-after"]) <= 120 for headers in late)
    await asyncio.sleep(1.1)
    assert (await _status(site, "rare", charger))[0] == 101


# 6.2


async def after_close(site: Site, charger: str, version: str) -> None:
    raw = await Raw.into(site.ports["plain"], upgrade(f"/ocpp/{charger}", version))
    assert (await raw.head())[0] == 101
    raw.writer.write(framed(8, b"\x03\xe8") + framed(1, b'[2,"late","Heartbeat",{}]'))
    assert await raw.ending() == 1000
    raw.end()
    await asyncio.sleep(0.1)
    assert not site.csms.said(charger, "Heartbeat")


async def never_reads(site: Site, charger: str, version: str) -> None:
    """The CSMS commands, the charger does not read: its socket is given up, the next one works."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    raw.connect(("127.0.0.1", site.ports["plain"]))
    raw.sendall(upgrade(f"/ocpp/{charger}", version))
    assert raw.recv(4096).startswith(b"HTTP/1.1 101")
    raw.sendall(framed(1, BOOTS["1"].encode()))
    await site.csms.until(lambda: site.csms.said(charger, "BootNotification"))
    big = json.dumps({"vendorId": "a", "data": "x" * 250_000})
    for number in range(12):
        await site.csms.say(charger, f'[2,"big{number}","DataTransfer",{big}]')
        raw.setblocking(True)
    wanted = 'disconnects_total{reason="slow_consumer"}'
    before = (await site.metrics()).get(wanted, 0)
    for number in range(200):
        # Each CALL to it times out; what was written stays.
        if (await site.metrics()).get(wanted, 0) > before:
            break
        if charger in site.csms.sockets:
            await site.csms.say(charger, f'[2,"more{number}","DataTransfer",{big}]')
        await asyncio.sleep(0.1)
    raw.close()


async def reset_inside_frame(site: Site, charger: str, version: str) -> None:
    raw = await Raw.into(site.ports["plain"], upgrade(f"/ocpp/{charger}", version))
    assert (await raw.head())[0] == 101
    raw.writer.write(framed(1, b'[2,"1","Heartbeat",{}]'))
    await raw.reader.readuntil(b'[3,"1"')
    raw.writer.write(framed(1, b'[2,"2","MeterValues",{"connectorId":1}]')[:-5])
    await asyncio.sleep(0.05)
    plain = raw.writer.get_extra_info("socket")
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw.writer.transport.abort()
    await asyncio.sleep(0.1)
    assert not site.csms.said(charger, "MeterValues")


# 6.3


async def five_defects(site: Site, charger: str, version: str) -> None:
    plug = await site.plug(charger, version)
    for _ in range(5):
        await plug.say("[]")
    assert await plug.closed() == 1002


async def three_bombs(site: Site, charger: str, version: str) -> None:
    plug = await site.plug(charger, version)
    for _ in range(3):
        await plug.say('[2,"b","DataTransfer",{"vendorId":"a","data":' + "[" * 1000 + "]" * 1000 + "}]")
    assert await plug.closed() == 1008


DATA = '[2,"{}","DataTransfer",{{"vendorId":"a","data":"{}"}}]'


async def _slow_csms(site: Site, charger: str, seconds: float = 0.3) -> None:
    """DataTransfers are answered later."""

    def script(call: list[Any]) -> str | None:
        if call[2] != "DataTransfer":
            return polite(call)
        asyncio.get_running_loop().call_later(seconds, asyncio.ensure_future, site.csms.say(charger, polite(call)))
        return None

    site.csms.scripts[charger] = script


async def same_call_open(site: Site, charger: str, version: str) -> None:
    await _slow_csms(site, charger)
    plug = await site.plug(charger, version)
    await plug.say(DATA.format("1", "x"))
    await plug.say(DATA.format("1", "x"))
    assert json.loads(await plug.hear())[:2] == [3, "1"]
    await plug.works()
    assert len(site.csms.said(charger, "DataTransfer")) == 1
    await plug.leave()


async def same_id_open(site: Site, charger: str, version: str) -> None:
    await _slow_csms(site, charger, 0.1)
    plug = await site.plug(charger, version)
    await plug.say(DATA.format("1", "x"))
    await plug.say(DATA.format("1", "y"))
    for _ in range(2):
        assert json.loads(await plug.hear())[:2] == [3, "1"]
    assert [each["data"] for each in site.csms.said(charger, "DataTransfer")] == ["x", "y"]
    await plug.leave()


BILLS = {
    "1": '[2,"{}","StopTransaction",{{"transactionId":5,"meterStop":9,"timestamp":"2026-01-02T03:04:0{}Z"}}]',
    "2": '[2,"{}","TransactionEvent",{{"eventType":"Started","timestamp":"2026-01-02T03:04:0{}Z","triggerReason":"Authorized",'
    '"seqNo":0,"transactionInfo":{{"transactionId":"t1"}}}}]',
}


def bill(version: str, id: str, variant: int) -> str:
    return BILLS["1" if version.startswith("ocpp1") else "2"].format(id, variant)


def bill_action(version: str) -> str:
    return "StopTransaction" if version.startswith("ocpp1") else "TransactionEvent"


async def same_call_answered(site: Site, charger: str, version: str) -> None:
    plug = await site.plug(charger, version)
    first = await plug.ask(bill(version, "1", 1))
    assert await plug.ask(bill(version, "1", 1)) == first
    assert len(site.csms.said(charger, bill_action(version))) == 1
    await plug.leave()


async def same_id_answered(site: Site, charger: str, version: str) -> None:
    plug = await site.plug(charger, version)
    for variant in (1, 2):
        assert json.loads(await plug.ask(bill(version, "1", variant)))[:2] == [3, "1"]
    assert len(site.csms.said(charger, bill_action(version))) == 2
    await plug.leave()


async def pipelined(site: Site, charger: str, version: str) -> None:
    """While sixteen are open nothing more is read."""
    held: list[list[Any]] = []

    def hold(call: list[Any]) -> str | None:
        held.append(call)
        return None

    site.csms.scripts[charger] = hold
    labels = f'action="DataTransfer",direction="in",ocpp_version="{version.removeprefix("ocpp")}",side="charger"'
    came = f'messages_total{{{labels},type="call"}}'
    before = (await site.metrics()).get(came, 0)
    plug = await site.plug(charger, version)
    for number in range(20):
        await plug.say(DATA.format(number, number))
    await site.csms.until(lambda: held)
    await asyncio.sleep(0.3)
    assert (await site.metrics())[came] - before == 16
    site.csms.scripts[charger] = polite
    await site.csms.say(charger, polite(held[0]))
    answers = [json.loads(await plug.hear())[1] for _ in range(20)]
    assert answers == [str(number) for number in range(20)]
    assert [each["data"] for each in site.csms.said(charger, "DataTransfer")] == answers
    await plug.leave()


async def _commanded(site: Site, charger: str, version: str, call: str = "") -> tuple[Plug, str]:
    """A booted charger that has heard a CALL; gives the CALL's id."""
    plug = await site.booted(charger, version)
    await site.csms.say(charger, call or command(version))
    frame = json.loads(await plug.hear(calls=True))
    assert frame[0] == 2, frame
    return plug, frame[1]


async def late_answer(site: Site, charger: str, version: str) -> None:
    plug, id = await _commanded(site, charger, version)
    await site.csms.until(lambda: site.csms.answers[charger])  # the gateway gave up after charger.call_timeout
    assert site.csms.answers[charger][0][0] == 4
    await plug.say(f'[3,"{id}",{{"status":"Accepted"}}]')
    await plug.works()
    assert len(site.csms.answers[charger]) == 1
    await plug.leave()


async def wrong_answer(site: Site, charger: str, version: str) -> None:
    plug, id = await _commanded(site, charger, version)
    await plug.say(f'[3,"{id}",{{"status":17}}]')
    await plug.works()  # nothing came back
    await site.csms.until(lambda: site.csms.answers[charger])
    assert site.csms.answers[charger] == [[3, "c1", {"status": 17}]], "between equal versions: as it came"
    await plug.leave()


async def wrong_answer_translated(site: Site, charger: str, version: str) -> None:
    plug = await site.booted(charger, version)
    await site.csms.say(charger, command(version))
    frame = [2, "", ""]
    while frame[2] != "ClearCache":
        if frame[1]:
            await plug.say(json.dumps([4, frame[1], "NotSupported", "", {}]))
        frame = json.loads(await plug.hear(calls=True))
    await plug.say(f'[3,"{frame[1]}",{{"status":["no"]}}]')
    await plug.works()
    await site.csms.until(lambda: site.csms.answers[charger])
    ((kind, id, code, *_),) = site.csms.answers[charger]
    formation = "FormatViolation" if version == "ocpp1.6" else "FormationViolation"  # the CSMS has the other version
    assert (kind, id, code) == (4, "c1", formation), site.csms.answers[charger]
    await plug.leave()


async def short_error(site: Site, charger: str, version: str) -> None:
    plug, id = await _commanded(site, charger, version)
    await plug.say(f'[4,"{id}","NotSupported"]')
    await plug.works()
    await site.csms.until(lambda: site.csms.answers[charger])
    assert site.csms.answers[charger] == [[4, "c1", "NotSupported", "", {}]]
    await plug.leave()


async def strange_error(site: Site, charger: str, version: str) -> None:
    plug, id = await _commanded(site, charger, version)
    await plug.say(f'[4,"{id}","OutOfCoffee","none left",{{}}]')
    await plug.works()
    await site.csms.until(lambda: site.csms.answers[charger])
    assert site.csms.answers[charger][0][:2] == [4, "c1"]
    assert "OutOfCoffee" in json.dumps(site.csms.answers[charger][0])
    await plug.leave()


async def nameless_error(site: Site, charger: str, version: str) -> None:
    plug, _ = await _commanded(site, charger, version)
    await plug.say('[4,"-1","GenericError","what?",{}]')
    await plug.works()
    await site.csms.until(lambda: site.csms.answers[charger])
    assert site.csms.answers[charger][0][:3] == [4, "c1", "GenericError"]
    await plug.leave()


# 6.5


async def before_the_boot(site: Site, charger: str, version: str) -> None:
    plug = await site.plug(charger, version)
    await plug.works()
    assert site.csms.said(charger, "Heartbeat")
    await plug.leave()


async def before_the_boot_local(site: Site, charger: str, version: str) -> None:
    """Nobody knows the charger, and the gateway answers in the CSMS's place."""
    plug = await _into_local(site, charger, version)
    answer = json.loads(await plug.ask('[2,"1","Authorize",{"idTag":"A"}]'))
    assert answer[:2] == [4, "1"] or answer[2]["idTagInfo"]["status"] != "Accepted", answer
    await plug.leave()


async def pending_here(site: Site, charger: str, version: str) -> None:
    plug = await _into_local(site, charger, version)
    answer = json.loads(await plug.ask(BOOTS["1"]))
    assert answer[2]["status"] == "Pending", answer
    answer = json.loads(
        await plug.ask('[2,"1","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available"}]')
    )
    assert answer[:3] == [4, "1", "SecurityError"], answer
    answer = json.loads(await plug.ask(bill(version, "2", 1)))
    assert answer[:2] == [3, "2"], answer
    await plug.leave()


async def _into_local(site: Site, charger: str, version: str) -> Plug:
    async with asyncio.timeout(10):
        while True:
            try:
                return await site.plug(charger, version)
            except InvalidStatus:
                await asyncio.sleep(0.1)


async def many_boots(site: Site, charger: str, version: str) -> None:
    """Each gets the same answer; the CSMS hears those that came before it had answered the first. Then reading slows down."""
    plug = await site.plug(charger, version)
    boot, wanted = BOOTS["1" if version.startswith("ocpp1") else "2"], 'limit_hits_total{limit="frame_rate"}'
    before = (await site.metrics()).get(wanted, 0)
    for number in range(230):  # limits.frame_burst is 200
        await plug.say(boot.replace('"boot"', f'"{number}"'))
    answered = [json.loads(await plug.hear(20)) for _ in range(230)]
    assert sorted(int(each[1]) for each in answered) == list(range(230))
    assert {(each[0], each[2]["status"], each[2]["interval"]) for each in answered} == {(3, "Accepted", 300)}
    assert 1 <= len(site.csms.said(charger, "BootNotification")) <= 16
    assert (await site.metrics())[wanted] > before
    await plug.leave()


async def wrong_serial(site: Site, charger: str, version: str) -> None:
    shown = site.authority.issue(charger)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname = False
    tls.load_verify_locations(site.authority.file)
    tls.load_cert_chain(shown.cert, shown.key)
    strict = charger.endswith("-strict")
    plug = await site.plug(charger, version, "mutual", ssl=tls)
    boot = BOOTS["1" if version == "ocpp1.6" else "2"]
    serial = "chargePointSerialNumber" if version == "ocpp1.6" else "serialNumber"
    await plug.say(boot.replace('"M"', f'"M","{serial}":"OTHER"'))
    if strict or version != "ocpp1.6":
        assert await plug.closed() == 1008
        assert not site.csms.said(charger, "BootNotification")
    else:
        assert json.loads(await plug.hear())[:2] == [3, "boot"]
        await plug.leave()
    plug = await site.plug(charger, version, "mutual", ssl=tls)
    answer = json.loads(await plug.ask(boot.replace('"M"', f'"M","{serial}":"{charger}"')))
    assert answer[:2] == [3, "boot"], answer
    await plug.works()
    await plug.leave()


async def start_again(site: Site, charger: str, version: str) -> None:
    start = (
        '[2,"{}","StartTransaction",{{"connectorId":1,"idTag":"A","meterStart":1,"timestamp":"2026-01-02T03:04:05Z"}}]'
    )
    plug = await site.plug(charger, version)
    first = json.loads(await plug.ask(start.format("1")))
    again = json.loads(await plug.ask(start.format("2")))
    assert first[2]["transactionId"] == again[2]["transactionId"]
    assert len(site.csms.said(charger, "StartTransaction")) == 1
    await plug.leave()


async def sequence_numbers(site: Site, charger: str, version: str) -> None:
    event = (
        '[2,"{}","TransactionEvent",{{"eventType":"{}","timestamp":"2026-01-02T03:04:0{}Z","triggerReason":"MeterValuePeriodic","seqNo":{},'
        '"transactionInfo":{{"transactionId":"t9"}}}}]'
    )
    plug = await site.plug(charger, version)
    back = 'transactions_total{event="regressed"}'
    before = (await site.metrics())[back]
    for number, (kind, at, seq) in enumerate(
        (("Started", 0, 0), ("Updated", 1, 3), ("Updated", 1, 3), ("Updated", 2, 2))
    ):
        assert json.loads(await plug.ask(event.format(number, kind, at, seq)))[:2] == [3, str(number)]
    assert [each["seqNo"] for each in site.csms.said(charger, "TransactionEvent")] == [0, 3, 2]
    assert (await site.metrics())[back] == before + 1
    await plug.leave()


async def many_heartbeats(site: Site, charger: str, version: str) -> None:
    plug = await site.plug(charger, version)
    began = asyncio.get_running_loop().time()
    for number in range(50):
        await plug.say(f'[2,"{number}","Heartbeat",{{}}]')
    answers = [json.loads(await plug.hear()) for _ in range(50)]
    assert sorted(int(each[1]) for each in answers) == list(range(50))
    assert all(each[0] == 3 and each[2]["currentTime"] for each in answers)
    told = len(site.csms.said(charger, "Heartbeat"))
    assert 1 <= told <= 3 + asyncio.get_running_loop().time() - began, "one a second, and the one before the hurry"
    await plug.leave()


async def answer_elsewhere(site: Site, charger: str, version: str) -> None:
    """A command that may not be sent twice: what became of it on the old socket nobody knows."""
    call = {
        "ocpp1.6": '[2,"c1","UnlockConnector",{"connectorId":1}]',
        "ocpp2.0.1": '[2,"c1","UnlockConnector",{"evseId":1,"connectorId":1}]',
    }[version]
    plug, id = await _commanded(site, charger, version, call)
    await plug.leave()
    plug = await site.plug(charger, version)
    await plug.say(f'[3,"{id}",{{"status":"Unlocked"}}]')
    await plug.works()
    await site.csms.until(lambda: site.csms.answers[charger])
    assert [each[0] for each in site.csms.answers[charger]] == [4]
    await plug.leave()


async def csms_garbage(site: Site, charger: str, version: str) -> None:
    plug = await site.booted(charger, version)
    for text in ("hello", "{}", "[]", "[2]", '[2,"x"'):
        await site.csms.say(charger, text)
    await site.csms.until(lambda: 1002 in site.csms.codes[charger])
    await site.csms.until(lambda: charger in site.csms.sockets)  # it is dialled again
    await plug.works()
    await plug.leave()


async def csms_foreign_answers(site: Site, charger: str, version: str) -> None:
    again: list[asyncio.Future[None]] = []

    def twice(call: list[Any]) -> str | None:
        again.append(asyncio.ensure_future(site.csms.say(charger, polite(call))))
        return polite(call)

    plug = await site.booted(charger, version)
    site.csms.scripts[charger] = twice
    await site.csms.say(charger, '[3,"nobody-asked",{}]')
    await plug.works("1")
    await plug.works("2")
    await plug.leave()


async def charger_away(site: Site, charger: str, version: str) -> None:
    plug = await site.booted(charger, version)
    await plug.leave()
    await asyncio.sleep(0.2)
    await site.csms.say(charger, command(version))
    await site.csms.until(lambda: site.csms.answers[charger])
    assert site.csms.answers[charger][0][:4] == [4, "c1", "GenericError", "charger offline"]


async def refused_early(site: Site, charger: str, version: str) -> None:
    """The charger has had its answer: what the CSMS says no to for good, a person is to look at."""
    site.csms.scripts[charger] = lambda call: (
        json.dumps([4, call[1], "PropertyConstraintViolation", "never", {}])
        if call[2] == "StopTransaction"
        else polite(call)
    )
    plug = await site.plug(charger, version)
    answer = json.loads(await plug.ask(bill(version, "1", 1)))
    assert answer[:2] == [3, "1"], answer
    await plug.works()
    assert len(site.csms.said(charger, "StopTransaction")) == 1
    await plug.leave()


async def refused_for_ever(site: Site, charger: str, version: str) -> None:
    site.csms.scripts[charger] = lambda call: (
        json.dumps([4, call[1], "InternalError", "never", {}]) if call[2] == "StartTransaction" else polite(call)
    )
    plug = await site.plug(charger, version)
    start = (
        '[2,"{}","StartTransaction",{{"connectorId":1,"idTag":"A","meterStart":1,"timestamp":"2026-01-02T03:04:05Z"}}]'
    )
    for number in range(3):
        answer = json.loads(await plug.ask(start.format(number)))
        assert answer[:4] == [4, str(number), "InternalError", "never"], answer
        assert len(site.csms.said(charger, "StartTransaction")) == number + 1, "it is told again"
    await plug.works()
    await plug.leave()


async def stream(site: Site, charger: str, version: str) -> None:
    plug = await site.plug(charger, version)
    await plug.works("1")
    for number in range(3):
        await plug.say(f'[6,"s{number}","NotifyPeriodicEventStream",{{"id":{number},"value":1.50}}]')
    await plug.works("2")
    told = [text for text in site.csms.texts[charger] if text.startswith("[6,")]
    assert [text.split(",", 2)[2] for text in told] == [
        f'"NotifyPeriodicEventStream",{{"id":{number},"value":1.50}}]' for number in range(3)
    ]
    assert len({json.loads(text)[1] for text in told}) == 3
    await plug.leave()


async def unusable(site: Site, charger: str, version: str) -> None:
    plug = await site.plug(charger, version)
    await plug.works("1")
    asked = json.loads(site.csms.texts[charger][-1])[1]
    await plug.say('[5,"1","FormatViolation","no time",{"at":1.50}]')
    await plug.say('[5,"1","FormatViolation","no time",{}]')  # it is told once
    await plug.works("2")
    told = [text for text in site.csms.texts[charger] if text.startswith("[5,")]
    assert told == [f'[5,"{asked}","FormatViolation","no time",{{"at":1.50}}]'], told
    await site.csms.say(charger, '[2,"b9","GetVariables",{"getVariableData":[]}]')
    id = json.loads(await plug.hear(calls=True))[1]
    await plug.say(f'[3,"{id}",{{"getVariableResult":[]}}]')
    await site.csms.until(lambda: any(each[0] == 3 for each in site.csms.answers[charger]))
    for _ in range(2):
        await site.csms.say(charger, '[5,"b9","OccurrenceConstraintViolation","empty",{}]')
    assert await plug.hear() == f'[5,"{id}","OccurrenceConstraintViolation","empty",{{}}]'
    await plug.works("3")
    await plug.leave()


async def many_sends(site: Site, charger: str, version: str) -> None:
    """As many as `limits.frame_burst` are told; what comes at once beyond that is dropped, and reading goes on."""
    plug = await site.plug(charger, version)
    await plug.works("1")  # its CSMS is there
    dropped = 'limit_hits_total{limit="send_rate"}'
    before = (await site.metrics()).get(dropped, 0)
    for number in range(300):
        await plug.say(f'[6,"s{number}","NotifyPeriodicEventStream",{{"id":{number},"data":[]}}]')
    await plug.works("2")  # and nothing came before that

    def told() -> int:
        return sum(text.startswith("[6,") for text in site.csms.texts[charger])

    gone = int((await site.metrics())[dropped] - before)
    assert 50 <= gone <= 100
    await site.csms.until(lambda: told() >= 300 - gone)
    assert told() == 300 - gone
    await plug.leave()
