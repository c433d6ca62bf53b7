"""`ocpp-gateway vault` on a real store, and what a hub makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from gateway.config import Upstream as Settings
from gateway.config import VaultConfig
from gateway.dial import DialFailed
from gateway.hub.credentials import Secrets, Unknown
from gateway.hub.upstream import Dials, Upstream
from gateway.vault import new_key
from gateway.wheel import Wheel
from tests.gateway.hub.script import until
from tests.gateway.hub.test_credentials import basic
from tests.gateway.test_cli_store import Store, run

KEY, NEXT = new_key(), new_key()
CONFIG = """
upstreams:
  main: {{url: "ws://127.0.0.1:1/", version: ocpp1.6, credentials: vault}}
redis: {{data_dir: store}}
vault: {{key: "{}", previous_key: "{}"}}
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "gateway.yaml").write_text(CONFIG.format(KEY, ""))
    return tmp_path


@pytest.mark.slow
async def test_a_charger_is_shown_with_its_own_password(place: Path) -> None:
    (place / "secrets.yaml").write_text("CP2: 0012\nCP3: three\n")
    seen: list[str | None] = []

    async def talk(socket: ServerConnection) -> None:
        assert socket.request is not None
        seen.append(socket.request.headers.get("Authorization"))
        await socket.wait_closed()

    async with Store(place) as journal, serve(talk, "127.0.0.1", 0, subprotocols=[Subprotocol("ocpp1.6")]) as server:
        assert run("vault", "set", "main", "CP1", cwd=place, answer="s3cret\n").returncode == 0
        assert run("vault", "import", "main", "secrets.yaml", cwd=place).stdout == "kept: 2 passwords for main\n"
        assert b"s3cret" not in (await journal.sealed("main", "cp1") or b"s3cret")

        vault = VaultConfig(key=KEY)
        secrets, dials, events = Secrets(journal, vault), Dials(8), list[str]()
        dials.secret = secrets.read
        with capture_logs() as told:
            assert await secrets.read("main", "CP2") == "0012"
        assert told == [{"event": "vault_read", "log_level": "info", "upstream": "main", "charger_id": "CP2"}]
        with pytest.raises(Unknown):
            await secrets.read("main", "CP9")
        url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/ocpp"
        settings = Settings(url=url, version="ocpp1.6", credentials="vault")
        ours = Upstream("main", "CP1", settings, Wheel(), dials, lambda _: None, events.append)
        ours.start()
        await until(lambda: seen)
        assert seen == [basic("CP1:s3cret")]
        ours.stop()
        await until(lambda: ours.state == "idle")

        (place / "gateway.yaml").write_text(CONFIG.format(NEXT, KEY))
        assert run("vault", "rotate", cwd=place).stdout == "sealed anew: 3\n"
        assert await Secrets(journal, VaultConfig(key=NEXT)).read("main", "CP3") == "three"
        with capture_logs() as told, pytest.raises(DialFailed, match="another key"):
            await secrets.read("main", "CP3")
        assert [(each["event"], each["charger_id"]) for each in told] == [("vault_not_opened", "CP3")]
        assert run("vault", "remove", "main", "CP1", cwd=place).returncode == 0
        assert run("vault", "list", "main", cwd=place).stdout == "cp2\ncp3\n"
        assert [each.path for each in await journal.deeds(2)] == ["vault list main", "vault remove main CP1"]


@pytest.mark.parametrize(
    ("section", "error"),
    [
        ("", "upstreams.main.credentials: vault needs vault.key; ocpp-gateway vault key makes one"),
        ("vault: {key: short}", "vault.key: is no key of 32 bytes"),
        (f"vault: {{previous_key: '{KEY}'}}", "vault.previous_key: needs key"),
    ],
    ids=["no key", "short key", "previous key alone"],
)
def test_what_is_wrong(section: str, error: str, tmp_path: Path) -> None:
    from gateway.config_file import ConfigError, load

    file = tmp_path / "gateway.yaml"
    file.write_text(
        f"upstreams:\n  main: {{url: 'ws://127.0.0.1:1/', version: ocpp1.6, credentials: vault}}\n{section}\n"
    )
    with pytest.raises(ConfigError) as found:
        load(file, {})
    assert any(error in each for each in found.value.errors), found.value.errors
