"""Time-of-use bands: what a kilowatt-hour costs by the clock on the wall, by weekday, season and holiday.

A band holds from one time of day to another on certain days; one that goes over midnight belongs to the day on which it
begins. Every minute of every day must lie in one band, unless there is a price for all other times; what has holes or
overlaps is refused with the day, the time and what would fit.

The price of a moment is that of the band which the clock on the wall then shows. So nothing is said twice and nothing
left out when the clock is changed: in autumn the hour that comes twice costs twice the same, in spring the hour that is
left out costs nothing. Spans between two changes of the clock are handled as wall time with a fixed offset.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import IntEnum
from itertools import pairwise

from .tariff import PriceCurve, PricePoint, TariffFault, Window, merged

MINUTES_A_DAY = 24 * 60
MINUTE_S = 60.0
DAY_S = 86_400.0

MOST_BANDS = 24
"""A tariff with more is no tariff; it bounds how long a check takes."""

LEAP_YEAR = 2024
"""Any: it has every day that a season can begin or end on."""

LOOK_S = 6 * 3600.0
"""Two changes of the clock within so short a time are unknown to history."""


class Day(IntEnum):
    """The days that a band can be for; the numbers of weekdays are Python's."""

    MONDAY = 0
    TUESDAY = 1
    WEDNESDAY = 2
    THURSDAY = 3
    FRIDAY = 4
    SATURDAY = 5
    SUNDAY = 6
    HOLIDAY = 7
    """Where no band is for holidays, they are like Sundays."""


WORKDAYS = frozenset({Day.MONDAY, Day.TUESDAY, Day.WEDNESDAY, Day.THURSDAY, Day.FRIDAY})
WEEKEND = frozenset({Day.SATURDAY, Day.SUNDAY})
EVERY_DAY = WORKDAYS | WEEKEND


