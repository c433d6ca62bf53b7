"""Who may call the operators' port: tokens, scopes, lock-outs, sizes; over a real socket."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from gateway.admin.api import AdminApi
from gateway.admin.guard import Guard, digest
from gateway.config import AdminToken
from gateway.metrics import Metrics

TOKENS = [AdminToken(scope, digest(f"{scope}-token"), scope) for scope in ("read", "operate", "admin")]  # type: ignore[arg-type]


class Echo:
    """Endpoints that answer with what they got."""

    done = 0

    def add_to(self, app: web.Application) -> None:
        app.router.add_route("*", "/api/v1/thing", self._echo)
        app.router.add_route("*", "/api/v1/chargers/{charger}", self._echo)
        app.router.add_route("*", "/api/v1/done", self._done)

    async def _done(self, _request: web.Request) -> web.Response:
        self.done += 1
        return web.json_response({})

    async def _echo(self, request: web.Request) -> web.Response:
        return web.json_response({"bytes": len(await request.read())})


class Port:
    """An operators' port, and a client of it."""

    def __init__(self, api: AdminApi, client: aiohttp.ClientSession, echo: Echo) -> None:
        self.api = api
        self.client = client
        self.echo = echo

    async def ask(self, method: str, path: str, token: str = "", **options: object) -> int:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= options.pop("headers", {})  # type: ignore[arg-type]
        async with self.client.request(method, path, headers=headers, **options) as response:  # type: ignore[arg-type]
            if response.status >= 400 and response.status != 404 and "json" in response.content_type:
                assert list(await response.json()) == ["errors"]
            return response.status


async def port_of(tokens: list[AdminToken], host: str = "127.0.0.1") -> AsyncIterator[Port]:
    echo = Echo()
    api = AdminApi(host, 0, metrics=Metrics(), checks=dict, parts=[echo], tokens=tokens)
    await api.start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{api.port}") as client:
        yield Port(api, client, echo)
    await api.stop()


@pytest.fixture
async def guarded() -> AsyncIterator[Port]:
    async for port in port_of(TOKENS):
        yield port


@pytest.fixture
async def free() -> AsyncIterator[Port]:
    async for port in port_of([]):
        yield port


async def test_metrics_and_probes_need_no_token(guarded: Port) -> None:
    for path in ("/metrics", "/livez", "/readyz"):
        assert await guarded.ask("GET", path) == 200


async def test_scopes(guarded: Port) -> None:
    matrix = {
        (method, path): [await guarded.ask(method, path, f"{scope}-token") for scope in ("read", "operate", "admin")]
        for method, path in (
            ("GET", "thing"),
            ("POST", "thing"),
            ("GET", "chargers/1"),
            ("PUT", "chargers/1"),
            ("DELETE", "chargers/1"),
        )
        for path in [f"/api/v1/{path}"]
    }
    assert list(matrix.values()) == [
        [200, 200, 200],
        [403, 200, 200],
        [200, 200, 200],
        [403, 403, 200],
        [403, 403, 200],
    ]
    assert await guarded.ask("GET", "/api/v1/other", "read-token") == 404


async def test_no_token_and_wrong_tokens(guarded: Port) -> None:
    assert await guarded.ask("GET", "/api/v1/thing") == 401
    assert await guarded.ask("GET", "/api/v1/thing", headers={"Authorization": "Basic read-token"}) == 401
    assert await guarded.ask("GET", "/api/v1/thing", digest("read-token")) == 401  # the hash is no token
    assert await guarded.ask("GET", "/api/v1/other", "wrong") == 401
    assert await guarded.ask("GET", "/api/v1/thing", "read-token") == 200


async def test_five_wrong_tokens_lock_an_address_out(guarded: Port) -> None:
    assert [await guarded.ask("GET", "/api/v1/thing", "wrong") for _ in range(6)] == [401] * 5 + [429]
    assert await guarded.ask("GET", "/api/v1/thing", "read-token") == 429
    assert await guarded.ask("GET", "/livez") == 200


