"""Shows what a pass has moved, a few connectors in each turn of the event loop.

A pass that gives a whole fleet new limits changes thousands of states in Home Assistant. Written in one go they would
hold the loop for longer than anybody may: orders that are on their way, and whoever waits for an answer, come first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from .connector import ConnectorState

SHOWN_AT_A_TIME = 10


class Showing:
    """The connectors of one site that are still to be shown."""

    def __init__(self, show: Callable[[ConnectorState], None]) -> None:
        """Show by this."""
        self._show = show
        self._waiting: dict[str, ConnectorState] = {}
        self._turn: asyncio.Handle | None = None

    def show(self, states: Sequence[ConnectorState]) -> None:
        """Show the first of them now and the others soon, as they are then."""
        self._waiting.update((state.key, state) for state in states[SHOWN_AT_A_TIME:])
        for state in states[:SHOWN_AT_A_TIME]:
            self._waiting.pop(state.key, None)
            if not state.leaving:
                self._show(state)
        if self._waiting and self._turn is None:
            self._turn = asyncio.get_running_loop().call_soon(self._show_more)

    def close(self) -> None:
        """Show nothing any more."""
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        self._waiting.clear()

    def _show_more(self) -> None:
        self._turn = None
        self.show([self._waiting[key] for key in list(self._waiting)[:SHOWN_AT_A_TIME]])
