"""What a conversation reports over OCPP, in the words in which the site hears of it.

Nothing is decided here: each function says the same thing once more.
"""

from __future__ import annotations

from ..ocpp.conversation import (
    ChargingNeeds,
    LimitFromOutside,
    Measured,
    Noticed,
    Progressed,
    TransactionClosed,
    TransactionOpened,
)
from ..ocpp.protocols import UNPLUGGED
from . import (
    ChargerNoticed,
    DrawSample,
    ForAutomations,
    HeldBack,
    NeedsTold,
    OperationProgressed,
    TransactionStarted,
    TransactionStopped,
)


def for_automations(report: Progressed | Noticed) -> ForAutomations:
    """Return what automations hear of, as the site hears of it."""
    if isinstance(report, Progressed):
        return OperationProgressed(what=report.what, status=report.status, request_id=report.request_id)
    return ChargerNoticed(
        what=report.what,
        name=report.name,
        value=report.value,
        details=report.details,
        monitor_id=report.monitor_id,
        cleared=report.cleared,
        at=report.at,
    )


def started(opened: TransactionOpened, *, resumed: bool | None = None) -> TransactionStarted:
    """Return a transaction that began; `resumed` where it is told once more, as the site hears of it."""
    return TransactionStarted(
        connector=opened.connector,
        transaction_id=str(opened.transaction_id),
        id_tag=opened.id_tag,
        meter_start_wh=opened.meter_start_wh,
        started_at=opened.started_at,
        resumed=opened.resumed if resumed is None else resumed,
    )


def stopped(closed: TransactionClosed) -> TransactionStopped:
    """Return a transaction that ended, as the site hears of it."""
    return TransactionStopped(
        connector=closed.connector,
        transaction_id=str(closed.transaction_id),
        meter_start_wh=closed.meter_start_wh,
        meter_stop_wh=closed.meter_stop_wh,
        stopped_at=closed.stopped_at,
        reason=closed.reason,
        vehicle_left=closed.reason == UNPLUGGED,
        presumed=closed.presumed,
        late=closed.late,
    )


def needs(told: ChargingNeeds) -> NeedsTold:
    """Return what a vehicle needs, as the site hears of it."""
    return NeedsTold(
        connector=told.connector,
        departure_at=told.departure_at,
        energy_wh=told.energy_wh,
        least_a=told.least_a,
        most_a=told.most_a,
        phases=told.phases,
        soc_percent=told.soc_percent,
    )


def held_back(told: LimitFromOutside) -> HeldBack:
    """Return who else holds a connector back, as the site hears of it."""
    return HeldBack(
        connector=told.connector,
        source=told.source,
        limit_a=told.limit_a,
        limit_w=told.limit_w,
        ended=told.ended,
    )


def draw_sample(measured: Measured) -> DrawSample:
    """Return what flows, as the site hears of it."""
    return DrawSample(
        connector=measured.connector,
        amps=measured.amps,
        measured_at=measured.at,
        power_w=measured.power_w,
        energy_wh=measured.energy_wh,
        register_wh=measured.register_wh,
        voltage_v=measured.voltage_v,
        temperature_c=measured.temperature_c,
        soc_percent=measured.soc_percent,
        offered_a=measured.offered_a,
    )
