"""What a first contact finds out about a charge point, and what is remembered of its model for the next one.

A charge point is got to know one step at a time, by what has to be asked of it anyway: its configuration, what it
measures, whether it measures when it is asked to, whether it tells the schedule that follows from its profiles, and
which wording of a limit it takes. Never more than one question is out at a time (the link sees to that), and limits go
before all of them. What was found is remembered for the model and its firmware, so that the next charge point of the
same kind is begun with what was found and is not asked again what no such charger can do; new firmware is a new kind.

Nothing that is proved rests on this. It chooses in which order things are tried, no more: that a charger took a limit
is believed when it says so itself, and that it obeys when it is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Protocol

from .conversation import DeviceFacts
from .profiles import Ending, Kind, Purpose, RateUnit, Wording

ABLE = "able"
UNABLE = "unable"
"""Of what a charge point can or cannot."""

MOST_TEXT = 500
"""Of one thing that is remembered."""


class Topic(StrEnum):
    """What a first contact finds out, in the order in which that happens."""

    STATUS_ON_DEMAND = "status_on_demand"
    """Whether it tells its state when it is asked to."""
    CONFIGURATION = "configuration"
    """Whether it tells all of its configuration in one answer."""
    REPORT = "report"
    """Which report of its device model it tells (OCPP 2.x)."""
    MEASURANDS = "measurands"
    """Those that it took."""
    COMPOSITE = "composite"
    """Whether it tells the schedule that follows from its profiles."""
    ZERO = "zero"
    """Whether transactions outlive a limit of 0 A."""
    DEFAULT_WORDING = "default_wording"
    """In which words it took a default profile beside its fallback."""
    TRANSACTION_WORDING = "transaction_wording"
    """In which words it took the profile of a transaction."""


WORDINGS: Mapping[str, Topic] = {"default": Topic.DEFAULT_WORDING, "transaction": Topic.TRANSACTION_WORDING}
"""Uses of limits for which a wording is learned."""


class Stage(StrEnum):
    """How far one topic is."""

    UNKNOWN = "unknown"
    REMEMBERED = "remembered"
    """Another charge point of this model and firmware was found to be so; this one has not been asked."""
    KNOWN = "known"
    """It was found out with this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known on one topic."""

    stage: Stage = Stage.UNKNOWN
    finding: str | None = None
    """A word or a list of words; None: nothing."""


UNKNOWN = Known()


class ModelMemory(Protocol):
    """What was found out about each model and firmware, kept over restarts."""

    def recall(self, model: str) -> Mapping[str, str]:
        """Return what was found of a model, by topic. Never blocks, never raises."""

    def keep(self, model: str, topic: str, finding: str) -> None:
        """Remember a finding. Never blocks, never raises."""


class Forgetful:
    """A memory that keeps nothing."""

    def recall(self, model: str) -> Mapping[str, str]:
        """Return nothing."""
        del model
        return {}

    def keep(self, model: str, topic: str, finding: str) -> None:
        """Forget it."""


def model_of(device: DeviceFacts) -> str | None:
    """Return the name of a model with its firmware; None: a charge point that does not say both is no model."""
    if device.model is None or device.firmware is None:
        return None
    return "|".join((device.vendor or "", device.model, device.firmware))


class Experience:
    """What is known of one charge point."""

    def __init__(self, memory: ModelMemory, device: Callable[[], DeviceFacts]) -> None:
        """Begin without having met it; `device` says who it is."""
        self._memory = memory
        self._device = device
        self._found: dict[Topic, str] = {}

    def forget(self) -> None:
        """It restarted, perhaps with other firmware: what was found with it has to be found again."""
        self._found.clear()

    def known(self, topic: Topic) -> Known:
        """Return what is known on a topic."""
        found = self._found.get(topic)
        if found is not None:
            return Known(stage=Stage.KNOWN, finding=found)
        model = model_of(self._device())
        remembered = None if model is None else self._memory.recall(model).get(topic)
        return UNKNOWN if remembered is None else Known(stage=Stage.REMEMBERED, finding=remembered)

    @property
    def all(self) -> Mapping[Topic, Known]:
        """Return what is known on each topic."""
        return {topic: self.known(topic) for topic in Topic}

    def learned(self, topic: Topic, finding: str) -> None:
        """Take note of what was found out, and remember it for others of the model."""
        finding = finding[:MOST_TEXT]
        before = self.known(topic)
        self._found[topic] = finding
        model = model_of(self._device())
        if model is not None and before.finding != finding:
            self._memory.keep(model, topic, finding)

    def worth_asking(self, topic: Topic) -> bool:
        """Return whether it is not known to be unable."""
        return self.known(topic).finding != UNABLE

    # -- wordings of limits -------------------------------------------------------------------------------------------

    def first(self, use: str) -> Wording | None:
        """Return the wording to begin with for a use of limits; None: the usual one."""
        topic = WORDINGS.get(use)
        return None if topic is None else wording_from(self.known(topic).finding)

    def took(self, use: str, wording: Wording) -> None:
        """Take note of a wording that was accepted."""
        topic = WORDINGS.get(use)
        if topic is not None:
            self.learned(topic, wording_text(wording))


def wording_text(wording: Wording) -> str:
    """Return a wording as it is remembered."""
    return " ".join(f"{name}={value}" for name, value in asdict(wording).items())


def wording_from(text: str | None) -> Wording | None:
    """Return a wording that is remembered; None where it is of another version of ours."""
    parts = dict(part.partition("=")[::2] for part in (text or "").split())
    try:
        return Wording(
            purpose=Purpose(parts["purpose"]),
            level=int(parts["level"]),
            unit=RateUnit(parts["unit"]),
            kind=Kind(parts["kind"]),
            ending=Ending(parts["ending"]),
        )
    except KeyError, ValueError:
        return None


NO_EXPERIENCE = Experience(Forgetful(), DeviceFacts)
