"""How a connector stands, over a restart: times of one clock in those of the other, and nothing that was not so."""

from dataclasses import replace

import pytest

from custom_components.charge_cluster.engine.appetite import Appetite
from custom_components.charge_cluster.engine.first_start import BEGUN
from custom_components.charge_cluster.engine.obedience import Conduct, Obedience
from custom_components.charge_cluster.engine.phase_use import PhaseUse
from custom_components.charge_cluster.engine.snapshot import ConnectorMemory
from custom_components.charge_cluster.site.standing import (
    Clocks,
    KeptDemand,
    KeptStanding,
    demand_of,
    recalled,
    recalled_demand,
    standing_of,
)

BEFORE = Clocks(now=5_000.0, wall=1_800_000_000.0)
LATER = Clocks(now=20.0, wall=1_800_000_008.0)
"""The machine itself was started anew: its monotonic clock began at 0."""

MEMORY = ConnectorMemory(
    since=4_000.0,
    came_at=3_900.0,
    transaction="7",
    appetite=Appetite(phases=(2, 0), alike=True, upper_a=9.0, below_since=4_950.0),
    queued=True,
    holds_place=True,
    place_since=4_400.0,
    lost_place_at=4_100.0,
    served_s=33.0,
)


def kept(memory: ConnectorMemory = MEMORY, starts_at: float | None = None) -> KeptStanding:
    return standing_of(memory, "s", starts_at, BEFORE)


def test_what_is_recalled_is_what_was_so() -> None:
    memory = recalled(kept(), None, LATER)
    assert memory == ConnectorMemory(
        since=20.0,
        came_at=20.0 - 1_108.0,
        transaction="7",
        appetite=Appetite(phases=(2, 0), alike=True, upper_a=9.0, remembered=True),
        start=BEGUN,
        queued=True,
        holds_place=True,
        place_since=20.0 - 608.0,
        lost_place_at=20.0 - 908.0,
        served_s=33.0,
    )
    assert memory.served(20.0) == pytest.approx(MEMORY.served(5_000.0) + 8.0)


def test_phases_that_were_not_learned_are_not_remembered() -> None:
    nothing = recalled(kept(replace(MEMORY, appetite=Appetite())), None, LATER).appetite
    assert nothing == Appetite()


def test_nobody_was_served_after_the_last_limit_ran_out() -> None:
    memory = recalled(kept(), BEFORE.wall + 2.0, LATER)
    assert memory.holds_place
    assert memory.served(LATER.now) == pytest.approx(MEMORY.served(BEFORE.now) + 2.0)


def test_a_vehicle_on_one_phase_stays_there_while_its_limit_holds() -> None:
    use = PhaseUse(one=True, switches=3, decided_at=4_700.0)
    memory = recalled(kept(replace(MEMORY, phase_use=use)), LATER.wall + 20.0, LATER)
    assert memory.phase_use == PhaseUse(one=True, switches=3, decided_at=LATER.now)


@pytest.mark.parametrize("limit_until", [None, LATER.wall - 1.0])
def test_it_has_all_phases_again_where_its_limit_may_have_run_out(limit_until: float | None) -> None:
    use = PhaseUse(one=True, switches=3, decided_at=4_700.0)
    memory = recalled(kept(replace(MEMORY, phase_use=use)), limit_until, LATER)
    assert memory.phase_use == PhaseUse(one=False, switches=3, decided_at=LATER.now)


def test_who_cannot_switch_is_not_asked_again_after_a_restart() -> None:
    use = PhaseUse(switches=1, unable=True)
    assert recalled(kept(replace(MEMORY, phase_use=use)), None, LATER).phase_use.unable


def test_a_clock_that_was_set_back_makes_nothing_lie_ahead() -> None:
    back = Clocks(now=20.0, wall=BEFORE.wall - 3_600.0)
    memory = recalled(kept(), None, back)
    assert memory.came_at <= back.now
    assert memory.place_since <= back.now
    assert memory.lost_place_at <= back.now
    assert recalled_demand(KeptDemand(window=1, used_ws=1.0, at=BEFORE.wall, flowing_w=1.0), back) is None


def test_a_demand_window_goes_on() -> None:
    demand = KeptDemand(window=2_000_000, used_ws=5e5, at=BEFORE.wall, flowing_w=7e3)
    memory = recalled_demand(demand, LATER)
    assert memory is not None
    assert (memory.at, memory.wall) == (12.0, BEFORE.wall)
    assert demand_of(memory) == demand


@pytest.mark.parametrize("state", [state for state in Obedience if state is not Obedience.OBEYS])
def test_who_was_in_doubt_is_suspected(state: Obedience) -> None:
    memory = replace(MEMORY, conduct=Conduct(state=state, forms=2, since=4_000.0, trial_at=4_990.0))
    assert recalled(kept(memory), None, LATER).conduct == Conduct(state=Obedience.SUSPECTED, forms=2)


def test_without_a_session_a_moment_alone_is_kept_while_it_lies_ahead() -> None:
    assert standing_of(MEMORY, None, None, BEFORE) == KeptStanding()
    assert standing_of(MEMORY, None, 5_030.0, BEFORE) == KeptStanding(starts_at=BEFORE.wall + 30.0)
    assert kept(starts_at=4_999.0).starts_at is None
