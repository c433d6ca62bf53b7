"""Options of a translation (spec 1.3), per upstream; also the `--options` of `ocpp-gateway translate`."""

from __future__ import annotations

from typing import Literal

import msgspec

FEATURES = (
    "Core", "FirmwareManagement", "LocalAuthListManagement", "Reservation", "SmartCharging", "RemoteTrigger",
    "security", "pnc", "costmsg",
)  # fmt: skip
"""Feature profiles of a 1.6 peer, and what it may have beside them."""


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How one upstream's translation decides what the specifications leave open."""

    topology: dict[str, tuple[int, int]] = {}
    """1.6 connectorId -> [evseId, connectorId]; a connector that is not listed N is EVSE N, connector 1."""
    features: tuple[str, ...] = FEATURES[:6]
    """Feature profiles of the 1.6 peer, plus `security`, `pnc`, `costmsg`."""
    carry_lossy: Literal["off", "customData", "datatransfer"] = "off"
    """How members without a counterpart travel. customData: those of a 1.6 charger, to a 2.0.1 CSMS; another gateway behind
    it reads them back. datatransfer: 2.0.1 messages whole, in DataTransfers through 1.6 to another gateway, or as copies to a
    1.6 CSMS that accepts them. Both gateways need the same vendor_id."""
    vendor_id: str = ""
    """Reverse-DNS id for carried members; required when carry_lossy is on."""
    offline_unknown_id: Literal["Accepted", "Blocked", "Expired", "Invalid"] = "Invalid"
    """Status of an idTag without a cached verdict while the CSMS is away."""
    offline_cache_ttl: float = 86400
    """Seconds for which a verdict of the CSMS counts while it is away; 0: none counts, nor does the local list (the gateway:
    as the route says)."""
    no_auth_idtag: str = "NOAUTH"
    """idTag that stands for NoAuthorization."""
    idtoken_default_type: Literal[
        "auto", "Central", "eMAID", "ISO14443", "ISO15693", "KeyCode", "Local", "MacAddress", "NoAuthorization"
    ] = "auto"
    """Type of an idToken made from an unknown idTag: `auto` guesses from its form (spec 2.3)."""
    boot_reason_default: Literal[
        "ApplicationReset", "FirmwareUpdate", "LocalReset", "PowerUp", "RemoteReset", "ScheduledReset", "Triggered", "Unknown",
        "Watchdog",
    ] = "PowerUp"  # fmt: skip
    """BootNotification.reason when nothing tells more."""
    immediate_reset_as: Literal["Hard", "Soft"] = "Hard"
    """1.6 reset type for a 2.0.1 Immediate reset."""
    soft_reset_as: Literal["OnIdle", "Immediate"] = "OnIdle"
    """2.0.1 reset type for a 1.6 Soft reset."""
    start_on: Literal["power_path_closed", "authorized"] = "power_path_closed"
    """When a 2.0.1 transaction becomes a 1.6 transaction."""
    stop_on: Literal["ended", "deauthorized"] = "ended"
    """When it ends in 1.6."""
    unlock_stops_transaction: bool = True
    """A 1.6 UnlockConnector stops the running 2.0.1 transaction first."""
    allow_unsigned_downgrade: bool = False
    """Send a signed firmware update as a plain one to a charger without the security extension."""
    tx_attempts: int = 5
    """Deliveries of a transaction message before it becomes a dead letter; what is refused with InternalError or GenericError
    after its charger was answered gets at least 8."""
    tx_retry_interval: float = 10
    """Seconds before the second delivery of what got no answer; multiplied by the number of failures."""
    upstream_down_policy: Literal["buffer", "disconnect_charger"] = "buffer"
    """What `translate` does while the CSMS is away."""
    unknown_tx_policy: Literal["ack_and_log", "synthesize"] = "ack_and_log"
    """StopTransaction of an unknown transaction: acknowledge, or report a Started and Ended pair."""
    deauthorise: bool = True
    """`translate`: stop a transaction that was accepted here and that the CSMS refuses later (the gateway: as the route says)."""
    post_boot: bool = False
    """`translate`: run the post-boot tasks (the gateway always does)."""
    registered: bool = True
    """`translate`: the charger has an accepted registration when the conversation begins."""

    def __post_init__(self) -> None:
        if self.carry_lossy != "off" and not self.vendor_id:
            raise ValueError("carry_lossy needs vendor_id, a reverse-DNS id such as org.example.gateway")
        for number, place in self.topology.items():
            if not (number.isascii() and number.isdecimal() and int(number) and str(int(number)) == number):
                raise ValueError(f"topology: {number} is no connectorId from 1 up")
            if min(place) < 1 or sum(place == other for other in self.topology.values()) > 1:
                raise ValueError(
                    f"topology: {list(place)} must be [evseId, connectorId] from 1 up, and of one connector only"
                )
