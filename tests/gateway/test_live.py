"""What speaks against an override, what differs between two configurations, which files count."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import Config, Forward, RouteConfig, Upstream
from gateway.config_file import load_watched
from gateway.live import Live, against, changes
from gateway.metrics import Metrics
from gateway.routes import Override

UPSTREAMS = {
    "old": Upstream(url="ws://old", version="ocpp1.6"),
    "new": Upstream(url="ws://new", version="ocpp2.0.1"),
    "deaf": Upstream(url="ws://deaf", version="ocpp1.6", forward=Forward(except_=("BootNotification",))),
}
CONFIG = Config(
    upstreams=UPSTREAMS, routes=(RouteConfig(match="DE-*", primary="new"), RouteConfig(primary="old", mirrors=("new",)))
)


@pytest.mark.parametrize(
    ("override", "reasons"),
    [
        (Override("*", "new"), []),
        (Override("DE-1", "old"), []),
        (Override("", "new"), ["match: must not be empty"]),
        (Override("*", "mew"), ["primary: no upstream has the name mew (did you mean new?)"]),
        (Override("*", "new", percent=0), ["percent: must be from 1 to 100"]),
        (
            Override("DE-*", "deaf"),
            [
                f"routes[{route}].primary: deaf does not get BootNotification by its forward, "
                "and no authority says who answers instead"
                for route in (0, 1)
            ],
        ),
    ],
)
def test_what_speaks_against_an_override(override: Override, reasons: list[str]) -> None:
    assert against(override, CONFIG) == reasons


def test_what_differs() -> None:
    other = Config(upstreams={"old": UPSTREAMS["old"], "new": UPSTREAMS["deaf"], "more": UPSTREAMS["new"]})
    assert changes(CONFIG, CONFIG) == []
    assert changes(CONFIG, other) == ["upstreams.deaf", "upstreams.more", "upstreams.new", "routes"]


async def test_without_a_file_there_is_nothing_to_read_again() -> None:
    live = Live(CONFIG, None, Metrics())  # type: ignore[arg-type]
    [reason] = await live.reload()
    assert "without a configuration file" in reason


async def test_a_file_that_the_configuration_names_counts(tmp_path: Path) -> None:
    passwords, file = tmp_path / "passwords.yaml", tmp_path / "gateway.yaml"
    passwords.write_text("CP1: one\n")
    file.write_text(f"upstreams:\n  a: {{url: 'ws://a', version: ocpp1.6, passwords_file: {passwords}}}\n")
    config, files = load_watched(file, {})
    assert files == {passwords, file}
    metrics, said = Metrics(), []
    live = Live(config, None, metrics, lambda: load_watched(file, {}))  # type: ignore[arg-type]
    live.on_change = lambda config, _routes: said.append(config.upstreams["a"].passwords)
    assert await live.reload() == []
    assert said == [], "nothing has changed"
    passwords.write_text("CP1: two\n")
    assert await live.reload() == []
    assert said == [{"cp1": "two"}]
    passwords.unlink()
    [error] = await live.reload()
    assert error.endswith("cannot be read: No such file or directory")
    assert live.config.upstreams["a"].passwords == {"cp1": "two"}
    assert metrics.config_last_reload_successful.cell().n == 0
