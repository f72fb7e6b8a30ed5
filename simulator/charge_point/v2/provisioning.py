"""Variables, reports of them, and network profiles."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from ..arguments import group, group_or_none, groups, items, one_of, text, whole, whole_or_none
from ..link import CallFault, Payload, Reply
from ..misbehaviour import Inventory
from ..spec import NewKey
from .device_model import ITEMS_PER_MESSAGE, Place, Variable
from .replies import refusal, status_reply

if TYPE_CHECKING:
    from ..station import ChargePoint
    from .voice import Voice2

REPORT_ITEMS = 25
"""Variables in one NotifyReport."""

REPORT_LATE_S = 30.0

BASES = ("ConfigurationInventory", "FullInventory", "SummaryInventory")

SUMMARY = frozenset({"Available", "AvailabilityState", "Problem"})
"""Variables that a summary is made of."""

NETWORK_SLOTS = (1, 2, 3)


def place_of(payload: Payload) -> Place:
    """Return the place that a request names.

    Raises:
        CallFault: it names none.
    """
    component, variable = group(payload, "component"), group(payload, "variable")
    evse = group_or_none(component, "evse")
    instance = variable.get("instance")
    return Place(
        component=text(component, "name"),
        variable=text(variable, "name"),
        instance=None if instance is None else str(instance),
        evse=None if evse is None else whole(evse, "id"),
        connector=None if evse is None else whole_or_none(evse, "connectorId"),
    )


def _echo(payload: Payload) -> dict[str, object]:
    """Return what names the place in the answer as in the request."""
    return {"component": payload["component"], "variable": payload["variable"]}


def _asked(payload: Payload, name: str) -> list[Payload]:
    asked = groups(payload, name)
    if not asked:
        raise CallFault("OccurenceConstraintViolation", f"{name} is missing")
    if len(asked) > ITEMS_PER_MESSAGE:
        raise CallFault("OccurenceConstraintViolation", f"more than {ITEMS_PER_MESSAGE} variables at once")
    return asked


def get_variables(station: ChargePoint, voice: Voice2, payload: Payload) -> Reply:  # noqa: ARG001 - commands are alike
    """Show the values of variables."""
    return Reply({"getVariableResult": [_shown(voice, one) for one in _asked(payload, "getVariableData")]})


def _shown(voice: Voice2, asked: Payload) -> Payload:
    result = _echo(asked)
    kind = asked.get("attributeType", "Actual")
    found = voice.model.find(place_of(asked))
    variable = found.variable
    if variable is None:
        status = found.status
    elif kind != "Actual":
        status = "NotSupportedAttributeType"
    elif variable.secret:
        status = "Rejected"
    else:
        status = "Accepted"
        result["attributeValue"] = variable.read()
    return {**result, "attributeType": kind, "attributeStatus": status}


def set_variables(station: ChargePoint, voice: Voice2, payload: Payload) -> Reply:
    """Change the values of variables."""
    results = []
    new_key = False
    for asked in _asked(payload, "setVariableData"):
        status = _change(voice, asked)
        place = place_of(asked)
        kind = asked.get("attributeType", "Actual")
        results.append({**_echo(asked), "attributeType": kind, "attributeStatus": status})
        if status == "Accepted":
            new_key = new_key or place.variable.casefold() == "basicauthpassword"
            if place.variable.casefold() == "heartbeatinterval":
                station.conversation.beat_every(float(station.configuration.number("HeartbeatInterval")))
    return Reply({"setVariableResult": results}, _use_new_key(station) if new_key else None)


def _change(voice: Voice2, asked: Payload) -> str:
    value = text(asked, "attributeValue")
    found = voice.model.find(place_of(asked))
    if found.variable is None:
        return found.status
    if asked.get("attributeType", "Actual") != "Actual":
        return "NotSupportedAttributeType"
    return "Rejected" if found.variable.write is None else found.variable.write(value)


def _use_new_key(station: ChargePoint) -> Callable[[], None] | None:
    match station.spec.new_key:
        case NewKey.RECONNECTS:
            return station.conversation.redial
        case NewKey.REBOOTS:
            return lambda: station.restart_in(1.0, "Reboot")
        case _:
            return None


def base_report(station: ChargePoint, voice: Voice2, payload: Payload) -> Reply:
    """Report the whole device model, what can be configured of it, or a summary."""
    request_id, base = whole(payload, "requestId"), one_of(payload, "reportBase", BASES)
    variables: Iterable[Variable] = voice.model.variables
    match base:
        case "ConfigurationInventory":
            variables = (variable for variable in variables if variable.write is not None)
        case "SummaryInventory":
            variables = (variable for variable in variables if variable.place.variable in SUMMARY)
    chosen = list(variables)
    return status_reply("Accepted", lambda: _report(station, request_id, chosen))


def report(station: ChargePoint, voice: Voice2, payload: Payload) -> Reply:
    """Report some variables, or those of components in a certain state."""
    request_id = whole(payload, "requestId")
    wanted = groups(payload, "componentVariable")
    criteria = [str(one) for one in items(payload, "componentCriteria")]
    chosen = [
        variable for variable in voice.model.variables if not wanted or any(named(variable, one) for one in wanted)
    ]
    if criteria:
        met = {
            variable.place.component_key
            for variable in voice.model.variables
            if variable.place.variable in criteria and not variable.secret and variable.read() == "true"
        }
        chosen = [variable for variable in chosen if variable.place.component_key in met]
    if not chosen:
        return status_reply("EmptyResultSet")
    return status_reply("Accepted", lambda: _report(station, request_id, chosen))


def named(variable: Variable, wanted: Payload) -> bool:
    """Return whether a request names a variable: its component, and the variable unless it wants all of them."""
    component = group(wanted, "component")
    evse = group_or_none(component, "evse")
    place = variable.place
    if text(component, "name").casefold() != place.component.casefold():
        return False
    if evse is not None and whole(evse, "id") != place.evse:
        return False
    named = group_or_none(wanted, "variable")
    if named is None:
        return True
    instance = named.get("instance")
    return text(named, "name").casefold() == place.variable.casefold() and instance in (None, place.instance)


def _report(station: ChargePoint, request_id: int, variables: Sequence[Variable]) -> None:
    """Tell variables, rightly or wrongly."""
    match station.misbehaviour.inventory:
        case Inventory.ABSENT:
            return
        case Inventory.LATE:
            station.later(REPORT_LATE_S, lambda: _report_now(station, request_id, variables))
        case _:
            _report_now(station, request_id, variables)


def _report_now(station: ChargePoint, request_id: int, variables: Sequence[Variable]) -> None:
    """Tell variables in parts."""
    parts = [variables[start : start + REPORT_ITEMS] for start in range(0, len(variables), REPORT_ITEMS)] or [()]
    told = parts[:-1] if station.misbehaviour.inventory is Inventory.PARTIAL else parts
    for number, part in enumerate(told):
        payload: dict[str, object] = {
            "requestId": request_id,
            "generatedAt": station.time_text(),
            "seqNo": number,
            "tbc": number < len(parts) - 1,
        }
        if part:
            payload["reportData"] = [variable.report() for variable in part]
        station.say("NotifyReport", payload)


def set_network_profile(station: ChargePoint, voice: Voice2, payload: Payload) -> Reply:  # noqa: ARG001 - as above
    """Keep another way to the central system; it is used only when it is put first in the order of priority."""
    slot = whole(payload, "configurationSlot")
    connection = group(payload, "connectionData")
    text(connection, "ocppCsmsUrl")
    if slot not in NETWORK_SLOTS:
        return refusal("InvalidConfSlot")
    if whole(connection, "securityProfile") < station.configuration.number("SecurityProfile"):
        return refusal("NoSecurityDowngrade")
    return status_reply("Accepted")
