"""What must survive a restart of one (charger, upstream) pair. Only ever extended, always with defaults."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from .kept import Kept, whole

FORMAT = 2
"""A reader refuses facts with a newer number. 2: `Course`s that are newer may be stored beside them; facts without say 1."""


class Token(msgspec.Struct, omit_defaults=True, gc=False):
    """An IdTokenType of the 2.0.1 side, kept so that an idTag maps back to the exact original (spec 2.3)."""

    idToken: str
    type: str
    additionalInfo: list[dict[str, str]] | None = None


class Transaction(msgspec.Struct, array_like=True):
    """A transaction of a 1.x charger as a 2.x CSMS sees it (spec 3.2). `tid` is the charger's number, `uuid` the CSMS's.

    Stored as an array: new members come last.
    """

    tid: int
    uuid: str
    connector: int
    start_key: str
    """What makes a StartTransaction the same one again: connector, idTag, timestamp, meterStart, reservationId."""
    id_tag: str
    meter_start: int
    started_at: str
    state: Literal["starting", "open", "ended"] = "starting"
    next_seq: int = 1
    """Number of the next event; 0 is the Started event."""
    charging_state: str = ""
    """Last chargingState the CSMS was told."""
    started_state: str = ""
    """chargingState of the Started event: a repeated one is the same event."""
    charged: bool = False
    """It was Charging at some time."""
    register_wh: str = ""
    """Last energy register seen, Wh, as a plain decimal."""
    remote_start_id: int | None = None
    reservation: int | None = None
    place: tuple[int, int] | None = None
    """(evse, connector) that the Started event names."""
    synthetic: bool = False
    """Only its end was ever heard of."""
    token: Token | None = None
    """What the Started event carried as idToken."""
    auth_status: str = ""
    """1.6 status that the charger was (or is to be) answered with."""
    auth_info: dict[str, Any] | None = None
    """The idTagInfo of the StartTransaction answer, replayed to a retry."""
    deauth_enforced: bool = False
    """The gateway stopped it because the CSMS refused the token late."""
    offline: bool = False
    """Its Started event left after an outage of the upstream."""
    refused: bool = False
    """The CSMS has refused its Started event."""
    fault_reported: bool = False
    ended_key: str = ""
    ended_at: int = 0
    """Wall clock ms of the end; the record is kept for 7 days."""
    stop_info: dict[str, Any] | None = None
    """The StopTransaction answer, replayed to a retry."""
    pending: dict[str, int] = {}
    """Content of an event that the CSMS has not acknowledged -> its seqNo."""
    recent: dict[str, int] = {}
    """Digest of meter values that the CSMS acknowledged -> when they were received, ms."""
    stop_accepted: bool = False
    """The charger has said that it stops it because of `deauth_enforced`."""
    stop_answered: bool = False
    """The charger was answered its StopTransaction in the place of the CSMS, which may never take it."""


class Course(msgspec.Struct, array_like=True, gc=False):
    """What moves in a transaction with every meter value (members as in `Transaction`): it is stored alone, many times as short."""

    uuid: str
    next_seq: int
    register_wh: str
    pending: dict[str, int]
    recent: dict[str, int]


class Connector(msgspec.Struct, omit_defaults=True):
    """A 1.6 connector as last reported, and what the CSMS was last told of it."""

    status: str = ""
    """Last 1.6 status of the charger."""
    told: str = ""
    """Last ConnectorStatus (connector 0: AvailabilityState) the CSMS acknowledged since boot."""
    news: bool = False
    """The CSMS was away since: the next report is told to it even if it is the same."""
    told_state: str = ""
    errors: dict[str, str] = {}
    """Active 1.6 errorCode -> the techCode its NotifyEvent carried."""
    since: str = ""
    """Timestamp of `status`."""
    heard: int = 0
    """When the charger last reported this connector, ms."""


class RemoteStart(msgspec.Struct, omit_defaults=True, gc=False):
    """An accepted RequestStartTransaction that waits for its StartTransaction (spec 3.4)."""

    remote_start_id: int
    id_tag: str
    token: Token
    connector: int
    """0: any."""
    expires: int
    profile: dict[str, Any] | None = None


class Job(msgspec.Struct, omit_defaults=True, gc=False):
    """A running log upload or firmware update (spec 3.9)."""

    request_id: int
    via: str
    last_status: str = ""
    booted: bool = False
    """A boot was explained by this update."""


class Authorization(msgspec.Struct, omit_defaults=True, gc=False):
    """A cached verdict of the CSMS (spec 3.5)."""

    info: dict[str, Any]
    """The 1.6 idTagInfo."""
    at: int
    """Wall clock ms of the verdict."""
    evses: list[int] = []
    """EVSEs the token may use; empty: all."""


class Key(msgspec.Struct, array_like=True, gc=False):
    """A configuration key of a 1.6 charger as last read. Stored as an array: new members come last."""

    value: str | None
    readonly: bool


class LocalList(msgspec.Struct, omit_defaults=True):
    """A local authorization list."""

    version: int = 0
    entries: dict[str, dict[str, Any]] = {}
    """Casefolded idTag -> 1.6 idTagInfo."""


class Facts(msgspec.Struct, omit_defaults=True, dict=True):
    """Everything a translated link remembers."""

    format: int = 1
    given: dict[str, dict[str, Any]] = {}
    """Per undelivered journal entry: the ids and numbers it was given, so that deciding it again gives the same frames."""
    registration: Literal["", "Pending", "Rejected", "Accepted"] = ""
    interval: int = 0
    boot: dict[str, Any] | None = None
    """Last BootNotification of the charger (1.6 payload)."""
    connectors: dict[int, Connector] = {}
    topology: dict[int, tuple[int, int]] = {}
    """Connector number -> (evse, connector) for those that are not identity; never renumbered."""
    known_connectors: int = 0
    """NumberOfConnectors as read from the charger; 0: not read yet."""
    transactions: list[Transaction] = []
    """Those that have not ended."""
    remote_starts: list[RemoteStart] = []
    early: dict[str, str] = {}
    """Journal entry that was answered while the upstream was away -> the status the charger was told."""
    triggers: dict[str, int] = {}
    """`message:connector` of an accepted TriggerMessage -> wall clock ms when it expires."""
    reset: str = ""
    """Reason of the next BootNotification after an accepted Reset."""
    reset_expires: int = 0
    reset_when_idle: bool = False
    """An OnIdle reset waits for the last transaction to end."""
    firmware: Job | None = None
    log: Job | None = None
    next_event: int = 1
    last_tid: int = 0
    keys_read_at: int = 0
    measured: dict[str, str] = {}
    """Last values without a 2.0.1 measurand (Temperature, RPM), by name; their units, by name and ` unit`."""
    connected_at: int = 0
    """When the charger's current connection was accepted, ms; 0: not known."""
    booted_at: int = 0
    """When the station booted, ms, while the tasks that follow a boot are not complete."""
    introduced: bool = False
    """On this connection a charger of unknown registration was asked to boot, or the gateway booted in its name."""
    unsupported: list[str] = []
    """Actions the peer answered with NotImplemented or NotSupported on this connection."""
    extra: dict[str, Any] = {}
    """Room for blocks that own their state (profiles, reservations, monitors), by block name."""
    kept: dict[str, bytes] = {}
    """The parts below, packed."""
    ended = Kept(list[Transaction], list)
    """Transactions that have ended, for late retries."""
    tokens = Kept(dict[str, Token], dict)
    """Casefolded idTag -> the token it stands for."""
    authorizations = Kept(dict[str, Authorization], dict)
    """Casefolded idTag -> last verdict."""
    keys = Kept(dict[str, Key], dict)
    """Configuration of the charger as last read."""
    local_list = Kept(LocalList, LocalList)
    """The last list that the charger accepted."""


