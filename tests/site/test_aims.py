"""What a session is planned for, and who says so."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from custom_components.charge_cluster.engine.habits import Distribution, Expectation
from custom_components.charge_cluster.site.aims import LEAST_MORE_WH, LEAST_TIME_S, aims_of, next_time_of_day
from custom_components.charge_cluster.site.battery import SocSource, StateOfCharge, Target
from custom_components.charge_cluster.site.foresight import Forecast, StillHere
from custom_components.charge_cluster.site.plan import Said
from custom_components.charge_cluster.site.session import Session
from custom_components.charge_cluster.site.session_wish import Profile, SessionWish
from custom_components.charge_cluster.site.settings import SiteWish

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2027, 3, 1, 9, 0, tzinfo=BERLIN).timestamp()
HOUR_S = 3600.0
SITE = SiteWish()


def a_session(taken_wh: float = 0.0, **facts: object) -> Session:
    session = Session(session_id="s", started_at=NOW - HOUR_S, start_energy_wh=0.0, counted_wh=taken_wh)
    for name, value in facts.items():
        setattr(session, name, value)
    return session


def a_forecast(leaves_in_h: float, energy_wh: float, alike: float = 20.0) -> Forecast:
    """Return that one in four leaves early, one in four an hour later, and so on."""
    early = NOW + leaves_in_h * HOUR_S
    expected = Expectation(
        departures_h=Distribution.of((9.0 + leaves_in_h + later_h, 1.0) for later_h in range(4)),
        energies=Distribution.of([(energy_wh, 1.0)]),
        scale_wh=1.0,
        alike=alike,
        of_driver=0,
    )
    return Forecast(
        departure_at=(early, early + HOUR_S, early + 2 * HOUR_S),
        still_here=StillHere(expected, NOW, 9.0),
        energy_wh=(energy_wh / 2, energy_wh / 1.5, energy_wh),
        alike=alike,
        of_driver=0,
    )


def test_where_nobody_says_anything_the_site_does() -> None:
    aims = aims_of(a_session(5000.0), None, SITE, NOW, BERLIN)
    assert aims is not None
    assert aims.careful == aims.word
    assert datetime.fromtimestamp(aims.word.leave_at, BERLIN) == datetime(2027, 3, 1, 17, 30, tzinfo=BERLIN)
    assert (aims.word.leave_by, aims.word.remaining_by) == (Said.SITE, Said.SITE)
    assert aims.word.remaining_wh == SITE.energy_wh - 5000.0
    assert not aims.word.promised


USUAL = Profile(leave_by_s=14 * HOUR_S, usual_wh=20_000.0)
AT_TWO = datetime(2027, 3, 1, 14, 0, tzinfo=BERLIN).timestamp()


def test_a_profile_goes_before_what_was_learned_and_is_a_promise() -> None:
    aims = aims_of(a_session(1000.0), a_forecast(6.0, 12_000.0), SITE, NOW, BERLIN, USUAL)
    assert aims is not None
    assert (aims.word.leave_at, aims.word.leave_by) == (AT_TWO, Said.PROFILE)
    assert (aims.word.remaining_wh, aims.word.remaining_by) == (19_000.0, Said.PROFILE)
    assert aims.word.promised


def test_a_target_counts_while_it_is_known_how_full_the_battery_is() -> None:
    target = Target(percent=80.0, battery_wh=45_000.0)
    soc = StateOfCharge(percent=60.0, taken_wh=1000.0, source=SocSource.ENTITY)
    wish = SessionWish(target_soc=80.0, battery_wh=45_000.0)
    told = SessionWish(wanted_wh=7000.0)
    expected: tuple[tuple[float, Said, dict[str, object]], ...] = (
        (9000.0, Said.DRIVER, {"wish": wish, "target": target, "soc": soc, "told_by_vehicle": told}),
        (9000.0, Said.PROFILE, {"target": target, "soc": soc}),
        (0.0, Said.DRIVER, {"wish": wish, "target": target, "soc": replace(soc, percent=90.0)}),
        # How full it is is not known: the vehicle's own word counts, else the usual energy.
        (5000.0, Said.VEHICLE, {"wish": wish, "target": target, "told_by_vehicle": told}),
        (18_000.0, Said.PROFILE, {"wish": wish, "target": target}),
    )
    for remaining_wh, who, facts in expected:
        aims = aims_of(a_session(2000.0, **facts), None, SITE, NOW, BERLIN, USUAL)
        assert aims is not None
        assert aims.word.remaining_wh == pytest.approx(remaining_wh)
        assert aims.word.remaining_by is who


def test_what_is_said_of_this_session_goes_before_the_profile() -> None:
    said = SessionWish(departure_at=NOW + 2 * HOUR_S, wanted_wh=5000.0)
    by_driver = aims_of(a_session(wish=said), None, SITE, NOW, BERLIN, USUAL)
    by_vehicle = aims_of(a_session(wish=said, told_by_vehicle=said), None, SITE, NOW, BERLIN, USUAL)
    for aims, who in ((by_driver, Said.DRIVER), (by_vehicle, Said.VEHICLE)):
        assert aims is not None
        assert (aims.word.leave_at, aims.word.leave_by) == (NOW + 2 * HOUR_S, who)
        assert (aims.word.remaining_wh, aims.word.remaining_by) == (5000.0, who)


def test_each_half_of_a_profile_counts_by_itself() -> None:
    energy = aims_of(a_session(), None, SITE, NOW, BERLIN, Profile(usual_wh=20_000.0))
    time = aims_of(a_session(), None, SITE, NOW, BERLIN, Profile(leave_by_s=14 * HOUR_S))
    assert energy is not None
    assert (energy.word.leave_by, energy.word.remaining_by) == (Said.SITE, Said.PROFILE)
    assert time is not None
    assert (time.word.leave_by, time.word.remaining_by) == (Said.PROFILE, Said.SITE)
    assert not energy.word.promised
    assert not time.word.promised


def test_who_came_after_the_time_of_its_profile_leaves_the_next_day() -> None:
    aims = aims_of(a_session(), None, SITE, NOW, BERLIN, Profile(leave_by_s=7 * HOUR_S))
    assert aims is not None
    assert datetime.fromtimestamp(aims.word.leave_at, BERLIN) == datetime(2027, 3, 2, 7, 0, tzinfo=BERLIN)


def test_who_stays_and_takes_more_than_its_profile_says_is_one_like_others() -> None:
    later = AT_TWO + 60.0
    aims = aims_of(a_session(19_500.0), None, SITE, later, BERLIN, USUAL)
    assert aims is not None
    assert aims.word.leave_by is Said.SITE
    assert (aims.word.remaining_wh, aims.word.remaining_by) == (LEAST_MORE_WH, Said.HABITS)


def test_what_was_learned_goes_before_the_site_where_enough_was() -> None:
    aims = aims_of(a_session(1000.0), a_forecast(4.0, 12_000.0), SITE, NOW, BERLIN)
    assert aims is not None
    assert (aims.word.leave_at, aims.word.leave_by) == (NOW + 5 * HOUR_S, Said.HABITS)
    assert (aims.word.remaining_wh, aims.word.remaining_by) == (11_000.0, Said.HABITS)
    # It is planned for one that stays, told of one like most, and left alone like one that goes early.
    assert aims.still_here is not None
    assert (aims.planned.leave_at, aims.alone.leave_at) == (NOW + 7 * HOUR_S, NOW + 4 * HOUR_S)
    assert aims.planned.remaining_wh == aims.alone.remaining_wh == 11_000.0
    guess = aims_of(a_session(1000.0), a_forecast(4.0, 12_000.0, alike=1.5), SITE, NOW, BERLIN)
    assert guess is not None
    assert guess.word.leave_by is Said.SITE


def test_a_drivers_word_goes_first_and_is_taken_with_the_margin_that_was_learned() -> None:
    wish = SessionWish(departure_at=NOW + 6 * HOUR_S, wanted_wh=20_000.0)
    aims = aims_of(a_session(2000.0, wish=wish), a_forecast(4.0, 12_000.0), SITE, NOW, BERLIN)
    assert aims is not None
    assert (aims.word.leave_at, aims.word.leave_by, aims.word.promised) == (NOW + 6 * HOUR_S, Said.DRIVER, True)
    assert aims.careful.leave_at == NOW + 4 * HOUR_S
    assert aims.careful.remaining_wh == aims.word.remaining_wh == 18_000.0
    assert (aims.planned, aims.alone, aims.still_here) == (aims.careful, aims.word, None)


def test_what_a_vehicle_tells_is_said_to_be_its_word() -> None:
    told = SessionWish(departure_at=NOW + 2 * HOUR_S, wanted_wh=9000.0)
    aims = aims_of(a_session(wish=told, told_by_vehicle=told), None, SITE, NOW, BERLIN)
    assert aims is not None
    assert (aims.word.leave_by, aims.word.remaining_by, aims.word.promised) == (Said.VEHICLE, Said.VEHICLE, True)


def test_who_should_have_left_charges_now() -> None:
    overdue = a_session(wish=SessionWish(wanted_wh=9000.0), missed_departure_at=NOW - 60.0)
    assert aims_of(overdue, a_forecast(4.0, 12_000.0), SITE, NOW, BERLIN) is None


def test_who_still_charges_takes_some_more_and_stays_for_a_moment() -> None:
    aims = aims_of(a_session(SITE.energy_wh + 1.0), None, SITE, NOW, BERLIN)
    assert aims is not None
    assert aims.word.remaining_wh == LEAST_MORE_WH
    early = replace(a_forecast(0.01, 600.0), departure_at=(NOW + 36.0, NOW + 60.0, NOW + 90.0))
    leaving = aims_of(a_session(500.0), early, SITE, NOW, BERLIN)
    assert leaving is not None
    assert leaving.word.leave_at == NOW + LEAST_TIME_S
    assert leaving.word.remaining_wh == LEAST_MORE_WH
    enough = aims_of(a_session(9001.0, wish=SessionWish(wanted_wh=9000.0)), None, SITE, NOW, BERLIN)
    assert enough is not None
    assert enough.word.remaining_wh == 0.0


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("2027-03-01T17:00:00+01:00", "2027-03-01T17:30:00+01:00"),
        ("2027-03-01T17:30:00+01:00", "2027-03-02T17:30:00+01:00"),
        # The clocks are put forward on the 28th, and back on the 31st of October.
        ("2027-03-27T18:00:00+01:00", "2027-03-28T17:30:00+02:00"),
        ("2027-10-30T18:00:00+02:00", "2027-10-31T17:30:00+01:00"),
    ],
)
def test_the_site_means_the_clock_on_the_wall(after: str, expected: str) -> None:
    at = next_time_of_day(17.5 * HOUR_S, datetime.fromisoformat(after).timestamp(), BERLIN)
    assert at == datetime.fromisoformat(expected).timestamp()


@given(seconds=st.integers(0, 86_399), after=st.integers(1_798_761_600, 1_830_297_600))
def test_the_next_time_of_day_comes_within_a_day(seconds: int, after: int) -> None:
    at = next_time_of_day(float(seconds), float(after), BERLIN)
    assert after < at <= after + 25 * HOUR_S
    local = datetime.fromtimestamp(at, UTC).astimezone(BERLIN)
    shown = 3600 * local.hour + 60 * local.minute + local.second
    # In the hour that the clocks skip it is as much later.
    assert shown == seconds or (shown - seconds == HOUR_S and local.month == 3)
