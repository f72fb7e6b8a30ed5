"""How a charge point writes what it has to say, when it does not write it as the specification demands.

Pure functions from the right wording to the odd one; what is not odd stays as it is.
"""

from collections.abc import Callable, Mapping
from typing import Any

from .link import CallFault, Payload, Reply
from .misbehaviour import ABSURD_DURATION_S, CompositeForm, Misbehaviour

UNUSED_FIELDS: Mapping[str, tuple[str, ...]] = {
    "BootNotification": ("iccid", "imsi", "meterType", "customData"),
    "MeterValues": ("transactionId", "customData"),
    "StartTransaction": ("reservationId",),
    "StatusNotification": ("info", "vendorId", "vendorErrorCode"),
    "StopTransaction": ("transactionData",),
    "TransactionEvent": ("cableMaxCurrent", "customData", "idToken", "meterValue", "reservationId"),
}
"""Optional fields that charge points were seen to fill with null, by action."""

NAMES_OF_PLACES = frozenset({"connectorId", "evseId"})

UNKNOWN_FIELD: Payload = {"colour": "green", "shelf": [1, 2, 3]}

UNKNOWN_SAMPLE: Payload = {"measurand": "Vendor.Happiness", "context": "Vendor.Whenever"}

LONG_EXCUSE = "This charge point would rather not do what it was asked to do, and says so at some length. " * 3


def distorted(action: str, payload: Payload, misbehaviour: Misbehaviour) -> Payload:
    """Return how a call is written."""
    if misbehaviour.no_timestamps and action == "StatusNotification":
        payload = {name: value for name, value in payload.items() if name != "timestamp"}
    if misbehaviour.writes_unknown_words:
        payload = {**_in_samples(payload, _with_unknown_sample), "vendorField": UNKNOWN_FIELD}
    if misbehaviour.writes_numbers:
        payload = _in_samples(payload, _with_other_type)
    if misbehaviour.writes_nulls:
        unused = {name: None for name in UNUSED_FIELDS.get(action, ()) if name not in payload}
        payload = {**_in_samples(payload, _with_null), **unused}
    if misbehaviour.writes_fractions:
        payload = _with_fractions(payload)
    return payload


def distorted_reply(action: str, asked: Payload, reply: Reply, misbehaviour: Misbehaviour) -> Reply:
    """Return how a call is answered.

    Raises:
        CallFault: it rejects by an error.
    """
    status = reply.payload.get("status")
    starts = action in ("RemoteStartTransaction", "RequestStartTransaction")
    if misbehaviour.accepts_every_start and starts and status == "Rejected":
        return Reply({"status": "Accepted"})
    if misbehaviour.errors_for_rejected and status == "Rejected":
        raise CallFault("PropertyConstraintViolation", LONG_EXCUSE)
    if action == "GetCompositeSchedule" and status == "Accepted" and misbehaviour.composite is not None:
        return Reply(_composite(reply.payload, asked, misbehaviour.composite))
    return reply


def question_heard(action: str, asked: Payload, misbehaviour: Misbehaviour) -> Payload:
    """Return what it makes of what it is asked."""
    if action == "GetCompositeSchedule" and misbehaviour.composite is CompositeForm.WATTS:
        return {**asked, "chargingRateUnit": "W"}
    return asked


def _composite(answer: Payload, asked: Payload, form: CompositeForm) -> Payload:
    field = "schedule" if "schedule" in answer else "chargingSchedule"
    schedule = answer[field]
    match form:
        case CompositeForm.NONE:
            return {"status": "Accepted"}
        case CompositeForm.EMPTY:
            return {**answer, field: {**schedule, "chargingSchedulePeriod": [], "duration": ABSURD_DURATION_S}}
        case CompositeForm.MINUS_ONE if asked.get("chargingRateUnit") == "A":
            periods = [{**period, "limit": -1} for period in schedule["chargingSchedulePeriod"]]
            return {**answer, field: {**schedule, "chargingSchedulePeriod": periods}}
        case _:
            return answer


def _in_samples(payload: Payload, change: Callable[[list[Payload]], list[Payload]]) -> Payload:
    """Return a payload with its sampled values changed, wherever they are."""

    def within(value: Any) -> Any:
        if isinstance(value, list):
            return [within(one) for one in value]
        if not isinstance(value, dict):
            return value
        changed = {name: within(one) for name, one in value.items()}
        if "sampledValue" in changed:
            changed["sampledValue"] = change(changed["sampledValue"])
        return changed

    return {name: within(value) for name, value in payload.items()}


def _with_unknown_sample(samples: list[Payload]) -> list[Payload]:
    value: str | float = "7.5" if samples and isinstance(samples[0]["value"], str) else 7.5
    return [*samples, {**UNKNOWN_SAMPLE, "value": value}]


def _with_other_type(samples: list[Payload]) -> list[Payload]:
    return [
        {**one, "value": float(one["value"]) if isinstance(one["value"], str) else f"{one['value']:.2f}"}
        for one in samples
    ]


def _with_null(samples: list[Payload]) -> list[Payload]:
    return [{"phase": None, "location": None, **one} for one in samples]


def _with_fractions(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        of_evse = name == "evse"
        return {
            key: float(one)
            if isinstance(one, int) and (key in NAMES_OF_PLACES or (of_evse and key == "id"))
            else _with_fractions(one, key)
            for key, one in value.items()
        }
    return [_with_fractions(one, name) for one in value] if isinstance(value, list) else value
