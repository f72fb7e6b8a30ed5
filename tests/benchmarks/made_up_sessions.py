"""Sessions that anybody can make, for those who have no recording: alike in what the statistics below say, and no more.

They were taken from the recorded car park (see `staff_car_park`): how many cars come on each day of the week, every
other Friday being free; at what hour; and, for four parts of the day, the tenths of the stay, of the energy, of how
much later than typed a car leaves, and of how many times the energy was asked for. Each is drawn by itself, so that
a long stay does not ask for more energy than a short one but for what fits into it, and no driver has habits. The same
seed always gives the same sessions.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from .staff_car_park import Recorded, Recording, recording_of

SEED = 2019
POINTS = 52
POINT_KW = 6.6
FIRST_DAY = datetime(2019, 5, 1, tzinfo=timezone(timedelta(hours=-7)))
DAYS = 123
"""May to August."""

WORKDAY, FREE_FRIDAY, WEEKEND = (66, 80), (26, 32), (0, 8)
"""Sessions of a day, from and to."""
FRIDAY, SATURDAY = 4, 5

SHORTEST_TYPED_H = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class _PartOfDay:
    """What cars are like that come in these hours; from the least to the most, in tenths."""

    weights: dict[int, int]
    """How many of a thousand come in each hour."""
    stay_h: Sequence[float]
    kwh: Sequence[float]
    typed_late_h: Sequence[float]
    """How much later than the real departure the typed one is."""
    asked_for: Sequence[float]
    """How many times the energy was typed."""


PARTS = (
    _PartOfDay(
        weights={4: 5, 5: 74, 6: 265},
        stay_h=(0.5, 5.5, 7.7, 8.7, 9.2, 9.5, 9.7, 10.0, 10.4, 11.0, 14.0),
        kwh=(0.6, 5.3, 6.2, 7.5, 9.4, 11.8, 13.5, 15.0, 20.0, 32.1, 65.0),
        typed_late_h=(-9.0, -5.1, -3.4, -2.0, -1.3, -0.7, -0.4, -0.1, 0.1, 1.2, 8.0),
        asked_for=(0.8, 1.0, 1.2, 1.3, 1.4, 1.6, 1.7, 2.1, 2.6, 3.4, 9.0),
    ),
    _PartOfDay(
        weights={7: 316, 8: 19},
        stay_h=(0.3, 4.3, 7.0, 8.5, 9.0, 9.3, 9.5, 9.8, 10.1, 10.6, 14.0),
        kwh=(0.6, 5.4, 6.9, 8.5, 10.7, 12.7, 14.5, 18.7, 26.1, 37.9, 65.0),
        typed_late_h=(-9.0, -5.4, -3.4, -2.2, -1.4, -0.8, -0.4, -0.1, 0.3, 1.5, 8.0),
        asked_for=(0.8, 1.0, 1.1, 1.2, 1.4, 1.5, 1.7, 1.9, 2.4, 3.1, 9.0),
    ),
    _PartOfDay(
        weights={9: 15, 10: 13, 11: 39},
        stay_h=(0.4, 2.1, 3.2, 4.1, 4.8, 5.4, 5.9, 6.3, 7.1, 8.3, 12.0),
        kwh=(0.7, 0.9, 3.9, 6.9, 8.6, 10.9, 12.6, 15.4, 22.6, 31.3, 52.0),
        typed_late_h=(-6.0, -2.9, -1.7, -0.9, -0.4, 0.0, 0.0, 0.4, 1.3, 3.2, 8.0),
        asked_for=(0.8, 1.0, 1.0, 1.2, 1.4, 1.6, 1.7, 2.1, 2.7, 3.8, 9.0),
    ),
    _PartOfDay(
        weights={12: 44, 13: 27, 14: 44, 15: 56, 16: 43, 17: 18, 18: 6, 19: 4, 20: 3, 21: 4, 22: 2},
        stay_h=(0.2, 1.3, 1.8, 2.1, 2.5, 2.9, 3.3, 3.8, 4.4, 5.4, 12.0),
        kwh=(0.5, 2.5, 4.7, 5.8, 6.7, 8.3, 10.3, 12.2, 15.0, 22.1, 57.0),
        typed_late_h=(-5.0, -1.4, -0.8, -0.4, -0.1, 0.0, 0.3, 0.9, 1.9, 3.9, 8.0),
        asked_for=(0.8, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.5, 3.2, 4.5, 9.0),
    ),
)


def made_up(seed: int = SEED) -> Recording:
    """Return four months of sessions."""
    return recording_of(_recorded(random.Random(seed)), f"made-up sessions, seed {seed}")


def _recorded(chance: random.Random) -> Iterator[Recorded]:
    free_from = dict.fromkeys((f"P{index:02}" for index in range(POINTS)), FIRST_DAY)
    for day in range(DAYS):
        midnight = FIRST_DAY + timedelta(days=day)
        hours = {hour: (part, weight) for part in PARTS for hour, weight in part.weights.items()}
        weights = [weight for _, weight in hours.values()]
        came = sorted(
            (hour + chance.random(), hour) for hour in chance.choices(list(hours), weights, k=_cars(day, chance))
        )
        for at_h, hour in came:
            arrival = midnight + timedelta(hours=at_h)
            free = [point for point, since in free_from.items() if since <= arrival]
            if not free:
                continue
            session = _one(arrival, chance.choice(free), hours[hour][0], chance)
            free_from[session.point] = session.departure
            yield session


def _cars(day: int, chance: random.Random) -> int:
    weekday = (FIRST_DAY + timedelta(days=day)).weekday()
    if weekday >= SATURDAY:
        return chance.randint(*WEEKEND)
    return chance.randint(*(FREE_FRIDAY if weekday == FRIDAY and day // 7 % 2 else WORKDAY))


def _one(arrival: datetime, point: str, part: _PartOfDay, chance: random.Random) -> Recorded:
    stay_h = _drawn(part.stay_h, chance)
    kwh = min(_drawn(part.kwh, chance), POINT_KW * stay_h)
    typed_h = max(SHORTEST_TYPED_H, stay_h + _drawn(part.typed_late_h, chance))
    return Recorded(
        session_id=f"{point} {arrival:%Y-%m-%d %H:%M:%S}",
        point=point,
        arrival=arrival,
        departure=arrival + timedelta(hours=stay_h),
        delivered_kwh=kwh,
        typed_departure=arrival + timedelta(hours=typed_h),
        typed_kwh=kwh * _drawn(part.asked_for, chance),
    )


def _drawn(tenths: Sequence[float], chance: random.Random) -> float:
    """Return a value that lies in each tenth as often as in any other."""
    at = chance.random() * (len(tenths) - 1)
    low, high = tenths[int(at)], tenths[int(at) + 1]
    return low + (high - low) * (at % 1.0)
