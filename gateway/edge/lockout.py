"""Who has failed too often to be listened to now. Pure: times are seconds of any clock that never goes back."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Final

from gateway.config_limits import Limits

NETWORK_SECONDS: Final = 60.0
"""`limits.lockout_network` failures of anybody from one network within this time lock the network out for the rest of it."""
REMEMBERED: Final = 20_000
"""Chargers and networks with failures that are remembered, the latest ones."""


def prefix(address: str) -> str:
    """The network of an address that counts as one source: /24 of IPv4, /56 of IPv6; what is no address as it is."""
    try:
        ip = ip_address(address)
    except ValueError:
        return address
    if (mapped := getattr(ip, "ipv4_mapped", None)) is not None:
        ip = mapped
    return str(ip_network((ip, 24 if ip.version == 4 else 56), strict=False))


class Lockout:
    """Failures by (charger, network) and by network."""

    def __init__(self, limits: Callable[[], Limits] = Limits) -> None:
        """`limits`: those of now."""
        self._limits = limits
        self._failures: OrderedDict[tuple[str, str], list[float]] = OrderedDict()
        self._networks: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._locked: OrderedDict[tuple[str, str], float] = OrderedDict()

    def wait(self, identity: str, network: str, now: float) -> float:
        """Seconds for which this charger is not listened to from this network; 0: it is."""
        until = self._locked.get((identity, network), 0.0)
        if until > now:
            return until - now
        begun, count = self._networks.get(network, (0.0, 0))
        shut = count >= self._limits().lockout_network and now < begun + NETWORK_SECONDS
        return begun + NETWORK_SECONDS - now if shut else 0.0

    def failed(self, identity: str, network: str, now: float) -> bool:
        """A failure; whether it locks the charger or the network out."""
        key, limits = (identity, network), self._limits()
        recent = [at for at in self._failures.pop(key, ()) if now - at < limits.lockout]
        recent.append(now)
        self._failures[key] = recent
        begun, count = self._networks.pop(network, (now, 0))
        if now >= begun + NETWORK_SECONDS:
            begun, count = now, 0
        self._networks[network] = begun, count + 1
        locks = len(recent) >= limits.lockout_failures
        if locks:
            del self._failures[key]
            self._locked[key] = now + limits.lockout
        for table in (self._failures, self._networks, self._locked):
            if len(table) > REMEMBERED:
                table.popitem(last=False)
        return locks or count + 1 == limits.lockout_network
