"""How much of a protective device's curve an overload has used: a report, never a budget.

The target of every decision stays rating − margin. What nobody could foresee may exceed a rating for a while; this
says how far that went against the time that the device in front of the circuit would have carried it.

A standard gives a band in which a device may trip, not a time. `trip_time_s` is its lower edge: the shortest time at
which the standard lets the device trip, from the cold state at the reference temperature. Between the points that a
standard fixes it is a straight line on log-log paper. `follow` adds up the shares of that time that an overload has
lasted (Miner's rule): 1 means that the device was allowed to trip, not that it must have.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache


class DeviceKind(StrEnum):
    """The protective devices that a circuit may have."""

    MCB_B = "mcb_b"
    """Miniature circuit breaker, IEC 60898-1, characteristic B."""
    MCB_C = "mcb_c"
    MCB_D = "mcb_d"
    MCCB = "mccb"
    """Circuit breaker with settings, IEC 60947-2."""
    FUSE_GG = "fuse_gg"
    """Fuse, IEC 60269, utilisation category gG."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectiveDevice:
    """What protects a circuit; the settings other than `rated_a` are those of an MCCB."""

    kind: DeviceKind
    rated_a: float
    """In of a breaker or fuse; Ir (overload setting) of an MCCB."""
    long_delay_s: float = 10.0
    """tr: its delay at 6 × Ir."""
    short_pickup: float = 6.0
    """Isd as a multiple of Ir."""
    short_delay_s: float = 0.1
    """tsd."""
    instantaneous: float = 10.0
    """Ii as a multiple of Ir."""


class ImpossibleDevice(ValueError):
    """A device that nobody can have; `key` and `figures` (A) are for the sentence that says so."""

    def __init__(self, key: str, **figures: float) -> None:
        super().__init__(key)
        self.key = key
        self.figures: Mapping[str, float] = figures


LARGEST_MCB_A = 125.0
"""IEC 60898-1 ends here; larger breakers are made to IEC 60947-2."""
LARGEST_DEVICE_A = 6300.0
"""The largest breakers of low voltage."""

HOUR_S = 3600.0

MCB_HOLDS, MCCB_HOLDS, FUSE_HOLDS = 1.13, 1.05, 1.25
"""Conventional non-tripping (non-fusing) current as a multiple of In or Ir, which is carried for the conventional time:
IEC 60898-1 table 7, IEC 60947-2 table 6, IEC 60269-1 table 2. The last is 1.5 for fuses below 16 A; 1.25 is safer."""

BREAKER_HOURS = ((63.0, 1.0), (math.inf, 2.0))
FUSE_HOURS = ((63.0, 1.0), (160.0, 2.0), (400.0, 3.0), (math.inf, 4.0))
"""Conventional times in hours, by the greatest In for which they hold; same tables."""

MCB_THERMAL = 2.55
MCB_THERMAL_S = 1.0
"""IEC 60898-1 table 7, test c: at 2.55 In it trips after more than 1 s (and within 60 s, above 32 A 120 s)."""
MCB_HOLDS_BRIEFLY: Mapping[DeviceKind, float] = {
    DeviceKind.MCB_B: 3.0,
    DeviceKind.MCB_C: 5.0,
    DeviceKind.MCB_D: 10.0,
}
MCB_BRIEFLY_S = 0.1
"""IEC 60898-1 table 7, test d: at the lower end of its instantaneous range (multiples of In) it holds for 0.1 s."""

LONG_DELAY_AT = 6.0
"""The multiple of Ir at which tr is set; on both sides of it I²t is constant."""
LONG_DELAY_LEAST = 0.8
"""Share of tr after which it may trip. The standard leaves the tolerance to the maker; electronic releases state from
−20 % to 0 %."""
SHORT_PICKUP_LEAST = 0.8
"""Share of Isd or Ii at which a release still must not act: IEC 60947-2, test of short-circuit releases at 80 %."""
SHORT_DELAY_LEAST = 0.7
"""Share of tsd after which it may trip: the standard leaves it to the maker, whose resettable times are 70 to 88 % of
the setting."""

OPENS_AT_ONCE_S = 0.01
"""What "without delay" is taken for: half a wave. Only short circuits are cleared faster."""

