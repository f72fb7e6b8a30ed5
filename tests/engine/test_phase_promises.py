"""Promise 1 while phases are switched: chargers that switch at once, late, never, or are lost in between."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import event, given, settings, strategies as st

from custom_components.charge_cluster.engine.model import Circuit, Connector, MeterScope, PhaseAmps, SiteModel

from .test_promises import EXACT_A, Plan, Play, rooms_of

THREE_PHASE = [(0, 1, 2), (1, 2, 0), (2, 0, 1)]
KINDS = ["wait", "unplug", "plug", "refuse", "accept", "accept", "mute", "lose", "drop", "back", "draw", "recall"]


LEAVE_AT = 60
AGED = range(60, 110)
"""In these steps all that was decided about phases is taken to be long ago."""


def grow_old(play: Play) -> None:
    """Let all that was decided about phases be long ago."""
    connectors = {
        key: replace(known, phase_use=replace(known.phase_use, decided_at=-1e6, room_since=-1e6))
        for key, known in play.memory.connectors.items()
    }
    play.memory = replace(play.memory, connectors=connectors, room=None)


def disturb(play: Play, happens: list[tuple[int, str, float]]) -> None:
    """Have all draw what they may, and let something else happen to some."""
    keys = list(play.plan.site.connectors)
    for key in keys:
        play.happen(key, "draw", 1.0)
    for index, what, part in happens:
        play.happen(keys[index % len(keys)], what, part)


@st.composite
def crowded_plans(draw: st.DrawFn) -> Plan:
    """Draw a supply that the minima of all do not fit below, with chargers most of which switch phases."""
    count = draw(st.integers(3, 6))
    fit = draw(st.integers(1, count - 1))
    base_a = draw(st.sampled_from([0.0, 7.0]))
    margin_a = 2.0
    rating_a = base_a + margin_a + 6.0 * fit + draw(st.floats(1.0, 5.0))
    supply = Circuit(
        circuit_id="supply",
        rating_a=(rating_a, rating_a, rating_a),
        margin_a=(margin_a, margin_a, margin_a),
        declared_base_load_a=(base_a, base_a, base_a),
        power_va=draw(st.none() | st.floats(253.0 * 2.5 * rating_a, 253.0 * 3.5 * rating_a)),
        unbalance_a=draw(st.none() | st.floats(8.0, 20.0)),
        neutral_a=draw(st.none() | st.floats(15.0, 30.0)),
    )
    connectors = {}
    for index in range(count):
        switches = draw(st.sampled_from([True, True, True, False]))
        connectors[f"c{index}"] = Connector(
            connector_id=f"c{index}",
            circuit_id="supply",
            rotation=draw(st.sampled_from(THREE_PHASE)) if switches else draw(st.sampled_from([*THREE_PHASE, (0,)])),
            fallback_a=draw(st.sampled_from([0.0, 0.0, 0.0, 6.0])),
            switches_phases=switches,
        )
    base: PhaseAmps = (base_a, base_a, base_a)
    return Plan(
        site=SiteModel(circuits={"supply": supply}, connectors=connectors),
        base_a={"supply": base},
        metered={"supply": MeterScope.EVERYTHING} if draw(st.booleans()) else {},
        proved=frozenset(connectors),
    )


@given(
    plan=crowded_plans(),
    late=st.lists(st.sampled_from([0.0, 0.0, 0.0, 20.0, 60.0, None]), min_size=6, max_size=6),
    happens=st.lists(
        st.tuples(st.integers(3, 40), st.integers(0, 5), st.sampled_from(KINDS), st.floats(0.0, 1.0)), max_size=12
    ),
    leave=st.sets(st.integers(0, 5), max_size=4),
    pace_s=st.floats(2.0, 9.0),
)
@settings(deadline=None)
def test_nothing_more_flows_than_a_rating_allows_while_phases_are_switched(
    plan: Plan,
    late: list[float | None],
    happens: list[tuple[int, int, str, float]],
    leave: set[int],
    pace_s: float,
) -> None:
    """All draw what they may; what may flow by all that was told and shown stays within, whoever was switched."""
    keys = list(plan.site.connectors)
    play = Play(plan=plan, switches_after_s=dict(zip(keys, late, strict=False)))
    for key in keys:
        play.happen(key, "plug", 1.0)
    rooms = rooms_of(plan)
    back = 0
    for step in range(140):
        play.answer()
        if step == LEAVE_AT:
            for index in leave:
                play.happen(keys[index % len(keys)], "unplug", 1.0)
        if step in AGED:
            grow_old(play)
        told = {key for key, known in play.evidence.items() if known.one_since is not None}
        disturb(play, [(index, what, part) for at, index, what, part in happens if at == step % 41])
        decision = play.decide()
        before, led_before = play.commitments(), play.led()
        play.send(decision)
        for row, amps in play.commitments().items():
            assert amps <= max(rooms[row], before[row]) + EXACT_A, (row, before)
        for row, amps in play.led().items():
            assert amps <= max(rooms[row], led_before[row]) + EXACT_A, (row, led_before)
        back += sum(command.connector_id in told and command.phases is None for command in decision.commands)
        play.now += pace_s
    event(f"{sum(known.alone for known in play.evidence.values())} on one phase at the end")
    event(f"{sum(known.was_one for known in play.evidence.values())} told to use one")
    event(f"{back} told to use all again")
