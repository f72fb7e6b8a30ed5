"""How a limit is worded as a charging profile, in words that every version of OCPP has.

The one idea: a limit that must not outlive us is *one* profile with two periods and no end: the limit from now on, the
fallback from the validity on. A schedule that ends may prevail and leave no limit at all. Its start lies in the
charger's own time and a little in the past, so that a clock that is read wrongly cannot delay it; whenever the clock is
further off than believed, the permanent fallback beneath governs. Where a charger holds one period only, a second
profile above the first takes over at that time; where it cannot do that either, a limit has no end and is never above
the fallback. OCPP 2.1 can also let a profile end when its charger is offline for too long: that lies beneath, for a
clock that is wrong; it is no end by itself, for nobody knows how soon a charger notices that it is offline.

`Wording` is what differs between chargers (unit, kind, stack level, purpose). `wordings` lists those worth trying, best
first, from what the charger says about itself; which of them is taken is learned by the one who sends. How a profile
is spelled in a version is the affair of that version's `ProfileDialect`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Protocol

from .conversation import LimitWish, Terminals
from .frames import JsonObject
from .times import ClockOffset, stamp
from .voltages import LOWEST_V

type TransactionKey = int | str
"""What a charge point is told to name a transaction by: a number in OCPP 1.6, a text in 2.x."""

FALLBACK_LEVEL = 0
START_LEVEL = 1
"""Of the default profile that holds an idle connector below its fallback."""
TRANSACTION_LEVEL = 2
STATION_LEVEL = 0
STATION_PERIODS = 3
STATION_HELD_S = 86400
"""After so long the maximum of a charge point that nobody took back is its hardware's again."""
LONG_AGO = "2020-01-01T00:00:00.000Z"
"""Start of a permanent schedule for chargers that refuse a relative one."""

KINDS_OF_CHARGERS = 64
"""So many sets of abilities have their wordings kept: a fleet has a few, and each limit asks for them."""

LATER_USE = 7
_IDS_PER_CONNECTOR = 10
_ID_BASE = 16000
OWN_IDS = range(_ID_BASE, _ID_BASE + 100 * _IDS_PER_CONNECTOR)
"""Of profiles that we write, whoever of us it was."""
ALL_PHASES = 3


class RateUnit(StrEnum):
    """The unit of a limit."""

    AMPS = "A"
    WATTS = "W"


class Purpose(StrEnum):
    """What a charging profile is for."""

    STATION_MAXIMUM = "station_maximum"
    DEFAULT = "default"
    TRANSACTION = "transaction"
    EXTERNAL = "external"
    """From somebody else at the charger's site, never ours: it can only lower."""
    PRIORITY = "priority"
    """OCPP 2.1: in place of that of a transaction whose driver asked to go first. Never ours."""
    GENERATION = "generation"
    """OCPP 2.1: what is generated on site, in addition to a maximum. Never ours."""


class Kind(StrEnum):
    """What the times of a schedule count from."""

    ABSOLUTE = "Absolute"
    RELATIVE = "Relative"
    RECURRING = "Recurring"
    """From each day or week anew; never ours."""
    DYNAMIC = "Dynamic"
    """OCPP 2.1: a limit that is changed in place; never ours."""


class Ending(StrEnum):
    """How a limit that must not outlive us ends."""

    PERIOD = "period"
    """By its second period."""
    LATER = "later"
    """By a second profile above it that begins to be valid at its end."""
    NEVER = "never"
    """Not at all: so it is never above the fallback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From `start_s` after the start of the schedule, `limit` in the schedule's unit."""

    start_s: int
    limit: float
    phases: int | None = None
    each_phase: bool = False
    """Whether the limit, though in watts, is that of each phase."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargingProfile:
    """A charging profile with one schedule, never with an end."""

    profile_id: int
    stack_level: int
    purpose: Purpose
    kind: Kind
    unit: RateUnit
    periods: tuple[Period, ...]
    starts_at: str | None = None
    valid_from: str | None = None
    transaction: TransactionKey | None = None
    offline_s: int | None = None
    """After so long offline it is over for good; None: it holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Composite:
    """What a charger says that follows from all of its profiles."""

    unit: RateUnit
    limits: tuple[float, ...]
    """One for each period."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileAbilities:
    """What the charger says it can do with profiles."""

    units: tuple[RateUnit, ...] = (RateUnit.AMPS, RateUnit.WATTS)
    """Best first; both where it does not say."""
    max_level: int | None = None
    max_periods: int | None = None
    ends_offline: bool = False
    """Whether a profile can end when the charger has been offline for some time."""
    each_phase: bool = False
    """Whether a limit in watts can be that of each phase."""

    @property
    def passes(self) -> bool:
        """Return whether one profile can hold a limit and what follows it."""
        return self.max_periods is None or self.max_periods > 1


ANY_CHARGER = ProfileAbilities()
"""What is expected of one that has not said anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """One way to say a limit."""

    purpose: Purpose
    level: int
    unit: RateUnit
    kind: Kind = Kind.ABSOLUTE
    ending: Ending = Ending.PERIOD


