"""A charger costs two descriptors; the limit that a process starts with is often 1,024."""

from __future__ import annotations

import resource
import subprocess
import sys

SCRIPT = """
import resource, structlog
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
from gateway.app import _raise_descriptor_limit
from gateway.config import Config
_raise_descriptor_limit(Config.from_upstream_argument("ocpp1.6=ws://127.0.0.1:9/x", {{"OCPPGW_LISTEN__MAX_CONNECTIONS": "2000"}}))
print("now", resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


def said(soft: int, hard: int) -> str:
    script = SCRIPT.format(soft=soft, hard=hard)
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout


def test_the_soft_limit_is_raised_to_what_the_chargers_need() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard == resource.RLIM_INFINITY or hard >= 4200
    out = said(1024, 5000)
    assert "now 4200" in out and "few_descriptors" not in out


def test_a_hard_limit_that_is_too_low_is_told_at_the_start() -> None:
    out = said(1024, 3000)
    assert "now 3000" in out and "few_descriptors" in out and "4200" in out
