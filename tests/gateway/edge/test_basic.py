"""HTTP Basic (security profile 1) against a real edge: rows H07-H12, H17, H26 and lock-outs (reliability 2.2, 6.1)."""

from __future__ import annotations

import asyncio
import time

import pytest

from gateway import passwords
from gateway.config import Listen
from gateway.edge.listener import Edge
from gateway.registry import Charger, Registry
from tests.gateway.edge.conftest import EchoHub, World, closed, dial, eventually
from tests.gateway.edge.knock import basic, knock

KEY = bytes(range(0xF0, 0x100)) + b"\xc3\x28"
"""18 bytes that are no UTF-8."""


def registry(**stored: str) -> Registry:
    found = Registry(open=False)
    found.replace(Charger(id, password) for id, password in stored.items())
    return found


@pytest.fixture
async def edge(world: World, hub: EchoHub) -> Edge:
    hashed = await asyncio.to_thread(passwords.digest, b"correct horse 16")
    known = registry(
        CP1=hashed,
        KEYED=passwords.digest(KEY),
        HEXED=passwords.digest(KEY.hex().encode()),
        PLAIN=passwords.sealed(b"s"),
        NONE="",
    )
    return await world.edge(hub.journal, Listen(port=0, security_profile=1), registry=known)


@pytest.mark.parametrize(
    ("row", "path", "header", "status"),
    [
        ("right", "/CP1", basic("CP1", "correct horse 16"), 101),
        ("case of the user", "/CP1", basic("cp1", "correct horse 16"), 101),
        ("H07", "/CP9", basic("CP9", "x"), 404),
        ("H08", "/CP1", "", 401),
        ("H09", "/CP1", basic("CP2", "correct horse 16"), 401),
        ("H10", "/CP1", basic("CP1", "wrong"), 401),
        ("empty", "/CP1", basic("CP1", ""), 401),
        ("H11 bearer", "/CP1", "Authorization: Bearer abc\r\n", 401),
        ("H11 base64", "/CP1", "Authorization: Basic !!!!\r\n", 401),
        ("H11 no colon", "/CP1", "Authorization: Basic Q1Ax\r\n", 401),
        ("two headers", "/CP1", basic("CP1", "x") + basic("CP1", "correct horse 16"), 401),
        ("H12 bytes", "/KEYED", basic("KEYED", KEY), 101),
        ("hex digits of the bytes", "/KEYED", basic("KEYED", KEY.hex()), 101),
        ("upper case digits", "/KEYED", basic("KEYED", KEY.hex().upper()), 101),
        ("stored as digits, sent as bytes", "/HEXED", basic("HEXED", KEY), 101),
        ("stored as digits, sent as digits", "/HEXED", basic("HEXED", KEY.hex()), 101),
        ("plain text in a file", "/PLAIN", basic("PLAIN", "s"), 101),
        ("no password", "/NONE", basic("NONE", ""), 401),
        ("H17", "/CP:1", basic("CP", "1"), 404),
        ("too long", "/CP1", basic("CP1", "x" * 300), 401),
    ],
)
async def test_row(row: str, path: str, header: str, status: int, edge: Edge) -> None:
    got, headers = await knock(edge, path, header)
    assert got == status
    assert headers.get("www-authenticate") == ('Basic realm="ocpp"' if status == 401 else None)


async def test_an_exact_user_name(world: World, hub: EchoHub) -> None:
    listen = Listen(port=0, security_profile=1, exact_username=True)
    edge = await world.edge(hub.journal, listen, registry=registry(CP1=passwords.sealed(b"p")))
    assert (await knock(edge, "/CP1", basic("cp1", "p")))[0] == 401
    assert (await knock(edge, "/CP1", basic("CP1", "p")))[0] == 101
    assert (await knock(edge, "/cp1", basic("cp1", "p")))[0] == 101  # the spelling of the URL counts


