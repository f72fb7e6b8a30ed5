"""The charging profiles that one charge point holds: what is installed, replaced, cleared and lost without power."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .profiles import Profile, Purpose, Stacks

WHOLE_STATION = 0
"""Connector number that stands for the whole charge point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A profile and the connector that it was installed for."""

    connector: int
    profile: Profile
    payload: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """As it was received, where somebody may ask for that."""


class ProfileStore:
    """Profiles by connector; a new one replaces the one with its id, or with its connector, purpose and stack level."""

    def __init__(self) -> None:
        """Begin with none."""
        self._installed: list[Installed] = []

    @property
    def installed(self) -> Sequence[Installed]:
        """Return what is held now."""
        return tuple(self._installed)

    def replaces(self, connector: int, profile: Profile) -> bool:
        """Return whether installing it would take the place of another."""
        return any(_same_place(one, connector, profile) for one in self._installed)

    def install(self, connector: int, profile: Profile, payload: Mapping[str, Any] | None = None) -> None:
        """Hold a profile for a connector (0: for all of them)."""
        self._installed = [one for one in self._installed if not _same_place(one, connector, profile)]
        self._installed.append(Installed(connector=connector, profile=profile, payload=payload or {}))

    def clear(
        self,
        *,
        profile_id: int | None = None,
        connector: int | None = None,
        purpose: Purpose | None = None,
        stack_level: int | None = None,
    ) -> int:
        """Remove all profiles that meet every criterion given; return how many they were."""

        def met(one: Installed) -> bool:
            profile = one.profile
            if profile_id is not None:
                return profile.profile_id == profile_id
            return (
                (connector is None or one.connector == connector)
                and (purpose is None or profile.purpose is purpose)
                and (stack_level is None or profile.stack_level == stack_level)
            )

        return self._remove(met)

    def end_transaction(self, connector: int) -> None:
        """Forget the profiles of a connector's transaction."""
        self._remove(lambda one: one.connector == connector and one.profile.purpose is Purpose.TRANSACTION)

    def lose_power(self, *, defaults_survive: bool) -> None:
        """Forget what does not survive a restart: transactions' profiles always, the others by model."""
        self._remove(lambda one: one.profile.purpose is Purpose.TRANSACTION or not defaults_survive)

    def stay_offline(self, offline_s: float) -> None:
        """Forget the profiles that do not come back after so long without the central system."""
        self._remove(lambda one: one.profile.ends_offline and not one.profile.outlasts(offline_s))

    def stacks(self, connector: int, *, transaction_began: float | None, offline_s: float = 0.0) -> Stacks:
        """Return what concerns one connector; its own default profile comes before the station's on the same level."""
        valid = [one for one in self._installed if one.profile.outlasts(offline_s)]
        own = [one.profile for one in valid if one.connector == connector]
        common = [one.profile for one in valid if one.connector == WHOLE_STATION]
        own_levels = {profile.stack_level for profile in own if profile.purpose is Purpose.DEFAULT}
        return Stacks(
            station=tuple(profile for profile in common if profile.purpose is Purpose.STATION),
            default=(
                *(profile for profile in own if profile.purpose is Purpose.DEFAULT),
                *(
                    profile
                    for profile in common
                    if profile.purpose is Purpose.DEFAULT and profile.stack_level not in own_levels
                ),
            ),
            transaction=tuple(profile for profile in own if profile.purpose is Purpose.TRANSACTION),
            transaction_began=transaction_began,
        )

    def station_only(self, *, offline_s: float = 0.0) -> Stacks:
        """Return what concerns the charge point as a whole."""
        valid = (one.profile for one in self._installed if one.profile.outlasts(offline_s))
        return Stacks(station=tuple(profile for profile in valid if profile.purpose is Purpose.STATION))

    def _remove(self, met: Callable[[Installed], bool]) -> int:
        before = len(self._installed)
        self._installed = [one for one in self._installed if not met(one)]
        return before - len(self._installed)


def _same_place(one: Installed, connector: int, profile: Profile) -> bool:
    if one.profile.profile_id == profile.profile_id:
        return True
    return (
        one.connector == connector
        and one.profile.purpose is profile.purpose
        and one.profile.stack_level == profile.stack_level
    )
