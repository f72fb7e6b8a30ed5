"""How much of a device's curve an overload used: the points of the standards, and what holds for every current."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from custom_components.charge_cluster.engine.exposure import (
    COOLED,
    COOLING_S,
    FUSE_GATES,
    LARGEST_DEVICE_A,
    LARGEST_MCB_A,
    DeviceKind,
    Exposure,
    ImpossibleDevice,
    ProtectiveDevice,
    check_device,
    conventional_time_s,
    cooled,
    exposure_of,
    follow,
    fuse_gates_a,
    holds_a,
    trip_time_s,
)

MINIATURE = (DeviceKind.MCB_B, DeviceKind.MCB_C, DeviceKind.MCB_D)
HOUR_S = 3600.0


def a_device(kind: DeviceKind = DeviceKind.MCB_C, rated_a: float = 63.0, **settings: float) -> ProtectiveDevice:
    return ProtectiveDevice(kind=kind, rated_a=rated_a, **settings)


def devices() -> st.SearchStrategy[ProtectiveDevice]:
    small = st.floats(1.0, LARGEST_MCB_A)
    miniature = st.builds(a_device, st.sampled_from(MINIATURE), small)
    fuses = st.builds(a_device, st.just(DeviceKind.FUSE_GG), st.floats(1.0, 2000.0))
    breakers = st.builds(
        lambda rated, tr, share, isd, more: a_device(
            DeviceKind.MCCB,
            rated,
            long_delay_s=tr,
            short_delay_s=tr * share,
            short_pickup=isd,
            instantaneous=isd * more,
        ),
        st.floats(16.0, LARGEST_DEVICE_A),
        st.floats(0.5, 480.0),
        st.floats(0.0, 1.0),
        st.floats(1.1, 12.0),
        st.floats(1.0, 2.0),
    )
    return st.one_of(miniature, fuses, breakers)


multiples = st.floats(0.0, 30.0)
durations = st.floats(1e-3, 4 * HOUR_S)
traces = st.lists(st.tuples(st.floats(0.0, 4.0), st.floats(0.01, HOUR_S)), max_size=12)


# The points that the standards fix -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MINIATURE)
@pytest.mark.parametrize(("rated_a", "lasts_s"), [(16.0, HOUR_S), (63.0, HOUR_S), (80.0, 2 * HOUR_S)])
def test_a_miniature_breaker_carries_1_13_in_for_the_conventional_time(
    kind: DeviceKind, rated_a: float, lasts_s: float
) -> None:
    device = a_device(kind, rated_a)
    assert trip_time_s(device, 1.13 * rated_a) == math.inf
    assert trip_time_s(device, 1.13001 * rated_a) == pytest.approx(lasts_s, rel=1e-3)
    assert trip_time_s(device, 1.45 * rated_a) < lasts_s


@pytest.mark.parametrize(
    ("kind", "holds"), [(DeviceKind.MCB_B, 3.0), (DeviceKind.MCB_C, 5.0), (DeviceKind.MCB_D, 10.0)]
)
def test_a_miniature_breaker_holds_a_second_at_2_55_in_and_briefly_up_to_its_letter(
    kind: DeviceKind, holds: float
) -> None:
    device = a_device(kind)
    assert trip_time_s(device, 2.55 * 63) == pytest.approx(1.0)
    assert trip_time_s(device, holds * 63) == pytest.approx(0.1)
    assert trip_time_s(device, holds * 63 * 1.001) == 0.01


def test_a_breaker_with_settings_follows_them() -> None:
    device = a_device(
        DeviceKind.MCCB, 100.0, long_delay_s=10.0, short_pickup=6.0, short_delay_s=0.2, instantaneous=10.0
    )
    assert trip_time_s(device, 105.0) == math.inf
    assert trip_time_s(device, 300.0) == pytest.approx(0.8 * 10.0 * 4)  # I²t: a quarter of 6² is 3²
    assert trip_time_s(device, 480.0) == pytest.approx(0.8 * 10.0 * (6 / 4.8) ** 2)
    assert trip_time_s(device, 481.0) == pytest.approx(0.7 * 0.2)
    assert trip_time_s(device, 801.0) == 0.01


def test_a_slow_setting_is_never_reckoned_longer_than_the_conventional_time() -> None:
    slow = a_device(DeviceKind.MCCB, 400.0, long_delay_s=480.0)
    assert trip_time_s(slow, 421.0) == 2 * HOUR_S


@pytest.mark.parametrize(("rated_a", "gates"), FUSE_GATES.items())
def test_a_fuse_passes_its_gates_on_their_lower_side(rated_a: float, gates: tuple[float, float]) -> None:
    device = a_device(DeviceKind.FUSE_GG, rated_a)
    assert trip_time_s(device, gates[0]) == pytest.approx(10.0)
    assert trip_time_s(device, gates[1]) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("rated_a", "hours"), [(16.0, 1), (63.0, 1), (80.0, 2), (160.0, 2), (200.0, 3), (400.0, 3), (500.0, 4)]
)
def test_a_fuse_carries_1_25_in_for_the_conventional_time(rated_a: float, hours: int) -> None:
    device = a_device(DeviceKind.FUSE_GG, rated_a)
    assert trip_time_s(device, 1.25 * rated_a) == math.inf
    assert trip_time_s(device, 1.25001 * rated_a) == pytest.approx(hours * HOUR_S, rel=1e-3)
    assert trip_time_s(device, 1.6 * rated_a) < hours * HOUR_S


@pytest.mark.parametrize(("rated_a", "as_one_of"), [(35.0, 32.0), (224.0, 200.0), (62.9, 50.0)])
def test_a_fuse_between_two_of_the_table_has_the_gates_of_the_smaller(rated_a: float, as_one_of: float) -> None:
    assert fuse_gates_a(rated_a) == FUSE_GATES[as_one_of]


def test_beyond_the_table_a_fuse_has_its_last_gates_or_its_least_multiples() -> None:
    assert fuse_gates_a(800.0) == FUSE_GATES[630.0]
    for gate, current in enumerate(fuse_gates_a(6300.0)):
        assert current / 6300.0 == pytest.approx(min(gates[gate] / rated for rated, gates in FUSE_GATES.items()))


# Devices that nobody can have --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("device", "key"),
    [
        (a_device(rated_a=0.0), "impossible_device"),
        (a_device(rated_a=-16.0), "impossible_device"),
        (a_device(rated_a=math.nan), "impossible_device"),
        (a_device(DeviceKind.FUSE_GG, math.inf), "impossible_device"),
        (a_device(DeviceKind.MCB_D, 125.1), "impossible_device"),
        (a_device(DeviceKind.MCCB, long_delay_s=0.0), "impossible_device_settings"),
        (a_device(DeviceKind.MCCB, short_pickup=1.0), "impossible_device_settings"),
        (a_device(DeviceKind.MCCB, short_pickup=11.0), "impossible_device_settings"),
        (a_device(DeviceKind.MCCB, short_delay_s=-0.1), "impossible_device_settings"),
        (a_device(DeviceKind.MCCB, long_delay_s=1.0, short_delay_s=2.0), "impossible_device_settings"),
        (a_device(DeviceKind.MCCB, instantaneous=math.inf), "impossible_device_settings"),
    ],
)
def test_an_impossible_device_is_refused_with_the_key_of_its_sentence(device: ProtectiveDevice, key: str) -> None:
    with pytest.raises(ImpossibleDevice) as refused:
        check_device(device)
    assert refused.value.key == key
    with pytest.raises(ImpossibleDevice):
        trip_time_s(device, 100.0)


def test_the_figures_say_what_fits() -> None:
    with pytest.raises(ImpossibleDevice) as refused:
        check_device(a_device(DeviceKind.MCB_B, 160.0))
    assert refused.value.figures == {"rated": 160.0, "most": 125.0}


def test_settings_of_an_mccb_mean_nothing_to_other_devices() -> None:
    check_device(a_device(DeviceKind.FUSE_GG, 63.0, long_delay_s=-1.0))


# What holds for every device and every current ---------------------------------------------------------------------


@given(devices(), multiples, multiples)
def test_more_current_never_trips_later(device: ProtectiveDevice, one: float, other: float) -> None:
    less, more = sorted((one * device.rated_a, other * device.rated_a))
    assert 0 < trip_time_s(device, more) <= trip_time_s(device, less) * (1 + 1e-9)


@given(devices(), multiples)
def test_within_its_rating_nothing_trips(device: ProtectiveDevice, multiple: float) -> None:
    amps = multiple * device.rated_a
    assert (trip_time_s(device, amps) == math.inf) == (amps <= holds_a(device))
    assert holds_a(device) > device.rated_a


@given(st.floats(1.0, LARGEST_MCB_A), st.floats(1.0, LARGEST_MCB_A), multiples)
def test_a_later_letter_or_a_larger_breaker_trips_no_sooner(one: float, other: float, multiple: float) -> None:
    smaller, larger = sorted((one, other))
    amps = multiple * smaller
    times = [trip_time_s(a_device(kind, smaller), amps) for kind in MINIATURE]
    assert times == sorted(times)
    for kind, seconds in zip(MINIATURE, times, strict=True):
        assert trip_time_s(a_device(kind, larger), amps) >= seconds * (1 - 1e-9)


@given(st.sampled_from(sorted(FUSE_GATES)), st.floats(1.0, 1.25), st.floats(0.0, 1.0))
def test_a_larger_fuse_is_reckoned_to_melt_no_sooner_up_to_its_last_gate(
    rated_a: float, more: float, share: float
) -> None:
    amps = share * fuse_gates_a(rated_a)[1]
    smaller, larger = (a_device(DeviceKind.FUSE_GG, each) for each in (rated_a, more * rated_a))
    assert trip_time_s(larger, amps) >= trip_time_s(smaller, amps) * (1 - 1e-9)


# Following ---------------------------------------------------------------------------------------------------------


@given(devices(), st.floats(1.0, 30.0), st.integers(1, 50))
def test_a_constant_current_has_used_the_curve_exactly_when_it_may_trip(
    device: ProtectiveDevice, multiple: float, parts: int
) -> None:
    amps = multiple * holds_a(device) * (1 + 1e-9)
    part_s = trip_time_s(device, amps) / parts
    exposure = exposure_of([(amps, part_s)] * parts, device, device.rated_a)
    assert exposure.used == pytest.approx(1.0)
    assert exposure.above_s == pytest.approx(parts * part_s)
    assert exposure.above_as == pytest.approx((amps - device.rated_a) * parts * part_s)
    assert exposure.highest_a == amps


@given(devices(), traces, st.floats(1.0, 2.0))
def test_nothing_is_ever_negative_and_more_current_uses_no_less(
    device: ProtectiveDevice, trace: list[tuple[float, float]], more: float
) -> None:
    rated = device.rated_a
    less = exposure_of([(multiple * rated, dt) for multiple, dt in trace], device, rated)
    greater = exposure_of([(more * multiple * rated, dt) for multiple, dt in trace], device, rated)
    for name in ("used", "most_used", "above_s", "above_as", "highest_a"):
        assert 0.0 <= getattr(less, name) <= getattr(greater, name) * (1 + 1e-9)
    assert less.used <= less.most_used


@given(devices(), traces, multiples, durations, st.floats(0.0, 1.0))
def test_it_makes_no_difference_how_time_is_split(
    device: ProtectiveDevice, trace: list[tuple[float, float]], multiple: float, dt: float, share: float
) -> None:
    rated = device.rated_a
    before = exposure_of([(each * rated, each_s) for each, each_s in trace], device, rated)
    amps = multiple * rated
    whole = follow(before, device, rated, amps, dt)
    split = follow(follow(before, device, rated, amps, share * dt), device, rated, amps, dt - share * dt)
    for name in ("used", "most_used", "above_s", "above_as", "highest_a"):
        assert getattr(split, name) == pytest.approx(getattr(whole, name), rel=1e-9, abs=1e-12)


@given(devices(), st.floats(0.0, 1.0), st.floats(0.0, 1.0), durations)
def test_within_the_rating_it_cools_and_two_hours_leave_nothing_to_show(
    device: ProtectiveDevice, used: float, multiple: float, dt: float
) -> None:
    warm = Exposure(used=used, most_used=used)
    after = follow(warm, device, device.rated_a, multiple * device.rated_a, dt)
    assert 0.0 <= after.used <= used
    assert after.most_used == used
    lasts_s = max(COOLING_S, conventional_time_s(device))
    assert cooled(used, device, lasts_s) <= COOLED


@pytest.mark.parametrize(
    ("device", "hours"), [(a_device(), 2), (a_device(rated_a=100.0), 2), (a_device(DeviceKind.FUSE_GG, 250.0), 3)]
)
def test_a_full_curve_is_gone_from_the_display_after_its_hours_and_not_much_sooner(
    device: ProtectiveDevice, hours: int
) -> None:
    trace = [(0.5 * device.rated_a, 1.0)] * (hours * 3600)
    exposure = Exposure(used=1.0, most_used=1.0)
    left = []
    for amps, dt in trace:
        exposure = follow(exposure, device, device.rated_a, amps, dt)
        left.append(exposure.used)
    assert left[-1] <= 0.005 * (1 + 1e-9)
    assert left[len(left) // 2] == pytest.approx(math.sqrt(0.005), rel=1e-3)
    assert left[len(left) * 9 // 10] > 0.005


@given(devices(), st.floats(0.0, 1.0), durations)
def test_between_the_rating_and_what_the_device_carries_it_counts_but_neither_uses_nor_cools(
    device: ProtectiveDevice, used: float, dt: float
) -> None:
    rating_a = 0.9 * device.rated_a
    amps = (rating_a + holds_a(device)) / 2
    after = follow(Exposure(used=used, most_used=used), device, rating_a, amps, dt)
    assert after.used == used
    assert after.above_as == pytest.approx((amps - rating_a) * dt)


def test_current_that_flows_back_heats_as_much() -> None:
    device = a_device()
    assert follow(Exposure(), device, 63.0, -90.0, 5.0) == follow(Exposure(), device, 63.0, 90.0, 5.0)


def test_without_a_device_only_what_is_above_the_rating_counts() -> None:
    exposure = exposure_of([(80.0, 10.0), (50.0, 10.0)], None, 63.0)
    assert exposure == Exposure(above_s=10.0, above_as=170.0, highest_a=80.0)


def test_no_time_changes_nothing() -> None:
    exposure = Exposure(used=0.5, most_used=0.5)
    assert follow(exposure, a_device(), 63.0, 500.0, 0.0) is exposure


def test_a_usual_overload_uses_little() -> None:
    """The kitchen adds 30 % for the reaction time of 17 s, once in a while: what docs/safety.md says of it."""
    for device in (a_device(DeviceKind.FUSE_GG), a_device(DeviceKind.MCB_B), a_device(DeviceKind.MCB_C)):
        assert exposure_of([(1.3 * 63, 17.0)], device, 63.0).used < 0.03
