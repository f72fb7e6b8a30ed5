"""Whatever a charge point does while it is tested, and whatever is tested: no ceiling is exceeded."""

from __future__ import annotations

import random
from dataclasses import dataclass

from hypothesis import HealthCheck, given, settings, strategies as st

from custom_components.charge_cluster.site.commissioning.findings import CHARGE_POINT_TESTS, METER_TESTS, Verdict
from tests.commissioning.stage import OddCharger, Stage, a_stage, play
from tests.virtual_time import VirtualLoop


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A car park, the habits of the charge point that is tested, and when somebody ends it."""

    keeps_fallback: bool
    falls_back: bool
    holds_zero: bool
    starts_alone: bool
    measures: bool
    sample_every_s: float
    delay_s: float
    cars: tuple[tuple[float, int], ...]
    """Amps and phases of each; the first stands where the tests are made."""
    supply_a: float
    fallback_a: float
    meter_too: bool
    seed: int
    stops_after_s: float | None

    def form(self, post: OddCharger) -> None:
        """Give a charge point its habits."""
        chance = random.Random(self.seed)
        post.keeps_fallback, post.falls_back = self.keeps_fallback, self.falls_back
        post.holds_zero, post.starts_alone = self.holds_zero, self.starts_alone
        post.measures, post.sample_every_s = self.measures, self.sample_every_s
        post.delay_s = lambda: self.delay_s * chance.random()


cases = st.builds(
    Case,
    keeps_fallback=st.booleans(),
    falls_back=st.booleans(),
    holds_zero=st.booleans(),
    starts_alone=st.booleans(),
    measures=st.booleans(),
    sample_every_s=st.sampled_from([5.0, 10.0, 30.0]),
    delay_s=st.sampled_from([0.0, 0.0, 25.0, 60.0]),
    cars=st.lists(st.tuples(st.sampled_from([10.0, 16.0, 32.0]), st.sampled_from([1, 3])), min_size=1, max_size=4).map(
        tuple
    ),
    supply_a=st.sampled_from([63.0, 80.0, 100.0, 160.0]),
    fallback_a=st.sampled_from([0.0, 6.0]),
    meter_too=st.booleans(),
    seed=st.integers(0, 1000),
    stops_after_s=st.none() | st.floats(20.0, 900.0),
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(case=cases)
def test_no_ceiling_is_exceeded_by_any_test_of_any_charge_point(case: Case) -> None:
    async def story(stage: Stage) -> None:
        for number, (maximum_a, phases) in enumerate(case.cars, start=1):
            stage.plug(f"P{number}", maximum_a=maximum_a, phases=phases)
        await stage.run(120)
        post = stage.post("P1")
        case.form(post)

        def stop(after_s: float) -> None:
            if case.stops_after_s is not None and after_s >= case.stops_after_s:
                stage.site.commissioning.cancel()

        found = await stage.commission("p1/1", person=stage.takes("P1"), meanwhile=stop)
        assert set(found) == set(CHARGE_POINT_TESTS)
        if not (case.falls_back and case.keeps_fallback):
            assert {found[test].verdict for test in CHARGE_POINT_TESTS[-2:]} != {Verdict.PASSED}
        post.restore_network()
        if not post.powered:
            post.restore_power()
        if case.meter_too:
            assert set(await stage.commission("meter")) == set(METER_TESTS)
        await stage.run(120)
        assert stage.site.commissioning.progress is None
        assert stage.site.connectors["p1/1"].cap_a == 32.0

    play(
        a_stage(
            VirtualLoop(), 4, supply_a=case.supply_a, base_load_a=10.0, declared_a=20.0, fallback_a=case.fallback_a
        ),
        story,
    )
