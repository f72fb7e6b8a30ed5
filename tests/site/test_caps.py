"""Ceilings from outside: how long they hold, by which clock, over restarts, and what they do to a site."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from custom_components.charge_cluster.engine.model import NO_AMPS, Limit, Reason
from custom_components.charge_cluster.site.cap import Afterwards, Cap, CapSource
from custom_components.charge_cluster.site.caps import MOST_SOURCES, Caps, NoSuchCap, TooManySources
from custom_components.charge_cluster.site.grid_rules import fallback_excess, section_14a_minimum_w
from custom_components.charge_cluster.site.problems import ProblemKey
from custom_components.charge_cluster.site.views import CapView, FailSafeTime
from tests.site.physical import Notebook, PhysicalSite, a_site
from tests.virtual_time import START_WALL, VirtualLoop, run_virtually

HOUR_S = 3600.0
OPERATOR = Cap(circuit_id="supply", source=CapSource.GRID_OPERATOR, amps=40.0)


class Hands:
    """A clock whose hands are set by the test."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.offset = START_WALL - 1000.0
        self.right = True

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now + self.offset

    def synchronised(self) -> bool:
        return self.right


class Stage:
    """The caps of one site, as long as it runs and after it was started again."""

    def __init__(self) -> None:
        self.clock = Hands()
        self.notebook = Notebook()
        self.told = 0
        self.caps = self._caps()

    def _caps(self) -> Caps:
        return Caps(self.notebook, self.clock, self._tell)

    def _tell(self) -> None:
        self.told += 1

    def after(self, seconds: float) -> list[str]:
        """Let time pass; return who still holds the supply."""
        self.clock.now += seconds
        self.caps.look()
        return [cap.source for cap in self.caps.of("supply")]

    def restarted(self, away_s: float = 0.0, *, host: bool = False) -> list[str]:
        self.clock.now += away_s
        if host:  # a computer that starts counts from anew
            self.clock.offset += self.clock.now
            self.clock.now = 0.0
        self.caps = self._caps()
        self.caps.take_up(self.notebook.caps.values())
        return self.after(0)


@pytest.fixture
def stage() -> Stage:
    return Stage()


# How long -------------------------------------------------------------------------------------------------------------


def test_a_cap_without_an_end_holds_until_it_is_cleared(stage: Stage) -> None:
    stage.caps.hold(OPERATOR)
    assert stage.after(1000 * HOUR_S) == ["grid_operator"]

    stage.caps.release("supply", "grid_operator")

    assert stage.after(0) == []
    assert stage.notebook.caps == {}
    assert stage.told == 2


def test_a_cap_for_a_while_is_lifted_when_it_is_over(stage: Stage) -> None:
    stage.caps.hold(replace(OPERATOR, duration_s=HOUR_S))

    assert stage.after(HOUR_S - 1) == ["grid_operator"]
    assert stage.after(1) == []
    assert stage.notebook.caps == {}


def test_a_cap_that_is_kept_holds_after_its_time_and_says_so(stage: Stage) -> None:
    stage.caps.hold(replace(OPERATOR, source="g100", duration_s=HOUR_S, after=Afterwards.KEEP))
    assert [cap.lapsed for cap in stage.caps.of("supply")] == [False]

    assert stage.after(2 * HOUR_S) == ["g100"]
    assert [cap.lapsed for cap in stage.caps.of("supply")] == [True]
    assert stage.restarted() == ["g100"]


def test_setting_anew_replaces_what_the_same_source_set(stage: Stage) -> None:
    stage.caps.hold(replace(OPERATOR, duration_s=HOUR_S))
    stage.after(HOUR_S - 1)
    stage.caps.hold(replace(OPERATOR, amps=30.0, duration_s=HOUR_S))

    assert stage.after(HOUR_S - 1) == ["grid_operator"]
    assert [cap.amps for cap in stage.caps.ceilings()] == [(30.0, 30.0, 30.0)]


