"""A card that is shown twice: its driver does not want to wait for cheap hours or the sun, but to charge now.

What a second swipe does at a charge point is the maker's affair: most end the transaction by it, some do nothing, some
ask us. A swipe that stops must stop, so nothing is decided when a card is shown; what came of it is looked at. There
are two ways to say it:

* the card is shown while its own transaction runs, and that still runs a moment later: the charge point does not stop
  by it;
* the card has stopped its transaction, and starts another one with the same vehicle right away: the charge point does.

Both rest on the charge point asking about the card. One that begins again by itself, as some do after 0 A, does not
ask, and is not taken for a driver.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..ocpp.tokens import folded
from .connector import ConnectorState

STOPS_WITHIN_S = 10.0
"""A charge point that stops by a swipe has done so by then."""

NOT_BEFORE_S = 5.0
"""A card that is shown so soon after its transaction began was shown once, and told of twice."""

AGAIN_WITHIN_S = 120.0
"""Between the swipe that stops and the one that starts again."""

ASKED_WITHIN_S = 60.0
"""A transaction follows the card that starts it within so long."""

MOST_ASKED = 64


@dataclass(frozen=True, slots=True)
class _Shown:
    transaction_id: str
    at: float


@dataclass(frozen=True, slots=True)
class _Stopped:
    session_id: str
    token: str
    at: float


class Swipes:
    """The cards that were shown at the charge points of a site a moment ago; times in monotonic seconds."""

    def __init__(self) -> None:
        """Begin without any."""
        self._asked: dict[tuple[str, str], float] = {}
        """By charge point and token."""
        self._shown: dict[str, _Shown] = {}
        """By connector: while its own transaction ran."""
        self._stopped: dict[str, _Stopped] = {}
        self._began: dict[str, float] = {}

    def asked(self, charge_point_id: str, id_tag: str, states: list[ConnectorState], now: float) -> None:
        """Take note that a card was shown at a charge point and may charge; `states` are its connectors."""
        token = folded(id_tag)
        self._asked[charge_point_id, token] = now
        while len(self._asked) > MOST_ASKED:
            del self._asked[next(iter(self._asked))]
        own = [
            state
            for state in states
            if state.transaction is not None
            and state.transaction.id_tag is not None
            and folded(state.transaction.id_tag) == token
        ]
        # Where it charges at several connectors nobody knows which is meant.
        if len(own) != 1 or own[0].transaction is None:
            return
        state, transaction = own[0], own[0].transaction
        if now - self._began.get(state.key, now - NOT_BEFORE_S) >= NOT_BEFORE_S:
            self._shown[state.key] = _Shown(transaction.transaction_id, now)

    def started(self, state: ConnectorState, now: float) -> bool:
        """Take note that a transaction began; return whether its driver means to charge now."""
        self._began[state.key] = now
        stopped = self._stopped.pop(state.key, None)
        transaction, session = state.transaction, state.session
        if stopped is None or session is None or transaction is None or transaction.id_tag is None:
            return False
        token = folded(transaction.id_tag)
        asked_at = self._asked.get((state.charge_point_id, token))
        return (
            token == stopped.token
            and session.session_id == stopped.session_id
            and now - stopped.at <= AGAIN_WITHIN_S
            and asked_at is not None
            and stopped.at < asked_at
            and now - asked_at <= ASKED_WITHIN_S
        )

    def stops(self, state: ConnectorState, now: float) -> None:
        """Take note that the transaction at a connector ends, while it is still known."""
        self._shown.pop(state.key, None)
        self._stopped.pop(state.key, None)
        transaction, session = state.transaction, state.session
        if transaction is None or session is None or transaction.id_tag is None:
            return
        self._stopped[state.key] = _Stopped(session.session_id, folded(transaction.id_tag), now)

    def due(self, now: float) -> list[tuple[str, str]]:
        """Return (connector, transaction) where a card was shown and its transaction has not been stopped by it."""
        due = [(key, shown) for key, shown in self._shown.items() if now - shown.at >= STOPS_WITHIN_S]
        for key, _ in due:
            del self._shown[key]
        return [(key, shown.transaction_id) for key, shown in due]

    def forget(self, key: str) -> None:
        """Forget a connector that is gone."""
        for book in (self._shown, self._stopped, self._began):
            book.pop(key, None)
