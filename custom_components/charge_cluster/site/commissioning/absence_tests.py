"""What a charge point does while nobody talks to it: after its connection is lost, and after its power was cut.

Until the answer is known it counts at its hardware maximum, so that even the worst answer exceeds no ceiling: others
give way before anybody pulls a plug. What it then draws is read from the nearest meter above that shows its vehicle,
or, without one, from its own register after it has come back.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...engine.model import NOMINAL_VOLTAGE_V, PHASES, MeterScope, PhaseAmps
from ..dispatch import EXPIRY_SLACK_S
from . import analysis
from .analysis import Level
from .charge_point_tests import Figures, Outcome
from .findings import Verdict
from .trial import CHARGES_FROM_A, LEAST_SPREAD_A, LEVEL_WITHIN_S, STEP_S, NoProof, Stair, Trial

ROOM_WITHIN_S = 180.0
"""Others have come down by then to make room for its hardware maximum, or there is none."""

FOLLOWS_WITHIN_S = 20.0
"""A vehicle has followed a fallback so long after it came into force."""

ALONE_S = 90.0
"""So long it is watched after its power is back, before anybody talks to it."""

SHUT_AT_MOST_S = 900.0
"""The door opens by itself after this, whatever happens."""

BACK_WITHIN_S = 300.0
TELLS_WITHIN_S = 20.0
"""What happened to its transactions meanwhile it tells so soon after it has come back."""

TOLERANCE_A = 1.0
TOLERANCE_SHARE = 0.1
"""What is drawn is the fallback when it is no more than the larger of the two above it."""

LEAST_ALONE_S = 30.0
"""A register says nothing of a shorter time."""

READ_AGAIN_S = 60.0
"""Registers are read at least so often."""

AGREES_WITHIN = 0.25
"""The meter shows a known step when it is off by no more than this share."""

DRAWS_SHARE = 0.7
"""A vehicle that is offered its fallback is seen to draw at least this share of it."""

RESTS_S = 15.0
"""It is left at what it draws for so long, so that the level before is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Before:
    """What flowed before the vehicle was left alone."""

    drawn_a: float
    terminals: tuple[int, ...]
    meter_id: str | None
    level: Level | None
    phases: tuple[int, ...]
    """Of the supply, that the vehicle draws on."""
    register: tuple[float, float] | None


async def connection_loss(trial: Trial, *, simulate: bool) -> Outcome:
    """Find what it falls back to, and when, after its connection is lost."""
    fallback = trial.point.fallback_a
    validity = trial.bench.settings.validity_s
    before = await _ready(trial, fallback)
    if simulate:
        _shut(trial, validity + SHUT_AT_MOST_S)
        trial.tell("holding_door", None)
        await trial.until(lambda: not trial.view.online, STEP_S)
    else:
        await trial.ask("pull_network", lambda: not trial.view.online)
        if not await trial.until(lambda: not trial.view.online, STEP_S):
            raise NoProof("not_confirmed")
    told = trial.witness.limits[-1].at if trial.witness.limits else trial.now
    left_at = trial.now
    trial.tell("watching", None)
    due = told + validity + EXPIRY_SLACK_S + FOLLOWS_WITHIN_S

    def over() -> bool:
        return trial.now >= due + (0.0 if before.meter_id is not None else READ_AGAIN_S)

    await trial.until(over, due - trial.now + 2 * READ_AGAIN_S)
    watched_until = trial.now
    found, after = _on_meter_after(trial, before, told, watched_until)
    if simulate:
        _shut(trial, 0.0)
    else:
        await _restored(trial, "restore_network")
    back = await _back(trial)
    source = "meter"
    if found is None:
        if not back:
            raise NoProof("offline")
        # Until the validity had run out, it drew what it was told.
        ran_out = told + validity + EXPIRY_SLACK_S
        found = await _by_register(trial, before, drew_until=ran_out, alone_from=ran_out)
        source = "register"
    figures: Figures = {
        "fallback_a": round(found, 1),
        "configured_a": fallback,
        "after_s": None if after is None else round(after, 1),
        "validity_s": validity,
        "away_s": round(watched_until - left_at, 1),
        "source": source,
    }
    return _judged(found, fallback, figures)


