"""The configuration keys of a charge point, as GetConfiguration shows and ChangeConfiguration changes them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from .encryption import PROFILES
from .local_list import MOST_ENTRIES
from .measurands import ENERGY_REGISTER, MEASURANDS
from .spec import ChargePointSpec, OcppVersion, Security

AUTHORIZATION_KEY = "AuthorizationKey"

KEY_LENGTH = (16, 40)
"""Shortest and longest AuthorizationKey (OCPP 1.6 security whitepaper)."""


VENDOR_KEY = "VendorSetting"

VENDOR_TEXT = "what only the vendor knows; " * 7

FEATURE_PROFILES = "Core,FirmwareManagement,LocalAuthListManagement,RemoteTrigger,Reservation,SmartCharging"


class Shape(StrEnum):
    """What a value must look like."""

    TEXT = "text"
    WHOLE = "whole"
    FLAG = "flag"
    MEASURANDS = "measurands"
    SECRET = "secret"  # noqa: S105 - the kind of a value, not a value


@dataclass(slots=True)
class Setting:
    """One configuration key."""

    value: str
    shape: Shape = Shape.TEXT
    read_only: bool = False
    needs_reboot: bool = False


class Configuration:
    """All keys of one charge point; they survive a loss of power."""

    def __init__(self, spec: ChargePointSpec) -> None:
        """Begin as delivered."""
        self._settings = _as_delivered(spec)

    def number(self, key: str) -> int:
        """Return a whole number."""
        return int(self._settings[key].value)

    def flag(self, key: str) -> bool:
        """Return a true or false."""
        return self._settings[key].value.lower() == "true"

    @property
    def vendor_keys(self) -> tuple[str, ...]:
        """Return the keys that no specification knows."""
        return tuple(key for key in self._settings if key.startswith(VENDOR_KEY))

    def writable(self, key: str) -> bool:
        """Return whether a key may be changed."""
        return not self._settings[key].read_only

    def text(self, key: str) -> str:
        """Return a text."""
        return self._settings[key].value

    def names(self, key: str) -> tuple[str, ...]:
        """Return a comma-separated list."""
        return tuple(name.strip() for name in self._settings[key].value.split(",") if name.strip())

    @property
    def key(self) -> str:
        """Return the AuthorizationKey, empty when there is none."""
        return self._settings[AUTHORIZATION_KEY].value

    def shown(self, asked: Iterable[str]) -> tuple[list[Mapping[str, object]], list[str]]:
        """Return the keys asked for (all when none is named) as OCPP writes them, and those that are unknown."""
        wanted = list(asked)
        unknown = [key for key in wanted if key not in self._settings]
        keys = [key for key in wanted if key in self._settings] if wanted else list(self._settings)
        return [self._shown(key) for key in keys], unknown

    def change(self, key: str, value: str) -> str:
        """Change a value and return the status that ChangeConfiguration answers with."""
        setting = self._settings.get(key)
        if setting is None:
            return "NotSupported"
        if setting.read_only or not _fits(setting.shape, value):
            return "Rejected"
        setting.value = value
        return "RebootRequired" if setting.needs_reboot else "Accepted"

    def _shown(self, key: str) -> Mapping[str, object]:
        setting = self._settings[key]
        shown: dict[str, object] = {"key": key, "readonly": setting.read_only}
        if setting.shape is not Shape.SECRET:
            shown["value"] = setting.value
        return shown


def _security_profile(spec: ChargePointSpec) -> str:
    return PROFILES[spec.security] if spec.security is not Security.PLAIN or spec.key else "0"


def _phase_rotation(spec: ChargePointSpec) -> str:
    """Return the wiring of all connectors as OCPP writes it: R, S and T are the supply's phases."""
    rotations = [f"{one.number}.{''.join('RST'[phase] for phase in one.rotation)}" for one in spec.connectors]
    return ",".join(["0.RST", *(one for one, of in zip(rotations, spec.connectors, strict=True) if of.phases > 1)])


