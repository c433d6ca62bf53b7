"""Who may pass one listener: source, identity, credentials, profile, room (reliability 1.6, 2.1-2.4; rows H01-H28)."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NoReturn
from urllib.parse import quote

import msgspec
import structlog
from websockets.datastructures import Headers

from gateway import passwords
from gateway.config_listen import Listen, networks
from gateway.edge import certificates
from gateway.edge.access import Admission, Denied, Rate, choose, identity_of, negotiate, unauthorized, unknown
from gateway.edge.certificates import BadCertificate, Certificate
from gateway.edge.counters import EdgeCounters, count, odd
from gateway.edge.credentials import Busy, Checker, basic, same_user
from gateway.edge.lockout import Lockout, prefix
from gateway.edge.source import forwarded, within
from gateway.edge.sources import Sources
from gateway.journal.errors import StoreDown
from gateway.registry import Charger, Registry

if TYPE_CHECKING:
    from gateway.config_limits import Limits
    from gateway.journal.journal import Journal

log = structlog.get_logger(__name__)

NO_ROUTE: Final = "unknown_identity"
"""What `Terms.refuse` says of a charger that no route fits: it is refused like one that does not exist (H07)."""


class Visitor(msgspec.Struct, frozen=True):
    """Who knocks."""

    peer: str
    """Address of the other end of the socket."""
    source: str = ""
    """Address of the client as the PROXY protocol has it; empty: it is the peer."""
    certificate: Certificate | None = None
    """What the other end of the socket showed, verified."""


class Claim(msgspec.Struct, frozen=True):
    """A handshake that may still fail."""

    identity: str
    common: list[tuple[str, str]]
    charger: Charger | None
    source: str
    password: bytes | None = None
    """To be checked; None: there is none, or it is right."""
    serials: frozenset[str] = frozenset()


class Terms(msgspec.Struct):
    """What all listeners of a process share."""

    journal: Journal
    registry: Registry
    counters: EdgeCounters
    checker: Checker
    lockout: Lockout
    clock: Callable[[], float]
    present: Callable[[str], bool]
    """Whether a charger is connected here: it takes its own place."""
    closed: Callable[[], Denied | None]
    """Why nobody is let in now."""
    sources: Sources
    limits: Callable[[], Limits]
    answers: Callable[[str], Awaitable[bool]]
    """Whether a charger that is connected here answers a ping."""
    refuse: Callable[[str], str | None] | None = None
    """Why a charger is refused with 503 or, if `NO_ROUTE`, with 404."""
    native: Callable[[str], str] | None = None
    """The version that a charger's primary speaks."""
    pins: Mapping[str, tuple[str, ...]] = {}
    """Charger (casefolded) -> the versions that it shall speak, if it offers one of them."""


