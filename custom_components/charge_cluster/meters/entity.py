"""A meter made of Home Assistant's sensors: three currents, or three powers with or without voltages.

Its age is that of the oldest *report* among them (`last_reported`): `last_updated` stands still while a value repeats.
`unknown`, `unavailable`, text and NaN are faults, not zero.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping

from homeassistant.const import ATTR_UNIT_OF_MEASUREMENT, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import Event, EventStateChangedData, EventStateReportedData, HomeAssistant, State, callback
from homeassistant.helpers.event import async_track_state_change_event, async_track_state_report_event

from ..engine.model import NOMINAL_VOLTAGE_V, PhaseAmps
from . import FaultKey, MeterFault, MeterSample, ReportSample, plausible
from .settings import EntityMeterSettings, MeterSettings

LEAST_VOLTAGE_V, MOST_VOLTAGE_V = 0.94 * NOMINAL_VOLTAGE_V, 1.1 * NOMINAL_VOLTAGE_V
"""Without voltages a power is turned into the most amps that it can be, so export into the least (EN 50160 allows
±10 %, grids keep −6 %)."""

PLAUSIBLE_VOLTS = (0.5 * NOMINAL_VOLTAGE_V, 1.3 * NOMINAL_VOLTAGE_V)
"""Phase to neutral; beyond them one phase is dead, or the sensors measure from phase to phase."""

type Factors = Mapping[str, float]

AMPS: Factors = {"A": 1.0, "mA": 0.001}
WATTS: Factors = {"W": 1.0, "kW": 1000.0, "MW": 1e6}
VOLTS: Factors = {"V": 1.0, "mV": 0.001}


class BadState(Exception):
    """A sensor's state is no number; `key` names the fault."""

    def __init__(self, key: FaultKey, detail: str) -> None:
        super().__init__(detail)
        self.key = key


class EntityMeter:
    """A meter made of sensors."""

    def __init__(self, hass: HomeAssistant, settings: MeterSettings, source: EntityMeterSettings) -> None:
        """Prepare; `start` begins to listen."""
        self._hass = hass
        self._settings = settings
        self._source = source
        self._voltages = source.voltages if source.currents is None else None
        """Currents need none: a voltage that is lost does not blind them."""
        self._entities = tuple(
            entity for group in (source.currents, source.powers, self._voltages) if group for entity in group
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
            volts = self._volts(states)
            watts = self._three(states, self._source.powers, WATTS)
            amps = self._amps(states, watts, volts)
        except BadState as fault:
            return MeterFault(key=fault.key, detail=str(fault))
        if not plausible(amps):
            return MeterFault(key=FaultKey.IMPLAUSIBLE, detail=f"currents {amps}")
        oldest = min(state.last_reported_timestamp for state in states.values())
        age = max(0.0, time.time() - oldest)
        return MeterSample(
            amps=amps,
            measured_at=time.monotonic() - age,
            power_w=None if watts is None else sum(watts),
            voltage_v=volts,
        )

    def _state(self, entity: str) -> State:
        state = self._hass.states.get(entity)
        if state is None:
            raise BadState(FaultKey.MISSING_ENTITY, f"{entity} does not exist")
        if state.state == STATE_UNAVAILABLE:
            raise BadState(FaultKey.ENTITY_UNAVAILABLE, f"{entity} is unavailable")
        if state.state == STATE_UNKNOWN:
            raise BadState(FaultKey.ENTITY_UNKNOWN, f"{entity} is unknown")
        return state

    def _amps(self, states: Mapping[str, State], watts: PhaseAmps | None, volts: PhaseAmps | None) -> PhaseAmps:
        amps = self._three(states, self._source.currents, AMPS)
        if amps is not None:
            return amps
        if watts is None:
            raise BadState(FaultKey.MISSING_ENTITY, "neither currents nor powers are chosen")
        if volts is None:
            volts = _worst_volts(watts)
        return (watts[0] / volts[0], watts[1] / volts[1], watts[2] / volts[2])

    def _volts(self, states: Mapping[str, State]) -> PhaseAmps | None:
        if self._voltages is None:
            return None
        least, most = PLAUSIBLE_VOLTS
        volts = [_number(states[entity], VOLTS) for entity in self._voltages]
        if not all(least <= volt <= most for volt in volts):
            raise BadState(FaultKey.IMPLAUSIBLE, f"voltages {volts}")
        return (volts[0], volts[1], volts[2])

    def _three(
        self, states: Mapping[str, State], entities: tuple[str, str, str] | None, units: Factors
    ) -> PhaseAmps | None:
        """Return three numbers with ratio and direction; None where no entities are chosen. Raises BadState."""
        if entities is None:
            return None
        factor = -self._settings.ratio if self._settings.inverted != self._source.inverted else self._settings.ratio
        first, second, third = (_number(states[entity], units) * factor for entity in entities)
        return (first, second, third)


def _worst_volts(watts: PhaseAmps) -> PhaseAmps:
    first, second, third = (LEAST_VOLTAGE_V if watt > 0.0 else MOST_VOLTAGE_V for watt in watts)
    return (first, second, third)


def _number(state: State, units: Factors) -> float:
    """Return a state in the base unit; one in the unit of another quantity is refused. Raises BadState."""
    try:
        value = float(state.state)
    except ValueError:
        raise BadState(FaultKey.NOT_NUMERIC, f"{state.entity_id} is {state.state!r}") from None
    if not math.isfinite(value):
        raise BadState(FaultKey.NOT_A_NUMBER, f"{state.entity_id} is {state.state}")
    unit = state.attributes.get(ATTR_UNIT_OF_MEASUREMENT)
    factor = units.get(str(unit))
    if factor is None:
        raise BadState(FaultKey.WRONG_UNIT, f"{state.entity_id} is in {unit}")
    return value * factor


def entity_meters(hass: HomeAssistant, settings: MeterSettings, source: EntityMeterSettings) -> EntityMeter:
    """Return a meter made of Home Assistant's sensors."""
    return EntityMeter(hass, settings, source)
