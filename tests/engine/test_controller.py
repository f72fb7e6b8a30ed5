"""One pass at a time: what is not known, not there or not well is counted, told and left alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from custom_components.charge_cluster.engine import guard
from custom_components.charge_cluster.engine.appetite import Appetite
from custom_components.charge_cluster.engine.base_load import BaseMemory
from custom_components.charge_cluster.engine.controller import decide
from custom_components.charge_cluster.engine.guard import DrawBound
from custom_components.charge_cluster.engine.model import (
    Connector,
    MeterReading,
    MeterScope,
    Reason,
    SiteModel,
    VehicleState,
)
from custom_components.charge_cluster.engine.snapshot import ConnectorFacts, ConnectorMemory, Decision, Memory, Snapshot

from .closed_loop import Car, Stage
from .sites import a_circuit, a_connector, a_stage, all_phases, named

NOW = 1000.0


def known(connector: Connector, amps: float = 0.0) -> DrawBound:
    """Return the bound of a connector that is online and proved to be at a limit."""
    bound = guard.went_online(guard.unknown_bound(connector), connector, 0.0)
    bound = guard.idle(guard.fallback_stored(bound, connector.fallback_a, idle=True, now=0.0), 0.0)
    if amps:
        bound = guard.accepted(guard.sent(bound, amps, 0.0), amps, 0.0, NOW + 30.0)
    return bound


def facts(connector: Connector, vehicle: VehicleState, amps: float = 0.0, **more: object) -> ConnectorFacts:
    usual = ConnectorFacts(bound=known(connector, amps), vehicle=vehicle, since=0.0)
    return replace(usual, **more)  # type: ignore[arg-type]  # fields by name


def one_pass(
    connectors: Mapping[str, ConnectorFacts | None],
    *,
    rating_a: float = 100.0,
    memory: Memory | None = None,
    fallback_a: float = 0.0,
    **more: object,
) -> Decision:
    """Run a pass over connectors on one supply of which 20 A flow otherwise."""
    site = SiteModel(
        circuits={"supply": a_circuit(rating_a=rating_a)},
        connectors={key: a_connector(key, fallback_a=fallback_a) for key in connectors},
    )
    snapshot = Snapshot(
        now=NOW,
        wall=NOW,
        site=site,
        facts={key: known_facts for key, known_facts in connectors.items() if known_facts is not None},
        meters={"supply": MeterReading(circuit_id="supply", amps=all_phases(20.0), measured_at=NOW, timeout_s=10.0)},
    )
    return decide(replace(snapshot, **more), memory or Memory())  # type: ignore[arg-type]  # fields by name


A, B = a_connector("a"), a_connector("b")


def test_a_connector_that_nothing_is_told_of_counts_at_its_hardware() -> None:
    decision = one_pass({"a": None, "b": facts(B, VehicleState.WANTS)}, rating_a=70.0)
    # 70 A less 5 A of margin, 20 A of base load and the 32 A that the first may draw.
    assert decision.limits["b"].amps == 13.0
    assert decision.limits["a"].reason is Reason.OFFLINE
    assert decision.circuits["supply"].worst_case_a[0] >= 52.0


def test_a_charger_whose_fallback_is_being_stored_does_not_take_the_others_share() -> None:
    silent = ConnectorFacts(bound=guard.unknown_bound(A), vehicle=VehicleState.UNKNOWN, since=0.0, proving=True)
    decision = one_pass({"a": silent, "b": facts(B, VehicleState.WANTS)}, rating_a=70.0)
    assert decision.limits["b"].amps == 32.0
    # Reckoned with, not raised: until it is proved the first may draw 32 A.
    assert all(command.amps <= 13.0 for command in decision.commands)


def test_a_connector_without_a_status_is_left_at_what_it_holds() -> None:
    decision = one_pass({"a": facts(A, VehicleState.UNKNOWN, 10.0)})
    assert decision.limits["a"].reason is Reason.STARTING
    assert decision.limits["a"].amps == 10.0
    assert not decision.commands


def test_a_faulted_connector_is_offered_nothing() -> None:
    decision = one_pass({"a": facts(A, VehicleState.FAULTED, 10.0), "b": facts(B, VehicleState.WANTS)})
    assert decision.limits["a"].reason is Reason.FAULTED
    assert [(c.connector_id, c.amps, c.reduces) for c in decision.commands if c.connector_id == "a"] == [
        ("a", 0.0, True)
    ]


def test_while_the_site_starts_nothing_is_raised_and_says_so() -> None:
    waiting = facts(A, VehicleState.WANTS)
    decision = one_pass({"a": waiting}, starting=True)
    assert decision.limits["a"].reason is Reason.STARTING
    assert not decision.commands
    assert one_pass({"a": waiting}).commands


def test_nobody_is_offered_current_before_its_fallback_is_in_place() -> None:
    bound = guard.went_online(guard.unknown_bound(A), A, 0.0)
    bound = guard.idle(guard.accepted(guard.sent(bound, 0.0, 0.0), 0.0, 0.0, NOW + 30.0), 0.0)
    decision = one_pass({"a": facts(A, VehicleState.WANTS, bound=bound)}, rating_a=50.0)
    assert decision.limits["a"].reason is Reason.FALLBACK_UNPROVED
    assert not [command for command in decision.commands if command.amps > 0.0]


def test_an_order_that_failed_is_not_sent_again_before_its_time() -> None:
    reducing = facts(A, VehicleState.FAULTED, 10.0, retry_at=NOW + 1.0)
    assert not one_pass({"a": reducing}).commands
    assert one_pass({"a": replace(reducing, retry_at=NOW)}).commands


def test_a_limit_is_renewed_at_a_third_of_its_validity_and_a_fallback_never() -> None:
    held = facts(A, VehicleState.WANTS, 32.0)
    renewed = one_pass({"a": held}).commands
    assert [(command.amps, command.renews) for command in renewed] == [(32.0, True)]
    fresh = replace(held, bound=replace(held.bound, ordered_at=NOW - 9.0))
    assert not one_pass({"a": fresh}).commands
    idle = facts(A, VehicleState.ABSENT)
    assert not one_pass({"a": idle}).commands


def test_a_limit_that_nobody_knows_is_brought_to_a_small_known_one() -> None:
    bound = guard.went_online(guard.unknown_bound(A), A, 0.0)
    decision = one_pass({"a": facts(A, VehicleState.WANTS, bound=bound)})
    assert [(command.amps, command.reduces) for command in decision.commands] == [(6.0, True)]
    absent = one_pass({"a": facts(A, VehicleState.ABSENT, bound=bound)})
    assert not absent.commands


def drawing(amps: float | None) -> DrawBound:
    """Return the bound of a connector whose limit nobody knows, measured a moment ago or not at all."""
    bound = guard.went_online(guard.unknown_bound(A), A, NOW - 9.0)
    bound = guard.fallback_stored(bound, 0.0, idle=False, now=NOW - 8.0)
    return bound if amps is None else guard.measured(bound, A, all_phases(amps), NOW - 1.0, NOW)


@pytest.mark.parametrize(("drawn", "told"), [(16.0, 16.0), (5.8, 6.0), (3.0, 0.0), (0.0, 0.0)])
def test_where_not_all_fits_an_unknown_limit_becomes_what_is_drawn(drawn: float, told: float) -> None:
    """A minimum is a raise for a charger that holds 0 A, and nothing was proved to be free for it."""
    wanting = {"a": facts(A, VehicleState.WANTS, bound=drawing(drawn))}
    shown = MeterReading(circuit_id="supply", amps=all_phases(20.0 + drawn), measured_at=NOW, timeout_s=10.0)
    decision = one_pass(wanting, rating_a=50.0, meters={"supply": shown})
    assert [command.amps for command in decision.commands] == [told]
    roomy = one_pass(wanting, rating_a=100.0, meters={"supply": shown})
    assert [command.amps for command in roomy.commands] == [max(told, 6.0)]


@pytest.mark.parametrize(("online_s", "shown", "told"), [(1.0, 20.0, []), (13.0, 20.0, [0.0]), (1.0, 51.0, [0.0])])
def test_who_has_not_been_measured_goes_on_for_a_moment_where_nothing_is_above_its_rating(
    online_s: float, shown: float, told: list[float]
) -> None:
    wanting = facts(A, VehicleState.WANTS, bound=drawing(None), since=NOW - online_s)
    reading = MeterReading(circuit_id="supply", amps=all_phases(shown), measured_at=NOW, timeout_s=10.0)
    decision = one_pass({"a": wanting}, rating_a=50.0, meters={"supply": reading})
    assert [command.amps for command in decision.commands] == told
    blind = one_pass({"a": wanting}, rating_a=50.0, meters={"supply": replace(reading, scope=MeterScope.ALL_BUT_EVS)})
    assert [command.amps for command in blind.commands] == [0.0]
    unheard = one_pass({"a": wanting}, rating_a=50.0, meters={"supply": None}, unheard=frozenset({"supply"}))
    assert [command.amps for command in unheard.commands] == ([] if online_s < 12.0 else [0.0])


def test_the_next_car_may_start_at_the_fallback_on_phases_that_this_one_does_not_use() -> None:
    """It does so sooner than those that were given the room have come down."""
    single = a_connector("a", fallback_a=6.0)
    other = a_connector("b", rotation=(1,))
    site = SiteModel(circuits={"supply": a_circuit(rating_a=45.0)}, connectors={"a": single, "b": other})
    remembered = ConnectorMemory(since=0.0, appetite=Appetite(phases=(0,)), transaction="1")
    bounds = {
        "a": facts(single, VehicleState.WANTS, 10.0, transaction="1"),
        "b": facts(other, VehicleState.WANTS, 14.0),
    }
    decision = one_pass(bounds, site=site, memory=Memory(connectors={"a": remembered}))
    assert decision.memory.connectors["a"].appetite.phases == (0,)
    assert decision.circuits["supply"].worst_case_a == (30.0, 40.0, 26.0)
    # 45 A − 5 A − 20 A − 6 A
    assert decision.limits["b"].amps == 14.0


@pytest.mark.parametrize(
    ("rating_a", "told"),
    [
        (32.0, {"a": 6.0, "b": 6.0}),
        (34.0, {"a": 6.0, "b": 6.0}),
        (37.0, {"a": 6.0, "b": 6.0}),
        (45.0, {"a": 10.0, "b": 10.0}),
    ],
)
def test_nobody_has_what_the_fallbacks_of_others_may_take(rating_a: float, told: dict[str, float]) -> None:
    """Two fallbacks of 6 A beside 20 A may take of the margin of 5 A, and so nobody else may."""
    wanting = {
        key: facts(a_connector(key, fallback_a=6.0), VehicleState.WANTS, amps) for key, amps in (("a", 9.0), ("b", 3.0))
    }
    decision = one_pass(wanting, rating_a=rating_a, fallback_a=6.0)
    assert {key: limit.amps for key, limit in decision.limits.items()} == told
    if rating_a < 37.0:
        assert [(c.connector_id, c.amps) for c in decision.commands if not c.renews] == [("a", 6.0)]


@pytest.mark.parametrize(("rating_a", "raised"), [(47.0, ["a"]), (41.0, [])])
def test_a_higher_fallback_needs_room_on_all_phases(rating_a: float, raised: list[str]) -> None:
    """Its vehicle uses one phase and counts at 10 A there, which says nothing of the other two."""
    single, other = a_connector("a", fallback_a=6.0), a_connector("b", rotation=(1,))
    site = SiteModel(circuits={"supply": a_circuit(rating_a=rating_a)}, connectors={"a": single, "b": other})
    remembered = ConnectorMemory(since=0.0, appetite=Appetite(phases=(0,)), transaction="1")
    wanting = {
        "a": facts(single, VehicleState.WANTS, transaction="1", bound=known(a_connector("a"), 10.0)),
        "b": facts(other, VehicleState.WANTS, 16.0),
    }
    decision = one_pass(wanting, site=site, memory=Memory(connectors={"a": remembered}))
    assert decision.circuits["supply"].worst_case_a == (30.0, 36.0, 20.0)
    assert list(decision.fallbacks) == raised


def test_where_not_even_the_fallbacks_fit_nobody_has_more_than_its_minimum() -> None:
    """The base load is above the declared worst: who charges goes on, with as little as can be."""
    wanting = {key: facts(a_connector(key, fallback_a=6.0), VehicleState.WANTS, 9.0) for key in ("a", "b", "c")}
    decision = one_pass(wanting, rating_a=36.0, fallback_a=6.0)
    assert sorted(limit.amps for limit in decision.limits.values()) == [0.0, 0.0, 6.0]


def test_after_a_restart_everybody_stays_where_they_are_until_the_meter_is_heard() -> None:
    held = {key: facts(a_connector(key), VehicleState.WANTS, 10.0) for key in ("a", "b")}
    memory = Memory(circuits={"supply": BaseMemory(settled=all_phases(75.0), settled_at=NOW - 60.0)})
    decision = one_pass(held, memory=memory, meters={"supply": None}, unheard=frozenset({"supply"}))
    assert {key: limit.amps for key, limit in decision.limits.items()} == {"a": 10.0, "b": 10.0}
    assert not [command for command in decision.commands if not command.renews]
    heard = one_pass(held, memory=memory, meters={"supply": None})
    assert heard.circuits["supply"].stale


def is_stale(stage: Stage) -> bool:
    return stage.decision is not None and stage.decision.circuits["supply"].stale


def test_a_meter_that_was_stuck_is_believed_from_the_figure_after_it() -> None:
    stage: Stage = a_stage(*(a_connector(key) for key in named(2)), circuits=(a_circuit(declared_a=75.0),))
    stage.plug("c00", Car())
    stage.run(60)
    stage.meter_stuck = True
    stage.plug("c01", Car())
    stage.run(90)
    assert is_stale(stage)
    stage.meter_stuck = False
    stage.run(5)
    assert not is_stale(stage)
    stage.run(90)
    assert stage.drawn() == {"c00": 32.0, "c01": 32.0}