@dataclass(frozen=True, slots=True)
class Season:
    """From one day of the year to another, both included; it may go over New Year."""

    first: tuple[int, int]
    """Month and day."""
    last: tuple[int, int]

    @property
    def possible(self) -> bool:
        """Return whether the calendar has both days."""
        return all(_is_day(*day) for day in (self.first, self.last))

    def holds(self, month: int, day: int) -> bool:
        """Return whether a day of the year lies in it."""
        at = (month, day)
        if self.first <= self.last:
            return self.first <= at <= self.last
        return at >= self.first or at <= self.last


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A price that holds from one time of day to another."""

    name: str
    price: float
    """Currency per kWh; may be negative."""
    begins_min: int = 0
    """Minutes since midnight, 0 to 1439."""
    ends_min: int = 0
    """Likewise; 0 is the midnight that follows. Not after the beginning: on the next day."""
    days: frozenset[Day] = EVERY_DAY
    season: Season | None = None
    """None: all the year."""
    off_peak: bool = False

    @property
    def whole_day(self) -> bool:
        """Return whether it holds from midnight to midnight."""
        return self.begins_min == 0 == self.ends_min

    @property
    def tonight(self) -> tuple[int, int]:
        """Return the minutes of the day on which it begins."""
        over = self.ends_min <= self.begins_min
        return self.begins_min, MINUTES_A_DAY if over else self.ends_min

    @property
    def tomorrow(self) -> tuple[int, int] | None:
        """Return the minutes of the next day; None: it does not go over midnight."""
        return (0, self.ends_min) if 0 < self.ends_min <= self.begins_min else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Otherwise:
    """The price of all times that no band is for."""

    price: float
    off_peak: bool = False


class BadBand(TariffFault):
    """A band with a time, a day, a season or a price that there is not."""

    key = "bad_band"

    def __init__(self, band: Band, fits: str) -> None:
        super().__init__(f"{band.name}: {fits}")
        self.band = band

    @property
    def placeholders(self) -> dict[str, str]:
        """Return which band it is."""
        return {"band": self.band.name}


class BandTimeBad(BadBand):
    """Begins and ends at the same time, or at no time of day."""

    key = "band_time_bad"


class BandDaysMissing(BadBand):
    """Is for no day at all."""

    key = "band_days_missing"


class BandSeasonBad(BadBand):
    """Begins or ends on a day that no year has."""

    key = "band_season_bad"


class BandPriceBad(BadBand):
    """The price is no number."""

    key = "band_price_bad"


class BandsOverlap(TariffFault):
    """Two bands are for the same time."""

    key = "bands_overlap"

    def __init__(self, first: Band, second: Band, when: When) -> None:
        super().__init__(f"{first.name} and {second.name} both hold {when}; end one where the other begins")
        self.first, self.second, self.when = first, second, when

    @property
    def placeholders(self) -> dict[str, str]:
        """Return which bands they are, and when."""
        return {"first": self.first.name, "second": self.second.name, **self.when.placeholders}


class BandsLeaveHole(TariffFault):
    """There is a time without a price."""

    key = "bands_leave_hole"

    def __init__(self, when: When) -> None:
        super().__init__(f"no band holds {when}; add one, or a price for all other times")
        self.when = when

    @property
    def placeholders(self) -> dict[str, str]:
        """Return when it is."""
        return self.when.placeholders


class TooManyBands(TariffFault):
    """More bands than any tariff has."""

    key = "too_many_bands"

    @property
    def placeholders(self) -> dict[str, str]:
        """Return how many fit."""
        return {"most": str(MOST_BANDS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """A time of a kind of day, as a fault names it."""

    day: Day
    begins_min: int
    ends_min: int
    month_day: tuple[int, int]
    """A day of the year on which it is so."""

    def __str__(self) -> str:
        """Return it in words."""
        figures = self.placeholders
        return f"on a {self.day.name.title()} ({figures['date']}) from {figures['begins']} to {figures['ends']}"

    @property
    def placeholders(self) -> dict[str, str]:
        """Return the day and its times."""
        month, day = self.month_day
        return {
            "day": self.day.name.title(),
            "begins": clock(self.begins_min),
            "ends": clock(self.ends_min),
            "date": f"{month:02}-{day:02}",
        }


def clock(minutes: int) -> str:
    """Return minutes since midnight as a clock shows them."""
    return f"{minutes // 60:02}:{minutes % 60:02}"


@dataclass(frozen=True, slots=True)
class BandSpan:
    """A time that lies in one band; None: in none, where the price for all other times holds."""

    start: float
    end: float
    band: Band | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bands:
    """A time-of-use tariff."""

    bands: tuple[Band, ...] = ()
    otherwise: Otherwise | None = None
    """None: the bands are for every minute of every day."""

    def check(self) -> None:
        """Refuse what is no tariff. Raises TariffFault."""
        if len(self.bands) > MOST_BANDS:
            raise TooManyBands(f"{len(self.bands)} bands: {MOST_BANDS} fit")
        for band in self.bands:
            _check(band)
        if self.otherwise is not None and not math.isfinite(self.otherwise.price):
            raise BandPriceBad(Band(name="–", price=self.otherwise.price), "its price is no number")
        for yesterday, today, month_day in self._kinds_of_days():
            self._check_day(yesterday, today, month_day)

    @property
    def knows_off_peak(self) -> bool:
        """Return whether some of its time is off-peak and some is not."""
        marks = {band.off_peak for band in self.bands}
        if self.otherwise is not None:
            marks.add(self.otherwise.off_peak)
        return len(marks) > 1

    def spans(self, start: float, end: float, zone: tzinfo, holidays: frozenset[date]) -> Iterator[BandSpan]:
        """Yield what band each moment of a span lies in, in order; where nothing is said nothing comes."""
        for piece in _of_one_offset(start, end, zone):
            yield from self._spans(piece, holidays)

    def curve(self, start: float, end: float, zone: tzinfo, holidays: frozenset[date] = frozenset()) -> PriceCurve:
        """Return the prices of a span."""
        other = self.otherwise
        points = []
        for span in self.spans(start, end, zone, holidays):
            holds: Band | Otherwise | None = other if span.band is None else span.band
            if holds is not None:
                points.append(PricePoint(span.start, span.end, holds.price))
        return PriceCurve.of(points)

    def off_peak(
        self, start: float, end: float, zone: tzinfo, holidays: frozenset[date] = frozenset()
    ) -> tuple[Window, ...]:
        """Return the off-peak times of a span."""
        other = self.otherwise is not None and self.otherwise.off_peak
        return merged(
            Window(span.start, span.end)
            for span in self.spans(start, end, zone, holidays)
            if (other if span.band is None else span.band.off_peak)
        )

    def _spans(self, piece: _Piece, holidays: frozenset[date]) -> Iterator[BandSpan]:
        """Yield the spans of a time in which the clock is not changed."""
        midnight = math.floor((piece.start + piece.offset_s) / DAY_S) * DAY_S
        today = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=midnight)).date()
        midnight -= piece.offset_s
        while midnight < piece.end:
            for begins_min, ends_min, band in self._day(today, holidays):
                begins = max(piece.start, midnight + begins_min * MINUTE_S)
                ends = min(piece.end, midnight + ends_min * MINUTE_S)
                if begins < ends:
                    yield BandSpan(begins, ends, band)
            today, midnight = today + timedelta(days=1), midnight + DAY_S

    def _day(self, today: date, holidays: frozenset[date]) -> list[tuple[int, int, Band | None]]:
        """Return the bands of a day, and the times between them."""
        yesterday = today - timedelta(days=1)
        parts = sorted(
            self._parts(
                (self._kind(yesterday, holidays), (yesterday.month, yesterday.day)),
                (self._kind(today, holidays), (today.month, today.day)),
            ),
            key=lambda part: part[:2],
        )
        day: list[tuple[int, int, Band | None]] = []
        reached = 0
        for begins, ends, band in parts:
            if begins > reached:
                day.append((reached, begins, None))
            if ends > reached:
                day.append((max(begins, reached), ends, band))
                reached = ends
        if reached < MINUTES_A_DAY:
            day.append((reached, MINUTES_A_DAY, None))
        return day

    def _parts(self, yesterday: _KindOfDay, today: _KindOfDay) -> Iterator[tuple[int, int, Band]]:
        """Yield the minutes of a day that bands are for: of those that begin on it, and of the night before's."""
        for band in self.bands:
            if _is_for(band, today):
                begins, ends = band.tonight
                yield begins, ends, band
            tail = band.tomorrow
            if tail is not None and _is_for(band, yesterday):
                yield tail[0], tail[1], band

    def _kind(self, day: date, holidays: frozenset[date]) -> Day:
        if day not in holidays:
            return Day(day.weekday())
        return Day.HOLIDAY if self._holidays_differ else Day.SUNDAY

    @property
    def _holidays_differ(self) -> bool:
        return any(Day.HOLIDAY in band.days for band in self.bands)

    def _kinds_of_days(self) -> Iterator[tuple[_KindOfDay, _KindOfDay, tuple[int, int]]]:
        """Yield each pair of days, one after the other, that is unlike every pair before."""
        kinds = [(Day((day - 1) % 7), Day(day % 7)) for day in range(7)]
        if self._holidays_differ:
            kinds += [(Day.HOLIDAY, day) for day in Day] + [(Day(day), Day.HOLIDAY) for day in range(7)]
        seen: set[tuple[tuple[bool, ...], tuple[bool, ...]]] = set()
        for number in range(366):
            today = date(LEAP_YEAR, 1, 1) + timedelta(days=number)
            before = today - timedelta(days=1)
            seasons = (self._in_season(before.month, before.day), self._in_season(today.month, today.day))
            if seasons in seen:
                continue
            seen.add(seasons)
            for yesterday, kind in kinds:
                yield (
                    (yesterday, (before.month, before.day)),
                    (kind, (today.month, today.day)),
                    (today.month, today.day),
                )

    def _in_season(self, month: int, day: int) -> tuple[bool, ...]:
        return tuple(band.season is None or band.season.holds(month, day) for band in self.bands)

    def _check_day(self, yesterday: _KindOfDay, today: _KindOfDay, month_day: tuple[int, int]) -> None:
        parts = sorted(self._parts(yesterday, today), key=lambda part: part[:2])

        def when(begins_min: int, ends_min: int) -> When:
            return When(day=today[0], begins_min=begins_min, ends_min=ends_min, month_day=month_day)

        for (_, ends, first), (begins, until, second) in pairwise(parts):
            if begins < ends:
                raise BandsOverlap(first, second, when(begins, min(ends, until)))
        if self.otherwise is not None:
            return
        reached = 0
        for begins, ends, _band in parts:
            if begins > reached:
                raise BandsLeaveHole(when(reached, begins))
            reached = ends
        if reached < MINUTES_A_DAY:
            raise BandsLeaveHole(when(reached, MINUTES_A_DAY))


