"""Every loss and message must be declared in the tables of its pair."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from translators import Translator


@pytest.fixture(autouse=True, scope="module")
def strict_losses() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Translator, "strict_losses", True)
        yield
