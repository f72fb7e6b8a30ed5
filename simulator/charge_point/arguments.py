"""Reads the arguments of a call, and refuses what they may not be."""

from collections.abc import Sequence
from typing import Any

from ..clock import utc_of
from .link import CallFault, Payload


def text(payload: Payload, name: str) -> str:
    """Return a text.

    Raises:
        CallFault: it is missing or something else.
    """
    found = payload.get(name)
    if found is None:
        raise CallFault("OccurenceConstraintViolation", f"{name} is missing")
    if not isinstance(found, str):
        raise CallFault("TypeConstraintViolation", f"{name} is no text")
    return found


def whole(payload: Payload, name: str) -> int:
    """Return a whole number.

    Raises:
        CallFault: it is missing or something else.
    """
    found = payload.get(name)
    if found is None:
        raise CallFault("OccurenceConstraintViolation", f"{name} is missing")
    if isinstance(found, bool) or not isinstance(found, int):
        raise CallFault("TypeConstraintViolation", f"{name} is no integer")
    return found


def whole_or_none(payload: Payload, name: str) -> int | None:
    """Return a whole number, None where there is none.

    Raises:
        CallFault: it is something else.
    """
    return None if payload.get(name) is None else whole(payload, name)


def one_of(payload: Payload, name: str, choices: Sequence[str]) -> str:
    """Return a text that is one of several.

    Raises:
        CallFault: it is missing or something else.
    """
    found = text(payload, name)
    if found not in choices:
        raise CallFault("PropertyConstraintViolation", f"{name} is none of the allowed values")
    return found


def moment_or_none(payload: Payload, name: str) -> float | None:
    """Return a date and time as UTC POSIX seconds, None where there is none.

    Raises:
        CallFault: it is something else.
    """
    if payload.get(name) is None:
        return None
    try:
        return utc_of(text(payload, name))
    except ValueError:
        raise CallFault("FormationViolation", f"{name} is no date and time") from None


def moment(payload: Payload, name: str) -> float:
    """Return a date and time as UTC POSIX seconds.

    Raises:
        CallFault: it is missing or something else.
    """
    found = moment_or_none(payload, name)
    if found is None:
        raise CallFault("OccurenceConstraintViolation", f"{name} is missing")
    return found


def group(payload: Payload, name: str) -> Payload:
    """Return an object within the payload.

    Raises:
        CallFault: it is missing or something else.
    """
    found = payload.get(name)
    if found is None:
        raise CallFault("OccurenceConstraintViolation", f"{name} is missing")
    if not isinstance(found, dict):
        raise CallFault("TypeConstraintViolation", f"{name} is no object")
    return found


def group_or_none(payload: Payload, name: str) -> Payload | None:
    """Return an object within the payload, None where there is none.

    Raises:
        CallFault: it is something else.
    """
    return None if payload.get(name) is None else group(payload, name)


def groups(payload: Payload, name: str) -> list[Payload]:
    """Return the objects of a list, none where there is no list.

    Raises:
        CallFault: it is something else.
    """
    found: Any = payload.get(name) or []
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise CallFault("TypeConstraintViolation", f"{name} is no list of objects")
    return found


def items(payload: Payload, name: str) -> list[Any]:
    """Return a list, an empty one where there is none.

    Raises:
        CallFault: it is something else.
    """
    found = payload.get(name) or []
    if not isinstance(found, list):
        raise CallFault("TypeConstraintViolation", f"{name} is no list")
    return found
