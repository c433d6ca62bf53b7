"""Every code of a CALLERROR, as each version spells it."""

from __future__ import annotations

import pytest

from translators.error_codes import neutral_code, spell_code


@pytest.mark.parametrize(
    ("seen", "old", "new"),
    [
        ("FormationViolation", "FormationViolation", "FormatViolation"),
        ("FormatViolation", "FormationViolation", "FormatViolation"),
        ("OccurenceConstraintViolation", "OccurenceConstraintViolation", "OccurrenceConstraintViolation"),
        ("OccurrenceConstraintViolation", "OccurenceConstraintViolation", "OccurrenceConstraintViolation"),
        ("NotImplemented", "NotImplemented", "NotImplemented"),
        ("NotSupported", "NotSupported", "NotSupported"),
        ("InternalError", "InternalError", "InternalError"),
        ("ProtocolError", "ProtocolError", "ProtocolError"),
        ("SecurityError", "SecurityError", "SecurityError"),
        ("PropertyConstraintViolation", "PropertyConstraintViolation", "PropertyConstraintViolation"),
        ("TypeConstraintViolation", "TypeConstraintViolation", "TypeConstraintViolation"),
        ("GenericError", "GenericError", "GenericError"),
        ("MessageTypeNotSupported", "ProtocolError", "MessageTypeNotSupported"),
        ("RpcFrameworkError", "ProtocolError", "RpcFrameworkError"),
        ("Oops", "GenericError", "GenericError"),
        ("", "GenericError", "GenericError"),
    ],
)
def test_error_codes(seen: str, old: str, new: str) -> None:
    assert spell_code("1.6")(neutral_code(seen)) == spell_code("1.5")(seen) == old
    assert spell_code("2.0.1")(neutral_code(seen)) == spell_code("2.1")(seen) == new
