"""A link at rest costs little memory: what the benchmark measures, with fewer links."""

from __future__ import annotations

import pytest

from tests.bench import translation

KIB = 8
"""The bar for the state of a link after its boot and a session."""


@pytest.mark.parametrize(
    ("charger", "csms"), [("ocpp1.6", "ocpp2.0.1"), ("ocpp2.0.1", "ocpp1.6"), ("ocpp1.5", "ocpp2.0.1")]
)
def test_a_link_at_rest(monkeypatch: pytest.MonkeyPatch, charger: str, csms: str) -> None:
    monkeypatch.setattr(translation, "LINKS", 100)
    assert translation.measure_memory(charger, csms, 1).memory < KIB
