"""What a driver wishes of a session: when it leaves, how much it wants, and who goes first.

It belongs to the session, from plug-in to plug-out: whoever plugs in next has wishes of its own. What is set on a
connector for ever stands in `settings.ConnectorWish`, and what a driver wishes of all its sessions in its profile.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypedDict, Unpack

from .settings import MAXIMUM_PRIORITY

FARTHEST_DEPARTURE_S = 7 * 86_400.0
"""A departure further ahead is a slip of the hand: nobody parks at work for so long."""

FULL_SOC = 100.0

MOST_WANTED_WH = 1_000_000.0
"""More than the battery of any lorry holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionWish:
    """What the driver of one session wishes; None: not told."""

    departure_at: float | None = None
    """UTC POSIX seconds."""
    wanted_wh: float | None = None
    """Energy of the whole session, what it has taken already included."""
    priority: int | None = None
    """None: as the driver's, the connector's or the charge point's."""
    charge_now: bool = False
    """Goes before every priority."""
    target_soc: float | None = None
    """How full the battery is to be, in percent; in place of an energy."""
    battery_wh: float | None = None
    """What the whole battery holds; None: as the driver's profile says."""
    battery_entity: str | None = None
    """Tells how full it is; None: as the driver's profile says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a driver wishes of every session of which nothing else is said; None: not told."""

    leave_by_s: float | None = None
    """Seconds after local midnight."""
    usual_wh: float | None = None
    """Energy of a whole session."""
    target_soc: float | None = None
    """How full the battery is to be, in percent; goes before the energy."""
    battery_wh: float | None = None
    """What the whole battery holds."""
    battery_entity: str | None = None
    """Tells how full it is."""


NO_PROFILE = Profile()

NO_SESSION_WISH = SessionWish()

CHARGE_NOW_PRIORITY = MAXIMUM_PRIORITY + 1
"""Before every priority that can be given."""


class WishChange(TypedDict, total=False):
    """Fields of a `SessionWish` that are to become something else."""

    departure_at: float | None
    wanted_wh: float | None
    priority: int | None
    charge_now: bool
    target_soc: float | None
    battery_wh: float | None
    battery_entity: str | None


class WishFault(StrEnum):
    """What keeps a wish from being taken."""

    NOTHING_PLUGGED_IN = "nothing_plugged_in"
    IMPOSSIBLE_DEPARTURE = "impossible_departure"
    IMPOSSIBLE_ENERGY = "impossible_energy"
    IMPOSSIBLE_PRIORITY = "impossible_priority"
    IMPOSSIBLE_TARGET = "impossible_target"
    IMPOSSIBLE_BATTERY = "impossible_battery"
    BATTERY_UNKNOWN = "battery_unknown"


class WishRefused(ValueError):
    """A wish cannot be taken; nothing was changed."""

    def __init__(self, fault: WishFault) -> None:
        super().__init__(fault.value)
        self.fault = fault


def effective_priority(wish: SessionWish, *, driver: int | None, connector: int) -> int:
    """Return the priority that counts: the session's own, else that of its driver, else that of its connector."""
    if wish.charge_now:
        return CHARGE_NOW_PRIORITY
    if wish.priority is not None:
        return wish.priority
    return connector if driver is None else driver


def changed(wish: SessionWish, now: float, **changes: Unpack[WishChange]) -> SessionWish:
    """Return a wish with some fields changed at the UTC POSIX time `now`. Raises WishRefused.

    An energy takes the place of a target, and a target that of an energy.
    """
    departure_at, wanted_wh, priority = changes.get("departure_at"), changes.get("wanted_wh"), changes.get("priority")
    if departure_at is not None and not now < departure_at <= now + FARTHEST_DEPARTURE_S:
        raise WishRefused(WishFault.IMPOSSIBLE_DEPARTURE)
    if wanted_wh is not None and not 0 < wanted_wh <= MOST_WANTED_WH:
        raise WishRefused(WishFault.IMPOSSIBLE_ENERGY)
    if priority is not None and priority not in range(MAXIMUM_PRIORITY + 1):
        raise WishRefused(WishFault.IMPOSSIBLE_PRIORITY)
    target_soc, battery_wh = changes.get("target_soc"), changes.get("battery_wh")
    if target_soc is not None and not 0 < target_soc <= FULL_SOC:
        raise WishRefused(WishFault.IMPOSSIBLE_TARGET)
    if battery_wh is not None and not 0 < battery_wh <= MOST_WANTED_WH:
        raise WishRefused(WishFault.IMPOSSIBLE_BATTERY)
    if target_soc is not None and wanted_wh is not None:
        raise WishRefused(WishFault.IMPOSSIBLE_TARGET)
    if target_soc is not None:
        changes["wanted_wh"] = None
    elif wanted_wh is not None:
        changes["target_soc"] = None
    return replace(wish, **changes)
