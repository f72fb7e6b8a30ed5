"""What was learned before a start: shares reckon with it, worst cases do not, and it is proved or forgotten."""

from __future__ import annotations

from dataclasses import replace

import pytest

from custom_components.charge_cluster.engine import guard
from custom_components.charge_cluster.engine.appetite import PHASES_LEARNED_AFTER_S, Appetite, observe
from custom_components.charge_cluster.engine.base_load import BaseMemory
from custom_components.charge_cluster.engine.controller import decide
from custom_components.charge_cluster.engine.demand import DemandMemory, allowed_w, follow_demand
from custom_components.charge_cluster.engine.guard import DrawBound
from custom_components.charge_cluster.engine.model import DemandCap, MeterReading, PhaseAmps, SiteModel, VehicleState
from custom_components.charge_cluster.engine.obedience import Conduct, Obedience
from custom_components.charge_cluster.engine.snapshot import ConnectorFacts, ConnectorMemory, Decision, Memory, Snapshot

from .sites import a_circuit, a_connector, all_phases

NOW = 1000.0
WANTS, UNKNOWN = VehicleState.WANTS, VehicleState.UNKNOWN
CONNECTORS = {"a": a_connector("a"), "b": a_connector("b", rotation=(1, 2))}
SITE = SiteModel(circuits={"supply": a_circuit(rating_a=47.0, margin_a=3.0)}, connectors=CONNECTORS)
"""24 A for vehicles beside a base load of 20 A."""


def bound(key: str, limit_a: float, *, online: bool = True) -> DrawBound:
    """Return what is known of a connector from before the start."""
    kept = guard.remembered_bound(
        CONNECTORS[key], limit_a=limit_a, held_a=limit_a, fallback_a=0.0, expires_at=NOW + 20.0, now=NOW
    )
    return guard.went_online(kept, CONNECTORS[key], NOW) if online else kept


def facts(key: str, limit_a: float, *, vehicle: VehicleState = WANTS, transaction: str | None = "7") -> ConnectorFacts:
    heard = vehicle is not UNKNOWN
    return ConnectorFacts(bound=bound(key, limit_a, online=heard), vehicle=vehicle, since=NOW, transaction=transaction)


def memory(*, remembered: bool = True, **more: object) -> Memory:
    """Return a memory in which a uses L1 alone."""
    known = ConnectorMemory(
        since=NOW,
        came_at=0.0,
        transaction="7",
        appetite=Appetite(phases=(0,), remembered=remembered),
        queued=True,
        holds_place=True,
        place_since=0.0,
    )
    return Memory(connectors={"a": replace(known, **more)}, turn=0)  # type: ignore[arg-type]  # fields by name


def one_pass(
    before: Memory,
    *,
    a: ConnectorFacts | None = None,
    limits_a: tuple[float, float] = (18.0, 18.0),
    base_a: float = 20.0,
    starting: bool = False,
) -> Decision:
    """Run a pass in which a car draws its limit on L1 at a, and another one on L2 and L3 at b."""
    here, there = limits_a
    # The base load was believed before the start as well.
    before = replace(before, circuits={"supply": BaseMemory(settled=all_phases(base_a))})
    shown = (base_a + here, base_a + there, base_a + there)
    snapshot = Snapshot(
        now=NOW,
        wall=NOW,
        site=SITE,
        facts={"a": a or facts("a", here), "b": facts("b", there)},
        meters={"supply": MeterReading(circuit_id="supply", amps=shown, measured_at=NOW, timeout_s=10.0)},
        starting=starting,
    )
    return decide(snapshot, before)


def worst(decision: Decision) -> PhaseAmps:
    return decision.circuits["supply"].worst_case_a


def test_shares_reckon_with_what_is_remembered_and_worst_cases_do_not() -> None:
    forgetful, remembering = one_pass(Memory()), one_pass(memory())
    assert worst(remembering) == worst(forgetful)
    assert remembering.limits["a"].amps >= 18.0 > forgetful.limits["a"].amps
    proved = one_pass(memory(remembered=False))
    assert max(worst(proved)[1:]) < worst(remembering)[1]
    assert proved.limits["a"].amps == remembering.limits["a"].amps


def test_nobody_pays_for_a_connector_that_has_not_dialled_in_yet() -> None:
    unheard = facts("a", 18.0, vehicle=UNKNOWN, transaction=None)
    starting = one_pass(memory(), a=unheard, starting=True)
    assert starting.limits["b"].amps == one_pass(memory()).limits["b"].amps
    assert starting.memory.connectors["a"].holds_place
    started = one_pass(memory(), a=unheard)
    assert worst(started) == worst(starting)
    assert not started.memory.connectors["a"].holds_place


