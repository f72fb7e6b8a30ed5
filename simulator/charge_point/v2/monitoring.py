"""Monitors of variables: what is watched for the central system, and what it is told when something happens."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from typing import TYPE_CHECKING

from ..link import Payload
from ..spec import OcppVersion
from .device_model import DeviceModel, Variable

if TYPE_CHECKING:
    from ..station import ChargePoint

LEAST_SEVERE = 9

WATCHES_EVERY_S = 1.0

MOST_MONITORS = 50


class MonitorType(StrEnum):
    """What a monitor waits for."""

    UPPER = "UpperThreshold"
    LOWER = "LowerThreshold"
    DELTA = "Delta"
    PERIODIC = "Periodic"
    ALIGNED = "PeriodicClockAligned"


CRITERIA = {
    "ThresholdMonitoring": (MonitorType.UPPER, MonitorType.LOWER),
    "DeltaMonitoring": (MonitorType.DELTA,),
    "PeriodicMonitoring": (MonitorType.PERIODIC, MonitorType.ALIGNED),
}


@dataclass(slots=True, kw_only=True)
class Monitor:
    """One variable is watched."""

    monitor_id: int
    variable: Variable
    type: MonitorType
    value: float
    severity: int
    transaction: bool = False
    """Watches while a transaction runs only."""
    seen: str | None = None
    """The value that the central system knows; None: none yet."""
    beyond: bool = False
    due_at: float | None = None

    def report(self, version: OcppVersion) -> Payload:
        """Return it as NotifyMonitoringReport writes it."""
        payload: dict[str, object] = {
            "id": self.monitor_id,
            "transaction": self.transaction,
            "value": self.value,
            "type": str(self.type),
            "severity": self.severity,
        }
        if version is not OcppVersion.V201:
            payload["eventNotificationType"] = "CustomMonitor"
        return payload


class Monitors:
    """All monitors of one charge point; they survive a loss of power."""

    def __init__(self, station: ChargePoint, model: DeviceModel) -> None:
        """Begin without any."""
        self.level = LEAST_SEVERE
        """Only what is as severe as this, or more so, is told."""
        self._station = station
        self._model = model
        self._monitors: dict[int, Monitor] = {}
        self._ids = count(1)
        self._events = count(1)
        self._next_look = 0.0

    @property
    def all(self) -> Sequence[Monitor]:
        """Return all monitors."""
        return tuple(self._monitors.values())

    def set(
        self, variable: Variable, kind: MonitorType, value: float, severity: int, *, number: int | None, of_tx: bool
    ) -> Monitor | str:
        """Watch a variable; return the monitor, or the status that says why not."""
        if not variable.monitored:
            return "UnsupportedMonitorType"
        if number is not None and number not in self._monitors:
            return "Rejected"
        same = [one for one in self._monitors.values() if one.variable is variable and one.type is kind]
        if any(one.severity == severity and one.monitor_id != number for one in same):
            return "Duplicate"
        if number is None and len(self._monitors) >= MOST_MONITORS:
            return "Rejected"
        monitor = Monitor(
            monitor_id=next(self._ids) if number is None else number,
            variable=variable,
            type=kind,
            value=value,
            severity=severity,
            transaction=of_tx,
        )
        self._monitors[monitor.monitor_id] = monitor
        return monitor

    def clear(self, number: int) -> str:
        """Watch no longer; return the status of the answer."""
        return "NotFound" if self._monitors.pop(number, None) is None else "Accepted"

    def clear_all(self) -> None:
        """Watch nothing."""
        self._monitors.clear()

    def lose_power(self) -> None:
        """Forget what was seen."""
        for monitor in self._monitors.values():
            monitor.seen, monitor.beyond, monitor.due_at = None, False, None

    def tick(self, now: float) -> None:
        """Look at what is watched, and tell what happened."""
        if not self._monitors or now < self._next_look:
            return
        self._next_look = now + WATCHES_EVERY_S
        for monitor in self._monitors.values():
            if monitor.severity <= self.level and (not monitor.transaction or self._station.charging_sessions):
                self._look(monitor, now)

    def _look(self, monitor: Monitor, now: float) -> None:
        shown = monitor.variable.read()
        match monitor.type:
            case MonitorType.UPPER | MonitorType.LOWER:
                self._look_at_threshold(monitor, shown)
            case MonitorType.DELTA:
                if monitor.seen is not None and not _differs(monitor.seen, shown, monitor.value):
                    return
                if monitor.seen is not None:
                    self._say(monitor, shown, "Delta")
                monitor.seen = shown
            case _:
                if monitor.due_at is None:
                    aligned = monitor.type is MonitorType.ALIGNED
                    wait = monitor.value - self._station.utc() % monitor.value if aligned else monitor.value
                    monitor.due_at = now + wait
                elif now >= monitor.due_at:
                    monitor.due_at += monitor.value
                    self._say(monitor, shown, "Periodic")

    def _look_at_threshold(self, monitor: Monitor, shown: str) -> None:
        number = _number(shown)
        if number is None:
            return
        upper = monitor.type is MonitorType.UPPER
        beyond = number > monitor.value if upper else number < monitor.value
        if beyond is not monitor.beyond:
            monitor.beyond = beyond
            self._say(monitor, shown, "Alerting", cleared=not beyond)

    def _say(self, monitor: Monitor, shown: str, trigger: str, *, cleared: bool = False) -> None:
        event: dict[str, object] = {
            "eventId": next(self._events),
            "timestamp": self._station.time_text(),
            "trigger": trigger,
            "actualValue": shown,
            "eventNotificationType": "CustomMonitor",
            "component": monitor.variable.place.component_payload,
            "variable": monitor.variable.place.variable_payload,
            "variableMonitoringId": monitor.monitor_id,
        }
        if cleared:
            event["cleared"] = True
        payload = {"generatedAt": self._station.time_text(), "tbc": False, "seqNo": 0, "eventData": [event]}
        self._station.say("NotifyEvent", payload)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _differs(before: str, now: str, by: float) -> bool:
    first, second = _number(before), _number(now)
    if first is None or second is None:
        return before != now
    return abs(first - second) >= by
