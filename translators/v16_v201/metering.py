"""MeterValues: events of a transaction, or plain meter values without one (spec 2.8, 4.6)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from ..dialogue import Dialogue, Refusal, Row, Rule, Talk
from ..facts import Transaction
from ..frames import EMPTY, encode
from ..metering import (
    CACHED,
    REGISTER,
    Sample16,
    attributes_up,
    in_unit,
    in_wh,
    ocmf_reading,
    register_of,
    signature_up,
)
from ..models import v16, v201
from ..topology import place_of
from ..values import charger_time, parse_decimal, parse_time, plain
from .charger import facts_of
from .ledger import (
    RECENT_MOST,
    by_number,
    connector_of,
    current_state,
    digest_of,
    forget_recent,
    is_known,
    offline,
    open_at,
    tell,
    told_state,
)
from .monitoring import load
from .observation import measured, observe
from .steady import heard, reading
from .upstream import ask, carried, carries, forget_triggers, introduce_again, trigger_served, triggered


class Reading(msgspec.Struct, frozen=True, gc=False):
    """A translated meter value and when it was taken."""

    value: v201.MeterValue
    at: int
    substituted: bool


def readings(
    d: Dialogue,
    values: Sequence[v16.MeterValue | v16.TransactionData],
    connector: int,
    transaction: Transaction | None,
    *,
    meter_stop: Decimal | None = None,
    path: str = "meterValue",
) -> list[Reading]:
    """Meter values for the CSMS, in the charger's order; one without a sample that 2.0.1 can hold is left out."""
    found: list[Reading] = []
    seen = 0
    for value in values:
        moment = charger_time(value.timestamp, d.now)
        if moment.substituted:
            d.lose(f"{path}.timestamp", "defaulted")
        samples: list[v201.SampledValue] = []
        unfit: list[Any] = []
        for sample in value.sampledValue:
            if transaction is not None and sample.format == "SignedData":  # which may need the register before it
                for each in found[seen:]:
                    see_register(transaction, [each.value])
                seen = len(found)
            fit = _sample(d, sample, value.sampledValue, connector, transaction, meter_stop, path)
            if fit is not None:
                samples.append(fit)
            else:
                unfit.append(msgspec.to_builtins(sample))
        custom = carried(d, samples=unfit, at=_places(value.sampledValue, unfit)) if unfit and samples else None
        if not samples:
            d.lose(path)
        elif unfit and custom is None:
            d.lose(f"{path}.sampledValue")
        if samples:
            translated = v201.MeterValue(timestamp=moment.text, sampledValue=samples, customData=custom)
            found.append(Reading(translated, moment.ms, moment.substituted))
    return found


def _places(all_samples: Sequence[Any], unfit: list[Any]) -> list[int] | None:
    """Where the samples were that 2.0.1 cannot hold; None if they were the last ones."""
    places = [place for place, each in enumerate(all_samples) if msgspec.to_builtins(each) in unfit]
    return None if places == list(range(len(all_samples) - len(unfit), len(all_samples))) else places


def see_register(transaction: Transaction, values: Iterable[v201.MeterValue]) -> None:
    """Keep the last energy register."""
    register = register_of(values)
    if register is not None:
        transaction.register_wh = plain(register)


def _sample(
    d: Dialogue,
    sample: Sample16,
    together: Sequence[Sample16],
    connector: int,
    transaction: Transaction | None,
    meter_stop: Decimal | None,
    path: str,
) -> v201.SampledValue | None:
    if sample.unit is not None and sample.measurand == "Power.Factor":
        d.lose(f"{path}.sampledValue.unit")
    if sample.measurand in CACHED:
        _measured(d, sample.measurand, sample)
        return None
    if sample.format != "SignedData":
        number = parse_decimal(sample.value)
        return attributes_up(sample, number) if number is not None else None
    number = _signed_number(sample, together, transaction, meter_stop)
    fit = attributes_up(sample, number) if number is not None else None
    if fit is not None:
        fit.signedMeterValue = signature_up(sample.value, _public_key(d, connector))
        if fit.signedMeterValue is None:
            d.lose(f"{path}.sampledValue.value")
        if carries(d):
            fit.customData = carried(d, sample=msgspec.to_builtins(sample))
    return fit


def _measured(d: Dialogue, measurand: str, sample: Sample16) -> None:
    """Keep what only the device model can tell (`inventory`)."""
    number, measured = parse_decimal(sample.value), facts_of(d).measured
    if number is not None:
        measured[measurand] = plain(number)
        measured.pop(f"{measurand} unit", None)
        if sample.unit:
            measured[f"{measurand} unit"] = sample.unit[:20]


def _signed_number(
    sample: Sample16, together: Sequence[Sample16], transaction: Transaction | None, meter_stop: Decimal | None
) -> Decimal | None:
    """The number that 2.0.1 wants beside a signature: the transaction's, the signed one, else the last register.

    `together`: the meter value that it is of, whose plain sample of the same reading is the last there is.
    """
    energy = sample.measurand in (None, REGISTER)
    if energy and sample.context == "Transaction.End" and meter_stop is not None:
        return in_unit(meter_stop, sample.unit)
    if energy and sample.context == "Transaction.Begin" and transaction is not None:
        return in_unit(Decimal(transaction.meter_start), sample.unit)
    signed = ocmf_reading(sample.value)
    if signed is not None:
        number, unit = signed
        return in_unit(in_wh(number, unit), sample.unit) if energy and unit in ("Wh", "kWh") else number
    twin = next((each for each in together if each.format != "SignedData" and _what(each) == _what(sample)), None)
    beside = parse_decimal(twin.value) if twin is not None else None
    if twin is not None and beside is not None and (energy or twin.unit == sample.unit):
        return in_unit(in_wh(beside, twin.unit), sample.unit) if energy else beside
    if energy and transaction is not None:
        return in_unit(Decimal(transaction.register_wh or transaction.meter_start), sample.unit)
    return None


