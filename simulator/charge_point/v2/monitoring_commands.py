"""What the central system may ask about monitors."""

from typing import TYPE_CHECKING

from ..arguments import groups, items, one_of, whole, whole_or_none
from ..link import CallFault, Payload, Reply
from .monitoring import CRITERIA, LEAST_SEVERE, Monitor, MonitorType
from .provisioning import named, place_of
from .replies import status_reply

if TYPE_CHECKING:
    from ..station import ChargePoint
    from .voice import Voice2

BASES = ("All", "FactoryDefault", "HardWiredOnly")


def set_monitoring(station: ChargePoint, voice: Voice2, payload: Payload) -> Reply:  # noqa: ARG001 - commands are alike
    """Watch variables."""
    return Reply({"setMonitoringResult": [_set(voice, one) for one in groups(payload, "setMonitoringData")]})


def _set(voice: Voice2, asked: Payload) -> Payload:
    kind, severity = one_of(asked, "type", [one.value for one in MonitorType]), whole(asked, "severity")
    value = asked.get("value")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CallFault("TypeConstraintViolation", "value is no number")
    result: dict[str, object] = {
        "type": kind,
        "severity": severity,
        "component": asked["component"],
        "variable": asked["variable"],
    }
    found = voice.model.find(place_of(asked))
    if found.variable is None:
        return {**result, "status": found.status}
    if kind.startswith("Periodic") and value <= 0:
        return {**result, "status": "Rejected"}
    monitor = voice.monitors.set(
        found.variable,
        MonitorType(kind),
        float(value),
        severity,
        number=whole_or_none(asked, "id"),
        of_tx=asked.get("transaction") is True,
    )
    if isinstance(monitor, str):
        return {**result, "status": monitor}
    return {**result, "status": "Accepted", "id": monitor.monitor_id}


def clear_monitoring(station: ChargePoint, voice: Voice2, payload: Payload) -> Reply:  # noqa: ARG001 - as above
    """Watch variables no longer."""
    results = [{"id": number, "status": voice.monitors.clear(number)} for number in items(payload, "id")]
    return Reply({"clearMonitoringResult": results})


def set_base(station: ChargePoint, voice: Voice2, payload: Payload) -> Reply:  # noqa: ARG001 - as above
    """Go back to the monitors of the factory, of which there are none, unless all are to stay."""
    if one_of(payload, "monitoringBase", BASES) != "All":
        voice.monitors.clear_all()
    return status_reply("Accepted")


def set_level(station: ChargePoint, voice: Voice2, payload: Payload) -> Reply:  # noqa: ARG001 - as above
    """Tell only what is severe enough."""
    severity = whole(payload, "severity")
    if not 0 <= severity <= LEAST_SEVERE:
        return status_reply("Rejected")
    voice.monitors.level = severity
    return status_reply("Accepted")


def monitoring_report(station: ChargePoint, voice: Voice2, payload: Payload) -> Reply:
    """Report the monitors that meet criteria."""
    request_id = whole(payload, "requestId")
    wanted = groups(payload, "componentVariable")
    kinds = {kind for one in items(payload, "monitoringCriteria") for kind in CRITERIA.get(one, ())}

    def met(monitor: Monitor) -> bool:
        of_kind = not kinds or monitor.type in kinds
        return of_kind and (not wanted or any(named(monitor.variable, one) for one in wanted))

    chosen = [monitor for monitor in voice.monitors.all if met(monitor)]
    if not chosen:
        return status_reply("EmptyResultSet")

    def report() -> None:
        reported = [
            {
                "component": monitor.variable.place.component_payload,
                "variable": monitor.variable.place.variable_payload,
                "variableMonitoring": [monitor.report(station.spec.version)],
            }
            for monitor in chosen
        ]
        payload = {"requestId": request_id, "seqNo": 0, "tbc": False, "generatedAt": station.time_text()}
        station.say("NotifyMonitoringReport", {**payload, "monitor": reported})

    return status_reply("Accepted", report)
