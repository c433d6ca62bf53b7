"""All 120 rows of bad inputs (rows.yaml), black box: a real gateway, real sockets, its real log and metrics.

`make test` plays what is quick: every row, chargers of 1.6 and 2.0.1. `make test-full` plays the rest.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
import yaml

from . import scenes
from .bytes import FRAMES, HEARTBEAT, REQUESTS
from .client import Raw, framed, upgrade
from .scenes import authorization
from .site import PASSWORD, ROADS, Site

HERE = Path(__file__).parent
ROWS: list[dict[str, Any]] = yaml.safe_load((HERE / "rows.yaml").read_text("utf-8"))
VERSIONS = ("ocpp1.5", "ocpp1.6", "ocpp2.0.1", "ocpp2.1")
QUICK = ("ocpp1.6", "ocpp2.0.1")
WORDS = {
    "{37}": "i" * 37, "{128}": "i" * 128, "{129}": "i" * 129, "{40}": "t" * 40, "{60}": "v" * 60,
    "{deep}": "[" * 40 + "]" * 40, "{wide}": "[" + "1," * 21_000 + "1]", "{digits}": "9" * 5000,
    "{41 digits}": "9" * 41, "{66 KiB}": "x" * 66 * 1024,
    "{200 KiB}": "x" * 200 * 1024, "{300 KiB}": "x" * 300 * 1024,
}  # fmt: skip
CODES = {
    "FV": ("FormationViolation", "FormatViolation"),
    "RPC": ("RpcFrameworkError", "RpcFrameworkError"),
    "OCC": ("OccurenceConstraintViolation", "OccurrenceConstraintViolation"),
}
LONG = "long-" + "x" * 44


class Play(NamedTuple):
    """One case for one charger."""

    row: str
    case: dict[str, Any]
    version: str
    road: str
    strict: bool
    charger: str

    @property
    def kind(self) -> str:
        return next(each for each in ("ask", "request", "bytes", "send", "scene") if each in self.case)


def reaction(case: dict[str, Any], version: str, strict: bool) -> str:
    """What a version gets, as rows.yaml says it."""
    family = "1.x" if version.startswith("ocpp1") else "2.x"
    keys = [version.removeprefix("ocpp"), family, "all"]
    for key in ([f"strict {key}" for key in keys] if strict else []) + keys:
        if key in case:
            return str(case[key])
    raise KeyError(keys)


def plays() -> Iterator[tuple[Play, bool]]:
    """Every play, and whether it is quick."""
    for row in ROWS:
        for number, case in enumerate(row["cases"]):
            if "elsewhere" in case:
                continue
            kind = next(each for each in ("ask", "request", "bytes", "send", "scene") if each in case)
            versions = case.get("only", ["ocpp1.6"] if kind in ("ask", "request") else VERSIONS)
            for version in versions:
                roads = [case["road"]] if "road" in case else ["same", "translated"] if kind == "send" else ["same"]
                for road in roads:
                    if version not in ROADS[road]:
                        continue
                    name = f"{row['row']}-{number}-{version.removeprefix('ocpp')}-{road}"
                    quick = version in QUICK or (version == versions[0] and not set(QUICK) & set(versions))
                    quick = quick and not case.get("slow") and (road == roads[0])
                    has_strict = any(key.startswith("strict") for key in case)
                    if kind != "ask" or not case.get("strict"):
                        yield Play(row["row"], case, version, road, False, name), quick
                    if has_strict and road == roads[0]:
                        yield Play(row["row"], case, version, road, True, name + "-strict"), quick


PLAYS = list(plays())


def settings(play: Play) -> dict[str, Any]:
    """What the registry says of a charger."""
    road = f"{play.case.get('prefix', '')}{play.road}-{play.version}"
    found: dict[str, Any] = {"route": scenes.ROUTES.get(play.case.get("scene", ""), road)}
    if play.strict:
        found["strict"] = True
    if play.case.get("door") in ("basic", "hidden", "tls") or play.case.get("scene") in scenes.WITH_PASSWORD:
        found["has_password"] = True
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    site = Site(tmp_path_factory.mktemp("hostile"))
    chargers = {play.charger: settings(play) for play, _ in PLAYS}
    for other in (LONG, "co:lon", "CP1"):
        chargers[other] = {"route": "same-ocpp1.6"}
    await site.start(chargers)
    yield site
    await site.stop()


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "play",
    [pytest.param(play, id=play.charger, marks=() if quick else pytest.mark.slow) for play, quick in PLAYS],
)
async def test_row(play: Play, site: Site) -> None:
    before = await site.metrics()
    try:
        async with asyncio.timeout(30):
            await play_it(play, site, before)
    finally:
        while Raw.opened:
            Raw.opened.pop().end()
        await asyncio.sleep(0)


async def play_it(play: Play, site: Site, before: dict[str, float]) -> None:
    await {"ask": ask, "request": request, "bytes": raw_bytes, "send": send, "scene": scene}[play.kind](play, site)
    await counted(play, site, before)
    assert not site.trouble()
    if canary := play.case.get("unlogged"):
        assert canary not in site.gateway.log.read_text(errors="replace")


async def ask(play: Play, site: Site) -> None:
    case, door = play.case, play.case.get("door", "plain")
    path = case.get("path", "/ocpp/{id}").replace("{id}", play.charger).replace("{long}", LONG)
    headers = list(case.get("headers", []))
    if who := case.get("auth"):
        headers.append(authorization(path.rsplit("/", 1)[1] if who == "right" else who, PASSWORD))
    tls = None
    if door == "tls":
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls.check_hostname = False
        tls.load_verify_locations(site.authority.file)
    raw = await Raw.into(site.ports[door], upgrade(path, case.get("protocols", "ocpp1.6"), headers), tls=tls)
    status, found = await raw.head()
    assert status == case["status"], found
    assert {name: found.get(name) for name in case.get("has", {})} == case.get("has", {})
    assert case.get("lacks", "") not in found
    if "close" in case:
        assert await raw.ending() == case["close"]
    elif status == 101:
        raw.writer.write(framed(1, HEARTBEAT))
        await raw.reader.readuntil(b'[3,"bytes"')
    raw.end()
    if status != 101:
        plug = await site.plug(play.charger, "ocpp1.6")
        await plug.works()
        await plug.leave()


async def request(play: Play, site: Site) -> None:
    raw = await Raw.into(site.ports[play.case.get("door", "plain")], REQUESTS[play.case["request"]](play.charger))
    status, _ = await raw.head()
    assert status in [*play.case["status"], *([-1] if 0 in play.case["status"] else [])]
    raw.end()
    plug = await site.plug(play.charger, play.version)
    await plug.works()
    await plug.leave()


async def raw_bytes(play: Play, site: Site) -> None:
    extra = ["Sec-WebSocket-Extensions: permessage-deflate"] if play.case.get("deflate") else []
    raw = await Raw.into(site.ports["plain"], upgrade(f"/ocpp/{play.charger}", play.version, extra))
    status, headers = await raw.head()
    assert status == 101
    assert ("sec-websocket-extensions" in headers) == bool(extra)
    raw.writer.write(FRAMES[play.case["bytes"]]())
    code = play.case["strict"]["close"] if play.strict else play.case.get("close")
    if code:
        assert await raw.ending() == code
    else:
        await asyncio.wait_for(raw.reader.readuntil(b'[3,"bytes"'), 10)
    raw.end()
    plug = await site.plug(play.charger, play.version)
    await plug.works()
    await plug.leave()


async def send(play: Play, site: Site) -> None:
    frame = play.case["send"]
    for word, text in WORDS.items():
        frame = frame.replace(word, text)
    wanted = reaction(play.case, play.version, play.strict)
    plug = await (site.booted if play.road == "translated" else site.plug)(play.charger, play.version)
    await plug.say(frame)
    if wanted.startswith("close"):
        assert await plug.closed() == int(wanted.split()[1])
        plug = await site.plug(play.charger, play.version)
    elif wanted != "drop":
        answer = await plug.hear()
        code = re.fullmatch(r"E\((\w+)(,-1)?\)", wanted)
        id = '"-1"' if code and code[2] else play.case.get("id") or _id(frame)
        assert answer.startswith(f"[{4 if code else 3},{id},"), (wanted, answer)
        if code:
            spelled = CODES.get(code[1], (code[1], code[1]))[not play.version.startswith("ocpp1")]
            assert json.loads(answer)[2] == spelled, answer
    await plug.works()
    heard = "\n".join(site.csms.texts[play.charger])
    if wanted == "ok":
        if "heard" in play.case and (play.road == "same" or play.case.get("road") == "translated"):
            await site.csms.until(lambda: play.case["heard"] in "\n".join(site.csms.texts[play.charger]))
        assert play.case.get("unheard", "\0") not in heard
    await plug.leave()


def _id(frame: str) -> str:
    return json.dumps(json.loads(frame)[1])


async def scene(play: Play, site: Site) -> None:
    await getattr(scenes, play.case["scene"])(site, play.charger, play.version)
    if play.case["scene"] not in scenes.LOCKED_OUT:
        plug = await site.plug(play.charger, play.version)
        await plug.works("after")
        await plug.leave()


async def counted(play: Play, site: Site, before: dict[str, float]) -> None:
    """The metric of the row goes up, now or soon; for one frame, by one."""
    wanted = play.case.get("counts", f'malformed_frames_total{{row="{play.row}"}}')
    if play.strict and play.kind == "bytes":
        wanted = f'malformed_frames_total{{row="{play.row}"}}'
    if play.strict and play.kind == "send":
        wanted = "malformed_frames_total{*"
    wanted = wanted.replace("{bill}", scenes.bill_action(play.version))
    name, labels = wanted.partition("{")[0], re.findall(r'\w+="[^"]+"', wanted)
    # The next valid frame, which the driver sends after every row, is a Heartbeat.
    own = 1 if name == "messages_total" and 'action="Heartbeat"' in wanted else 0

    def total(samples: dict[str, float], name: str = name, labels: Sequence[str] = labels) -> float:
        return sum(
            value
            for sample, value in samples.items()
            if sample.partition("{")[0] == name and all(label in sample for label in labels)
        )

    for _ in range(50):
        after = await site.metrics()
        if total(after) > total(before) + own:
            if play.kind == "send" and name in ("malformed_frames_total", "quirks_total"):
                assert total(after) == total(before) + 1
                rows = total(after, "malformed_frames_total", ()) - total(before, "malformed_frames_total", ())
                # R33 may have answered a CALL of the gateway's own, which is then declined as well.
                assert rows == (name == "malformed_frames_total") or play.row == "R33", "in no other row"
            return
        await asyncio.sleep(0.05)
    changed = [
        name
        for name, value in after.items()
        if value != before.get(name, 0) and "_seconds" not in name and "_bytes" not in name
    ]
    raise AssertionError(f"{wanted} did not count; these did: {changed}")


def test_all_120_rows_are_there() -> None:
    parts = (("H", 28), ("W", 13), ("R", 41), ("P", 22), ("S", 16))
    assert [row["row"] for row in ROWS] == [
        f"{kind}{number:02}" for kind, last in parts for number in range(1, last + 1)
    ]
    for row in ROWS:
        assert row["what"] and row["cases"]
        for case in row["cases"]:
            if "elsewhere" in case:
                assert (HERE.parent.parent / case["elsewhere"]).is_file()
