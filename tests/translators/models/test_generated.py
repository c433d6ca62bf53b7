"""The generated modules: up to date, complete, and what they say about each action."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from tests import schemas
from tools import models as generator
from translators.models import v15, v16, v201
from translators.models.base import ABSENT, Request, Struct, decoder, response_of

VERSIONS: list[tuple[schemas.Version, ModuleType]] = [("1.5", v15), ("1.6", v16), ("2.0.1", v201)]


def test_regeneration_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert generator.main(["--check"]) == 0
    assert capsys.readouterr().err == ""


def test_check_names_what_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generator, "TARGET", tmp_path)
    assert generator.main(["--check"]) == 1
    assert "v16.py" in capsys.readouterr().err
    assert generator.main([]) == 0
    assert generator.main(["--check"]) == 0


@pytest.mark.parametrize(("version", "module"), VERSIONS)
def test_every_action_has_a_model(version: schemas.Version, module: ModuleType) -> None:
    assert tuple(module.ACTIONS) == schemas.actions(version)
    for action, request in module.ACTIONS.items():
        assert issubclass(request, Request)
        assert request.action == action
        assert request.__name__ == f"{action}Request"
        assert response_of(request).__name__ == f"{action}Response"


@pytest.mark.parametrize(("version", "module"), VERSIONS)
def test_every_action_has_a_sender_and_only_data_transfer_has_two(version: schemas.Version, module: ModuleType) -> None:
    assert set(module.ACTIONS) == module.FROM_CHARGER | module.FROM_CSMS
    assert {"DataTransfer"} == module.FROM_CHARGER & module.FROM_CSMS


@pytest.mark.parametrize("module", [v15, v16, v201])
def test_decoders_are_built_once(module: ModuleType) -> None:
    assert decoder(module.HeartbeatRequest) is decoder(module.HeartbeatRequest)


def test_null_is_accepted_and_never_sent() -> None:
    read = decoder(v16.StopTransactionRequest).decode(
        b'{"meterStop":1,"timestamp":"t","transactionId":1,"reason":null}'
    )
    assert read.reason is None
    assert json.loads(msgspec.json.encode(read)) == {"meterStop": 1, "timestamp": "t", "transactionId": 1}


def test_data_of_any_type_is_untouched_or_absent() -> None:
    read = decoder(v201.DataTransferRequest).decode(b'{"vendorId":"v","data":{"n": 1.10}}')
    assert bytes(read.data) == b'{"n": 1.10}'
    assert decoder(v201.DataTransferRequest).decode(b'{"vendorId":"v"}').data is ABSENT
    assert not ABSENT
    assert msgspec.json.encode(v201.DataTransferRequest(vendorId="v")) == b'{"vendorId":"v"}'


def test_a_member_called_action_does_not_hide_the_action() -> None:
    request = v201.Get15118EVCertificateRequest(iso15118SchemaVersion="s", action_="Install", exiRequest="e")
    assert request.action == "Get15118EVCertificate"
    assert json.loads(msgspec.json.encode(request))["action"] == "Install"


@pytest.mark.parametrize("text", [b'"NaN"', b'"-Infinity"', b"1e999999999", b"1e-999999999"])
def test_numbers_that_no_peer_could_hold_are_refused(text: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        decoder(v201.SampledValue).decode(b'{"value":' + text + b"}")


def test_integers_are_bounded() -> None:
    with pytest.raises(msgspec.ValidationError):
        decoder(v16.StartTransactionResponse).decode(
            b'{"transactionId":9223372036854775808,"idTagInfo":{"status":"Accepted"}}'
        )


def test_numbers_keep_their_digits() -> None:
    read = decoder(v201.SampledValue).decode(b'{"value":12345678901234567890.10}')
    assert str(read.value) == "12345678901234567890.10"


def test_models_are_not_tracked_by_the_garbage_collector() -> None:
    for module in (v15, v16, v201):
        for each in vars(module).values():
            if isinstance(each, type) and issubclass(each, Struct):
                assert not each.__struct_config__.gc
                assert each.__struct_config__.omit_defaults
