"""What a test says about the simulated site: the truth from a moment on, and waiting for something to happen."""

from collections.abc import Callable

from scripts.demo_site.stage import Stage
from simulator.physics import Outlet
from simulator.scenario import Scenario

REACTION_S = 20.0
"""T: the most that a jump of the base load may last above a rating."""


USED_WITHIN_S = 120.0
"""Limits rise to what there is in three or four steps, each after all charge points have measured what the last did:
each 10 s, and later on a machine that has other work."""


class NotSeen(AssertionError):
    """What was waited for did not happen in time."""


class Witness:
    """Sees what truly happens at a site."""

    def __init__(self, stage: Stage) -> None:
        """Begin to look now."""
        self.site = stage.simulated
        self.scenario: Scenario = stage.scenario
        self._above = self._seconds_above()
        self._dials = self._connections()

    async def sees(self, seen: Callable[[], bool], *, within_s: float, what: str) -> None:
        """Wait until something is so; it is looked at whenever the site has moved on.

        Raises:
            NotSeen: it was not, in time.
        """
        try:
            await self.site.until(seen, within_s=within_s)
        except TimeoutError:
            raise NotSeen(f"{what}: not within {within_s:g} s; {self.picture()}") from None

    async def watches(self, holds: Callable[[], bool], *, for_s: float, what: str) -> None:
        """See that something stays so.

        Raises:
            NotSeen: it did not.
        """
        try:
            await self.site.until(lambda: not holds(), within_s=for_s)
        except TimeoutError:
            return
        raise NotSeen(f"{what}: not for {for_s:g} s; {self.picture()}")

    def picture(self) -> str:
        """Return what flows now, in words."""
        outlets = self.site.truth.outlets.items()
        drawn = ", ".join(f"{key} {max(outlet.drawn):.1f} of {outlet.offered_a:.1f} A" for key, outlet in outlets)
        return f"at {self.site.now:.0f} s {self.supply_a():.1f} A through the supply: {drawn}"

    # What flows ------------------------------------------------------------------------------------------------------

    def outlet(self, identity: str) -> Outlet:
        """Return the only outlet of a charge point."""
        return self.site.truth.outlets[f"{identity}/1"]

    def supply_a(self) -> float:
        """Return the amps that flow through the supply on its worst phase."""
        return max(self.site.truth.amps("supply"))

    def drawn(self, identity: str) -> float:
        """Return the amps that flow at a charge point."""
        return max(self.outlet(identity).drawn)

    def charging(self) -> set[str]:
        """Return the charge points at which current flows."""
        return {identity for identity in self.site.charge_points if self.drawn(identity) > 0.5}

    def with_cars(self) -> set[str]:
        """Return the charge points with a car."""
        return {identity for identity in self.site.charge_points if self.outlet(identity).car is not None}

    def all_charge(self) -> bool:
        """Return whether every car is given current."""
        return self.charging() == self.with_cars()

    def within_ratings(self) -> bool:
        """Return whether no circuit carries more than its rating now."""
        return all(
            amps <= rating
            for circuit in self.scenario.circuits
            for amps, rating in zip(self.site.truth.amps(circuit.circuit_id), circuit.rating_a, strict=True)
        )

    def seconds_above(self) -> float:
        """Return for how long, since the test looks, charging put the worst phase above its rating."""
        now = self._seconds_above()
        return max(now[phase] - self._above[phase] for phase in now)

    def _seconds_above(self) -> dict[tuple[str, int], float]:
        return {
            (circuit_id, number): phase.charging_s
            for circuit_id, account in self.site.truth.accounts.items()
            for number, phase in enumerate(account.phases)
        }

    # What is said ----------------------------------------------------------------------------------------------------

    def transaction(self, identity: str) -> int | str | None:
        """Return the id of the transaction that runs."""
        transaction = self.site.charge_points[identity].connectors[1].transaction
        return None if transaction is None else transaction.transaction_id

    def online(self, identity: str) -> bool:
        """Return whether a charge point is connected and accepted."""
        point = self.site.charge_points[identity]
        return point.connected and point.accepted

    def redialled(self) -> set[str]:
        """Return the charge points that had to connect anew since the test looks."""
        now = self._connections()
        return {identity for identity, count in now.items() if count != self._dials.get(identity, count)}

    def _connections(self) -> dict[str, int]:
        return {identity: point.tally["connections"] for identity, point in self.site.charge_points.items()}
