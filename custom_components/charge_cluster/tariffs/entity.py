"""Sources out of Home Assistant: forecasts of entities or of the actions behind them, calendars, schedules, switches.

An entity that has its forecast in attributes is read whenever it changes. Of some integrations the forecast comes only
as the answer of an action; the entity then says whose it is, and the action is called from time to time. What cannot be
read is told as a fault, and what is known all the same with it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any, override

import voluptuous as vol
from homeassistant.const import ATTR_ENTITY_ID, ATTR_UNIT_OF_MEASUREMENT, STATE_ON, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import (
    CALLBACK_TYPE,
    Event,
    EventStateChangedData,
    HomeAssistant,
    State,
    callback,
    split_entity_id,
)
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.event import async_call_later, async_track_state_change_event
from homeassistant.util import dt as dt_util

from ..engine.bands import Band, Bands, Day, Otherwise
from ..engine.tariff import PriceCurve, PricePoint, Window, merged
from . import FaultKey, Report, Source, SourceFault, Told
from .settings import ForecastWanted, HolidaysWanted, Quantity, TimesWanted, Wanted
from .shapes import BadUnit, OtherCurrency, Reading, has_forecast, read_attributes, read_records

LOOK_EVERY_S = 900.0
"""So often everything is read anew, because time alone changes things."""
ASK_EVERY_S = 3600.0
ASK_AGAIN_S = 600.0
"""After an action that failed, or told too little."""
PATIENCE_S = 30.0
"""So long an action may take."""
SOON_KNOWN_S = 12 * 3600.0
"""While less than this is known ahead an action is called more often."""

MOST_EVENTS = 1000
EVENTS_BEFORE = timedelta(days=2)
EVENTS_AHEAD = timedelta(days=14)
HOLIDAYS_AHEAD = timedelta(days=400)
HOLIDAYS_EVERY_S = 12 * 3600.0

QUARTER_S = 900.0

NORD_POOL_CURRENCIES = frozenset({"DKK", "EUR", "NOK", "PLN", "SEK"})
"""In which its action can give the prices, per MWh whatever unit its sensors show."""

WEEKDAYS: Mapping[str, Day] = {day.name.lower(): day for day in Day if day is not Day.HOLIDAY}


class Unreadable(Exception):
    """Something does not tell what it should; `key` names the fault."""

    def __init__(self, key: FaultKey, detail: str) -> None:
        super().__init__(detail)
        self.key = key

    @property
    def fault(self) -> SourceFault:
        """Return it as it is told."""
        return SourceFault(key=self.key, detail=str(self))


def entity_sources(hass: HomeAssistant, wanted: Wanted) -> Source:
    """Return a source out of Home Assistant's entities."""
    match wanted:
        case ForecastWanted():
            return EntityForecasts(hass, wanted)
        case HolidaysWanted():
            return Holidays(hass, wanted)
        case TimesWanted():
            return CheapTimes(hass, wanted)


async def tried(hass: HomeAssistant, wanted: ForecastWanted) -> Told:
    """Return what a forecast would tell now."""
    return await EntityForecasts(hass, wanted).look()


