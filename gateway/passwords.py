"""Passwords of chargers: what is stored of them, and whether one that came is right (reliability 2.2).

A password is bytes. The AuthorizationKey of OCPP 1.6 is configured as up to 40 hex digits and sent as the 16 to 20 bytes that
they stand for; many chargers send the digits. So what looks like such a key is brought into the form of its bytes before it
is stored and before it is compared: both are the same password.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import Final

_HEX_KEY: Final = re.compile(rb"(?:[0-9A-Fa-f]{2}){16,20}")
_SEALED: Final = "$sealed$"
_secret = secrets.token_bytes(32)
LONGEST: Final = 256
"""Bytes of a password; longer ones are wrong without a look at them."""
TIME_COST: Final = 2
MEMORY_KIB: Final = 19 * 1024
"""argon2id: the lighter of the two settings that OWASP recommends, about 20 ms: a fleet that comes back knocks all at once."""


def is_hex_key(password: bytes) -> bool:
    """Whether this looks like an AuthorizationKey of 1.6 written in hex digits."""
    return _HEX_KEY.fullmatch(password) is not None


def canonical(password: bytes) -> bytes:
    """The bytes of a key that is written in hex digits; all else as it is."""
    return bytes.fromhex(password.decode()) if is_hex_key(password) else password


def of_text(text: str) -> bytes:
    """A password as a person writes it: text, or `hex:` and digits for one that is no text. Raises ValueError."""
    if text.startswith("hex:"):
        return bytes.fromhex(text[4:])
    return text.encode()


def digest(password: bytes) -> str:
    """What to store of a password: a salted argon2id hash. Takes some 20 ms of a processor."""
    from argon2 import PasswordHasher

    hasher = PasswordHasher(time_cost=TIME_COST, memory_cost=MEMORY_KIB, parallelism=1)
    return hasher.hash(canonical(password))


def sealed(password: bytes) -> str:
    """What to keep in memory of a password that a file has in plain text: only this process can compare it."""
    return _SEALED + hmac.digest(_secret, canonical(password), hashlib.sha256).hex()


def is_digest(text: str) -> bool:
    """Whether this is a hash that `matches` understands. Raises nothing."""
    from argon2 import extract_parameters
    from argon2.exceptions import InvalidHashError

    try:
        extract_parameters(text)
    except InvalidHashError:
        return False
    return text.startswith("$argon2id$")


def cheap(stored: str) -> bool:
    """Whether `matches` takes no time to speak of."""
    return stored.startswith(_SEALED)


def matches(stored: str, password: bytes) -> bool:
    """Whether a password is the one of which `stored` was made; in the same time for every wrong one."""
    if cheap(stored):
        return hmac.compare_digest(stored, sealed(password))
    from argon2 import PasswordHasher
    from argon2.exceptions import InvalidHashError, VerificationError

    forms = [canonical(password)]
    if forms[0] != password:
        forms.append(password)  # the hash may come from elsewhere, made of the digits
    hasher = PasswordHasher()
    for form in forms:
        try:
            return hasher.verify(stored, form)
        except (VerificationError, InvalidHashError):
            continue
    return False


_DECOY: list[str] = []


def decoy() -> str:
    """A hash that nothing matches, for a charger that does not exist: refusing it takes as long."""
    if not _DECOY:
        _DECOY.append(digest(secrets.token_bytes(20)))
    return _DECOY[0]


def mark(identity: str, stored: str, password: bytes) -> bytes:
    """Names a password that was right, without telling it; only this process can make it."""
    return hmac.digest(_secret, b"%b\0%b\0%b" % (identity.encode(), stored.encode(), password), hashlib.sha256)
