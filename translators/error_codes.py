"""Codes of CALLERRORs between OCPP versions (spec/translation-16-201 section 2.14).

Neutral is the 2.0.1 meaning with both r in Occurrence, the spelling of 2.0.1 edition 3 and of 2.1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

_CODES: Final = frozenset(
    (
        "NotImplemented",
        "NotSupported",
        "InternalError",
        "ProtocolError",
        "SecurityError",
        "FormatViolation",
        "PropertyConstraintViolation",
        "OccurrenceConstraintViolation",
        "TypeConstraintViolation",
        "GenericError",
        "MessageTypeNotSupported",
        "RpcFrameworkError",
    )
)
_MISSPELT: Final = {
    "FormationViolation": "FormatViolation",
    "OccurenceConstraintViolation": "OccurrenceConstraintViolation",
}
_OLD_CODES: Final = {
    "FormatViolation": "FormationViolation",
    "OccurrenceConstraintViolation": "OccurenceConstraintViolation",
    "MessageTypeNotSupported": "ProtocolError",
    "RpcFrameworkError": "ProtocolError",
}

Version = Literal["1.5", "1.6", "2.0.1", "2.1"]


def neutral_code(code: str) -> str:
    """An error code as any peer spells it -> the neutral spelling; an unknown code is a GenericError."""
    code = _MISSPELT.get(code, code)
    return code if code in _CODES else "GenericError"


def spell_code(version: Version) -> Callable[[str], str]:
    """Neutral error code -> the spelling of `version`."""
    old = version in ("1.5", "1.6")

    def spell(code: str) -> str:
        code = neutral_code(code)
        return _OLD_CODES.get(code, code) if old else code

    return spell
