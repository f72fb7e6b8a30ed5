"""What never goes out as an operation that somebody asks for, in any version of OCPP, and what to do instead.

The ceiling rests on limits that only the site sends, on measurements that come as it asked for them, and on fallbacks
that are stored as it proved them. Whoever could set a profile, switch smart charging off, or ask for fewer measurements
would take the ground from under that. So such operations, and settings by name, are refused here for everybody. A key
or a vendor's message that speaks of current, power or limits in a name that no specification knows is refused as well:
nobody can say what it does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum

from .frames import JsonObject


class Instead(StrEnum):
    """Why something is refused, and so what to use in its place; each has its sentence in the translations."""

    LIMITS = "limits_are_decided"
    """Limits are what the site decides: cap and ceiling are its actions."""
    START = "start_without_profile"
    """A start brings no profile of its own."""
    PRIORITY = "priority_is_decided"
    """Who goes first is decided here."""
    DISCHARGE = "discharge_is_not_managed"
    """What may feed back, or follows the grid by itself, is not in the site's books."""
    SETTING = "setting_is_kept"
    """The site sets it and rests on it."""
    UNKNOWN_SETTING = "setting_may_raise_current"
    """A name that speaks of currents and that nobody else knows."""
    TOKENS = "tokens_are_kept"
    """Who may charge while it cannot ask follows from the drivers and the rule of its place."""
    KEY = "key_is_kept"
    """What it logs in with is given and changed with the charge point."""
    TRANSFER = "transfer_may_raise_current"
    """As with settings."""


class Forbidden(Exception):
    """This is not sent; `instead` says why, and `what` names the operation or the setting."""

    def __init__(self, instead: Instead, what: str) -> None:
        super().__init__(f"{what}: {instead}")
        self.instead = instead
        self.what = what


NEVER: Mapping[str, Instead] = {
    "SetChargingProfile": Instead.LIMITS,
    "ClearChargingProfile": Instead.LIMITS,
    "UpdateDynamicSchedule": Instead.LIMITS,
    "UsePriorityCharging": Instead.PRIORITY,
    "AFRRSignal": Instead.DISCHARGE,
    "SetDERControl": Instead.DISCHARGE,
    "ClearDERControl": Instead.DISCHARGE,
    "NotifyAllowedEnergyTransfer": Instead.DISCHARGE,
    "SendLocalList": Instead.TOKENS,
}
"""Operations that are refused whatever they say."""

KEPT = frozenset(
    name.casefold()
    for name in (
        # OCPP 1.6
        "MeterValueSampleInterval",
        "MeterValuesSampledData",
        "MeterValuesSampledDataMaxLength",
        "HeartbeatInterval",
        "WebSocketPingInterval",
        "SupportedFeatureProfiles",
        "SupportedFeatureProfilesMaxLength",
        "ChargeProfileMaxStackLevel",
        "ChargingScheduleAllowedChargingRateUnit",
        "ChargingScheduleMaxPeriods",
        "MaxChargingProfilesInstalled",
        "ConnectorSwitch3to1PhaseSupported",
        "ConnectorPhaseRotation",
        "ConnectorPhaseRotationMaxLength",
        # OCPP 2.x, without their components
        "TxStartedMeasurands",
        "TxUpdatedMeasurands",
        "TxEndedMeasurands",
        "TxUpdatedInterval",
        "TxEndedInterval",
        "TxStartPoint",
        "TxStopPoint",
        "PhaseRotation",
        "ACPhaseRotation",
        "RateUnit",
        "ProfileStackLevel",
        "PeriodsPerSchedule",
        "Phases3to1",
        "ACPhaseSwitchingSupported",
        "SupplyPhases",
    )
)
"""Settings that the site sets, or that its proofs rest on."""

OF_TOKENS = frozenset(
    name.casefold()
    for name in (
        # OCPP 1.6
        "LocalAuthListEnabled",
        "LocalAuthorizeOffline",
        "LocalPreAuthorize",
        "AllowOfflineTxForUnknownId",
        "AuthorizationCacheEnabled",
        "AuthorizeRemoteTxRequests",
        "StopTransactionOnInvalidId",
        # OCPP 2.x
        "OfflineTxForUnknownIdEnabled",
        "AuthorizeRemoteStart",
        "StopTxOnInvalidId",
        "AuthCtrlr.Enabled",
        "AuthCacheCtrlr.Enabled",
        "LocalAuthListCtrlr.Enabled",
    )
)
"""Settings that say who may charge without the site being asked; with a component where the name says too little."""