def _fits(shape: Shape, value: str) -> bool:
    match shape:
        case Shape.WHOLE:
            return value.isascii() and value.isdigit()
        case Shape.FLAG:
            return value.lower() in ("true", "false")
        case Shape.MEASURANDS:
            return all(name.strip() in MEASURANDS for name in value.split(",") if name.strip())
        case Shape.SECRET:
            return KEY_LENGTH[0] <= len(value) <= KEY_LENGTH[1]
    return True


def _as_delivered(spec: ChargePointSpec) -> dict[str, Setting]:
    settings = _common(spec)
    if spec.version is not OcppVersion.V16:
        start = "EVConnected" if spec.begins_with_plug else "PowerPathClosed"
        settings["TxStartPoint"] = Setting(start)
        settings["TxStartedMeasurands"] = Setting(ENERGY_REGISTER, Shape.MEASURANDS)
        settings["StopTxnSampledData"] = Setting(ENERGY_REGISTER, Shape.MEASURANDS)
    for number in range(1, spec.vendor_settings + 1):
        settings[f"{VENDOR_KEY}{number:03d}"] = Setting(VENDOR_TEXT, read_only=True)
    return settings


def _common(spec: ChargePointSpec) -> dict[str, Setting]:
    whole, flag, measurands = Shape.WHOLE, Shape.FLAG, Shape.MEASURANDS
    return {
        "AllowOfflineTxForUnknownId": Setting("true", flag),
        "AuthorizationCacheEnabled": Setting("false", flag),
        AUTHORIZATION_KEY: Setting(spec.key or "", Shape.SECRET),
        "AuthorizeRemoteTxRequests": Setting("false", flag),
        "ChargeProfileMaxStackLevel": Setting(str(spec.stack_levels), whole, read_only=True),
        "ChargingScheduleAllowedChargingRateUnit": Setting(",".join(spec.rate_units), read_only=True),
        "ChargingScheduleMaxPeriods": Setting(str(spec.schedule_periods), whole, read_only=True),
        "ClockAlignedDataInterval": Setting("0", whole),
        "ConnectionTimeOut": Setting("60", whole),
        "ConnectorPhaseRotation": Setting(_phase_rotation(spec)),
        "CpoName": Setting(""),
        "GetConfigurationMaxKeys": Setting("60", whole, read_only=True),
        "HeartbeatInterval": Setting("300", whole),
        "LocalAuthorizeOffline": Setting("true", flag),
        "LocalAuthListEnabled": Setting("true", flag),
        "LocalAuthListMaxLength": Setting(str(MOST_ENTRIES), whole, read_only=True),
        "LocalPreAuthorize": Setting("false", flag),
        "MaxChargingProfilesInstalled": Setting(str(spec.profiles), whole, read_only=True),
        "MeterValueSampleInterval": Setting(str(spec.sampling_s), whole),
        "MeterValuesAlignedData": Setting(",".join(spec.measurands), measurands),
        "MeterValuesSampledData": Setting(",".join(spec.measurands), measurands),
        "MinimumStatusDuration": Setting("1", whole),
        "NumberOfConnectors": Setting(str(len(spec.connectors)), whole, read_only=True),
        "ReserveConnectorZeroSupported": Setting("false", flag, read_only=True),
        "ResetRetries": Setting("1", whole),
        "SecurityProfile": Setting(_security_profile(spec), whole, read_only=True),
        "SendLocalListMaxLength": Setting(str(MOST_ENTRIES), whole, read_only=True),
        "StopTransactionOnEVSideDisconnect": Setting("true", flag),
        "StopTransactionOnInvalidId": Setting("true", flag),
        "StopTxnAlignedData": Setting("", measurands),
        "StopTxnSampledData": Setting("", measurands),
        "SupportedFeatureProfiles": Setting(FEATURE_PROFILES, read_only=True),
        "TransactionMessageAttempts": Setting("3", whole),
        "TransactionMessageRetryInterval": Setting("10", whole),
        "UnlockConnectorOnEVSideDisconnect": Setting("true", flag),
        "WebSocketPingInterval": Setting("0", whole),
    }
