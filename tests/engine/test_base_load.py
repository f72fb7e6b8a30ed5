"""The base load behind reductions that are under way: what is proved, who is asked, and what is assumed in the end."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest

from custom_components.charge_cluster.engine import guard
from custom_components.charge_cluster.engine.base_load import BaseLoad, BaseMemory, follow
from custom_components.charge_cluster.engine.guard import CAR_SETTLING_S, CLOCK_SLACK_S, DrawBound
from custom_components.charge_cluster.engine.model import MeterReading, MeterScope

from .sites import a_connector, all_phases

CONNECTORS = {key: a_connector(key) for key in ("a", "b", "steady")}
AT_A = 16.0
LESS_A = 12.0
RATING_A = 80.0
BASE_A = 30.0
ORDERED_AT = 21.0
JUMPED_A = 38.0
TOO_MUCH_A = 86.0


@dataclass(kw_only=True)
class Scene:
    """Three cars at 16 A each below a meter, measured a second ago; a jump takes from two of them."""

    bounds: dict[str, DrawBound] = field(default_factory=dict)
    memory: BaseMemory = field(default_factory=BaseMemory)
    scope: MeterScope = MeterScope.EVERYTHING

    def __post_init__(self) -> None:
        for key, connector in CONNECTORS.items():
            bound = guard.went_online(guard.unknown_bound(connector), connector, -60.0)
            bound = guard.idle(guard.fallback_stored(bound, 0.0, idle=True, now=-60.0), -60.0)
            self.bounds[key] = guard.accepted(guard.sent(bound, AT_A, -60.0), AT_A, -60.0, 500.0)
        for at in (10.0, 20.0):
            for key in CONNECTORS:
                self.drew(key, AT_A, at)
            self.shown(BASE_A + 3 * AT_A, at)

    def drew(self, key: str, amps: float, at: float) -> None:
        """Let a connector be measured."""
        self.bounds[key] = guard.measured(self.bounds[key], CONNECTORS[key], all_phases(amps), at, at)

    def told(self, key: str, amps: float, at: float) -> None:
        """Order a limit, which is accepted at once."""
        bound = guard.sent(self.bounds[key], amps, at)
        self.bounds[key] = guard.accepted(bound, amps, at, 500.0)

    def shown(self, amps: float, at: float, now: float | None = None, total_a: float = math.inf) -> BaseLoad:
        """Let the meter show a current, and return what a pass makes of it."""
        reading = MeterReading(
            circuit_id="supply", amps=all_phases(amps), measured_at=at, timeout_s=10.0, scope=self.scope
        )
        below = [(CONNECTORS[key], bound) for key, bound in self.bounds.items()]
        now = at if now is None else now
        self.memory, load = follow(self.memory, reading, below, now, all_phases(RATING_A), total_a=total_a)
        return load

    def jumps(self) -> None:
        """Let the base load jump, and two be told less."""
        assert self.shown(JUMPED_A + 3 * AT_A, ORDERED_AT).believed == all_phases(JUMPED_A)
        for key in ("a", "b"):
            self.told(key, LESS_A, ORDERED_AT)


def test_who_was_told_less_is_asked_while_the_meter_shows_an_overload() -> None:
    scene = Scene()
    assert scene.shown(TOO_MUCH_A, 20.5).asked == ()
    scene.jumps()
    assert scene.shown(TOO_MUCH_A, 23.0).asked == ("a", "b")
    assert scene.shown(RATING_A, 24.0).asked == ()


def test_an_overload_of_all_phases_together_is_one() -> None:
    scene = Scene()
    scene.jumps()
    assert scene.shown(RATING_A - 2.0, 23.0, total_a=3 * RATING_A).asked == ()
    assert scene.shown(RATING_A - 2.0, 24.0, total_a=3 * RATING_A - 7.0).asked == ("a", "b")


def test_only_one_whose_draw_is_not_known_is_asked() -> None:
    scene = Scene()
    scene.jumps()
    scene.drew("a", LESS_A, 23.5)
    # By how much the clocks of charger and meter differ is not known: it has to be seen a second time.
    assert scene.shown(TOO_MUCH_A, 24.0).asked == ("a", "b")
    scene.drew("a", LESS_A, 24.1)
    assert scene.shown(TOO_MUCH_A, 24.0).asked == ("b",)
    assert scene.shown(TOO_MUCH_A, 28.0).asked == ("b",)
    # Nor is one that has reported since the meter showed it.
    scene.drew("b", AT_A, 28.1)
    assert scene.shown(TOO_MUCH_A, 28.0).asked == ()


@pytest.mark.parametrize("what", ["before the order", "in flight", "away"])
def test_nobody_is_asked_in_vain(what: str) -> None:
    scene = Scene()
    scene.jumps()
    at = 23.0
    match what:
        case "before the order":
            at = ORDERED_AT - 0.5
        case "in flight":
            scene.bounds = {key: guard.sent(bound, 8.0, 22.0) for key, bound in scene.bounds.items()}
        case _:
            scene.bounds = {key: guard.went_offline(bound, 22.0) for key, bound in scene.bounds.items()}
    assert scene.shown(TOO_MUCH_A, at, now=23.0).asked == ()


def test_a_meter_that_sees_no_vehicles_needs_no_measurement_of_theirs() -> None:
    scene = Scene(scope=MeterScope.ALL_BUT_EVS)
    for key in CONNECTORS:
        scene.told(key, LESS_A, ORDERED_AT)
    assert scene.shown(RATING_A + 10.0, 23.0).asked == ()


@pytest.mark.parametrize("overload", [True, False])
def test_a_jump_behind_a_reduction_is_proved_by_what_those_drew_that_were_told_less(overload: bool) -> None:
    scene = Scene()
    scene.jumps()
    # Car a has come down, and the base load has risen by a little more than that.
    for key, amps in (("a", LESS_A), ("b", AT_A)):
        scene.drew(key, amps, 24.2)
    base_a = 42.0
    assert scene.shown(base_a + LESS_A + 2 * AT_A, 25.0).believed == all_phases(JUMPED_A)
    # Both say so again. Before the next pass car b comes down, which hides as much of the jump.
    for key, amps in (("a", LESS_A), ("b", AT_A)):
        scene.drew(key, amps, 25.8)
    newest_a = base_a + 2 * LESS_A + AT_A if overload else RATING_A
    load = scene.shown(newest_a, 26.0)
    # The third has not been measured for long. Where nothing is above the rating it is waited for.
    assert load.believed == all_phases(base_a if overload else JUMPED_A)


def test_who_never_says_has_followed_when_a_car_must_have() -> None:
    scene = Scene()
    scene.jumps()
    base_a = 46.0
    followed_at = ORDERED_AT + CAR_SETTLING_S + CLOCK_SLACK_S
    for second in range(22, int(followed_at) + 2):
        if second == ORDERED_AT + 9.0:
            # An order to somebody else gives nobody more time.
            scene.told("steady", AT_A - 1.0, float(second))
        # No meter shows the same for long.
        load = scene.shown(base_a + 2 * LESS_A + AT_A + 0.1 * (second % 3), float(second))
        assert load.believed[0] == pytest.approx(JUMPED_A if second <= followed_at else base_a, abs=1.3)


def test_the_belief_of_a_jump_goes_on_when_cars_report_one_after_the_other_how_they_followed() -> None:
    scene = Scene()
    scene.jumps()
    scene.shown(JUMPED_A + LESS_A + 2 * AT_A, 25.0)
    scene.drew("a", LESS_A, 28.0)
    scene.shown(JUMPED_A + LESS_A + 2 * AT_A, 29.0)
    scene.drew("b", LESS_A, 29.5)
    scene.drew("steady", AT_A, 29.6)
    # Each may have come down before the meter was read or after it: what lies between is no second jump.
    load = scene.shown(JUMPED_A + LESS_A + 2 * AT_A, 29.0, now=29.7)
    assert load.believed == scene.memory.settled == all_phases(JUMPED_A)


@pytest.mark.parametrize("steps", [True, False])
def test_a_meter_that_repeats_itself_is_caught_by_the_step_of_one_while_the_others_stand_still(steps: bool) -> None:
    scene = Scene()
    for second in range(21, 61):
        if steps and second == 31:
            scene.told("a", LESS_A, float(second))
        if second % 10 == 0:
            scene.drew("a", LESS_A if steps and second > 31 else AT_A, float(second))
            scene.drew("b", AT_A, float(second))
            scene.drew("steady", AT_A, float(second))
        scene.shown(BASE_A + 3 * AT_A, float(second))
    assert scene.memory.stuck is steps
