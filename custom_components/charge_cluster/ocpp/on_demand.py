"""Measurements that a charge point is asked for, and whether it sends any: that is learned, whatever it claims.

Whoever needs to know at once what a vehicle draws cannot wait for the next sample. A charge point that leaves such
calls unanswered keeps limits waiting behind them, so it is not asked any more before it boots or dials in anew.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from .conversation import Refused
from .frames import JsonObject
from .rpc import CallFailed, CallRefused, CallTimedOut

MISSED_OFTEN = 3
"""Who was asked so often in a row without sending anything is not asked any more."""

NEVER = frozenset({"NotImplemented", "NotSupported"})


class OnDemand:
    """What is known of the measurements on demand of one charge point."""

    def __init__(self, ask: Callable[[int], Awaitable[JsonObject]]) -> None:
        """`ask` sends a TriggerMessage for a connector and returns the answer to it. Raises CallFailed."""
        self._ask = ask
        self._answers = False
        self._missed = 0
        self._awaited: set[int] = set()

    @property
    def possible(self) -> bool:
        """Return whether it is worth asking."""
        return self._answers and self._missed < MISSED_OFTEN

    def begin(self, *, answers: bool) -> None:
        """Start anew with what it said when it was asked for something else in this way."""
        self._answers = answers
        self._missed = 0
        self._awaited.clear()

    def measured(self, connector: int) -> None:
        """Take note of a measurement."""
        if connector in self._awaited:
            self._awaited.discard(connector)
            self._missed = 0

    async def ask(self, connector: int) -> None:
        """Ask for a measurement of a connector. Raises CallFailed, Refused."""
        if connector in self._awaited:
            self._missed += 1
        # A measurement may come in before the answer to the question does.
        self._awaited.add(connector)
        try:
            answer = await self._ask(connector)
        except CallFailed as failure:
            self._awaited.discard(connector)
            self._missed += isinstance(failure, CallTimedOut)
            if isinstance(failure, CallRefused):
                self._answers = False
                raise Refused(failure.code) from None
            raise
        status = str(answer.get("status"))
        if status != "Accepted":
            self._awaited.discard(connector)
            self._missed += 1
            self._answers = self._answers and status not in NEVER
            raise Refused(status)
