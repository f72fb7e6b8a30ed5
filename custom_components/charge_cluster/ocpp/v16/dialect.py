"""How charging profiles are spelled in OCPP 1.6, and how its composite schedules are read."""

from __future__ import annotations

from ..frames import JsonObject
from ..profiles import ChargingProfile, Composite, ProfileAbilities, RateUnit
from ..schedules import read_composite
from . import requests
from .configuration import Configuration


class Dialect16:
    """One charge point's charging profiles in OCPP 1.6. See `ocpp.profiles.ProfileDialect`."""

    def __init__(self, configuration: Configuration) -> None:
        """Read what it can do from its configuration keys, whenever it is asked for."""
        self._configuration = configuration

    @property
    def abilities(self) -> ProfileAbilities:
        """Return what the charger says it can do with profiles."""
        return self._configuration.abilities

    @property
    def connectors(self) -> int | None:
        """Return how many connectors it says to have."""
        return self._configuration.connectors

    def set_profile(self, connector: int, profile: ChargingProfile) -> JsonObject:
        """Return the payload that asks to hold a profile at a connector (0: the station)."""
        return requests.set_charging_profile(connector, profile)

    def wire_id(self, profile_id: int) -> int:
        """Return the id that a profile of ours has in the charger."""
        return profile_id

    def clear_profile(self, wire_id: int) -> JsonObject:
        """Return the payload that asks to forget one profile."""
        return requests.clear_charging_profile(wire_id)

    def composite_schedule(self, connector: int, duration_s: int, unit: RateUnit) -> JsonObject:
        """Return the payload that asks what limits follow from all profiles."""
        return requests.get_composite_schedule(connector, duration_s, unit)

    def read_composite(self, answer: JsonObject) -> Composite | None:
        """Return what the answer to that says.

        Chargers have been seen to accept and send no schedule, one without periods, or -1 for a unit they don't have.
        """
        schedule = answer.get("chargingSchedule")
        if answer.get("status") != "Accepted" or not isinstance(schedule, dict):
            return None
        return read_composite(schedule)
