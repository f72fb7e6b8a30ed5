"""What the site means by a source of prices: one Protocol, whatever is behind it.

A source tells what it knows when that changes: prices, emissions or power over time, times that are cheap, holidays.
Whether that is enough, and what holds where it is not, is judged by the site. What is asked for lies in `settings`;
units, and the shapes in which others give their forecasts, have modules of their own that know no Home Assistant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Protocol

from ..engine.bands import Bands
from ..engine.tariff import PriceCurve, Window
from .settings import Wanted

NOTHING_KNOWN = PriceCurve()


class FaultKey(StrEnum):
    """What can be wrong with a source."""

    MISSING_ENTITY = "missing_entity"
    ENTITY_UNAVAILABLE = "entity_unavailable"
    NO_FORECAST = "no_forecast"
    """It is there and tells nothing over time."""
    WRONG_UNIT = "wrong_unit"
    OTHER_CURRENCY = "other_currency"
    SEVERAL_HOMES = "several_homes"
    ACTION_FAILED = "action_failed"
    """Home Assistant's action that gives the forecast has failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFault:
    """Why a source tells less than it should; `detail` says what was met."""

    key: FaultKey
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a source knows now, in place of what it told before."""

    curve: PriceCurve = NOTHING_KNOWN
    """Currency per kWh, grams per kWh or watts, as it was asked for."""
    windows: tuple[Window, ...] = ()
    """Times that are cheap."""
    week: Bands | None = None
    """Times that are cheap by weekday; its prices mean nothing."""
    holidays: frozenset[date] = frozenset()
    fault: SourceFault | None = None
    """What is wrong, whatever is known all the same."""


type Report = Callable[[Told], None]


class Source(Protocol):
    """Something that tells by itself once started."""

    async def start(self, report: Report) -> None:
        """Begin to tell; what cannot be read is a fault that is told, not raised, and is tried again."""

    async def stop(self) -> None:
        """End telling."""


type SourceFactory = Callable[[Wanted], Source]
