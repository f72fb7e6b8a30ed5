"""Whether what was asked for can be had at all, and what is said where it cannot."""

from __future__ import annotations

from collections.abc import Mapping

from ..engine.model import NOMINAL_VOLTAGE_V, PLAN_MODES
from .connector import ConnectorState
from .plan import SECONDS_AN_HOUR, PlanView, Said
from .session import Session

LACKS_WH = 300.0
LACKS_SHARE = 0.02
"""What lacks is told where it is more than both."""

LOOKED_AGAIN_S = 60.0
"""So often a wish of a session without a plan is judged anew."""


class WishWatch:
    """Watches what drivers asked for at connectors where nothing is planned."""

    def __init__(self) -> None:
        """Begin with nothing looked at."""
        self._told: dict[str, tuple[object, float, PlanView | None]] = {}
        """What was found, and when (UTC POSIX seconds)."""

    def view(self, key: str) -> PlanView | None:
        """Return what is to be shown of the wish at a connector; None: it can be had, or there is none."""
        told = self._told.get(key)
        return None if told is None else told[2]

    def look(self, states: Mapping[str, ConnectorState], now: float) -> set[str]:
        """Judge anew what has changed; return the connectors of which something else is to be shown."""
        moved = set()
        for key in self._told.keys() - states.keys():
            del self._told[key]
        for state in states.values():
            session = state.session
            wish = None if session is None else session.wish
            asked_wh = None if session is None else session.asked_wh
            asked = wish is not None and wish.departure_at is not None and asked_wh is not None
            if session is None or not asked or state.connector.mode in PLAN_MODES:
                if self._told.pop(state.key, (None, 0.0, None))[2] is not None:
                    moved.add(state.key)
                continue
            about = (session.session_id, wish, state.connector, session.target, session.soc)
            before = self._told.get(state.key)
            if before is not None and before[0] == about and 0.0 <= now - before[1] < LOOKED_AGAIN_S:
                continue
            view = impossible(state, session, now)
            self._told[state.key] = (about, now, view)
            if view != (None if before is None else before[2]):
                moved.add(state.key)
        return moved


def worth_telling(lacks_wh: float, wanted_wh: float) -> float:
    """Return what lacks, to a tenth of a kilowatt-hour; 0 where it is not worth a word."""
    return round(lacks_wh, -2) if lacks_wh > max(LACKS_WH, LACKS_SHARE * wanted_wh) else 0.0


def most_power_w(state: ConnectorState, phases: int) -> float:
    """Return the most that a connector gives on so many phases."""
    connector = state.connector
    most = connector.maximum_a if connector.cap_a is None else min(connector.cap_a, connector.maximum_a)
    return max(most, connector.minimum_a) * phases * NOMINAL_VOLTAGE_V


def impossible(state: ConnectorState, session: Session, now: float) -> PlanView | None:
    """Return what is said of a wish that cannot be met with all that the connector can give; None: it can be."""
    wish, connector = session.wish, state.connector
    asked_wh = session.asked_wh
    if wish.departure_at is None or asked_wh is None:
        return None
    most_w = most_power_w(state, len(connector.phases))
    remaining_wh = asked_wh - session.energy_wh
    lacks = worth_telling(remaining_wh - most_w * (wish.departure_at - now) / SECONDS_AN_HOUR, asked_wh)
    if not lacks:
        return None
    return PlanView(
        mode=connector.mode,
        shortfall_wh=lacks,
        possible_at=wish.departure_at + SECONDS_AN_HOUR * lacks / most_w,
        promised=True,
        leave_at=wish.departure_at,
        leave_by=Said.DRIVER,
    )
