"""Who may charge at a charge point: tokens are judged, and what began in spite of that is ended.

A charger that is told at a start that its token may not charge stops by itself, as a rule; one that goes on is told to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

from .conversation import NotReachable, Refused
from .protocols import AUTHORISING_PATIENCE_S, Authorisation, AuthorisationStatus, Authoriser, Purpose
from .standing import Standing
from .tokens import TokenType

REFUSED_START_S = 10.0
"""A charger that goes on for so long with a transaction that was refused is told to stop it."""


class Admittance:
    """Judges at one charge point."""

    def __init__(
        self,
        identity: str,
        standing: Standing,
        authoriser: Authoriser,
        *,
        charge_point_id: Callable[[], str],
        online: Callable[[], bool],
        stop_running: Callable[[int], Awaitable[None]],
        spawn: Callable[[str, Callable[[], Coroutine[Any, Any, None]]], None],
    ) -> None:
        """Judge as somebody decides.

        Args:
            identity: how the charge point is called in the log.
            standing: what runs there.
            authoriser: decides.
            charge_point_id: gives the id by which that knows the charge point.
            online: whether it can be talked to.
            stop_running: stops the transaction at a connector; raises NotReachable, Refused.
            spawn: begins some work unless the same is under way.
        """
        self._identity = identity
        self._standing = standing
        self._authoriser = authoriser
        self._charge_point_id = charge_point_id
        self._online = online
        self._stop_running = stop_running
        self._spawn = spawn
        self._refused: dict[int, asyncio.TimerHandle] = {}
        """By connector: when a transaction is ended that was refused as it started."""

    def close(self) -> None:
        """End nothing more."""
        for timer in self._refused.values():
            timer.cancel()
        self._refused.clear()

    async def judge(
        self,
        id_tag: str | None,
        *,
        kind: TokenType | None = None,
        purpose: Purpose = Purpose.ASK,
        connector: int | None = None,
        age_s: float = 0.0,
    ) -> Authorisation:
        """Have a token judged; see `Authoriser`."""
        if id_tag is None:
            return Authorisation(status=AuthorisationStatus.INVALID)
        charge_point_id = self._charge_point_id()
        try:
            async with asyncio.timeout(AUTHORISING_PATIENCE_S):
                return await self._authoriser.authorise(
                    charge_point_id, id_tag, kind=kind, purpose=purpose, connector=connector, age_s=age_s
                )
        except TimeoutError:
            return Authorisation(status=AuthorisationStatus.INVALID)

    def end_later(self, connector: int, transaction_id: int) -> None:
        """Stop what was refused when it started, where the charger does not do so by itself."""
        if connector in self._refused:
            self._refused[connector].cancel()
        self._refused[connector] = asyncio.get_running_loop().call_later(
            REFUSED_START_S, self._end, connector, transaction_id
        )

    def _end(self, connector: int, transaction_id: int) -> None:
        self._refused.pop(connector, None)
        running = self._standing.book.running.get(connector)
        if self._online() and running is not None and running.stored.transaction_id == transaction_id:
            self._spawn(f"refuse at {connector}", partial(self._stop, connector))

    async def _stop(self, connector: int) -> None:
        try:
            await self._stop_running(connector)
        except NotReachable, Refused:
            self._standing.log.warning("%s goes on with a transaction that was refused", self._identity)
