"""Timestamps of the wire, and how far a charger's clock is from ours.

A message arrives some time after it was stamped, never before. So the largest of the last differences between stamp and
arrival is the best estimate of the clock's offset, and a charger that delivers old messages cannot spoil it. At first a
charger is believed to have the time that it was told when it booted: a stamp that is behind is then an old message,
until several stamps, some time apart, agree that it is the clock.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime

CONSIDERED = 5
"""Stamps that an estimate rests on."""
AGREEMENT_S = 2.0
AGREEING = 3
AGREEING_SPAN_S = 8.0
"""So many stamps over so much time at the same distance are a clock: a queue of old messages is delivered at once."""
CONFIRMED_UNCERTAINTY_S = 2.0
"""Stamps have a resolution of a second, and a message may be a second on its way."""
SINGLE_UNCERTAINTY_S = 5.0
UNKNOWN_UNCERTAINTY_S = 30.0
"""Nothing is known yet: the charger was told the time when it booted, and is believed to be near it."""

EARLIEST_S = 0.0
LATEST_S = datetime(2200, 1, 1, tzinfo=UTC).timestamp()
MAX_STAMP = 40


def stamp(posix_s: float) -> str:
    """Return a UTC time as OCPP writes it, to the millisecond."""
    moment = datetime.fromtimestamp(min(max(posix_s, EARLIEST_S), LATEST_S), UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_stamp(raw: object) -> float | None:
    """Return UTC POSIX seconds, or None for what is no time. A time without zone is taken as UTC."""
    if not isinstance(raw, str) or len(raw) > MAX_STAMP:
        return None
    try:
        moment = datetime.fromisoformat(raw.strip())
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        posix_s = moment.timestamp()
    except OverflowError, ValueError:
        return None
    return posix_s if EARLIEST_S <= posix_s <= LATEST_S else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockOffset:
    """What has to be added to our time to get the charger's, and how wrong that may be."""

    offset_s: float
    uncertainty_s: float


class ChargerClock:
    """Estimates the offset of a charger's clock from the stamps of its messages."""

    def __init__(self) -> None:
        """Believe that it has our time."""
        self._seen: deque[tuple[float, float]] = deque(maxlen=CONSIDERED)
        self._believed_s: float | None = 0.0
        self._offset: ClockOffset | None = None
        """The present estimate, once somebody asked for it."""
        self.known = False
        """Whether any stamp was seen."""

    def saw(self, stamped_s: float, arrived_s: float) -> None:
        """Note a stamp; both times are UTC POSIX seconds."""
        self.known, self._offset = True, None
        seen = self._seen
        seen.append((stamped_s - arrived_s, arrived_s))
        if len(seen) == CONSIDERED:
            self._believed_s = None
        if len(seen) < AGREEING or arrived_s - seen[-AGREEING][1] < AGREEING_SPAN_S:
            return
        last = [seen[place] for place in range(-AGREEING, 0)]
        differences = [difference for difference, _ in last]
        if max(differences) - min(differences) <= AGREEMENT_S:
            self._believed_s = None
            while len(seen) > AGREEING:
                seen.popleft()

    def forget(self) -> None:
        """Start anew: the charger restarted and was told the time."""
        self._seen.clear()
        self._believed_s = 0.0
        self._offset = None
        self.known = False

    @property
    def offset(self) -> ClockOffset:
        """Return the present estimate."""
        if self._offset is None:
            self._offset = self._estimate()
        return self._offset

    def _estimate(self) -> ClockOffset:
        differences = [difference for difference, _ in self._seen]
        if self._believed_s is not None:
            differences.append(self._believed_s)
        most = max(differences)
        if not self.known:
            return ClockOffset(offset_s=most, uncertainty_s=UNKNOWN_UNCERTAINTY_S)
        agreeing = sum(1 for difference in differences if most - difference <= AGREEMENT_S)
        return ClockOffset(
            offset_s=most, uncertainty_s=CONFIRMED_UNCERTAINTY_S if agreeing > 1 else SINGLE_UNCERTAINTY_S
        )

    def age(self, stamped_s: float, arrived_s: float) -> float:
        """Return how old a stamped value was when it arrived, in seconds."""
        return max(0.0, arrived_s - (stamped_s - self.offset.offset_s))
