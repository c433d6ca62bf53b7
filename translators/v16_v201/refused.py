"""What a 1.6 charger cannot do, answered by the gateway (spec 5.6, 5.15, 5.27, 5.34, 5.35, 9.2).

A refusal uses the message's own negative status: some CSMSs take a CALLERROR for a broken station.
"""

from __future__ import annotations

from typing import Any

from ..dialogue import Dialogue, Local, Row
from ..models import v201
from ..models.base import Request
from .charger import because


def _answer(response: Any) -> Row:
    """The same answer to every request."""

    def answer(d: Dialogue, request: Request[Any]) -> Any:
        return response

    return Local(answer)


_NO = because("UnsupportedRequest")

FROM_CSMS: dict[str, Row] = {
    "ClearDisplayMessage": _answer(v201.ClearDisplayMessageResponse(status="Unknown")),
    "GetDisplayMessages": _answer(v201.GetDisplayMessagesResponse(status="Unknown")),
    "SetDisplayMessage": _answer(v201.SetDisplayMessageResponse(status="Rejected", statusInfo=_NO)),
    "PublishFirmware": _answer(v201.PublishFirmwareResponse(status="Rejected", statusInfo=_NO)),
    "UnpublishFirmware": _answer(v201.UnpublishFirmwareResponse(status="NoFirmware")),
    # Applying a network profile would move the charger off the gateway.
    "SetNetworkProfile": _answer(v201.SetNetworkProfileResponse(status="Rejected", statusInfo=_NO)),
}