async def _answer(hass: HomeAssistant, domain: str, action: str, **fields: Any) -> dict[str, Any]:
    """Return what an action of Home Assistant answers. Raises Unreadable."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            told = await hass.services.async_call(domain, action, fields, blocking=True, return_response=True)
    except TimeoutError:
        raise Unreadable(FaultKey.ACTION_FAILED, f"{domain}.{action}: no answer in {PATIENCE_S:g} s") from None
    except (HomeAssistantError, vol.Invalid) as error:
        raise Unreadable(FaultKey.ACTION_FAILED, f"{domain}.{action}: {error}") from error
    return dict(told) if isinstance(told, Mapping) else {}


class _Watched:
    """What all sources share: they listen to entities, and look again from time to time."""

    def __init__(self, hass: HomeAssistant, entities: Sequence[str], every_s: float) -> None:
        self._hass = hass
        self._entities = tuple(entities)
        self._every_s = every_s
        self._report: Report | None = None
        self._listening: CALLBACK_TYPE | None = None
        self._timer: CALLBACK_TYPE | None = None
        self._looking: asyncio.Task[None] | None = None
        self._again = False

    async def start(self, report: Report) -> None:
        """Begin to tell, with what is known now."""
        self._report = report
        self._listening = async_track_state_change_event(self._hass, self._entities, self._changed)
        self._look_soon()

    async def stop(self) -> None:
        """End telling."""
        self._report = None
        self._forget_timer()
        if self._listening is not None:
            self._listening()
            self._listening = None
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])

    @callback
    def _changed(self, _event: Event[EventStateChangedData]) -> None:
        self._look_soon()

    @callback
    def _look_soon(self, _now: datetime | None = None) -> None:
        """Look now; while that goes on, once more afterwards."""
        if self._looking is not None and not self._looking.done():
            self._again = True
            return
        self._looking = self._hass.async_create_background_task(self._look_and_tell(), f"tariff {self._entities}")

    async def _look_and_tell(self) -> None:
        while True:
            self._again = False
            told = await self.look()
            if self._report is not None:
                self._report(told)
            if not self._again:
                break
        self._forget_timer()
        if self._report is not None:
            self._timer = async_call_later(self._hass, self._next_s(), self._look_soon)

    @callback
    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer()
            self._timer = None

    def _next_s(self) -> float:
        """Return after how long to look again."""
        return self._every_s

    async def look(self) -> Told:
        """Return what is known now."""
        raise NotImplementedError

    def _state(self, entity: str) -> State:
        """Return a state that says something. Raises Unreadable."""
        state = self._hass.states.get(entity)
        if state is None:
            raise Unreadable(FaultKey.MISSING_ENTITY, f"{entity} does not exist")
        if state.state == STATE_UNAVAILABLE:
            raise Unreadable(FaultKey.ENTITY_UNAVAILABLE, f"{entity} is unavailable")
        return state


# Forecasts -----------------------------------------------------------------------------------------------------------


class EntityForecasts(_Watched):
    """Prices, emissions or power that entities tell in advance."""

    def __init__(self, hass: HomeAssistant, wanted: ForecastWanted) -> None:
        """Prepare; `start` begins to listen."""
        super().__init__(hass, wanted.entities, LOOK_EVERY_S)
        self._wanted = wanted
        self._answered: dict[str, list[PricePoint]] = {}
        """By entity, what the action behind it has told."""
        self._ask_at: dict[str, float] = {}

    @override
    async def look(self) -> Told:
        points: list[PricePoint] = []
        faults: list[Unreadable] = []
        for entity in self._entities:
            try:
                points += await self._forecast(entity)
            except Unreadable as fault:
                faults.append(fault)
                points += self._answered.get(entity, [])
        serious = [fault for fault in faults if not points or fault.key is not FaultKey.ENTITY_UNAVAILABLE]
        curve = PriceCurve.of(points)
        if curve and not serious and self._wanted.quantity is Quantity.PRICE and not self._tells_ahead():
            serious.append(Unreadable(FaultKey.NO_FORECAST, ", ".join(self._entities)))
        return Told(curve=curve, fault=serious[0].fault if serious else None)

    def _tells_ahead(self) -> bool:
        """Return whether any entity has more than its present value."""
        states = (self._hass.states.get(entity) for entity in self._entities)
        told = any(state is not None and has_forecast(state.attributes, self._wanted.quantity) for state in states)
        return told or bool(self._answered)

    def _reading(self, state: State) -> Reading:
        unit = self._wanted.unit or state.attributes.get(ATTR_UNIT_OF_MEASUREMENT)
        return Reading(
            quantity=self._wanted.quantity,
            currency=self._hass.config.currency,
            unit=None if unit is None else str(unit),
            zone=dt_util.get_default_time_zone(),
        )

    async def _forecast(self, entity: str) -> list[PricePoint]:
        """Return what is known of one entity. Raises Unreadable."""
        state = self._state(entity)
        reading = self._reading(state)
        try:
            if has_forecast(state.attributes, self._wanted.quantity):
                return read_attributes(state.attributes, reading)
            registered = er.async_get(self._hass).async_get(entity)
            ask = None if registered is None else ACTIONS.get((registered.platform, self._wanted.quantity))
            if registered is not None and ask is not None:
                return await self._asked(registered, reading, ask)
            return self._present(state, reading)
        except BadUnit as bad:
            raise Unreadable(FaultKey.WRONG_UNIT, f"{entity}: {bad}") from bad
        except OtherCurrency as other:
            raise Unreadable(FaultKey.OTHER_CURRENCY, f"{entity}: {other}") from other

    async def _asked(self, registered: er.RegistryEntry, reading: Reading, ask: Ask) -> list[PricePoint]:
        """Return what the action behind an entity tells, asked anew where that is due. Raises Unreadable."""
        entity, now = registered.entity_id, dt_util.utcnow().timestamp()
        known = self._answered.get(entity, [])
        if now < self._ask_at.get(entity, -math.inf):
            return known
        self._ask_at[entity] = now + ASK_AGAIN_S
        points = await ask(self._hass, registered, reading)
        if not points:
            return known
        ahead_s = max(point.end for point in points) - now
        self._answered[entity] = points
        self._ask_at[entity] = now + (ASK_EVERY_S if ahead_s >= SOON_KNOWN_S else ASK_AGAIN_S)
        return points

    @override
    def _next_s(self) -> float:
        now = dt_util.utcnow().timestamp()
        due_s = min((at - now for at in self._ask_at.values()), default=LOOK_EVERY_S)
        return min(LOOK_EVERY_S, max(1.0, due_s))

    def _present(self, state: State, reading: Reading) -> list[PricePoint]:
        """Return the state as what holds for a while from now on. Raises BadUnit, OtherCurrency, Unreadable."""
        try:
            value = float(state.state)
        except ValueError:
            raise Unreadable(FaultKey.NO_FORECAST, f"{state.entity_id}: {state.state}") from None
        if not math.isfinite(value):
            raise Unreadable(FaultKey.NO_FORECAST, f"{state.entity_id}: {state.state}")
        start = dt_util.utcnow().timestamp() // QUARTER_S * QUARTER_S
        return [PricePoint(start, start + 2 * QUARTER_S, value * reading.factor(None))]


type Ask = Callable[[HomeAssistant, er.RegistryEntry, Reading], Coroutine[Any, Any, list[PricePoint]]]
"""Returns the forecast behind an entity, as points, when awaited; raises Unreadable, BadUnit, OtherCurrency."""


async def _nord_pool(hass: HomeAssistant, registered: er.RegistryEntry, reading: Reading) -> list[PricePoint]:
    """Return the day-ahead prices of the area of a Nord Pool sensor, of yesterday, today and tomorrow."""
    fields: dict[str, Any] = {"config_entry": registered.config_entry_id, "areas": [_area(registered)]}
    if reading.currency in NORD_POOL_CURRENCIES:
        fields["currency"] = reading.currency
        per_mwh = replace(reading, unit=f"{reading.currency}/MWh")
    else:
        per_mwh = replace(reading, unit=f"{(reading.unit or '').partition('/')[0]}/MWh")
    points: list[PricePoint] = []
    today = dt_util.now().date()
    # Its days are those of Central Europe, which begin and end an hour off those of some of its countries.
    for day in (today - timedelta(days=1), today, today + timedelta(days=1)):
        told = await _answer(hass, "nordpool", "get_prices_for_date", date=day.isoformat(), **fields)
        for records in told.values():
            points += read_records(records, per_mwh)
    return points


def _area(registered: er.RegistryEntry) -> str:
    """Return the price area of a Nord Pool sensor, from its unique id ("SE3-current_price")."""
    return next((part for part in registered.unique_id.split("-") if part.isupper()), "")


async def _tibber(hass: HomeAssistant, registered: er.RegistryEntry, reading: Reading) -> list[PricePoint]:
    """Return the prices of the home of a Tibber sensor, today's and tomorrow's."""
    midnight = dt_util.start_of_local_day()
    told = await _answer(
        hass,
        "tibber",
        "get_prices",
        start=midnight.isoformat(),
        end=(midnight + timedelta(days=2)).isoformat(),
    )
    homes = told.get("prices")
    if not isinstance(homes, Mapping) or not homes:
        return []
    device = None if registered.device_id is None else dr.async_get(hass).async_get(registered.device_id)
    name = None if device is None else device.name
    if len(homes) > 1 and name not in homes:
        raise Unreadable(FaultKey.SEVERAL_HOMES, ", ".join(map(str, homes)))
    return read_records(homes[name] if name in homes else next(iter(homes.values())), reading)


async def _forecast_solar(hass: HomeAssistant, registered: er.RegistryEntry, reading: Reading) -> list[PricePoint]:
    """Return the expected power of an installation that Forecast.Solar knows."""
    told = await _answer(hass, "forecast_solar", "get_forecast", config_entry=registered.config_entry_id)
    return read_attributes(told, reading)


ACTIONS: Mapping[tuple[str, Quantity], Ask] = {
    ("nordpool", Quantity.PRICE): _nord_pool,
    ("tibber", Quantity.PRICE): _tibber,
    ("forecast_solar", Quantity.POWER): _forecast_solar,
}
"""By the integration that an entity is of and by what is wanted: how the forecast behind it is asked for."""


# Calendars and the like ----------------------------------------------------------------------------------------------


async def _events(
    hass: HomeAssistant, entity: str, before: timedelta, ahead: timedelta
) -> list[tuple[date | datetime, date | datetime]]:
    """Return when the events of a calendar begin and end. Raises Unreadable."""
    now = dt_util.now()
    told = await _answer(
        hass,
        "calendar",
        "get_events",
        **{ATTR_ENTITY_ID: entity},
        start_date_time=(now - before).isoformat(),
        end_date_time=(now + ahead).isoformat(),
    )
    answered = told.get(entity)
    events = answered.get("events") if isinstance(answered, Mapping) else None
    found = []
    for event in list(events or [])[:MOST_EVENTS]:
        if not isinstance(event, Mapping):
            continue
        start, end = _moment(event.get("start")), _moment(event.get("end"))
        if start is not None and end is not None:
            found.append((start, end))
    return found


def _moment(told: object) -> date | datetime | None:
    """Return a day or a time as a calendar tells it; None: it is neither."""
    if not isinstance(told, str):
        return None
    try:
        return date.fromisoformat(told) if len(told) == len("2026-01-01") else datetime.fromisoformat(told)
    except ValueError:
        return None


def _seconds(moment: date | datetime) -> float:
    """Return a time, or the midnight with which a day begins, as UTC seconds."""
    if isinstance(moment, datetime):
        return (moment if moment.tzinfo is not None else dt_util.as_local(moment)).timestamp()
    return dt_util.start_of_local_day(moment).timestamp()


class CheapTimes(_Watched):
    """Times that a calendar, a schedule helper or anything that can be on says are cheap."""

    def __init__(self, hass: HomeAssistant, wanted: TimesWanted) -> None:
        """Prepare; `start` begins to listen."""
        super().__init__(hass, (wanted.entity,), LOOK_EVERY_S)
        self._entity = wanted.entity

    @override
    async def look(self) -> Told:
        try:
            state = self._state(self._entity)
            match split_entity_id(self._entity)[0]:
                case "calendar":
                    events = await _events(self._hass, self._entity, EVENTS_BEFORE, EVENTS_AHEAD)
                    return Told(windows=merged(Window(_seconds(start), _seconds(end)) for start, end in events))
                case "schedule":
                    told = await _answer(self._hass, "schedule", "get_schedule", **{ATTR_ENTITY_ID: self._entity})
                    return Told(week=_week(told.get(self._entity)))
                case _:
                    return Told(windows=_now_if_on(state))
        except Unreadable as unreadable:
            return Told(fault=unreadable.fault)


def _now_if_on(state: State) -> tuple[Window, ...]:
    """Return the next while, where something is on: more it does not say. Raises Unreadable."""
    if state.state == STATE_UNKNOWN:
        raise Unreadable(FaultKey.ENTITY_UNAVAILABLE, f"{state.entity_id} is unknown")
    if state.state != STATE_ON:
        return ()
    start = dt_util.utcnow().timestamp() // QUARTER_S * QUARTER_S
    return (Window(start, start + 2 * QUARTER_S),)


def _week(told: object) -> Bands:
    """Return the week of a schedule helper."""
    bands = []
    for name, day in WEEKDAYS.items():
        ranges = told.get(name) if isinstance(told, Mapping) else None
        for span in list(ranges or [])[:MOST_EVENTS]:
            begins, ends = _minutes(span.get("from")), _minutes(span.get("to"))
            if begins is not None and ends is not None and begins != ends:
                bands.append(
                    Band(
                        name=name,
                        price=0.0,
                        begins_min=begins,
                        ends_min=ends,
                        days=frozenset({day}),
                        off_peak=True,
                    )
                )
            elif begins == 0 and ends == 0:
                bands.append(Band(name=name, price=0.0, days=frozenset({day}), off_peak=True))
    return Bands(bands=tuple(bands), otherwise=Otherwise(price=0.0))


def _minutes(told: object) -> int | None:
    """Return a time of day as minutes since midnight; the end of the day is 0."""
    if isinstance(told, str):
        if told.startswith("24:"):
            return 0
        try:
            told = time.fromisoformat(told)
        except ValueError:
            return None
    if not isinstance(told, time):
        return None
    return 0 if told == time.max else 60 * told.hour + told.minute


class Holidays(_Watched):
    """The days on which a calendar has something."""

    def __init__(self, hass: HomeAssistant, wanted: HolidaysWanted) -> None:
        """Prepare; `start` begins to listen."""
        super().__init__(hass, (wanted.entity,), HOLIDAYS_EVERY_S)
        self._entity = wanted.entity
        self._days: frozenset[date] = frozenset()

    @override
    async def look(self) -> Told:
        try:
            self._state(self._entity)
            events = await _events(self._hass, self._entity, EVENTS_BEFORE, HOLIDAYS_AHEAD)
        except Unreadable as unreadable:
            return Told(holidays=self._days, fault=unreadable.fault)
        self._days = frozenset(day for start, end in events for day in _days(start, end))
        return Told(holidays=self._days)


def _days(start: date | datetime, end: date | datetime) -> list[date]:
    """Return the days of an event; an end at midnight is not part of it."""
    first, last = _local_day(start), _local_day(end)
    if isinstance(end, datetime) and dt_util.as_local(end).time() != time.min:
        last += timedelta(days=1)
    return [first + timedelta(days=number) for number in range(min(max(1, (last - first).days), MOST_EVENTS))]


def _local_day(moment: date | datetime) -> date:
    return dt_util.as_local(moment).date() if isinstance(moment, datetime) else moment
