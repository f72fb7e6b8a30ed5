"""Sending limits: one conversation per charger, none waits for another, and what became of a limit is proof.

An order counts from the moment it is handed over, an acceptance is noted with the time at which the limit surely has
run out, and an order without an answer stays counted and is sent again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Protocol

from ..chargers import (
    Charger,
    ChargerOffline,
    LimitForm,
    LimitOrder,
    LimitOutcome,
    MeasuresOnDemand,
    OperationRefused,
    measures_on_demand,
)
from ..engine import guard
from ..engine.model import VehicleState
from ..engine.snapshot import Command
from ..ocpp.conversation import Afterwards
from ..ocpp.protocols import Clock
from .connector import ConnectorState

LOGGER = logging.getLogger(__name__)

ANSWERED_WITHIN_S = 10.0
"""A call that is not answered within this is given up; who has not answered is taken to be away."""

EXPIRY_SLACK_S = 5.0
"""How much later than its validity a limit may run out in a charger: the error of its clock as we know it."""

PROVING_S = 10.0
"""So long shares reckon with a fallback that is being stored."""

PROVE_AGAIN_S = 30.0
"""A fallback that was refused or not answered is stored again after this; chargers may write it to flash."""

RETRY_AFTER_S = 5.0
"""An order that failed is not sent again before this."""

ASKED_AGAIN_AFTER_S = 2.0
"""A charger is not asked sooner than this for another measurement."""


class Audit(Protocol):
    """Keeps who was told what, when, why, and what became of it."""

    def ordered(self, state: ConnectorState, command: Command, outcome: LimitOutcome, before_a: float) -> None:
        """Record an order, its outcome and the limit that was in force until then."""


class Dispatch:
    """Sends orders to the chargers of one site."""

    def __init__(
        self,
        clock: Clock,
        audit: Audit,
        concerned: Callable[[ConnectorState], None],
        renewed: Callable[[ConnectorState], None],
    ) -> None:
        """`concerned` is told when the proof about a connector changed; `renewed` when all that is new is the time."""
        self._clock = clock
        self._audit = audit
        self._concerned = concerned
        self._renewed = renewed
        self._tasks: set[asyncio.Task[None]] = set()
        self._proving_again: set[str] = set()
        """Connectors whose fallback is stored again later."""
        self._raising: set[str] = set()
        """Connectors whose fallback is being raised."""
        self._storing: Counter[str] = Counter()
        """How many fallbacks are on their way, by connector."""
        self._ask_again_at: dict[str, float] = {}
        """Not before this is a connector asked for a measurement."""

    def send(
        self,
        state: ConnectorState,
        charger: Charger,
        command: Command,
        validity_s: float,
        afterwards: tuple[Afterwards, ...] = (),
    ) -> None:
        """Hand an order over, with what is planned after its validity; returns at once."""
        self._note_sent(state, command.amps, validity_s, command.phases)
        self._spawn(self._send(state, charger, command, validity_s, afterwards))

    def provision(self, state: ConnectorState, charger: Charger) -> None:
        """Store the permanent fallback in the charger, a higher one only after `raise_fallback`; returns at once."""
        self._spawn(self._provision(state, charger))

    def raise_fallback(self, state: ConnectorState, charger: Charger, validity_s: float) -> None:
        """Store a fallback that is higher than the one before, for which there is room; returns at once."""
        if state.key not in self._raising and state.key not in self._proving_again:
            self._raising.add(state.key)
            self._spawn(self._raise_fallback(state, charger, validity_s))

    def ask(self, state: ConnectorState, charger: Charger) -> None:
        """Ask for a measurement, where the charger sends one and no order waits for its answer; returns at once."""
        now = self._clock.monotonic()
        asked = measures_on_demand(charger)
        if asked is None or state.outstanding or now < self._ask_again_at.get(state.key, now):
            return
        self._ask_again_at[state.key] = now + ASKED_AGAIN_AFTER_S
        self._spawn(self._ask(state.number, asked))

    async def close(self) -> None:
        """Let go of everything under way."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _note_sent(self, state: ConnectorState, amps: float, validity_s: float, phases: int | None) -> None:
        now = self._clock.monotonic()
        # It may arrive as late as its answer is waited for.
        runs_out_at = now + ANSWERED_WITHIN_S + validity_s + EXPIRY_SLACK_S
        state.bound = guard.sent(state.bound, amps, now, runs_out_at, phases=phases)
        state.bound = guard.ending_in(state.bound, state.fallback_a)
        state.outstanding += 1

    async def _send(
        self,
        state: ConnectorState,
        charger: Charger,
        command: Command,
        validity_s: float,
        afterwards: tuple[Afterwards, ...] = (),
    ) -> None:
        order = LimitOrder(
            amps=command.amps,
            fallback_a=state.fallback_a,
            validity_s=validity_s,
            form=command.form,
            phases=command.phases,
            # A limit that is the fallback itself is not renewed: nothing else may come after it.
            afterwards=() if command.amps == state.fallback_a else afterwards,
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
            expires_at = now + validity_s + EXPIRY_SLACK_S
            state.bound = guard.accepted(state.bound, command.amps, now, expires_at, phases=command.phases)
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
        if command.renews and outcome is LimitOutcome.ACCEPTED:
            self._renewed(state)
            return
        if outcome is not LimitOutcome.NOT_SENT:
            self._audit.ordered(state, command, outcome, before_a)
        self._concerned(state)

    @staticmethod
    async def _ask(number: int, charger: MeasuresOnDemand) -> None:
        try:
            await charger.measure(number)
        except ChargerOffline, OperationRefused:
            # Its next sample comes by itself.
            return

    async def _provision(self, state: ConnectorState, charger: Charger) -> None:
        state.proving_until = self._clock.monotonic() + PROVING_S
        try:
            await self._store_fallback(state, charger, state.fallback_a)
        finally:
            state.proving_until = self._clock.monotonic()

    async def _raise_fallback(self, state: ConnectorState, charger: Charger, validity_s: float) -> None:
        try:
            if await self._is_held(state, charger, validity_s):
                await self._store_fallback(state, charger, state.connector.fallback_a)
        finally:
            self._raising.discard(state.key)

    async def _is_held(self, state: ConnectorState, charger: Charger, validity_s: float) -> bool:
        """Return whether a vehicle that is told less than the new fallback stays there when that is stored.

        A limit that is the fallback itself is not renewed. It has run out by then, and the new fallback would govern.
        """
        limit = state.bound.limit_a
        if state.vehicle is VehicleState.ABSENT or (limit is not None and limit >= state.connector.fallback_a):
            return True
        if limit is None or state.outstanding:
            return False
        reason, phases = state.limit.reason, state.limit.phases
        self._note_sent(state, limit, validity_s, phases)
        renewal = Command(connector_id=state.key, amps=limit, reason=reason, reduces=False, renews=True, phases=phases)
        await self._send(state, charger, renewal, validity_s)
        return state.bound.limit_a == limit and not state.bound.in_flight

    async def _store_fallback(self, state: ConnectorState, charger: Charger, fallback: float) -> None:
        state.bound = guard.fallback_sent(state.bound, fallback)
        self._storing[state.key] += 1
        try:
            outcome = await charger.provision_fallback(state.number, fallback)
        except ChargerOffline:
            return
        finally:
            self._storing[state.key] -= 1
        if outcome is not LimitOutcome.ACCEPTED:
            LOGGER.warning("%s did not take its fallback of %.0f A: %s", state.key, fallback, outcome)
            if state.key not in self._proving_again:
                self._proving_again.add(state.key)
                self._spawn(self._prove_again(state, charger))
        elif not self._storing[state.key]:
            # Otherwise another one was sent meanwhile: the higher of the two counts until that is answered.
            # A vehicle may charge in a transaction that has not been told yet, at a limit that nobody knows.
            idle = state.transaction is None and state.vehicle is VehicleState.ABSENT
            state.bound = guard.fallback_stored(state.bound, fallback, idle=idle, now=self._clock.monotonic())
        self._concerned(state)

    async def _prove_again(self, state: ConnectorState, charger: Charger) -> None:
        """Try to store a fallback again later; until then its hardware's maximum counts."""
        await asyncio.sleep(PROVE_AGAIN_S)
        self._proving_again.discard(state.key)
        # A higher one is stored when there is room for it: `raise_fallback`.
        if state.bound.online and not state.leaving and state.bound.fallback_a != state.fallback_a:
            await self._store_fallback(state, charger, state.fallback_a)
