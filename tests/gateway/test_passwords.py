"""What is stored of a password, and what matches it."""

from __future__ import annotations

import pytest

from gateway import passwords

KEY = bytes(range(100, 120))


def test_a_hash_matches_its_password_only() -> None:
    stored = passwords.digest(b"secret")
    assert passwords.is_digest(stored) and not passwords.cheap(stored)
    assert passwords.matches(stored, b"secret")
    assert not passwords.matches(stored, b"Secret") and not passwords.matches(stored, b"")
    assert passwords.digest(b"secret") != stored


def test_a_key_and_its_digits_are_one_password() -> None:
    for made in (
        passwords.digest(KEY),
        passwords.digest(KEY.hex().encode()),
        passwords.sealed(KEY.hex().upper().encode()),
    ):
        assert passwords.matches(made, KEY)
        assert passwords.matches(made, KEY.hex().encode())
        assert passwords.matches(made, KEY.hex().upper().encode())
        assert not passwords.matches(made, KEY[:-1])


def test_a_hash_of_the_digits_that_was_made_elsewhere() -> None:
    from argon2 import PasswordHasher

    stored = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(KEY.hex())
    assert passwords.matches(stored, KEY.hex().encode())


def test_short_digits_are_text() -> None:
    assert passwords.canonical(b"deadbeef") == b"deadbeef"
    assert not passwords.matches(passwords.sealed(b"deadbeef"), b"DEADBEEF")


def test_how_a_person_writes_a_password() -> None:
    assert passwords.of_text("hex:00ff") == b"\x00\xff"
    assert passwords.of_text("grün") == "grün".encode()
    with pytest.raises(ValueError):
        passwords.of_text("hex:xx")


def test_what_is_no_hash() -> None:
    for text in ("", "secret", "$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$AAAA", "$2b$12$abc", "$argon2id$"):
        assert not passwords.is_digest(text)
        assert not passwords.matches(text or "x", b"secret")


def test_nothing_matches_the_decoy() -> None:
    assert passwords.is_digest(passwords.decoy())
    assert not passwords.matches(passwords.decoy(), b"")
