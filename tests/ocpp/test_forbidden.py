"""Nothing that could raise a current goes out because somebody asks for it, in any version."""

from typing import Any

import pytest

from custom_components.charge_cluster.ocpp.forbidden import (
    NEVER,
    Forbidden,
    Instead,
    forbid_operation,
    forbid_setting,
    is_secret,
)
from custom_components.charge_cluster.ocpp.versions import OcppVersion
from custom_components.charge_cluster.ocpp.vocabulary import vocabulary

from .tables import FROM_CHARGE_POINT, schemas

KEPT_16 = [
    "MeterValueSampleInterval",
    "MeterValuesSampledData",
    "metervaluessampleddata",
    " HeartbeatInterval ",
    "WebSocketPingInterval",
    "SupportedFeatureProfiles",
    "ChargeProfileMaxStackLevel",
    "ChargingScheduleAllowedChargingRateUnit",
    "ChargingScheduleMaxPeriods",
    "MaxChargingProfilesInstalled",
    "ConnectorSwitch3to1PhaseSupported",
    "ConnectorPhaseRotation",
]
FREE_16 = [
    "BlinkRepeat",
    "ClockAlignedDataInterval",
    "ConnectionTimeOut",
    "GetConfigurationMaxKeys",
    "LightIntensity",
    "LocalAuthListMaxLength",
    "MaxEnergyOnInvalidId",
    "MeterValuesAlignedData",
    "MinimumStatusDuration",
    "NumberOfConnectors",
    "ReserveConnectorZeroSupported",
    "ResetRetries",
    "SendLocalListMaxLength",
    "StopTransactionOnEVSideDisconnect",
    "StopTxnAlignedData",
    "StopTxnSampledData",
    "TransactionMessageAttempts",
    "TransactionMessageRetryInterval",
    "UnlockConnectorOnEVSideDisconnect",
    "AdditionalRootCertificateCheck",
    "CpoName",
    "CertificateSignedMaxChain",
    "CentralContractValidationAllowed",
    "WifiPassword",
]
VENDORS = [
    "MaxCurrent",
    "max_current_a",
    "chargingcurrentlimit",
    "OfflineChargingLimit",
    "FallbackCurrent",
    "FailSafeValue",
    "SmartChargingEnabled",
    "PowerLimit",
    "LoadManagementMode",
    "LoadBalancingMaster",
    "MainFuse",
    "phaseSwitchingMode",
    "ChargingProfilePersistence",
    "DefaultChargingRate",
    "MaxAmps",
]


@pytest.mark.parametrize(
    ("name", "component"),
    [
        ("AllowOfflineTxForUnknownId", None),
        (" localauthorizeoffline", None),
        ("LocalPreAuthorize", "AuthCtrlr"),
        ("Enabled", "LocalAuthListCtrlr"),
        ("enabled", " authctrlr "),
    ],
)
def test_who_may_charge_offline_is_not_set_past_the_rule_of_the_place(name: str, component: str | None) -> None:
    with pytest.raises(Forbidden) as refused:
        forbid_setting(name, component=component)
    assert refused.value.instead is Instead.TOKENS
    forbid_setting("Enabled", component="ReservationCtrlr")


@pytest.mark.parametrize("version", OcppVersion)
def test_every_operation_is_either_checked_or_never_sent(version: OcppVersion) -> None:
    ours = set(schemas(version)) - FROM_CHARGE_POINT
    sent = set(vocabulary(version).operations)

    assert sent | (set(NEVER) & ours) == ours
    assert not sent & set(NEVER)


@pytest.mark.parametrize("version", OcppVersion)
def test_no_operation_that_is_sent_takes_a_charging_profile(version: OcppVersion) -> None:
    def speaks_of_profiles(kind: Any, seen: frozenset[str] = frozenset()) -> bool:
        if isinstance(kind, dict):
            if {name.removesuffix("!") for name in kind} & {"chargingSchedulePeriod", "csChargingProfiles"}:
                return True
            return any(speaks_of_profiles(field, seen) for field in kind.values())
        if isinstance(kind, str) and kind.startswith("@") and kind not in seen:
            return speaks_of_profiles(vocabulary(version).types[kind[1:]], seen | {kind})
        return False

    speaking = {name for name, fields in vocabulary(version).operations.items() if speaks_of_profiles(fields)}
    starts = {"RemoteStartTransaction", "RequestStartTransaction"}
    assert speaking <= starts
    for start in speaking:
        with pytest.raises(Forbidden) as refused:
            forbid_operation(start, {"chargingProfile": {}})
        assert refused.value.instead is Instead.START


