"""Charge points that are refused for a while, to see what they do by themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class _Refused:
    until: float
    """Monotonic seconds."""
    knocks: int = 0


class ShutOut:
    """Those of one listener that may not come in for now."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """Begin without any."""
        self._monotonic = monotonic
        self._refused: dict[str, _Refused] = {}

    def shut(self, identity: str, for_s: float) -> None:
        """Refuse a charge point for so long; 0: it may come in again."""
        if for_s > 0.0:
            self._refused[identity] = _Refused(self._monotonic() + for_s)
        else:
            self._refused.pop(identity, None)

    def knocks(self, identity: str) -> int:
        """Return how often a charge point has come since it was shut out."""
        refused = self._refused.get(identity)
        return 0 if refused is None else refused.knocks

    def refuses(self, identity: str) -> bool:
        """Return whether a charge point that has just come stays outside."""
        refused = self._refused.get(identity)
        if refused is None:
            return False
        if self._monotonic() >= refused.until:
            del self._refused[identity]
            return False
        refused.knocks += 1
        return True
