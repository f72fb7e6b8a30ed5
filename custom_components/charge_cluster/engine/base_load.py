"""The base load of one circuit over time: what its meter says, minus what our vehicles can have drawn.

The newest sample gives a bound that is wide, because the chargers have not reported since. A sample from before every
charger's last report gives one that is tight. Both are used: the tight one sets the belief, the newest one moves it
when it proves a jump, and its upper bound alone is what increases rest on.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from .guard import CAR_SETTLING_S, HISTORY_S, DrawBound, comes_down, drawn_at, most_at, told_at_most_a
from .model import NO_AMPS, PHASES, Connector, MeterReading, MeterScope, PhaseAmps, plus

JUMP_A = 2.0
"""A base load that is provably higher than believed by more than this has jumped; less is noise, and the margin of at
least 2 A covers what it may hide."""

PEAK_HOLD_S = 20.0
"""A lower base load is believed in shares only after this long, so that noise does not move everybody's limit."""

KNOWN_STEP_A = 3.0
"""A step of our own vehicles that a live meter must show (promise 4)."""

READINGS_KEPT = 240

UNANSWERED_S = CAR_SETTLING_S
"""A meter that shows more than the rating for this long, while nobody was told anything, is believed at once."""

NO_RATING_A: PhaseAmps = (math.inf, math.inf, math.inf)

ANSWERED_WITHIN_S = 5.0
"""Who was asked for a measurement has sent it within this time, or is not waited for."""

LOOKED_AT = 2
"""So many readings are looked at again: who came down between two measurements hides least in one soon after the first.
"""
LOOKED_BACK_AT = 10
"""They are sought among so many of the newest readings."""

SILENT_AFTER_S = 60.0
"""Who has not reported for so long no longer holds up the belief."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseMemory:
    """What is remembered of a circuit's meter and base load from pass to pass."""

    readings: tuple[MeterReading, ...] = ()
    settled: PhaseAmps | None = None
    settled_at: float = float("-inf")
    reached: PhaseAmps | None = None
    """What the base load provably was, at least, at the settled reading."""
    narrow: PhaseAmps | None = None
    """Its upper end at the newest settled reading that left next to no doubt."""
    narrow_at: float = float("-inf")
    jumped: PhaseAmps | None = None
    """The belief since a jump was proved that `settled` does not know of yet."""
    jumped_at: float = float("-inf")
    peaks: tuple[tuple[int, PhaseAmps], ...] = ()
    """What the base load provably reached in each of the last seconds."""
    stuck: bool = False
    """Whether the meter was caught repeating itself; it is believed again when it shows another value."""


@dataclass(frozen=True, slots=True)
class BaseLoad:
    """The base load to work with; never below zero, because export below a meter gives no credit to a ceiling."""

    believed: PhaseAmps
    """For shares: the believed base load, falling only after it stayed lower for a while."""
    upper: PhaseAmps
    """For increases: a proved upper bound at the newest sample."""
    least: PhaseAmps
    """A proved lower bound at the newest sample; below zero where it feeds in."""
    asked: tuple[str, ...] = ()
    """Connectors that should be measured now: the meter shows an overload that may be theirs, or a jump."""


@dataclass(frozen=True, slots=True)
class BaseInterval:
    """Bounds of a circuit's base load at a meter's timestamp."""

    least: PhaseAmps
    most: PhaseAmps


def base_interval(reading: MeterReading, below: Iterable[tuple[Connector, DrawBound]]) -> BaseInterval:
    """Return the base load at the meter's own timestamp: the reading minus what the vehicles can then have drawn."""
    gross = reading.amps if reading.hidden_a is NO_AMPS else plus(reading.amps, reading.hidden_a)
    if reading.scope is MeterScope.ALL_BUT_EVS:
        return BaseInterval(gross, gross)
    at = reading.measured_at
    (low1, low2, low3), (high1, high2, high3) = gross, gross
    for connector, bound in below:
        if bound.held_a <= 0.0 and not bound.draws:
            continue
        (l1, l2, l3), (m1, m2, m3) = drawn_at(bound, connector, at)
        high1 -= l1
        high2 -= l2
        high3 -= l3
        low1 -= m1
        low2 -= m2
        low3 -= m3
    return BaseInterval((low1, low2, low3), (high1, high2, high3))


