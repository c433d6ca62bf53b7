"""What must survive a restart of one (2.0.1 charger, 1.6 CSMS) pair. Only ever extended, always with defaults.

Connectors are known by their 1.6 number; 0 is the station.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from ..dialogue import Dialogue
from ..facts import Authorization, Job, Token
from ..kept import Kept
from ..options import Options

FORMAT = 1
"""A reader refuses facts with a newer number."""


class Fault(msgspec.Struct, omit_defaults=True, gc=False):
    """An error that the charger has reported and not cleared."""

    code: str
    """1.6 errorCode."""
    tech_code: str = ""
    tech_info: str = ""


class Connector(msgspec.Struct, omit_defaults=True):
    """A connector as last reported, and what the CSMS was last told of it (spec 2.5)."""

    status: str = ""
    """Last ConnectorStatus of the charger; empty: not heard of yet."""
    since: str = ""
    """Timestamp of what made its 1.6 status."""
    finishing: bool = False
    """Its last transaction has ended and it has not been Available since."""
    told: str = ""
    """Last 1.6 status that the CSMS acknowledged since the charger's boot."""
    faults: dict[str, Fault] = {}
    """By component, variable and techCode; the last one is the newest."""
    occupied_at: int = 0
    """When it was last reported Occupied, ms."""


class Transaction(msgspec.Struct, omit_defaults=True):
    """A transaction of the charger (spec 3.3). `txid` is the charger's id, `tid` the CSMS's."""

    txid: str
    state: str = "new"
    """new: nothing told; starting: what the StartTransaction says is settled; open: the CSMS has it; ended."""
    tid: int = 0
    bound: int = 0
    """Order in which the CSMS gave its numbers: of two transactions with the same one the later counts."""
    connector: int = 0
    """0: the charger has not said where it is."""
    evse: int = 0
    id_tag: str = ""
    """Empty: no token yet."""
    verdict: dict[str, Any] | None = None
    """The idTagInfo of the StartTransaction answer."""
    reservation: int | None = None
    charging_state: str = ""
    """Last chargingState of the charger."""
    charged: bool = False
    """It was Charging at some time."""
    connected: bool = False
    """An EV was connected at some time."""
    stopping: bool = False
    """Its token was refused or presented again: the end is near."""
    freed: bool = False
    """The connector became Available while it ran."""
    begin: str = ""
    """Register with context Transaction.Begin, Wh, as a plain decimal."""
    first: str = ""
    """First register that it showed, Wh."""
    last: str = ""
    """Last register that it showed, Wh."""
    awaits_register: bool = False
    """It may start as soon as a register is known."""
    relative: bool = False
    """No register was known at the start: meterStart is 0 and meterStop what was charged since."""
    start_at: str = ""
    """timestamp of the StartTransaction."""
    meter_start: int = 0
    refusal: dict[str, Any] | None = None
    """The idTokenInfo that the charger must still be told: it was let charge before the CSMS refused the token."""
    refusal_told: bool = False
    """The CSMS refused the token after the charger was let charge."""
    ending: bool = False
    """Its Ended event has come."""
    ended_at: int = 0
    """Wall clock ms of the end; the record is kept for 7 days."""
    seen: list[tuple[int, int]] = []
    """Ranges of the seqNos that are dealt with."""
    answers: dict[str, dict[str, Any]] = {}
    """Answers to events that are not empty, by seqNo or content."""
    contents: list[str] = []
    """The events that are dealt with and have no number that counts: ends, and all of a charger that says 0 always."""


class RemoteStart(msgspec.Struct, omit_defaults=True, gc=False):
    """A RemoteStartTransaction that the charger accepted (spec 3.4)."""

    id: int
    id_tag: str
    expires: int
    txid: str = ""
    """The transaction that was running before the token came."""


class Installed(msgspec.Struct, omit_defaults=True, gc=False):
    """A charging profile that the charger accepted (spec 3.7)."""

    id: int
    purpose: str
    level: int
    evse: int
    """0: of the station, or that of a transaction which has not said where it is."""
    txid: str = ""
    remote: int = 0
    """remoteStartId that it came with, while its transaction has not begun."""


class Known(msgspec.Struct, omit_defaults=True, gc=False, array_like=True):
    """A variable of the charger, as far as configuration keys need it."""

    name: str = ""
    """Flat key of a variable that no 1.6 key maps to; empty: one maps."""
    mutability: str = ""
    """Empty: ReadWrite."""
    max_limit: str = ""
    values: str = ""
    value: str = ""
    """Only of the few that the gateway itself goes by."""


