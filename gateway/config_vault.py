"""The section `vault` of the configuration."""

from __future__ import annotations

import msgspec

from gateway.config_kinds import Secret


class VaultConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Keys of the secrets with which single chargers are shown to a CSMS (`credentials: vault`, and `passthrough` over several
    processes). They are kept in the store, sealed with AES-256-GCM; `ocpp-gateway vault` manages them."""

    key: Secret = ""
    """32 bytes in base64 or hex digits; `ocpp-gateway vault key` makes one. Best from a file (`key_file`) or a variable. Who has it
    and the store has the secrets."""
    previous_key: Secret = ""
    """The key before that one: opens what `ocpp-gateway vault rotate` has not sealed anew yet."""

    def __repr__(self) -> str:
        return "VaultConfig(...)"