# By which clock -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step_s", [-86_400.0, -HOUR_S, HOUR_S, 86_400.0])
def test_a_clock_that_is_set_neither_shortens_nor_lengthens_a_duration(stage: Stage, step_s: float) -> None:
    stage.caps.hold(replace(OPERATOR, duration_s=HOUR_S))
    stage.after(600)
    stage.clock.offset += step_s

    assert stage.after(HOUR_S - 601) == ["grid_operator"]
    assert stage.after(1) == []


@pytest.mark.parametrize("step_s", [-86_400.0, 86_400.0])
def test_a_restart_after_the_clock_was_set_leaves_the_rest_of_a_duration(stage: Stage, step_s: float) -> None:
    stage.caps.hold(replace(OPERATOR, duration_s=HOUR_S))
    stage.clock.offset += step_s
    stage.after(600)

    assert stage.restarted(600, host=True) == ["grid_operator"]
    assert stage.after(HOUR_S - 1201) == ["grid_operator"]
    assert stage.after(1) == []


def test_a_time_of_day_follows_a_clock_that_is_set_right(stage: Stage) -> None:
    stage.caps.hold(replace(OPERATOR, expires_at=stage.clock.time() + HOUR_S))
    stage.clock.offset += 1800

    assert stage.after(1799) == ["grid_operator"]
    assert stage.after(1) == []


def test_a_clock_that_is_not_right_ends_no_time_of_day(stage: Stage) -> None:
    stage.clock.right = False
    stage.caps.hold(replace(OPERATOR, expires_at=stage.clock.time() + HOUR_S))

    assert stage.after(2 * HOUR_S) == ["grid_operator"]
    stage.clock.right = True
    assert stage.after(0) == []


def test_after_a_restart_nothing_is_lifted_before_the_clock_is_right(stage: Stage) -> None:
    stage.caps.hold(replace(OPERATOR, duration_s=HOUR_S))
    stage.clock.right = False

    assert stage.restarted(2 * HOUR_S) == ["grid_operator"]
    stage.clock.right = True
    assert stage.after(0) == []


def test_a_clock_that_went_back_while_away_does_not_hold_longer_than_was_given(stage: Stage) -> None:
    stage.caps.hold(replace(OPERATOR, duration_s=HOUR_S))
    stage.clock.offset -= 86_400

    assert stage.restarted() == ["grid_operator"]
    assert stage.after(HOUR_S) == []


@given(
    moves=st.lists(st.tuples(st.floats(0.0, 900.0), st.floats(-1e6, 1e6), st.booleans()), min_size=1, max_size=12),
    duration_s=st.floats(1.0, 3600.0),
)
def test_whatever_is_done_to_the_clock_a_duration_is_a_duration(
    moves: list[tuple[float, float, bool]], duration_s: float
) -> None:
    stage = Stage()
    stage.caps.hold(replace(OPERATOR, duration_s=duration_s))
    ends_at = stage.clock.now + duration_s
    for seconds, step_s, right in moves:
        stage.clock.offset += step_s
        stage.clock.right = right
        assert stage.after(seconds) == (["grid_operator"] if stage.clock.now < ends_at else [])


# Several --------------------------------------------------------------------------------------------------------------


def test_all_sources_hold_and_the_lowest_comes_first(stage: Stage) -> None:
    stage.caps.hold(OPERATOR)
    stage.caps.hold(Cap(circuit_id="supply", source="dimmer", watts=13_800.0, vehicles_only=True))
    stage.caps.hold(Cap(circuit_id="cluster", source="dimmer", amps=1.0))

    assert [(cap.source, cap.amps, cap.watts) for cap in stage.caps.of("supply")] == [
        ("dimmer", None, 13_800.0),
        ("grid_operator", 40.0, None),
    ]
    assert {cap.source for cap in stage.caps.ceilings()} == {"grid_operator", "dimmer"}
    stage.caps.release("supply")
    assert [cap.circuit_id for cap in stage.caps.ceilings()] == ["cluster"]


def test_what_nobody_set_cannot_be_cleared(stage: Stage) -> None:
    stage.caps.hold(OPERATOR)

    with pytest.raises(NoSuchCap):
        stage.caps.release("supply", "g100")
    with pytest.raises(NoSuchCap):
        stage.caps.release("cluster")


