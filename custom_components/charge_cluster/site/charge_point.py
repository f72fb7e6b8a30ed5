"""One charge point while the site runs: its charger, and what it says of itself beside its connectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..chargers import Charger, DeviceIdentity
from .commissioning.findings import CommissionedView
from .settings import ChargePointSettings
from .views import ChargePointView, connector_key


@dataclass(slots=True, kw_only=True)
class ChargePointState:
    """A charge point of the site and its charger."""

    settings: ChargePointSettings
    charger: Charger
    stop_listening: Callable[[], None]
    online: bool = False
    identity: DeviceIdentity = field(default_factory=DeviceIdentity)
    last_heard_at: float | None = None
    strangers: dict[int, float] = field(default_factory=dict)
    """Connectors that it tells of and that are not configured, with what they were measured to draw."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Return the ids of its connectors within the site."""
        return tuple(connector_key(self.settings.charge_point_id, c.number) for c in self.settings.connectors)

    def know(self, settings: ChargePointSettings) -> bool:
        """Take over what is configured, and return whether somebody is no stranger any more."""
        self.settings = settings
        known = self.strangers.keys() & {connector.number for connector in settings.connectors}
        for number in known:
            del self.strangers[number]
        return bool(known)

    def view(self, commissioned: CommissionedView) -> ChargePointView:
        """Return the picture of it."""
        return ChargePointView(
            charge_point_id=self.settings.charge_point_id,
            online=self.online,
            identity=self.identity,
            last_heard_at=self.last_heard_at,
            commissioned=commissioned,
            strangers=tuple(sorted(self.strangers)),
        )
