"""A car at an outlet: what it draws of what it is offered.

A car follows the pilot signal late (its reaction time), never draws more than its on-board charger can, needs a minimum
current to charge at all, tapers when the battery is nearly full, and may fall asleep while it is paused. It knows
nothing of supply phases: its currents are on the terminals of the outlet.
"""

from collections import deque
from dataclasses import dataclass
from enum import StrEnum

PILOT_MINIMUM_A = 6.0
"""The least that a pilot signal can offer (IEC 61851-1: 10 % duty cycle); below it there is no charging."""

TAPER_FLOOR = 0.1
"""Share of the maximum current that still flows just before the battery is full."""

type OwnAmps = tuple[float, float, float]

NOTHING: OwnAmps = (0.0, 0.0, 0.0)

TERMINALS_IN_USE: dict[int, OwnAmps] = {1: (1.0, 0.0, 0.0), 2: (1.0, 1.0, 0.0), 3: (1.0, 1.0, 1.0)}


class Waking(StrEnum):
    """When a car that fell asleep during a pause charges again."""

    ON_OFFER = "on_offer"
    """As soon as it is offered current."""
    SECOND_TRY = "second_try"
    """Only when current is offered, taken away and offered once more."""
    NEVER = "never"
    """Not before it is plugged in again."""


TRIES_TO_WAKE = {Waking.ON_OFFER: 1, Waking.SECOND_TRY: 2}
"""How often a sleeping car must be offered current anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CarSpec:
    """One car and what its driver wants of this stay."""

    name: str
    phases: int = 3
    """Phases of its on-board charger, 1 to 3."""
    maximum_a: float = 16.0
    minimum_a: float = PILOT_MINIMUM_A
    battery_kwh: float = 60.0
    soc: float = 0.4
    """State of charge at plug-in, 0 to 1."""
    wanted_kwh: float | None = None
    """Energy at the outlet after which it stops by itself; None: until the battery is full."""
    draws_at_most_a: float | None = None
    """A cap of its own below what it is offered (a setting in the car, a cold battery)."""
    ends_after_s: float | None = None
    """Stops by itself after so long, full or not."""
    taper_from_soc: float = 0.95
    efficiency: float = 0.9
    """Share of the energy at the outlet that reaches the battery."""
    reaction_s: float = 8.0
    """From a change of the pilot signal to the change of current."""
    ramp_a_per_s: float = 4.0
    """How fast it takes up more current."""
    phantom_a: OwnAmps = NOTHING
    """What flows on each terminal that its charger does not use, by leakage and induction, while the contactor is
    closed."""
    again_after_s: float | None = None
    """Takes current once more so long after it was full, to warm itself up before it leaves; None: never."""
    again_for_s: float = 900.0
    """For how long it does."""
    again_a: float = 10.0
    """How much it takes then, at most."""
    sleeps_after_s: float | None = None
    """Falls asleep after so long without an offer; None: never."""
    waking: Waking = Waking.ON_OFFER
    ignores_pilot: bool = False
    """Keeps drawing its maximum whatever the pilot says, until the contactor opens."""
    id_tag: str | None = None
    """The driver's card."""
    tag_after_s: float = 4.0
    """When the driver shows the card, after plugging in."""
    iso15118: bool = False
    """Tells the charge point what it needs, and when it leaves if that is known (ISO 15118)."""
    stays_s: float | None = None
    """When it leaves; None: it stays."""

    def __post_init__(self) -> None:
        if self.phases not in (1, 2, 3):
            raise ValueError(f"{self.name}: a car has 1 to 3 phases, not {self.phases}")
        if not 0.0 <= self.soc <= 1.0:
            raise ValueError(f"{self.name}: a state of charge is between 0 and 1, not {self.soc}")
        if self.battery_kwh <= 0.0 or self.maximum_a <= 0.0 or self.ramp_a_per_s <= 0.0 or self.efficiency <= 0.0:
            raise ValueError(f"{self.name}: battery, maximum current, ramp and efficiency are positive")
        if min(self.phantom_a) < 0.0 or self.again_for_s <= 0.0 or self.again_a <= 0.0:
            raise ValueError(f"{self.name}: what leaks is not negative, and what it takes again is positive")
        if self.reaction_s < 0.0:
            raise ValueError(f"{self.name}: no car reacts before the signal changes")