def test_sources_do_not_grow_without_bound(stage: Stage) -> None:
    for number in range(MOST_SOURCES):
        stage.caps.hold(replace(OPERATOR, source=f"automation {number}"))

    with pytest.raises(TooManySources):
        stage.caps.hold(OPERATOR)
    stage.caps.hold(replace(OPERATOR, source="automation 0", amps=10.0))
    stage.caps.hold(replace(OPERATOR, circuit_id="cluster"))


def test_caps_of_circuits_that_are_gone_are_forgotten(stage: Stage) -> None:
    stage.caps.hold(OPERATOR)
    stage.caps.hold(replace(OPERATOR, circuit_id="cluster"))

    stage.caps.keep_only(["supply"])

    assert list(stage.notebook.caps) == [("supply", "grid_operator")]


# In a site ------------------------------------------------------------------------------------------------------------


def play(story: Callable[[PhysicalSite], Awaitable[None]], *, points: int = 4, fallback_a: float = 0.0) -> None:
    loop = VirtualLoop()
    physical = a_site(loop, points, fallback_a=fallback_a)

    async def whole() -> None:
        await physical.start()
        await physical.run(5)
        for index in range(points):
            physical.plug(f"P{index + 1}", maximum_a=16.0)
        await physical.run(120)
        await story(physical)
        await physical.site.stop()

    run_virtually(whole(), loop)


def test_a_cap_holds_the_whole_circuit_for_its_time_and_says_who_set_it() -> None:
    async def story(site: PhysicalSite) -> None:
        assert sum(site.limits()) >= 64.0
        site.site.caps.hold(replace(OPERATOR, amps=52.0, duration_s=120.0))
        lifted_at = site.clock.time() + 120.0
        await site.run(60)
        assert max(site.truth.amps("supply")) <= 52.0
        views = list(site.site.connectors.values())
        assert {view.reason for view in views} == {Reason.EXTERNAL_CAP}
        assert {view.reason_source for view in views} == {"grid_operator"}
        assert all(view.expected_at == pytest.approx(lifted_at) for view in views)
        assert [cap.source for cap in site.site.circuits["supply"].caps] == ["grid_operator"]
        await site.run(180)
        assert sum(site.limits()) >= 64.0
        assert site.site.circuits["supply"].caps == ()

    play(story)


def test_a_cap_on_vehicles_leaves_the_building_out() -> None:
    async def story(site: PhysicalSite) -> None:
        watts = section_14a_minimum_w(4)
        site.site.caps.hold(Cap(circuit_id="supply", source="section_14a", watts=watts, vehicles_only=True))
        await site.run(60)
        charging = max(site.truth.amps("supply")) - 20.0
        assert 0.0 < charging * 3 * 230.0 <= watts

    play(story)


def test_a_cap_is_in_force_again_after_a_restart() -> None:
    async def story(site: PhysicalSite) -> None:
        site.site.caps.hold(replace(OPERATOR, amps=52.0, duration_s=600.0))
        await site.run(60)
        await site.restart(120)
        await site.run(60)
        assert [cap.source for cap in site.site.circuits["supply"].caps] == ["grid_operator"]
        assert max(site.truth.amps("supply")) <= 52.0
        await site.run(600)
        assert sum(site.limits()) >= 64.0

    play(story)


def test_a_scheme_that_would_be_too_slow_is_told_with_its_figures() -> None:
    async def story(site: PhysicalSite) -> None:
        slower = replace(site.site.settings.meters[0], timeout_s=12.0)
        await site.site.apply(replace(site.site.settings, meters=(slower,)))
        site.site.caps.hold(replace(OPERATOR, source="g100", amps=52.0, after=Afterwards.KEEP))
        await site.run(5)
        [problem] = [each for each in site.site.problems() if each.key is ProblemKey.G100_TOO_SLOW]
        assert problem.placeholders == {
            "circuit": "Supply",
            "detection": "12",
            "validity": "35",
            "reaction": "15",
            "total": "62",
            "allowed": "60",
            "timeout": "10",
        }
        faster = replace(site.site.settings.meters[0], timeout_s=None)
        await site.site.apply(replace(site.site.settings, meters=(faster,)))
        await site.run(5)
        assert ProblemKey.G100_TOO_SLOW not in {each.key for each in site.site.problems()}

    play(story)