async def test_digits_sent_for_bytes_are_counted(edge: Edge) -> None:
    await knock(edge, "/KEYED", basic("KEYED", KEY))
    assert edge.counters.hex_passwords == 0
    await knock(edge, "/KEYED", basic("KEYED", KEY.hex()))
    assert edge.counters.hex_passwords == 1


async def test_the_eleventh_wrong_password_gets_429_and_the_charger_itself_comes_in(edge: Edge) -> None:
    """H10. A password that was right lately is not refused because somebody else of the network guesses."""
    assert (await knock(edge, "/KEYED", basic("KEYED", KEY)))[0] == 101
    for _ in range(10):
        assert (await knock(edge, "/KEYED", basic("KEYED", "guess")))[0] == 401
    status, headers = await knock(edge, "/KEYED", basic("KEYED", "guess"))
    assert status == 429
    assert 290 <= int(headers["retry-after"]) <= 301
    assert (await knock(edge, "/KEYED", basic("KEYED", KEY)))[0] == 101
    assert (await knock(edge, "/KEYED", ""))[0] == 401
    assert (await knock(edge, "/CP1", basic("CP1", "correct horse 16")))[0] == 101
    assert edge.counters.security == {"lockout": 1}
    assert edge.counters.attempts[("", "rate_limited")] == 1


async def test_a_lock_out_spares_a_charger_whose_password_is_plain_text_in_a_file(edge: Edge) -> None:
    assert (await knock(edge, "/PLAIN", basic("PLAIN", "s")))[0] == 101
    for _ in range(10):
        assert (await knock(edge, "/PLAIN", basic("PLAIN", "guess")))[0] == 401
    assert (await knock(edge, "/PLAIN", basic("PLAIN", "guess")))[0] == 429
    assert (await knock(edge, "/PLAIN", basic("PLAIN", "s")))[0] == 101


