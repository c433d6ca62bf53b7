"""What a CSMS would bill: the charging transactions in a transcript, checked for completeness."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from .wire import Recorder

REGISTER = "Energy.Active.Import.Register"


@dataclass(slots=True)
class Charge:
    """One transaction as the CSMS heard of it."""

    id: str
    events: list[dict[str, Any]] = field(default_factory=list)
    accepted: bool = True
    """What the CSMS answered to its token at the start."""
    energy: Decimal | None = None
    """Wh between its begin and its end; None while it is open."""

    @property
    def kinds(self) -> list[str]:
        return [event["eventType"] for event in self.events]


def registers(event: dict[str, Any]) -> list[tuple[str, Decimal]]:
    """(context, Wh) of the import registers of a 2.0.1 event, in order, phases left out."""
    found = []
    for element in event.get("meterValue", []):
        for sample in element["sampledValue"]:
            if sample.get("measurand", REGISTER) != REGISTER or "phase" in sample:
                continue
            unit = sample.get("unitOfMeasure", {})
            scale = Decimal(10) ** (unit.get("multiplier", 0) + (3 if unit.get("unit") == "kWh" else 0))
            found.append((sample.get("context", "Sample.Periodic"), Decimal(str(sample["value"])) * scale))
    return found


def _without_repeats(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A repeated seqNo must repeat the whole event; only `offline` may have been added."""
    kept: dict[int, dict[str, Any]] = {}
    for event in events:
        bare = {key: value for key, value in event.items() if key != "offline"}
        assert kept.setdefault(event["seqNo"], bare) == bare, f"seqNo {event['seqNo']} with two contents"
    return list(kept.values())


def charges_201(recorder: Recorder) -> list[Charge]:
    """The transactions of a 2.0.1 transcript in order of their start.

    Asserts of each: seqNo from 0 without a gap, Started first and only once, nothing after Ended.
    """
    charges: dict[str, Charge] = {}
    for exchange in recorder.calls("TransactionEvent"):
        identity = exchange.payload["transactionInfo"]["transactionId"]
        charge = charges.setdefault(identity, Charge(identity))
        charge.events.append(exchange.payload)
        if exchange.payload["eventType"] == "Started" and exchange.answer is not None:
            charge.accepted = exchange.answer.get("idTokenInfo", {}).get("status", "Accepted") == "Accepted"
    for charge in charges.values():
        charge.events = _without_repeats(charge.events)
        numbers = [event["seqNo"] for event in charge.events]
        assert numbers == list(range(len(numbers))), f"{charge.id}: seqNo {numbers}"
        assert charge.kinds[0] == "Started" and charge.kinds.count("Started") == 1, charge.kinds
        assert "Ended" not in charge.kinds[:-1], charge.kinds
        if charge.kinds[-1] == "Ended":
            begin = dict(registers(charge.events[0]))["Transaction.Begin"]
            charge.energy = dict(registers(charge.events[-1]))["Transaction.End"] - begin
    return list(charges.values())


def charges_16(recorder: Recorder) -> list[Charge]:
    """The transactions of a 1.6 transcript, by the ids that the CSMS gave."""
    charges: dict[int, Charge] = {}
    begins: dict[int, int] = {}
    for exchange in recorder.calls():
        if exchange.action == "StartTransaction" and exchange.answer is not None:
            identity = exchange.answer["transactionId"]
            charges[identity] = Charge(str(identity))
            begins[identity] = exchange.payload["meterStart"]
        elif exchange.action == "StopTransaction":
            identity = exchange.payload["transactionId"]
            charges[identity].energy = Decimal(exchange.payload["meterStop"] - begins[identity])
    return list(charges.values())