type _KindOfDay = tuple[Day, tuple[int, int]]


def _is_for(band: Band, day: _KindOfDay) -> bool:
    kind, (month, number) = day
    return kind in band.days and (band.season is None or band.season.holds(month, number))


def _check(band: Band) -> None:
    """Refuse a band that there cannot be. Raises BadBand."""
    for minutes in (band.begins_min, band.ends_min):
        if not 0 <= minutes < MINUTES_A_DAY:
            raise BandTimeBad(band, f"{clock(minutes)} is no time of day: 00:00 to 23:59 fit")
    if band.begins_min == band.ends_min and not band.whole_day:
        raise BandTimeBad(band, f"begins and ends at {clock(band.begins_min)}: 00:00 to 00:00 is the whole day")
    if not band.days:
        raise BandDaysMissing(band, "is for no day: choose at least one")
    if band.season is not None and not band.season.possible:
        raise BandSeasonBad(band, "its season begins or ends on a day that no year has: 01-01 to 12-31 fit")
    if not math.isfinite(band.price):
        raise BandPriceBad(band, "its price is no number")


def _is_day(month: int, day: int) -> bool:
    try:
        date(LEAP_YEAR, month, day)
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Piece:
    """A span in which the clock on the wall is not changed."""

    start: float
    end: float
    offset_s: float
    """Wall time minus UTC."""


