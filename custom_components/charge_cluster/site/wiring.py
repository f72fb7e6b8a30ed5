"""What connects a site to the world outside: its chargers, its meters and the port that charge points dial.

The site asks for them by their settings and knows nothing of what is behind; tests answer with a physical site.
"""

from __future__ import annotations

from typing import Protocol

from ..chargers import Charger
from ..meters import Meter
from .settings import ChargePointSettings, MeterSettings, SiteSettings


class Wiring(Protocol):
    """What connects a site to its chargers and meters."""

    async def prepare(self, settings: SiteSettings) -> None:
        """Make ready what the settings need before anything is changed; raises what keeps them from being applied."""

    def charger(self, point: ChargePointSettings) -> Charger:
        """Return the charger of a charge point."""

    def reconfigure(self, charger: Charger, point: ChargePointSettings) -> None:
        """Tell a charger what changed about it."""

    def meter(self, settings: MeterSettings) -> Meter:
        """Return a meter, not started yet."""

    def shut_door(self, point: ChargePointSettings, for_s: float) -> None:
        """Close the connection of a charge point and refuse it for so long; 0: let it in again."""

    def knocks(self, point: ChargePointSettings) -> int:
        """Return how often it was refused since the door was shut."""

    async def settle(self, settings: SiteSettings) -> None:
        """Take note that the settings are in force, and let go of what they do not need any more."""