KEPT_COMPONENTS = frozenset({"smartchargingctrlr", "v2xchargingctrlr", "dcderctrlr", "acderctrlr"})
"""Components of OCPP 2.x that are kept as a whole: whether and how it follows limits."""

SECRET = (
    "authorizationkey",
    "password",
    "passphrase",
    "secret",
    "credential",
    "privatekey",
    "apikey",
    "wifikey",
    "accesstoken",
    "apitoken",
)
"""Parts of names of settings whose values nobody is shown."""

_LOGIN = frozenset({"authorizationkey", "basicauthpassword", "securityprofile", "identity"})
"""What a charge point logs in with: changed here alone, it would be locked out."""
_OF_CURRENT = re.compile(
    r"current|ampere|\bamps?\b|power|fall ?back|fail ?safe|smart ?charg|charging ?(rate|profile|limit)"
    r"|load ?(manage|balanc|shed)|limit(er|ation)?\b|(max|min)(imum)? ?(charg|draw|load)|breaker|\bfuse"
    r"|grid ?capacity|phase ?(switch|rotation|count)|derat"
)
_HARMLESS = frozenset({"tarifffallbackmessage", "offlinetarifffallbackmessage", "totalcostfallbackmessage"})
"""Of the specifications, where a name has such a word and says nothing of current."""


def forbid_operation(operation: str, payload: JsonObject) -> None:
    """Let pass what may go out. Raises Forbidden."""
    if operation in NEVER:
        raise Forbidden(NEVER[operation], operation)
    if operation in ("RemoteStartTransaction", "RequestStartTransaction") and "chargingProfile" in payload:
        raise Forbidden(Instead.START, operation)
    if operation == "ChangeConfiguration":
        forbid_setting(str(payload.get("key", "")))
    if operation == "SetVariables":
        for one in _objects(payload.get("setVariableData")):
            forbid_setting(_name(one, "variable"), component=_name(one, "component"))
    if operation == "DataTransfer":
        _forbid_transfer(payload)


def forbid_setting(name: str, *, component: str | None = None) -> None:
    """Let pass a setting that may be changed; `component` is that of OCPP 2.x. Raises Forbidden."""
    plain = name.strip().casefold()
    whole = name if component is None else f"{component}.{name}"
    if plain in _LOGIN:
        raise Forbidden(Instead.KEY, whole)
    if plain in OF_TOKENS or whole.replace(" ", "").casefold() in OF_TOKENS:
        raise Forbidden(Instead.TOKENS, whole)
    if plain in KEPT or (component is not None and component.strip().casefold() in KEPT_COMPONENTS):
        raise Forbidden(Instead.SETTING, whole)
    if plain not in _HARMLESS and _speaks_of_current(f"{component or ''} {name}"):
        raise Forbidden(Instead.UNKNOWN_SETTING, whole)


def is_secret(name: str) -> bool:
    """Return whether the value of a setting is one that nobody is shown."""
    plain = re.sub(r"[^a-z0-9]+", "", name.casefold())
    return any(word in plain for word in SECRET)


def _forbid_transfer(payload: JsonObject) -> None:
    said = " ".join(str(payload[key]) for key in ("messageId", "data") if key in payload)
    if _speaks_of_current(said):
        raise Forbidden(Instead.TRANSFER, "DataTransfer")


def _speaks_of_current(text: str) -> bool:
    """Return whether a text has a word for current in it, however it is written: MaxCurrent, max_current."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+", " ", text).casefold()
    joined = re.sub(r"[^a-z0-9]+", "", text.casefold())
    return _OF_CURRENT.search(words) is not None or _OF_CURRENT.search(joined) is not None


def _objects(raw: object) -> list[JsonObject]:
    return [item for item in raw if isinstance(item, dict)] if isinstance(raw, list) else []


def _name(one: JsonObject, part: str) -> str:
    named = one.get(part)
    return str(named.get("name", "")) if isinstance(named, dict) else ""
