"""A meter made of Home Assistant's sensors: three currents, or three powers with or without voltages.

Its age is that of the oldest *report* among them (`last_reported`): `last_updated` stands still while a value repeats.
`unknown`, `unavailable`, text and NaN are faults, not zero.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from homeassistant.const import ATTR_UNIT_OF_MEASUREMENT, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import Event, EventStateChangedData, EventStateReportedData, HomeAssistant, State, callback
from homeassistant.helpers.event import async_track_state_change_event, async_track_state_report_event

from ..engine.model import NOMINAL_VOLTAGE_V, PhaseAmps
from . import MeterFault, MeterSample, ReportSample
from .settings import EntityMeterSettings, MeterSettings

LEAST_VOLTAGE_V = 0.94 * NOMINAL_VOLTAGE_V
"""Without voltages a power is turned into the most amps that it can be (EN 50160 allows −10 %, grids keep −6 %)."""

FACTORS = {"A": 1.0, "mA": 0.001, "W": 1.0, "kW": 1000.0, "MW": 1e6, "V": 1.0, "mV": 0.001, "kV": 1000.0}


class BadState(Exception):
    """A sensor's state is no number; `key` names the fault."""

    def __init__(self, key: str, detail: str) -> None:
        super().__init__(detail)
        self.key = key


class EntityMeter:
    """A meter made of sensors."""

    def __init__(self, hass: HomeAssistant, settings: MeterSettings, source: EntityMeterSettings) -> None:
        """Prepare; `start` begins to listen."""
        self._hass = hass
        self._settings = settings
        self._source = source
        self._entities = tuple(
            entity for group in (source.currents, source.powers, source.voltages) if group for entity in group
        )
        self._stop: list[Callable[[], None]] = []

    async def start(self, report: ReportSample) -> None:
        """Begin to report, with what the sensors show now."""

        @callback
        def seen(_event: Event[EventStateChangedData] | Event[EventStateReportedData]) -> None:
            report(self._read())

        self._stop = [
            async_track_state_change_event(self._hass, self._entities, seen),
            async_track_state_report_event(self._hass, self._entities, seen),
        ]
        report(self._read())

    async def stop(self) -> None:
        """End reporting."""
        while self._stop:
            self._stop.pop()()

    def _read(self) -> MeterSample | MeterFault:
        try:
            states = {entity: self._state(entity) for entity in self._entities}
            amps = self._amps(states)
        except BadState as fault:
            return MeterFault(key=fault.key, detail=str(fault))
        oldest = min(state.last_reported_timestamp for state in states.values())
        age = max(0.0, time.time() - oldest)
        return MeterSample(amps=amps, measured_at=time.monotonic() - age, power_w=self._power(states))

    def _state(self, entity: str) -> State:
        state = self._hass.states.get(entity)
        if state is None:
            raise BadState("missing_entity", f"{entity} does not exist")
        if state.state in {STATE_UNAVAILABLE, STATE_UNKNOWN}:
            raise BadState(state.state, f"{entity} is {state.state}")
        return state

    def _amps(self, states: dict[str, State]) -> PhaseAmps:
        factor = -self._settings.ratio if self._settings.inverted != self._source.inverted else self._settings.ratio
        source = self._source
        if source.currents is not None:
            found = [_number(states[entity]) for entity in source.currents]
        elif source.powers is not None:
            volts = [LEAST_VOLTAGE_V] * 3
            if source.voltages is not None:
                volts = [_number(states[entity]) for entity in source.voltages]
            if any(volt < 0.5 * NOMINAL_VOLTAGE_V for volt in volts):
                raise BadState("implausible", f"voltages {volts}")
            watts = [_number(states[entity]) for entity in source.powers]
            found = [watt / volt for watt, volt in zip(watts, volts, strict=True)]
        else:
            raise BadState("missing_entity", "neither currents nor powers are chosen")
        return (found[0] * factor, found[1] * factor, found[2] * factor)

    def _power(self, states: dict[str, State]) -> float | None:
        if self._source.powers is None:
            return None
        inverted = self._settings.inverted != self._source.inverted
        total = sum(_number(states[entity]) for entity in self._source.powers) * self._settings.ratio
        return -total if inverted else total


def _number(state: State) -> float:
    """Return a state in the base unit. Raises BadState."""
    try:
        value = float(state.state)
    except ValueError:
        raise BadState("not_numeric", f"{state.entity_id} is {state.state!r}") from None
    if not math.isfinite(value):
        raise BadState("not_a_number", f"{state.entity_id} is {state.state}")
    unit = state.attributes.get(ATTR_UNIT_OF_MEASUREMENT)
    factor = FACTORS.get(str(unit))
    if factor is None:
        raise BadState("wrong_unit", f"{state.entity_id} is in {unit}")
    return value * factor


def entity_meters(hass: HomeAssistant, settings: MeterSettings, source: EntityMeterSettings) -> EntityMeter:
    """Return a meter made of Home Assistant's sensors."""
    return EntityMeter(hass, settings, source)