async def test_a_lock_out_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    guard = Guard(TOKENS, lambda: now[0])
    async for port in port_of(TOKENS):
        monkeypatch.setattr(port.api._guard, "_clock", lambda: now[0])
        for _ in range(5):
            await port.ask("GET", "/api/v1/thing", "wrong")
        assert await port.ask("GET", "/api/v1/thing", "read-token") == 429
        now[0] += 61
        assert await port.ask("GET", "/api/v1/thing", "read-token") == 200
    assert guard._failures == {}


async def test_sizes_and_kinds_of_bodies(guarded: Port) -> None:
    json = {"Content-Type": "application/json"}
    assert await guarded.ask("POST", "/api/v1/thing", "admin-token", data=b"x" * 262_144, headers=json) == 200
    assert await guarded.ask("POST", "/api/v1/thing", "admin-token", data=b"x" * 262_145, headers=json) == 413
    assert (
        await guarded.ask("POST", "/api/v1/thing", "admin-token", data=b"{}", headers={"Content-Type": "text/plain"})
        == 415
    )
    assert await guarded.ask("POST", "/api/v1/thing", "admin-token") == 200


async def test_nothing_is_done_of_a_body_that_is_too_large(guarded: Port) -> None:
    """Also where nobody wants a body: what was asked is kept, and the answer is JSON."""
    json = {"Content-Type": "application/json", "Authorization": "Bearer admin-token"}
    async with guarded.client.post("/api/v1/done", data=b"x" * 262_145, headers=json) as response:
        assert (response.status, response.content_type) == (413, "application/json")
    assert guarded.echo.done == 0
    assert await guarded.ask("POST", "/api/v1/done", "admin-token", data=b"{}", headers=json) == 200
    assert guarded.echo.done == 1


async def test_without_tokens_this_machine_may_call(free: Port) -> None:
    assert await free.ask("POST", "/api/v1/thing") == 200
    assert await free.ask("PUT", "/api/v1/chargers/1") == 200
    assert await free.ask("GET", "/api/v1/thing", headers={"Host": "localhost:9001"}) == 200


async def test_without_tokens_no_page_of_another_name_may_call(free: Port) -> None:
    """A name that an attacker lets point to this machine."""
    assert await free.ask("GET", "/api/v1/thing", headers={"Host": "rebound.example:9001"}) == 403
    assert await free.ask("POST", "/api/v1/thing", headers={"Origin": "http://evil.example"}) == 403


async def test_without_tokens_nobody_else_may_call() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: only asks for our address
            address = probe.getsockname()[0]
        except OSError:
            pytest.skip("this machine has no other address")
    async for port in port_of([], "0.0.0.0"):
        async with aiohttp.ClientSession(f"http://{address}:{port.api.port}") as client:
            far = Port(port.api, client, port.echo)
            assert await far.ask("GET", "/api/v1/thing") == 403
            assert await far.ask("GET", "/metrics") == 200
        assert await port.ask("GET", "/api/v1/thing") == 200


async def test_other_tokens_count_from_now_on(guarded: Port) -> None:
    assert await guarded.ask("GET", "/api/v1/thing", "read-token") == 200
    guarded.api.admit([AdminToken("new", digest("new-token"), "read")])
    assert await guarded.ask("GET", "/api/v1/thing", "read-token") == 401
    assert await guarded.ask("GET", "/api/v1/thing", "new-token") == 200


async def test_what_is_not_there_is_refused_like_everything_else(guarded: Port) -> None:
    for method, path, status in (("GET", "/api/v1/nothing", 404), ("DELETE", "/api/v1/nothing", 404)):
        headers = {"Authorization": "Bearer admin-token"}
        async with guarded.client.request(method, path, headers=headers) as response:
            assert response.status == status
            [why] = (await response.json())["errors"]
            assert why.startswith(f"{method} {path}: there is no such endpoint")