encode_members = msgspec.msgpack.Encoder().encode
"""The facts of any pair, but for what is kept packed."""
_decoder = msgspec.msgpack.Decoder(Facts)
_courses = msgspec.msgpack.Decoder(list[Course])


def encode(facts: Any) -> bytes:
    """All facts of any pair as one."""
    return whole(facts, encode_members)


def decode(raw: bytes) -> Facts:
    """Load facts. Raises ValueError if a newer release wrote them."""
    facts = _decoder.decode(raw)
    if facts.format > FORMAT:
        raise ValueError(f"facts have format {facts.format}, this release reads up to {FORMAT}")
    return facts


def encode_courses(of: Iterable[Transaction]) -> bytes:
    """What moves in transactions."""
    courses = []
    for each in of:  # no comprehension: that would be a call more for each message
        courses.append(Course(each.uuid, each.next_seq, each.register_wh, each.pending, each.recent))
    return encode_members(courses)


def follow(facts: Facts, raw: bytes) -> None:
    """Bring transactions to where their courses are."""
    courses = {course.uuid: course for course in _courses.decode(raw)}
    for each in facts.transactions:
        if course := courses.get(each.uuid):
            each.next_seq, each.register_wh = course.next_seq, course.register_wh
            each.pending, each.recent = course.pending, course.recent
