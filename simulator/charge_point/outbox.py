"""What a charge point has to say: fresh messages, and the messages of transactions that outlive any outage.

Messages go out in the order in which they arose. Those of transactions wait through an outage and a loss of power; all
others are forgotten when the connection ends, since the present state is told anew after it.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from .link import Payload

STORED_MESSAGES = 2000
"""Most messages of transactions that are stored; beyond that the oldest MeterValues are given up."""


@dataclass(slots=True, kw_only=True)
class Message:
    """A call that waits to be sent."""

    action: str
    payload: Callable[[], Payload]
    """Made when it is sent: a transaction may get its id only then."""
    of_transaction: bool = False
    answered: Callable[[Payload], None] | None = None
    given_up: Callable[[], None] | None = None
    message_id: str | None = None
    attempts: int = 0
    not_before: float = 0.0
    serial: int = 0
    in_flight: bool = False


class Outbox:
    """The two queues."""

    def __init__(self) -> None:
        """Begin empty."""
        self._serials = count()
        self._fresh: deque[Message] = deque()
        self._stored: deque[Message] = deque()

    @property
    def stored(self) -> int:
        """Return how many messages of transactions wait."""
        return len(self._stored)

    def put(self, message: Message) -> None:
        """Queue a message."""
        message.serial = next(self._serials)
        if not message.of_transaction:
            self._fresh.append(message)
            return
        if len(self._stored) >= STORED_MESSAGES:
            self._make_room()
        self._stored.append(message)

    def next(self, now: float, *, registered: bool) -> Message | None:
        """Return the message to send now, leaving it queued; unless registered only fresh ones may go."""
        fresh = _first(self._fresh)
        stored = _first(self._stored) if registered else None
        if stored is not None and stored.not_before > now:
            stored = None
        if fresh is None or stored is None:
            return fresh or stored
        return fresh if fresh.serial < stored.serial else stored

    def retry_at(self) -> float | None:
        """Return the virtual moment at which a message that failed is due again."""
        return self._stored[0].not_before if self._stored else None

    def remove(self, message: Message) -> None:
        """Take out a message that is settled."""
        queue = self._stored if message.of_transaction else self._fresh
        if message in queue:
            queue.remove(message)

    def connection_ended(self) -> None:
        """Drop what was not of a transaction; the rest has to be sent on the next connection."""
        self._fresh.clear()
        for message in self._stored:
            message.in_flight = False

    def _make_room(self) -> None:
        for message in self._stored:
            if message.action == "MeterValues":
                self._stored.remove(message)
                return


def _first(queue: deque[Message]) -> Message | None:
    return next((message for message in queue if not message.in_flight), None)
