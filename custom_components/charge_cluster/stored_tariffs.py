"""What is stored of tariffs, read as their settings; `configuration` reads the rest of a site.

Bands are stored as their editor gives them: a list of fields, times of day as text, days by their names, seasons by
their first and last month.
"""

from calendar import monthrange
from collections.abc import Iterable, Mapping
from typing import Any

from homeassistant.config_entries import ConfigSubentry

from .const import Key, TariffKind
from .engine.bands import EVERY_DAY, LEAP_YEAR, Band, Bands, Day, Otherwise, Season
from .tariffs.settings import (
    BandTariff,
    CheapTimesTariff,
    DemandCharge,
    EmissionsTariff,
    FeedInTariff,
    ForecastTariff,
    ForecastWanted,
    Quantity,
    SolarForecast,
    TariffSettings,
    TariffSource,
    TimesWanted,
)

PERCENT = 100.0
DEFAULT_WEIGHT = 50.0
DEFAULT_VALUE_PER_KG = 1.0

DAYS: Mapping[str, Day] = {day.name.lower(): day for day in Day}
"""The days of a band, by the names stored for them."""

FIRST_MONTH, LAST_MONTH = 1, 12


def tariff_settings(subentry: ConfigSubentry) -> TariffSettings:
    """Return a tariff."""
    return TariffSettings(
        tariff_id=subentry.subentry_id, name=subentry.title, source=tariff_source(dict(subentry.data))
    )


def tariff_source(stored: Mapping[str, Any]) -> TariffSource:
    """Return what a tariff is made of."""
    match TariffKind(stored[Key.KIND]):
        case TariffKind.BANDS:
            return _band_tariff(stored)
        case TariffKind.PRICES:
            has_fallback = bool(stored.get(Key.BANDS)) or Key.PRICE in stored
            return ForecastTariff(
                forecast=_forecast(stored, Quantity.PRICE),
                factor=float(stored.get(Key.FACTOR, 1.0)),
                plus=float(stored.get(Key.PLUS, 0.0)),
                off_peak_below=_number(stored.get(Key.OFF_PEAK_BELOW)),
                fallback=_band_tariff(stored) if has_fallback else None,
            )
        case TariffKind.CHEAP_TIMES:
            return CheapTimesTariff(
                times=TimesWanted(entity=stored[Key.ENTITY]),
                cheap=_number(stored.get(Key.CHEAP_PRICE)),
                usual=_number(stored.get(Key.PRICE)),
            )
        case TariffKind.CO2:
            return EmissionsTariff(
                forecast=_forecast(stored, Quantity.EMISSIONS),
                weight=float(stored.get(Key.WEIGHT, DEFAULT_WEIGHT)) / PERCENT,
                value_per_kg=float(stored.get(Key.VALUE_PER_KG, DEFAULT_VALUE_PER_KG)),
            )
        case TariffKind.FEED_IN:
            return FeedInTariff(
                price=_number(stored.get(Key.PRICE)),
                forecast=_forecast(stored, Quantity.PRICE) if stored.get(Key.ENTITIES) else None,
                factor=float(stored.get(Key.FACTOR, 1.0)),
                plus=float(stored.get(Key.PLUS, 0.0)),
            )
        case TariffKind.DEMAND_CHARGE:
            return DemandCharge(per_kw_month=float(stored[Key.PRICE]))
        case TariffKind.SOLAR:
            return SolarForecast(forecast=_forecast(stored, Quantity.POWER))


def _band_tariff(stored: Mapping[str, Any]) -> BandTariff:
    return BandTariff(bands=bands_of(stored), holidays=stored.get(Key.HOLIDAYS))


def bands_of(stored: Mapping[str, Any]) -> Bands:
    """Return the bands that are stored, and the price of all other times."""
    price = _number(stored.get(Key.PRICE))
    return Bands(
        bands=tuple(_band(fields) for fields in stored.get(Key.BANDS, ())),
        otherwise=None if price is None else Otherwise(price=price, off_peak=bool(stored.get(Key.OFF_PEAK, False))),
    )


def _band(fields: Mapping[str, Any]) -> Band:
    days = frozenset(DAYS[name] for name in fields.get(Key.DAYS) or ())
    return Band(
        name=str(fields[Key.NAME]),
        price=float(fields[Key.PRICE]),
        begins_min=minutes_of(fields[Key.BEGINS]),
        ends_min=minutes_of(fields[Key.ENDS]),
        days=days or EVERY_DAY,
        season=_season(fields),
        off_peak=bool(fields.get(Key.OFF_PEAK, False)),
    )


def minutes_of(clock: str) -> int:
    """Return a time of day ("07:30:00") as minutes since midnight."""
    hours, minutes, *_ = clock.split(":")
    return 60 * int(hours) + int(minutes)


def _season(fields: Mapping[str, Any]) -> Season | None:
    """Return whole months; one alone goes to the end, or begins with the beginning, of the year."""
    if not fields.get(Key.FROM_MONTH) and not fields.get(Key.TO_MONTH):
        return None
    first = int(fields.get(Key.FROM_MONTH) or FIRST_MONTH)
    last = int(fields.get(Key.TO_MONTH) or LAST_MONTH)
    return Season((first, 1), (last, monthrange(LEAP_YEAR, last)[1]))


def days_called(days: Iterable[Day]) -> list[str]:
    """Return days as they are stored, the reverse of what is read."""
    return [day.name.lower() for day in sorted(days)]


def _forecast(stored: Mapping[str, Any], quantity: Quantity) -> ForecastWanted:
    return ForecastWanted(entities=tuple(stored[Key.ENTITIES]), quantity=quantity, unit=stored.get(Key.PRICE_UNIT))


def _number(stored: float | None) -> float | None:
    return None if stored is None else float(stored)
