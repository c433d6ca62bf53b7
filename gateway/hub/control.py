"""Start, stop, unlock, reserve and reset from several upstreams: who controls a connector, whose a reservation is. Pure."""

from __future__ import annotations

from . import leases
from .arbiter import Arbiter, Payload, Refused, Scene, Step
from .numbers import at_charger, owner
from .profiles import place_profile
from .terms import OWN_MOST, Profile, Terms, trim
from .words import words


def _foreign(s: Scene, place: int | None) -> bool:
    return leases.foreign(s.terms, place, s.link, s.now, bills=s.may.bills)


def _taken(s: Scene, place: int, answer: Payload) -> Payload:
    if answer.get("status") == "Accepted":
        leases.take(s.terms, place, s.link, s.now, strong=True)
        s.changed()
    return answer


def start(s: Scene, request: Payload) -> Step:
    """RemoteStartTransaction, RequestStartTransaction; with its charging profile, if it has one."""
    w = words(s.arbiter.version)
    place = w.place_of(request)
    if place and _foreign(s, place):
        return s.refuse()
    profile = request.get("chargingProfile")
    if profile is None:
        return _taken(s, place, (yield from s.ask(s.action, request)))
    before = dict(s.own.profiles)
    if s.arbiter.minimum:
        if not place:
            return s.refuse()  # its limit could not be combined with the others'
        request = {name: value for name, value in request.items() if name != "chargingProfile"}
        own = profile[w.profile_id]
        s.own.profiles[own] = Profile(0, place, "TxProfile", profile["stackLevel"], profile)
        s.changed()
    else:
        placed = place_profile(s, w, profile, place)
        if placed is None:
            return s.refuse()
        request = {**request, "chargingProfile": placed}
    try:
        answer = yield from s.ask(s.action, request)
    except Refused:
        s.own.profiles = before
        s.changed()
        raise
    if answer.get("status") != "Accepted":
        s.own.profiles = before
        s.changed()
    return _taken(s, place, answer)


def stop(s: Scene, request: Payload) -> Step:
    """RemoteStopTransaction, RequestStopTransaction."""
    place = s.terms.running.get(str(request["transactionId"]))
    if place is not None and not s.may.bills and _foreign(s, place):
        return s.refuse()
    return (yield from s.ask(s.action, request))


def unlock(s: Scene, request: Payload) -> Step:
    """UnlockConnector."""
    if _foreign(s, words(s.arbiter.version).place_of(request)):
        return s.refuse()
    return (yield from s.ask(s.action, request))


def reset(s: Scene, request: Payload) -> Step:
    """Reset: of the station, or (2.x) of an EVSE."""
    if _foreign(s, words(s.arbiter.version).place_of(request) or None):
        return s.refuse()
    return (yield from s.ask(s.action, request))


def reserve(s: Scene, request: Payload) -> Step:
    """ReserveNow."""
    w = words(s.arbiter.version)
    place, own = w.place_of(request), request[w.reservation]
    if _foreign(s, place):
        return s.refuse()
    new = own not in s.own.reservations
    number = at_charger(s.terms, s.link, "reservation", own, primary=s.may.primary)
    s.own.reservations[own] = number
    trim(s.own.reservations, OWN_MOST)
    s.changed()
    answer: Payload = {}
    try:
        answer = yield from s.ask(s.action, {**request, w.reservation: number})
    finally:
        if answer.get("status") != "Accepted" and new:
            s.own.reservations.pop(own, None)
            s.changed()
    return _taken(s, place, answer)


def cancel(s: Scene, request: Payload) -> Step:
    """CancelReservation: of its own only; of the primary also what was before the gateway remembered."""
    own = request["reservationId"]
    number = s.own.reservations.get(own)
    if number is None and not (s.may.primary and owner(s.terms, "reservation", own) is None):
        return s.refuse()
    answer = yield from s.ask(s.action, {**request, "reservationId": own if number is None else number})
    if answer.get("status") == "Accepted" and number is not None:
        s.own.reservations.pop(own, None)
        for place, lease in list(s.terms.leases.items()):
            if lease.holder == s.link and not lease.transaction:
                del s.terms.leases[place]
        s.changed()
    return answer


def _own_reservation(arbiter: Arbiter, link: str, number: int) -> int | None:
    """What an upstream calls the charger's reservation; None if it is not its own."""
    whose = owner(arbiter.terms, "reservation", number)
    may = arbiter.may.get(link)
    if whose is None:
        return number if may is None or may.primary else None
    return whose[1] if whose[0] == link else None


def told_reservation(arbiter: Arbiter, link: str, said: Payload) -> Payload | None:
    """What carries the reservation that a transaction began on: in the upstream's id, or without it."""
    if "reservationId" not in said:
        return said
    own = _own_reservation(arbiter, link, said["reservationId"])
    if own is None:
        return {name: value for name, value in said.items() if name != "reservationId"}
    return {**said, "reservationId": own}


def told_update(arbiter: Arbiter, link: str, said: Payload) -> Payload | None:
    """ReservationStatusUpdate: for who made the reservation."""
    own = _own_reservation(arbiter, link, said["reservationId"])
    return None if own is None else {**said, "reservationId": own}


def began_16(terms: Terms, said: Payload, number: int, now: int) -> None:
    """StartTransaction."""
    began(terms, said["connectorId"], str(number), now)


def heard_stop(terms: Terms, said: Payload, _now: int) -> bool:
    """StopTransaction."""
    leases.ended(terms, str(said["transactionId"]))
    return True


def heard_event(terms: Terms, said: Payload, now: int) -> bool:
    """TransactionEvent."""
    transaction = said["transactionInfo"]["transactionId"]
    if said["eventType"] == "Ended":
        leases.ended(terms, transaction)
        return True
    place = (said.get("evse") or {}).get("id")
    if place is None or terms.running.get(transaction) == place:
        return False
    began(terms, place, transaction, now)
    return True


def began(terms: Terms, place: int, transaction: str, now: int) -> None:
    """A transaction has begun; profiles that were waiting for it are combined now."""
    leases.began(terms, place, transaction, now)
    if any(
        each.purpose == "TxProfile" and each.place == place and each.body is not None
        for own in terms.upstreams.values()
        for each in own.profiles.values()
    ):
        terms.renew_at = now
