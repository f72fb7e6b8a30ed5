"""Full garbage collections are kept short: they hold the event loop, and orders for less current wait so long.

A full collection looks at every object that may be part of a circle, several hundred thousand in a Home Assistant. So
what lasts as long as the process is left out of it: what Home Assistant has loaded when it has started, and what came
with a fleet of charge points once that has dialled in. What is no longer referred to is freed at once all the same;
only circles among these objects that become garbage later stay. The process belongs to others, too, so that this is
done few times, its thresholds are left as they are, and no garbage of others is kept: it is collected before.
"""

import gc
from collections.abc import Callable
from datetime import datetime, timedelta

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.helpers.start import async_at_started

LOOKED_EVERY = timedelta(minutes=1)
FEWEST = 20
"""So many charge points more weigh enough."""
GROWN = 1.5
"""And so many times as many as before: it is done again for a fleet that grows, but never often."""


@callback
def async_keep_collections_short(hass: HomeAssistant, online: Callable[[], int]) -> None:
    """Begin once Home Assistant has started; `online` counts the charge points that are connected."""

    @callback
    def started(_hass: HomeAssistant) -> None:
        # Once in a process is enough, whoever did it.
        if not gc.get_freeze_count():
            gc.freeze()
        fleet = Fleet(leave_out)
        async_track_time_interval(hass, look(fleet), LOOKED_EVERY, cancel_on_shutdown=True)

    def look(fleet: Fleet) -> Callable[[datetime], None]:
        @callback
        def at(_now: datetime) -> None:
            fleet.counts(online())

        return at

    async_at_started(hass, started)


def leave_out() -> None:
    """Collect what is garbage now, and leave what lives out of later collections."""
    gc.collect()
    gc.freeze()


class Fleet:
    """Notices that a fleet has grown and come to rest: in the midst of a storm nobody is held up for this."""

    def __init__(self, rests: Callable[[], None]) -> None:
        """`rests` is called then."""
        self._rests = rests
        self._before = 0
        self._left_out = 0

    def counts(self, online: int) -> None:
        """Take note of how many charge points are connected; to be called every minute."""
        before, self._before = self._before, online
        enough = max(self._left_out + FEWEST, GROWN * self._left_out)
        if online == before and online >= enough:
            self._left_out = online
            self._rests()
