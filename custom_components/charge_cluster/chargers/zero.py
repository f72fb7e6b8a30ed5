"""Does 0 A end a transaction at this charger?

Most chargers pause at 0 A and go on when they may. Some end the transaction: the vehicle stands there, plugged in, and
nobody charges it again. An end counts that comes by itself soon after 0 A came into force, and for which the charger
has no reason that somebody gave it. Who does it twice in a row is known for it until a pause is outlived, and so are
others of its model and firmware.
"""

from __future__ import annotations

from dataclasses import dataclass

ENDS_WITHIN_S = 60.0
"""An end later than this has nothing to do with the limit."""
RESUME_AGAIN_S = 45.0
RESUME_ATTEMPTS = 3
"""A vehicle that does not wake up from its pause is not started for ever."""
KNOWN_AFTER = 2
"""So many ends in a row are no accident."""

EXPLAINED = frozenset(
    {
        "DeAuthorized",
        "EmergencyStop",
        "EVDisconnected",
        "HardReset",
        "ImmediateReset",
        "Local",
        "LocalOutOfCredit",
        "MasterPass",
        "PowerLoss",
        "PowerQuality",
        "Reboot",
        "Remote",
        "SOCLimitReached",
        "SoftReset",
        "UnlockCommand",
    }
)
"""Reasons of an end that somebody gave, or that an outage did; in 1.6 and 2.x."""


@dataclass(slots=True)
class ZeroWatch:
    """What one connector made of limits of 0 A."""

    nothing_since: float | None = None
    """Since when (monotonic) the running transaction is held at 0 A; None: it is not."""
    ends: int = 0
    """Transactions in a row that ended by that."""
    outlived: bool = False
    """Whether the last one that was held at 0 A for long went on."""

    @property
    def known(self) -> bool:
        """Return whether 0 A ends transactions here."""
        return self.ends >= KNOWN_AFTER

    def held(self, amps: float, now: float) -> None:
        """Take note of a limit that the charger took for its transaction."""
        if amps > 0:
            self._outlived(now)
            self.nothing_since = None
        elif self.nothing_since is None:
            self.nothing_since = now

    def ended(self, reason: str | None, now: float) -> bool:
        """Take note of the end of its transaction; return whether that came of 0 A."""
        since, self.nothing_since = self.nothing_since, None
        if since is None or reason in EXPLAINED:
            return False
        if now - since > ENDS_WITHIN_S:
            self._lasts()
            return False
        self.ends += 1
        self.outlived = False
        return True

    def _outlived(self, now: float) -> None:
        if self.nothing_since is not None and now - self.nothing_since > ENDS_WITHIN_S:
            self._lasts()

    def _lasts(self) -> None:
        self.ends, self.outlived = 0, True


@dataclass(slots=True)
class Resumption:
    """Starting a transaction again that 0 A ended, for the same driver, as soon as there is current for it."""

    _tag: str | None = None
    """Whose it was; None: nobody's, so that nothing is resumed."""
    _attempts: int = 0
    _tried_at: float = float("-inf")

    @property
    def wanted(self) -> bool:
        """Return whether a vehicle waits to be started again."""
        return self._tag is not None

    def begin(self, tag: str | None) -> None:
        """0 A ended a transaction with this token."""
        self._tag, self._attempts = tag, 0

    def over(self) -> None:
        """It charges again, or has left."""
        self._tag = None

    def attempt(self, now: float) -> str | None:
        """Return the token to start with now; None: not now, or never again after so many attempts."""
        if self._tag is None or now < self._tried_at + RESUME_AGAIN_S:
            return None
        if self._attempts >= RESUME_ATTEMPTS:
            self._tag = None
            return None
        self._attempts += 1
        self._tried_at = now
        return self._tag
