"""Connectors that a charge point tells of and that are not configured: nobody's, and so without current.

They are told of, so that somebody can accept them, and held at 0 A until then, whether something charges there or not.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from ..ocpp.conversation import (
    Conversation,
    LimitWish,
    Measured,
    StatusReported,
    TransactionClosed,
    TransactionOpened,
)
from . import ChargerEvent, StrangerSeen

DRAWS_A = 1.0
"""From here on current flows."""
HELD_S = 86400.0
"""So long a limit is said to hold; what it then passes into is 0 A as well."""
AGAIN_S = 60.0
"""One that draws all the same is told so again after this time."""
MAXIMUM = 64


@dataclass(slots=True)
class Stranger:
    """A connector that is not configured."""

    held_at: float = float("-inf")
    """When it was told last to give no current."""
    drawn_a: float = 0.0


class Strangers:
    """Those of one charge point."""

    def __init__(
        self,
        conversation: Conversation,
        *,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        tell: Callable[[ChargerEvent], None],
        monotonic: Callable[[], float],
    ) -> None:
        """Know of none."""
        self._conversation = conversation
        self._spawn = spawn
        self._tell = tell
        self._monotonic = monotonic
        self._known: dict[int, Stranger] = {}

    def heard_of(self, report: StatusReported | Measured | TransactionOpened | TransactionClosed) -> None:
        """Take what the charge point tells of a connector that is not configured."""
        number = report.connector
        met = number in self._known
        stranger = self.meet(number)
        if stranger is None:
            return
        if isinstance(report, TransactionOpened) and met:
            self._spawn(self._hold(number, stranger))
        if isinstance(report, Measured):
            drew, draws = stranger.drawn_a >= DRAWS_A, max(report.amps) >= DRAWS_A
            stranger.drawn_a = max(report.amps)
            if draws and self._monotonic() - stranger.held_at >= AGAIN_S:
                self._spawn(self._hold(number, stranger))
            if drew != draws:
                self._tell(StrangerSeen(connector=number, drawn_a=stranger.drawn_a))

    def meet(self, number: int) -> Stranger | None:
        """Return a connector that is not configured; a new one is told of and held. None: there are too many."""
        stranger = self._known.get(number)
        if stranger is None and len(self._known) < MAXIMUM:
            stranger = self._known[number] = Stranger()
            self._tell(StrangerSeen(connector=number))
            self._spawn(self._hold(number, stranger))
        return stranger

    def accepted(self, number: int) -> None:
        """One is configured now, and somebody else's affair."""
        self._known.pop(number, None)

    def present(self) -> list[ChargerEvent]:
        """Return what tells of all of them."""
        return [StrangerSeen(connector=number, drawn_a=one.drawn_a) for number, one in self._known.items()]

    def hold_all(self) -> None:
        """Leave all of them without current: the charge point may have forgotten it."""
        for number, stranger in self._known.items():
            self._spawn(self._hold(number, stranger))

    async def _hold(self, number: int, stranger: Stranger) -> None:
        if not self._conversation.online:
            return
        stranger.held_at = self._monotonic()
        await self._conversation.store_fallback(number, 0.0)
        if number in self._known and self._conversation.running_transaction(number) is not None:
            await self._conversation.hold_limit(number, LimitWish(amps=0.0, fallback_a=0.0, validity_s=HELD_S))
