"""Building load is a pure function of time: steps, ramps, repetition and seeded noise."""

import pytest
from hypothesis import given, strategies as st

from simulator.building import LoadChange, LoadProgramme


def test_before_the_first_change_there_is_no_load() -> None:
    load = LoadProgramme(changes=(LoadChange(at_s=10.0, amps=(5.0, 6.0, 7.0)),))
    assert load.amps_at(9.9) == (0.0, 0.0, 0.0)
    assert load.amps_at(10.0) == (5.0, 6.0, 7.0)


def test_a_ramp_moves_linearly_from_the_load_before() -> None:
    load = LoadProgramme(
        changes=(
            LoadChange(at_s=0.0, amps=(10.0, 10.0, 10.0)),
            LoadChange(at_s=100.0, amps=(20.0, 0.0, 10.0), over_s=10),
        )
    )
    assert load.amps_at(105.0) == pytest.approx((15.0, 5.0, 10.0))
    assert load.amps_at(110.0) == (20.0, 0.0, 10.0)


def test_it_begins_again_after_its_time() -> None:
    load = LoadProgramme(
        changes=(LoadChange(at_s=0.0, amps=(1.0, 1.0, 1.0)), LoadChange(at_s=50.0, amps=(2.0, 2.0, 2.0))),
        repeat_s=100.0,
    )
    assert load.amps_at(230.0) == (1.0, 1.0, 1.0)
    assert load.amps_at(260.0) == (2.0, 2.0, 2.0)


@given(moment=st.floats(0.0, 1e5), seed=st.integers(0, 1000))
def test_noise_stays_within_its_bound_and_is_the_same_every_time(moment: float, seed: int) -> None:
    load = LoadProgramme(changes=(LoadChange(at_s=0.0, amps=(10.0, 20.0, 30.0)),), noise_a=2.0, seed=seed)
    amps = load.amps_at(moment)
    assert amps == load.amps_at(moment)
    for ampere, base in zip(amps, (10.0, 20.0, 30.0), strict=True):
        assert base - 2.0 <= ampere <= base + 2.0


@given(moment=st.floats(0.0, 1e4))
def test_noise_has_no_jumps(moment: float) -> None:
    load = LoadProgramme(noise_a=3.0, noise_period_s=5.0, seed=4)
    for before, after in zip(load.amps_at(moment), load.amps_at(moment + 0.01), strict=True):
        assert abs(after - before) <= 6.0 * 0.01 / 5.0 + 1e-9


def test_changes_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="order"):
        LoadProgramme(changes=(LoadChange(at_s=5.0, amps=(1, 1, 1)), LoadChange(at_s=1.0, amps=(1, 1, 1))))
