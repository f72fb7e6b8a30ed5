"""What an EVSE is doing, in the words that are used above this room, out of what its connectors and transactions say.

OCPP 2.x says little of a connector: it is free, occupied, or out of order. Whether a vehicle charges is said by the
charging state of its transaction, which comes with an own message, sooner or later than the connector's word. The newer
of the two counts, and a connector that is free has no transaction's state any more.
"""

from __future__ import annotations

from dataclasses import dataclass, field

AVAILABLE, OCCUPIED, RESERVED, FAULTED = "Available", "Occupied", "Reserved", "Faulted"

PREPARING, FINISHING, CHARGING = "Preparing", "Finishing", "Charging"

MAX_CONNECTORS_OF_EVSE = 16

_BUSIEST_FIRST = (OCCUPIED, RESERVED, AVAILABLE, FAULTED)
"""One vehicle at a time uses an EVSE, whichever of its connectors it is plugged into."""

_OVER = frozenset(
    {"StopAuthorized", "RemoteStop", "Deauthorized", "EnergyLimitReached", "TimeLimitReached", "SOCLimitReached"}
)
"""Reasons of an event after which a vehicle that is merely connected is not going to charge."""


@dataclass(slots=True)
class EvseState:
    """One EVSE as it was last told."""

    connectors: dict[int, str] = field(default_factory=dict)
    charging_state: str | None = None
    """Of its transaction; None: none runs, or it was not told."""
    charging_state_at: float = 0.0
    """The time of the event that told it, by the charger's clock."""
    over: bool = False
    """Whether what the vehicle came for is over while it still stands there."""

    def take_connector(self, connector: int, status: str) -> None:
        """Take the word of a connector."""
        if connector in self.connectors or len(self.connectors) < MAX_CONNECTORS_OF_EVSE:
            self.connectors[connector] = status
        if self.merged == AVAILABLE:
            self.charging_state = None
            self.over = False

    def begin(self) -> None:
        """A transaction began: what was before is over."""
        self.charging_state = None
        self.over = False

    def take_event(self, charging_state: str | None, trigger: str | None, stamped_at: float) -> None:
        """Take what an event of its running transaction says; one that is older than the last says nothing."""
        if stamped_at < self.charging_state_at:
            return
        self.charging_state_at = stamped_at
        if charging_state is not None:
            self.charging_state = charging_state
        if trigger in _OVER:
            self.over = True
        elif charging_state in {CHARGING, "SuspendedEV", "SuspendedEVSE"}:
            self.over = False

    def transaction_ended(self) -> None:
        """Its transaction ended."""
        self.charging_state = None
        self.over = self.merged != AVAILABLE

    def restarted(self) -> None:
        """Forget what a charger that restarted has not said anew."""
        self.charging_state = None
        self.charging_state_at = 0.0

    @property
    def merged(self) -> str | None:
        """Return the one word for all connectors."""
        if not self.connectors:
            return None
        words = set(self.connectors.values())
        return next((word for word in _BUSIEST_FIRST if word in words), next(iter(self.connectors.values())))

    @property
    def occupied_connector(self) -> int:
        """Return the connector that a vehicle is plugged into, the first one where none says so."""
        occupied = (number for number, word in self.connectors.items() if word == OCCUPIED and number > 0)
        return next(occupied, next((number for number in sorted(self.connectors) if number > 0), 1))

    def word(self, *, transaction: bool) -> str | None:
        """Return what the EVSE is doing; None: nothing was told.

        Args:
            transaction: whether one runs.
        """
        merged = self.merged
        if merged == FAULTED:
            return FAULTED
        match self.charging_state:
            case "EVConnected":
                return FINISHING if self.over else PREPARING
            case "Idle":
                # No vehicle, though somebody may be on the way to plug it in.
                return AVAILABLE
            case str(state):
                return state
        if merged not in {OCCUPIED, None}:
            return merged
        if self.over:
            return FINISHING
        if transaction:
            return CHARGING
        return None if merged is None else PREPARING