FUSE_GATES: Mapping[float, tuple[float, float]] = {
    16.0: (33.0, 85.0),
    20.0: (42.0, 110.0),
    25.0: (52.0, 150.0),
    32.0: (75.0, 200.0),
    40.0: (95.0, 260.0),
    50.0: (125.0, 350.0),
    63.0: (160.0, 450.0),
    80.0: (215.0, 610.0),
    100.0: (290.0, 820.0),
    125.0: (355.0, 1100.0),
    160.0: (460.0, 1450.0),
    200.0: (610.0, 1910.0),
    250.0: (750.0, 2590.0),
    315.0: (1050.0, 3420.0),
    400.0: (1420.0, 4500.0),
    500.0: (1780.0, 6000.0),
    630.0: (2200.0, 8060.0),
}
"""IEC 60269-1 table 3, gates of gG fuse-links: Imin(10 s) and Imin(0.1 s) in A, by In. No sooner than after these times
the element melts at these currents. (The two other gates, Imax(5 s) and Imax(0.1 s), are the upper edge of the band.)
Taken from public reproductions of the table, which agree."""
FUSE_GATES_S = (10.0, 0.1)

SMALL_FUSE_GATES = (1.8, 3.0)
"""As multiples of In, below 16 A: those gates stand in parts of the standard that were not at hand, so that these are
taken low."""

COOLING_S = 2 * HOUR_S
"""After so long within the rating nothing is left to be shown of a full curve."""
COOLED = 0.005
"""What that is: less than half a percent."""

TOLERANCE_A = 1e-9
"""Below this an excess is rounding."""


def check_device(device: ProtectiveDevice) -> None:
    """Refuse a device that nobody can have. Raises ImpossibleDevice."""
    most = LARGEST_MCB_A if device.kind in MCB_HOLDS_BRIEFLY else LARGEST_DEVICE_A
    if not 0 < device.rated_a <= most:
        raise ImpossibleDevice("impossible_device", rated=device.rated_a, most=most)
    if device.kind is not DeviceKind.MCCB:
        return
    in_order = (
        0 < device.long_delay_s < math.inf
        and 1 < device.short_pickup <= device.instantaneous < math.inf
        and 0 <= device.short_delay_s <= device.long_delay_s
    )
    if not in_order:
        raise ImpossibleDevice("impossible_device_settings")


def conventional_time_s(device: ProtectiveDevice) -> float:
    """Return for how long it carries its conventional non-tripping current (same tables as that current)."""
    hours = FUSE_HOURS if device.kind is DeviceKind.FUSE_GG else BREAKER_HOURS
    return next(lasts for up_to_a, lasts in hours if device.rated_a <= up_to_a) * HOUR_S


def holds_a(device: ProtectiveDevice) -> float:
    """Return its conventional non-tripping current: up to it the device is never reckoned to trip."""
    return _curve(device).holds_a


def trip_time_s(device: ProtectiveDevice, amps: float) -> float:
    """Return the shortest time at which a device may trip by `amps`; infinite where it does not.

    Raises:
        ImpossibleDevice: nobody can have it.
    """
    return _curve(device).time_s(amps)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Curve:
    """The lower edge of a band: a broken line on log-log paper, and steps down from it."""

    holds_a: float
    line: tuple[tuple[float, float], ...]
    """Logarithms of amps and seconds; its last stretches go on beyond its ends."""
    steps: tuple[tuple[float, float], ...]
    """Above the first (A) it may trip after the second (s), whatever the line says."""
    least_s: float = 0.0
    """It never trips faster."""

    def time_s(self, amps: float) -> float:
        if amps <= self.holds_a:
            return math.inf
        at = math.log(amps)
        right = min(max(bisect_left(self.line, at, key=lambda point: point[0]), 1), len(self.line) - 1)
        (x0, y0), (x1, y1) = self.line[right - 1], self.line[right]
        seconds = math.exp(y0 + (y1 - y0) * (at - x0) / (x1 - x0))
        return max(self.least_s, min((seconds, *(after for above, after in self.steps if amps > above))))


@lru_cache(maxsize=256)
def _curve(device: ProtectiveDevice) -> _Curve:
    check_device(device)
    match device.kind:
        case DeviceKind.FUSE_GG:
            return _fuse(device)
        case DeviceKind.MCCB:
            return _breaker_with_settings(device)
        case _:
            return _miniature_breaker(device)


def _miniature_breaker(device: ProtectiveDevice) -> _Curve:
    rated = device.rated_a
    briefly_a = MCB_HOLDS_BRIEFLY[device.kind] * rated
    return _Curve(
        holds_a=MCB_HOLDS * rated,
        line=_line(
            (MCB_HOLDS * rated, conventional_time_s(device)),
            (MCB_THERMAL * rated, MCB_THERMAL_S),
            (briefly_a, MCB_BRIEFLY_S),
        ),
        steps=((briefly_a, OPENS_AT_ONCE_S),),
        least_s=OPENS_AT_ONCE_S,
    )


