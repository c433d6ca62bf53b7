"""What a handshake asks for: the identity in the URL, the subprotocol (reliability 1.6; rows H01-H04, H16-H19)."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from urllib.parse import unquote_to_bytes

import msgspec

from translators import translatable

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f/\\]")
_IDENTIFIER = re.compile(r"[A-Za-z0-9*\-_=+|@.]{1,48}")
"""identifierString of OCPP 2.x; the colon is in its alphabet but not allowed in an identity (2.1 part 4, 3.1.1)."""
LONGEST = 100
"""Characters of an OCPP 1.x identity, for which the specification states no limit."""


class Denied(Exception):
    """The handshake is refused with the HTTP status `status`; `outcome` is the label of the metric."""

    def __init__(self, status: int, text: str, outcome: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.outcome = outcome
        self.headers = headers


class Admission(msgspec.Struct, frozen=True, gc=False):
    """An accepted handshake."""

    charger: str
    """Identity as the charger spells it."""
    version: str
    """Canonical name of the subprotocol."""
    subprotocol: str
    """The subprotocol exactly as offered; it is echoed like that. Empty: none was offered."""
    serials: frozenset[str] = frozenset()
    """With a certificate: serial numbers that the BootNotification may have (casefolded); empty: any."""
    strict: bool = False
    """Nothing that it does wrong is tolerated."""


class Rate:
    """A token bucket: `burst` at once, then `per_second`. Times are seconds of any clock that never goes back."""

    __slots__ = ("_at", "_burst", "_left", "_per_second")

    def __init__(self, per_second: float, burst: float) -> None:
        self._per_second = per_second
        self._burst = burst
        self._left = burst
        self._at = 0.0

    def take(self, now: float) -> bool:
        """Whether one more is within the rate; if so it counts."""
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def identity_of(path: str) -> str:
    """Last segment of a request path, percent-decoded exactly once.

    Raises Denied: 400 for broken escapes, control characters and slashes, 404 for what can be no identity.
    """
    segment = path.partition("?")[0].rpartition("/")[2]
    if not segment.isascii():
        raise Denied(400, "The charger identity has bytes that are not escaped.\n", "bad_request")
    if _BAD_ESCAPE.search(segment):
        raise Denied(400, "The charger identity has a broken percent escape.\n", "bad_request")
    identity = unquote_to_bytes(segment).decode("latin-1")
    if _FORBIDDEN.search(identity):
        raise Denied(400, "The charger identity has characters that are not allowed.\n", "bad_request")
    # A percent sign after decoding comes from a client that encodes twice: it is some other charger's name.
    if not identity or identity in (".", "..") or not identity.isascii() or "%" in identity or len(identity) > LONGEST:
        raise unknown()
    return identity


def unknown() -> Denied:
    return Denied(404, "Unknown charger identity.\n", "unknown_identity")


def unauthorized() -> Denied:
    return Denied(401, "Not authorized.\n", "auth_failed", (("WWW-Authenticate", 'Basic realm="ocpp"'),))


def fits(identity: str, version: str) -> bool:
    """Whether a version allows this identity."""
    return version.startswith("ocpp1") or _IDENTIFIER.fullmatch(identity) is not None


def negotiate(
    identity: str, offered: Sequence[str], supported: Collection[str], *, exact: bool = False, assumed: str = ""
) -> list[tuple[str, str]]:
    """The versions that both sides speak, as (canonical, as offered), in the charger's order. Case does not matter in a
    subprotocol (H04) unless `exact`. `assumed`: the version of a charger that offers none (H01). Raises Denied."""
    common = [(name.lower(), name) for name in offered if (name if exact else name.lower()) in supported]
    if not offered and assumed:
        common = [(assumed, "")]
    if not common:
        what = "no Sec-WebSocket-Protocol header" if not offered else "none of the subprotocols is supported"
        text = f"Refused: {what}; this server speaks {', '.join(supported)}.\n"
        raise Denied(400, text, "subprotocol_mismatch")
    common = [pair for pair in common if fits(identity, pair[0])]
    if not common:
        raise unknown()
    return common


def choose(common: Sequence[tuple[str, str]], native: str) -> tuple[str, str]:
    """`native`, the version of the charger's primary, if it is offered, so that nothing needs translating; otherwise the
    first one that can be translated for it. Empty: the first one. Raises Denied."""
    fitting = [pair for pair in common if not native or translatable(pair[0], native)]
    if not fitting:
        raise Denied(400, "Refused: none of the subprotocols can be translated for its CSMS.\n", "subprotocol_mismatch")
    return next((pair for pair in fitting if pair[0] == native), fitting[0])
