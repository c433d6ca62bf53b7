"""The console's files over a real socket: what is served, and with which headers."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from gateway.admin.api import AdminApi
from gateway.config import AdminToken
from gateway.console.serving import Console, files
from gateway.metrics import Metrics

ROOT = Path(__file__).parent.parent.parent
STATIC = ROOT / "gateway" / "console" / "static"


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    tokens = [AdminToken(name="someone", hash="0" * 64, scope="read")]
    api = AdminApi("127.0.0.1", 0, metrics=Metrics(), checks=dict, parts=(Console(),), tokens=tokens)
    await api.start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{api.port}") as session:
        yield session
    await api.stop()


def test_every_file_of_the_package_is_known() -> None:
    there = {path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.is_file()}
    assert files().keys() == there >= {"index.html", "app.js", "app.css", "pages/fleet.js"}


async def test_files_are_open_to_all_under_a_strict_policy(client: aiohttp.ClientSession) -> None:
    for name, file in {"": files()["index.html"], **files()}.items():
        response = await client.get(f"/console/{name}")
        assert response.status == 200, name
        assert await response.read() == file.body
        policy = dict(each.split(" ", 1) for each in response.headers["Content-Security-Policy"].split("; "))
        assert (
            policy["default-src"]
            == policy["frame-ancestors"]
            == policy["base-uri"]
            == policy["form-action"]
            == "'none'"
        )
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert "unsafe" not in response.headers["Content-Security-Policy"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cache-Control"] == "no-cache"
        kind = {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
        assert response.content_type == kind[name.rpartition(".")[2] or "html"]


async def test_what_is_known_is_not_sent_again(client: aiohttp.ClientSession) -> None:
    first = await client.get("/console/app.js")
    again = await client.get("/console/app.js", headers={"If-None-Match": f'"x", {first.headers["ETag"]}'})
    assert (again.status, await again.read()) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"] and "Content-Security-Policy" in again.headers
    assert (await client.get("/console/app.js", headers={"If-None-Match": '"other"'})).status == 200


async def test_the_name_without_a_slash_leads_there(client: aiohttp.ClientSession) -> None:
    response = await client.get("/console", allow_redirects=False)
    assert (response.status, response.headers["Location"]) == (308, "console/"), "relative: also behind a proxy"
    assert (await client.get("/console")).status == 200
    assert (await client.head("/console/")).status == 200


@pytest.mark.parametrize(
    "path",
    [
        "../serving.py",
        "..%2fserving.py",
        "%2e%2e/serving.py",
        "pages/../../serving.py",
        "pages",
        "pages/",
        "app.js%00",
        "/etc/passwd",
    ],
)
async def test_no_path_leads_elsewhere(client: aiohttp.ClientSession, path: str) -> None:
    url = URL(f"{(await client.get('/console/')).url}{path}", encoded=True)
    response = await client.get(url, allow_redirects=False)
    text = await response.text()
    assert response.status in (401, 404) and "import" not in text and "root:" not in text
    assert (await client.get("/consoles")).status == 401, "only the console is open"


async def test_only_read(client: aiohttp.ClientSession) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert (await client.request(method, "/console/app.js")).status == 405


def test_nothing_is_inline_and_nothing_comes_from_elsewhere() -> None:
    page = files()["index.html"].body.decode()
    assert re.findall(r"<script[^>]*>([^<]*)</script>", page) == [""]
    assert not re.search(r"<style|\son\w+=|\sstyle=|javascript:", page)
    for name, file in files().items():
        text = file.body.decode().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(
            r"https?://|@import|url\((?!data:)|\binnerHTML\b|\bouterHTML\b|insertAdjacentHTML|\beval\(|document\.write",
            text,
        ), name


@pytest.mark.full
def test_the_wheel_has_the_files(tmp_path: Path) -> None:
    made = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path, ROOT],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    (built,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(built) as wheel:
        names = set(wheel.namelist())
    assert {f"gateway/console/static/{name}" for name in files()} <= names
