"""The shapes in which other integrations give their forecasts, read as points over time.

Every one is a list of records, or a map from time to number, below one of some names; a record names its beginning,
mostly its end, and its value. The names are data, collected from the public sources of the integrations
(`docs/tariffs.md` says which); so an integration that is not listed is read, too, if it speaks like one that is.
Reading is tolerant: a record that makes no sense is passed over and the others count; what nobody understands is no
forecast. It is bounded.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from itertools import pairwise
from typing import Any

from ..engine.tariff import PricePoint
from .settings import Quantity
from .units import BadUnit, OtherCurrency, to_grams_per_kwh, to_price_per_kwh, to_watts

MOST_POINTS = 2000
"""Five minutes each, for a week; nobody tells more."""

HOUR_S = 3600.0
LEAST_STEP_S = 60.0
MOST_STEP_S = 24 * HOUR_S

MILLISECONDS_FROM = 1e11
"""A time that is a larger number is in milliseconds: in seconds it would be the year 5138."""

LARGEST = 1e15
"""A larger number is nonsense, whatever it is of."""

LISTS: Mapping[Quantity, tuple[str, ...]] = {
    Quantity.PRICE: (
        "forecast",
        "data",
        "prices",
        "prices_today",
        "prices_tomorrow",
        "rates",
        "raw_today",
        "raw_tomorrow",
    ),
    Quantity.EMISSIONS: ("raw_today", "raw_tomorrow", "data", "rates", "forecast"),
    Quantity.POWER: ("watts", "wh_period", "detailedHourly", "detailedForecast", "forecast"),
}
"""Where forecasts lie in the attributes; of two that speak of the same time the later one counts."""

BEGINNINGS = (
    "start",
    "start_time",
    "startsAt",
    "starts_at",
    "from",
    "valid_from",
    "period_start",
    "time",
    "hour",
    "timestamp",
    "datetime",
)
ENDS = ("end", "end_time", "endsAt", "ends_at", "to", "valid_to", "period_end")

VALUES: Mapping[Quantity, tuple[str, ...]] = {
    Quantity.PRICE: ("value_inc_vat", "value", "price", "total", "electricity_price"),
    Quantity.EMISSIONS: ("intensity_forecast", "intensity", "carbon_intensity", "carbonIntensity", "forecast", "value"),
    Quantity.POWER: ("pv_estimate", "power", "watts", "value"),
}

UNITS_OF_NAMES: Mapping[str, str] = {"value_inc_vat": "GBP/kWh", "pv_estimate": "kW", "watts": "W"}
"""Names that stand for a unit: the pounds of Octopus Energy, the kilowatts of Solcast."""

UNIT_IN_NAME = re.compile(r"price_(?:(?P<money>[a-z]+)_)?per_(?P<energy>k?m?wh)")
"""Names that tell their unit, as EPEX Spot's do ("price_ct_per_kwh", "price_eur_per_mwh", "price_per_kwh")."""

WH_A_PERIOD = "wh_period"
"""A map whose numbers are the energy of each period, not the power."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How numbers are to be understood."""

    quantity: Quantity
    currency: str
    """The site's."""
    unit: str | None
    """In which they are, unless they say it themselves."""
    zone: tzinfo
    """In which times are that do not say it themselves."""

    def factor(self, name: str | None) -> float:
        """Return what makes a number with this name ours. Raises BadUnit, OtherCurrency."""
        unit = self._unit_of(name)
        match self.quantity:
            case Quantity.PRICE:
                if unit is None:
                    raise BadUnit("none")
                return to_price_per_kwh(unit, self.currency)
            case Quantity.EMISSIONS:
                return 1.0 if unit is None else to_grams_per_kwh(unit)
            case Quantity.POWER:
                return 1.0 if unit is None else to_watts(unit)

    def _unit_of(self, name: str | None) -> str | None:
        if name is None or self.quantity is Quantity.EMISSIONS:
            return self.unit
        told = UNIT_IN_NAME.fullmatch(name)
        if told is None or self.quantity is not Quantity.PRICE:
            return UNITS_OF_NAMES.get(name, self.unit)
        # "price_per_kwh" says all but the currency; that is the entity's.
        money = told["money"] or (self.unit or "").partition("/")[0]
        return f"{money}/{told['energy']}"


def has_forecast(attributes: Mapping[str, Any], quantity: Quantity) -> bool:
    """Return whether attributes have a forecast, be it an empty one."""
    return any(isinstance(attributes.get(name), (list, tuple, Mapping)) for name in LISTS[quantity])


def read_attributes(attributes: Mapping[str, Any], reading: Reading) -> list[PricePoint]:
    """Return the forecast that attributes have. Raises BadUnit, OtherCurrency."""
    points: list[PricePoint] = []
    for name in LISTS[reading.quantity]:
        points += read_records(attributes.get(name), reading, name=name)
    return points


