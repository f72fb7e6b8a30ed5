"""What each circuit of a site has carried above its rating, and how near its protective device came to tripping.

Once a second the load of every circuit is held against its rating and against the curve of its device (see
`engine.exposure`). It is a report: nothing here is read by a decision. What is not known is not made up: while the load
of a circuit is unknown nothing is added and nothing cools, and the share is told as unknown. What flowed while nobody
looked (a restart, a tick that came late) is unknown too. After two hours without knowing, the old share says nothing
any more and is forgotten.

Windows are made of five-minute spells, which exist only where there was something to note.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..engine.exposure import COOLING_S, DeviceKind, Exposure, ProtectiveDevice, follow
from ..engine.model import NO_AMPS, PHASES, PhaseAmps
from ..engine.snapshot import Decision
from ..ocpp.protocols import Clock
from .problems import Problem, ProblemKey, Severity
from .settings import CircuitSettings

SPELL_S = 300.0
WINDOW_S = 7200.0
DAY_S = 86400.0

LATE_S = 5.0
"""Between two looks at most so much time is reckoned with the load of the second; more is time that nobody saw."""

FULL = 1.0
"""A used share does not rise further: the device has tripped, or it is slower than its standard asks."""

NOTHING = 0.0005
"""What has cooled below this is gone."""

WORTH_A_REPAIR = 0.5
"""A share of the curve that a person is told of for a day."""
PROBLEM_STEP_PERCENT = 5
"""Its figure is told in such steps, so that one overload is not twenty repairs."""

KEPT_EVERY_S = 10.0
"""What is kept is written so often while it changes."""

MINUTE_S = 60.0

MARKS: Mapping[DeviceKind, str] = {
    DeviceKind.MCB_B: "B",
    DeviceKind.MCB_C: "C",
    DeviceKind.MCB_D: "D",
    DeviceKind.MCCB: "MCCB ",
    DeviceKind.FUSE_GG: "gG ",
}


def device_text(device: ProtectiveDevice) -> str:
    """Return a device as it is printed on it: C63, gG 63, MCCB 160."""
    return f"{MARKS[device.kind]}{device.rated_a:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """Five minutes in which there was something to note."""

    began_at: float
    """UTC POSIX seconds of the first of it."""
    above_s: PhaseAmps = NO_AMPS
    """Seconds above the rating, by phase."""
    above_as: PhaseAmps = NO_AMPS
    """Ampere-seconds above it."""
    highest: float = 0.0
    """The highest current above the rating, as a multiple of it."""
    most_used: float = 0.0
    """The highest share of the curve that an overload reached."""
    unknown_s: float = 0.0
    """Seconds in which the load was not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptExposure:
    """What the next start must know of a circuit."""

    at: float
    """UTC POSIX seconds at which it was written."""
    used: PhaseAmps
    """Share of the curve, by phase."""
    device: str | None
    """What it is a share of."""
    spells: tuple[Spell, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureView:
    """What a circuit has carried above its rating; figures of its worst phase."""

    device: str | None
    """None: not told, so that there is no curve."""
    share_percent: int | None
    """Share of the device's curve that is used now; None: without a device, or while the load is not known."""
    above_s: int = 0
    """Seconds above the rating in the last two hours."""
    above_as: int = 0
    """Ampere-seconds above the rating in the last two hours."""
    highest: float | None = None
    """The highest current in that time as a multiple of the rating; None: it was never above."""
    since: float | None = None
    """UTC POSIX seconds of the first current above the rating in that time, to five minutes."""
    unknown_s: int = 0
    """Seconds of that time in which the load was not known, in whole minutes."""
    day_above_s: int = 0
    day_above_as: int = 0
    day_percent: int = 0
    """The highest share of the curve in the last 24 hours."""


@dataclass(slots=True)
class _Account:
    """What is known of one circuit."""

    circuit: CircuitSettings
    used: PhaseAmps = NO_AMPS
    spells: list[tuple[float, Spell]] = field(default_factory=list)
    """With the monotonic time at which each began; the oldest first."""
    known: bool = False
    unknown_s: float = 0.0
    """For how long nothing has been known."""
    kept: tuple[object, ...] = ()
    """What was written last, as far as it matters."""
    kept_at: float = float("-inf")
    shown: ExposureView | None = None
    shown_of: tuple[object, ...] = ()
    """What that picture was made of."""

    @property
    def empty(self) -> bool:
        return not self.spells and self.used == NO_AMPS


class Exposures:
    """Follows the exposure of all circuits of a site."""

    def __init__(self, keep: Callable[[str, KeptExposure | None], None], clock: Clock) -> None:
        """`keep` writes down what the next start must know of a circuit; None: nothing."""
        self._keep = keep
        self._clock = clock
        self._accounts: dict[str, _Account] = {}
        self._views: dict[str, ExposureView] = {}
        self._restored: dict[str, KeptExposure] = {}
        self._looked: float | None = None

    def restore(self, kept: Mapping[str, KeptExposure]) -> None:
        """Take note of what was kept, before the circuits are taken up."""
        self._restored = dict(kept)

    def take_up(self, circuits: Iterable[CircuitSettings]) -> None:
        """Follow these circuits, and no others; one with another device begins its curve anew."""
        wanted = {circuit.circuit_id: circuit for circuit in circuits}
        for circuit_id in self._accounts.keys() - wanted.keys():
            del self._accounts[circuit_id]
            self._keep(circuit_id, None)
        for circuit_id, circuit in wanted.items():
            account = self._accounts.get(circuit_id)
            if account is None:
                account = self._accounts[circuit_id] = self._opened(circuit, self._restored.pop(circuit_id, None))
            elif account.circuit.device != circuit.device:
                _begin_the_curve_anew(account)
            account.circuit = circuit
        for circuit_id in self._restored:
            self._keep(circuit_id, None)
        self._restored = {}
        self._views = {circuit_id: self._view(account) for circuit_id, account in self._accounts.items()}

    def look(self, decision: Decision | None) -> None:
        """Reckon with the loads as they are now; to be called once a second."""
        now = self._clock.monotonic()
        dt = 0.0 if self._looked is None else now - self._looked
        self._looked = now
        for circuit_id, account in self._accounts.items():
            circuit = None if decision is None else decision.circuits.get(circuit_id)
            load = None if circuit is None else circuit.load_a
            account.known = load is not None
            if dt > 0:
                self._reckon(account, None if dt > LATE_S else load, now, dt)
            self._views[circuit_id] = self._view(account)
            self._keep_changed(circuit_id, account, now)

    def view(self, circuit_id: str) -> ExposureView | None:
        """Return what there is to show of a circuit; None: it is not followed."""
        return self._views.get(circuit_id)

    def problems(self) -> tuple[Problem, ...]:
        """Return the circuits whose device came so near to tripping that a person should know."""
        found = []
        for circuit_id, account in self._accounts.items():
            percent = self._views[circuit_id].day_percent
            device = account.circuit.device
            if device is None or percent < WORTH_A_REPAIR * 100:
                continue
            found.append(
                Problem(
                    key=ProblemKey.OVERLOAD_EXPOSURE,
                    subject=circuit_id,
                    severity=Severity.ERROR if percent >= FULL * 100 else Severity.WARNING,
                    placeholders={
                        "circuit": account.circuit.name,
                        "device": device_text(device),
                        "share": str(percent - percent % PROBLEM_STEP_PERCENT),
                    },
                )
            )
        return tuple(found)

    def close(self) -> None:
        """Write down all that the next start must know."""
        for circuit_id, account in self._accounts.items():
            if not account.empty:
                self._keep(circuit_id, self._to_keep(account))
        self._looked = None

    # Reckoning -----------------------------------------------------------------------------------------------------

    def _opened(self, circuit: CircuitSettings, kept: KeptExposure | None) -> _Account:
        account = _Account(circuit=circuit)
        if kept is None:
            return account
        now, wall = self._clock.monotonic(), self._clock.time()
        away_s = max(0.0, wall - kept.at)
        account.spells = [(now - max(0.0, wall - spell.began_at), spell) for spell in kept.spells]
        account.used = kept.used
        if kept.device != _mark(circuit):
            _begin_the_curve_anew(account)
        self._unknown(account, now, away_s)
        return account

    def _reckon(self, account: _Account, load: PhaseAmps | None, now: float, dt: float) -> None:
        while account.spells and account.spells[0][0] <= now - DAY_S:
            account.spells.pop(0)
        if load is None:
            self._unknown(account, now, dt)
            return
        account.unknown_s = 0.0
        circuit = account.circuit
        grown = [
            follow(Exposure(used=account.used[p]), circuit.device, circuit.rating_a[p], load[p], dt) for p in PHASES
        ]
        more_used = any(grown[p].used > account.used[p] for p in PHASES)
        account.used = _by_phase(_left(account.used[p], grown[p].used) for p in PHASES)
        above = [p for p in PHASES if grown[p].above_s > 0]
        if above or more_used:
            self._note(
                account,
                now,
                Spell(
                    began_at=self._clock.time(),
                    above_s=_by_phase(each.above_s for each in grown),
                    above_as=_by_phase(each.above_as for each in grown),
                    highest=max((grown[p].highest_a / circuit.rating_a[p] for p in above), default=0.0),
                    most_used=max(account.used) if more_used else 0.0,
                ),
            )

    def _unknown(self, account: _Account, now: float, seconds: float) -> None:
        account.unknown_s += seconds
        if account.unknown_s >= COOLING_S:
            account.used = NO_AMPS
        if seconds > 0:
            self._note(account, now, Spell(began_at=self._clock.time(), unknown_s=seconds))

    @staticmethod
    def _note(account: _Account, now: float, more: Spell) -> None:
        """Add to the spell that runs, or begin another."""
        if not account.spells or now - account.spells[-1][0] >= SPELL_S:
            account.spells.append((now, more))
            return
        began, spell = account.spells[-1]
        account.spells[-1] = (
            began,
            Spell(
                began_at=spell.began_at,
                above_s=_by_phase(spell.above_s[p] + more.above_s[p] for p in PHASES),
                above_as=_by_phase(spell.above_as[p] + more.above_as[p] for p in PHASES),
                highest=max(spell.highest, more.highest),
                most_used=max(spell.most_used, more.most_used),
                unknown_s=spell.unknown_s + more.unknown_s,
            ),
        )

    # Showing and keeping -------------------------------------------------------------------------------------------

    def _view(self, account: _Account) -> ExposureView:
        begins = self._clock.monotonic() - WINDOW_S
        day = [spell for _, spell in account.spells]
        window = [spell for began, spell in account.spells if began > begins]
        device = account.circuit.device
        share = None if device is None or not account.known else round(max(account.used) * 100)
        # Spells come and change at their end and go at their beginning: the rest needs no second look each second.
        made_of = (device, share, len(day), len(window), day[-1] if day else None)
        if account.shown is None or made_of != account.shown_of:
            account.shown, account.shown_of = self._picture(account, share, day, window), made_of
        return account.shown

    @staticmethod
    def _picture(account: _Account, share: int | None, day: Sequence[Spell], window: Sequence[Spell]) -> ExposureView:
        above = [spell for spell in window if max(spell.above_s) > 0]
        return ExposureView(
            device=_mark(account.circuit),
            share_percent=share,
            above_s=_worst(spell.above_s for spell in window),
            above_as=_worst(spell.above_as for spell in window),
            highest=round(max(spell.highest for spell in above), 2) if above else None,
            since=above[0].began_at if above else None,
            unknown_s=int(min(WINDOW_S, sum(spell.unknown_s for spell in window)) // MINUTE_S * MINUTE_S),
            day_above_s=_worst(spell.above_s for spell in day),
            day_above_as=_worst(spell.above_as for spell in day),
            day_percent=round(max((spell.most_used for spell in day), default=0.0) * 100),
        )

    def _keep_changed(self, circuit_id: str, account: _Account, now: float) -> None:
        view = self._views[circuit_id]
        matters = (round(max(account.used) * 100), view.day_above_s, view.day_above_as, account.empty)
        if matters == account.kept or now - account.kept_at < KEPT_EVERY_S:
            return
        if account.kept or not account.empty:
            self._keep(circuit_id, None if account.empty else self._to_keep(account))
        account.kept, account.kept_at = matters, now

    def _to_keep(self, account: _Account) -> KeptExposure:
        return KeptExposure(
            at=self._clock.time(),
            used=account.used,
            device=_mark(account.circuit),
            spells=tuple(spell for _, spell in account.spells),
        )


def _left(before: float, after: float) -> float:
    """Return a used share as it goes on: no more than full, and nothing once it has cooled to what nobody sees."""
    return 0.0 if after < min(before, NOTHING) else min(FULL, after)


def _begin_the_curve_anew(account: _Account) -> None:
    """Forget what was used of another device's curve; what was above the rating stays."""
    account.used = NO_AMPS
    account.spells = [(began, replace(spell, most_used=0.0)) for began, spell in account.spells]


def _mark(circuit: CircuitSettings) -> str | None:
    return None if circuit.device is None else device_text(circuit.device)


def _worst(amounts: Iterable[PhaseAmps]) -> int:
    """Return the sum on the phase where it is greatest."""
    sums: Sequence[float] = [sum(each) for each in zip(*amounts, strict=True)]
    return round(max(sums, default=0.0))


def _by_phase(amounts: Iterable[float]) -> PhaseAmps:
    first, second, third = amounts
    return (first, second, third)
