"""What is remembered of one connector over OCPP, to tell the state of its vehicle from the words of its charger.

Current that flows outweighs any word, and a vehicle that takes nothing while it is offered nothing has not said no.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ..engine.model import VehicleState
from ..ocpp.conversation import StatusReported, Terminals, TransactionOpened
from . import ConnectorStatus, DrawSample, LimitOrder, Quirk
from .zero import Resumption, ZeroWatch

FLOWING_A = 1.0
"""From here on current flows into a vehicle, whatever the status says."""
UNWANTED_AFTER_S = 60.0
"""A vehicle that is offered its minimum for so long and takes nothing does not want it."""

PREPARING, CHARGING = "Preparing", "Charging"

WANTING = frozenset({PREPARING, "Charging", "SuspendedEVSE"})
CONTENT = frozenset({"SuspendedEV", "Finishing"})
EMPTY = frozenset({"Available", "Reserved"})
BROKEN = frozenset({"Faulted", "Unavailable"})


@dataclass(slots=True, kw_only=True)
class Promise:
    """An order that was accepted, and how long it binds."""

    order: LimitOrder
    until: float
    offered_since: float | None
    """Since when at least the minimum was offered without a break."""


class ConnectorMemory:
    """What is remembered of one connector to tell its vehicle's state."""

    def __init__(self, terminals: Terminals) -> None:
        """Begin without having heard of it."""
        self.terminals = terminals
        self.status: StatusReported | None = None
        self.flowing_a = 0.0
        self.wanted = True
        """What the vehicle last showed by a word that is clear."""
        self.promise: Promise | None = None
        self.transaction: TransactionOpened | None = None
        self.asking = 0
        """Orders under way."""
        self.told: ConnectorStatus | None = None
        self.sample: DrawSample | None = None
        self.starting: asyncio.TimerHandle | None = None
        self.attempts = 0
        """To start the vehicle that is plugged in; a transaction uses them up."""
        self.zero = ZeroWatch()
        self.quirks: set[Quirk] = set()
        """Those that were told."""
        self.resumption = Resumption()

    def vehicle(self, now: float) -> VehicleState:
        """Return what is known of the vehicle."""
        if self.status is None:
            return VehicleState.WANTS if self.flowing_a >= FLOWING_A else VehicleState.UNKNOWN
        word = self.status.status
        if word in BROKEN:
            return VehicleState.FAULTED
        if self.flowing_a >= FLOWING_A or word in WANTING:
            return VehicleState.WANTS
        if word in EMPTY:
            return VehicleState.ABSENT
        if self.resumption.wanted:
            return VehicleState.WANTS
        if word == "SuspendedEV" and self.wanted and not self._was_offered(now):
            return VehicleState.WANTS
        return VehicleState.SATED if word in CONTENT else VehicleState.UNKNOWN

    @property
    def charges(self) -> bool:
        """Return whether the charger says that the vehicle may take current, and does."""
        return self.status is not None and self.status.status == CHARGING

    @property
    def waits(self) -> bool:
        """Return whether a vehicle is plugged in and waits to be let in."""
        return self.status is not None and self.status.status == PREPARING

    @property
    def may_be_resumed(self) -> bool:
        """Return whether a vehicle whose transaction 0 A ended waits in one that nobody was let in by.

        In OCPP 2.x another one may begin at once, since the cable is still plugged in.
        """
        unnamed = self.transaction is not None and self.transaction.id_tag is None
        return unnamed and self.resumption.wanted

    def _was_offered(self, now: float) -> bool:
        """Return whether current was on offer long enough for the vehicle to take it."""
        promise = self.promise
        return (
            promise is not None
            and promise.offered_since is not None
            and now < promise.until
            and now - promise.offered_since >= UNWANTED_AFTER_S
        )

    def promised(self, order: LimitOrder, now: float) -> None:
        """Note an order that the charger will keep."""
        offered_since = None
        if order.amps >= self.terminals.minimum_a and self.transaction is not None:
            before = self.promise.offered_since if self.promise is not None and now < self.promise.until else None
            offered_since = now if before is None else before
        self.promise = Promise(order=order, until=now + order.validity_s, offered_since=offered_since)

    def cancel_start(self) -> None:
        """Do not start it from here."""
        if self.starting is not None:
            self.starting.cancel()
            self.starting = None
