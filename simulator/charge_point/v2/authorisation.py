"""Local list and reservations in the words of OCPP 2.x."""

from typing import TYPE_CHECKING

from ..arguments import group, group_or_none, groups, moment, one_of, text, whole, whole_or_none
from ..link import Payload, Reply
from ..reservations import reserve_connector
from .replies import refusal, status_reply

if TYPE_CHECKING:
    from ..station import ChargePoint
    from .voice import Voice2


def list_version(station: ChargePoint, voice: Voice2, payload: Payload) -> Reply:  # noqa: ARG001 - nothing is asked
    """Return the version of the local list."""
    return Reply({"versionNumber": station.local_list.version})


def send_list(station: ChargePoint, voice: Voice2, payload: Payload) -> Reply:  # noqa: ARG001 - commands are alike
    """Take a local list or changes to it."""
    version = whole(payload, "versionNumber")
    entries: dict[str, str | None] = {}
    for entry in groups(payload, "localAuthorizationList"):
        info = group_or_none(entry, "idTokenInfo")
        entries[text(group(entry, "idToken"), "idToken")] = None if info is None else text(info, "status")
    if one_of(payload, "updateType", ("Full", "Differential")) == "Differential":
        return status_reply(station.local_list.update(version, entries))
    statuses = {tag: status for tag, status in entries.items() if status is not None}
    return status_reply(station.local_list.replace(version, statuses))


def customer_information(station: ChargePoint, voice: Voice2, payload: Payload) -> Reply:
    """Tell or forget what it knows of somebody: all that it knows of people are their tokens."""
    request_id = whole(payload, "requestId")
    token = group_or_none(payload, "idToken")
    if token is None and not any(payload.get(name) for name in ("customerIdentifier", "customerCertificate")):
        return status_reply("Invalid")
    tag = "" if token is None else text(token, "idToken")
    kind, listed = voice.token_kinds.get(tag), station.local_list.status_of(tag)
    known = [*([f"token of kind {kind}"] if kind else []), *([f"listed as {listed}"] if listed else [])]
    if payload.get("clear") is True:
        voice.token_kinds.pop(tag, None)

    def report() -> None:
        told = {"requestId": request_id, "generatedAt": station.time_text(), "seqNo": 0, "tbc": False}
        station.say("NotifyCustomerInformation", {**told, "data": ", ".join(known)})

    return status_reply("Accepted", report if payload.get("report") is True else None)


def reserve(station: ChargePoint, voice: Voice2, payload: Payload) -> Reply:
    """Keep an EVSE for a token."""
    number, token = whole_or_none(payload, "evseId"), group(payload, "idToken")
    reservation_id, tag, until = whole(payload, "id"), text(token, "idToken"), moment(payload, "expiryDateTime")
    connector = None if number is None else station.connectors.get(number)
    if connector is None:
        return refusal("UnknownEvse" if number is not None else "NotEvseSpecific")
    voice.token_kinds[tag] = str(token.get("type", ""))
    return status_reply(reserve_connector(station.reservations, connector, reservation_id, tag, until))


def cancel_reservation(station: ChargePoint, voice: Voice2, payload: Payload) -> Reply:  # noqa: ARG001 - as above
    """Give a reservation up."""
    cancelled = station.reservations.cancel(whole(payload, "reservationId"))
    return status_reply("Accepted") if cancelled else refusal("UnknownReservation")
