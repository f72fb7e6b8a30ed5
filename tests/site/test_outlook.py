"""What a session is expected to have taken by its departure."""

from dataclasses import replace

import pytest

from custom_components.charge_cluster.site.outlook import expected_wh
from custom_components.charge_cluster.site.session_wish import SessionWish
from custom_components.charge_cluster.site.views import ConnectorView, SessionView
from tests.report.stage import a_connector

NOW = 1_800_000_000.0
HOUR_S = 3600.0


def parked(wish: SessionWish, *, energy_wh: float = 5_000.0, limit_a: float = 10.0, phases: int = 3) -> ConnectorView:
    session = SessionView(
        session_id="s",
        started_at=NOW - HOUR_S,
        energy_wh=energy_wh,
        id_tag=None,
        transaction_id="1",
        wish=wish,
        asked_wh=wish.wanted_wh,
    )
    return replace(a_connector("p1/1"), session=session, limit_a=limit_a, phases=phases)


def test_without_a_session_or_a_departure_nothing_is_expected() -> None:
    assert expected_wh(a_connector("p1/1"), NOW) is None
    assert expected_wh(parked(SessionWish(wanted_wh=9_000.0)), NOW) is None


@pytest.mark.parametrize(
    ("drawn_a", "phases", "given_w"),
    [
        (None, 3, 6_900.0),
        (None, 1, 2_300.0),
        ((0.0, 0.0, 0.0), 3, 6_900.0),
        ((9.8, 0.2, 0.0), 3, 2_300.0),
        ((9.8, 9.7, 0.0), 3, 4_600.0),
    ],
)
def test_what_the_limit_gives_is_reckoned_on_the_phases_that_are_used(
    drawn_a: tuple[float, float, float] | None, phases: int, given_w: float
) -> None:
    view = replace(parked(SessionWish(departure_at=NOW + 2 * HOUR_S), phases=phases), drawn_a=drawn_a)
    assert expected_wh(view, NOW) == pytest.approx(5_000.0 + 2 * given_w)


def test_no_more_is_expected_than_is_wanted_and_no_less_than_was_taken() -> None:
    soon = NOW + HOUR_S
    assert expected_wh(parked(SessionWish(departure_at=soon, wanted_wh=8_000.0)), NOW) == 8_000.0
    assert expected_wh(parked(SessionWish(departure_at=soon, wanted_wh=3_000.0)), NOW) == 5_000.0
    assert expected_wh(parked(SessionWish(departure_at=soon), limit_a=0.0), NOW) == 5_000.0
    assert expected_wh(parked(SessionWish(departure_at=soon)), NOW + 2 * HOUR_S) == 5_000.0
