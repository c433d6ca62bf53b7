"""Sealed secrets: what opens them, and what does not."""

from __future__ import annotations

import pytest

from gateway.vault import Box, Sealed, key_of, new_key

KEY, OTHER = new_key(), new_key()


def test_what_was_sealed_opens_for_its_charger_and_upstream_only() -> None:
    box = Box(KEY)
    sealed = box.seal("main", "CP1", "päss")
    assert "päss".encode() not in sealed
    assert box.open("main", "cp1", sealed) == "päss", "upper and lower case are one charger"
    assert box.seal("main", "CP1", "päss") != sealed
    for upstream, charger in (("main", "CP2"), ("copy", "CP1")):
        with pytest.raises(Sealed, match="changed"):
            box.open(upstream, charger, sealed)


def test_what_was_changed_does_not_open() -> None:
    sealed = Box(KEY).seal("main", "CP1", "secret")
    for at in range(len(sealed)):
        with pytest.raises(Sealed):
            Box(KEY).open("main", "CP1", sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :])
        with pytest.raises(Sealed):
            Box(KEY).open("main", "CP1", sealed[:at])


def test_a_change_of_keys() -> None:
    old = Box(KEY).seal("main", "CP1", "secret")
    both = Box(OTHER, KEY)
    assert both.open("main", "CP1", old) == "secret" and not both.newest(old)
    new = both.seal("main", "CP1", "secret")
    assert both.newest(new) and Box(OTHER).open("main", "CP1", new) == "secret"
    with pytest.raises(Sealed, match="another key"):
        Box(OTHER).open("main", "CP1", old)


@pytest.mark.parametrize(
    "text", ["", "short", "zz" * 32, "AAAA", KEY + "A"], ids=["none", "short", "no hex", "few bytes", "too long"]
)
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(ValueError, match="vault key makes one"):
        key_of(text)


def test_keys_in_hex_digits() -> None:
    assert key_of("0f" * 32) == key_of("0F" * 32 + "\n") == b"\x0f" * 32