def read_records(records: object, reading: Reading, *, name: str = "") -> list[PricePoint]:
    """Return the points of a list of records, or of a map from time to number.

    Args:
        name: of the list, where that says what it is of.

    Raises:
        BadUnit, OtherCurrency: the numbers are in no unit that can be used here.
    """
    if isinstance(records, Mapping):
        found = list(_of_map(records, reading, name))
    elif isinstance(records, Sequence) and not isinstance(records, str | bytes):
        found = list(_of_list(records, reading))
    else:
        return []
    timed = _with_ends(sorted(found, key=lambda record: record.start))
    if name == WH_A_PERIOD:
        return [PricePoint(p.start, p.end, p.price * HOUR_S / (p.end - p.start)) for p in timed]
    return timed


@dataclass(frozen=True, slots=True)
class _Record:
    start: float
    end: float | None
    value: float


def _of_map(records: Mapping[Any, Any], reading: Reading, name: str) -> Iterator[_Record]:
    factor = 1.0 if reading.quantity is Quantity.POWER else reading.factor(name or None)
    for when, number in list(records.items())[:MOST_POINTS]:
        start, value = _time(when, reading.zone), _number(number)
        if start is not None and value is not None:
            yield _Record(start, None, value * factor)


def _of_list(records: Sequence[Any], reading: Reading) -> Iterator[_Record]:
    factors: dict[str, float] = {}
    for record in records[:MOST_POINTS]:
        if not isinstance(record, Mapping):
            continue
        start = _first(record, BEGINNINGS, lambda told: _time(told, reading.zone))
        end = _first(record, ENDS, lambda told: _time(told, reading.zone))
        name, value = _value(record, reading.quantity)
        if start is None or value is None or (end is not None and not _is_step(end - start)):
            continue
        if name not in factors:
            factors[name] = reading.factor(name)
        yield _Record(start, end, value * factors[name])


def _value(record: Mapping[Any, Any], quantity: Quantity) -> tuple[str, float | None]:
    """Return the number of a record with its name; one that tells its unit goes before others."""
    named = [name for name in record if isinstance(name, str)]
    if quantity is Quantity.PRICE:
        for name in named:
            value = _number(record[name])
            if UNIT_IN_NAME.fullmatch(name) and value is not None:
                return name, value
    for name in VALUES[quantity]:
        told = record.get(name)
        if isinstance(told, Mapping):
            told = told.get("forecast")
        value = _number(told)
        if value is not None:
            return name, value
    return "", None


def _first[What](record: Mapping[Any, Any], names: Sequence[str], read: Callable[[object], What | None]) -> What | None:
    for name in names:
        told = record.get(name)
        found = None if told is None else read(told)
        if found is not None:
            return found
    return None


def _number(told: object) -> float | None:
    if isinstance(told, bool) or not isinstance(told, int | float | str):
        return None
    try:
        number = float(told)
    except ValueError, OverflowError:
        return None
    return number if abs(number) <= LARGEST else None


def _time(told: object, zone: tzinfo) -> float | None:
    """Return a time as UTC seconds, however it is written; None: it is no time."""
    if isinstance(told, int | float) and not isinstance(told, bool):
        number = _number(told)
        if number is not None and number > MILLISECONDS_FROM:
            number /= 1000.0
        return number if number is not None and 0.0 <= number <= MILLISECONDS_FROM else None
    if isinstance(told, str):
        try:
            told = datetime.fromisoformat(told)
        except ValueError:
            return None
    if not isinstance(told, datetime):
        return None
    try:
        return (told if told.tzinfo is not None else told.replace(tzinfo=zone)).timestamp()
    except ValueError, OverflowError:
        return None


def _is_step(length_s: float) -> bool:
    return LEAST_STEP_S <= length_s <= MOST_STEP_S


def _with_ends(records: Sequence[_Record]) -> list[PricePoint]:
    """Return records with an end each: one that has none ends where the next begins, or lasts as long as is usual."""
    starts = sorted({record.start for record in records})
    steps = [later - start for start, later in pairwise(starts) if _is_step(later - start)]
    usual = min(min(steps, default=HOUR_S), HOUR_S)
    following = dict(pairwise(starts))
    points = []
    for record in records:
        end = record.end
        if end is None:
            following_s = following.get(record.start, math.inf) - record.start
            end = record.start + (following_s if LEAST_STEP_S <= following_s <= HOUR_S else usual)
        points.append(PricePoint(record.start, end, record.value))
    return points


__all__ = ["BadUnit", "OtherCurrency", "Reading", "has_forecast", "read_attributes", "read_records"]