async def power_cycle(trial: Trial) -> Outcome:
    """Find what it draws after its power was cut and restored while nobody talks to it."""
    fallback = trial.point.fallback_a
    before = await _ready(trial, fallback)
    cut_at, nothing = await _cut(trial, before)
    on_at = await _restore(trial, before, nothing)
    trial.tell("watching", None)
    await trial.until(lambda: trial.now >= on_at + ALONE_S, ALONE_S + 5.0)
    alone_s = trial.now - on_at
    found = _highest_since(trial, before, nothing, cut_at)
    _shut(trial, 0.0)
    back = await _back(trial)
    source = "meter"
    if found is None:
        if not back:
            raise NoProof("offline")
        found = await _by_register(trial, before, drew_until=cut_at, alone_from=on_at)
        source = "register"
    figures: Figures = {
        "fallback_a": round(found, 1),
        "configured_a": fallback,
        "dark_s": round(on_at - cut_at, 1),
        "alone_s": round(alone_s, 1),
        "source": source,
        "returned": "yes" if back else "no",
    }
    outcome = _judged(found, fallback, figures)
    if outcome.verdict is not Verdict.PASSED:
        return outcome
    idle = fallback >= CHARGES_FROM_A and found < DRAWS_SHARE * fallback
    if idle or not await _began(trial, back_at=trial.clock.time()):
        # It drew less than it may, because it did not begin by itself: what it would begin with is not proved.
        raise NoProof("did_not_start", **figures)
    return outcome


async def _began(trial: Trial, *, back_at: float) -> bool:
    """Return whether a transaction ran while it was alone: the one before goes on, or one began before it came back."""
    since = trial.now
    await trial.until(lambda: trial.now >= since + TELLS_WITHIN_S, TELLS_WITHIN_S + 1.0)
    started_at = trial.witness.started_at
    if started_at is not None:
        return started_at < back_at
    return trial.witness.stopped_at is None


async def _cut(trial: Trial, before: _Before) -> tuple[float, PhaseAmps | None]:
    """Have the power cut; return when that was, and what the meter shows without the vehicle. Raises NoProof."""
    await trial.ask("cut_power", lambda: not trial.view.online or _dropped(trial, before))
    _shut(trial, SHUT_AT_MOST_S)
    trial.tell("holding_door", None)
    if before.meter_id is None:
        await trial.until(lambda: not trial.view.online, STEP_S)
        return trial.now, None
    if not await trial.until(lambda: _dropped(trial, before), STEP_S):
        raise NoProof("noisy")
    cut_at, window = trial.now, trial.window_s(before.meter_id)
    await trial.until(lambda: trial.now >= cut_at + window, window + 5.0)
    return cut_at, trial.meter_level(before.meter_id, trial.now)


async def _restore(trial: Trial, before: _Before, nothing: PhaseAmps | None) -> float:
    """Have the power restored; return when that was seen. Raises NoProof."""
    knocks = _knocks(trial)
    await trial.ask("restore_power", lambda: _knocks(trial) > knocks or _rose(trial, before, nothing))
    return trial.now


def _highest_since(trial: Trial, before: _Before, nothing: PhaseAmps | None, since: float) -> float | None:
    """Return the most that the meter showed for a while; None: there is none. Raises NoProof."""
    if before.meter_id is None or nothing is None:
        return None
    window = trial.window_s(before.meter_id)
    samples = trial.witness.meter_samples(before.meter_id)
    # While the vehicle came down for the cut it is still seen; that is over one window later.
    highest = analysis.highest_lasting(samples, before.phases, since=since + window, until=trial.now, window_s=window)
    if highest is None:
        return None
    _check_noise(before, highest)
    return max(0.0, analysis.mean_on(analysis.difference(highest.amps, nothing), before.phases))


def _judged(found: float, fallback: float, figures: Figures) -> Outcome:
    held = found <= fallback + max(TOLERANCE_A, TOLERANCE_SHARE * fallback)
    return Outcome(verdict=Verdict.PASSED if held else Verdict.FAILED, figures=figures)


# Before -------------------------------------------------------------------------------------------------------------


