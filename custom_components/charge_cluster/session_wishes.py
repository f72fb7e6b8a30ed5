"""What a driver wishes of a session, as entities and actions take it: refused in words where it cannot be.

A wish belongs to the session: nothing is kept where nothing is plugged in, and an entity shows nothing then.
"""

from datetime import timedelta
from typing import Unpack

from homeassistant.core import callback
from homeassistant.exceptions import ServiceValidationError
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .entity import ConnectorEntity
from .site.session_wish import FARTHEST_DEPARTURE_S, MOST_WANTED_WH, SessionWish, WishChange, WishRefused
from .site.settings import MAXIMUM_PRIORITY
from .site.views import ConnectorView

WH_PER_KWH = 1000.0
MOST_WANTED_KWH = MOST_WANTED_WH / WH_PER_KWH


def refused(error: WishRefused, connector: str) -> ServiceValidationError:
    """Return what is said of a wish that cannot be taken, with what could be."""
    farthest = timedelta(seconds=FARTHEST_DEPARTURE_S)
    return ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key=error.fault,
        translation_placeholders={
            "connector": connector,
            "days": str(farthest.days),
            "latest": f"{dt_util.now() + farthest:%Y-%m-%d %H:%M}",
            "most_kwh": f"{MOST_WANTED_KWH:g}",
            "most_priority": str(MAXIMUM_PRIORITY),
        },
    )


def wish_of(view: ConnectorView) -> SessionWish | None:
    """Return what counts of the wish of the session that runs; None: none runs."""
    return None if view.session is None else view.session.wish


class SessionWishEntity(ConnectorEntity):
    """A wish of the session at a connector."""

    @callback
    def wish_session(self, **changes: Unpack[WishChange]) -> None:
        """Change what is wished of the session. Raises ServiceValidationError."""
        try:
            self.coordinator.site.wish_session(self.subject.subject_id, **changes)
        except WishRefused as error:
            raise refused(error, self._connector) from error

    @property
    def _connector(self) -> str:
        """Return how the connector is called: as its device."""
        device = self.device_entry
        return "" if device is None else device.name_by_user or device.name or ""
