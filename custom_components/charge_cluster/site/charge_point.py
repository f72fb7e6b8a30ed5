"""One charge point while the site runs: its charger, and what it says of itself beside its connectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..chargers import Charger, DeviceIdentity
from .settings import ChargePointSettings
from .views import ChargePointView


@dataclass(slots=True, kw_only=True)
class ChargePointState:
    """A charge point of the site and its charger."""

    settings: ChargePointSettings
    charger: Charger
    stop_listening: Callable[[], None]
    online: bool = False
    identity: DeviceIdentity = field(default_factory=DeviceIdentity)
    last_heard_at: float | None = None

    def view(self) -> ChargePointView:
        """Return the picture of it."""
        return ChargePointView(
            charge_point_id=self.settings.charge_point_id,
            online=self.online,
            identity=self.identity,
            last_heard_at=self.last_heard_at,
        )