class Facts(msgspec.Struct, omit_defaults=True, dict=True, tag_field="pair", tag="v201_v16"):
    """Everything that the pair remembers. The tag tells these facts from those of other pairs."""

    format: int = FORMAT
    given: dict[str, dict[str, Any]] = {}
    """Per undelivered journal entry: what it was given and what of it is done, so that deciding it again goes on from there."""
    registration: Literal["", "Pending", "Rejected", "Accepted"] = ""
    """Last registration status; empty: not known."""
    interval: int = 0
    boot: dict[str, Any] | None = None
    """Last BootNotification of the charger (2.0.1 payload)."""
    booted_at: int = 0
    """When the station booted, ms, while the tasks that follow a boot are not complete."""
    introduced: bool = False
    """On this connection a charger of unknown registration was asked to boot, or the gateway booted in its name."""
    connected_at: int = 0
    connectors: dict[int, Connector] = {}
    inoperative: bool = False
    """The CSMS made the whole station inoperative."""
    topology: dict[int, tuple[int, int]] = {}
    """Connector number -> (evse, connector) for those that are not identity; never renumbered."""
    known_connectors: int = 0
    transactions: list[Transaction] = []
    """Those that have not ended."""
    bindings: int = 0
    """How many transactions the CSMS has numbered."""
    registers: dict[int, str] = {}
    """EVSE -> its newest energy register, Wh."""
    local_list_version: int = 0
    remote_starts: list[RemoteStart] = []
    last_number: int = 0
    """Last remoteStartId, requestId or schedule id that the gateway made up."""
    triggers: dict[str, int] = {}
    """`message:connector` of an accepted trigger -> wall clock ms when it expires."""
    unlocking: dict[int, int] = {}
    """Connector that the CSMS wants unlocked -> wall clock ms until which a stop is due to that."""
    reset: str = ""
    """Type of an accepted Reset: Hard or Soft."""
    reset_expires: int = 0
    firmware: Job | None = None
    log: Job | None = None
    profiles: list[Installed] = []
    model_read_at: int = 0
    """When the last full inventory was complete, ms; 0: never."""
    reported: list[tuple[int, int]] = []
    """(evse, connector; 0: of the EVSE as a whole) of the report under way."""
    report_id: int = 0
    """requestId of the gateway's own report that is under way."""
    phases: dict[str, str] = {}
    """Measurand key -> the list with phases as the CSMS wrote it."""
    message: dict[str, Any] | None = None
    """What the CSMS wants the driver to read: goes with the next answer to a transaction event."""
    unsupported: list[str] = []
    """Actions a peer answered with NotImplemented or NotSupported on this connection: `charger X`, `csms X`."""
    tunnel: bool | None = None
    """Whether the CSMS answers the gateway's own DataTransfers, as a gateway does; None: not tried."""
    copies: bool = False
    """The CSMS accepts the gateway's own DataTransfers without an answer: it keeps copies."""
    kept: dict[str, bytes] = {}
    """The parts below, packed."""
    ended = Kept(list[Transaction], list)
    """Transactions that have ended, for late retries."""
    tokens = Kept(dict[str, Token], dict)
    """Casefolded idTag -> the token it stands for."""
    authorizations = Kept(dict[str, Authorization], dict)
    """Casefolded idTag -> last verdict."""
    local_list = Kept(dict[str, dict[str, Any]], dict)
    """Casefolded idTag -> idTagInfo of the last accepted list."""
    model = Kept(dict[str, Known], dict)
    """The charger's variables that configuration keys need or that can be written, by flat key (config-keys 6.2)."""
    carried: bool = False
    """The charger is a gateway whose customData tells the 1.6 statuses: none is made here."""


def facts_of(d: Dialogue) -> Facts:
    facts: Facts = d.facts
    return facts


def options_of(d: Dialogue) -> Options:
    options: Options = d.options
    return options


def has(d: Dialogue, feature: str) -> bool:
    """Whether the 1.6 peer has a feature profile or one of the extensions `security`, `pnc`, `costmsg`."""
    return feature in options_of(d).features


def connector_of(d: Dialogue, number: int) -> Connector:
    """The record of a connector."""
    connectors = facts_of(d).connectors
    found = connectors.get(number)
    if found is None:
        found = Connector()
        if len(connectors) < 256:
            connectors[number] = found
    return found


def next_number(d: Dialogue, name: str) -> int:
    """A positive int32 that was never used before for this charger; the same again when its entry is decided again."""
    facts = facts_of(d)

    def take() -> int:
        facts.last_number = facts.last_number + 1 if facts.last_number else d.clock // 1000
        return facts.last_number

    return d.once(name, take)
