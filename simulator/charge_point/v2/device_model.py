"""The device model: what a charge point consists of and which variables each of its parts has (OCPP 2.0.1, part 1).

Most variables of controllers are the settings that OCPP 1.6 has as configuration keys, under other names; the table
below says which. The others show what the charge point is or does.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from ...physics import NOMINAL_VOLTAGE_V
from ..configuration import AUTHORIZATION_KEY
from ..link import Payload
from ..local_list import MOST_ENTRIES
from ..measurands import MEASURANDS
from ..spec import OcppVersion
from .words import connector_status

if TYPE_CHECKING:
    from ..connector import Connector
    from ..station import ChargePoint

ITEMS_PER_MESSAGE = 50

TX_START_POINTS = ("Authorized", "EVConnected", "PowerPathClosed")

NOT_IN_2 = frozenset({"Temperature"})
"""Measurands that OCPP 2.x does not have."""


class DataType(StrEnum):
    """What the value of a variable looks like."""

    TEXT = "string"
    DECIMAL = "decimal"
    WHOLE = "integer"
    TIME = "dateTime"
    FLAG = "boolean"
    OPTION = "OptionList"
    SEQUENCE = "SequenceList"
    MEMBERS = "MemberList"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A component, at the station or at one of its EVSEs or connectors, and one of its variables."""

    component: str
    variable: str
    instance: str | None = None
    """Of the variable."""
    evse: int | None = None
    connector: int | None = None

    @property
    def component_payload(self) -> Payload:
        """Return the component as OCPP writes it."""
        payload: dict[str, object] = {"name": self.component}
        if self.evse is not None:
            evse: dict[str, object] = {"id": self.evse}
            if self.connector is not None:
                evse["connectorId"] = self.connector
            payload["evse"] = evse
        return payload

    @property
    def variable_payload(self) -> Payload:
        """Return the variable as OCPP writes it."""
        payload: dict[str, object] = {"name": self.variable}
        if self.instance is not None:
            payload["instance"] = self.instance
        return payload

    @property
    def key(self) -> tuple[object, ...]:
        """Return what makes two places the same; names do not depend on upper and lower case."""
        instance = None if self.instance is None else self.instance.casefold()
        return (*self.component_key, self.variable.casefold(), instance)

    @property
    def component_key(self) -> tuple[object, ...]:
        """Return what makes two components the same."""
        return (self.component.casefold(), self.evse, self.connector)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One variable."""

    place: Place
    type: DataType
    read: Callable[[], str]
    write: Callable[[str], str] | None = None
    """Sets a new value and returns the status of the answer; None: nobody may."""
    secret: bool = False
    """Can be written and not be read."""
    monitored: bool = False
    unit: str = ""
    most: float | None = None
    values: str = ""

    @property
    def mutability(self) -> str:
        """Return who may do what with it."""
        if self.secret:
            return "WriteOnly"
        return "ReadOnly" if self.write is None else "ReadWrite"

    def report(self) -> Payload:
        """Return it as NotifyReport writes it."""
        attribute: dict[str, object] = {"type": "Actual", "mutability": self.mutability, "persistent": True}
        if not self.secret:
            attribute["value"] = self.read()
        characteristics: dict[str, object] = {"dataType": str(self.type), "supportsMonitoring": self.monitored}
        if self.unit:
            characteristics["unit"] = self.unit
        if self.most is not None:
            characteristics["maxLimit"] = self.most
        if self.values:
            characteristics["valuesList"] = self.values
        return {
            "component": self.place.component_payload,
            "variable": self.place.variable_payload,
            "variableAttribute": [attribute],
            "variableCharacteristics": characteristics,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a request finds at a place: a variable, or the status that says why there is none."""

    variable: Variable | None = None
    status: str = "Accepted"


class DeviceModel:
    """All variables of one charge point."""

    def __init__(self, station: ChargePoint) -> None:
        """Build it."""
        variables = [*_controllers(station), *_hardware(station), *_vendor(station)]
        self._variables = {variable.place.key: variable for variable in variables}
        self._components = {variable.place.component_key for variable in variables}

    @property
    def variables(self) -> Sequence[Variable]:
        """Return all variables."""
        return tuple(self._variables.values())

    def find(self, place: Place) -> Found:
        """Return the variable at a place."""
        variable = self._variables.get(place.key)
        if variable is not None:
            return Found(variable=variable)
        known = place.component_key in self._components
        return Found(status="UnknownVariable" if known else "UnknownComponent")


