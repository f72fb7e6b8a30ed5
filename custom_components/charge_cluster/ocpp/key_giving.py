"""Giving a charge point another key, in every version of OCPP: on request, or as soon as it is set up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from .conversation import KeyOutcome, NotReachable
from .rpc import CallFailed, CallNotSent
from .standing import Standing

type TakeKey = Callable[[str], Awaitable[tuple[bool, bool]]]
"""Has the charger take a key; gives whether it did, and whether only after a restart. Raises CallFailed."""


class KeyGiver:
    """Gives keys to one charge point."""

    def __init__(self, identity: str, standing: Standing, take: TakeKey) -> None:
        """Have nothing to give."""
        self._identity = identity
        self._standing = standing
        self._take = take

    async def change(self, key: str) -> KeyOutcome:
        """Have it use another key. Raises NotReachable: it was not even asked."""
        try:
            taken, after_restart = await self._take(key)
        except CallNotSent:
            raise NotReachable(self._identity) from None
        except CallFailed:
            return KeyOutcome.UNKNOWN
        if not taken:
            return KeyOutcome.REFUSED
        return KeyOutcome.TAKEN_AFTER_RESTART if after_restart else KeyOutcome.TAKEN

    def provision(self, key: str, done: Callable[[], None]) -> None:
        """Have a key to give; `done` is called when it was taken."""
        self._standing.key_to_provision = (key, done)

    async def give(self) -> None:
        """Give what there is to give. Never raises: it is tried again when the charger is set up next."""
        if self._standing.key_to_provision is None:
            return
        key, done = self._standing.key_to_provision
        try:
            taken, restart_needed = await self._take(key)
        except CallFailed:
            return
        if not taken:
            self._standing.log.warning("%s does not take a key", self._identity)
            return
        self._standing.key_to_provision = None
        if not restart_needed:
            done()