async def _ready(trial: Trial, fallback: float) -> _Before:
    """Bring the vehicle to draw well away from the fallback, with room for the worst it may do. Raises NoProof.

    On the way there one step is taken that the meter must show in its right size: one that is blind or the wrong way
    round would tell of a fallback that never was.
    """
    low, high = trial.connector.minimum_a, trial.highest_a
    amps, other = (high, low) if high - fallback >= fallback - low or fallback <= low else (low, high)
    if min(abs(amps - fallback), high - low) < LEAST_SPREAD_A:
        raise NoProof("step_too_small")
    if not trial.view.online:
        raise NoProof("offline")
    trial.tell("making_room", None)
    trial.doubt_fallback(cap_a=other)
    await trial.until(lambda: _room(trial), ROOM_WITHIN_S)
    await trial.charging(other)
    await _settled(trial)
    stair = await trial.move(amps)
    await _settled(trial)
    own = trial.own_level(trial.now, trial.now - LEVEL_WITHIN_S)
    drawn = trial.view.limit_a if own is None else max(own)
    used = analysis.terminals_in_use([own]) if own is not None else ()
    if abs(drawn - fallback) < CHARGES_FROM_A:
        raise NoProof("step_too_small")
    phases = _supply_phases(trial, used)
    meter_id = next((m.meter_id for m in trial.meters() if m.scope is not MeterScope.ALL_BUT_EVS), None)
    level = None
    if meter_id is not None:
        window = trial.window_s(meter_id)
        level = analysis.level(trial.witness.meter_samples(meter_id), trial.now - window, trial.now)
        _check_meter(trial, meter_id, stair, phases, drawn)
    register = trial.witness.registers[-1] if trial.witness.registers else None
    if level is None and register is None:
        raise NoProof("no_meter")
    return _Before(
        drawn_a=drawn,
        terminals=used,
        meter_id=None if level is None else meter_id,
        level=level,
        phases=phases,
        register=register,
    )


async def _settled(trial: Trial) -> None:
    """Wait until what it draws has been the same for a while, with room for the worst. Raises NoProof."""
    trial.tell("making_room", None)
    since = trial.now
    if not await trial.until(lambda: _room(trial) and _rests(trial, since), ROOM_WITHIN_S):
        raise NoProof("noisy" if _room(trial) else "no_headroom")


def _check_meter(trial: Trial, meter_id: str, stair: Stair, phases: tuple[int, ...], drawn_a: float) -> None:
    """Raise NoProof where the meter did not show the step before in its right size."""
    before, after = trial.meter_level(meter_id, stair.at), trial.meter_level(meter_id, trial.now)
    own = trial.own_level(stair.at + 1.0, stair.at - LEVEL_WITHIN_S)
    if before is None or after is None:
        raise NoProof("meter_disagrees")
    step = drawn_a - (stair.before_a if own is None else max(own))
    shown = analysis.mean_on(analysis.difference(after, before), phases)
    if abs(shown - step) > AGREES_WITHIN * abs(step):
        raise NoProof("meter_disagrees")


def _room(trial: Trial) -> bool:
    """Return whether every circuit above carries the worst case, in which it counts at its hardware maximum."""
    ratings = {circuit.circuit_id: circuit.rating_a for circuit in trial.bench.settings.circuits}
    if trial.view.worst_case_a < trial.connector.maximum_a - 0.01:
        return False
    for circuit_id in trial.path():
        view = trial.bench.circuits.get(circuit_id)
        if view is None:
            return False
        if any(view.worst_case_a[phase] > ratings[circuit_id][phase] + 0.05 for phase in PHASES):
            return False
    return True


def _rests(trial: Trial, since: float) -> bool:
    """Return whether what it draws has been the same for a while."""
    trial.check_plugged()
    if not trial.measures:
        return trial.now >= since + 2 * RESTS_S
    rested = [max(amps) for at, amps in trial.witness.draws if at >= since + RESTS_S]
    return (
        len(rested) >= analysis.A_PAIR
        and max(rested[-2:]) - min(rested[-2:]) <= analysis.REACHED_A
        and rested[-1] >= CHARGES_FROM_A
    )


def _supply_phases(trial: Trial, used: tuple[int, ...]) -> tuple[int, ...]:
    rotation = trial.connector.rotation
    if rotation is None or not used:
        return PHASES if rotation is None else rotation
    return tuple(rotation[terminal] for terminal in used if terminal < len(rotation)) or rotation


# Meanwhile ----------------------------------------------------------------------------------------------------------


