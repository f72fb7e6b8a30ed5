"""Timestamps of the wire, and how far a charger's clock is from ours.

A message arrives some time after it was stamped, never before. So the largest of the last differences between stamp and
arrival is the best estimate of the clock's offset, and a charger that delivers old messages cannot spoil it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime

CONSIDERED = 5
"""Stamps that an estimate rests on: after a charger set its clock back, this many are needed to notice."""
AGREEMENT_S = 2.0
CONFIRMED_UNCERTAINTY_S = 2.0
"""Stamps have a resolution of a second, and a message may be a second on its way."""
SINGLE_UNCERTAINTY_S = 5.0
UNKNOWN_UNCERTAINTY_S = 30.0
"""Nothing is known yet: the charger was told the time when it booted, and is believed to be near it."""

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)


def stamp(posix_s: float) -> str:
    """Return a UTC time as OCPP writes it, to the millisecond."""
    moment = min(max(datetime.fromtimestamp(posix_s, UTC), EARLIEST), LATEST)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_stamp(raw: object) -> float | None:
    """Return UTC POSIX seconds, or None for what is no time. A time without zone is taken as UTC."""
    if not isinstance(raw, str) or len(raw) > 40:
        return None
    try:
        moment = datetime.fromisoformat(raw.strip())
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        return moment.timestamp()
    except OverflowError, ValueError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockOffset:
    """What has to be added to our time to get the charger's, and how wrong that may be."""

    offset_s: float
    uncertainty_s: float


class ChargerClock:
    """Estimates the offset of a charger's clock from stamps that were fresh when they arrived."""

    def __init__(self) -> None:
        self._differences: deque[float] = deque(maxlen=CONSIDERED)

    def saw(self, stamped_s: float, arrived_s: float) -> None:
        """Note a stamp; both times are UTC POSIX seconds."""
        self._differences.append(stamped_s - arrived_s)

    def forget(self) -> None:
        """The charger restarted, and may have set its clock."""
        self._differences.clear()

    @property
    def known(self) -> bool:
        """Return whether any stamp was seen."""
        return bool(self._differences)

    @property
    def offset(self) -> ClockOffset:
        """Return the present estimate."""
        if not self._differences:
            return ClockOffset(offset_s=0.0, uncertainty_s=UNKNOWN_UNCERTAINTY_S)
        most = max(self._differences)
        agreeing = sum(1 for difference in self._differences if most - difference <= AGREEMENT_S)
        return ClockOffset(
            offset_s=most, uncertainty_s=CONFIRMED_UNCERTAINTY_S if agreeing > 1 else SINGLE_UNCERTAINTY_S
        )

    def age(self, stamped_s: float, arrived_s: float) -> float:
        """Return how old a stamped value was when it arrived, in seconds."""
        if not self._differences:
            return 0.0
        return max(0.0, arrived_s - (stamped_s - self.offset.offset_s))
