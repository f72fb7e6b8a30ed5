"""What a charge point has to say: fresh messages, and the messages of transactions that outlive any outage.

Messages go out in the order in which they arose. Those of transactions wait through an outage and a loss of power; all
others are forgotten when the connection ends, since the present state is told anew after it.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from .link import Payload
from .misbehaviour import Backlog

STORED_MESSAGES = 2000
"""Most messages of transactions that are stored; beyond that the oldest measured values are given up."""


@dataclass(slots=True, kw_only=True)
class Message:
    """A call that waits to be sent."""

    action: str
    payload: Callable[[], Payload]
    """Made when it is sent: a transaction may get its id only then."""
    of_transaction: bool = False
    minor: bool = False
    """Given up first where there is no room: measured values."""
    answered: Callable[[Payload], None] | None = None
    given_up: Callable[[], None] | None = None
    message_id: str | None = None
    attempts: int = 0
    not_before: float = 0.0
    serial: int = 0
    in_flight: bool = False
    waited: bool = False
    """It waits since before the connection was made."""


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

    def next(self, now: float, *, registered: bool, backlog: Backlog | None = None) -> Message | None:
        """Return the message to send now, leaving it queued; unless registered only fresh ones may go.

        `backlog` is the order in which those come that waited through an outage; None: the order in which they arose.
        """
        fresh = _first(self._fresh)
        stored = None
        if registered:
            stored = _first(self._stored) if backlog is None else _pick(self._stored, backlog)
        if stored is not None and stored.not_before > now:
            stored = None
        if backlog is Backlog.AFTER_FRESH and fresh is not None and stored is not None and stored.waited:
            return fresh
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

    def connection_made(self) -> None:
        """Note what has waited for it."""
        for message in self._stored:
            message.waited = True

    def _make_room(self) -> None:
        for message in self._stored:
            if message.minor:
                self._stored.remove(message)
                return


def _pick(queue: deque[Message], backlog: Backlog) -> Message | None:
    """Return the next message where those that waited are out of order."""
    waiting = [message for message in queue if not message.in_flight]
    late = [message for message in waiting if message.waited]
    newer = next((message for message in waiting if not message.waited), None)
    if not late:
        return newer
    match backlog:
        case Backlog.NEWEST_FIRST:
            return late[-1]
        case Backlog.SHUFFLED:
            return min(late, key=lambda message: message.serial * SHUFFLER % SHUFFLES)
        case Backlog.AFTER_FRESH:
            return newer or late[0]


SHUFFLER, SHUFFLES = 7919, 104_729
"""Primes that scatter serial numbers."""


def _first(queue: deque[Message]) -> Message | None:
    return next((message for message in queue if not message.in_flight), None)