SETTINGS: tuple[tuple[str, str, str | None, str, DataType], ...] = (
    ("AlignedDataCtrlr", "Interval", None, "ClockAlignedDataInterval", DataType.WHOLE),
    ("AlignedDataCtrlr", "Measurands", None, "MeterValuesAlignedData", DataType.MEMBERS),
    ("AlignedDataCtrlr", "TxEndedMeasurands", None, "StopTxnAlignedData", DataType.MEMBERS),
    ("AuthCacheCtrlr", "Enabled", None, "AuthorizationCacheEnabled", DataType.FLAG),
    ("AuthCtrlr", "AuthorizeRemoteStart", None, "AuthorizeRemoteTxRequests", DataType.FLAG),
    ("AuthCtrlr", "LocalAuthorizeOffline", None, "LocalAuthorizeOffline", DataType.FLAG),
    ("AuthCtrlr", "LocalPreAuthorize", None, "LocalPreAuthorize", DataType.FLAG),
    ("AuthCtrlr", "OfflineTxForUnknownIdEnabled", None, "AllowOfflineTxForUnknownId", DataType.FLAG),
    ("LocalAuthListCtrlr", "Enabled", None, "LocalAuthListEnabled", DataType.FLAG),
    ("OCPPCommCtrlr", "HeartbeatInterval", None, "HeartbeatInterval", DataType.WHOLE),
    ("OCPPCommCtrlr", "MessageAttemptInterval", "TransactionEvent", "TransactionMessageRetryInterval", DataType.WHOLE),
    ("OCPPCommCtrlr", "MessageAttempts", "TransactionEvent", "TransactionMessageAttempts", DataType.WHOLE),
    ("OCPPCommCtrlr", "ResetRetries", None, "ResetRetries", DataType.WHOLE),
    ("OCPPCommCtrlr", "UnlockOnEVSideDisconnect", None, "UnlockConnectorOnEVSideDisconnect", DataType.FLAG),
    ("OCPPCommCtrlr", "WebSocketPingInterval", None, "WebSocketPingInterval", DataType.WHOLE),
    ("SampledDataCtrlr", "TxEndedMeasurands", None, "StopTxnSampledData", DataType.MEMBERS),
    ("SampledDataCtrlr", "TxStartedMeasurands", None, "TxStartedMeasurands", DataType.MEMBERS),
    ("SampledDataCtrlr", "TxUpdatedInterval", None, "MeterValueSampleInterval", DataType.WHOLE),
    ("SampledDataCtrlr", "TxUpdatedMeasurands", None, "MeterValuesSampledData", DataType.MEMBERS),
    ("SecurityCtrlr", "OrganizationName", None, "CpoName", DataType.TEXT),
    ("SmartChargingCtrlr", "Entries", "ChargingProfiles", "MaxChargingProfilesInstalled", DataType.WHOLE),
    ("SmartChargingCtrlr", "PeriodsPerSchedule", None, "ChargingScheduleMaxPeriods", DataType.WHOLE),
    ("SmartChargingCtrlr", "ProfileStackLevel", None, "ChargeProfileMaxStackLevel", DataType.WHOLE),
    ("TxCtrlr", "EVConnectionTimeOut", None, "ConnectionTimeOut", DataType.WHOLE),
    ("TxCtrlr", "StopTxOnEVSideDisconnect", None, "StopTransactionOnEVSideDisconnect", DataType.FLAG),
    ("TxCtrlr", "StopTxOnInvalidId", None, "StopTransactionOnInvalidId", DataType.FLAG),
    ("TxCtrlr", "TxStartPoint", None, "TxStartPoint", DataType.MEMBERS),
)
"""Component, variable, its instance, the setting behind it, and what it looks like."""