def units_named(text: str | None) -> tuple[RateUnit, ...]:
    """Return the units of a list in words, as chargers write it; both where it names none that is known."""
    words = {word.strip().casefold() for word in (text or "").replace(";", ",").split(",")}
    named = (
        (RateUnit.AMPS, {"current", "a"}),
        (RateUnit.WATTS, {"power", "w"}),
    )
    return tuple(unit for unit, names in named if words & names) or (RateUnit.AMPS, RateUnit.WATTS)


class ProfileDialect(Protocol):
    """How one charge point is spoken to about charging profiles, in the version that it speaks.

    The names of the calls are the same in all versions; what they carry is not.
    """

    @property
    def abilities(self) -> ProfileAbilities:
        """Return what the charger says it can do with profiles."""

    @property
    def connectors(self) -> int | None:
        """Return how many connectors it says to have."""

    def set_profile(self, connector: int, profile: ChargingProfile) -> JsonObject:
        """Return the payload that asks to hold a profile at a connector (0: the station)."""

    def wire_id(self, profile_id: int) -> int:
        """Return the id that a profile of ours has in the charger: the same number apart for all of them."""

    def clear_profile(self, wire_id: int) -> JsonObject:
        """Return the payload that asks to forget one profile."""

    def composite_schedule(self, connector: int, duration_s: int, unit: RateUnit) -> JsonObject:
        """Return the payload that asks what limits follow from all profiles."""

    def read_composite(self, answer: JsonObject) -> Composite | None:
        """Return what the answer to that says; None where it says nothing that can be relied upon."""


class Form(StrEnum):
    """A way to limit a running transaction; each but the first is for chargers that do not obey the one before."""

    USUAL = "usual"
    """By a profile of its own, in the unit that the charger took first."""
    OTHER_UNIT = "other_unit"
    """By a profile of its own in the other unit."""
    DEFAULT = "default"
    """As usual, and by a default profile beside it."""
    STATION = "station"
    """As usual, and by the maximum of a charge point that has one connector only."""


def forms_of(abilities: ProfileAbilities, *, connectors: int | None, by_default_profile: bool) -> tuple[Form, ...]:
    """Return the forms that a charger can do, the usual one first.

    Args:
        connectors: how many it says to have; charge points with several divide their maximum each in its own way.
        by_default_profile: default profiles are all that it is limited by.
    """
    if by_default_profile:
        return (Form.USUAL,)
    forms = [Form.USUAL]
    if len(abilities.units) > 1:
        forms.append(Form.OTHER_UNIT)
    if start_wordings(abilities):
        forms.append(Form.DEFAULT)
    if connectors == 1 and (abilities.max_periods is None or abilities.max_periods >= STATION_PERIODS):
        forms.append(Form.STATION)
    return tuple(forms)


@lru_cache(maxsize=KINDS_OF_CHARGERS)
def transaction_wordings(abilities: ProfileAbilities, *, by_default_profile: bool = False) -> tuple[Wording, ...]:
    """Return the ways to limit a running transaction, best first."""
    ways = [
        Wording(purpose=Purpose.TRANSACTION, level=level, unit=unit, ending=ending)
        for ending in _endings(abilities)
        for level in _levels(TRANSACTION_LEVEL, ending, abilities)
        for unit in abilities.units
    ]
    over_default = start_wordings(abilities)
    return (*over_default, *ways) if by_default_profile else (*ways, *over_default)


@lru_cache(maxsize=KINDS_OF_CHARGERS)
def start_wordings(abilities: ProfileAbilities) -> tuple[Wording, ...]:
    """Return the ways to hold a connector without transaction below its fallback; none where there is no room."""
    if abilities.max_level is not None and abilities.max_level < START_LEVEL:
        return ()
    ending = Ending.PERIOD if abilities.passes else Ending.NEVER
    return tuple(
        Wording(purpose=Purpose.DEFAULT, level=START_LEVEL, unit=unit, ending=ending) for unit in abilities.units
    )


def fallback_wordings(abilities: ProfileAbilities) -> tuple[Wording, ...]:
    """Return the ways to store the permanent fallback, best first."""
    return tuple(
        Wording(purpose=Purpose.DEFAULT, level=FALLBACK_LEVEL, unit=unit, kind=kind)
        for kind in (Kind.RELATIVE, Kind.ABSOLUTE)
        for unit in abilities.units
    )


