"""How a limit is worded as a charging profile.

The one idea: a limit that must not outlive us is *one* profile with two periods and no end: the limit from now on, the
fallback from the validity on. A schedule that ends may prevail and leave no limit at all. Its start lies in the
charger's own time and a little in the past, so that a clock that is read wrongly cannot delay it; whenever the clock is
further off than believed, the permanent fallback beneath governs.

`Wording` is what differs between chargers (unit, kind, stack level, purpose). `wordings` lists those worth trying, best
first, from what the charger says about itself; which of them is taken is learned by the one who sends.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from ..conversation import LimitWish, Terminals
from ..times import ClockOffset, stamp
from .metering import LOWEST_V
from .requests import ChargingProfile, Kind, Period, Purpose, RateUnit

FALLBACK_LEVEL = 0
START_LEVEL = 1
"""Of the default profile that holds an idle connector below its fallback."""
TRANSACTION_LEVEL = 2
STATION_LEVEL = 0
STATION_HELD_S = 86400
"""After so long the maximum of a charge point that nobody took back is its hardware's again."""
LONG_AGO = "2020-01-01T00:00:00.000Z"
"""Start of a permanent schedule for chargers that refuse a relative one."""

KINDS_OF_CHARGERS = 64
"""So many sets of abilities have their wordings kept: a fleet has a few, and each limit asks for them."""

_IDS_PER_CONNECTOR = 10
_ID_BASE = 16000


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileAbilities:
    """What the charger says it can do with profiles."""

    units: tuple[RateUnit, ...] = (RateUnit.AMPS, RateUnit.WATTS)
    """Best first; both where it does not say."""
    max_level: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """One way to say a limit."""

    purpose: Purpose
    level: int
    unit: RateUnit
    kind: Kind = Kind.ABSOLUTE


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
    if connectors == 1:
        forms.append(Form.STATION)
    return tuple(forms)


@lru_cache(maxsize=KINDS_OF_CHARGERS)
def transaction_wordings(abilities: ProfileAbilities, *, by_default_profile: bool = False) -> tuple[Wording, ...]:
    """Return the ways to limit a running transaction, best first."""
    levels = _levels(TRANSACTION_LEVEL, abilities)
    ways = [
        Wording(purpose=Purpose.TRANSACTION, level=level, unit=unit) for level in levels for unit in abilities.units
    ]
    over_default = start_wordings(abilities)
    return (*over_default, *ways) if by_default_profile else (*ways, *over_default)


@lru_cache(maxsize=KINDS_OF_CHARGERS)
def start_wordings(abilities: ProfileAbilities) -> tuple[Wording, ...]:
    """Return the ways to hold a connector without transaction below its fallback; none where there is one level."""
    if abilities.max_level is not None and abilities.max_level < START_LEVEL:
        return ()
    return tuple(Wording(purpose=Purpose.DEFAULT, level=START_LEVEL, unit=unit) for unit in abilities.units)


def fallback_wordings(abilities: ProfileAbilities) -> tuple[Wording, ...]:
    """Return the ways to store the permanent fallback, best first."""
    return tuple(
        Wording(purpose=Purpose.DEFAULT, level=FALLBACK_LEVEL, unit=unit, kind=kind)
        for kind in (Kind.RELATIVE, Kind.ABSOLUTE)
        for unit in abilities.units
    )


def _levels(wanted: int, abilities: ProfileAbilities) -> tuple[int, ...]:
    highest = wanted if abilities.max_level is None else min(wanted, max(0, abilities.max_level))
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
    transaction_id: int | None,
) -> ChargingProfile:
    """Return the profile for a limit that passes into the fallback by itself.

    Args:
        now: UTC POSIX seconds on our clock.
        offset: of the charger's clock. Its uncertainty puts the start into the past, and is what the limit may end
            sooner or later than its validity says.
        proved_phases: on so many phases the vehicle has been measured to draw.
        transaction_id: of the running transaction, for a profile of that purpose.
    """
    lead_s = math.ceil(offset.uncertainty_s)
    expires_s = lead_s + math.ceil(wish.validity_s)
    phases = terminals.phases if wording.unit is RateUnit.AMPS else None

    def period(start_s: int, amps: float) -> Period:
        limit = in_unit(sendable_amps(amps, terminals), wording.unit, proved_phases=proved_phases)
        return Period(start_s=start_s, limit=limit, phases=phases)

    return ChargingProfile(
        profile_id=profile_id(terminals.connector, wording),
        stack_level=wording.level,
        purpose=wording.purpose,
        kind=wording.kind,
        unit=wording.unit,
        periods=(period(0, wish.amps), period(expires_s, wish.fallback_a)),
        starts_at=stamp(now + offset.offset_s - lead_s),
        transaction_id=transaction_id if wording.purpose is Purpose.TRANSACTION else None,
    )


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
    return _ID_BASE + connector * _IDS_PER_CONNECTOR + use
