"""Bounds on how often things happen: messages of a peer, newcomers of an address, lines in the log.

The one idea is the token bucket: so many at once, so many a second in the long run.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable


class Allowance:
    """A token bucket: `burst` at once, `rate_per_s` in the long run. Times are monotonic seconds."""

    __slots__ = ("_at", "_tokens", "burst", "rate_per_s")

    def __init__(self, *, rate_per_s: float, burst: float) -> None:
        self.rate_per_s = rate_per_s
        self.burst = burst
        self._tokens = burst
        self._at: float | None = None

    def take(self, now: float, tokens: float = 1.0) -> float:
        """Take tokens, into debt if need be, and return the seconds to wait until the debt is paid."""
        self._refill(now)
        self._tokens -= tokens
        return 0.0 if self._tokens >= 0 else -self._tokens / self.rate_per_s

    def take_if_free(self, now: float) -> bool:
        """Take one token if there is one."""
        self._refill(now)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _refill(self, now: float) -> None:
        if self._at is not None:
            self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate_per_s)
        self._at = now


class AllowancePerAddress:
    """One allowance for each remote address; only so many addresses are remembered."""

    def __init__(self, *, rate_per_s: float, burst: float, addresses: int = 1024) -> None:
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._addresses = addresses
        self._known: OrderedDict[str, Allowance] = OrderedDict()

    def take_if_free(self, address: str, now: float) -> bool:
        """Take one token of the address if it has one."""
        allowance = self._known.pop(address, None)
        if allowance is None:
            allowance = Allowance(rate_per_s=self._rate_per_s, burst=self._burst)
            if len(self._known) >= self._addresses:
                self._known.popitem(last=False)
        self._known[address] = allowance
        return allowance.take_if_free(now)


class CalmLog:
    """A logger for what a peer can provoke: a few lines at once, then one a minute, with the count left out."""

    def __init__(self, logger: logging.Logger, monotonic: Callable[[], float]) -> None:
        self._logger = logger
        self._monotonic = monotonic
        self._allowance = Allowance(rate_per_s=1 / 60, burst=5)
        self._left_out = 0

    def warning(self, text: str, *values: object) -> None:
        """Write the line, or count it."""
        if not self._allowance.take_if_free(self._monotonic()):
            self._left_out += 1
            return
        if self._left_out:
            text += f" ({self._left_out} such lines left out)"
            self._left_out = 0
        self._logger.warning(text, *values)


class CalmLogPerName:
    """One calm log for each name, so that one cannot use up the lines of another; only so many are remembered."""

    def __init__(self, logger: logging.Logger, monotonic: Callable[[], float], *, names: int = 2048) -> None:
        self._logger = logger
        self._monotonic = monotonic
        self._names = names
        self._known: OrderedDict[str, CalmLog] = OrderedDict()

    def of(self, name: str) -> CalmLog:
        """Return the log of a name, which lasts longer than its connections."""
        log = self._known.pop(name, None)
        if log is None:
            log = CalmLog(self._logger, self._monotonic)
            if len(self._known) >= self._names:
                self._known.popitem(last=False)
        self._known[name] = log
        return log
