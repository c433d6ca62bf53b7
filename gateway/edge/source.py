"""Where a connection comes from: the peer, or what a trusted proxy says of it."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from gateway.config_listen import Network

SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"
"""How the PROXY protocol, version 2, begins."""
PROXY_HEAD: Final = 16
LONGEST_PROXY: Final = 2048
"""Bytes of a PROXY header; longer ones are refused."""


def proxy_length(head: bytes) -> int:
    """Bytes of the whole PROXY header that begins with these 16. Raises ValueError."""
    if len(head) < PROXY_HEAD or head[:12] != SIGNATURE or head[12] >> 4 != 2:
        raise ValueError("no PROXY protocol header of version 2")
    length = PROXY_HEAD + int.from_bytes(head[14:16], "big")
    if length > LONGEST_PROXY:
        raise ValueError("the PROXY protocol header is too long")
    return length


def proxied(header: bytes) -> str:
    """Address of the client that a whole PROXY header names; "" if it speaks for the proxy itself. Raises ValueError."""
    command, family, body = header[12] & 15, header[13], header[16:]
    if command == 0:  # LOCAL: a health check
        return ""
    if command != 1:
        raise ValueError("unknown command in the PROXY protocol header")
    if family == 0x11 and len(body) >= 12:
        return str(IPv4Address(body[:4]))
    if family == 0x21 and len(body) >= 36:
        return str(IPv6Address(body[:16]))
    if family == 0:  # UNSPEC
        return ""
    raise ValueError("no TCP address in the PROXY protocol header")


def within(address: str, networks: Sequence[Network]) -> bool:
    """Whether an address is in one of the networks; what is no address is in none."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None)
    return any((mapped or ip) in network for network in networks)


def forwarded(headers: Sequence[str], trusted: Sequence[Network]) -> str:
    """The last address in X-Forwarded-For headers that is no trusted proxy's: those before it anybody can write. "": none."""
    for word in reversed([word.strip() for header in headers for word in header.split(",")]):
        address = word[1:].partition("]")[0] if word.startswith("[") else word
        if "." in address and address.count(":") == 1:
            address = address.partition(":")[0]
        if not within(address, trusted):
            try:
                return str(ip_address(address))
            except ValueError:
                return ""
    return ""
