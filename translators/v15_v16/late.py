"""A token that the CSMS refuses after the charger was told, in its absence, that it is good (translation spec 8.3)."""

from __future__ import annotations

from typing import Final

import msgspec

from ..dialogue import Dialogue, Refusal, Rule, Silence
from ..models import v15
from .state import Charge, options_of

AGAIN: Final = 10.0
"""After which a charger that did not stop is told once more, s."""


class _Numbered(msgspec.Struct):
    transactionId: int = 0


def deauthorise(d: Dialogue, charge: Charge) -> None:
    """Stop a transaction that was accepted here, unless the option lets it go on or it has ended."""
    if not options_of(d).deauthorise:
        return

    def stop(d: Dialogue) -> Rule:
        for again in (True, False):
            if not charge.open or _ends(d, charge):
                return None
            d.lose("RemoteStopTransaction", "synthesised")
            charge.stop_reason, charge.reason_until = "DeAuthorized", 0  # its StopTransaction may overtake the answer
            try:
                answer = yield from d.ask("charger", v15.RemoteStopTransactionRequest(transactionId=charge.tid))
                if answer.status == "Accepted":
                    return None
            except (Refusal, Silence):
                pass
            charge.stop_reason = ""
            if again:
                yield from d.wait(AGAIN, lambda: not charge.open)
        return None

    d.spawn(stop, "RemoteStopTransaction")


def _ends(d: Dialogue, charge: Charge) -> bool:
    """Whether its StopTransaction waits to be told."""
    for call in d.translator.backlog():
        if call.action == "StopTransaction":
            try:
                if msgspec.json.decode(call.payload, type=_Numbered).transactionId in (
                    charge.tid,
                    charge.minted or charge.tid,
                ):
                    return True
            except msgspec.MsgspecError:
                continue
    return False
