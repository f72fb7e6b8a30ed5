"""A price curve shaped like a European day-ahead market with much solar power, made up from a seed.

What is known of such markets, and nothing else, is in it: a peak in the morning and a higher one in the evening, a
valley at night and another at noon that is the deeper the sunnier the day is; weekends are cheaper; days differ in
their level, and each level leans on that of the day before; on a few sunny days, most of them on weekends, the price
is below zero at noon. Levels and depths are round figures for 2023 to 2025 (Belgium, Germany, the Netherlands: 80 to
100 EUR/MWh in the mean, 300 to 500 hours below zero in a year). A flat part for grid and taxes is added to each. The
price holds for an hour, and what it will be is known.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timezone

HOUR_S = 3600
LEVEL, LEVEL_SPREAD, LEVEL_LEANS = 0.085, 0.02, 0.7
"""EUR/kWh."""
MORNING = (0.030, 8.0, 1.5)
EVENING = (0.055, 19.5, 2.0)
NIGHT = (-0.022, 3.5, 2.5)
NOON = (-0.075, 13.0, 2.3)
"""Height in EUR/kWh, hour of the local day, and width in hours."""
WEEKEND_LOWER = 0.02
SUNNIER_ON_WEEKENDS = 0.35
NOISE = 0.006
FLAT = 0.10
SATURDAY = 5


@dataclass(slots=True)
class DayAhead:
    """Prices by the hour, day after day."""

    zone: timezone
    first: date
    """No price is asked for before it."""
    seed: int = 20250601
    _days: list[tuple[float, ...]] = field(default_factory=list)
    _chance: random.Random = field(init=False)
    _level: float = LEVEL

    def __post_init__(self) -> None:
        """Begin the chance."""
        self._chance = random.Random(self.seed)

    def at(self, when: float) -> float:
        """Return what a kilowatt-hour costs at a moment, in EUR."""
        local = datetime.fromtimestamp(when, UTC).astimezone(self.zone)
        day = (local.date() - self.first).days
        while len(self._days) <= day:
            self._days.append(self._day((self.first.weekday() + len(self._days)) % 7))
        return self._days[day][local.hour]

    def _day(self, weekday: int) -> tuple[float, ...]:
        chance = self._chance
        self._level = LEVEL + LEVEL_LEANS * (self._level - LEVEL) + chance.gauss(0.0, LEVEL_SPREAD * 0.7)
        weekend = weekday >= SATURDAY
        sun = chance.triangular(0.2, 1.5, 1.0) + (SUNNIER_ON_WEEKENDS if weekend else 0.0)
        level = self._level - (WEEKEND_LOWER if weekend else 0.0)
        prices = []
        for hour in range(24):
            price = level + sum(_bell(hour + 0.5, *shape) for shape in (MORNING, EVENING, NIGHT))
            price += sun * _bell(hour + 0.5, *NOON) + chance.gauss(0.0, NOISE)
            prices.append(round(price + FLAT, 4))
        return tuple(prices)


def _bell(hour: float, height: float, middle: float, width: float) -> float:
    return height * math.exp(-(((hour - middle) / width) ** 2))
