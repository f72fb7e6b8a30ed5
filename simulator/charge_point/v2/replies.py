"""Answers in the words that all commands of OCPP 2.x share."""

from collections.abc import Callable

from ..link import Payload, Reply


def status_reply(status: str, afterwards: Callable[[], None] | None = None) -> Reply:
    """Return an answer that is a status."""
    return Reply({"status": status}, afterwards)


def status_info(reason: str) -> Payload:
    """Return why."""
    return {"reasonCode": reason[:20]}


def refusal(reason: str) -> Reply:
    """Return Rejected, and why."""
    return Reply({"status": "Rejected", "statusInfo": status_info(reason)})
