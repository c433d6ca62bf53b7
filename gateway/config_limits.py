"""What one charger, one address or all of them together may cost: the part of the configuration about limits (reliability 2.7)."""

from __future__ import annotations

from functools import cache
from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.config_kinds import Count, Duration, Percent, Positive
from gateway.edge.jsontext import Bounds

Rate = Annotated[int, Meta(ge=0)]


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits against floods and hogs, for all listeners together; most have a counter in `ocppgw_limit_hits_total`. More are keys of
    a listener: `max_frame`, `write_buffer`, `handshake_timeout`, `max_connections`, `accept_rate`, `backlog`."""

    pending: Count = 2000
    """Handshakes under way at once; further sockets are closed."""
    source_rate: Rate = 10
    """New connections per second from one address (IPv6: /64), before TLS; the others get 429, with TLS their socket is closed.
    0: any."""
    source_burst: Count = 100
    """New connections from one address at once, before `source_rate` counts."""
    source_exempt: tuple[str, ...] = ("private",)
    """Addresses and networks without `source_rate`: proxies, load balancers and sites that hide many chargers. Addresses that
    `listen.proxy` trusts are exempt too: their clients count instead."""
    lockout_failures: Count = 10
    """Wrong credentials of one charger from one network (IPv4: /24, IPv6: /56) within `lockout` after which it gets 429 from there."""
    lockout: Positive = 300
    """For how long, and within how long they count."""
    lockout_network: Count = 100
    """Wrong credentials of anybody from one network within a minute, after which nobody of it is listened to for the rest of it."""
    take_overs: Count = 3
    """Times within ten minutes that a charger's connection takes the place of another, from two networks or more, that are told as
    `identity_conflict`."""
    json_depth: Annotated[int, Meta(ge=8, le=200)] = 32
    """Levels of objects and arrays in a message; deeper ones are refused, and the third in a minute ends the connection."""
    json_nodes: Annotated[int, Meta(ge=1000)] = 20_000
    """Values in a message; the same."""
    open_calls: Count = 16
    """CALLs of a charger that may wait for their answers; then it is not read until one has its answer."""
    ping_rate: Count = 50
    """Pings per second, over ten seconds, that a charger may send; more end its connection (1008)."""
    frame_rate: Rate = 20
    """Messages per second that a charger may send without waiting for the answers to those before; then the gateway stops reading
    for a while. 0: any. Whoever waits for its answers has no limit: they set the pace."""
    frame_burst: Count = 200
    """Such messages at once, before `frame_rate` counts."""
    send_rate: Rate = 20
    """Messages of 2.1 that nobody answers (SEND) per second, after a burst of `frame_burst`; more are dropped. 0: any."""
    heartbeat_rate: Rate = 1
    """Heartbeats per second that a CSMS hears of a charger which sends them without waiting for answers; the others are answered
    here. 0: all of them."""
    byte_rate: Annotated[int, Meta(ge=0, extra={"kind": "size"})] = 64 * 1024
    """Bytes per second of such messages. 0: any."""
    pause_longest: Positive = 300
    """A charger that goes on like that for so long is disconnected (1013)."""
    write_stall: Positive = 30
    """Time for which a charger may leave what was written to it unread; then its socket is reset."""
    probe: Duration = 3
    """Security profile 0: whoever comes under the name of a charger that is connected here is let in only if that charger does not
    answer a ping within this time. 0: the newest connection always wins, as it does where chargers prove who they are."""
    memory: Annotated[int, Meta(ge=0, extra={"kind": "size"})] = 0
    """Memory of the process at which it is full. 0: the limit of its container, if there is one; else none."""
    memory_refuse: Percent = 80
    """Of `memory`, in percent: no new chargers (503)."""
    memory_shed: Percent = 90
    """Heartbeats are answered here and reach no CSMS."""
    memory_close: Percent = 95
    """Chargers without an open exchange are disconnected (1013), those that came last first."""

    @property
    def bounds(self) -> Bounds:
        """What one connection may have at once."""
        return _bounds(self.open_calls, self.json_depth, self.json_nodes)


@cache
def _bounds(open: int, depth: int, nodes: int) -> Bounds:
    """One for all connections."""
    return Bounds(open, depth, nodes)
