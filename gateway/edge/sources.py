"""How often one address may knock, and who takes whose place. Pure: times are seconds of any clock that never goes back."""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Final

from gateway.config_listen import Network, networks
from gateway.edge.access import Rate
from gateway.edge.source import within

if TYPE_CHECKING:
    from gateway.config_limits import Limits

REMEMBERED: Final = 20_000
"""Addresses, or identities, that are remembered: the latest ones."""
WINDOW_SECONDS: Final = 600.0
"""Within which `limits.take_overs` take-overs of one identity from at least two networks are a conflict."""


def one(address: str) -> str:
    """What counts as one address: an IPv4 address, the /64 of an IPv6 address; what is no address as it is."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if (mapped := getattr(ip, "ipv4_mapped", None)) is not None:
        ip = mapped
    return str(ip) if ip.version == 4 else str(ip_network((ip, 64), strict=False))


class Sources:
    """A token bucket for each address."""

    def __init__(self) -> None:
        self._rates: OrderedDict[str, Rate] = OrderedDict()
        self._limits: Limits | None = None
        self._exempt: tuple[Network, ...] = ()

    def take(self, address: str, limits: Limits, now: float) -> bool:
        """Whether one more connection of this address is within its rate; if so it counts."""
        if not limits.source_rate:
            return True
        if limits is not self._limits:
            self._limits, self._exempt = limits, networks(limits.source_exempt)
            self._rates.clear()
        if within(address, self._exempt):
            return True
        key = one(address)
        rate = self._rates.pop(key, None) or Rate(limits.source_rate, limits.source_burst)
        self._rates[key] = rate
        if len(self._rates) > REMEMBERED:
            self._rates.popitem(last=False)
        return rate.take(now)


class Conflicts:
    """Identities that are used by more than one (the hijack by a second socket, reliability 2.7)."""

    def __init__(self) -> None:
        self._taken: OrderedDict[str, list[tuple[float, str]]] = OrderedDict()

    def taken_over(self, identity: str, network: str, now: float, most: int = 3) -> bool:
        """A connection from this network has taken the place of another one; whether that is a conflict now, the `most`th of late.
        Once it is, counting begins anew."""
        recent = [each for each in self._taken.pop(identity, ()) if now - each[0] < WINDOW_SECONDS]
        recent.append((now, network))
        if len(recent) >= most and len({each[1] for each in recent}) > 1:
            return True
        self._taken[identity] = recent[-max(8, most) :]
        if len(self._taken) > REMEMBERED:
            self._taken.popitem(last=False)
        return False
