"""An event loop whose clock jumps to the next timer, so that hours of a site pass in seconds and deterministically."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, override

START_WALL = 1_800_000_000.0
"""UTC POSIX time at which virtual time begins (January 2027)."""


class _SkippingSelector(selectors.DefaultSelector):
    """A selector that never waits: what would be waited for is added to the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    @override
    def select(self, timeout: float | None = None) -> Any:
        # The loop's own pipe is there always; what comes by it is in the queue before, and nothing here ever waits.
        ready = super().select(0) if len(self.get_map()) > 1 else []
        if not ready and timeout is not None and timeout > 0:
            self.now += timeout
        elif not ready and timeout is None:
            raise RuntimeError("nothing is scheduled: the test waits for what will never happen")
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time."""

    def __init__(self) -> None:
        self._skipping = _SkippingSelector()
        super().__init__(self._skipping)

    @override
    def time(self) -> float:
        return self._skipping.now


class VirtualClock:
    """The host's clocks on a virtual loop; the wall clock can be set."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.offset = START_WALL - loop.time()
        self.right = True

    def monotonic(self) -> float:
        return self._loop.time()

    def time(self) -> float:
        return self._loop.time() + self.offset

    def synchronised(self) -> bool:
        return self.right


def run_virtually[T](story: Coroutine[Any, Any, T], loop: VirtualLoop) -> T:
    """Run a story to its end in virtual time."""
    try:
        return loop.run_until_complete(story)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