class Car:
    """A plugged-in car that follows the pilot signal."""

    def __init__(self, spec: CarSpec, *, plugged_at: float) -> None:
        """Plug the car in at a virtual moment, with no current offered yet."""
        self.spec = spec
        self.plugged_at = plugged_at
        self.delivered_wh = 0.0
        self.first_current_at: float | None = None
        self.starts = 0
        """How often it began to take current, after a pause as well."""
        self.asleep = False
        self._offered_a = 0.0
        self._signal_a = 0.0
        self._on_the_way: deque[tuple[float, float]] = deque()
        self._paused_since: float | None = plugged_at
        self._tries = 0
        self._drawn_a = 0.0
        self._charging_s = 0.0
        self._full_since: float | None = None
        self._warms_up = False

    @property
    def soc(self) -> float:
        """Return the present state of charge, 0 to 1."""
        stored_kwh = self.delivered_wh / 1000.0 * self.spec.efficiency
        return min(1.0, self.spec.soc + stored_kwh / self.spec.battery_kwh)

    @property
    def wanted_wh(self) -> float:
        """Return the energy at the outlet that it wants in this stay."""
        until_full = (1.0 - self.spec.soc) * self.spec.battery_kwh / self.spec.efficiency
        wanted = until_full if self.spec.wanted_kwh is None else min(until_full, self.spec.wanted_kwh)
        return wanted * 1000.0

    @property
    def sated(self) -> bool:
        """Return whether it stopped by itself."""
        return self._has_all and not self._warms_up

    @property
    def _has_all(self) -> bool:
        ends = self.spec.ends_after_s
        return self.delivered_wh >= self.wanted_wh - 1e-6 or (ends is not None and self._charging_s >= ends)

    @property
    def takes_current(self) -> bool:
        """Return whether it asks the outlet for current now (state C of IEC 61851)."""
        return not self.sated and not self.asleep and self._signal_a >= self._needs_a

    @property
    def expects_current(self) -> bool:
        """Return whether it still acts on a signal that offered current, which may be withdrawn by now."""
        return self._signal_a > 0.0 or any(amps > 0.0 for _, amps in self._on_the_way)

    def offer(self, amps: float, now: float) -> None:
        """Change the pilot signal; less than 6 A is no signal at all."""
        amps = amps if amps >= PILOT_MINIMUM_A else 0.0
        if amps == self._offered_a:
            return
        if self._offered_a == 0.0:
            self._resume()
        elif amps == 0.0:
            self._paused_since = now
        self._offered_a = amps
        self._on_the_way.append((now + self.spec.reaction_s, amps))

    def cut_off(self) -> None:
        """Open the contactor, the pilot signal being withdrawn: current stops at once, whatever the car wants."""
        self._drawn_a = 0.0
        self._signal_a = 0.0
        self._on_the_way.clear()

    def drawn(self, phases: int) -> OwnAmps:
        """Return what it draws on the first `phases` terminals of its outlet."""
        amps = self._drawn_a
        if amps == 0.0:
            return NOTHING
        used = TERMINALS_IN_USE[min(self.spec.phases, phases)]
        first, second, third = (
            amps if used[own] else self.spec.phantom_a[own] if own < phases else 0.0 for own in range(3)
        )
        return (first, second, third)

    def trickle(self, amps: float, phases: int) -> OwnAmps:
        """Return what an outlet that does not let go makes it draw on the phases that it uses."""
        first, second, third = (amps * used for used in TERMINALS_IN_USE[min(self.spec.phases, phases)])
        return (first, second, third)

    def step(self, now: float, dt: float) -> None:
        """Follow the signal for `dt` seconds up to `now`."""
        while self._on_the_way and self._on_the_way[0][0] <= now:
            self._signal_a = self._on_the_way.popleft()[1]
        self._doze(now)
        self._warm_up(now)
        target = self._target_a()
        if target > self._drawn_a:
            self.starts += self._drawn_a <= 0.0
            target = min(target, self._drawn_a + self.spec.ramp_a_per_s * dt)
        self._drawn_a = target
        if target > 0.0:
            self._charging_s += dt
            if self.first_current_at is None:
                self.first_current_at = now

    def receive(self, energy_wh: float) -> None:
        """Take energy at the outlet."""
        self.delivered_wh += energy_wh

    @property
    def _needs_a(self) -> float:
        return max(PILOT_MINIMUM_A, self.spec.minimum_a)

    def _target_a(self) -> float:
        if self.sated or self.asleep:
            return 0.0
        spec = self.spec
        signal = self._signal_a
        if spec.ignores_pilot and self._drawn_a > 0.0:
            signal = max(signal, spec.maximum_a)
        if signal < self._needs_a:
            return 0.0
        if self._warms_up:
            return min(signal, spec.again_a)
        amps = min(signal, spec.maximum_a * self._taper())
        return amps if spec.draws_at_most_a is None else min(amps, spec.draws_at_most_a)

    def _taper(self) -> float:
        start = self.spec.taper_from_soc
        soc = self.soc
        if soc <= start or start >= 1.0:
            return 1.0
        return max(TAPER_FLOOR, 1.0 - (1.0 - TAPER_FLOOR) * (soc - start) / (1.0 - start))

    def _warm_up(self, now: float) -> None:
        again_after = self.spec.again_after_s
        if again_after is None or not self._has_all:
            return
        if self._full_since is None:
            self._full_since = now
        self._warms_up = 0.0 <= now - self._full_since - again_after < self.spec.again_for_s

    def _doze(self, now: float) -> None:
        sleeps_after = self.spec.sleeps_after_s
        if sleeps_after is None or self._paused_since is None or self.asleep:
            return
        if now - self._paused_since >= sleeps_after:
            self.asleep = True
            self._tries = 0

    def _resume(self) -> None:
        self._paused_since = None
        if not self.asleep:
            return
        self._tries += 1
        needed = TRIES_TO_WAKE.get(self.spec.waking)
        if needed is not None and self._tries >= needed:
            self.asleep = False
