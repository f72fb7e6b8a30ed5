"""What a session is expected to have taken when its driver leaves, if all stays as it is now."""

from __future__ import annotations

from ..engine.model import INDUCED_CURRENT_A, NOMINAL_VOLTAGE_V
from .views import ConnectorView

SECONDS_AN_HOUR = 3600.0


def expected_wh(view: ConnectorView, now: float) -> float | None:
    """Return what a session will have taken by its departure with its present limit; None: that is not known.

    A limit follows what a vehicle draws within a minute or so (`engine.appetite`), so that the limit says how much is
    drawn; on how many phases, what flows says, and until something does those of the connector.

    Args:
        now: UTC POSIX seconds.
    """
    session = view.session
    if session is None or session.wish.departure_at is None:
        return None
    flowing = sum(amps > INDUCED_CURRENT_A for amps in view.drawn_a or ())
    given_w = view.limit_a * NOMINAL_VOLTAGE_V * (flowing or view.phases)
    expected = session.energy_wh + given_w * max(0.0, session.wish.departure_at - now) / SECONDS_AN_HOUR
    wanted_wh = session.asked_wh
    return expected if wanted_wh is None else max(session.energy_wh, min(expected, wanted_wh))
