"""Time-of-use bands, against an oracle that looks at the clock on the wall; over zones and changes of the clock."""

from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings, strategies as st

from custom_components.charge_cluster.engine.bands import (
    EVERY_DAY,
    MOST_BANDS,
    UK_DEFAULT_OFF_PEAK,
    WEEKEND,
    WORKDAYS,
    Band,
    BandDaysMissing,
    BandPriceBad,
    Bands,
    BandSeasonBad,
    BandsLeaveHole,
    BandsOverlap,
    BandTimeBad,
    Day,
    Otherwise,
    Season,
    TooManyBands,
    economy_7,
    flat,
    two_band_business,
)
from custom_components.charge_cluster.engine.tariff import TariffFault, Window

LONDON, BERLIN = ZoneInfo("Europe/London"), ZoneInfo("Europe/Berlin")
ZONES = (
    *map(
        ZoneInfo,
        (
            "Europe/London",
            "Europe/Berlin",
            "America/New_York",
            "America/St_Johns",
            "Asia/Kathmandu",
            "Asia/Beirut",  # changes its clock at midnight
            "Australia/Lord_Howe",  # by half an hour
            "Africa/Casablanca",
        ),
    ),
    UTC,
)
HALF_HOURS = st.integers(0, 47).map(lambda half: 30 * half)


def at(zone: tzinfo, *when: int) -> float:
    year, month, day, hour, minute = when
    return datetime(year, month, day, hour, minute, tzinfo=zone).timestamp()


@st.composite
def bands(draw: st.DrawFn) -> Band:
    begins = draw(HALF_HOURS)
    ends = draw(HALF_HOURS.filter(lambda minutes: minutes != begins or begins == 0))
    ends_of_season = st.tuples(st.integers(1, 12), st.integers(1, 28))
    return Band(
        name=draw(st.sampled_from("ABC")),
        price=draw(st.integers(-5, 60)) / 100.0,
        begins_min=begins,
        ends_min=ends,
        days=draw(st.frozensets(st.sampled_from(Day), min_size=1)),
        season=draw(st.none() | st.builds(Season, ends_of_season, ends_of_season)),
        off_peak=draw(st.booleans()),
    )


def said_by_the_wall(tariff: Bands, when: float, zone: tzinfo, holidays: frozenset[date]) -> tuple[float, bool]:
    """Return price and off-peak mark of a moment, read off a clock and a calendar."""
    wall = datetime.fromtimestamp(when, zone)
    minute = 60 * wall.hour + wall.minute
    holidays_differ = any(Day.HOLIDAY in band.days for band in tariff.bands)

    def is_for(band: Band, day: date) -> bool:
        kind = Day(day.weekday())
        if day in holidays:
            kind = Day.HOLIDAY if holidays_differ else Day.SUNDAY
        return kind in band.days and (band.season is None or band.season.holds(day.month, day.day))

    today, yesterday = wall.date(), wall.date() - timedelta(days=1)
    for band in tariff.bands:
        over = band.ends_min <= band.begins_min
        until = 1440 if over else band.ends_min
        begun_yesterday = over and minute < band.ends_min and is_for(band, yesterday)
        if (is_for(band, today) and band.begins_min <= minute < until) or begun_yesterday:
            return band.price, band.off_peak
    assert tariff.otherwise is not None
    return tariff.otherwise.price, tariff.otherwise.off_peak


@settings(max_examples=60)
@given(
    st.lists(bands(), max_size=3),
    st.sampled_from(ZONES),
    st.sampled_from([date(2026, 3, 29), date(2026, 10, 25), date(2026, 3, 8), date(2026, 4, 5), date(2026, 12, 31)]),
    st.sets(st.integers(-3, 3), max_size=3),
    st.integers(0, 3599),
)
def test_a_price_is_that_which_the_clock_on_the_wall_says(
    some: list[Band], zone: tzinfo, day: date, off: set[int], odd_s: int
) -> None:
    tariff = Bands(bands=tuple(some), otherwise=Otherwise(price=0.25, off_peak=False))
    holidays = frozenset(day + timedelta(days=days) for days in off)
    try:
        tariff.check()
    except BandsOverlap:
        assume(False)
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp()
    start, end = noon - 2 * 86_400.0 + odd_s, noon + 2 * 86_400.0

    curve = tariff.curve(start, end, zone, holidays)
    off_peak = tariff.off_peak(start, end, zone, holidays)

    assert curve.starts[0] == start
    assert curve.known_until(start) == end
    for when in range(int(start), int(end), 900):
        price, cheap = said_by_the_wall(tariff, when, zone, holidays)
        assert curve.at(when) == price
        assert any(window.holds(when) for window in off_peak) is cheap


@settings(max_examples=60)
@given(st.lists(bands(), max_size=4), st.none() | st.just(Otherwise(price=0.3)))
def test_what_is_accepted_has_one_price_at_every_moment_of_some_years(some: list[Band], rest: Otherwise | None) -> None:
    tariff = Bands(bands=tuple(some), otherwise=rest)
    start = at(BERLIN, 2026, 1, 1, 0, 0)
    holidays = frozenset(date(2026, month, 3) for month in range(1, 13))
    try:
        tariff.check()
    except BandsLeaveHole, BandsOverlap:
        return
    curve = tariff.curve(start, start + 400 * 86_400.0, BERLIN, holidays)
    assert curve.known_until(start) == start + 400 * 86_400.0


