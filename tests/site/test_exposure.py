"""What circuits carry above their ratings: windows, what is unknown, restarts, and what a person is told of it."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from custom_components.charge_cluster.engine.exposure import DeviceKind, ProtectiveDevice, trip_time_s
from custom_components.charge_cluster.engine.fallback_proof import FallbackProof
from custom_components.charge_cluster.engine.model import NO_AMPS, PhaseAmps
from custom_components.charge_cluster.engine.snapshot import CircuitDecision, Decision, Memory
from custom_components.charge_cluster.site.exposure import Exposures, ExposureView, device_text
from custom_components.charge_cluster.site.problems import ProblemKey, Severity
from custom_components.charge_cluster.site.settings import CircuitSettings
from tests.site.physical import Notebook, PhysicalSite, a_site
from tests.virtual_time import START_WALL, VirtualLoop, run_virtually

C63 = ProtectiveDevice(kind=DeviceKind.MCB_C, rated_a=63.0)
GG100 = ProtectiveDevice(kind=DeviceKind.FUSE_GG, rated_a=100.0)
SUPPLY = CircuitSettings(circuit_id="supply", name="Supply", parent_id=None, rating_a=(63.0, 63.0, 63.0), device=C63)

QUIET = (20.0, 10.0, 5.0)
OVER = (82.0, 66.0, 5.0)
"""1.30 and 1.05 times the rating, and far below it: the second counts without using the curve."""
OVER_TRIPS_S = trip_time_s(C63, 82.0)


def showing(load_a: PhaseAmps | None) -> Decision:
    """Return a decision that knows this load of the supply."""
    circuit = CircuitDecision(
        base_load_a=None,
        load_a=load_a,
        ev_load_a=NO_AMPS,
        worst_case_a=NO_AMPS,
        headroom_a=NO_AMPS,
        proof=FallbackProof(amps=NO_AMPS, fallbacks=NO_AMPS, shortfalls=(), declared=True),
        limited=False,
        stale=load_a is None,
        waiting=0,
        charging=0,
    )
    return Decision(limits={}, commands=(), circuits={"supply": circuit}, bounds={}, queue=(), memory=Memory())


class Stage:
    """The exposures of one site with a clock that the test sets."""

    def __init__(self, circuit: CircuitSettings = SUPPLY) -> None:
        self.now = 1000.0
        self.offset = START_WALL - 1000.0
        self.circuit = circuit
        self.notebook = Notebook()
        self.writes = 0
        self.exposures = self.started()

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now + self.offset

    def synchronised(self) -> bool:
        return True

    def started(self) -> Exposures:
        exposures = Exposures(self.notebook.keep_exposure, self)
        exposures.restore(self.notebook.exposures)
        exposures.take_up([self.circuit])
        exposures.look(None)
        return exposures

    def carries(self, load_a: PhaseAmps | None, seconds: int) -> ExposureView:
        """Let the supply carry this for so long; return what is shown then."""
        for _ in range(seconds):
            self.now += 1.0
            self.exposures.look(showing(load_a))
        return self.view

    def restarted(self, away_s: float) -> ExposureView:
        """Stop, and start again in another process, whose monotonic clock began somewhere else."""
        self.exposures.close()
        wall = self.time() + away_s
        self.now = 5.0
        self.offset = wall - self.now
        self.exposures = self.started()
        return self.view

    @property
    def view(self) -> ExposureView:
        view = self.exposures.view("supply")
        assert view is not None
        return view

    @property
    def problems(self) -> list[tuple[ProblemKey, Severity, str]]:
        return [(each.key, each.severity, each.placeholders["share"]) for each in self.exposures.problems()]


# Counting ----------------------------------------------------------------------------------------------------------


def test_what_is_above_the_rating_counts_on_the_worst_phase() -> None:
    stage = Stage()
    stage.carries(QUIET, 60)
    view = stage.carries(OVER, 100)

    assert (view.above_s, view.above_as, view.highest) == (100, 1900, 1.3)
    assert view.share_percent == round(100 / OVER_TRIPS_S * 100)
    assert view.since == pytest.approx(START_WALL + 61)
    assert view.device == "C63"
    assert (view.day_above_s, view.day_above_as, view.day_percent) == (100, 1900, view.share_percent)


def test_a_quiet_supply_has_nothing_to_show() -> None:
    assert Stage().carries(QUIET, 600) == ExposureView(device="C63", share_percent=0)


def test_a_small_excess_counts_and_uses_no_curve() -> None:
    view = Stage().carries((66.0, 66.0, 66.0), 60)
    assert (view.above_s, view.above_as, view.share_percent) == (60, 180, 0)


def test_without_a_device_there_is_no_share() -> None:
    view = Stage(replace(SUPPLY, device=None)).carries(OVER, 60)
    assert (view.device, view.share_percent, view.above_s) == (None, None, 60)


def test_two_hours_later_only_the_day_remembers() -> None:
    stage = Stage()
    share = stage.carries(OVER, 400).share_percent
    view = stage.carries(QUIET, 2 * 3600 + 1)

    assert (view.share_percent, view.above_s, view.above_as, view.highest, view.since) == (0, 0, 0, None, None)
    assert (view.day_above_s, view.day_percent) == (400, share)

    assert stage.carries(QUIET, 22 * 3600) == ExposureView(device="C63", share_percent=0)


def test_a_curve_that_is_used_up_is_full_and_no_more() -> None:
    assert Stage().carries((500.0, 0.0, 0.0), 10).share_percent == 100


# What is not known -------------------------------------------------------------------------------------------------


def test_what_is_not_known_is_said_and_neither_added_nor_forgotten() -> None:
    stage = Stage()
    before = stage.carries(OVER, 400)
    unknown = stage.carries(None, 600)

    assert unknown.share_percent is None
    assert unknown.unknown_s == 600
    assert (unknown.above_s, unknown.above_as) == (before.above_s, before.above_as)
    assert stage.carries(QUIET, 1).share_percent == before.share_percent


def test_after_two_hours_without_knowing_the_old_share_says_nothing_any_more() -> None:
    stage = Stage()
    stage.carries(OVER, 400)
    stage.carries(None, 7200)
    assert stage.carries(QUIET, 1).share_percent == 0


def test_time_that_nobody_looked_at_is_unknown() -> None:
    stage = Stage()
    stage.carries(QUIET, 10)
    stage.now += 120.0
    stage.exposures.look(showing(OVER))
    assert (stage.view.above_s, stage.view.unknown_s) == (0, 120)


# Other settings ----------------------------------------------------------------------------------------------------


def test_another_device_begins_with_its_whole_curve() -> None:
    stage = Stage()
    stage.carries(OVER, 400)
    stage.exposures.take_up([replace(SUPPLY, device=replace(C63, kind=DeviceKind.MCB_B))])
    view = stage.carries(QUIET, 1)
    assert (view.device, view.share_percent, view.day_percent, view.above_s) == ("B63", 0, 0, 400)


def test_other_settings_change_nothing_of_it() -> None:
    stage = Stage()
    before = stage.carries(OVER, 400)
    stage.exposures.take_up([replace(SUPPLY, name="Grid", margin_a=10.0)])
    assert stage.view == before


def test_a_circuit_that_is_gone_is_forgotten() -> None:
    stage = Stage()
    stage.carries(OVER, 60)
    assert "supply" in stage.notebook.exposures
    stage.exposures.take_up([])
    assert stage.exposures.view("supply") is None
    assert stage.notebook.exposures == {}


# Over restarts -----------------------------------------------------------------------------------------------------


def test_a_restart_forgets_nothing_and_counts_as_unknown() -> None:
    stage = Stage()
    before = stage.carries(OVER, 400)
    stage.restarted(120.0)
    view = stage.carries(QUIET, 1)
    assert view == replace(before, unknown_s=120)


def test_a_kill_loses_no_more_than_seconds() -> None:
    stage = Stage()
    stage.carries(OVER, 400)
    (kept,) = stage.notebook.exposures.values()
    assert kept.used[0] == pytest.approx(400 / OVER_TRIPS_S, abs=11 / OVER_TRIPS_S)


def test_after_a_night_away_the_day_is_remembered_and_the_share_is_not() -> None:
    stage = Stage()
    share = stage.carries(OVER, 400).share_percent
    stage.restarted(8 * 3600.0)
    view = stage.carries(QUIET, 1)
    assert (view.share_percent, view.above_s, view.day_percent, view.unknown_s) == (0, 0, share, 7200)


def test_a_clock_that_was_set_back_meanwhile_breaks_nothing() -> None:
    stage = Stage()
    before = stage.carries(OVER, 400)
    stage.restarted(-3600.0)
    assert stage.carries(QUIET, 1) == before


def test_a_device_that_was_exchanged_meanwhile_begins_with_its_whole_curve() -> None:
    stage = Stage()
    stage.carries(OVER, 400)
    stage.circuit = replace(SUPPLY, device=GG100)
    stage.restarted(60.0)
    assert stage.carries(QUIET, 1).share_percent == 0


def test_a_quiet_supply_is_never_written_down() -> None:
    stage = Stage()
    stage.carries(QUIET, 3600)
    stage.exposures.close()
    assert stage.notebook.exposures == {}


def test_writing_is_bounded_while_it_counts() -> None:
    stage = Stage()
    written: list[str] = []
    stage.exposures = Exposures(lambda circuit_id, _kept: written.append(circuit_id), stage)
    stage.exposures.take_up([SUPPLY])
    stage.exposures.look(None)
    stage.carries(OVER, 600)
    assert 50 <= len(written) <= 61


# What a person is told -----------------------------------------------------------------------------------------------


def test_half_of_the_curve_is_a_problem_for_a_day() -> None:
    stage = Stage()
    stage.carries(OVER, round(0.4 * OVER_TRIPS_S))
    assert stage.problems == []

    stage.carries(OVER, round(0.13 * OVER_TRIPS_S))
    assert stage.problems == [(ProblemKey.OVERLOAD_EXPOSURE, Severity.WARNING, "50")]

    stage.carries(QUIET, 7200)
    assert stage.problems == [(ProblemKey.OVERLOAD_EXPOSURE, Severity.WARNING, "50")], "a day, not two hours"

    stage.carries(QUIET, 22 * 3600)
    assert stage.problems == []


def test_a_whole_curve_is_an_error() -> None:
    stage = Stage()
    stage.carries((500.0, 0.0, 0.0), 2)
    assert stage.problems == [(ProblemKey.OVERLOAD_EXPOSURE, Severity.ERROR, "100")]


@pytest.mark.parametrize(
    ("device", "text"),
    [
        (C63, "C63"),
        (GG100, "gG 100"),
        (ProtectiveDevice(kind=DeviceKind.MCCB, rated_a=160.5), "MCCB 160.5"),
    ],
)
def test_a_device_is_called_as_it_is_printed(device: ProtectiveDevice, text: str) -> None:
    assert device_text(device) == text


# A whole site ------------------------------------------------------------------------------------------------------


def play(physical: PhysicalSite, story: Callable[[PhysicalSite], Awaitable[None]]) -> None:
    async def whole() -> None:
        await physical.start()
        await story(physical)
        await physical.site.stop()

    run_virtually(whole(), physical.loop)


def supplied(loop: VirtualLoop, cars: int) -> PhysicalSite:
    """Return a site of 100 A behind a gG fuse."""
    site = a_site(loop, cars)
    supply, *others = site.settings.circuits
    site.settings = replace(site.settings, circuits=(replace(supply, device=GG100), *others))
    site.site = site._site()
    return site


def test_a_site_tells_what_its_supply_truly_carried() -> None:
    async def story(site: PhysicalSite) -> None:
        await site.run(5)
        for index in range(8):
            site.plug(f"P{index + 1}", maximum_a=32.0)
        await site.run(240)
        site.truth.set_base_load("supply", (55.0, 55.0, 55.0))
        await site.run(120)

        account = site.truth.accounts["supply"].phases[0]
        exposure = site.site.circuits["supply"].exposure
        assert exposure is not None
        assert account.above_s > 0
        assert exposure.above_s == pytest.approx(account.above_s, abs=2.0)
        assert exposure.above_as == pytest.approx(account.above_as, rel=0.1)
        assert exposure.share_percent is not None
        assert exposure.share_percent <= 5
        assert not [each for each in site.site.problems() if each.key is ProblemKey.OVERLOAD_EXPOSURE]

        await site.restart(10.0)
        await site.run(5)
        after = site.site.circuits["supply"].exposure
        assert after is not None
        assert (after.above_s, after.above_as) == (exposure.above_s, exposure.above_as)

    play(supplied(VirtualLoop(), 8), story)


def test_a_site_whose_meter_is_dead_says_that_it_does_not_know() -> None:
    async def story(site: PhysicalSite) -> None:
        await site.run(30)
        exposure = site.site.circuits["supply"].exposure
        assert exposure is not None
        assert exposure.share_percent == 0

        site.meters["supply"].silent = True
        await site.run(120)
        exposure = site.site.circuits["supply"].exposure
        assert exposure is not None
        assert exposure.share_percent is None
        assert exposure.unknown_s >= 60

    play(supplied(VirtualLoop(), 1), story)
