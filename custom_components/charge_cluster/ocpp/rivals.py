"""Charging profiles that somebody else wrote and that could govern in place of ours.

A back office of before may have left them, or a controller at the charger's site writes them. Where a charger tells
what it holds (OCPP 2.x) that is looked at once for each connection. Default profiles and those of transactions that
came from a back office are ours to replace: once our fallback lies there they are taken out. What is not ours may stay
as long as it allows no more than the fallback.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from .conversation import Outcome
from .held import WEEK_S, HeldProfile, most_allowed_a
from .profiles import FALLBACK_LEVEL, OWN_IDS, Kind, Purpose, RateUnit, TransactionKey
from .rpc import CallFailed
from .schedules import Schedule, Step

_LOGGER = logging.getLogger(__name__)

EQUAL_A = 0.05

_GOVERNING = frozenset({Purpose.DEFAULT, Purpose.TRANSACTION, Purpose.PRIORITY})
"""Purposes for which the profile of somebody else governs in place of ours; the others can only lower."""
_BACK_OFFICE = frozenset({None, "CSO"})

type ReadHeld = Callable[[], Awaitable[tuple[HeldProfile, ...] | None]]
"""Asks for all profiles that the charger holds; None: it does not tell. Raises CallFailed."""


class Rivals:
    """What others wrote into one charge point."""

    def __init__(
        self,
        read_held: ReadHeld | None,
        *,
        take_out: Callable[[int], Awaitable[Outcome]],
        own: range,
        now: Callable[[], float],
    ) -> None:
        """Know nothing yet.

        Args:
            read_held: asks what the charger holds; None: there is no way to ask.
            take_out: clears the profile with a number. Never raises.
            own: the numbers of our own profiles.
            now: the time at the charger.
        """
        self._read_held = read_held
        self._take_out = take_out
        self._own = own
        self._now = now
        self._found: tuple[HeldProfile, ...] | None = None
        """None: not looked at yet."""
        self._looking = asyncio.Lock()
        self._govern_at: set[int] = set()

    def look_again(self) -> None:
        """Somebody may have written to the charger meanwhile."""
        self._found = None

    def forget(self) -> None:
        """The charger restarted: what it holds has to be found out again."""
        self._govern_at.clear()
        self.look_again()

    async def look(self) -> None:
        """Ask what the charger holds, once for each connection."""
        if self._read_held is None:
            return
        async with self._looking:
            if self._found is not None:
                return
            try:
                held = await self._read_held()
            except CallFailed:
                return
            found = tuple(profile for profile in held or () if profile.profile_id not in self._own)
            self._found = found
        for profile in found:
            _LOGGER.info(
                "There is a profile of %s at connector %d (%s, level %d) that is not ours",
                profile.source or "somebody",
                profile.connector,
                profile.purpose,
                profile.level,
            )

    def at(self, connector: int) -> tuple[HeldProfile, ...]:
        """Return what could govern a connector in place of ours."""
        rivals = tuple(
            profile
            for profile in self._found or ()
            if profile.connector in {0, connector} and profile.purpose in _GOVERNING
        )
        if not rivals:
            self._govern_at.discard(connector)
        return rivals

    def govern(self, connector: int) -> bool:
        """Return whether one was found to govern a connector in place of ours, and could not be taken out."""
        return connector in self._govern_at

    def overrule_transaction(self, connector: int, transaction: TransactionKey) -> bool:
        """Return whether one may govern a transaction that has a profile of ours."""
        overruled = any(
            profile.purpose is not Purpose.DEFAULT and profile.transaction in {None, transaction}
            for profile in self.at(connector)
        )
        if overruled:
            self._govern_at.add(connector)
        return overruled

    async def oust(self, connector: int) -> None:
        """Take out those at a connector that are ours to replace."""
        for profile in self.at(connector):
            replaceable = profile.purpose is not Purpose.PRIORITY and profile.source in _BACK_OFFICE
            if replaceable and await self._take_out(profile.profile_id) is Outcome.ACCEPTED:
                self._found = tuple(other for other in self._found or () if other is not profile)

    def exceed(self, connector: int, amps: float, *, maximum_a: float) -> bool:
        """Return whether they let a vehicle draw more than our fallback of so many amps, within a week.

        Ours lies beneath: where theirs says nothing it governs.
        """
        rivals = self.at(connector)
        if not rivals:
            return False
        now = self._now()
        ours = HeldProfile(
            profile_id=OWN_IDS.start,
            connector=connector,
            level=FALLBACK_LEVEL,
            purpose=Purpose.DEFAULT,
            kind=Kind.RELATIVE,
            schedules=(Schedule(unit=RateUnit.AMPS, steps=(Step(start_s=0, limit=amps),)),),
        )
        bounds = [profile for profile in self._found or () if profile.purpose not in _GOVERNING]
        most = most_allowed_a((*rivals, *bounds, ours), connector, now, now + WEEK_S, maximum_a=maximum_a)
        exceeded = most > amps + EQUAL_A
        (self._govern_at.add if exceeded else self._govern_at.discard)(connector)
        return exceeded