def test_fallbacks_that_stay_above_the_scheme_are_told_with_their_figures() -> None:
    async def story(site: PhysicalSite) -> None:
        site.site.caps.hold(replace(OPERATOR, source="g100", amps=70.0, after=Afterwards.KEEP))
        await site.run(30)
        [problem] = [each for each in site.site.problems() if each.key is ProblemKey.G100_FALLBACK_TOO_HIGH]
        # Four times 6 A beside the 60 A that are declared.
        assert problem.placeholders == {"circuit": "Supply", "cap": "70 A", "worst": "84 A", "excess": "14 A"}
        site.site.caps.hold(replace(OPERATOR, source="g100", amps=84.0, after=Afterwards.KEEP))
        await site.run(5)
        assert ProblemKey.G100_FALLBACK_TOO_HIGH not in {each.key for each in site.site.problems()}
        site.site.caps.hold(replace(OPERATOR, amps=70.0))
        await site.run(5)
        assert ProblemKey.G100_FALLBACK_TOO_HIGH not in {each.key for each in site.site.problems()}

    play(story, fallback_a=6.0)


def test_any_other_source_may_be_as_slow_as_it_is() -> None:
    async def story(site: PhysicalSite) -> None:
        site.site.caps.hold(OPERATOR)
        await site.run(5)
        assert ProblemKey.G100_TOO_SLOW not in {each.key for each in site.site.problems()}

    play(story)


# The rules ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("devices", "kilowatts"),
    [(1, 4.2), (2, 7.56), (3, 10.5), (4, 13.02), (5, 15.12), (6, 16.8), (7, 18.06), (8, 18.9), (9, 19.32), (20, 40.11)],
)
def test_the_floor_of_section_14a(devices: int, kilowatts: float) -> None:
    assert section_14a_minimum_w(devices) == pytest.approx(1000 * kilowatts)


def test_section_14a_is_about_one_device_at_least() -> None:
    with pytest.raises(ValueError, match="one device"):
        section_14a_minimum_w(0)


A_CAP = CapView(
    circuit_id="supply",
    source="g100",
    amps=None,
    watts=None,
    vehicles_only=False,
    expires_at=None,
    after="keep",
    lapsed=False,
)
FALLBACKS, ALL = (12.0, 0.0, 6.0), (32.0, 90.0, 26.0)


@pytest.mark.parametrize(
    ("cap", "excess"),
    [
        ({"amps": 30.0}, 2.0),  # L2 is the building's own
        ({"amps": 33.0}, 0.0),
        ({"amps": 10.0, "vehicles_only": True}, 2.0),
        ({"watts": 37_000.0}, 253.0 * 148.0 - 37_000.0),
        ({"watts": 4_000.0, "vehicles_only": True}, 253.0 * 18.0 - 4_000.0),
        ({"watts": 5_000.0, "vehicles_only": True}, 0.0),
    ],
)
def test_what_fallbacks_hold_above_a_cap(cap: dict[str, Any], excess: float) -> None:
    assert fallback_excess(replace(A_CAP, **cap), FALLBACKS, ALL) == pytest.approx(excess)
    assert fallback_excess(replace(A_CAP, **cap), NO_AMPS, ALL) == 0.0


def test_what_g100_leaves_for_the_meter() -> None:
    time = FailSafeTime(detection_s=10.0, validity_s=35.0, reaction_s=16.0)

    assert (time.total_s, time.fits_g100, time.detection_that_fits_s) == (61.0, False, 9.0)
    assert replace(time, detection_s=9.0).fits_g100


def test_a_reason_that_is_no_cap_has_no_source(stage: Stage) -> None:
    stage.caps.hold(OPERATOR)
    view = object()

    assert stage.caps.explained(view, Limit(amps=6.0, reason=Reason.SHARED, circuit_id="supply")) is view  # type: ignore[arg-type]  # only passed through