def _offset_s(when: float, zone: tzinfo) -> float:
    offset = datetime.fromtimestamp(when, zone).utcoffset()
    return 0.0 if offset is None else offset.total_seconds()


def _of_one_offset(start: float, end: float, zone: tzinfo) -> Iterator[_Piece]:
    """Yield a span cut at every change of the clock."""
    begins, reached = start, start
    offset = _offset_s(start, zone)
    while reached < end:
        ahead = min(end, reached + LOOK_S)
        if _offset_s(ahead, zone) == offset:
            reached = ahead
            continue
        changed = _change(reached, ahead, zone)
        if changed > begins:
            yield _Piece(begins, min(changed, end), offset)
        begins = reached = changed
        offset = _offset_s(changed, zone)
    if begins < end:
        yield _Piece(begins, end, offset)


def _change(before: float, after: float, zone: tzinfo) -> float:
    """Return the whole second from which the clock shows another time."""
    offset = _offset_s(before, zone)
    low, high = math.floor(before), math.ceil(after)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset_s(middle, zone) == offset:
            low = middle
        else:
            high = middle
    return float(high)


# Ready tariffs -------------------------------------------------------------------------------------------------------


def flat(price: float) -> Bands:
    """Return one price at all times."""
    return Bands(otherwise=Otherwise(price=price))


def two_bands(day: float, night: float, *, begins_min: int, ends_min: int, name: str = "Night") -> Bands:
    """Return a day's price and a cheaper one for some hours of each night."""
    cheap = Band(name=name, price=night, begins_min=begins_min, ends_min=ends_min, off_peak=True)
    return Bands(bands=(cheap,), otherwise=Otherwise(price=day))


def economy_7(day: float, night: float) -> Bands:
    """Return a UK Economy 7 tariff at its commonest hours, 00:30 to 07:30; the supplier says which they are."""
    return two_bands(day, night, begins_min=30, ends_min=7 * 60 + 30)


def two_band_business(day: float, night: float) -> Bands:
    """Return a business tariff of two rates: night from midnight to 07:00."""
    return two_bands(day, night, begins_min=0, ends_min=7 * 60)


def uk_peaks(peak: float, off_peak: float) -> Bands:
    """Return off-peak at all times but the default peak hours of UK SI 2021/1467: workdays, 08–11 and 16–22 o'clock."""
    return Bands(
        bands=(
            Band(name="Morning peak", price=peak, begins_min=8 * 60, ends_min=11 * 60, days=WORKDAYS),
            Band(name="Evening peak", price=peak, begins_min=16 * 60, ends_min=22 * 60, days=WORKDAYS),
        ),
        otherwise=Otherwise(price=off_peak, off_peak=True),
    )


UK_DEFAULT_OFF_PEAK = uk_peaks(1.0, 0.0)
"""Its off-peak times; the prices mean nothing."""
