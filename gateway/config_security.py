"""Rules between the keys of a listener and of the registry: what a security profile needs, and which files must be there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.config_listen import Listen, Proxy, RegistryConfig, Tls, networks
from gateway.config_vault import VaultConfig
from gateway.vault import key_of

if TYPE_CHECKING:
    from gateway.config import AdminToken

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")

Found = Iterator[tuple[str, str]]
"""(key within the section, what is wrong)."""


def of_listener(listen: Listen, registry: RegistryConfig) -> Found:
    """What is wrong with a listener."""
    if not listen.subprotocols:
        yield "subprotocols", "must name at least one version"
    elif len(set(listen.subprotocols)) < len(listen.subprotocols):
        yield "subprotocols", "names a version twice"
    for key, words in (("allow_from", listen.allow_from), ("proxy.addresses", listen.proxy.addresses)):
        try:
            networks(words)
        except ValueError as error:
            yield key, f"{error}: write addresses, networks such as 10.0.0.0/8, private or any"
    yield from _tls(listen.tls)
    yield from _proxy(listen.proxy, listen.tls)
    yield from _profile(listen, registry)


def files_of(tls: Tls) -> tuple[str, ...]:
    """The files that TLS is read from."""
    return tuple(file for file in (tls.cert, tls.key, tls.cert2, tls.key2, tls.client_ca, tls.crl) if file)


def _profile(listen: Listen, registry: RegistryConfig) -> Found:
    profile, tls, proxy = listen.security_profile, listen.tls, listen.proxy
    if profile >= 2 and listen.scheme != "wss":
        yield "security_profile", f"{profile} is with TLS: give tls.cert and tls.key, or proxy.terminates_tls"
    if profile < 2 and listen.scheme == "wss":
        yield "security_profile", f"{profile} is without TLS, but there is some; profile 2 is HTTP Basic over TLS"
    if profile in (1, 2) and registry.source == "open":
        yield "security_profile", f"{profile} needs the chargers' passwords: give registry.source file or redis"
    if profile == 3 and not tls.client_ca:
        yield "security_profile", "3 needs tls.client_ca: the roots that issue the chargers' certificates"
    if profile == 3 and proxy.terminates_tls and not proxy.certificate_header:
        yield "proxy.certificate_header", "profile 3 behind a proxy needs it"
    if profile == 3 and tls.client_name == "serial" and registry.source == "open":
        yield "tls.client_name", "serial needs the chargers' serial numbers: give registry.source file or redis"
    if profile != 3 and tls.client_ca and not (proxy.terminates_tls and proxy.names):
        yield "tls.client_ca", "is for security_profile: 3"


def _tls(tls: Tls) -> Found:
    for one, other in (("cert", "key"), ("key", "cert"), ("cert2", "key2"), ("key2", "cert2"), ("cert2", "cert")):
        if getattr(tls, one) and not getattr(tls, other):
            yield f"tls.{one}", f"needs tls.{other}"
    if tls.crl and not tls.client_ca:
        yield "tls.crl", "needs tls.client_ca"
    missing = False
    for key in ("cert", "key", "cert2", "key2", "client_ca", "crl"):
        if name := getattr(tls, key):
            try:
                Path(name).read_bytes()
            except OSError as error:
                missing = True
                yield f"tls.{key}", f"{name} cannot be read: {error.strerror}"
    if tls.cert and tls.key and bool(tls.cert2) == bool(tls.key2) and not missing:
        from gateway.edge.tls import context, expiry

        try:
            context(tls)
            expiry(tls)
        except (OSError, ValueError) as error:
            yield "tls.cert", f"the certificates, keys and revocation lists cannot be used: {error}"


def _proxy(proxy: Proxy, tls: Tls) -> Found:
    for key in ("protocol", "forwarded_for", "terminates_tls", "certificate_header"):
        if getattr(proxy, key) and not proxy.addresses:
            yield f"proxy.{key}", "needs proxy.addresses: whom to believe"
    if proxy.certificate_header and not proxy.terminates_tls:
        yield "proxy.certificate_header", "needs proxy.terminates_tls"
    if proxy.certificate_header and not proxy.plain and not (proxy.names and tls.cert):
        yield (
            "proxy.certificate_header",
            "needs TLS between proxy and gateway: tls.cert, tls.client_ca and proxy.names (or proxy.plain: true)",
        )


def of_registry(registry: RegistryConfig) -> Found:
    """What is wrong with the registry."""
    if registry.source == "file" and not registry.file:
        yield "file", "must name the file with the chargers"
    if registry.source != "file" and registry.file:
        yield "file", "is for source: file"
    if registry.file:
        from gateway.registry.file import BadFile, read

        try:
            read(Path(registry.file))
        except OSError as error:
            yield "file", f"{registry.file} cannot be read: {error.strerror}"
        except BadFile as error:
            for each in error.errors:
                yield "file", each


def of_vault(vault: VaultConfig) -> Found:
    """What is wrong with the keys of the vault."""
    for key in ("key", "previous_key"):
        if text := getattr(vault, key):
            try:
                key_of(text)
            except ValueError as error:
                yield key, str(error)
    if vault.previous_key and not vault.key:
        yield "previous_key", "needs key"


def of_tokens(tokens: tuple[AdminToken, ...]) -> Found:
    """What is wrong with the tokens of the operators' port."""
    for index, token in enumerate(tokens):
        if token.hash and not _SHA256.fullmatch(token.hash):
            yield f"tokens[{index}].hash", "is no SHA-256 in 64 hex digits; ocpp-gateway token makes one"
        if token.name in [other.name for other in tokens[:index]]:
            yield f"tokens[{index}].name", f"{token.name} is the name of another token already"
