"""Adding and changing a meter: over Modbus, of sensors that Home Assistant has already, or a charge point's own.

Either way it is tried before it is stored: a meter that does not answer as it should is not a guard.
"""

from collections.abc import Mapping
from typing import Any, cast, override

import voluptuous as vol
from homeassistant.components.sensor import SensorDeviceClass
from homeassistant.config_entries import SOURCE_USER, ConfigEntryState, ConfigSubentry, SubentryFlowResult
from homeassistant.const import (
    ATTR_UNIT_OF_MEASUREMENT,
    UnitOfElectricCurrent,
    UnitOfElectricPotential,
    UnitOfPower,
    UnitOfTime,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.selector import (
    BooleanSelector,
    EntitySelector,
    EntitySelectorConfig,
    EntityWithDeviceFilterSelectorConfig,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
)

from ..chargers import ChargerOffline, HasMeter
from ..configuration import site_settings
from ..const import SUPPLY_ID, Key, SubentryType
from ..coordinator import ChargeClusterConfigEntry
from ..engine.model import PHASES, MeterScope, PhaseAmps
from ..modbus.link import LinkFault
from ..modbus.scan import FoundMeter, NoMeterFound, identify
from . import FormFaults, advanced, choice, circuit_choice, folded, name_taken, pick, unfolded, whole_number
from .commissioning import CommissioningFlow

DEFAULT_MODBUS_PORT = 502
DEFAULT_INTERVAL_S = 1.0

DEFAULT_STATION_INTERVAL_S = 10.0
STATION_PATIENCE_S = 8.0
"""So long a charge point has to tell what its own meter reads, once it said that it will."""

COMMON = (Key.CIRCUIT, Key.SCOPE, Key.RATIO, Key.INVERTED, Key.TIMEOUT)

UNITS: Mapping[Key, tuple[SensorDeviceClass, tuple[str, ...]]] = {
    Key.CURRENTS: (SensorDeviceClass.CURRENT, (UnitOfElectricCurrent.AMPERE, UnitOfElectricCurrent.MILLIAMPERE)),
    Key.POWERS: (SensorDeviceClass.POWER, (UnitOfPower.WATT, UnitOfPower.KILO_WATT, UnitOfPower.MEGA_WATT)),
    Key.VOLTAGES: (SensorDeviceClass.VOLTAGE, (UnitOfElectricPotential.VOLT, UnitOfElectricPotential.MILLIVOLT)),
}
"""What each of the three lists of sensors must measure, and in which units."""


class MeterFlow(CommissioningFlow):
    """Adds or changes a meter."""

    def __init__(self) -> None:
        """Begin with nothing filled in."""
        self._filled_in: dict[str, Any] = {}
        self._identified: dict[str, Any] = {}

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask what kind of meter it is."""
        del user_input
        return self.async_show_menu(step_id="user", menu_options=["modbus", "entities", "station"])

    @override
    async def async_step_settings(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask for what is to change; the kind stays."""
        del user_input
        if Key.PROFILE in self._get_reconfigure_subentry().data:
            return await self.async_step_modbus()
        if Key.CHARGE_POINT in self._get_reconfigure_subentry().data:
            return await self.async_step_station()
        return await self.async_step_entities()

    async def async_step_modbus(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask where the meter is, and ask the meter what it is."""
        fields = self._known_fields()
        faults = FormFaults()
        if user_input is not None:
            fields = unfolded(user_input)
            fields[Key.HOST] = fields[Key.HOST].strip()
            self._check_common(fields, faults)
            if not faults and self._is_where_it_was(fields):
                return self._store_modbus(fields, self._get_reconfigure_subentry().data)
            if not faults:
                found = await _ask(fields, faults)
                if found is not None:
                    return self._show_found(fields, found)
        source: dict[vol.Marker, Any] = {
            vol.Required(Key.HOST): TextSelector(),
            vol.Required(Key.PORT, default=DEFAULT_MODBUS_PORT): whole_number(least=1, most=65535),
            vol.Optional(Key.UNIT): whole_number(least=0, most=255),
        }
        unusual: dict[vol.Marker, Any] = {
            vol.Required(Key.INTERVAL, default=DEFAULT_INTERVAL_S): _seconds(least=0.2, most=60)
        }
        return self._form("modbus", source, unusual, fields, faults)

    def _is_where_it_was(self, fields: Mapping[str, Any]) -> bool:
        """Return whether a meter is only described anew, which must be possible while it is silent."""
        subentry = self._changed_subentry()
        address = (Key.HOST, Key.PORT, Key.UNIT)
        return subentry is not None and all(fields.get(name) == subentry.data[name] for name in address)

    def _show_found(self, fields: dict[str, Any], found: FoundMeter) -> SubentryFlowResult:
        """Show what was found, so that a wrong meter or sign is seen before it guards anything."""
        self._filled_in = fields
        self._identified = {Key.PROFILE.value: found.profile, Key.UNIT.value: found.unit}
        named = (found.manufacturer, found.model, found.serial)
        factor = float(fields.get(Key.RATIO, 1.0)) * (-1.0 if fields.get(Key.INVERTED) else 1.0)
        return self.async_show_form(
            step_id="found",
            data_schema=vol.Schema({}),
            description_placeholders={
                "meter": " ".join(word for word in named if word) or found.profile,
                "unit": str(found.unit),
                "currents": " / ".join(f"{value * factor:.1f} A" for value in found.values.amps),
            },
            last_step=True,
        )

    async def async_step_found(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Store what was found and seen."""
        del user_input
        return self._store_modbus(self._filled_in, self._identified)

    def _store_modbus(self, fields: Mapping[str, Any], identified: Mapping[str, Any]) -> SubentryFlowResult:
        stored = {
            **pick(fields, (*COMMON, Key.HOST, Key.PORT, Key.INTERVAL)),
            **pick(identified, (Key.PROFILE, Key.UNIT)),
        }
        unique_id = f"meter:{stored[Key.HOST]}:{int(stored[Key.PORT])}:{int(stored[Key.UNIT])}"
        return self._store(fields, stored, unique_id=unique_id)

    async def async_step_entities(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask which sensors the meter is made of."""
        fields = self._known_fields()
        faults = FormFaults()
        if user_input is not None:
            fields = unfolded(user_input)
            self._check_common(fields, faults)
            _check_sensors(self.hass, fields, faults)
            if not faults:
                return self._store(fields, pick(fields, (*COMMON, *UNITS)), unique_id=None)
        sensors: dict[vol.Marker, Any] = {
            vol.Optional(key): _sensors(device_class) for key, (device_class, _units) in UNITS.items()
        }
        return self._form("entities", sensors, {}, fields, faults)

    async def async_step_station(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask which charge point has the meter, and what that reads."""
        entry = self._get_entry()
        if not entry.get_subentries_of_type(SubentryType.CHARGE_POINT):
            return self.async_abort(reason="no_charge_point")
        fields = self._known_fields()
        faults = FormFaults()
        if user_input is not None:
            fields = unfolded(user_input)
            self._check_common(fields, faults)
            if not faults and self._is_at_the_same(fields):
                return self._store_station(fields)
            if not faults:
                amps = await self._ask_station(fields, faults)
                if amps is not None:
                    return self._show_station(fields, amps)
        options = [
            SelectOptionDict(value=subentry.subentry_id, label=subentry.title)
            for subentry in entry.get_subentries_of_type(SubentryType.CHARGE_POINT)
        ]
        source: dict[vol.Marker, Any] = {
            vol.Required(Key.CHARGE_POINT): SelectSelector(
                SelectSelectorConfig(options=options, mode=SelectSelectorMode.DROPDOWN)
            )
        }
        unusual: dict[vol.Marker, Any] = {
            vol.Required(Key.INTERVAL, default=DEFAULT_STATION_INTERVAL_S): _seconds(least=2, most=300)
        }
        return self._form("station", source, unusual, fields, faults)

    def _is_at_the_same(self, fields: Mapping[str, Any]) -> bool:
        """Return whether a meter is only described anew, which must be possible while it is silent."""
        subentry = self._changed_subentry()
        return subentry is not None and fields[Key.CHARGE_POINT] == subentry.data[Key.CHARGE_POINT]

    async def _ask_station(self, fields: Mapping[str, Any], faults: FormFaults) -> PhaseAmps | None:
        """Return what the charge point's own meter reads; where it tells nothing usable, say so."""
        entry = self._get_entry()
        name = entry.subentries[fields[Key.CHARGE_POINT]].title
        charger: object = None
        if entry.state is ConfigEntryState.LOADED:
            charger = cast("ChargeClusterConfigEntry", entry).runtime_data.site.charger(fields[Key.CHARGE_POINT])
        if not isinstance(charger, HasMeter):
            faults.add("station_unreachable", field=Key.CHARGE_POINT, charge_point=name)
            return None
        try:
            told = await charger.read_station(STATION_PATIENCE_S)
        except ChargerOffline:
            faults.add("station_unreachable", field=Key.CHARGE_POINT, charge_point=name)
            return None
        if told is None:
            faults.add("station_tells_nothing", field=Key.CHARGE_POINT, charge_point=name)
        elif told.amps is None:
            faults.add("station_phases_missing", field=Key.CHARGE_POINT, charge_point=name)
        return None if told is None else told.amps

    def _show_station(self, fields: dict[str, Any], amps: PhaseAmps) -> SubentryFlowResult:
        """Show what the meter reads, so that a wrong one, or a wrong sign, is seen before it guards anything."""
        self._filled_in = fields
        factor = float(fields.get(Key.RATIO, 1.0)) * (-1.0 if fields.get(Key.INVERTED) else 1.0)
        return self.async_show_form(
            step_id="station_found",
            data_schema=vol.Schema({}),
            description_placeholders={
                "charge_point": self._get_entry().subentries[fields[Key.CHARGE_POINT]].title,
                "currents": " / ".join(f"{value * factor:.1f} A" for value in amps),
            },
            last_step=True,
        )

    async def async_step_station_found(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Store what was seen."""
        del user_input
        return self._store_station(self._filled_in)

    def _store_station(self, fields: Mapping[str, Any]) -> SubentryFlowResult:
        stored = pick(fields, (*COMMON, Key.CHARGE_POINT, Key.INTERVAL))
        return self._store(fields, stored, unique_id=f"meter:station:{stored[Key.CHARGE_POINT]}")

    def _known_fields(self) -> dict[str, Any]:
        if self.source == SOURCE_USER:
            return {Key.CIRCUIT: SUPPLY_ID, Key.SCOPE: MeterScope.EVERYTHING.value}
        subentry = self._get_reconfigure_subentry()
        return {Key.NAME: subentry.title, **subentry.data}

    def _changed_subentry(self) -> ConfigSubentry | None:
        return None if self.source == SOURCE_USER else self._get_reconfigure_subentry()

    def _form(
        self,
        step: str,
        source: Mapping[vol.Marker, Any],
        unusual: Mapping[vol.Marker, Any],
        fields: Mapping[str, Any],
        faults: FormFaults,
    ) -> SubentryFlowResult:
        schema = vol.Schema(
            {
                vol.Required(Key.NAME): TextSelector(),
                vol.Required(Key.CIRCUIT): circuit_choice(self._get_entry()),
                **source,
                vol.Required(Key.SCOPE): choice("scope", MeterScope),
                vol.Required(Key.ADVANCED): advanced(
                    {
                        vol.Optional(Key.RATIO): _ratio(),
                        vol.Optional(Key.INVERTED, default=False): BooleanSelector(),
                        vol.Optional(Key.TIMEOUT): _seconds(least=1, most=900),
                        **unusual,
                    }
                ),
            }
        )
        return self.async_show_form(
            step_id=step,
            data_schema=self.add_suggested_values_to_schema(schema, folded(fields)),
            errors=faults.errors,
            description_placeholders=faults.placeholders,
        )

    def _check_common(self, fields: Mapping[str, Any], faults: FormFaults) -> None:
        entry = self._get_entry()
        own = self._changed_subentry()
        title = fields[Key.NAME].strip()
        if not title:
            faults.add("name_missing", field=Key.NAME)
        elif name_taken(entry, SubentryType.METER, title, by_other_than=own):
            faults.add("name_taken", field=Key.NAME)
        for other in entry.get_subentries_of_type(SubentryType.METER):
            if own is not None and other.subentry_id == own.subentry_id:
                continue
            if other.data[Key.CIRCUIT] == fields[Key.CIRCUIT] and _guards(other.data) == _guards(fields):
                if _guards(fields):
                    faults.add("already_guarded", field=Key.CIRCUIT, meter=other.title)
                else:
                    faults.add("generation_measured", field=Key.CIRCUIT, meter=other.title)
        if not _guards(fields):
            circuits = {circuit.circuit_id: circuit for circuit in site_settings(entry).circuits}
            circuit = circuits.get(fields[Key.CIRCUIT])
            if circuit is not None and circuit.generation_a is None:
                # Nothing would be known to be hidden whenever this meter is silent.
                faults.add("generation_undeclared", field=Key.CIRCUIT, circuit=circuit.name)

    def _store(self, fields: Mapping[str, Any], stored: dict[str, Any], *, unique_id: str | None) -> SubentryFlowResult:
        title = fields[Key.NAME].strip()
        subentry = self._changed_subentry()
        if subentry is None:
            return self.async_create_entry(title=title, data=stored, unique_id=unique_id)
        return self.async_update_and_abort(self._get_entry(), subentry, title=title, data=stored, unique_id=unique_id)


def _guards(fields: Mapping[str, Any]) -> bool:
    """Return whether a meter says what flows through its circuit, and not only what is fed in below it."""
    return bool(fields[Key.SCOPE] != MeterScope.GENERATION)


async def _ask(fields: Mapping[str, Any], faults: FormFaults) -> FoundMeter | None:
    """Return the meter that answers; where none does, say so."""
    host, port, unit = fields[Key.HOST], int(fields[Key.PORT]), fields.get(Key.UNIT)
    try:
        return await identify(host, port, None if unit is None else int(unit))
    except LinkFault as fault:
        key = "meter_unreachable" if fault.key == "unreachable" else "meter_silent"
        faults.add(key, field=Key.HOST, host=host, port=str(port), detail=fault.detail)
    except NoMeterFound:
        faults.add("meter_unknown", host=host, port=str(port))
    return None


def _ratio() -> NumberSelector:
    return NumberSelector(NumberSelectorConfig(min=0.001, max=10_000, step="any", mode=NumberSelectorMode.BOX))


def _seconds(*, least: float, most: float) -> NumberSelector:
    return NumberSelector(
        NumberSelectorConfig(
            min=least, max=most, step=0.1, mode=NumberSelectorMode.BOX, unit_of_measurement=UnitOfTime.SECONDS
        )
    )


def _sensors(device_class: SensorDeviceClass) -> EntitySelector:
    return EntitySelector(
        EntitySelectorConfig(
            filter=EntityWithDeviceFilterSelectorConfig(domain="sensor", device_class=device_class), multiple=True
        )
    )


def _check_sensors(hass: HomeAssistant, fields: Mapping[str, Any], faults: FormFaults) -> None:
    """Add what keeps the chosen sensors from being a meter."""
    if (Key.CURRENTS in fields) == (Key.POWERS in fields):
        faults.add("currents_or_powers", field=Key.CURRENTS)
    for key, (_device_class, units) in UNITS.items():
        chosen = fields.get(key)
        if chosen is None:
            continue
        if len(set(chosen)) != len(PHASES):
            faults.add("three_needed", field=key)
            continue
        for entity_id in chosen:
            _check_sensor(hass, entity_id, key, units, faults)


def _check_sensor(hass: HomeAssistant, entity_id: str, key: Key, units: tuple[str, ...], faults: FormFaults) -> None:
    state = hass.states.get(entity_id)
    shown = "–" if state is None else state.state
    try:
        float(shown)
    except ValueError:
        faults.add("not_numeric", field=key, entity=entity_id, state=shown)
        return
    unit = None if state is None else state.attributes.get(ATTR_UNIT_OF_MEASUREMENT)
    if unit not in units:
        faults.add("wrong_unit", field=key, entity=entity_id, unit=str(unit), wanted=units[0])