def _endings(abilities: ProfileAbilities) -> tuple[Ending, ...]:
    return (Ending.PERIOD,) if abilities.passes else (Ending.LATER, Ending.NEVER)


def _levels(wanted: int, ending: Ending, abilities: ProfileAbilities) -> tuple[int, ...]:
    """Return the levels to try; the end of a limit that is a profile of its own needs the next one above."""
    above = 1 if ending is Ending.LATER else 0
    most = wanted if abilities.max_level is None else max(0, abilities.max_level) - above
    highest = min(wanted, most)
    if highest < 0:
        return ()
    return (highest,) if highest == 0 else (highest, 0)


def sendable_amps(amps: float, terminals: Terminals) -> float:
    """Return the amps that may be sent: nothing between zero and the minimum, no more than the hardware, one decimal.

    Chargers have been seen to deliver 1 A per phase when told less than their minimum.
    """
    if not math.isfinite(amps) or amps < terminals.minimum_a - 1e-9:
        return 0.0
    return one_decimal(min(amps, terminals.maximum_a))


def one_decimal(limit: float) -> float:
    """Round down to one decimal; the small addition keeps 7.3 from becoming 7.2."""
    return math.floor(limit * 10 + 1e-6) / 10


def in_unit(amps: float, unit: RateUnit, *, proved_phases: int, lowest_v: float = LOWEST_V) -> float:
    """Return the limit in a unit; a power limit must allow no more when all flows on as few phases as are proved."""
    return amps if unit is RateUnit.AMPS else one_decimal(amps * lowest_v * proved_phases)


def temporary_profile(
    wish: LimitWish,
    wording: Wording,
    terminals: Terminals,
    *,
    now: float,
    offset: ClockOffset,
    proved_phases: int,
    transaction: TransactionKey | None,
    abilities: ProfileAbilities = ANY_CHARGER,
) -> ChargingProfile:
    """Return the profile for a limit that passes into the fallback by itself.

    Args:
        now: UTC POSIX seconds on our clock.
        offset: of the charger's clock. Its uncertainty puts the start into the past, and is what the limit may end
            sooner or later than its validity says.
        proved_phases: on so many phases the vehicle has been measured to draw.
        transaction: the running one, for a profile of that purpose.
        abilities: what the charger can do beside the wording.
    """
    lead_s = math.ceil(offset.uncertainty_s)
    asked = wish.phases
    amps = wish.amps
    if wording.ending is Ending.NEVER:
        amps = min(amps, sendable_amps(wish.fallback_a, terminals))
    proved = proved_phases if asked is None else min(asked, proved_phases)
    limit = _period(0, amps, asked, wording, terminals, proved_phases=proved, abilities=abilities)
    periods: tuple[Period, ...] = (limit,)
    if wording.ending is Ending.PERIOD:
        # The next vehicle, and this one after the limit has run out, may use all phases at the fallback.
        ends = [
            _period(start_s, amps, None, wording, terminals, proved_phases=proved_phases, abilities=abilities)
            for start_s, amps in _ends(wish, wording, now=now, lead_s=lead_s, most=abilities.max_periods)
        ]
        periods = (limit, *ends)
    return ChargingProfile(
        profile_id=profile_id(terminals.connector, wording),
        stack_level=wording.level,
        purpose=wording.purpose,
        kind=wording.kind,
        unit=wording.unit,
        periods=periods,
        starts_at=stamp(now + offset.offset_s - lead_s),
        transaction=transaction if wording.purpose is Purpose.TRANSACTION else None,
        offline_s=math.ceil(wish.validity_s) if abilities.ends_offline else None,
    )


def _ends(wish: LimitWish, wording: Wording, *, now: float, lead_s: int, most: int | None) -> list[tuple[int, float]]:
    """Return what a limit passes into, as (seconds after the start of its schedule, amps): the fallback, or its parts.

    A plan is handed over only to who says that it holds so many periods, and with a transaction that it ends with. No
    part of it is above the fallback, so that whoever reckons with the fallback reckons with all of it.
    """
    expires_s = lead_s + math.ceil(wish.validity_s)
    found = [(expires_s, wish.fallback_a)]
    if wording.purpose is not Purpose.TRANSACTION or most is None:
        return found
    for step in wish.afterwards:
        start_s, amps = lead_s + math.ceil(step.at - now), max(0.0, min(step.amps, wish.fallback_a))
        if start_s <= expires_s:
            found = [(expires_s, amps)]
        elif start_s == found[-1][0]:
            found[-1] = (start_s, amps)
        elif amps != found[-1][1]:
            found.append((start_s, amps))
    return found if 1 + len(found) <= most else [(expires_s, wish.fallback_a)]


