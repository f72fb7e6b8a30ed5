"""Something else sets limits on a connector: believed only where the charger's own report shows it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from custom_components.charge_cluster.engine.guard import DrawBound
from custom_components.charge_cluster.site.foreign import OfferWatch

LIMIT = DrawBound(held_a=16.0, limit_a=16.0, online=True)


def told(watch: OfferWatch, offered_a: float, *, since: float, until: float, bound: DrawBound = LIMIT) -> OfferWatch:
    """Have the same report come every 10 s."""
    at = since
    while at <= until:
        watch.take(offered_a, bound, at, wanted=True)
        at += 10.0
    return watch


@pytest.fixture
def followed() -> OfferWatch:
    """A charger whose reports followed its limit."""
    return told(OfferWatch(), 16.0, since=20.0, until=60.0)


@pytest.mark.parametrize("offered_a", [0.0, 10.0, 32.0])
def test_an_offer_that_changes_without_an_order_is_foreign_after_half_a_minute(
    followed: OfferWatch, offered_a: float
) -> None:
    assert not told(followed, offered_a, since=100.0, until=130.0).foreign
    assert told(followed, offered_a, since=140.0, until=140.0).foreign
    assert followed.differs_since == 100.0


def test_it_stays_foreign_when_our_own_limit_comes_down_to_it(followed: OfferWatch) -> None:
    told(followed, 8.0, since=100.0, until=120.0)
    lowered = replace(LIMIT, limit_a=9.0, changed_at=125.0)
    assert told(followed, 8.0, since=130.0, until=200.0, bound=lowered).foreign
    # It follows orders again.
    assert not told(followed, 9.5, since=230.0, until=230.0, bound=replace(lowered, limit_a=10.0)).foreign


def test_it_is_over_when_the_offer_is_the_limit_again(followed: OfferWatch) -> None:
    told(followed, 10.0, since=100.0, until=200.0)
    told(followed, 16.0, since=210.0, until=210.0)
    assert not followed.foreign


def test_whole_amps_and_watts_at_another_voltage_are_the_limit(followed: OfferWatch) -> None:
    told(followed, 15.0, since=100.0, until=200.0)
    told(followed, 17.5, since=210.0, until=300.0)
    assert not followed.foreign


def test_a_cable_that_never_carried_more_is_not_foreign() -> None:
    watch = told(OfferWatch(), 20.0, since=20.0, until=60.0, bound=replace(LIMIT, limit_a=20.0))
    told(watch, 20.0, since=100.0, until=300.0, bound=replace(LIMIT, limit_a=32.0))
    assert not watch.foreign


def test_reports_that_never_followed_an_order_prove_nothing() -> None:
    assert not told(OfferWatch(), 48.0, since=20.0, until=300.0).foreign


def test_an_order_under_way_or_just_taken_is_no_foreign_limit(followed: OfferWatch) -> None:
    told(followed, 10.0, since=100.0, until=200.0, bound=replace(LIMIT, in_flight=(10.0,)))
    assert not followed.foreign
    told(followed, 10.0, since=200.0, until=210.0, bound=replace(LIMIT, changed_at=199.0))
    assert not followed.foreign


def test_a_vehicle_that_wants_nothing_is_offered_nothing(followed: OfferWatch) -> None:
    for at in range(100, 300, 10):
        followed.take(0.0, LIMIT, float(at), wanted=False)
    assert not followed.foreign


def test_a_charger_that_was_told_in_another_form_proves_nothing(followed: OfferWatch) -> None:
    followed.reworded = True
    told(followed, 6.0, since=100.0, until=300.0)
    assert not followed.foreign