@pytest.mark.parametrize("operation", NEVER)
@pytest.mark.parametrize("payload", [{}, {"id": 1}])
def test_limits_priorities_and_the_grid_are_refused_whatever_they_say(operation: str, payload: Any) -> None:
    with pytest.raises(Forbidden) as refused:
        forbid_operation(operation, payload)

    assert refused.value.instead is NEVER[operation]


@pytest.mark.parametrize("key", KEPT_16)
def test_settings_that_the_proof_rests_on_are_kept(key: str) -> None:
    with pytest.raises(Forbidden) as by_name:
        forbid_setting(key)
    with pytest.raises(Forbidden) as in_a_call:
        forbid_operation("ChangeConfiguration", {"key": key, "value": "1"})

    assert by_name.value.instead is in_a_call.value.instead is Instead.SETTING


@pytest.mark.parametrize("key", VENDORS)
def test_what_sounds_like_current_is_refused_where_nobody_knows_what_it_does(key: str) -> None:
    with pytest.raises(Forbidden) as setting:
        forbid_setting(key)
    with pytest.raises(Forbidden) as transfer:
        forbid_operation("DataTransfer", {"vendorId": "Acme", "messageId": key, "data": "32"})
    with pytest.raises(Forbidden):
        forbid_operation("DataTransfer", {"vendorId": "Acme", "data": f'{{"{key}": 32}}'})

    assert setting.value.instead is Instead.UNKNOWN_SETTING
    assert transfer.value.instead is Instead.TRANSFER


@pytest.mark.parametrize("key", FREE_16)
def test_other_settings_are_the_owners(key: str) -> None:
    forbid_setting(key)
    forbid_operation("ChangeConfiguration", {"key": key, "value": "1"})


@pytest.mark.parametrize(
    "key", ["AuthorizationKey", " authorizationkey", "BasicAuthPassword", "SecurityProfile", "Identity"]
)
def test_what_it_logs_in_with_is_not_changed_by_name(key: str) -> None:
    with pytest.raises(Forbidden) as refused:
        forbid_setting(key)

    assert refused.value.instead is Instead.KEY


@pytest.mark.parametrize(
    ("component", "variable", "instead"),
    [
        ("SmartChargingCtrlr", "Enabled", Instead.SETTING),
        ("SmartChargingCtrlr", "LimitChangeSignificance", Instead.SETTING),
        ("SampledDataCtrlr", "TxUpdatedInterval", Instead.SETTING),
        ("SampledDataCtrlr", "TxUpdatedMeasurands", Instead.SETTING),
        ("TxCtrlr", "TxStartPoint", Instead.SETTING),
        ("OCPPCommCtrlr", "HeartbeatInterval", Instead.SETTING),
        ("V2XChargingCtrlr", "Enabled", Instead.SETTING),
        ("Connector", "PhaseRotation", Instead.SETTING),
        ("SecurityCtrlr", "BasicAuthPassword", Instead.KEY),
        ("SecurityCtrlr", "Identity", Instead.KEY),
        ("AcmeCtrlr", "MaxCurrent", Instead.UNKNOWN_SETTING),
        ("LoadBalancer", "Mode", Instead.UNKNOWN_SETTING),
        ("EVSE", "Power", Instead.UNKNOWN_SETTING),
    ],
)
def test_variables_are_judged_with_their_components(component: str, variable: str, instead: Instead) -> None:
    harmless = {"component": {"name": "ClockCtrlr"}, "variable": {"name": "TimeOffset"}, "attributeValue": "0"}
    wanted = {"component": {"name": component}, "variable": {"name": variable}, "attributeValue": "1"}

    forbid_operation("SetVariables", {"setVariableData": [harmless]})
    with pytest.raises(Forbidden) as refused:
        forbid_operation("SetVariables", {"setVariableData": [harmless, wanted]})

    assert refused.value.instead is instead
    assert refused.value.what == f"{component}.{variable}"


@pytest.mark.parametrize(
    "payload", [{"setVariableData": 3}, {"setVariableData": [3, {"component": 1, "variable": []}]}, {}]
)
def test_nonsense_is_left_to_the_check_of_payloads(payload: Any) -> None:
    forbid_operation("SetVariables", payload)


def test_a_vendors_message_that_says_nothing_of_current_goes_out() -> None:
    forbid_operation("DataTransfer", {"vendorId": "Acme", "messageId": "Display", "data": "Welcome, we refused nobody"})


@pytest.mark.parametrize(
    "name",
    ["AuthorizationKey", "BasicAuthPassword", "wifi_password", "API-Key", "ClientSecret", "Wifi key", "accessToken"],
)
def test_values_of_secrets_are_known_by_their_names(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("name", ["GetConfigurationMaxKeys", "TokenReader", "SecurityProfile", "CpoName"])
def test_other_values_may_be_shown(name: str) -> None:
    assert not is_secret(name)
