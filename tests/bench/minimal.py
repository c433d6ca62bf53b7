"""The floor of the pure layer: the four busy messages from 1.6 to 2.0.1 by hand, and nothing else.

Each is decoded and validated by the project's own models, mapped as the bench's own messages need it, and encoded. What is left
out: that a payload may be broken or mean something else, repetitions, losses, other rules, everything that survives the message
but the transaction's id and its next number. What leaves is what the translator sends, but for the id of the CALL.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec

from translators import frames
from translators.models import v16, v201

_start = msgspec.json.Decoder(v16.StartTransactionRequest).decode
_meter = msgspec.json.Decoder(v16.MeterValuesRequest).decode
_stop = msgspec.json.Decoder(v16.StopTransactionRequest).decode
_WH = v201.UnitOfMeasure(unit="Wh")


class Minimal:
    """One charger with one transaction."""

    def __init__(self, uuid: str, new_id: Callable[[], str]) -> None:
        self.uuid = uuid
        self.new_id = new_id
        self.seq = 0
        self.rules = {"StartTransaction": self.start, "MeterValues": self.meter_values, "StopTransaction": self.stop}

    def cross(self, raw: bytes) -> bytes:
        """The CALL for the CSMS that a charger's CALL becomes."""
        call = frames.decode(raw)
        assert isinstance(call, frames.Call)
        event = self.rules[call.action](call.payload)
        payload = msgspec.Raw(frames.encode(event))
        return frames.encode(frames.Call(self.new_id(), "TransactionEvent", payload))

    def start(self, payload: msgspec.Raw) -> v201.TransactionEventRequest:
        start = _start(payload)
        begin = v201.SampledValue(
            value=Decimal(start.meterStart),
            context="Transaction.Begin",
            measurand="Energy.Active.Import.Register",
            location="Outlet",
            unitOfMeasure=_WH,
        )
        self.seq = 1
        return v201.TransactionEventRequest(
            eventType="Started",
            timestamp=start.timestamp,
            triggerReason="Authorized",
            seqNo=0,
            transactionInfo=v201.Transaction(transactionId=self.uuid, chargingState="EVConnected"),
            idToken=v201.IdToken(idToken=start.idTag, type="Central"),
            evse=v201.EVSE(id=start.connectorId, connectorId=1),
            meterValue=[v201.MeterValue(timestamp=start.timestamp, sampledValue=[begin])],
        )

    def meter_values(self, payload: msgspec.Raw) -> v201.TransactionEventRequest:
        (value,) = _meter(payload).meterValue
        return v201.TransactionEventRequest(
            eventType="Updated",
            timestamp=value.timestamp,
            triggerReason="MeterValuePeriodic",
            seqNo=self.next_seq(),
            transactionInfo=v201.Transaction(transactionId=self.uuid),
            meterValue=[
                v201.MeterValue(timestamp=value.timestamp, sampledValue=list(map(_sample, value.sampledValue)))
            ],
        )

    def stop(self, payload: msgspec.Raw) -> v201.TransactionEventRequest:
        stop = _stop(payload)
        return v201.TransactionEventRequest(
            eventType="Ended",
            timestamp=stop.timestamp,
            triggerReason="StopAuthorized",
            seqNo=self.next_seq(),
            transactionInfo=v201.Transaction(transactionId=self.uuid, stoppedReason="Local"),
            idToken=v201.IdToken(idToken=stop.idTag, type="Central") if stop.idTag is not None else None,
            meterValue=[
                v201.MeterValue(timestamp=each.timestamp, sampledValue=list(map(_sample, each.sampledValue)))
                for each in stop.transactionData or ()
            ],
        )

    def next_seq(self) -> int:
        self.seq += 1
        return self.seq - 1


@cache
def _unit(unit: str | None) -> v201.UnitOfMeasure | None:
    return v201.UnitOfMeasure(unit=unit) if unit is not None else None


def _sample(sample: Any) -> v201.SampledValue:
    return v201.SampledValue(
        value=Decimal(sample.value),
        context=sample.context,
        measurand=sample.measurand,
        phase=sample.phase,
        location=sample.location,
        unitOfMeasure=_unit(sample.unit),
    )
