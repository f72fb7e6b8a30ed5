"""Charging profiles of OCPP 1.6 and 2.x: what they say at a moment. Pure functions over facts.

Within one purpose the valid profile with the highest stack level that has a period for the moment rules; a
transaction's own profile replaces the default one, upwards too; the station's maximum bounds both (OCPP 1.6, section
3.13). All times are UTC POSIX seconds of the charge point's own clock.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from .clock import utc_of

DAY_S = 86_400.0
WEEK_S = 7 * DAY_S


class Purpose(StrEnum):
    """What a profile is for."""

    STATION = "ChargePointMaxProfile"
    DEFAULT = "TxDefaultProfile"
    TRANSACTION = "TxProfile"


class Kind(StrEnum):
    """What the start of a schedule refers to."""

    ABSOLUTE = "Absolute"
    RECURRING = "Recurring"
    RELATIVE = "Relative"


class Recurrency(StrEnum):
    """How often a recurring schedule begins again."""

    DAILY = "Daily"
    WEEKLY = "Weekly"

    @property
    def seconds(self) -> float:
        """Return the time from one beginning to the next."""
        return DAY_S if self is Recurrency.DAILY else WEEK_S


class RateUnit(StrEnum):
    """The unit of a schedule's limits."""

    AMPS = "A"
    WATTS = "W"


