"""Where chargers connect, how they prove who they are, and which of them exist: the part of the configuration about the edge."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from gateway.config_kinds import Count, Duration, Port, Positive, Size, Version

Network: TypeAlias = IPv4Network | IPv6Network

PRIVATE = (
    "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10",
    "::1/128", "fc00::/7", "fe80::/10",
)  # fmt: skip
"""What `private` stands for in a list of networks."""


def networks(words: tuple[str, ...]) -> tuple[Network, ...]:
    """The networks that a list names: CIDR, an address, `private` or `any`. Raises ValueError."""
    found: list[Network] = []
    for word in words:
        names = PRIVATE if word == "private" else ("0.0.0.0/0", "::/0") if word == "any" else (word,)
        found += [ip_network(name) for name in names]
    return tuple(found)


class Tls(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """TLS 1.2 and 1.3 of a listener. OCPP asks for two certificates, one with an RSA and one with an EC key. The files are
    read again when they change; connected chargers keep their connection."""

    cert: str = ""
    """File with the certificate chain of the gateway (PEM), the gateway's own first. Empty: no TLS."""
    key: str = ""
    """File with the private key of `cert` (PEM)."""
    cert2: str = ""
    """A second chain, of the other kind of key."""
    key2: str = ""
    """Private key of `cert2`."""
    no_static_rsa: bool = False
    """Refuse the cipher suites without forward secrecy (TLS_RSA_*). OCPP demands them: some chargers know no others."""
    client_ca: str = ""
    """File with the roots (PEM) that issue the chargers' certificates, and intermediates that they may not send. Never a
    list of public authorities. Needed for `security_profile: 3`."""
    crl: str = ""
    """File with the revocation lists (PEM) of those that issue the chargers' certificates. Empty: nothing is revoked."""
    organization: str = ""
    """`O` that a charger's certificate must have (CpoName of OCPP). Empty: any."""
    client_name: Literal["either", "identity", "serial"] = "either"
    """What the certificate's common name, or a DNS name in it, must be: the charger's `identity`, its `serial` in the
    registry, or `either`."""
    check_serial: bool = True
    """Close the connection of a 2.x charger whose BootNotification has a serial number that is neither the one of its
    certificate nor the one in the registry. Of 1.x chargers it is told in log and metric; those that are `strict` are closed too."""


class Proxy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A load balancer or TLS proxy before the listener."""

    addresses: tuple[str, ...] = ()
    """Addresses or networks of the proxies. What others send in the headers below counts for nothing."""
    protocol: bool = False
    """Connections from `addresses` begin with a PROXY protocol header, version 2; all others are refused."""
    forwarded_for: bool = False
    """Take the charger's address from the X-Forwarded-For header of the proxies."""
    terminates_tls: bool = False
    """The proxies speak TLS with the chargers: profiles 2 and 3 need no certificate here, and nobody else may connect."""
    certificate_header: str = ""
    """Header in which the proxies pass on a charger's certificate: PEM with percent escapes (nginx's
    `$ssl_client_escaped_cert`). The proxies show a certificate of `tls.client_ca` themselves."""
    names: tuple[str, ...] = ()
    """Common names of the certificates of the proxies that may pass on certificates."""
    plain: bool = False
    """Proxies may pass on certificates without TLS of their own: only where nobody else reaches the listener."""


class Listen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where chargers connect: `ws://host:port/<any prefix>/<charger id>`, `wss://` with `tls`. One listener or a list of
    them, each with its own security profile."""

    host: str = "127.0.0.1"
    """Address to listen on; `0.0.0.0` or `::` for every interface."""
    port: Port = 9000
    """TCP port; 0 takes a free one and logs it."""
    subprotocols: tuple[Version, ...] = ("ocpp2.1", "ocpp2.0.1", "ocpp1.6", "ocpp1.5")
    """OCPP versions that chargers may speak. Of those that one offers it gets its primary's; otherwise the first that can be
    translated for it, and 400 when there is none."""
    assume_subprotocol: Literal["", "ocpp2.1", "ocpp2.0.1", "ocpp1.6", "ocpp1.5"] = ""
    """Version of chargers that name none in Sec-WebSocket-Protocol. Empty: they get 400."""
    subprotocol_mismatch: Literal["reject", "complete_then_close"] = "reject"
    """Chargers that offer no version spoken here: `reject` with 400 (OCPP 2.0.1 certification), or `complete_then_close` the
    connection with 1002 (the text of the specifications)."""
    security_profile: Annotated[int, Meta(ge=0, le=3)] = 0
    """Security profile of OCPP: 0 none, 1 HTTP Basic, 2 HTTP Basic over TLS, 3 client certificates."""
    allow_from: tuple[str, ...] = ()
    """Networks from which chargers may come: addresses, CIDR, `private` or `any`. Empty: `private` for profiles 0 and 1,
    `any` for 2 and 3. Others get 403."""
    hide_unknown: bool = False
    """Profiles 1 and 2: unknown chargers get 401 like wrong passwords, so that nobody learns which exist; otherwise 404."""
    allow_downgrade: bool = False
    """Let in chargers that were accepted with a higher security profile before."""
    exact_username: bool = False
    """The user name must be spelled exactly like the identity; otherwise upper and lower case are the same."""
    tls: Tls = Tls()
    proxy: Proxy = Proxy()
    lenient_upgrade: bool = False
    """Let in chargers that do not send `Connection: Upgrade`, if everything else of a WebSocket request is there."""
    identity_from_username: bool = False
    """Where the URL ends without an identity, the user name of HTTP Basic is taken for it; otherwise 404."""
    ping_interval: Duration = 30
    """Time between keep-alive pings to a charger; 0 sends none. A charger silent for three of them is disconnected."""
    max_connections: Count = 20_000
    """Chargers that may be connected to this listener; further handshakes get 503."""
    max_frame: Size = 256 * 1024
    """Largest frame accepted from a charger; a larger one closes the socket with 1009."""
    write_buffer: Size = 256 * 1024
    """Bytes that may wait for a slow charger; beyond that its socket is closed."""
    handshake_timeout: Positive = 10
    """Time a client has to complete the HTTP upgrade, and before it as long for TLS."""
    backlog: Count = 4096
    """Connections that the kernel queues before they are accepted."""
    accept_rate: Count = 200
    """New connections of chargers taken per second; the others get 503 and are told to come back within 30 to 120 s."""
    accept_burst: Count = 1000
    """New connections taken at once, before `accept_rate` counts."""

    @property
    def scheme(self) -> str:
        return "wss" if self.tls.cert or self.proxy.terminates_tls else "ws"


class RegistryConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which chargers exist, with their passwords, groups, routes and versions."""

    source: Literal["open", "file", "redis"] = "open"
    """`open`: any identity; `file`: those in `file`, which is read again when it changes; `redis`: those that
    `ocpp-gateway chargers` has put into the store."""
    file: str = ""
    """Of `source: file`: YAML (`.yaml`, `.yml`), CSV (`.csv`, with a header line), or else a text with one identity a line.
    See [Chargers](chargers.md)."""