CONSTANTS: tuple[tuple[str, str, str | None, str, DataType], ...] = (
    ("AlignedDataCtrlr", "Available", None, "true", DataType.FLAG),
    ("AuthCtrlr", "Enabled", None, "true", DataType.FLAG),
    ("ClockCtrlr", "TimeSource", None, "Heartbeat", DataType.SEQUENCE),
    ("DeviceDataCtrlr", "BytesPerMessage", "GetReport", "65000", DataType.WHOLE),
    ("DeviceDataCtrlr", "BytesPerMessage", "GetVariables", "65000", DataType.WHOLE),
    ("DeviceDataCtrlr", "BytesPerMessage", "SetVariables", "65000", DataType.WHOLE),
    ("DeviceDataCtrlr", "ItemsPerMessage", "GetReport", str(ITEMS_PER_MESSAGE), DataType.WHOLE),
    ("DeviceDataCtrlr", "ItemsPerMessage", "GetVariables", str(ITEMS_PER_MESSAGE), DataType.WHOLE),
    ("DeviceDataCtrlr", "ItemsPerMessage", "SetVariables", str(ITEMS_PER_MESSAGE), DataType.WHOLE),
    ("LocalAuthListCtrlr", "Available", None, "true", DataType.FLAG),
    ("LocalAuthListCtrlr", "BytesPerMessage", None, "65000", DataType.WHOLE),
    ("LocalAuthListCtrlr", "ItemsPerMessage", None, str(MOST_ENTRIES), DataType.WHOLE),
    ("MonitoringCtrlr", "Available", None, "true", DataType.FLAG),
    ("MonitoringCtrlr", "Enabled", None, "true", DataType.FLAG),
    ("MonitoringCtrlr", "ItemsPerMessage", "SetVariableMonitoring", str(ITEMS_PER_MESSAGE), DataType.WHOLE),
    ("OCPPCommCtrlr", "FileTransferProtocols", None, "HTTPS,FTPS", DataType.MEMBERS),
    ("OCPPCommCtrlr", "MessageTimeout", "Default", "30", DataType.WHOLE),
    ("OCPPCommCtrlr", "NetworkConfigurationPriority", None, "1", DataType.SEQUENCE),
    ("OCPPCommCtrlr", "NetworkProfileConnectionAttempts", None, "3", DataType.WHOLE),
    ("OCPPCommCtrlr", "OfflineThreshold", None, "60", DataType.WHOLE),
    ("OCPPCommCtrlr", "QueueAllMessages", None, "false", DataType.FLAG),
    ("ReservationCtrlr", "Available", None, "true", DataType.FLAG),
    ("ReservationCtrlr", "Enabled", None, "true", DataType.FLAG),
    ("ReservationCtrlr", "NonEvseSpecific", None, "false", DataType.FLAG),
    ("SampledDataCtrlr", "Available", None, "true", DataType.FLAG),
    ("SampledDataCtrlr", "Enabled", None, "true", DataType.FLAG),
    ("SampledDataCtrlr", "TxEndedInterval", None, "0", DataType.WHOLE),
    ("SecurityCtrlr", "CertificateEntries", None, "10", DataType.WHOLE),
    ("SmartChargingCtrlr", "Available", None, "true", DataType.FLAG),
    ("SmartChargingCtrlr", "Enabled", None, "true", DataType.FLAG),
    ("SmartChargingCtrlr", "LimitChangeSignificance", None, "1", DataType.DECIMAL),
    ("SmartChargingCtrlr", "NotifyChargingLimitWithSchedules", None, "true", DataType.FLAG),
    ("TxCtrlr", "TxStopPoint", None, "Authorized,EVConnected", DataType.MEMBERS),
)

RATE_UNITS = {"Current": "A", "Power": "W"}


def measurands_of(version: OcppVersion) -> tuple[str, ...]:
    """Return the measurands that a version has."""
    return tuple(name for name in MEASURANDS if version is OcppVersion.V16 or name not in NOT_IN_2)


def _controllers(station: ChargePoint) -> Iterator[Variable]:
    configuration = station.configuration
    for component, variable, instance, key, kind in SETTINGS:
        place = Place(component=component, variable=variable, instance=instance)
        writable = configuration.writable(key)
        values = _values_list(station, variable) if kind is DataType.MEMBERS else ""
        yield Variable(
            place=place,
            type=kind,
            read=partial(configuration.text, key),
            write=_writer(station, key, values) if writable else None,
            values=values,
        )
    for component, variable, instance, value, kind in CONSTANTS:
        place = Place(component=component, variable=variable, instance=instance)
        yield Variable(place=place, type=kind, read=partial(str, value))
    yield Variable(
        place=Place(component="SecurityCtrlr", variable="BasicAuthPassword"),
        type=DataType.TEXT,
        read=lambda: "",
        write=_writer(station, AUTHORIZATION_KEY, ""),
        secret=True,
        most=40,
    )
    yield _fact("SecurityCtrlr", "SecurityProfile", DataType.WHOLE, lambda: configuration.text("SecurityProfile"))
    yield _fact("SecurityCtrlr", "Identity", DataType.TEXT, lambda: station.spec.identity)
    yield _fact("ClockCtrlr", "DateTime", DataType.TIME, station.time_text)
    units = ",".join(RATE_UNITS[unit] for unit in station.spec.rate_units)
    yield Variable(
        place=Place(component="SmartChargingCtrlr", variable="RateUnit"),
        type=DataType.MEMBERS,
        read=lambda: units,
        values=units,
    )
    yield Variable(
        place=Place(component="LocalAuthListCtrlr", variable="Entries"),
        type=DataType.WHOLE,
        read=lambda: str(len(station.local_list)),
        most=MOST_ENTRIES,
    )


