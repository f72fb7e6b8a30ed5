"""The host's two clocks, and whether the wall clock can be believed."""

from __future__ import annotations

import time

LEAST_PLAUSIBLE_TIME = 1_790_000_000.0
"""A host whose clock is before September 2026 has not been told the time yet: this version did not exist then."""


class SystemClock:
    """`ocpp.protocols.Clock` of this machine."""

    def monotonic(self) -> float:
        """Return seconds that never jump."""
        return time.monotonic()

    def time(self) -> float:
        """Return UTC POSIX seconds."""
        return time.time()

    def synchronised(self) -> bool:
        """Return whether the wall clock is plausible."""
        return time.time() >= LEAST_PLAUSIBLE_TIME
