"""The fallbacks that are left to the site to choose."""

from collections.abc import Iterator

from hypothesis import given, strategies as st

from custom_components.charge_cluster.site.proof import check, with_fitting_fallbacks
from custom_components.charge_cluster.site.settings import (
    ChargePointSettings,
    CircuitSettings,
    ConnectorSettings,
    SiteSettings,
)


def a_point(name: str, circuit_id: str = "supply", *, fallback_a: float | None = None) -> ChargePointSettings:
    return ChargePointSettings(
        charge_point_id=name,
        name=name,
        identity=name,
        circuit_id=circuit_id,
        connectors=(ConnectorSettings(number=1, rotation=(0, 1, 2)),),
        fallback_a=fallback_a or 0.0,
        fallback_automatic=fallback_a is None,
    )


def a_site(*points: ChargePointSettings, base_load_a: float = 40.0, cluster_a: float = 20.0) -> SiteSettings:
    """Return a supply of 100 A with a cluster A and a cluster B."""
    supply = CircuitSettings(
        circuit_id="supply",
        name="Supply",
        parent_id=None,
        rating_a=(100.0,) * 3,
        declared_base_load_a=(base_load_a,) * 3,
    )
    clusters = (
        CircuitSettings(circuit_id=name, name=name, parent_id="supply", rating_a=(cluster_a,) * 3)
        for name in ("a", "b")
    )
    return SiteSettings(site_id="site", name="Site", circuits=(supply, *clusters), charge_points=points)


def fallbacks(settings: SiteSettings) -> dict[str, float]:
    return {point.name: point.fallback_a for point in with_fitting_fallbacks(settings).charge_points}


def several(count: int, circuit_id: str) -> Iterator[ChargePointSettings]:
    return (a_point(f"{circuit_id}{number}", circuit_id) for number in range(count))


def test_all_have_their_minimum_where_that_fits() -> None:
    assert set(fallbacks(a_site(*several(3, "a"), *several(3, "b"))).values()) == {6.0}


def test_one_too_many_below_a_cluster_leaves_none_there_and_the_others_theirs() -> None:
    chosen = fallbacks(a_site(*several(4, "a"), *several(3, "b")))

    assert {amps for name, amps in chosen.items() if name.startswith("a")} == {0.0}
    assert {amps for name, amps in chosen.items() if name.startswith("b")} == {6.0}


def test_one_too_many_for_the_supply_leaves_none_anywhere() -> None:
    assert set(fallbacks(a_site(*several(3, "a"), *several(3, "b"), base_load_a=70.0)).values()) == {0.0}


def test_a_fallback_that_was_given_stays_and_takes_its_place() -> None:
    chosen = fallbacks(a_site(a_point("given", "a", fallback_a=16.0), a_point("left to us", "a")))

    assert chosen == {"given": 16.0, "left to us": 0.0}


@given(
    in_a=st.integers(0, 12),
    in_b=st.integers(0, 12),
    base_load_a=st.floats(0.0, 100.0),
    cluster_a=st.floats(10.0, 100.0),
)
def test_what_is_chosen_always_fits_and_treats_neighbours_alike(
    in_a: int, in_b: int, base_load_a: float, cluster_a: float
) -> None:
    settings = a_site(*several(in_a, "a"), *several(in_b, "b"), base_load_a=base_load_a, cluster_a=cluster_a)
    chosen = with_fitting_fallbacks(settings)

    assert check(chosen) == ()
    for cluster in ("a", "b"):
        assert len({point.fallback_a for point in chosen.charge_points if point.circuit_id == cluster}) <= 1


def test_faulty_settings_are_left_to_the_check() -> None:
    settings = a_site(a_point("lost", "nowhere"))

    assert fallbacks(settings) == {"lost": 0.0}
