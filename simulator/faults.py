"""Makes a fault happen to a charge point or a meter, and takes it away again."""

from enum import StrEnum

from .charge_point import ChargePoint
from .charge_point.spec import Refusal, Resending
from .meter import SimulatedMeter
from .scenario import FaultKind, FaultValue

REBOOT_AFTER_S = 0.2

DEFAULT_DELAY_S = 20.0

DEFAULT_EXCEPTION = 4
"""Modbus: the device failed."""


class ImpossibleFault(ValueError):
    """The value does not fit the fault."""


def befall_charge_point(point: ChargePoint, kind: FaultKind, value: FaultValue, *, now: float) -> None:
    """Begin a fault of a charge point.

    Raises:
        ImpossibleFault: the value does not fit.
    """
    wrong = point.misbehaviour
    match kind:
        case FaultKind.REFUSES_PROFILES:
            wrong.refuses_profiles = _choice(kind, Refusal, value, Refusal.REJECTED)
        case FaultKind.RESENDS:
            wrong.resends = _choice(kind, Resending, value, Resending.SAME_ID)
        case FaultKind.ANSWERS_LATE:
            wrong.answers_late_s = _number(kind, value, DEFAULT_DELAY_S)
        case FaultKind.DROPS:
            point.bar(barred=True)
        case FaultKind.HALF_OPEN:
            point.go_half_open(half_open=True)
        case FaultKind.REBOOTS:
            point.restart_in(REBOOT_AFTER_S, "Reboot")
        case FaultKind.POWER_CUT:
            point.cut_power(now)
        case FaultKind.OUT_OF_ORDER:
            for connector in point.connectors.values():
                connector.fault = "InternalError" if value is None else str(value)
        case _:
            setattr(wrong, kind.value, True)


def mend_charge_point(point: ChargePoint, kind: FaultKind, *, now: float) -> None:
    """End a fault of a charge point."""
    wrong = point.misbehaviour
    match kind:
        case FaultKind.REFUSES_PROFILES:
            wrong.refuses_profiles = None
        case FaultKind.RESENDS:
            wrong.resends = None
        case FaultKind.ANSWERS_LATE:
            wrong.answers_late_s = 0.0
        case FaultKind.DROPS:
            point.bar(barred=False)
        case FaultKind.HALF_OPEN:
            point.go_half_open(half_open=False)
        case FaultKind.REBOOTS:
            pass
        case FaultKind.POWER_CUT:
            point.power_up(now)
        case FaultKind.OUT_OF_ORDER:
            for connector in point.connectors.values():
                connector.fault = None
        case _:
            setattr(wrong, kind.value, False)


def befall_meter(meter: SimulatedMeter, kind: FaultKind, value: FaultValue) -> None:
    """Begin a fault of a meter (all but `METER_DOWN`, which takes time).

    Raises:
        ImpossibleFault: the value does not fit.
    """
    wire, values = meter.server.faults, meter.faults
    match kind:
        case FaultKind.METER_SILENT:
            wire.silent = True
        case FaultKind.METER_LATE:
            wire.answers_late_s = _number(kind, value, DEFAULT_DELAY_S)
        case FaultKind.METER_SHORT:
            wire.short_by = int(_number(kind, value, 1.0))
        case FaultKind.METER_WRONG_TRANSACTION:
            wire.wrong_transaction = True
        case FaultKind.METER_EXCEPTION:
            wire.exception = int(_number(kind, value, DEFAULT_EXCEPTION))
        case FaultKind.METER_CLOSES:
            wire.closes = True
            meter.server.disconnect()
        case FaultKind.METER_NAN:
            values.not_a_number = True
        case FaultKind.METER_FROZEN:
            values.frozen = True
        case FaultKind.METER_LOST_PHASE:
            values.lost_phase = _phase(kind, value)
        case FaultKind.METER_EXPORTING:
            values.exporting = True
        case _:
            raise ImpossibleFault(f"{kind} does not befall a meter")


def mend_meter(meter: SimulatedMeter, kind: FaultKind) -> None:
    """End a fault of a meter (all but `METER_DOWN`)."""
    wire, values = meter.server.faults, meter.faults
    match kind:
        case FaultKind.METER_SILENT:
            wire.silent = False
        case FaultKind.METER_LATE:
            wire.answers_late_s = 0.0
        case FaultKind.METER_SHORT:
            wire.short_by = 0
        case FaultKind.METER_WRONG_TRANSACTION:
            wire.wrong_transaction = False
        case FaultKind.METER_EXCEPTION:
            wire.exception = None
        case FaultKind.METER_CLOSES:
            wire.closes = False
        case FaultKind.METER_NAN:
            values.not_a_number = False
        case FaultKind.METER_FROZEN:
            values.frozen = False
        case FaultKind.METER_LOST_PHASE:
            values.lost_phase = None
        case FaultKind.METER_EXPORTING:
            values.exporting = False
        case _:
            raise ImpossibleFault(f"{kind} does not befall a meter")


def _number(kind: FaultKind, value: FaultValue, default: float) -> float:
    if value is None:
        return default
    if isinstance(value, str):
        raise ImpossibleFault(f"{kind} takes a number, not {value}")
    return float(value)


def _phase(kind: FaultKind, value: FaultValue) -> int:
    phase = _number(kind, value, 1.0)
    if phase not in (1.0, 2.0, 3.0):
        raise ImpossibleFault(f"{kind} takes a phase from 1 to 3, not {value}")
    return int(phase) - 1


def _choice[Choice: StrEnum](kind: FaultKind, choices: type[Choice], value: FaultValue, default: Choice) -> Choice:
    if value is None:
        return default
    if value not in list(choices):
        raise ImpossibleFault(f"{kind} takes one of {', '.join(choices)}, not {value}")
    return choices(str(value))
