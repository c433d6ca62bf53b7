"""What `doctor` says of a gateway that does not answer it."""

from __future__ import annotations

import pytest

from gateway.cli.examining import fleet

SERVER = "http://127.0.0.1:9001"


@pytest.mark.parametrize(
    ("answer", "verdict", "fix"), [(None, "warn", "is it running"), ("401 Unauthorized", "fail", "is OCPPGW_TOKEN set")]
)
def test_nobody_and_a_refusal_are_told_apart(answer: str | None, verdict: str, fix: str) -> None:
    [found] = fleet(SERVER, lambda _: answer)
    assert found.verdict == verdict and SERVER in found.said and found.fix.startswith(fix)