def _dropped(trial: Trial, before: _Before) -> bool:
    """Return whether the meter shows that nothing of the vehicle flows any more."""
    if before.meter_id is None or before.level is None:
        return False
    recent = trial.meter_level(before.meter_id, trial.now)
    return recent is not None and (
        analysis.mean_on(analysis.difference(before.level.amps, recent), before.phases) >= 0.7 * before.drawn_a
    )


def _rose(trial: Trial, before: _Before, nothing: PhaseAmps | None) -> bool:
    if before.meter_id is None or nothing is None:
        return False
    recent = trial.meter_level(before.meter_id, trial.now)
    risen = 0.0 if recent is None else analysis.mean_on(analysis.difference(recent, nothing), before.phases)
    return risen >= CHARGES_FROM_A


def _knocks(trial: Trial) -> int:
    return 0 if trial.shutter is None else trial.shutter.knocks(trial.point)


def _shut(trial: Trial, for_s: float) -> None:
    if trial.shutter is None:
        raise NoProof("door_not_possible")
    trial.shutter.shut_door(trial.point, for_s)


async def _restored(trial: Trial, request: str) -> None:
    """Ask for what was taken away; whoever does not answer has found out all the same."""
    try:
        await trial.ask(request, lambda: trial.view.online)
    except NoProof:
        return


async def _back(trial: Trial) -> bool:
    trial.tell("waiting_for_return", None)
    return await trial.until(lambda: trial.view.online, BACK_WITHIN_S)


# After --------------------------------------------------------------------------------------------------------------


def _on_meter_after(trial: Trial, before: _Before, told: float, until: float) -> tuple[float | None, float | None]:
    """Return what it drew at the end, and how long after it was last told something the meter showed that."""
    if before.meter_id is None or before.level is None:
        return None, None
    samples = trial.witness.meter_samples(before.meter_id)
    window = trial.window_s(before.meter_id)
    after = analysis.level(samples, until - window, until)
    if after is None:
        return None, None
    _check_noise(before, after)
    step = analysis.difference(after.amps, before.level.amps)
    found = max(0.0, before.drawn_a + analysis.mean_on(step, before.phases))
    if abs(found - before.drawn_a) < CHARGES_FROM_A / 2.0:
        return found, None
    stamped = [(at, at, amps) for at, amps in samples]
    shown = analysis.first_shown(stamped, since=told, before=before.level.amps, step=step)
    return found, None if shown is None else shown - told


def _check_noise(before: _Before, after: Level) -> None:
    """Refuse to read a meter whose building moves as much as the vehicle, or moved on phases without the vehicle."""
    if before.level is None:
        return
    noise = max(*before.level.spread, *after.spread)
    elsewhere = [phase for phase in PHASES if phase not in before.phases]
    strayed = max((abs(after.amps[phase] - before.level.amps[phase]) for phase in elsewhere), default=0.0)
    steps = [after.amps[phase] - before.level.amps[phase] for phase in before.phases]
    uneven = max(steps) - min(steps)
    if max(noise, strayed, uneven) > before.drawn_a / 4.0:
        raise NoProof("noisy")


async def _by_register(trial: Trial, before: _Before, *, drew_until: float, alone_from: float) -> float:
    """Return the mean current of the time alone by the connector's own register. Raises NoProof.

    Up to `drew_until` it drew what it had drawn before, from `alone_from` on what is looked for.
    """
    if before.register is None or not before.terminals:
        raise NoProof("no_meter")
    since = trial.now
    if not await trial.until(lambda: _register_since(trial, since) is not None, READ_AGAIN_S):
        raise NoProof("not_measured")
    newest = _register_since(trial, since)
    if newest is None:
        raise NoProof("not_measured")
    volts, terminals = NOMINAL_VOLTAGE_V, len(before.terminals)
    known_s = max(0.0, drew_until - before.register[0])
    known_wh = before.drawn_a * known_s * terminals * volts / 3600.0
    alone_s = newest[0] - max(alone_from, before.register[0])
    if alone_s < LEAST_ALONE_S:
        raise NoProof("timed_out")
    rest_wh = newest[1] - before.register[1] - known_wh
    return max(0.0, analysis.energy_amps(rest_wh, seconds=alone_s, terminals=terminals, volts=volts))


def _register_since(trial: Trial, since: float) -> tuple[float, float] | None:
    return next((reading for reading in trial.witness.registers if reading[0] >= since), None)
