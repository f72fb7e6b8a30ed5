"""How full a vehicle's battery is, how full it is to be, and what energy that comes to.

A target is a state of charge; a plan needs an energy. The present state comes from the charge point (OCPP, ISO 15118),
which speaks of the vehicle that is plugged in, or else from an entity that the driver's profile or the wish names.
Between two reports the energy of the session goes on from the last one. Where neither is known there is no energy
either, and who plans goes by what such vehicles usually take.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from .session_wish import Profile, SessionWish

if TYPE_CHECKING:
    from .connector import ConnectorState
    from .session import Session

REACHES_BATTERY = 0.9
"""Of what a meter counts so much is in the battery afterwards: cautious for chargers on board, which lose 8 to 12 %."""

LONGEST_AGO_S = 12 * 3600.0
"""A state that was reported so long before the vehicle came is none: it has driven since."""

FULL = 100.0


class SocSource(StrEnum):
    """Who tells a state of charge."""

    CHARGE_POINT = "charge_point"
    ENTITY = "entity"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatteryReading:
    """A state of charge as an entity tells it."""

    percent: float
    at: float
    """When it was reported, UTC POSIX seconds."""


type ReadBattery = Callable[[str], BatteryReading | None]
"""Returns what an entity tells; None: nothing that can be used."""


def nothing_read(_entity: str) -> BatteryReading | None:
    """Return nothing: there are no entities."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class StateOfCharge:
    """How full the battery was when that was told last."""

    percent: float
    taken_wh: float
    """What the session had taken then."""
    source: SocSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """How full a battery is to be."""

    percent: float
    battery_wh: float
    """What the whole battery holds."""
    entity: str | None = None
    """Tells how full it is, where the charge point does not."""


def target_of(wish: SessionWish, profile: Profile) -> Target | None:
    """Return how full a session's battery is to be, by its wish or else by the profile.

    None: nobody says, an energy is wished, or what the battery holds is not known.
    """
    percent = wish.target_soc
    if percent is None and wish.wanted_wh is None:
        percent = profile.target_soc
    battery_wh = profile.battery_wh if wish.battery_wh is None else wish.battery_wh
    if percent is None or battery_wh is None:
        return None
    return Target(percent=percent, battery_wh=battery_wh, entity=wish.battery_entity or profile.battery_entity)


def until_wh(target: Target, soc: StateOfCharge) -> float:
    """Return what a whole session takes until its target: what it had taken where that is below the present."""
    lacks = max(0.0, target.percent - soc.percent) / FULL
    return soc.taken_wh + lacks * target.battery_wh / REACHES_BATTERY


class Profiles(Protocol):
    """Where what is known of drivers comes from, and where sessions are kept."""

    def driver_profile(self, id_tag: str) -> Profile:
        """Return what the driver with an idTag wishes of all its sessions."""

    def keep_session(self, key: str, session: Session | None) -> None:
        """Keep the session of a connector for the next start."""


class Batteries:
    """Follows how full the vehicles are of which somebody said how full they are to be."""

    def __init__(self, records: Profiles, read: ReadBattery) -> None:
        """Begin with none."""
        self._records = records
        self._read = read

    def look(self, states: Mapping[str, ConnectorState]) -> set[str]:
        """Take note of what is told now; return the connectors of whose session something else is to be shown."""
        moved = set()
        for key, state in states.items():
            session = state.session
            if session is None or state.leaving:
                continue
            profile = None if session.id_tag is None else self._records.driver_profile(session.id_tag)
            target = target_of(session.wish, Profile() if profile is None else profile)
            soc = None if target is None else self._soc(state, session, target)
            if (target, soc) == (session.target, session.soc):
                continue
            session.target, session.soc = target, soc
            self._records.keep_session(key, session)
            moved.add(key)
        return moved

    def _soc(self, state: ConnectorState, session: Session, target: Target) -> StateOfCharge | None:
        """Return how full it is: what was told last, with what had been taken then, until something else is told."""
        before = session.soc
        if state.soc_percent is not None:
            percent, source, taken_wh = state.soc_percent, SocSource.CHARGE_POINT, session.energy_wh
        elif before is not None and before.source is SocSource.CHARGE_POINT:
            # Some tell it once, when the vehicle comes; what flows since is known.
            return before
        else:
            reading = None if target.entity is None else self._read(target.entity)
            if reading is None:
                # An entity that is gone for a moment has told what it told.
                return before if before is not None and target == session.target else None
            if reading.at < session.started_at - LONGEST_AGO_S:
                return None
            percent, source = reading.percent, SocSource.ENTITY
            taken_wh = 0.0 if reading.at <= session.started_at else session.energy_wh
        if before is not None and (before.percent, before.source) == (percent, source):
            return before
        return StateOfCharge(percent=percent, taken_wh=taken_wh, source=source)
