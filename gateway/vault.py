"""Secrets with which single chargers are shown to a CSMS, sealed for the store: AES-256-GCM under a key that the store never sees.

What is sealed for one upstream and charger opens for no other. A second, older key opens what was sealed before a change of keys.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from typing import Final

KEY_BYTES: Final = 32
_FORMAT: Final = b"1"
_NAME_BYTES: Final = 4
_NONCE_BYTES: Final = 12


class Sealed(Exception):
    """A secret cannot be opened: another key, or it was changed in the store."""


def new_key() -> str:
    """A key as the configuration has it."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def key_of(text: str) -> bytes:
    """The bytes of a key: 32 of them, in base64 or hex digits. Raises ValueError."""
    for decode in (bytes.fromhex, lambda each: base64.b64decode(each, validate=True)):
        try:
            found = decode(text.strip())
        except (ValueError, binascii.Error):
            continue
        if len(found) == KEY_BYTES:
            return found
    raise ValueError("is no key of 32 bytes in base64 or hex digits; ocpp-gateway vault key makes one")


class Box:
    """Seals and opens."""

    def __init__(self, key: str, previous: str = "") -> None:
        """Raises ValueError for what is no key."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        keys = [key_of(each) for each in (key, previous) if each]
        self._ciphers = {_name(each): AESGCM(each) for each in keys}
        self._newest = _name(keys[0])

    def seal(self, upstream: str, charger: str, secret: str) -> bytes:
        """The secret for the store."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._ciphers[self._newest].encrypt(nonce, secret.encode(), _place(upstream, charger))
        return _FORMAT + self._newest + nonce + sealed

    def open(self, upstream: str, charger: str, sealed: bytes) -> str:
        """The secret. Raises Sealed."""
        from cryptography.exceptions import InvalidTag

        name, rest = sealed[1 : 1 + _NAME_BYTES], sealed[1 + _NAME_BYTES :]
        cipher = self._ciphers.get(name)
        if sealed[:1] != _FORMAT or cipher is None:
            raise Sealed("sealed with another key (vault.key)")
        try:
            return cipher.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], _place(upstream, charger)).decode()
        except (InvalidTag, ValueError):
            raise Sealed("was changed in the store") from None

    def newest(self, sealed: bytes) -> bool:
        """Whether it is sealed with the present key."""
        return sealed[:1] == _FORMAT and sealed[1 : 1 + _NAME_BYTES] == self._newest


def _name(key: bytes) -> bytes:
    """Tells keys apart without telling them."""
    return hashlib.sha256(b"ocppgw vault\0" + key).digest()[:_NAME_BYTES]


def _place(upstream: str, charger: str) -> bytes:
    return f"{upstream}\n{charger.casefold()}".encode()
