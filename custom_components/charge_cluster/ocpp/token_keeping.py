"""Sees to it that a charge point holds what it is to decide without us, after each restart and when that changes.

What is held, and how a list gets there, is `ocpp.local_list`. Here is when: once the charge point is set up, few
charge points at a time, and again after a while where it failed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

from .local_list import LocalList, TokenPolicy
from .rpc import CallFailed
from .standing import Standing

AGAIN_S = 900.0
"""What could not be given is tried again this often, unless it changes before."""


class TokenKeeper:
    """The tokens of one charge point."""

    def __init__(
        self,
        identity: str,
        standing: Standing,
        *,
        hold: Callable[[TokenPolicy], Awaitable[bool]],
        ready: Callable[[], bool],
        listing: asyncio.Semaphore,
        spawn: Callable[[str, Callable[[], Coroutine[Any, Any, None]]], None],
    ) -> None:
        """Know nothing of its list.

        Args:
            identity: how the charge point is called in the log.
            standing: has the policy that is wanted.
            hold: brings the charge point to a policy; returns whether it is, raises CallFailed.
            ready: whether it is set up and can be asked.
            listing: how many charge points are given their lists at a time.
            spawn: begins some work unless the same is under way.
        """
        self._identity = identity
        self._standing = standing
        self._hold = hold
        self._ready = ready
        self._listing = listing
        self._spawn = spawn
        self.list = LocalList()
        """What is known of the list that it holds."""
        self._held: TokenPolicy | None = None
        self._next_at = 0.0
        """Not before this is it tried again."""
        self._boots = 0

    def keep(self, policy: TokenPolicy | None) -> None:
        """Say what it is to hold, soon and after each restart of it; None: that is left alone."""
        self._standing.tokens = policy
        self._next_at = 0.0

    def restarted(self) -> None:
        """The charge point restarted: what it holds has to be looked at again."""
        self.list.forget()
        self._held = None
        self._next_at = 0.0
        self._boots += 1

    def follow(self, now: float) -> None:
        """Have it hold what it is to hold, once it is set up."""
        policy = self._standing.tokens
        wanted = policy is not None and policy is not self._held and now >= self._next_at
        if policy is not None and wanted and self._ready():
            self._next_at = now + AGAIN_S
            self._spawn("tokens", partial(self._bring, policy))

    async def _bring(self, policy: TokenPolicy) -> None:
        boot, log = self._boots, self._standing.log
        async with self._listing:
            try:
                done = await self._hold(policy)
            except CallFailed as failure:
                log.warning("%s has not got its list of tokens: %s", self._identity, type(failure).__name__)
                return
        if not done:
            log.warning("%s does not take its list of tokens", self._identity)
        elif boot == self._boots:
            self._held = policy
