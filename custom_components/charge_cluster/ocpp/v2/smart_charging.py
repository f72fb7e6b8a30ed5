"""What a charge point tells of limits and needs in OCPP 2.x: its vehicle's, somebody else's, and the profiles it holds.

A vehicle that speaks ISO 15118 tells how much it needs, until when, and how much it can take. The schedule that it
makes of what it was offered afterwards is answered and not kept: it follows from limits that last for seconds. A limit
from outside (an energy manager, the grid operator) holds whatever we allow, and can only lower.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from ..conversation import ChargingNeeds, LimitFromOutside, PriorityAsked, Report
from ..frames import JsonObject
from ..profiles import RateUnit
from ..reading import inner, missing, numbered, objects, text, whole
from ..rpc import Action, Ask
from ..schedules import is_limit, read_schedule
from ..times import read_stamp
from .inventory import Inventory

MOST_A = 1000.0
MOST_WH = 1_000_000.0
"""More than the battery of any lorry holds."""
MAX_SCHEDULES = 16
UNNAMED = "Other"

_PHASES = {"AC_single_phase": 1, "AC_two_phase": 2, "AC_three_phase": 3}
_ACCEPTED: JsonObject = {"status": "Accepted"}


class SmartCharging:
    """The part of a conversation that is about limits and needs."""

    def __init__(
        self,
        ask: Ask,
        report: Callable[[Report], None],
        *,
        now: Callable[[], float],
        clock_offset_s: Callable[[], float],
        runs_at: Callable[[str], int | None],
        speaks_21: bool,
    ) -> None:
        """Begin with nothing told.

        Args:
            ask: sends a call and returns its answer.
            report: tells the listeners of the conversation.
            now: UTC POSIX seconds.
            clock_offset_s: what has to be added to our time to get the charger's.
            runs_at: the EVSE at which a transaction runs, by the charger's own id of it.
            speaks_21: whether it speaks OCPP 2.1.
        """
        self._report = report
        self._runs_at = runs_at
        self._now = now
        self._clock_offset_s = clock_offset_s
        self.inventory = Inventory(ask)
        self.actions: Mapping[str, Action] = {
            "NotifyEVChargingNeeds": Action(self._needs),
            "NotifyEVChargingSchedule": Action(self._plan),
            "NotifyChargingLimit": Action(self._limited),
            "ClearedChargingLimit": Action(self._freed),
            "ReportChargingProfiles": Action(self.inventory.reported),
            **({"NotifyPriorityCharging": Action(self._priority)} if speaks_21 else {}),
        }

    def _needs(self, payload: JsonObject) -> JsonObject:
        self._report(read_needs(payload, self._clock_offset_s()))
        return dict(_ACCEPTED)

    def _priority(self, payload: JsonObject) -> JsonObject:
        evse, asked = self._runs_at(text(payload, "transactionId") or ""), payload.get("activated")
        if evse is not None and isinstance(asked, bool):
            self._report(PriorityAsked(connector=evse, asked=asked))
        return {}

    def _plan(self, payload: JsonObject) -> JsonObject:
        numbered(payload, "evseId")
        return dict(_ACCEPTED)

    def _limited(self, payload: JsonObject) -> JsonObject:
        self._report(read_limit(payload, self._now() + self._clock_offset_s()))
        return {}

    def _freed(self, payload: JsonObject) -> JsonObject:
        source = text(payload, "chargingLimitSource") or UNNAMED
        self._report(LimitFromOutside(connector=whole(payload, "evseId") or 0, source=source, ended=True))
        return {}


def read_needs(payload: JsonObject, clock_offset_s: float) -> ChargingNeeds:
    """Return what a vehicle needs. Raises CallFault where it does not say which.

    Args:
        clock_offset_s: the station turns the vehicle's hours into a time by its own clock.
    """
    connector = numbered(payload, "evseId")
    if not connector:
        raise missing("evseId")
    needs = inner(payload, "chargingNeeds")
    ac, dc, both = (inner(needs, f"{name}ChargingParameters") for name in ("ac", "dc", "v2x"))
    departure_at = read_stamp(needs.get("departureTime"))
    told = (ac.get("energyAmount"), dc.get("energyAmount"), both.get("evTargetEnergyRequest"), _to_be_full(dc))
    return ChargingNeeds(
        connector=connector,
        departure_at=None if departure_at is None else departure_at - clock_offset_s,
        energy_wh=next((wh for raw in told if (wh := _figure(raw, MOST_WH)) is not None), None),
        least_a=_figure(ac.get("evMinCurrent"), MOST_A),
        most_a=_figure(ac.get("evMaxCurrent"), MOST_A),
        phases=_PHASES.get(text(needs, "requestedEnergyTransfer") or ""),
        soc_percent=_figure(dc.get("stateOfCharge"), 100.0, least=0.0),
    )


def read_limit(payload: JsonObject, charger_time: float) -> LimitFromOutside:
    """Return a limit from outside as it is at a time of the charger's own clock."""
    limits: dict[RateUnit, float] = {}
    for raw in objects(payload.get("chargingSchedule"), MAX_SCHEDULES):
        schedule = read_schedule(raw)
        if schedule is None:
            continue
        elapsed_s = 0.0 if schedule.starts_at is None else charger_time - schedule.starts_at
        step = schedule.step_at(max(0.0, elapsed_s))
        if step is not None:
            limits[schedule.unit] = min(step.limit, limits.get(schedule.unit, math.inf))
    return LimitFromOutside(
        connector=whole(payload, "evseId") or 0,
        source=text(inner(payload, "chargingLimit"), "chargingLimitSource") or UNNAMED,
        limit_a=limits.get(RateUnit.AMPS),
        limit_w=limits.get(RateUnit.WATTS),
    )


def _to_be_full(dc: JsonObject) -> float | None:
    """Return what a battery lacks, where its vehicle tells its size and how full it is and wants to be."""
    size, level, full = dc.get("evEnergyCapacity"), dc.get("stateOfCharge"), dc.get("fullSoC", 100)
    if not (is_limit(size) and is_limit(level) and is_limit(full)):
        return None
    return size * max(0.0, min(full, 100.0) - level) / 100.0


def _figure(raw: object, most: float, least: float = 1e-3) -> float | None:
    """Return a figure that can be; None: it cannot, or was not told."""
    return float(raw) if is_limit(raw) and least <= raw <= most else None
