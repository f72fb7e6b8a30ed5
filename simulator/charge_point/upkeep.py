"""New firmware and logs: errands that take their time and tell how far they are.

An errand is a row of stages, each with the seconds that it takes. What a stage is called, and in which message it is
told, is the version's affair.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

IDLE = "Idle"

DOWNLOADS_IN_S = 8.0

INSTALLS_IN_S = 6.0

UPLOADS_IN_S = 5.0

RESTARTS_AFTER_S = 0.5

_VERSION = re.compile(r"\d+(?:\.\d+)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One state of an errand, told when it begins."""

    status: str
    lasts_s: float = 0.0
    at: float | None = None
    """Not before this moment, in UTC POSIX seconds by the charge point's clock."""
    deed: Callable[[], None] | None = None
    """What is done when the stage begins, after it was told."""


@dataclass(slots=True, kw_only=True)
class Errand:
    """Something under way."""

    request_id: int | None
    tell: Callable[[str, int | None], None]
    stages: list[Stage]
    next_at: float = field(default=0.0)
    status: str = IDLE


class Upkeep:
    """What is under way of one kind; a new errand takes the place of the old one."""

    def __init__(self) -> None:
        """Begin idle."""
        self._errand: Errand | None = None

    @property
    def busy(self) -> bool:
        """Return whether something is under way."""
        return self._errand is not None

    @property
    def status(self) -> str:
        """Return how far it is."""
        return IDLE if self._errand is None else self._errand.status

    @property
    def request_id(self) -> int | None:
        """Return the number of the request that is under way."""
        return None if self._errand is None else self._errand.request_id

    def begin(
        self,
        stages: Sequence[Stage],
        tell: Callable[[str, int | None], None],
        *,
        now: float,
        request_id: int | None = None,
    ) -> None:
        """Begin an errand; `tell` says its status."""
        self._errand = Errand(request_id=request_id, tell=tell, stages=list(stages), next_at=now)

    def tick(self, now: float, utc: float) -> None:
        """Move on to a virtual moment."""
        errand = self._errand
        if errand is None or now < errand.next_at:
            return
        if not errand.stages:
            self._errand = None
            return
        stage = errand.stages[0]
        if stage.at is not None and utc < stage.at:
            return
        del errand.stages[0]
        errand.status = stage.status
        errand.next_at = now + stage.lasts_s
        errand.tell(stage.status, errand.request_id)
        if stage.deed is not None:
            stage.deed()


def firmware_at(location: str, present: str) -> str:
    """Return the version of the firmware that lies at a place: the number in its name, or the present one raised."""
    found = _VERSION.findall(location.rsplit("/", 1)[-1])
    return found[-1] if found else f"{present}.1"