async def test_unknown_chargers_look_like_wrong_passwords(
    world: World, hub: EchoHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = registry(CP1=passwords.digest(b"right"))
    edge = await world.edge(hub.journal, Listen(port=0, security_profile=1, hide_unknown=True), registry=known)
    computed: list[str] = []
    matches = passwords.matches
    monkeypatch.setattr(
        "gateway.passwords.matches", lambda stored, password: computed.append(stored) or matches(stored, password)
    )
    for charger in ("CP1", "CP9"):
        status, headers = await knock(edge, f"/{charger}", basic(charger, "wrong"))
        assert (status, "www-authenticate" in headers) == (401, True)
    # the same work, so the same time: hashes with equal parameters
    first, second = computed
    assert first.rpartition("$")[0].rpartition("$")[0] == second.rpartition("$")[0].rpartition("$")[0] != ""
    assert (await knock(edge, "/CP1", basic("CP1", "right")))[0] == 101


async def test_a_password_is_computed_once(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fleet that comes back must not keep the processors busy: what was right is known for ten minutes."""
    assert (await knock(edge, "/CP1", basic("CP1", "correct horse 16")))[0] == 101
    monkeypatch.setattr("gateway.passwords.matches", lambda *_: pytest.fail("computed again"))
    for _ in range(5):
        assert (await knock(edge, "/CP1", basic("CP1", "correct horse 16")))[0] == 101


async def test_another_password_counts_at_once(edge: Edge) -> None:
    assert (await knock(edge, "/CP1", basic("CP1", "correct horse 16")))[0] == 101
    edge.registry.update({"CP1": Charger("CP1", passwords.digest(b"new"))})
    assert (await knock(edge, "/CP1", basic("CP1", "correct horse 16")))[0] == 401
    assert (await knock(edge, "/CP1", basic("CP1", "new")))[0] == 101


async def test_who_is_blocked_or_removed_is_sent_away_and_stays_out(edge: Edge) -> None:
    headers = {"Authorization": basic("PLAIN", "s").split(": ")[1].strip()}
    async with (
        dial(edge, "PLAIN", additional_headers=headers) as ws,
        dial(
            edge, "CP1", additional_headers={"Authorization": basic("CP1", "correct horse 16").split(": ")[1].strip()}
        ) as other,
    ):
        edge.registry.update({"plain": Charger("PLAIN", passwords.sealed(b"s"), blocked=True)})
        assert (await closed(ws))[0] == 1008
        assert (await knock(edge, "/PLAIN", basic("PLAIN", "s")))[0] == 403
        assert (await knock(edge, "/PLAIN", basic("PLAIN", "wrong")))[0] == 401
        edge.registry.update({"CP1": None})
        assert (await closed(other))[0] == 1008
        assert (await knock(edge, "/CP1", basic("CP1", "correct horse 16")))[0] == 404


async def test_a_charger_speaks_only_its_versions(world: World, hub: EchoHub) -> None:
    known = Registry(open=False)
    known.replace([Charger("CP1", versions=("ocpp2.0.1",))])
    edge = await world.edge(hub.journal, registry=known)
    assert (await knock(edge, "/CP1"))[0] == 400
    status, headers = await knock(edge, "/CP1", protocols="ocpp1.6, ocpp2.0.1")
    assert (status, headers["sec-websocket-protocol"]) == (101, "ocpp2.0.1")


async def test_nobody_comes_back_on_a_lower_profile(world: World, hub: EchoHub) -> None:
    """H26, A05.FR.07: also on another listener, and after a restart."""
    known = registry(CP1=passwords.sealed(b"p"), CP2=passwords.sealed(b"p"))
    listeners = [Listen(port=0), Listen(port=0, security_profile=1), Listen(port=0, allow_downgrade=True)]
    edge = await world.edge(hub.journal, listeners, registry=known)
    assert (await knock(edge, "/CP1", door=0))[0] == 101
    assert (await knock(edge, "/CP1", basic("CP1", "p"), door=1))[0] == 101
    assert (await knock(edge, "/cp1", door=0))[0] == 401
    assert (await knock(edge, "/CP2", door=0))[0] == 101
    assert (await knock(edge, "/CP1", door=2))[0] == 101
    assert edge.counters.security == {"downgrade": 1}
    other = await world.edge(await world.second(), Listen(port=0), registry=known)
    assert (await knock(other, "/CP1"))[0] == 401


async def test_a_wrong_password_raises_no_profile(world: World, hub: EchoHub) -> None:
    known = registry(CP1=passwords.sealed(b"p"))
    edge = await world.edge(hub.journal, [Listen(port=0), Listen(port=0, security_profile=1)], registry=known)
    assert (await knock(edge, "/CP1", basic("CP1", "x"), door=1))[0] == 401
    assert (await knock(edge, "/CP1", door=0))[0] == 101


async def test_the_network_of_a_listener(world: World, hub: EchoHub) -> None:
    edge = await world.edge(
        hub.journal, [Listen(port=0, allow_from=("10.0.0.0/8",)), Listen(port=0, allow_from=("127.0.0.1",))]
    )
    assert (await knock(edge, door=0))[0] == 403
    assert (await knock(edge, door=1))[0] == 101


async def test_a_registry_that_is_not_read_yet_refuses_nobody_for_good(world: World, hub: EchoHub) -> None:
    known = Registry(open=False)
    known.ready = False
    edge = await world.edge(hub.journal, registry=known)
    assert (await knock(edge))[0] == 503
    known.replace([Charger("CP1")])
    known.ready = True
    assert (await knock(edge))[0] == 101


async def test_who_is_blocked_while_the_password_is_computed_stays_out(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    matches = passwords.matches
    monkeypatch.setattr("gateway.passwords.matches", lambda *given: (time.sleep(0.3), matches(*given))[1])
    knocking = asyncio.create_task(knock(edge, "/CP1", basic("CP1", "correct horse 16")))
    await eventually(lambda: edge._checker._waiting)
    edge.registry.update({"CP1": Charger("CP1", edge.registry.get("CP1").password, blocked=True)})  # type: ignore[union-attr]
    assert (await knocking)[0] in (403, 503)
    assert (await knock(edge, "/CP1", basic("CP1", "correct horse 16")))[0] == 403