def _breaker_with_settings(device: ProtectiveDevice) -> _Curve:
    rated = device.rated_a
    conventional_s, at_six_s = conventional_time_s(device), LONG_DELAY_LEAST * device.long_delay_s
    holds = MCCB_HOLDS * rated
    return _Curve(
        holds_a=holds,
        line=_line(
            (holds, at_six_s * (LONG_DELAY_AT / MCCB_HOLDS) ** 2),
            (LONG_DELAY_AT * rated, at_six_s),
        ),
        steps=(
            (holds, conventional_s),
            (
                SHORT_PICKUP_LEAST * device.short_pickup * rated,
                max(OPENS_AT_ONCE_S, SHORT_DELAY_LEAST * device.short_delay_s),
            ),
            (SHORT_PICKUP_LEAST * device.instantaneous * rated, OPENS_AT_ONCE_S),
        ),
        least_s=OPENS_AT_ONCE_S,
    )


def _fuse(device: ProtectiveDevice) -> _Curve:
    """Beyond the last gate the last stretch goes on: it is steeper than I²t, as melting is before it is adiabatic."""
    first_a, second_a = fuse_gates_a(device.rated_a)
    holds = FUSE_HOLDS * device.rated_a
    return _Curve(
        holds_a=holds,
        line=_line((holds, conventional_time_s(device)), (first_a, FUSE_GATES_S[0]), (second_a, FUSE_GATES_S[1])),
        steps=(),
    )


def fuse_gates_a(rated_a: float) -> tuple[float, float]:
    """Return Imin(10 s) and Imin(0.1 s) of a gG fuse in amps.

    A rating between two of the table has the gates of the smaller one: a larger element melts no sooner by the same
    current. So it is above the table, as long as that is more than the least multiples of In in it, which grow with In.
    """
    ratings = sorted(FUSE_GATES)
    if rated_a < ratings[0]:
        return (SMALL_FUSE_GATES[0] * rated_a, SMALL_FUSE_GATES[1] * rated_a)
    gates = FUSE_GATES[ratings[bisect_right(ratings, rated_a) - 1]]
    if rated_a <= ratings[-1]:
        return gates
    least = [min(row[gate] / rated for rated, row in FUSE_GATES.items()) for gate in (0, 1)]
    return (max(gates[0], least[0] * rated_a), max(gates[1], least[1] * rated_a))


def _line(*points: tuple[float, float]) -> tuple[tuple[float, float], ...]:
    return tuple((math.log(amps), math.log(seconds)) for amps, seconds in points)


# What an overload used ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """What one phase has carried above the rating of its circuit, from when it began to be followed."""

    used: float = 0.0
    """Share of the device's curve that is used up now; cools within the rating. 1: it was allowed to trip."""
    most_used: float = 0.0
    """The highest share that there was."""
    above_s: float = 0.0
    """Seconds above the rating."""
    above_as: float = 0.0
    """Ampere-seconds above the rating."""
    highest_a: float = 0.0


def follow(exposure: Exposure, device: ProtectiveDevice | None, rating_a: float, amps: float, dt: float) -> Exposure:
    """Return the exposure after `dt` more seconds of a current on one phase, in whichever direction it flows.

    Above its conventional non-tripping current the device's curve is used. Within the rating it cools. In between it
    does neither: it is warmer there than its rating would make it, so that nothing is forgotten. The order in which
    `dt` is split makes no difference. Without a device nothing is used; what is above the rating counts all the same.

    Raises:
        ImpossibleDevice: nobody can have the device.
    """
    if dt <= 0:
        return exposure
    amps = abs(amps)
    used = exposure.used
    trips_s = math.inf if device is None else trip_time_s(device, amps)
    if trips_s < math.inf:
        used += dt / trips_s
    elif device is not None and amps <= rating_a:
        used = cooled(used, device, dt)
    above_a = amps - rating_a
    above = above_a > TOLERANCE_A
    return Exposure(
        used=used,
        most_used=max(exposure.most_used, used),
        above_s=exposure.above_s + (dt if above else 0.0),
        above_as=exposure.above_as + (above_a * dt if above else 0.0),
        highest_a=max(exposure.highest_a, amps),
    )


def cooled(used: float, device: ProtectiveDevice, dt: float) -> float:
    """Return what is left of a used share after `dt` seconds within the rating.

    It cools as warm things do, in proportion to what is left, so fast that a full curve is gone from the display after
    two hours; where the conventional time is longer, the device needs longer for a new temperature, and that counts.
    A straight line would forget the last of a small overload at once and that of a great one late.
    """
    lasts_s = max(COOLING_S, conventional_time_s(device))
    return used * math.pow(COOLED, dt / lasts_s)


def exposure_of(trace: Iterable[tuple[float, float]], device: ProtectiveDevice | None, rating_a: float) -> Exposure:
    """Return the exposure by a trace of one phase: amps, and for how many seconds they flowed, in order."""
    exposure = Exposure()
    for amps, dt in trace:
        exposure = follow(exposure, device, rating_a, amps, dt)
    return exposure
