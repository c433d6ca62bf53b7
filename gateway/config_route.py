"""One route in the configuration: which chargers, which CSMSs, who answers, who may command."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from gateway.config_kinds import Duration, Percent, Positive, Text


class When(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the charger must be, as patterns like `match`; what is empty does not matter. It is learned from the last
    BootNotification that was answered: before the first one no route with such a condition fits."""

    vendor: str = ""
    """Pattern for the vendor's name."""
    model: str = ""
    """Pattern for the model."""
    firmware: str = ""
    """Pattern for the firmware version."""
    version: str = ""
    """Pattern for the OCPP version of the connection, such as `ocpp1.6`."""

    def __bool__(self) -> bool:
        return bool(self.vendor or self.model or self.firmware or self.version)


class Canary(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the route's chargers, always the same ones, has another primary."""

    upstream: str = ""
    """Primary of these chargers; the route's primary becomes a mirror of theirs. Empty: no canary."""
    percent: Percent = 0
    """How many of a hundred chargers. A higher number adds chargers and moves none back."""


class Local(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the gateway decides itself while the primary is away, under `primary_down: local`."""

    authorize: Literal["cache", "accept", "deny"] = "cache"
    """Who may charge: `cache`: whom the primary accepted within `cache_ttl`; `accept`: also whom it has never been asked
    about; `deny`: nobody. It also decides about a StartTransaction and about the token of a TransactionEvent."""
    cache_ttl: Positive = 86400.0
    """How long a verdict of the primary counts, unless its own expiry date comes first."""
    boot_ttl: Positive = 30 * 86400.0
    """A boot is accepted here when the primary accepted the same charger (vendor, model, serial number) within this time;
    else it is answered with Pending."""
    boot_interval: Positive = 300.0
    """`interval` of such a Pending, and of an Accepted when the primary's is not known."""


Change: TypeAlias = Literal["deny", "consume", "alert", "allow"]
"""What becomes of a command: refused (SecurityError); answered Accepted here while the charger never hears of it; passed on and
told in log and metrics; passed on."""


class Lifeline(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a CSMS may change of that by which a charger reaches the gateway: `deny` it (SecurityError), `consume` it (the CSMS hears
    Accepted, the charger nothing), let it pass with an `alert` (log line and metric), or `allow` it silently. All but `allow` are
    told. See [Hardening](hardening.md)."""

    address: Literal["deny", "consume", "rewrite", "alert", "allow"] = "deny"
    """Where it connects to, and as whom: SetNetworkProfile, NetworkConfigurationPriority, ChargePointId, keys of vendors with
    the CSMS's address, every value that begins with ws:// or wss://. `rewrite` puts `url` in its place."""
    security_profile: Change = "deny"
    """SecurityProfile, AllowSecurityProfileDowngrade."""
    passwords: Change = "alert"
    """AuthorizationKey, BasicAuthPassword."""
    organization: Change = "alert"
    """CpoName, OrganizationName."""
    certificates: Literal["deny", "alert", "allow"] = "alert"
    """InstallCertificate of a root by which it knows the CSMS, CertificateSigned (not for ISO 15118), DeleteCertificate."""
    firmware: Literal["deny", "alert", "allow"] = "alert"
    """UpdateFirmware, SignedUpdateFirmware."""
    keys: tuple[str, ...] = ()
    """Further keys (2.x: variables) of vendors that hold the CSMS's address."""
    url: str = ""
    """Of `address: rewrite`: by which the chargers reach this gateway, `{id}` stands for the identity."""


class RouteConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which upstreams serve which chargers; the first route that fits wins."""

    primary: Text
    """Upstream whose answers the charger gets."""
    match: Text | tuple[str, ...] = "*"
    """The charger's identity, or patterns for it: `*`, `?` and `[abc]`, or `re:` and a regular expression for the whole
    identity. One of a list must fit. Upper and lower case are the same."""
    name: str = ""
    """Name by which the registry gives this route to a charger. With a name, `match` may be `[]`: only such chargers."""
    groups: tuple[str, ...] = ()
    """Only chargers that the registry has in one of these groups. Empty: any."""
    when: When = When()
    mirrors: tuple[str, ...] = ()
    """Upstreams that get a copy of everything and whose answers go nowhere."""
    primary_down: Literal["close", "buffer", "local"] = "close"
    """When the primary is unreachable: `close` the charger's socket after `hold`, so that its own offline rules apply;
    `buffer`: answer from what is known, keep every message and deliver it later; `local`: the same, and decide as `local`
    says."""
    hold: Duration = 20
    """How long the primary may be unreachable before `close` closes, or before `local` decides in its place (20 s at the most)."""
    local: Local = Local()
    deauthorise: bool = True
    """A transaction that was accepted here while the primary was away, and that the primary then rejects, is stopped with a
    RemoteStopTransaction."""
    answers: dict[str, Literal["sync", "early"]] = {}
    """When a charger's CALL is answered: `sync` (default) after the primary has, `early` as soon as the message is stored.
    Per action, or per class: `billing`, `must_arrive`, `perishable`. What needs a decision of the CSMS is always `sync`."""
    authority: dict[str, str] = {}
    """Charger's action -> upstream whose answer the charger gets to it, instead of the primary's. MeterValues go with
    StartTransaction."""
    commands: dict[str, tuple[str, ...]] = {}
    """CSMS's action -> the only upstreams that may send it, whether they may send others or not; named as in 1.6 or 2.0.1,
    both are meant."""
    charging_profiles: Literal["stack", "minimum"] = "stack"
    """Charging profiles of several upstreams: `stack` them at the charger (each within its `stack_levels`), or give the
    charger the `minimum` of all as one profile."""
    repair: Literal["", "off", "safe", "full"] = ""
    """Like `charger.repair`, which counts where this is empty."""
    unknown_actions: Literal["refuse", "forward"] = "refuse"
    """A CALL of a charger with an action that its version does not have: NotImplemented, or, if the primary speaks the same version,
    told to it as it is (`strict` chargers: never). Holds from the next connection of a charger."""
    canary: Canary = Canary()
    lifeline: Lifeline = Lifeline()

    @property
    def patterns(self) -> tuple[str, ...]:
        """`match` as a list."""
        return (self.match,) if isinstance(self.match, str) else self.match

    @property
    def upstreams(self) -> tuple[str, ...]:
        """The primary, then the mirrors."""
        return (self.primary, *self.mirrors)
