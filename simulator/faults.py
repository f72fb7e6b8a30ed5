"""Makes a fault happen to a charge point or a meter, and takes it away again.

Most faults are a switch somewhere: a field of the charge point's `Misbehaviour` or of a meter's `ValueFaults` or
`WireFaults`. Those are a table; the few that are a deed have their own lines.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from .charge_point import ChargePoint
from .charge_point.misbehaviour import IgnoredForm, Refusal, Resending
from .meter import SimulatedMeter
from .scenario import FaultKind, FaultValue

REBOOT_AFTER_S = 0.2

DEFAULT_DELAY_S = 20.0

DEFAULT_EXTERNAL_A = 10.0

DEFAULT_EXCEPTION = 4
"""Modbus: the device failed."""


class ImpossibleFault(ValueError):
    """The value does not fit the fault, or the fault does not fit the device."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """A field that is set while the fault lasts."""

    field: str
    on: Callable[[FaultKind, FaultValue], object] = lambda _kind, _value: True
    off: object = False


def befall_charge_point(point: ChargePoint, kind: FaultKind, value: FaultValue, *, now: float) -> None:
    """Begin a fault of a charge point.

    Raises:
        ImpossibleFault: the value does not fit, or the fault is one of meters.
    """
    match kind:
        case FaultKind.DROPS:
            point.conversation.bar(barred=True)
        case FaultKind.HALF_OPEN:
            point.conversation.go_half_open(half_open=True)
        case FaultKind.REBOOTS:
            point.restart_in(REBOOT_AFTER_S, "Reboot")
        case FaultKind.POWER_CUT:
            point.cut_power(now)
        case FaultKind.OUT_OF_ORDER:
            _put_out_of_order(point, "InternalError" if value is None else str(value))
        case FaultKind.EXTERNAL_LIMIT:
            point.limit_externally(_number(DEFAULT_EXTERNAL_A, kind, value))
        case _:
            switch = _switch(_OF_CHARGE_POINTS, kind)
            setattr(point.misbehaviour, switch.field, switch.on(kind, value))


def mend_charge_point(point: ChargePoint, kind: FaultKind, *, now: float) -> None:
    """End a fault of a charge point; a reboot ends by itself.

    Raises:
        ImpossibleFault: the fault is one of meters.
    """
    match kind:
        case FaultKind.DROPS:
            point.conversation.bar(barred=False)
        case FaultKind.HALF_OPEN:
            point.conversation.go_half_open(half_open=False)
        case FaultKind.REBOOTS:
            return
        case FaultKind.POWER_CUT:
            point.power_up(now)
        case FaultKind.OUT_OF_ORDER:
            _put_out_of_order(point, None)
        case FaultKind.EXTERNAL_LIMIT:
            point.limit_externally(None)
        case _:
            switch = _switch(_OF_CHARGE_POINTS, kind)
            setattr(point.misbehaviour, switch.field, switch.off)


def befall_meter(meter: SimulatedMeter, kind: FaultKind, value: FaultValue) -> None:
    """Begin a fault of a meter (all but `METER_DOWN`, which takes time).

    Raises:
        ImpossibleFault: the value does not fit, or the fault is one of charge points.
    """
    switch = _switch(_OF_METERS, kind)
    setattr(_part(meter, kind), switch.field, switch.on(kind, value))
    if kind is FaultKind.METER_CLOSES:
        meter.server.disconnect()


def mend_meter(meter: SimulatedMeter, kind: FaultKind) -> None:
    """End a fault of a meter (all but `METER_DOWN`).

    Raises:
        ImpossibleFault: the fault is one of charge points.
    """
    switch = _switch(_OF_METERS, kind)
    setattr(_part(meter, kind), switch.field, switch.off)


def _put_out_of_order(point: ChargePoint, code: str | None) -> None:
    for connector in point.connectors.values():
        connector.fault = code


def _part(meter: SimulatedMeter, kind: FaultKind) -> object:
    return meter.faults if kind in _VALUE_FAULTS else meter.server.faults


def _switch(switches: dict[FaultKind, Switch], kind: FaultKind) -> Switch:
    if kind not in switches:
        raise ImpossibleFault(f"{kind} does not befall such a device")
    return switches[kind]


def _number(default: float, kind: FaultKind, value: FaultValue) -> float:
    if value is None:
        return default
    if isinstance(value, str):
        raise ImpossibleFault(f"{kind} takes a number, not {value}")
    return float(value)


def _whole(default: int, kind: FaultKind, value: FaultValue) -> int:
    return int(_number(default, kind, value))


def _phase(kind: FaultKind, value: FaultValue) -> int:
    phase = _whole(1, kind, value)
    if phase not in (1, 2, 3):
        raise ImpossibleFault(f"{kind} takes a phase from 1 to 3, not {value}")
    return phase - 1


def _choice(default: StrEnum, kind: FaultKind, value: FaultValue) -> StrEnum:
    choices = type(default)
    if value is None:
        return default
    if value not in list(choices):
        raise ImpossibleFault(f"{kind} takes one of {', '.join(choices)}, not {value}")
    return choices(str(value))


_OF_CHARGE_POINTS = {
    FaultKind.IGNORES_LIMITS: Switch(field="ignores_limits"),
    FaultKind.IGNORES_FORM: Switch(field="ignores_form", on=partial(_choice, IgnoredForm.AMPS), off=None),
    FaultKind.REFUSES_PROFILES: Switch(field="refuses_profiles", on=partial(_choice, Refusal.REJECTED), off=None),
    FaultKind.ANSWERS_LATE: Switch(field="answers_late_s", on=partial(_number, DEFAULT_DELAY_S), off=0.0),
    FaultKind.RESENDS: Switch(field="resends", on=partial(_choice, Resending.SAME_ID), off=None),
    FaultKind.WRONG_UNITS: Switch(field="wrong_units"),
    FaultKind.SINGLE_PHASE_VALUES: Switch(field="single_phase_values"),
    FaultKind.NEVER_BOOTS: Switch(field="never_boots"),
    FaultKind.NO_SUBPROTOCOL: Switch(field="no_subprotocol"),
    FaultKind.IGNORES_PINGS: Switch(field="ignores_pings"),
    FaultKind.CALLS_AT_ONCE: Switch(field="calls_at_once"),
    FaultKind.EXPIRED_PREVAILS: Switch(field="expired_prevails"),
}

_VALUE_FAULTS = {
    FaultKind.METER_NAN: Switch(field="not_a_number"),
    FaultKind.METER_FROZEN: Switch(field="frozen"),
    FaultKind.METER_LOST_PHASE: Switch(field="lost_phase", on=_phase, off=None),
    FaultKind.METER_EXPORTING: Switch(field="exporting"),
}

_WIRE_FAULTS = {
    FaultKind.METER_SILENT: Switch(field="silent"),
    FaultKind.METER_LATE: Switch(field="answers_late_s", on=partial(_number, DEFAULT_DELAY_S), off=0.0),
    FaultKind.METER_SHORT: Switch(field="short_by", on=partial(_whole, 1), off=0),
    FaultKind.METER_WRONG_TRANSACTION: Switch(field="wrong_transaction"),
    FaultKind.METER_EXCEPTION: Switch(field="exception", on=partial(_whole, DEFAULT_EXCEPTION), off=None),
    FaultKind.METER_CLOSES: Switch(field="closes"),
}

_OF_METERS = {**_VALUE_FAULTS, **_WIRE_FAULTS}
