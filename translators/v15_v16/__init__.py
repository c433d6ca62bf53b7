"""A 1.5 charger behind a 1.6 CSMS: a thin shim, one row a message."""

from __future__ import annotations

from ..dialogue import Pair
from ..error_codes import neutral_code, spell_code
from ..models import v15, v16
from ..options import Options
from . import away, charger, csms, state
from .metering import AnyMeterValuesRequest, AnyStopTransactionRequest
from .state import Facts

PAIR = Pair(
    charger="1.5",
    csms="1.6",
    from_charger=charger.FROM_CHARGER,
    from_csms=csms.FROM_CSMS,
    # meter values come in several dialects
    charger_actions={
        **v15.ACTIONS,
        "MeterValues": AnyMeterValuesRequest,
        "StopTransaction": AnyStopTransactionRequest,
    },
    csms_actions=v16.ACTIONS,
    facts=Facts,
    options=Options,
    spell={"charger": spell_code("1.5"), "csms": spell_code("1.6")},
    neutral_code=neutral_code,
    away=away.away,
    numbered=state.numbered,
    first=charger.first,
    connected=charger.connected,
    neutral=frozenset(away.NEUTRAL),
)
PAIR.require_complete(v15.FROM_CHARGER, v16.FROM_CSMS)
