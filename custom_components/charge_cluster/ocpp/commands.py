"""What a person or an automation can ask of a charge point to do now: each is one call, done or refused.

This is what is the same in every version of OCPP; whoever inherits it words the calls. Limits do not belong here: they
have their own way through the queue, see `limits`. What is not about charging is in `operations`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from .asking import accepted, answered
from .conversation import NotReachable
from .frames import JsonObject


class Commands(ABC):
    """How a command is carried out; whoever inherits it knows the connection."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """Return the OCPP identity."""

    @property
    @abstractmethod
    def online(self) -> bool:
        """Return whether it can be talked to."""

    @abstractmethod
    async def _ask(self, action: str, payload: JsonObject) -> JsonObject:
        """Send a call and return its answer. Raises CallFailed."""

    async def _command(self, action: str, payload: JsonObject, *good: str) -> JsonObject:
        """Carry out a call whose answer has to be one of the good ones. Raises NotReachable, NoAnswer, Refused."""
        if not self.online:
            raise NotReachable(self.identity)
        return accepted(await answered(self.identity, self._ask(action, payload)), *good)