class ImpossibleProfile(ValueError):
    """A payload is no charging profile; `code` is the OCPP error code for it."""

    def __init__(self, code: str, what: str) -> None:
        super().__init__(what)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From `start_s` after the start of the schedule the limit holds."""

    start_s: float
    limit: float
    phases: int | None = None
    """None: 3, as the specification says."""
    other_limits: tuple[float | None, float | None] = (None, None)
    """Limits of L2 and L3 where they differ; `limit` is then L1's alone (OCPP 2.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Limits over time."""

    unit: RateUnit
    periods: tuple[Period, ...]
    start: float | None = None
    duration_s: float | None = None
    minimum_rate: float | None = None
    """Below this rate the charge point pauses rather than charge badly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One charging profile as it was received."""

    profile_id: int
    stack_level: int
    purpose: Purpose
    kind: Kind
    schedule: Schedule
    recurrency: Recurrency | None = None
    valid_from: float | None = None
    valid_to: float | None = None
    transaction_id: int | str | None = None
    installed_at: float = 0.0
    lasts_offline_s: float | None = None
    """Says nothing after so long without the central system (OCPP 2.1: maxOfflineDuration); None: for ever."""
    ends_offline: bool = False
    """Does not come back with the central system after that."""

    def outlasts(self, offline_s: float) -> bool:
        """Return whether the profile holds so long after the central system was last in reach."""
        return self.lasts_offline_s is None or offline_s <= self.lasts_offline_s

    def valid_at(self, moment: float) -> bool:
        """Return whether the moment lies within validFrom and validTo."""
        return not (
            (self.valid_from is not None and moment < self.valid_from)
            or (self.valid_to is not None and moment >= self.valid_to)
        )

    def began_at(self, moment: float, reference: float) -> float | None:
        """Return when the schedule that runs at a moment began, None when it did not yet.

        `reference` is where a relative schedule begins: the start of the transaction.
        """
        match self.kind:
            case Kind.RELATIVE:
                start = reference
            case Kind.ABSOLUTE:
                start = self.installed_at if self.schedule.start is None else self.schedule.start
            case Kind.RECURRING:
                first = self.installed_at if self.schedule.start is None else self.schedule.start
                start = first if moment < first else moment - (moment - first) % self.recurs_s
            case _:
                assert_never(self.kind)
        return start if moment >= start else None

    @property
    def recurs_s(self) -> float:
        """Return the time from one beginning of a recurring schedule to the next."""
        return (self.recurrency or Recurrency.DAILY).seconds

    def period_at(self, moment: float, reference: float) -> Period | None:
        """Return the period that holds at a moment, None where the profile says nothing."""
        if not self.valid_at(moment):
            return None
        began = self.began_at(moment, reference)
        if began is None:
            return None
        elapsed = moment - began
        if self.schedule.duration_s is not None and elapsed >= self.schedule.duration_s:
            return None
        holding = None
        for period in self.schedule.periods:
            if period.start_s <= elapsed:
                holding = period
        return holding

    def expired_at(self, moment: float, reference: float) -> bool:
        """Return whether the profile is still valid but its schedule's duration has ended."""
        began = self.began_at(moment, reference)
        duration = self.schedule.duration_s
        return self.valid_at(moment) and began is not None and duration is not None and moment - began >= duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """What turns a limit in watts into amps per phase, and bounds every limit."""

    maximum_a: float = 32.0
    phases: int = 3
    """Phases that the charge point reckons with for watts."""
    voltage_v: float = 230.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stacks:
    """The profiles that concern one connector, by purpose, and its transaction."""

    station: tuple[Profile, ...] = ()
    default: tuple[Profile, ...] = ()
    transaction: tuple[Profile, ...] = ()
    transaction_began: float | None = None
    """None: no transaction runs, so that transaction profiles say nothing and relative schedules begin now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositePeriod:
    """From `start_s` on the connector may draw `amps` on each phase."""

    start_s: float
    amps: float


class _NoLimit(StrEnum):
    """An expired schedule that still prevails, as on some chargers: nothing limits."""

    EXPIRED = "expired"


def ruling(
    profiles: Iterable[Profile], moment: float, reference: float, *, expired_prevails: bool = False
) -> tuple[Profile, Period] | _NoLimit | None:
    """Return the profile of one purpose that rules at a moment and its period; None where none says anything.

    `expired_prevails` imitates chargers on which a schedule whose duration has ended hides those below it.
    """
    for profile in sorted(profiles, key=lambda one: -one.stack_level):
        period = profile.period_at(moment, reference)
        if period is not None:
            return profile, period
        if expired_prevails and profile.expired_at(moment, reference):
            return _NoLimit.EXPIRED
    return None


def amps_of(profile: Profile, period: Period, wiring: Wiring) -> float:
    """Return a limit as amps on each phase; watts are the sum over phases."""
    schedule = profile.schedule
    if schedule.minimum_rate is not None and period.limit < schedule.minimum_rate:
        return 0.0
    if any(limit is not None for limit in period.other_limits):
        others = (period.limit if limit is None else limit for limit in period.other_limits)
        limits = (period.limit, *others)[: wiring.phases]
        factor = 1.0 if schedule.unit is RateUnit.AMPS else wiring.voltage_v
        return max(0.0, min(limits)) / factor  # one pilot signal for all phases
    if schedule.unit is RateUnit.AMPS:
        return max(0.0, period.limit)
    phases = min(3 if period.phases is None else period.phases, wiring.phases)
    return max(0.0, period.limit) / (wiring.voltage_v * max(1, phases))


def limit_at(
    stacks: Stacks,
    moment: float,
    wiring: Wiring,
    *,
    reference: float | None = None,
    expired_prevails: bool = False,
) -> float:
    """Return the amps per phase that all profiles together allow at a moment, at most the hardware's maximum.

    `reference` is where relative schedules begin while no transaction runs; None: the moment itself.
    """
    began = stacks.transaction_began
    start = began if began is not None else (moment if reference is None else reference)
    own = None
    if began is not None:
        own = ruling(stacks.transaction, moment, start, expired_prevails=expired_prevails)
    if own is None:
        own = ruling(stacks.default, moment, start, expired_prevails=expired_prevails)
    limit = wiring.maximum_a
    for found in (own, ruling(stacks.station, moment, start, expired_prevails=expired_prevails)):
        if isinstance(found, tuple):
            limit = min(limit, amps_of(*found, wiring))
    return limit


def phases_at(stacks: Stacks, moment: float, *, phases: int, expired_prevails: bool = False) -> int:
    """Return the number of phases that the profile of the running transaction, or the default one, asks for."""
    began = stacks.transaction_began
    start = moment if began is None else began
    own = None
    if began is not None:
        own = ruling(stacks.transaction, moment, start, expired_prevails=expired_prevails)
    if own is None:
        own = ruling(stacks.default, moment, start, expired_prevails=expired_prevails)
    asked = own[1].phases if isinstance(own, tuple) else None
    return phases if asked is None else max(1, min(asked, phases))


def composite(stacks: Stacks, start: float, duration_s: float, wiring: Wiring) -> tuple[CompositePeriod, ...]:
    """Return what all profiles together allow from a moment on, as periods in which the limit does not change."""
    reference = start if stacks.transaction_began is None else stacks.transaction_began
    profiles = (*stacks.station, *stacks.default, *stacks.transaction)
    moments = {start}
    for profile in profiles:
        moments.update(_changes(profile, start, start + duration_s, reference))
    periods: list[CompositePeriod] = []
    for moment in sorted(moments):
        amps = limit_at(stacks, moment, wiring, reference=reference)
        if not periods or periods[-1].amps != amps:
            periods.append(CompositePeriod(start_s=moment - start, amps=amps))
    return tuple(periods)


def _changes(profile: Profile, start: float, end: float, reference: float) -> set[float]:
    """Return the moments strictly inside a window at which a profile may begin, end or change."""
    moments = {edge for edge in (profile.valid_from, profile.valid_to) if edge is not None}
    offsets = [period.start_s for period in profile.schedule.periods]
    if profile.schedule.duration_s is not None:
        offsets.append(profile.schedule.duration_s)
    for begins in _beginnings(profile, start, end, reference):
        moments.add(begins)
        moments.update(begins + offset for offset in offsets)
    return {moment for moment in moments if start < moment < end}


def _beginnings(profile: Profile, start: float, end: float, reference: float) -> Sequence[float]:
    if profile.kind is Kind.RELATIVE:
        return (reference,)
    first = profile.installed_at if profile.schedule.start is None else profile.schedule.start
    if profile.kind is Kind.ABSOLUTE:
        return (first,)
    begins = first if start < first else start - (start - first) % profile.recurs_s
    found = []
    while begins < end:
        found.append(begins)
        begins += profile.recurs_s
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """How a version of OCPP words a charging profile."""

    profile_id: str
    purposes: Mapping[str, Purpose]
    several_schedules: bool = False
    """There is a list of schedules, of which the first one counts here: only a car chooses among several."""


WORDS_16 = Words(profile_id="chargingProfileId", purposes={purpose.value: purpose for purpose in Purpose})

WORDS_2 = Words(
    profile_id="id",
    purposes={
        "ChargingStationMaxProfile": Purpose.STATION,
        "TxDefaultProfile": Purpose.DEFAULT,
        "TxProfile": Purpose.TRANSACTION,
    },
    several_schedules=True,
)


def profile_of(payload: object, *, installed_at: float, words: Words = WORDS_16) -> Profile:
    """Return the profile that a `csChargingProfiles` or `chargingProfile` payload states.

    Raises:
        ImpossibleProfile: a field is missing, of the wrong type or outside its set.
    """
    fields = _Fields(payload)
    stated = fields.need("chargingSchedule")
    if words.several_schedules:
        if not isinstance(stated, list) or not stated:
            raise ImpossibleProfile("OccurenceConstraintViolation", "chargingSchedule needs at least one schedule")
        stated = stated[0]
    schedule = _Fields(stated)
    periods = schedule.need("chargingSchedulePeriod")
    if not isinstance(periods, list) or not periods:
        raise ImpossibleProfile("OccurenceConstraintViolation", "chargingSchedulePeriod needs at least one period")
    kind = fields.choice("chargingProfileKind", Kind)
    recurrency = fields.choice("recurrencyKind", Recurrency) if fields.has("recurrencyKind") else None
    if kind is Kind.RECURRING and recurrency is None:
        raise ImpossibleProfile("OccurenceConstraintViolation", "a recurring profile needs recurrencyKind")
    purpose = fields.need("chargingProfilePurpose")
    if not isinstance(purpose, str) or purpose not in words.purposes:
        raise ImpossibleProfile("PropertyConstraintViolation", "chargingProfilePurpose is none of the allowed values")
    return Profile(
        profile_id=fields.whole(words.profile_id),
        stack_level=fields.whole("stackLevel"),
        purpose=words.purposes[purpose],
        kind=kind,
        recurrency=recurrency,
        valid_from=fields.moment("validFrom"),
        valid_to=fields.moment("validTo"),
        transaction_id=fields.identity("transactionId"),
        installed_at=installed_at,
        lasts_offline_s=fields.number("maxOfflineDuration") if fields.has("maxOfflineDuration") else None,
        ends_offline=fields.has("invalidAfterOfflineDuration") and fields.need("invalidAfterOfflineDuration") is True,
        schedule=Schedule(
            unit=schedule.choice("chargingRateUnit", RateUnit),
            periods=_periods_of(periods),
            start=schedule.moment("startSchedule"),
            duration_s=schedule.number("duration") if schedule.has("duration") else None,
            minimum_rate=schedule.number("minChargingRate") if schedule.has("minChargingRate") else None,
        ),
    )


def _periods_of(payloads: list[object]) -> tuple[Period, ...]:
    periods = []
    for payload in payloads:
        fields = _Fields(payload)
        second, third = (fields.number(name) if fields.has(name) else None for name in ("limit_L2", "limit_L3"))
        periods.append(
            Period(
                start_s=fields.number("startPeriod"),
                limit=fields.number("limit"),
                phases=fields.whole("numberPhases") if fields.has("numberPhases") else None,
                other_limits=(second, third),
            )
        )
    starts = [period.start_s for period in periods]
    if starts[0] != 0 or starts != sorted(starts):
        raise ImpossibleProfile("PropertyConstraintViolation", "periods begin at 0 and are in the order of time")
    return tuple(periods)


class _Fields:
    """Reads one object of a payload and names what is wrong with it."""

    def __init__(self, payload: object) -> None:
        if not isinstance(payload, Mapping):
            raise ImpossibleProfile("TypeConstraintViolation", "an object is expected")
        self._payload: Mapping[object, object] = payload

    def has(self, name: str) -> bool:
        return self._payload.get(name) is not None

    def need(self, name: str) -> object:
        found = self._payload.get(name)
        if found is None:
            raise ImpossibleProfile("OccurenceConstraintViolation", f"{name} is missing")
        return found

    def number(self, name: str) -> float:
        found = self.need(name)
        if isinstance(found, bool) or not isinstance(found, int | float):
            raise ImpossibleProfile("TypeConstraintViolation", f"{name} is no number")
        return float(found)

    def whole(self, name: str) -> int:
        found = self.number(name)
        if not found.is_integer():
            raise ImpossibleProfile("TypeConstraintViolation", f"{name} is no integer")
        return int(found)

    def identity(self, name: str) -> int | str | None:
        if not self.has(name):
            return None
        found = self.need(name)
        return found if isinstance(found, str) else self.whole(name)

    def moment(self, name: str) -> float | None:
        if not self.has(name):
            return None
        found = self.need(name)
        if not isinstance(found, str):
            raise ImpossibleProfile("TypeConstraintViolation", f"{name} is no date and time")
        try:
            return utc_of(found)
        except ValueError:
            raise ImpossibleProfile("FormationViolation", f"{name} is no date and time") from None

    def choice[Choice: StrEnum](self, name: str, choices: type[Choice]) -> Choice:
        found = self.need(name)
        if not isinstance(found, str) or found not in [choice.value for choice in choices]:
            raise ImpossibleProfile("PropertyConstraintViolation", f"{name} is none of the allowed values")
        return choices(found)