def later_profile(
    wish: LimitWish,
    wording: Wording,
    terminals: Terminals,
    *,
    now: float,
    offset: ClockOffset,
    proved_phases: int,
    transaction: TransactionKey | None,
) -> ChargingProfile:
    """Return the profile that takes over from a limit at its end, where that needs one of its own.

    It lies above the limit and begins to be valid at the end, by its validity and by its schedule, so that a charger
    that looks at one of them only is right too. It has one period and no end. Arguments as for `temporary_profile`.
    """
    begins_at = stamp(now + offset.offset_s + math.ceil(wish.validity_s))
    fallback = _period(0, wish.fallback_a, None, wording, terminals, proved_phases=proved_phases, abilities=ANY_CHARGER)
    return ChargingProfile(
        profile_id=_profile_id(terminals.connector, LATER_USE),
        stack_level=wording.level + 1,
        purpose=wording.purpose,
        kind=wording.kind,
        unit=wording.unit,
        periods=(fallback,),
        starts_at=begins_at,
        valid_from=begins_at,
        transaction=transaction,
    )


def _period(
    start_s: int,
    amps: float,
    asked: int | None,
    wording: Wording,
    terminals: Terminals,
    *,
    proved_phases: int,
    abilities: ProfileAbilities,
) -> Period:
    """Return a period for so many phases; None: for all of them.

    Watts say for how many phases they are where they are for fewer than all: they are divided by the number that is
    named, or by three. As long as one phase is all that is proved they are told for each where that can be: who does
    not know that takes the first of them for the sum, which is what would be sent otherwise.
    """
    in_watts = wording.unit is RateUnit.WATTS
    limit = in_unit(sendable_amps(amps, terminals), wording.unit, proved_phases=proved_phases)
    each_phase = (
        in_watts and abilities.each_phase and asked is None and proved_phases == 1 and terminals.phases == ALL_PHASES
    )
    phases = asked if asked is not None else None if in_watts else terminals.phases
    return Period(start_s=start_s, limit=limit, phases=phases, each_phase=each_phase)


def station_profile(
    amps: float,
    fallback_a: float,
    unit: RateUnit,
    terminals: Terminals,
    *,
    held_s: float,
    now: float,
    offset: ClockOffset,
) -> ChargingProfile:
    """Return the maximum of a charge point with one connector: `amps` for so long, then its fallback.

    It is never above the fallback, so that it need not be renewed as often as a limit: it may be written to flash.
    """
    lead_s = math.ceil(offset.uncertainty_s)
    below = min(amps, fallback_a)
    # In watts the hardware's maximum is that of all phases: it is none of our limits.
    steps = [
        (0, below, 1),
        (lead_s + math.ceil(held_s), fallback_a, 1),
        (lead_s + STATION_HELD_S, terminals.maximum_a, terminals.phases),
    ]
    wording = Wording(purpose=Purpose.STATION_MAXIMUM, level=STATION_LEVEL, unit=unit)
    return ChargingProfile(
        profile_id=profile_id(terminals.connector, wording),
        stack_level=wording.level,
        purpose=wording.purpose,
        kind=wording.kind,
        unit=unit,
        periods=tuple(
            Period(
                start_s=start_s,
                limit=in_unit(sendable_amps(limit_a, terminals), unit, proved_phases=proved),
                phases=terminals.phases if unit is RateUnit.AMPS else None,
            )
            for start_s, limit_a, proved in steps
        ),
        starts_at=stamp(now + offset.offset_s - lead_s),
    )


def permanent_profile(fallback_a: float, wording: Wording, terminals: Terminals) -> ChargingProfile:
    """Return the profile for the fallback: one period for good, free of any clock where it is relative."""
    limit = in_unit(sendable_amps(fallback_a, terminals), wording.unit, proved_phases=1)
    return ChargingProfile(
        profile_id=profile_id(terminals.connector, wording),
        stack_level=wording.level,
        purpose=wording.purpose,
        kind=wording.kind,
        unit=wording.unit,
        periods=(Period(start_s=0, limit=limit, phases=terminals.phases if wording.unit is RateUnit.AMPS else None),),
        starts_at=LONG_AGO if wording.kind is Kind.ABSOLUTE else None,
    )


def profile_id(connector: int, wording: Wording) -> int:
    """Return an id that is always the same for the same use, so that a new profile overwrites the old one."""
    use = {Purpose.DEFAULT: wording.level, Purpose.TRANSACTION: 5, Purpose.STATION_MAXIMUM: 6}[wording.purpose]
    return _profile_id(connector, use)


def _profile_id(connector: int, use: int) -> int:
    return _ID_BASE + connector * _IDS_PER_CONNECTOR + use
