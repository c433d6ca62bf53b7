"""One CSMS in the configuration: where it is, how a charger shows itself to it, what it gets and what it may do."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from gateway.config_kinds import UNITS, Duration, Positive, Secret, Secrets, Size, Text, Version
from translators.options import Options

_AGO: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)", re.ASCII)


class Forward(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which CALLs of a charger it receives, by the action's name in the charger's version."""

    only: tuple[str, ...] = ()
    """It receives these actions only. Empty: all but those of `except`."""
    except_: tuple[str, ...] = msgspec.field(default=(), name="except")
    """It receives all actions but these."""

    def allows(self, action: str) -> bool:
        """Whether it receives a charger's CALL with this action."""
        return action in self.only if self.only else action not in self.except_


class Upstream(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A CSMS. Its name is the label in metrics and logs."""

    url: Annotated[str, Meta(min_length=1, extra={"kind": "secret"})]
    """`ws://` or `wss://` address; the charger id replaces `{id}`, else it is appended as last path segment.
    May hold `user:password@`."""
    version: Version
    """OCPP version that it speaks."""
    charger_id: Text = "{id}"
    """What it calls a charger: `{id}` stands for the identity with which the charger came."""
    charger_ids: dict[str, str] = {}
    """Chargers that it calls otherwise: identity of the charger -> its id at this CSMS."""
    credentials: Literal["auto", "none", "basic", "passthrough", "vault", "certificate"] = "auto"
    """How a charger is shown to be itself: `basic` sends user name and password, `passthrough` the Authorization header
    with which the charger came (more than one process needs `vault.key` for it), `vault` the charger's own password, sealed in the
    store (`ocpp-gateway vault`), `certificate` the client certificate. `auto`: `basic` when there is a password, else
    `certificate` when there is one, else `none`."""
    username: str = ""
    """User name for HTTP Basic; empty with a password: the charger's id at this CSMS."""
    password: Secret = ""
    """Password for HTTP Basic; `hex:00ff..` for one that is no text."""
    passwords: Secrets = {}
    """Passwords per charger: identity -> password. Other chargers use `password`."""
    client_cert: str = ""
    """File with the gateway's certificate chain (PEM), for `wss://`."""
    client_key: str = ""
    """File with the private key of `client_cert` (PEM)."""
    ca_file: str = ""
    """File with the authorities (PEM) that may have signed its certificate; empty: those of the system."""
    call_timeout: Positive = 20
    """Time it has to answer a CALL."""
    connect_timeout: Positive = 10
    """Time for TCP, TLS and the HTTP upgrade together."""
    reconnect_min: Positive = 1
    """First wait before dialling again; doubled every time, with full jitter."""
    reconnect_max: Positive = 60
    """Longest wait before dialling again."""
    ping_interval: Duration = 30
    """Time between keep-alive pings to it; 0 sends none."""
    linger: Duration = 30
    """How long the socket for a charger stays open after that charger left."""
    forward: Forward = Forward()
    meter_interval: Duration = 0
    """It gets at most one MeterValues (or TransactionEvent Updated with meter values) of a transaction in this time;
    0: all of them."""
    may_command: bool | tuple[str, ...] | None = None
    """Whether it may send CALLs to the chargers, or which actions of its OCPP version; the others are answered with a
    refusal. Not given: the primary of a route may, and so may an upstream named in its `authority`; other mirrors not."""
    may_configure: bool | tuple[str, ...] = True
    """Whether it may change configuration keys (or variables) of the chargers, or which. What it may not change is kept for
    it alone: it reads back what it wrote, and the charger never hears of it."""
    stack_levels: tuple[int, int] | None = None
    """Lowest and highest stack level that its charging profiles have at the charger; not given: as it says."""
    retention: Positive = 7 * 86400.0
    """How long messages wait for it as a mirror before they are dropped (billing messages become dead letters)."""
    retention_bytes: Size = 2 * 2**30
    """How many bytes of messages wait for it as a mirror before the oldest are dropped."""
    replay_from: Text = "tail"
    """Where an upstream that is new begins: `tail`: with what comes, after the boot, the statuses and the open transactions;
    `start`: with the oldest message that is still stored; a duration such as `7d`: with those of so long ago; or an ISO 8601
    time. What every other upstream has been told stays stored for `redis.keep` only."""
    shadow: bool = False
    """As a mirror: its answers are compared with the primary's, and counted."""
    options: Options = Options()
    """How messages are translated for it when its version is not the charger's."""

    def __repr__(self) -> str:
        return f"Upstream(url={self.url!r}, version={self.version!r}, ...)"

    def id_of(self, charger: str) -> str:
        """What this CSMS calls the charger."""
        mapped = self.charger_ids.get(charger.casefold()) or self.charger_ids.get(charger)
        return mapped or self.charger_id.replace("{id}", charger)

    def password_of(self, charger: str) -> str:
        """The password for HTTP Basic of this charger; "" if there is none."""
        return self.passwords.get(charger.casefold()) or self.passwords.get(charger) or self.password

    @property
    def authentication(self) -> Literal["none", "basic", "passthrough", "vault", "certificate"]:
        """`credentials` with `auto` resolved. A client certificate is shown whenever there is one."""
        if self.credentials != "auto":
            return self.credentials
        if self.password or self.passwords or self.username:
            return "basic"
        return "certificate" if self.client_cert else "none"

    def begins(self, now: int) -> str:
        """Journal id after which its groups begin on a stream that has entries: `$` is the tail, `0` the oldest entry. `now`: ms.

        Raises ValueError for a `replay_from` that is no time.
        """
        if self.replay_from in ("tail", "start"):
            return "$" if self.replay_from == "tail" else "0"
        if ago := _AGO.fullmatch(self.replay_from):
            begin = now - float(ago[1]) * UNITS[ago[2]] * 1000
        else:
            at = datetime.fromisoformat(self.replay_from)
            begin = (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp() * 1000
        return f"{max(0, round(begin))}-0"
