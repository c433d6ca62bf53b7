"""Spec 9, row by row: what becomes of every message of 1.6 and of 2.0.1, in both arrangements.

T translated, L answered by the gateway, S made by the gateway of something else, - not sent. The first letter is that of a 1.6
charger behind a 2.0.1 CSMS, the second that of a 2.0.1 charger behind a 1.6 CSMS. What may go through a tunnel or is answered
by the gateway in some cases has the letter of the other cases.
"""

from __future__ import annotations

import pytest

from translators.losses import ANY, Ledger, ledger

OF_1_6 = """
Authorize                         charger  T S
BootNotification                  charger  T S
CancelReservation                 csms     S T
ChangeAvailability                csms     S T
ChangeConfiguration               csms     S T
ClearCache                        csms     S T
ClearChargingProfile              csms     S T
DataTransfer                      both     T T
DiagnosticsStatusNotification     charger  T S
FirmwareStatusNotification        charger  T S
GetCompositeSchedule              csms     S T
GetConfiguration                  csms     S T
GetDiagnostics                    csms     S T
GetLocalListVersion               csms     S T
Heartbeat                         charger  T S
MeterValues                       charger  T S
RemoteStartTransaction            csms     S T
RemoteStopTransaction             csms     S T
ReserveNow                        csms     S T
Reset                             csms     S T
SendLocalList                     csms     S T
SetChargingProfile                csms     S T
StartTransaction                  charger  T S
StatusNotification                charger  T S
StopTransaction                   charger  T S
TriggerMessage                    csms     S T
UnlockConnector                   csms     S T
UpdateFirmware                    csms     S T
ExtendedTriggerMessage            csms     S T
GetLog                            csms     S T
CertificateSigned                 csms     S T
InstallCertificate                csms     S T
DeleteCertificate                 csms     S T
GetInstalledCertificateIds        csms     S T
SignedUpdateFirmware              csms     S T
LogStatusNotification             charger  T S
SecurityEventNotification         charger  T S
SignCertificate                   charger  T S
SignedFirmwareStatusNotification  charger  T S
"""
OF_2_0_1 = """
Authorize                         charger  S T
BootNotification                  charger  S T
CancelReservation                 csms     T S
CertificateSigned                 csms     T S
ChangeAvailability                csms     T S
ClearCache                        csms     T S
ClearChargingProfile              csms     T S
ClearDisplayMessage               csms     L -
ClearedChargingLimit              charger  - L
ClearVariableMonitoring           csms     L -
CostUpdated                       csms     T S
CustomerInformation               csms     L -
DataTransfer                      both     T T
DeleteCertificate                 csms     T S
FirmwareStatusNotification        charger  S T
Get15118EVCertificate             charger  S L
GetBaseReport                     csms     L S
GetCertificateStatus              charger  S L
GetChargingProfiles               csms     L -
GetCompositeSchedule              csms     T S
GetDisplayMessages                csms     L -
GetInstalledCertificateIds        csms     T S
GetLocalListVersion               csms     T S
GetLog                            csms     T S
GetMonitoringReport               csms     L -
GetReport                         csms     L -
GetTransactionStatus              csms     L -
GetVariables                      csms     T S
Heartbeat                         charger  S T
InstallCertificate                csms     T S
LogStatusNotification             charger  S T
MeterValues                       charger  S T
NotifyChargingLimit               charger  - L
NotifyCustomerInformation         charger  S L
NotifyDisplayMessages             charger  - L
NotifyEVChargingNeeds             charger  - L
NotifyEVChargingSchedule          charger  - L
NotifyEvent                       charger  S T
NotifyMonitoringReport            charger  S L
NotifyReport                      charger  S L
PublishFirmware                   csms     L -
PublishFirmwareStatusNotification charger  - L
ReportChargingProfiles            charger  S L
RequestStartTransaction           csms     T S
RequestStopTransaction            csms     T S
ReservationStatusUpdate           charger  S L
ReserveNow                        csms     T S
Reset                             csms     T S
SecurityEventNotification         charger  S T
SendLocalList                     csms     T S
SetChargingProfile                csms     T S
SetDisplayMessage                 csms     L -
SetMonitoringBase                 csms     L -
SetMonitoringLevel                csms     L -
SetNetworkProfile                 csms     L -
SetVariableMonitoring             csms     L -
SetVariables                      csms     T S
SignCertificate                   charger  S T
StatusNotification                charger  S T
TransactionEvent                  charger  S T
TriggerMessage                    csms     T S
UnlockConnector                   csms     T S
UnpublishFirmware                 csms     L -
UpdateFirmware                    csms     T S
"""

FATE = {"T": "translated", "L": "local"}


def _rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.strip().splitlines()]


def _ledger(charger: str, csms: str) -> Ledger:
    found = ledger(charger, csms)
    assert found is not None
    return found


P1, P2 = _ledger("1.6", "2.0.1"), _ledger("2.0.1", "1.6")


def made(tables: Ledger, action: str) -> bool:
    """Whether the gateway sends this message because of another one."""
    return any(action in each.to for each in tables.messages)


def check(tables: Ledger, source: str, action: str, fate: str) -> None:
    message = next((each for each in tables.messages if (each.source, each.action) == (source, action)), None)
    match fate:
        case "S":
            assert made(tables, action)
        case "-":
            assert message is None or message.fate == "never"
            assert not any(action in each.to for each in tables.messages if each.action not in (ANY, "DataTransfer")), (
                "it is sent after all"
            )
        case _:
            assert message is not None and message.fate == FATE[fate]


@pytest.mark.parametrize(("action", "source", "first", "second"), _rows(OF_1_6))
def test_a_message_of_1_6(action: str, source: str, first: str, second: str) -> None:
    for side in ("charger", "csms") if source == "both" else (source,):
        check(P1, side, action, first)
        check(P2, side, action, second)


@pytest.mark.parametrize(("action", "source", "first", "second"), _rows(OF_2_0_1))
def test_a_message_of_2_0_1(action: str, source: str, first: str, second: str) -> None:
    for side in ("charger", "csms") if source == "both" else (source,):
        check(P1, side, action, first)
        check(P2, side, action, second)
