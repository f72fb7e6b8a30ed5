"""Sending limits: one conversation per charger, none waits for another, and what became of a limit is proof.

An order counts from the moment it is handed over, an acceptance is noted with the time at which the limit surely has
run out, and an order without an answer stays counted and is sent again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Protocol

from ..chargers import Charger, ChargerOffline, LimitForm, LimitOrder, LimitOutcome
from ..engine import guard
from ..engine.model import VehicleState
from ..engine.snapshot import Command
from ..ocpp.protocols import Clock
from .connector import ConnectorState

LOGGER = logging.getLogger(__name__)

EXPIRY_SLACK_S = 5.0
"""How much later than its validity a limit may run out in a charger: the error of its clock as we know it."""

PROVING_S = 10.0
"""So long shares reckon with a fallback that is being stored."""

PROVE_AGAIN_S = 30.0
"""A fallback that was refused or not answered is stored again after this; chargers may write it to flash."""

RETRY_AFTER_S = 5.0
"""An order that failed is not sent again before this."""


class Audit(Protocol):
    """Keeps who was told what, when, why, and what became of it."""

    def ordered(self, state: ConnectorState, command: Command, outcome: LimitOutcome, before_a: float) -> None:
        """Record an order, its outcome and the limit that was in force until then."""


class Dispatch:
    """Sends orders to the chargers of one site."""

    def __init__(self, clock: Clock, audit: Audit, concerned: Callable[[ConnectorState], None]) -> None:
        """`concerned` is told when the proof about a connector changed."""
        self._clock = clock
        self._audit = audit
        self._concerned = concerned
        self._tasks: set[asyncio.Task[None]] = set()
        self._proving_again: set[str] = set()
        """Connectors whose fallback is stored again later."""

    def send(self, state: ConnectorState, charger: Charger, command: Command, validity_s: float) -> None:
        """Hand an order over; returns at once."""
        state.bound = guard.sent(state.bound, command.amps, self._clock.monotonic())
        state.bound = guard.ending_in(state.bound, state.connector.fallback_a)
        state.outstanding += 1
        self._spawn(self._send(state, charger, command, validity_s))

    def provision(self, state: ConnectorState, charger: Charger) -> None:
        """Store the permanent fallback in the charger; returns at once."""
        self._spawn(self._provision(state, charger))

    async def close(self) -> None:
        """Let go of everything under way."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, state: ConnectorState, charger: Charger, command: Command, validity_s: float) -> None:
        order = LimitOrder(
            amps=command.amps, fallback_a=state.connector.fallback_a, validity_s=validity_s, form=command.form
        )
        state.offers.reworded = state.offers.reworded or command.form is LimitForm.OTHER
        try:
            outcome = await charger.apply_limit(state.number, order)
        except ChargerOffline:
            outcome = LimitOutcome.NOT_SENT
        finally:
            state.outstanding -= 1
        now = self._clock.monotonic()
        before_a = state.limit_a
        if outcome is LimitOutcome.ACCEPTED:
            state.refusals = 0
            state.retry_at = 0.0
            state.bound = guard.accepted(state.bound, command.amps, now, now + validity_s + EXPIRY_SLACK_S)
            state.bound = guard.ends_in(state.bound, order.fallback_a)
        elif outcome is LimitOutcome.REFUSED:
            state.refusals += 1
            state.retry_at = now + RETRY_AFTER_S
            state.bound = guard.refused(state.bound, command.amps)
        elif outcome is LimitOutcome.NOT_SENT:
            # Overtaken by a newer order or by the loss of the connection: the limit before still holds.
            state.bound = guard.refused(state.bound, command.amps)
        else:
            state.retry_at = now + RETRY_AFTER_S
        if outcome is not LimitOutcome.NOT_SENT and not (command.renews and outcome is LimitOutcome.ACCEPTED):
            self._audit.ordered(state, command, outcome, before_a)
        self._concerned(state)

    async def _provision(self, state: ConnectorState, charger: Charger) -> None:
        state.proving_until = self._clock.monotonic() + PROVING_S
        try:
            await self._store_fallback(state, charger)
        finally:
            state.proving_until = self._clock.monotonic()

    async def _store_fallback(self, state: ConnectorState, charger: Charger) -> None:
        fallback = state.connector.fallback_a
        state.bound = guard.fallback_sent(state.bound, fallback)
        try:
            outcome = await charger.provision_fallback(state.number, fallback)
        except ChargerOffline:
            return
        if outcome is not LimitOutcome.ACCEPTED:
            LOGGER.warning("%s did not take its fallback of %.0f A: %s", state.key, fallback, outcome)
            if state.key not in self._proving_again:
                self._proving_again.add(state.key)
                self._spawn(self._prove_again(state, charger))
        elif fallback == state.connector.fallback_a:
            # Otherwise another one was sent meanwhile: the higher of the two counts until that is answered.
            # A vehicle may charge in a transaction that has not been told yet, at a limit that nobody knows.
            idle = state.transaction is None and state.vehicle is VehicleState.ABSENT
            state.bound = guard.fallback_stored(state.bound, fallback, idle=idle, now=self._clock.monotonic())
        self._concerned(state)

    async def _prove_again(self, state: ConnectorState, charger: Charger) -> None:
        """Try to store a fallback again later; until then its hardware's maximum counts."""
        await asyncio.sleep(PROVE_AGAIN_S)
        self._proving_again.discard(state.key)
        if state.bound.online and not state.leaving and state.bound.fallback_a != state.connector.fallback_a:
            await self._store_fallback(state, charger)
