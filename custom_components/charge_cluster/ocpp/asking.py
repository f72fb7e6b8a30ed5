"""How an operation is asked for, whatever its version: checked, let pass or refused, sent, its answer judged.

A refusal may be a status or a CALLERROR; both become `Refused` with the charge point's own word. Secrets in answers are
taken out before anybody sees them.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from .conversation import NoAnswer, NotReachable, Refused
from .following import Following
from .forbidden import forbid_operation, is_secret
from .frames import JsonObject
from .operations import Called
from .rpc import Ask, CallFailed, CallRefused, CallTimedOut
from .versions import OcppVersion
from .vocabulary import vocabulary

MOST_ANSWER = 50
"""Characters of a word that a charge point answers with."""
REDACTED = "**REDACTED**"

NOT_KNOWN = frozenset({"NotImplemented", "NotSupported", "UnknownMessageId", "UnknownAction"})
"""Answers of a charge point that does not know an operation, or has not the parts for it."""

PARTS = {
    "GetBaseReport": "NotifyReport",
    "GetReport": "NotifyReport",
    "GetMonitoringReport": "NotifyMonitoringReport",
    "GetChargingProfiles": "ReportChargingProfiles",
    "GetDisplayMessages": "NotifyDisplayMessages",
    "CustomerInformation": "NotifyCustomerInformation",
    "GetDERControl": "ReportDERControl",
}
"""Operations whose answer only says that the rest is to come, and what it comes as."""


async def answered(identity: str, answer: Awaitable[JsonObject]) -> JsonObject:
    """Return an answer of a charge point that was asked. Raises NotReachable, NoAnswer, Refused."""
    try:
        return await answer
    except CallRefused as refusal:
        raise Refused(refusal.code[:MOST_ANSWER]) from None
    except CallTimedOut:
        raise NoAnswer(identity) from None
    except CallFailed:
        raise NotReachable(identity) from None


def accepted(answer: JsonObject, *good: str) -> JsonObject:
    """Return an answer whose status is one of the good ones; usually "Accepted". Raises Refused."""
    status = answer.get("status")
    if status not in (good or ("Accepted",)):
        raise Refused(str(status)[:MOST_ANSWER])
    return answer


class Asking:
    """Asks one charge point for operations of its version."""

    def __init__(self, *, version: OcppVersion, identity: str, online: Callable[[], bool], ask: Ask) -> None:
        """`ask` sends a call, behind all limits that wait."""
        self.version = version
        self.following = Following()
        self._identity = identity
        self._online = online
        self._ask = ask
        self._request_id = secrets.randbelow(2**30)

    def next_id(self) -> int:
        """Return a number for a request that was not used for a long time."""
        self._request_id = self._request_id % (2**31 - 2) + 1
        return self._request_id

    async def ask(self, operation: str, payload: JsonObject) -> JsonObject:
        """Send an operation of ours and return the answer. Raises NotReachable, NoAnswer, Refused."""
        if not self._online():
            raise NotReachable(self._identity)
        return await answered(self._identity, self._ask(operation, payload))

    async def command(self, operation: str, payload: JsonObject, *good: str) -> JsonObject:
        """Send an operation whose answer has to be one of the good ones; usually "Accepted". Raises as `ask`."""
        return accepted(await self.ask(operation, payload), *good)

    async def call(self, operation: str, payload: JsonObject) -> Called:
        """Send what somebody wrote, checked; what comes in parts after the answer is waited for.

        Raises:
            PayloadFault: the version has no such operation, or not with this payload.
            Forbidden: it must not be sent.
            NotReachable, NoAnswer, Refused: as `ask`.
            TooManyWait: for parts of this charge point's answers.
        """
        forbid_operation(operation, payload)
        fitted = self._fitted(operation, payload)
        forbid_operation(operation, fitted)
        parts = PARTS.get(operation)
        if parts is None:
            return Called(answer=redacted(await self.ask(operation, fitted)))
        with self.following.awaiting([parts], fitted.get("requestId")) as awaited:
            answer = await self.ask(operation, fitted)
            if answer.get("status", "Accepted") != "Accepted":
                return Called(answer=redacted(answer))
            await awaited.whole()
            came = tuple(redacted(part) for part in awaited.parts)
            return Called(answer=redacted(answer), parts=came, complete=awaited.complete)

    def _fitted(self, operation: str, payload: JsonObject) -> JsonObject:
        """Return a payload as it may go out, with a number where it needs one and has none. Raises PayloadFault."""
        known = vocabulary(self.version)
        fields = known.operations.get(operation)
        if isinstance(fields, dict) and "requestId!" in fields and "requestId" not in payload:
            payload = {**payload, "requestId": self.next_id()}
        return known.fitted(operation, payload)


def redacted(content: JsonObject) -> JsonObject:
    """Return what a charge point sent without the values of secrets."""
    told: JsonObject = _redacted(content)
    return told


def _redacted(content: Any) -> Any:
    if isinstance(content, list):
        return [_redacted(item) for item in content]
    if not isinstance(content, dict):
        return content
    hidden = _of_secret(content)
    return {
        name: REDACTED if is_secret(name) or (hidden and name in _VALUES) else _redacted(item)
        for name, item in content.items()
    }


_VALUES = frozenset({"value", "attributeValue", "variableAttribute"})


def _of_secret(content: JsonObject) -> bool:
    """Return whether an object is about a setting whose value is a secret."""
    variable = content.get("variable")
    named = variable.get("name") if isinstance(variable, dict) else content.get("key")
    return isinstance(named, str) and is_secret(named)