def test_a_hole_and_an_overlap_are_named_with_what_would_fit() -> None:
    day = Band(name="Day", price=0.3, begins_min=7 * 60, ends_min=23 * 60)
    night = Band(name="Night", price=0.1, begins_min=23 * 60, ends_min=7 * 60, days=WORKDAYS)
    with pytest.raises(BandsLeaveHole) as hole:
        Bands(bands=(day, night)).check()
    # The morning of a Monday belongs to the night of the Sunday, which is no workday.
    assert hole.value.placeholders == {"day": "Monday", "begins": "00:00", "ends": "07:00", "date": "01-01"}
    assert "add one" in str(hole.value)

    late = Band(name="Late", price=0.2, begins_min=22 * 60, ends_min=23 * 60 + 30, days=WEEKEND)
    with pytest.raises(BandsOverlap) as overlap:
        Bands(bands=(day, late), otherwise=Otherwise(price=0.2)).check()
    assert overlap.value.placeholders == {
        "first": "Day",
        "second": "Late",
        "day": "Saturday",
        "begins": "22:00",
        "ends": "23:00",
        "date": "01-01",
    }
    Bands(bands=(day, Band(name="Night", price=0.1, begins_min=23 * 60, ends_min=7 * 60))).check()


def test_the_night_before_a_season_reaches_into_it() -> None:
    winter = Season((11, 1), (3, 31))
    night = Band(name="Night", price=0.1, begins_min=22 * 60, ends_min=6 * 60, season=winter)
    early = Band(name="Summer morning", price=0.2, begins_min=0, ends_min=6 * 60, season=Season((4, 1), (10, 31)))

    with pytest.raises(BandsOverlap) as overlap:
        Bands(bands=(night, early), otherwise=Otherwise(price=0.3)).check()
    assert overlap.value.placeholders["date"] == "04-01"


@pytest.mark.parametrize(
    ("band", "fault"),
    [
        (Band(name="X", price=0.1, begins_min=420, ends_min=420), BandTimeBad),
        (Band(name="X", price=0.1, begins_min=-1, ends_min=420), BandTimeBad),
        (Band(name="X", price=0.1, days=frozenset()), BandDaysMissing),
        (Band(name="X", price=0.1, season=Season((2, 30), (3, 1))), BandSeasonBad),
        (Band(name="X", price=float("nan")), BandPriceBad),
    ],
)
def test_an_impossible_band_is_named(band: Band, fault: type[TariffFault]) -> None:
    with pytest.raises(fault) as told:
        Bands(bands=(band,), otherwise=Otherwise(price=0.2)).check()
    assert told.value.placeholders == {"band": "X"}


def test_there_are_not_more_bands_than_a_tariff_has() -> None:
    minutes = range(0, 2 * MOST_BANDS + 2, 2)
    many = tuple(Band(name=str(n), price=0.1, begins_min=n, ends_min=n + 1) for n in minutes)
    Bands(bands=many[:MOST_BANDS], otherwise=Otherwise(price=0.2)).check()
    with pytest.raises(TooManyBands):
        Bands(bands=many, otherwise=Otherwise(price=0.2)).check()


def test_days_of_23_and_25_hours_have_their_hours() -> None:
    tariff = economy_7(0.30, 0.10)

    def cheap_hours(*day: int) -> float:
        start, end = at(LONDON, *day, 0, 0), at(LONDON, day[0], day[1], day[2] + 1, 0, 0)
        return sum(window.length_s for window in tariff.off_peak(start, end, LONDON)) / 3600.0

    assert cheap_hours(2026, 3, 29) == 6.0
    assert cheap_hours(2026, 10, 25) == 8.0
    assert cheap_hours(2026, 6, 1) == 7.0


def test_uk_default_off_peak_is_everything_but_the_peaks_of_workdays() -> None:
    UK_DEFAULT_OFF_PEAK.check()
    monday, saturday = at(LONDON, 2026, 6, 1, 0, 0), at(LONDON, 2026, 6, 6, 0, 0)

    windows = UK_DEFAULT_OFF_PEAK.off_peak(monday, monday + 86_400.0, LONDON)

    assert windows == (
        Window(monday, at(LONDON, 2026, 6, 1, 8, 0)),
        Window(at(LONDON, 2026, 6, 1, 11, 0), at(LONDON, 2026, 6, 1, 16, 0)),
        Window(at(LONDON, 2026, 6, 1, 22, 0), monday + 86_400.0),
    )
    assert UK_DEFAULT_OFF_PEAK.off_peak(saturday, saturday + 86_400.0, LONDON) == (
        Window(saturday, saturday + 86_400.0),
    )
    # A holiday is like a Sunday where no band is for holidays.
    assert len(UK_DEFAULT_OFF_PEAK.off_peak(monday, monday + 86_400.0, LONDON, frozenset({date(2026, 6, 1)}))) == 1


def test_the_ready_tariffs_fit() -> None:
    for tariff, knows in ((flat(0.2), False), (economy_7(0.3, 0.1), True), (two_band_business(0.3, 0.1), True)):
        tariff.check()
        assert tariff.knows_off_peak is knows
    monday = at(BERLIN, 2026, 6, 1, 0, 0)
    business = two_band_business(0.3, 0.1).curve(monday, monday + 86_400.0, BERLIN)
    assert [business.mean(monday + h * 3600, monday + (h + 1) * 3600) for h in (0, 6, 7, 23)] == [0.1, 0.1, 0.3, 0.3]
    assert EVERY_DAY | {Day.HOLIDAY} == set(Day)
