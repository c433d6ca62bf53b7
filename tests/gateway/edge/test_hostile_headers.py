"""Whatever a stranger sends where the edge reads headers: a refusal, never another exception."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import passwords
from gateway.config_listen import Tls, networks
from gateway.edge.access import Denied, identity_of, negotiate
from gateway.edge.certificates import BadCertificate, of_header
from gateway.edge.certified import serials_of
from gateway.edge.credentials import basic, same_user
from gateway.edge.source import PROXY_HEAD, SIGNATURE, forwarded, proxied, proxy_length, within

# What the HTTP parser lets through: any byte, those that are no ASCII as surrogates.
texts = st.binary(max_size=200).map(lambda raw: raw.decode("ascii", "surrogateescape"))
STORED = passwords.sealed(b"right")


@settings(max_examples=500)
@given(texts)
def test_credentials(text: str) -> None:
    for header in (text, f"Basic {text}", f"basic  {text}"):
        found = basic(header)
        if found is not None:
            user, password = found
            same_user(user, "CP1", exact=False)
            assert passwords.matches(STORED, password) == (password == b"right")


@settings(max_examples=500)
@given(st.binary(max_size=64), st.booleans())
def test_proxy_headers(raw: bytes, signed: bool) -> None:
    data = SIGNATURE + raw if signed else raw
    with contextlib.suppress(ValueError):
        length = proxy_length(data[:PROXY_HEAD])
        whole = data[:length].ljust(length, b"\0")
        address = proxied(whole)
        assert not address or within(address, networks(("any",)))


@settings(max_examples=500)
@given(st.lists(texts, max_size=3))
def test_forwarded_addresses(lines: list[str]) -> None:
    address = forwarded(lines, networks(("10.0.0.0/8",)))
    assert not address or within(address, networks(("any",)))


@settings(max_examples=300)
@given(texts)
def test_certificates_that_are_passed_on(text: str) -> None:
    for header in (text, f"-----BEGIN CERTIFICATE-----%0A{text}%0A-----END CERTIFICATE-----%0A"):
        with contextlib.suppress(BadCertificate):
            of_header(header, Tls())


@settings(max_examples=500)
@given(texts, st.lists(texts, max_size=4))
def test_paths_and_subprotocols(path: str, offered: list[str]) -> None:
    with contextlib.suppress(Denied):
        identity = identity_of(path)
        assert identity.isascii() and identity.isprintable() and not set(identity) & set("/\\%")
        negotiate(identity, offered, ("ocpp1.6", "ocpp2.0.1"))


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_boots(payload: bytes) -> None:
    serials_of(payload)
    serials_of(b'{"chargingStation":' + payload + b"}")