def _values_list(station: ChargePoint, variable: str) -> str:
    return ",".join(TX_START_POINTS if variable == "TxStartPoint" else measurands_of(station.spec.version))


def _writer(station: ChargePoint, key: str, values: str) -> Callable[[str], str]:
    allowed = set(values.split(",")) if values else None

    def write(value: str) -> str:
        members = {one.strip() for one in value.split(",") if one.strip()}
        if allowed is not None and not members <= allowed:
            return "Rejected"
        return station.configuration.change(key, value)

    return write


def _fact(component: str, variable: str, kind: DataType, read: Callable[[], str]) -> Variable:
    return Variable(place=Place(component=component, variable=variable), type=kind, read=read)


def _hardware(station: ChargePoint) -> Iterator[Variable]:
    spec = station.spec
    phases = max(connector.spec.phases for connector in station.connectors.values())
    yield _fact("ChargingStation", "Available", DataType.FLAG, lambda: "true")
    yield _fact("ChargingStation", "AvailabilityState", DataType.OPTION, lambda: _availability(station))
    yield _fact("ChargingStation", "FirmwareVersion", DataType.TEXT, lambda: station.firmware)
    yield _fact("ChargingStation", "Model", DataType.TEXT, lambda: spec.model)
    yield _fact("ChargingStation", "Problem", DataType.FLAG, lambda: _flag(_problem(station)))
    yield _fact("ChargingStation", "SerialNumber", DataType.TEXT, lambda: spec.serial_number)
    yield _fact("ChargingStation", "SupplyPhases", DataType.WHOLE, lambda: str(phases))
    yield _fact("ChargingStation", "VendorName", DataType.TEXT, lambda: spec.vendor)
    for connector in station.connectors.values():
        yield from _evse(connector)


def _evse(connector: Connector) -> Iterator[Variable]:
    number, phases = connector.number, str(connector.spec.phases)
    power = connector.spec.maximum_a * connector.spec.phases * NOMINAL_VOLTAGE_V
    rotation = "".join("RST"[phase] for phase in connector.spec.rotation)

    def evse(variable: str, kind: DataType, read: Callable[[], str]) -> Variable:
        return Variable(place=Place(component="EVSE", variable=variable, evse=number), type=kind, read=read)

    yield evse("AllowReset", DataType.FLAG, lambda: "true")
    yield evse("Available", DataType.FLAG, lambda: "true")
    yield Variable(
        place=Place(component="EVSE", variable="AvailabilityState", evse=number),
        type=DataType.OPTION,
        read=lambda: connector_status(connector),
        monitored=True,
        values=STATES,
    )
    yield Variable(
        place=Place(component="EVSE", variable="Power", evse=number),
        type=DataType.DECIMAL,
        read=lambda: f"{_watts(connector):.0f}",
        monitored=True,
        unit="W",
        most=power,
    )
    yield evse("SupplyPhases", DataType.WHOLE, lambda: phases)
    if len(rotation) > 1:
        yield evse("PhaseRotation", DataType.TEXT, lambda: rotation)
    for variable, kind, read in (
        ("Available", DataType.FLAG, lambda: "true"),
        ("AvailabilityState", DataType.OPTION, lambda: connector_status(connector)),
        ("ConnectorType", DataType.TEXT, lambda: "cType2"),
        ("SupplyPhases", DataType.WHOLE, lambda: phases),
    ):
        place = Place(component="Connector", variable=variable, evse=number, connector=1)
        yield Variable(place=place, type=kind, read=read)


def _vendor(station: ChargePoint) -> Iterator[Variable]:
    for key in station.configuration.vendor_keys:
        place = Place(component="VendorCtrlr", variable=key)
        yield Variable(place=place, type=DataType.TEXT, read=partial(station.configuration.text, key))


STATES = "Available,Occupied,Reserved,Unavailable,Faulted"


def _watts(connector: Connector) -> float:
    return sum(connector.outlet.drawn) * NOMINAL_VOLTAGE_V


def _availability(station: ChargePoint) -> str:
    connectors = station.connectors.values()
    return "Available" if any(connector.operative for connector in connectors) else "Unavailable"


def _problem(station: ChargePoint) -> bool:
    return any(connector.fault is not None for connector in station.connectors.values())


def _flag(value: bool) -> str:  # noqa: FBT001 - it is what is worded
    return "true" if value else "false"
