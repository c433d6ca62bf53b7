"""A real Prometheus that scrapes processes of a test."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.process import free_port

from .promtool import ALERTS


class Prometheus:
    """Scrapes and evaluates the rules each second."""

    def __init__(self, directory: Path, targets: list[str]) -> None:
        self._directory = directory
        self._port = free_port()
        self._process: asyncio.subprocess.Process | None = None
        scrape = {
            "job_name": "gateway",
            "static_configs": [{"targets": targets, "labels": {"namespace": "ocpp"}}],
        }
        self._config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(ALERTS)],
            "scrape_configs": [scrape],
        }

    async def start(self) -> None:
        self._directory.mkdir(parents=True)
        file = self._directory / "prometheus.yml"
        file.write_text(yaml.safe_dump(self._config))
        with (self._directory / "prometheus.log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                "prometheus",
                f"--config.file={file}",
                f"--storage.tsdb.path={self._directory / 'data'}",
                f"--web.listen-address=127.0.0.1:{self._port}",
                "--enable-feature=exemplar-storage",
                stdout=log,
                stderr=log,
            )
        async with asyncio.timeout(30):
            while not await self._scrapes():
                assert self._process.returncode is None, (self._directory / "prometheus.log").read_text()
                await asyncio.sleep(0.1)

    async def stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), 10)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()

    async def _scrapes(self) -> bool:
        try:
            return bool(await self.query("up == 1"))
        except (OSError, urllib.error.URLError, AssertionError):
            return False  # not ready yet

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """The result of an instant query. Raises AssertionError with Prometheus' words."""
        found: list[dict[str, Any]] = (await self._ask("query", query=expression))["result"]
        return found

    async def exemplars(self, expression: str) -> list[dict[str, Any]]:
        """The exemplars of the last minute."""
        now = time.time()
        series = await self._ask("query_exemplars", query=expression, start=str(now - 60), end=str(now))
        return [each for found in series for each in found["exemplars"]]

    async def _ask(self, path: str, **arguments: str) -> Any:
        try:
            body = await asyncio.to_thread(self._get, f"/api/v1/{path}?" + urllib.parse.urlencode(arguments))
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{arguments['query']}: {error.read().decode()}") from None
        return json.loads(body)["data"]

    def _get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=10) as answer:
            text: str = answer.read().decode()
        return text