class Gate:
    """Decides the handshakes of one listener."""

    def __init__(self, listen: Listen, terms: Terms) -> None:
        self.ping_interval = listen.ping_interval
        self.open = 0
        """Chargers connected here."""
        self._terms = terms
        self.proxies = networks(listen.proxy.addresses)
        self.change(listen)
        self._counted_before = bool(listen.tls.cert) and not listen.proxy.forwarded_for
        """The door has asked `too_many` before TLS."""
        self._decoy = ""

    def change(self, listen: Listen) -> None:
        """These are the settings from now on, for handshakes and new connections. What cannot change is the same as before."""
        self.listen = listen
        self.read_limit = listen.max_frame
        self.write_limit = listen.write_buffer
        self.upgrade_timeout = listen.handshake_timeout
        self._allowed = networks(listen.allow_from or (("private",) if listen.security_profile < 2 else ("any",)))
        self._rate = Rate(listen.accept_rate, listen.accept_burst)
        self._before_tls = Rate(listen.accept_rate, listen.accept_burst)

    def check(self, visitor: Visitor, path: str, headers: Headers, offered: Sequence[str]) -> Claim:
        """What can be decided at once. Raises Denied."""
        terms, listen, profile = self._terms, self.listen, self.listen.security_profile
        if (closed := terms.closed()) is not None:
            raise closed
        source = self._source(visitor, headers)
        if not self._counted_before and self._from_one(source):
            raise Denied(429, "Too many connections from this address.\n", "rate_limited")
        identity = self._identity(path, headers)
        exists, charger = terms.registry.exists(identity), terms.registry.get(identity)
        common = negotiate(
            identity, offered, listen.subprotocols,
            exact=charger is not None and charger.strict, assumed=listen.assume_subprotocol,
        )  # fmt: skip
        if not exists and not (listen.hide_unknown and profile in (1, 2)):
            raise unknown()
        password, serials = None, frozenset[str]()
        if profile in (1, 2):
            password = self._basic(identity, charger, source, headers)
        elif profile == 3:
            serials = self._certificate(identity, charger, source, visitor, headers)
        return Claim(identity, common, charger, source, password, serials)

    async def admit(self, claim: Claim) -> Admission:
        """The rest of the decision, which takes passwords and the store. Raises Denied."""
        terms, identity, charger = self._terms, claim.identity, claim.charger
        if claim.password is not None:
            await self._password(claim, claim.password)
        if charger is not None and charger.blocked:
            raise Denied(403, "Blocked.\n", "blocked")
        common = claim.common
        if charger is not None and charger.versions:
            common = negotiate(
                identity, [spelled for _, spelled in common if spelled], charger.versions,
                assumed=common[0][0] if not common[0][1] and common[0][0] in charger.versions else "",
            )  # fmt: skip
        if (pinned := terms.pins.get(identity.casefold())) is not None:
            common = [pair for pair in common if pair[0] in pinned] or common
        await self._downgrade(claim)
        # All of it may have changed meanwhile.
        if (closed := terms.closed()) is not None:
            raise closed
        if not terms.registry.exists(identity) or terms.registry.get(identity) != charger:
            raise Denied(503, "The registry has just changed.\n", "other")
        if self.open >= self.listen.max_connections and not terms.present(identity):
            count(terms.counters.limits, "connections")
            raise Denied(503, "Too many connections.\n", "over_capacity")
        if not self.listen.security_profile and terms.present(identity) and await terms.answers(identity):
            raise Denied(409, "A charger of this name is connected.\n", "duplicate_identity")
        why = None if terms.refuse is None else terms.refuse(identity)
        if why == NO_ROUTE:
            raise unknown()
        if why is not None:
            raise Denied(503, "Not available now.\n", why)
        version, spelled = choose(common, terms.native(identity) if terms.native is not None else "")
        if not self._rate.take(terms.clock()):
            count(terms.counters.limits, "accept_rate")
            raise Denied(503, "Too many new connections.\n", "rate_limited")
        return Admission(identity, version, spelled, claim.serials, charger is not None and charger.strict)

    def origin(self, visitor: Visitor, headers: Headers) -> str:
        """Address of the client: the peer's, or what a proxy of ours says."""
        source, proxy = visitor.source, self.listen.proxy
        if not source and proxy.forwarded_for and within(visitor.peer, self.proxies):
            source = forwarded(headers.get_all("X-Forwarded-For"), self.proxies)
        return source or visitor.peer

    def too_many(self, source: str) -> str:
        """The limit that a new connection of this address exceeds, before anything was read of it; "": none."""
        if not self.listen.proxy.forwarded_for and self._from_one(source):
            return "source_rate"
        if not self._before_tls.take(self._terms.clock()):
            count(self._terms.counters.limits, "accept_rate")
            return "accept_rate"
        return ""

    # Inside.

    def _from_one(self, source: str) -> bool:
        """Whether one address knocks too often; an address of a proxy of ours is nobody's."""
        terms = self._terms
        if within(source, self.proxies) or terms.sources.take(source, terms.limits(), terms.clock()):
            return False
        count(terms.counters.limits, "source_rate")
        return True

    def _identity(self, path: str, headers: Headers) -> str:
        if self.listen.identity_from_username and path.partition("?")[0].endswith("/"):
            given = basic(next(iter(headers.get_all("Authorization")), ""))
            if given is not None:
                return identity_of("/" + quote(given[0], safe=""))
        return identity_of(path)

    def _source(self, visitor: Visitor, headers: Headers) -> str:
        if self.listen.proxy.terminates_tls and not within(visitor.peer, self.proxies):
            raise Denied(403, "Not through the proxy.\n", "auth_failed")
        source = self.origin(visitor, headers)
        if not within(source, self._allowed):
            raise Denied(403, "Not from this network (listen.allow_from).\n", "auth_failed")
        return source

    def _basic(self, identity: str, charger: Charger | None, source: str, headers: Headers) -> bytes | None:
        """The password to check, None if it is known to be right."""
        if ":" in identity:  # H17: no user name can be that
            raise unknown()
        lines = headers.get_all("Authorization")
        if not lines:
            raise unauthorized()
        given = basic(lines[0]) if len(lines) == 1 else None
        folded, checker = identity.casefold(), self._terms.checker
        if given is not None and charger is not None and charger.password:
            user, password = given
            same = same_user(user, identity, exact=self.listen.exact_username)
            # A charger that is known to be right is let in whatever others of its network did.
            if same and checker.known(folded, charger.password, password):
                return None
            if same and charger.next and checker.known(folded, charger.next, password):
                return None
        wait = self._terms.lockout.wait(folded, prefix(source), self._terms.clock())
        if wait > 0:
            retry = (("Retry-After", str(int(wait) + 1)),)
            raise Denied(429, "Too many failures; come back later.\n", "rate_limited", retry)
        if given is None or not same_user(given[0], identity, exact=self.listen.exact_username):
            self._failed(identity, source)
        return given[1]

    async def _password(self, claim: Claim, password: bytes) -> None:
        charger = claim.charger
        stored = charger.password if charger is not None and charger.password else self._nothing()
        checker, folded = self._terms.checker, claim.identity.casefold()
        try:
            right = await checker.check(folded, stored, password)
            if not right and charger is not None and charger.next:
                right = await checker.check(folded, charger.next, password)
                if right and self._terms.registry.password_used is not None:
                    self._terms.registry.password_used(claim.identity, charger.next)
        except Busy:
            raise Denied(503, "Too many new connections.\n", "rate_limited") from None
        if not right or charger is None:
            self._failed(claim.identity, claim.source)
        if claim.common[0][0].startswith("ocpp1") and passwords.is_hex_key(password):
            self._terms.counters.hex_passwords += 1
            odd(self._terms.counters, "auth_hex_verbatim", claim.common[0][0])

    def _nothing(self) -> str:
        """What no password matches, of the kind that others have: the answer takes as long as theirs."""
        if not self._decoy:
            plain = any(passwords.cheap(each.password) for each in self._terms.registry.some(10))
            self._decoy = passwords.sealed(secrets.token_bytes(20)) if plain else passwords.decoy()
        return self._decoy

    def _failed(self, identity: str, source: str) -> NoReturn:
        if self._terms.lockout.failed(identity.casefold(), prefix(source), self._terms.clock()):
            self._event("lockout", identity, source, "too many failures")
        raise unauthorized()

    def _certificate(
        self, identity: str, charger: Charger | None, source: str, visitor: Visitor, headers: Headers
    ) -> frozenset[str]:
        listen = self.listen
        shown = visitor.certificate
        try:
            if listen.proxy.terminates_tls:
                names = shown.common_names if shown is not None else ()
                if not listen.proxy.plain and not set(names) & set(listen.proxy.names):
                    raise BadCertificate("passed on by something that is no proxy of ours")
                lines = headers.get_all(listen.proxy.certificate_header)
                if len(lines) != 1 or not lines[0]:
                    raise BadCertificate("none was passed on")
                shown = certificates.of_header(lines[0], listen.tls)
            if shown is None:
                raise BadCertificate("none was shown")
            return certificates.belongs(shown, listen.tls, identity, charger)
        except (BadCertificate, OSError) as error:
            self._event("certificate", identity, source, str(error))
            raise Denied(401, "Not authorized.\n", "auth_failed") from None

    async def _downgrade(self, claim: Claim) -> None:
        """A charger that came with a higher profile before may not come with this one (A05.FR.07, row H26)."""
        profile, journal = self.listen.security_profile, self._terms.journal
        if not profile and self.listen.allow_downgrade:
            return
        try:
            highest = await journal.highest_profile(claim.identity, journal.partition(claim.identity), profile)
        except StoreDown:
            raise Denied(503, "The store is unavailable.\n", "store_down") from None
        if highest > profile and not self.listen.allow_downgrade:
            self._event("downgrade", claim.identity, claim.source, f"profile {profile} after {highest}")
            raise unauthorized() if profile in (1, 2) else Denied(401, "Not authorized.\n", "auth_failed")

    def _event(self, kind: str, identity: str, source: str, why: str) -> None:
        count(self._terms.counters.security, kind)
        log.warning("security_event", type=kind, charger_id=identity, source=source, why=why)
