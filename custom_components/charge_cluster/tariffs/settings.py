"""What a tariff is configured to be, and what its sources are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..engine.bands import Bands


class Quantity(StrEnum):
    """What a forecast is of."""

    PRICE = "price"
    """Currency per kWh."""
    EMISSIONS = "emissions"
    """Grams of CO2 per kWh."""
    POWER = "power"
    """Watts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastWanted:
    """A forecast that entities of Home Assistant have; several are read as one (today's and tomorrow's)."""

    entities: tuple[str, ...]
    quantity: Quantity = Quantity.PRICE
    unit: str | None = None
    """In which the entities' numbers are, where they do not say it themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimesWanted:
    """Times that a calendar, a schedule or a switch says are cheap."""

    entity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HolidaysWanted:
    """The days on which a calendar has something."""

    entity: str


type Wanted = ForecastWanted | TimesWanted | HolidaysWanted


@dataclass(frozen=True, slots=True, kw_only=True)
class BandTariff:
    """Prices by the clock."""

    bands: Bands
    holidays: str | None = None
    """The calendar that has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastTariff:
    """Prices that entities tell in advance."""

    forecast: ForecastWanted
    factor: float = 1.0
    plus: float = 0.0
    """Each price is multiplied first and added to then: tax, and what the grid costs."""
    off_peak_below: float | None = None
    """Up to this price a time counts as off-peak; None: this tariff does not say what is off-peak."""
    fallback: BandTariff | None = None
    """What holds where nothing is known; None: the prices of the last day that is known, at the same hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheapTimesTariff:
    """Times that somebody marks as cheap, with or without prices."""

    times: TimesWanted
    cheap: float | None = None
    usual: float | None = None
    """Both or none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmissionsTariff:
    """What counts beside the price, or in its place."""

    forecast: ForecastWanted
    weight: float = 0.5
    """0: only the price counts, 1: only the emissions."""
    value_per_kg: float = 1.0
    """What a kilogram counts as, in the currency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedInTariff:
    """What is paid for a kWh that is fed in."""

    price: float | None = None
    forecast: ForecastWanted | None = None
    """One of both."""
    factor: float = 1.0
    plus: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandCharge:
    """What the highest demand of a month costs."""

    per_kw_month: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SolarForecast:
    """What own generation is expected to yield."""

    forecast: ForecastWanted


type TariffSource = (
    BandTariff | ForecastTariff | CheapTimesTariff | EmissionsTariff | FeedInTariff | DemandCharge | SolarForecast
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TariffSettings:
    """One tariff of a site; the prices of several add up."""

    tariff_id: str
    name: str
    source: TariffSource