def follow_base(believed: PhaseAmps | None, seen: BaseInterval) -> PhaseAmps:
    """Return the base load to budget with, after an interval was seen.

    The upper bound is inflated while a car follows a new limit and has not been measured again. Cutting everybody for
    that would make a limit cycle under constant load. So the belief stays while the interval allows it and moves to
    the upper bound as soon as a jump is *proved* (the lower bound is above the belief). As long as what is committed to
    vehicles and the belief fit below the ceiling, a meter that reads more than the ceiling is such a proof. A lower
    upper bound is taken at once. Increases never rest on the belief, but on the upper bound itself.
    """
    if believed is None:
        return seen.most
    result = [0.0, 0.0, 0.0]
    for phase in PHASES:
        low, high, belief = seen.least[phase], seen.most[phase], believed[phase]
        if high < belief or low > belief + JUMP_A:
            result[phase] = high
        else:
            result[phase] = max(belief, low)
    return (result[0], result[1], result[2])


def follow(
    memory: BaseMemory,
    reading: MeterReading,
    below: Sequence[tuple[Connector, DrawBound]],
    now: float,
    rating_a: PhaseAmps = NO_RATING_A,
    *,
    total_a: float = math.inf,
) -> tuple[BaseMemory, BaseLoad]:
    """Return what to remember and the base load at a pass, given the connectors with a vehicle below the meter.

    What may flow at most (`rating_a`, the sum of the phases `total_a`) says when the meter shows an overload.
    """
    if memory.stuck and reading.amps != memory.readings[-1].amps:
        memory = BaseMemory()  # what it said before was not the base load
    memory = _settle(replace(memory, readings=_remember(memory.readings, reading, now)), below)
    if not memory.stuck and _repeats_itself(memory, below):
        memory = replace(memory, stuck=True)
    seen = _not_below(_proved(memory, now), base_interval(reading, below))
    overload = _is_overload(reading, rating_a, total_a)
    unsettled = [pair for pair in below if comes_down(pair[1], now)] if overload else []
    memory, believed = _believe(memory, seen, reading.measured_at)
    if unsettled and memory.jumped_at < reading.measured_at:  # it does not prove a jump by itself
        memory, believed = _look_back(memory, believed, unsettled, below, now)
        memory, believed = _if_obeyed(memory, believed, seen, reading.measured_at, unsettled)
    if memory.jumped is not None:
        believed = plus(believed, _hidden_by_silence(below, memory.jumped_at))
    if _unanswered_overload(memory, below, rating_a, now):
        high = seen.most
        believed = (max(believed[0], high[0]), max(believed[1], high[1]), max(believed[2], high[2]))
    if memory.settled is None:
        memory = replace(memory, settled=believed, settled_at=reading.measured_at)
    peaks = _remember_peak(memory.peaks, seen.least if memory.reached is None else memory.reached, now)
    held = believed
    for _, peak in peaks:
        held = (max(held[0], peak[0]), max(held[1], peak[1]), max(held[2], peak[2]))
    high = seen.most
    return replace(memory, peaks=peaks), BaseLoad(
        (max(held[0], 0.0), max(held[1], 0.0), max(held[2], 0.0)),
        (max(high[0], 0.0), max(high[1], 0.0), max(high[2], 0.0)),
        seen.least,
        _asked(reading, unsettled),
    )


def _proved(memory: BaseMemory, now: float) -> PhaseAmps | None:
    """Return what the base load was when all was last known of the vehicles; at least, where that is long ago.

    The settled belief is no such floor: it is an upper end, and while vehicles come down it holds their current too.
    """
    return memory.narrow if memory.narrow is not None and now - memory.narrow_at <= HISTORY_S else memory.reached