@pytest.mark.parametrize("transaction", ["8", "07"])
def test_another_transaction_may_be_another_car(transaction: str) -> None:
    decision = one_pass(memory(), a=facts("a", 18.0, transaction=transaction))
    assert decision.memory.connectors["a"].appetite == Appetite()
    assert decision.limits["a"].amps == one_pass(Memory()).limits["a"].amps


def test_another_session_is_another_car() -> None:
    decision = one_pass(memory(since=NOW - 1.0))
    assert decision.memory.connectors["a"].appetite == Appetite()
    assert decision.memory.connectors["a"].came_at == NOW


def test_that_the_transaction_is_not_known_yet_forgets_nothing() -> None:
    decision = one_pass(memory(), a=facts("a", 18.0, transaction=None))
    assert decision.memory.connectors["a"].appetite.phases == (0,)


def drawing(amps: PhaseAmps, after_s: float, every_s: float = 10.0) -> Appetite:
    """Return what is known after so long of a draw."""
    appetite, known = Appetite(phases=(0, 1), upper_a=20.0, remembered=True), bound("a", 16.0)
    for step in range(int(after_s / every_s) + 1):
        at = NOW + step * every_s
        known = guard.measured(known, CONNECTORS["a"], amps, at, at)
        appetite = observe(appetite, CONNECTORS["a"], known)
    return appetite


def test_what_is_remembered_is_proved_by_as_much_as_it_takes_to_learn_it() -> None:
    assert drawing((16.0, 16.0, 0.0), PHASES_LEARNED_AFTER_S - 10.0).proved_phases is None
    assert drawing((16.0, 16.0, 0.0), PHASES_LEARNED_AFTER_S).proved_phases == (0, 1)


def test_too_little_current_proves_nothing() -> None:
    assert drawing((3.0, 3.0, 0.0), 300.0).proved_phases is None


def test_who_uses_fewer_phases_than_remembered_may_use_them_all_again() -> None:
    assert drawing((16.0, 0.0, 0.0), 120.0).proved_phases == (0, 1)


def test_one_measurement_on_another_phase_forgets() -> None:
    appetite = drawing((16.0, 16.0, 16.0), 0.0)
    assert appetite.phases is None
    assert not appetite.remembered


def test_a_vehicle_that_draws_all_of_less_than_it_takes_is_not_hungrier_for_that() -> None:
    assert drawing((16.0, 16.0, 0.0), 60.0).upper_a == 20.0
    known = guard.measured(bound("a", 20.0), CONNECTORS["a"], (20.0, 20.0, 0.0), NOW + 20.0, NOW + 20.0)
    assert observe(Appetite(upper_a=20.0), CONNECTORS["a"], known).upper_a is None


def test_who_was_doubted_is_told_in_another_form_only_after_a_measurement() -> None:
    doubted = memory(conduct=Conduct(state=Obedience.SUSPECTED, forms=1))
    decision = one_pass(doubted)
    assert decision.memory.connectors["a"].conduct.forms == 1
    assert decision.memory.connectors["a"].conduct.in_doubt


def test_a_turn_that_began_meanwhile_begins_once_everybody_was_heard_of() -> None:
    """Places are given anew with everybody there, not among those that dialled in first."""
    queued = {"b": ConnectorMemory(since=NOW, came_at=1.0, transaction="7", queued=True)}
    before = memory(served_s=500.0, appetite=Appetite(phases=(1,), remembered=True))
    before = replace(before, connectors={**before.connectors, **queued}, turn=0)
    during = one_pass(before, limits_a=(6.0, 0.0), base_a=37.0, starting=True)  # no room for two minima
    assert during.memory.connectors["a"].holds_place
    assert not during.memory.connectors["b"].holds_place
    after = one_pass(replace(before, connectors=during.memory.connectors), limits_a=(6.0, 0.0), base_a=37.0)
    assert not after.memory.connectors["a"].holds_place
    assert after.memory.connectors["b"].holds_place


def test_what_flows_in_a_demand_window_unseen_counts_at_the_cap_at_least() -> None:
    cap = DemandCap(mean_w=10_000.0)
    kept = DemandMemory(window=0, used_ws=600_000.0, at=300.0, wall=300.0, flowing_w=2_000.0)
    seen = follow_demand(kept, cap, 2_000.0, 305.0, 305.0)
    unseen = follow_demand(kept, cap, 2_000.0, 320.0, 320.0)
    assert seen.used_ws == pytest.approx(600_000.0 + 5 * 2_000.0)
    assert unseen.used_ws == pytest.approx(600_000.0 + 20 * 10_000.0)
    assert allowed_w(unseen, cap) > allowed_w(follow_demand(None, cap, 2_000.0, 320.0, 320.0), cap)