def _what(sample: Sample16) -> tuple[str, ...]:
    """What was measured, where and why."""
    return (
        sample.measurand or REGISTER,
        sample.context or "Sample.Periodic",
        sample.location or "Outlet",
        sample.phase or "",
    )


def _public_key(d: Dialogue, connector: int) -> str:
    wanted = f"meterpublickey{connector}"
    return next((key.value or "" for name, key in facts_of(d).keys.items() if name.casefold() == wanted), "")


def meter_values(d: Dialogue, request: v16.MeterValuesRequest) -> Rule:
    """To the open transaction, one event per point in time, oldest first; else, or when asked for, as meter values."""
    connector = request.connectorId
    unknown = connector not in d.facts.connectors
    if unknown:
        connector_of(d, connector)
    told = reading(d, request)
    if told is not None:
        d.moves = None if unknown else told.transaction
        if told.event is None:
            d.lose("meterValue", "folded")
            return EMPTY
        try:
            answer = yield told.event
        except Refusal as refusal:
            d.moves = None
            yield from introduce_again(d, refusal)
            answer = yield told.event
        heard(d, told, bytes(answer))
        return EMPTY
    tagged = by_number(d, request.transactionId)
    transaction = tagged if tagged is not None else (open_at(d, connector) if connector > 0 else None)
    if request.transactionId is not None and (tagged is None or tagged.state == "ended"):
        d.quirk("meter_late")
    if transaction is not None and not is_known(transaction):
        transaction = None
    found = readings(d, request.meterValue, connector, transaction)
    if transaction is not None:
        see_register(transaction, [each.value for each in found])
    if not found:
        d.lose("MeterValues")
    triggers = facts_of(d).triggers
    if triggers:
        forget_triggers(d)
    asked = bool(triggers) and d.once("asked for meter values", lambda: triggered(d, "MeterValues", connector))
    loose: list[Reading] = found
    if transaction is not None and not asked:
        start = parse_time(transaction.started_at) or 0
        loose = [each for each in found if tagged is None and not each.substituted and each.at < start]
        found = [each for each in found if each not in loose]
    else:
        found = []
    if request.transactionId is not None and (loose or tagged is None or transaction is None):
        d.lose("transactionId")
    if loose and not d.marked("metered"):
        yield from ask(
            d,
            v201.MeterValuesRequest(
                evseId=place_of(d, connector)[0] if connector > 0 else 0, meterValue=[each.value for each in loose]
            ),
        )
        if load(d).custom:
            d.mark("metered")
        if asked:
            trigger_served(d, "MeterValues", connector)
    if transaction is not None and found:
        yield from _updates(d, transaction, found)
    if load(d).custom and connector > 0 and (loose or found):
        yield from d.answer(v16.MeterValuesResponse())
        seen = list(measured(place_of(d, connector)[0], [each.value for each in [*loose, *found]]))
        yield from observe(d, seen, transaction.uuid if transaction is not None else None)
    return v16.MeterValuesResponse()


def _updates(d: Dialogue, transaction: Transaction, found: list[Reading]) -> Rule:
    moments: dict[int, list[Reading]] = {}
    for each in sorted(found, key=lambda each: each.at):
        moments.setdefault(each.at, []).append(each)
    wanted = bool(facts_of(d).triggers) and d.once(
        "asked for events", lambda: triggered(d, "TransactionEvent", transaction.connector)
    )
    for at, group in moments.items():
        contents = [digest_of(encode(each.value)) for each in group]
        content = "meter " + (contents[0] if len(contents) == 1 else digest_of("".join(contents).encode()))
        recent = transaction.recent
        forget_recent(d, transaction)
        if content in recent and not group[0].substituted:
            d.lose("meterValue", "folded")
            continue
        reason = _reason(group, wanted)
        state = current_state(d, transaction) if reason == "Trigger" else None
        event = v201.TransactionEventRequest(
            eventType="Updated",
            timestamp=group[0].value.timestamp,
            triggerReason=reason,
            seqNo=0,
            transactionInfo=v201.Transaction(transactionId=transaction.uuid, chargingState=state),
            offline=offline(d, at),
            meterValue=[each.value for each in group],
        )
        # Each sample was checked when it was made (attributes_up): checking ten of them again costs as much as making them.
        yield from tell(d, transaction, content, event, sound=event.meterValue is not None and not _carries(event))
        told_state(transaction, state)
        while len(recent) >= RECENT_MOST:
            del recent[next(iter(recent))]
        recent[content] = d.now
    if wanted:
        trigger_served(d, "TransactionEvent", transaction.connector)
    return None


def _carries(event: v201.TransactionEventRequest) -> bool:
    """Whether meter values hold customData, whose content nobody has checked."""
    return any(value.customData is not None for value in event.meterValue or ())


def _reason(group: list[Reading], wanted: bool) -> v201.TriggerReason:
    if wanted:
        return "Trigger"
    contexts = {sample.context for each in group for sample in each.value.sampledValue}
    if "Trigger" in contexts:
        return "Trigger"
    if "Sample.Clock" in contexts:
        return "MeterValueClock"
    if contexts == {"Transaction.Begin"} and all(
        sample.signedMeterValue is not None for each in group for sample in each.value.sampledValue
    ):
        return "SignedDataReceived"
    return "MeterValuePeriodic"


FROM_CHARGER: dict[str, Row] = {"MeterValues": Talk(meter_values)}