def _not_below(proved: PhaseAmps | None, seen: BaseInterval) -> BaseInterval:
    """Return an interval of the newest reading whose upper end is not below what was proved before.

    A vehicle that stopped by itself since its charger last reported looks like a base load that fell. It may go on at
    any moment, and what rose on its current meanwhile would come on top. The report tells the two apart.
    """
    if proved is None:
        return seen
    (p1, p2, p3), (h1, h2, h3) = proved, seen.most
    return BaseInterval(seen.least, (max(h1, p1), max(h2, p2), max(h3, p3)))


def _believe(memory: BaseMemory, seen: BaseInterval, at: float) -> tuple[BaseMemory, PhaseAmps]:
    """Return the belief after the newest interval, and the memory that remembers a jump.

    What is ordered in answer to a jump widens the interval at once. So the next passes go on from the belief of the
    jump, which the wider interval still allows, and not from the one before it, which would take the jump for a
    greater one each time.
    """
    if memory.jumped is not None and memory.settled_at >= memory.jumped_at:
        memory = replace(memory, jumped=None)
    before = memory.settled if memory.jumped is None else memory.jumped
    believed = follow_base(before, seen)
    if before is not None and any(believed[phase] > before[phase] + JUMP_A for phase in PHASES):
        memory = replace(memory, jumped=believed, jumped_at=at)
    elif memory.jumped is not None:
        memory = replace(memory, jumped=believed)
    return memory, believed


def _is_overload(reading: MeterReading, rating_a: PhaseAmps, total_a: float = math.inf) -> bool:
    """Return whether a meter shows more than may flow."""
    amps = reading.amps
    above = amps[0] > rating_a[0] or amps[1] > rating_a[1] or amps[2] > rating_a[2] or sum(amps) > total_a
    return above and reading.scope is MeterScope.EVERYTHING


def _asked(reading: MeterReading, unsettled: Sequence[tuple[Connector, DrawBound]]) -> tuple[str, ...]:
    """Return who should be measured: those whose reduction the reading may show or not, and who have not said."""
    at = reading.measured_at
    return tuple(
        connector.connector_id
        for connector, bound in unsettled
        if bound.online and not bound.in_flight and bound.draws and bound.since < at and bound.draws[-1].at < at
    )


def _look_back(
    memory: BaseMemory,
    believed: PhaseAmps,
    unsettled: Sequence[tuple[Connector, DrawBound]],
    below: Sequence[tuple[Connector, DrawBound]],
    now: float,
) -> tuple[BaseMemory, PhaseAmps]:
    """Return memory and belief after a look at the newest readings that all have reported after who were asked.

    An overload may be the current of vehicles that have not come down yet, and a jump of the base load hides behind
    that. What those drew that have to come down tells the two apart; those that were told nothing hide no jump that
    leads to an overload, because what they may draw at most was given room.
    """
    recent = [bound.draws[-1].at for _, bound in unsettled if bound.draws]
    recent = [at for at in recent if at > now - ANSWERED_WITHIN_S]
    until = min(recent, default=memory.settled_at)
    known = [each for each in memory.readings[-LOOKED_BACK_AT:-1] if memory.settled_at < each.measured_at <= until]
    for reading in reversed(known[-LOOKED_AT:]):
        if _proves_more(reading, below, believed):
            seen = base_interval(reading, below)
            # It is older than the newest: it proves what the base load rose to, and not that it fell.
            (b1, b2, b3), (h1, h2, h3) = believed, seen.most
            raised = BaseInterval(seen.least, (max(b1, h1), max(b2, h2), max(b3, h3)))
            memory, (n1, n2, n3) = _believe(memory, raised, reading.measured_at)
            return memory, (max(b1, n1), max(b2, n2), max(b3, n3))
    return memory, believed


def _proves_more(reading: MeterReading, below: Sequence[tuple[Connector, DrawBound]], believed: PhaseAmps) -> bool:
    """Return whether the base load was provably higher at a reading than is believed; quicker than the interval."""
    gross = reading.amps if reading.hidden_a is NO_AMPS else plus(reading.amps, reading.hidden_a)
    over1, over2, over3 = (gross[phase] - believed[phase] - JUMP_A for phase in PHASES)
    at = reading.measured_at
    for connector, bound in below:
        if bound.held_a <= 0.0 and not bound.draws:
            continue
        m1, m2, m3 = most_at(bound, connector, at)
        over1 -= m1
        over2 -= m2
        over3 -= m3
        if over1 <= 0.0 and over2 <= 0.0 and over3 <= 0.0:
            return False
    return True


