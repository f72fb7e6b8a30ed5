"""What a session is planned for: when its vehicle leaves and how much it takes until then, and who says so.

The driver's word goes first, then that of the vehicle, then the driver's profile, then what was learned of stays like
this one, then the default of the site. A profile names a time of the day: the first one after the vehicle came.

A target is as good as an energy while it is known how full the battery is (`battery`); otherwise it is passed over.

What is learned counts only where enough stays are remembered, and of the energy the late end of what they took. A
departure that a driver types is taken no later than the early end of when such stays ended, as people are seldom as
good as their word; whether it can be kept is judged by the word itself.

A departure that nobody says is no moment, but a likelihood for each: it is planned until a late one, with energy the
dearer the likelier it comes after the vehicle has gone. People are told what is had by the likely one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo

from .foresight import Forecast, StillHere
from .plan import Aim, Said
from .session import Session
from .session_wish import NO_PROFILE, Profile
from .settings import SiteWish

LEAST_ALIKE = 5.0
"""So many stays like it have to be remembered before what is learned of them goes before the site's default."""

LEAST_MORE_WH = 2000.0
"""A vehicle that still takes current takes so much more at least, where nobody said how much it wants."""

LEAST_TIME_S = 900.0
"""Where nobody said when it leaves it stays for so long at least."""

GONE_WITH = 0.8
"""Where its departure was learned a session is planned until it has left with this likelihood (docs/planning.md)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aims:
    """What a session is planned for, and what it is judged by."""

    careful: Aim
    """With the margin."""
    word: Aim
    """As it was said; where nobody did, as it is likely."""
    still_here: StillHere | None = None
    """How likely it is still there, where its departure was learned; None: it leaves when it is said to."""

    @property
    def planned(self) -> Aim:
        """Return what a plan is made for."""
        if self.still_here is None:
            return self.careful
        return replace(self.word, leave_at=max(self.word.leave_at, self.still_here.gone_by(GONE_WITH)))

    @property
    def alone(self) -> Aim:
        """Return what is counted on where nobody leads, and nobody can think again when it stays."""
        return self.word if self.still_here is None else self.careful


def aims_of(  # noqa: PLR0917 - all who say something, the nearest first
    session: Session,
    forecast: Forecast | None,
    site: SiteWish,
    now: float,
    zone: tzinfo,
    profile: Profile = NO_PROFILE,
) -> Aims | None:
    """Return what a session is planned for at a UTC POSIX time; None: it is to charge now.

    That is where the departure that was said has passed: it leaves at any moment.
    """
    known = forecast if forecast is not None and forecast.alike >= LEAST_ALIKE else None
    early_at = None if known is None else max(known.departure_at[0], now + LEAST_TIME_S)
    leave = _departure(session, profile, known, site, now, zone)
    if leave is None:
        return None
    leave_at, leave_by = leave
    remaining_wh, remaining_by = _remaining(session, profile, known, site)
    word = Aim(leave_at=leave_at, leave_by=leave_by, remaining_wh=remaining_wh, remaining_by=remaining_by)
    careful = word if early_at is None or early_at >= leave_at else replace(word, leave_at=early_at)
    still_here = known.still_here if known is not None and leave_by is Said.HABITS else None
    return Aims(careful=careful, word=word, still_here=still_here)


def _departure(  # noqa: PLR0917 - as above
    session: Session, profile: Profile, known: Forecast | None, site: SiteWish, now: float, zone: tzinfo
) -> tuple[float, Said] | None:
    said = session.wish.departure_at
    if said is not None and said > now:
        return said, Said.VEHICLE if said == session.told_by_vehicle.departure_at else Said.DRIVER
    if session.told_departure_at is not None:
        return None
    if profile.leave_by_s is not None:
        usual_at = next_time_of_day(profile.leave_by_s, session.started_at, zone)
        # Who stays beyond it may stay for as long as others: what is known of those counts then.
        if usual_at > now:
            return usual_at, Said.PROFILE
    if known is not None:
        return max(known.departure_at[1], now + LEAST_TIME_S), Said.HABITS
    return next_time_of_day(site.leave_by_s, now + LEAST_TIME_S, zone), Said.SITE


def _remaining(session: Session, profile: Profile, known: Forecast | None, site: SiteWish) -> tuple[float, Said]:
    wanted, taken, until_full = session.wish.wanted_wh, session.energy_wh, session.target_wh
    if wanted is not None:
        by = Said.VEHICLE if wanted == session.told_by_vehicle.wanted_wh else Said.DRIVER
        return max(0.0, wanted - taken), by
    if until_full is not None:
        return max(0.0, until_full - taken), Said.PROFILE if session.wish.target_soc is None else Said.DRIVER
    if session.wish.target_soc is not None and session.told_by_vehicle.wanted_wh is not None:
        return max(0.0, session.told_by_vehicle.wanted_wh - taken), Said.VEHICLE
    if profile.usual_wh is not None:
        left = profile.usual_wh - taken
        # Who still takes current after what is usual wants more, and nobody asked for that.
        return (left, Said.PROFILE) if left >= LEAST_MORE_WH else (LEAST_MORE_WH, Said.HABITS)
    if known is not None:
        return max(known.energy_wh[2] - taken, LEAST_MORE_WH), Said.HABITS
    return max(site.energy_wh - taken, LEAST_MORE_WH), Said.SITE


def next_time_of_day(seconds: float, after: float, zone: tzinfo) -> float:
    """Return the next time, UTC, at which a local clock shows so many seconds after midnight.

    Where the clock is put forward over that time it is as much later.
    """
    day = datetime.fromtimestamp(after, UTC).astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    hours, rest = divmod(round(seconds), 3600)
    at = day.replace(hour=hours, minute=rest // 60, second=rest % 60)
    while at.timestamp() <= after:
        at += timedelta(days=1)
    return at.timestamp()
