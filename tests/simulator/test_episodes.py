"""What is put down to a fault: what flows in its time and shortly after, and who draws less than before."""

import pytest

from simulator.building import LoadChange, LoadProgramme
from simulator.episodes import AFTERMATH_S, JUMP_KIND, Episode, Episodes
from simulator.physics import CircuitSpec, OutletSpec, SiteTruth
from simulator.vehicle import CarSpec

RATING_A = 40.0


@pytest.fixture
def truth() -> SiteTruth:
    """Return a supply with one car that draws 16 A beside a base load of 20 A."""
    truth = SiteTruth(
        [CircuitSpec(circuit_id="supply", rating_a=(RATING_A,) * 3)],
        [OutletSpec(outlet_id="P1/1", circuit_id="supply", rotation=(0, 1, 2))],
    )
    truth.set_base_load("supply", (20.0,) * 3)
    truth.plug("P1/1", CarSpec(name="car", maximum_a=32.0, reaction_s=1.0, battery_kwh=90.0, soc=0.1))
    truth.outlets["P1/1"].offer(16.0, truth.now)
    for _ in range(60):
        truth.step(0.5)
    assert max(truth.outlets["P1/1"].drawn) == pytest.approx(16.0)
    return truth


def live(episodes: Episodes, seconds: float) -> None:
    for _ in range(round(seconds / 0.5)):
        episodes.truth.step(0.5)
        episodes.add(0.5)


def above_s(episode: Episode) -> float:
    return episode.circuits["supply"].phases[0].above_s


def test_what_flows_before_and_long_after_a_fault_is_not_put_down_to_it(truth: SiteTruth) -> None:
    episodes = Episodes(truth)
    live(episodes, 10.0)
    episodes.begin("drops", "P1")
    truth.set_base_load("supply", (30.0,) * 3)
    live(episodes, 5.0)
    episodes.mend("drops", "P1")
    live(episodes, AFTERMATH_S + 60.0)
    (episode,) = episodes.all
    assert above_s(episode) == pytest.approx(5.0 + AFTERMATH_S)
    assert episode.circuits["supply"].phases[0].highest_a == pytest.approx(46.0)
    assert episode.ended_at == pytest.approx(truth.now - 60.0)


def test_the_next_fault_ends_the_time_of_one_that_is_mended(truth: SiteTruth) -> None:
    episodes = Episodes(truth)
    episodes.begin("drops", "P1")
    episodes.mend("drops", "P1")
    live(episodes, 5.0)
    episodes.begin("reboots", "P1")
    truth.set_base_load("supply", (30.0,) * 3)
    live(episodes, 5.0)
    first, second = episodes.all
    assert above_s(first) == 0.0
    assert above_s(second) == pytest.approx(5.0)


def test_a_jump_is_a_fault_of_its_own_only_where_nothing_else_is_wrong(truth: SiteTruth) -> None:
    episodes = Episodes(truth)
    episodes.jump("supply")
    episodes.begin("drops", "P1")
    episodes.jump("supply")
    assert [episode.kind for episode in episodes.all] == [JUMP_KIND, "drops"]


def test_a_car_that_is_paused_loses_what_it_would_have_drawn(truth: SiteTruth) -> None:
    episodes = Episodes(truth)
    episodes.begin("power_cut", "P1")
    truth.outlets["P1/1"].cut_off(truth.now)
    live(episodes, 36.0)
    loss = episodes.all[0].outlets["P1/1"]
    assert loss.before_a == pytest.approx(16.0)
    assert loss.least_a == 0.0
    assert loss.paused_s == pytest.approx(36.0)
    assert loss.lost_wh == pytest.approx(3 * 16.0 * 230.0 / 100.0, rel=0.02)


def test_a_load_tells_when_it_jumps() -> None:
    load = LoadProgramme(
        changes=tuple(LoadChange(at_s=at, amps=(amps,) * 3) for at, amps in ((0, 20), (100, 40), (150, 20))),
        repeat_s=200.0,
    )
    assert load.jumps(350.0) == [100.0, 300.0]