def _if_obeyed(
    memory: BaseMemory,
    believed: PhaseAmps,
    seen: BaseInterval,
    at: float,
    unsettled: Sequence[tuple[Connector, DrawBound]],
) -> tuple[BaseMemory, PhaseAmps]:
    """Return the belief that explains an overload if all vehicles obey, and the memory that remembers it.

    Who does not report holds up every proof. But a vehicle that obeys has followed after its time, and what the meter
    shows above that is base load, or somebody who does not obey: it has to be taken from the vehicles all the same.
    """
    low = list(seen.least)
    for connector, bound in unsettled:
        told = told_at_most_a(bound, at)
        if told is not None and told < bound.held_a:
            for phase, most in enumerate(most_at(bound, connector, at)):
                low[phase] += max(0.0, most - told)
    if all(low[phase] <= believed[phase] + JUMP_A for phase in PHASES):
        return memory, believed
    believed = (max(believed[0], low[0]), max(believed[1], low[1]), max(believed[2], low[2]))
    return replace(memory, jumped=believed, jumped_at=at), believed


def _unanswered_overload(
    memory: BaseMemory, below: Sequence[tuple[Connector, DrawBound]], rating_a: PhaseAmps, now: float
) -> bool:
    """Return whether the meter has shown more than the rating for so long that somebody should have come down.

    Where next to nothing is known of the vehicles (after a start with an old memory, with chargers that do not measure)
    the interval may be too wide to prove any jump. What the meter shows is no less of an overload for that.
    """
    if not _is_overload(memory.readings[-1], rating_a):
        return False
    since = now - UNANSWERED_S
    shown = [each for each in memory.readings if each.measured_at >= since]
    lasted = memory.readings[0].measured_at <= since and all(
        any(each.amps[phase] > rating_a[phase] for phase in PHASES) for each in shown
    )
    return lasted and all(not bound.orders or bound.orders[-1].at <= since for _, bound in below)


def _hidden_by_silence(below: Sequence[tuple[Connector, DrawBound]], jumped_at: float) -> PhaseAmps:
    """Return what of a jump may be hidden by chargers that have not been heard of since.

    When the power of a charger fails while the base load jumps, the meter shows the difference of the two. What the
    charger was last seen to draw may then be base load, and it comes on top when the charger is back.
    """
    hidden = NO_AMPS
    for _, bound in below:
        if bound.unseen_since is not None and bound.draws and bound.draws[-1].at <= jumped_at:
            hidden = plus(hidden, bound.draws[-1].least)
    return hidden


def _repeats_itself(memory: BaseMemory, below: Sequence[tuple[Connector, DrawBound]]) -> bool:
    """Return whether the meter repeats one value although our vehicles provably stepped meanwhile.

    Only a step that two-sided bounds prove counts, and only values that are the same to the last digit.
    """
    readings = memory.readings
    if len(readings) < 2 or readings[-1].scope is MeterScope.ALL_BUT_EVS:  # noqa: PLR2004 - two make a repetition
        return False
    newest = readings[-1]
    first = newest
    for earlier in reversed(readings[:-1]):
        if earlier.amps != newest.amps:
            break
        first = earlier
    if newest.measured_at - first.measured_at < CAR_SETTLING_S:
        return False
    last_seen = _bracketed_until(below)
    if last_seen is None:
        return False
    until = min(newest.measured_at, last_seen)
    if until - first.measured_at < CAR_SETTLING_S:
        return False
    return _stepped(below, first.measured_at, until)


