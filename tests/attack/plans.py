"""Sites to attack: 1 to 3 levels of circuits, metered or not, 2 to 8 connectors of every wiring."""

from __future__ import annotations

from hypothesis import strategies as st

from custom_components.charge_cluster.engine.model import MeterScope, PhaseAmps
from simulator.vehicle import CarSpec

from .judge import SLOWEST_CAR_S
from .world import CircuitPlan, PostPlan, SitePlan

ROTATIONS: tuple[tuple[int, ...], ...] = ((0, 1, 2), (1, 2, 0), (2, 0, 1), (0, 2, 1), (0,), (1,), (2,))

SCOPES = (*(MeterScope.EVERYTHING,) * 4, MeterScope.ALL_BUT_EVS, MeterScope.EVS_ONLY)


@st.composite
def cars(draw: st.DrawFn) -> CarSpec:
    """Draw a car."""
    return CarSpec(
        name="car",
        phases=draw(st.sampled_from((3, 3, 3, 1, 2))),
        maximum_a=draw(st.sampled_from((32.0, 32.0, 32.0, 16.0))),
        draws_at_most_a=draw(st.sampled_from((None, None, None, None, 8.0))),
        reaction_s=draw(st.sampled_from((2.0, SLOWEST_CAR_S, 5.0, 8.0))),
        ramp_a_per_s=draw(st.sampled_from((32.0, 4.0))),
        ends_after_s=draw(st.sampled_from((None, None, None, None, None, 90.0))),
        battery_kwh=200.0,
        soc=0.1,
    )


@st.composite
def plans(draw: st.DrawFn) -> SitePlan:
    """Draw a site."""
    shape = draw(st.sampled_from(((), (0,), (0, 0), (0, 1), (0, 1, 1))))
    parents: tuple[int | None, ...] = (None, *shape)
    ratings = [
        draw(st.sampled_from((40.0, 63.0, 32.0, 80.0) if parent is None else (32.0, 20.0, 50.0))) for parent in parents
    ]
    totals = [0.0] * len(parents)
    own = [0.0] * len(parents)
    for index, parent in enumerate(parents):
        part = draw(st.sampled_from((0.3, 0.0, 0.5)))
        totals[index] = part * ratings[index]
        if parent is not None:
            children = parents.count(parent)
            totals[index] = min(totals[index], 0.8 * totals[parent] / children)
    for index in range(len(parents)):
        below = sum(totals[child] for child, parent in enumerate(parents) if parent == index)
        own[index] = max(0.0, totals[index] - below)
    circuits = []
    for index, parent in enumerate(parents):
        metered = draw(st.sampled_from((True, True, True, False) if parent is None else (False, False, True)))
        scope = draw(st.sampled_from(SCOPES)) if metered else None
        declared: PhaseAmps | None = (totals[index],) * 3
        guarded = scope in (MeterScope.EVERYTHING, MeterScope.ALL_BUT_EVS)
        if (guarded and draw(st.sampled_from((False, False, False, True)))) or (parent and not totals[index]):
            declared = None
        circuits.append(
            CircuitPlan(
                circuit_id="supply" if parent is None else f"board{index}",
                parent_id=None if parent is None else ("supply" if parent == 0 else f"board{parent}"),
                rating_a=(ratings[index],) * 3,
                declared_a=declared,
                own_most_a=(own[index],) * 3,
                scope=scope,
                timeout_s=draw(st.sampled_from((None, None, 70.0))) if scope is not None else None,
            )
        )
    single_phase = draw(st.sampled_from((False, False, False, True)))
    count = draw(st.integers(2, 7))
    posts = []
    for index in range(count):
        two = index < 2 and draw(st.sampled_from((False, False, True)))
        rotations = tuple((0,) if single_phase else draw(st.sampled_from(ROTATIONS)) for _ in range(2 if two else 1))
        posts.append(
            PostPlan(
                name=f"P{index + 1}",
                circuit_id=draw(st.sampled_from(circuits)).circuit_id,
                rotations=rotations,
                known=tuple(draw(st.sampled_from((True, True, True, False))) for _ in rotations),
                fallback_a=draw(st.sampled_from((0.0, 6.0))),
                maximum_a=draw(st.sampled_from((32.0, 32.0, 16.0))),
            )
        )
    return SitePlan(
        circuits=tuple(circuits),
        posts=tuple(posts),
        on_time_s=draw(st.sampled_from((60.0, 900.0))),
        seed=draw(st.integers(0, 2**16)),
    )