def _stepped(below: Sequence[tuple[Connector, DrawBound]], since: float, until: float) -> bool:
    """Return whether our vehicles provably stepped between two times."""
    doubtful = [pair for pair in below if not _stood_still(pair[1], since, until)]
    if not any(_moved_since(bound, since) for _, bound in doubtful):
        return False
    rose, fell = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
    for connector, bound in doubtful:
        least_then, most_then = drawn_at(bound, connector, since)
        least_now, most_now = drawn_at(bound, connector, until)
        for phase in PHASES:
            rose[phase] += least_now[phase] - most_then[phase]
            fell[phase] += least_then[phase] - most_now[phase]
    return max(*rose, *fell) >= KNOWN_STEP_A


def _stood_still(bound: DrawBound, since: float, until: float) -> bool:
    """Return whether a connector surely drew the same at two times: it was measured around both, and told nothing.

    It is then neither a step nor a doubt about one, as both of its bounds are what was measured.
    """
    draws = bound.draws
    if not draws or draws[-1].at <= until:
        return False
    amps = draws[-1].amps
    for draw in reversed(draws):
        if draw.amps != amps or draw.least != amps:
            return False
        if draw.at <= since:
            told_at = bound.orders[-1].at if bound.orders else -math.inf
            return told_at < draw.at - bound.follows_within_s and until - draw.at <= HISTORY_S
    return False


def _moved_since(bound: DrawBound, at: float) -> bool:
    """Return whether a connector was measured to draw something else after a time than up to it."""
    newest = bound.draws[-1].amps if bound.draws else None
    for draw in reversed(bound.draws):
        if draw.amps != newest:
            return True
        if draw.at <= at:
            return False
    return False


def _settle(memory: BaseMemory, below: Sequence[tuple[Connector, DrawBound]]) -> BaseMemory:
    """Move the settled belief to the newest reading that every reporting charger has reported after."""
    newest = memory.readings[-1]
    # What a meter shows without the vehicles needs no report of theirs.
    until = None if newest.scope is MeterScope.ALL_BUT_EVS else _bracketed_until(below)
    if until is None:
        until = newest.measured_at
    reading = next((r for r in reversed(memory.readings) if r.measured_at <= until), None)
    if reading is None or reading.measured_at <= memory.settled_at:
        return memory
    seen = base_interval(reading, below)
    # What was ordered in answer to a jump widens this interval as well: it goes on from the belief of the jump.
    known = memory.jumped is not None and reading.measured_at >= memory.jumped_at
    settled = follow_base(memory.jumped if known else memory.settled, seen)
    memory = replace(memory, settled=settled, settled_at=reading.measured_at, reached=seen.least)
    if max(most - least for most, least in zip(seen.most, seen.least, strict=True)) > JUMP_A:
        return memory
    return replace(memory, narrow=seen.most, narrow_at=reading.measured_at)


def _bracketed_until(below: Sequence[tuple[Connector, DrawBound]]) -> float | None:
    """Return the time up to which every charger that reports has reported; None: none reports."""
    newest = [bound.draws[-1].at for _, bound in below if bound.draws and bound.held_a > 0.0]
    if not newest:
        return None
    latest = max(newest)
    # Who has been silent for long does not hold up the others; its draw counts as unknown.
    return min(at for at in newest if at > latest - SILENT_AFTER_S)


def _remember(readings: tuple[MeterReading, ...], reading: MeterReading, now: float) -> tuple[MeterReading, ...]:
    if readings and reading.measured_at <= readings[-1].measured_at:
        return readings
    while len(readings) > 1 and readings[1].measured_at < now - HISTORY_S:
        readings = readings[1:]
    return (*readings[-READINGS_KEPT:], reading)


def _remember_peak(
    peaks: tuple[tuple[int, PhaseAmps], ...], believed: PhaseAmps, now: float
) -> tuple[tuple[int, PhaseAmps], ...]:
    second = int(now)
    kept = tuple(peak for peak in peaks if second - PEAK_HOLD_S < peak[0] <= second)
    if kept and kept[-1][0] == second:
        last = kept[-1][1]
        highest = (max(last[0], believed[0]), max(last[1], believed[1]), max(last[2], believed[2]))
        return (*kept[:-1], (second, highest))
    return (*kept, (second, believed))
