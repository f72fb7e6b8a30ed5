"""What is known of a charge point whatever version of OCPP it speaks, and what all conversations share.

The first goes on when a charge point comes back with another version after an update of its firmware.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from .connectors import ConnectorState
from .conversation import (
    DeviceFacts,
    Listener,
    Report,
    StationMeasured,
    Terminals,
    TransactionClosed,
    TransactionOpened,
)
from .experience import Experience, Forgetful, ModelMemory
from .local_list import TokenPolicy
from .metering import WATT_HOURS
from .pacing import CalmLog
from .protocols import Authoriser, Clock, TransactionJournal
from .quirks import Quirk, quirks_of
from .security.enrolment import Certifier
from .times import ChargerClock
from .transactions import TransactionBook

_LOGGER = logging.getLogger(__name__)

KILOWATT_HOURS = "kWh"
UNLIKE_ITS_MAKE_AFTER = 3
"""So many values of a register in a row that cannot be what its make means by Wh are no accident."""

STATION = 0
"""The number of the charge point itself among its connectors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedSettings:
    """What we want of every charge point."""

    sample_interval_s: int = 10
    heartbeat_interval_s: int = 60
    ping_interval_s: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What all conversations of a central system share."""

    journal: TransactionJournal
    authoriser: Authoriser
    clock: Clock
    charge_point_id: Callable[[str], str] = str
    """Turns an OCPP identity into the id that records carry."""
    wanted: WantedSettings = field(default_factory=WantedSettings)
    certifier: Certifier | None = None
    """Who signs the certificates of charge points; None: nobody."""
    listing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(4))
    """So many charge points are given their list of tokens at a time."""
    memory: ModelMemory = field(default_factory=Forgetful)
    """What was found out about models of charge points."""
    setting_up: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(16))
    """So many charge points are set up at a time, when all dial in at once."""


class Standing:
    """What is known of a charge point whatever version it speaks, and who listens to it."""

    def __init__(self, identity: str, services: Services) -> None:
        """Begin without knowing anything."""
        self._clock = services.clock
        self.device = DeviceFacts()
        self.experience = Experience(services.memory, lambda: self.device)
        self.charger_clock = ChargerClock()
        self.connectors: dict[int, ConnectorState] = {}
        self.terminals: dict[int, Terminals] = {}
        self.key_to_provision: tuple[str, Callable[[], None]] | None = None
        self.tokens: TokenPolicy | None = None
        """What it is to decide without us; None: that is left alone."""
        self.station: StationMeasured | None = None
        """What its own meter told last."""
        self.station_interval_s: int | None = None
        """How often its own meter is to be told of; None: nobody asks for it."""
        self.listeners: list[Listener] = []
        self._met = self.device
        self._quirks: frozenset[Quirk] = frozenset()
        """Of what it said it is when it was met."""
        self._means_wh = False
        self._starting: Counter[int] = Counter()
        self._untold: dict[int, TransactionOpened] = {}
        self.log = CalmLog(_LOGGER, services.clock.monotonic)
        self.book = TransactionBook(
            lambda: services.charge_point_id(identity), services.journal, services.clock, self._transaction_changed
        )

    @property
    def quirks(self) -> frozenset[Quirk]:
        """Return what its make is known for."""
        if self._met is not self.device:
            self._met, self._quirks, self._means_wh = self.device, quirks_of(self.device), False
        return self._quirks

    @property
    def wh_means(self) -> str:
        """Return the unit of energies that it tells in Wh; a make that is known to mean kWh may have mended that."""
        if Quirk.KWH_AS_WH not in self.quirks or self._means_wh:
            return WATT_HOURS
        self._means_wh = any(state.register.implausible >= UNLIKE_ITS_MAKE_AFTER for state in self.connectors.values())
        return WATT_HOURS if self._means_wh else KILOWATT_HOURS

    def register_wh(self, told: int | None) -> int | None:
        """Return a register in Wh that the start or the end of a transaction told without a unit (OCPP 1.6)."""
        return told if told is None or self.wh_means == WATT_HOURS else 1000 * told

    def connector(self, number: int) -> ConnectorState:
        """Return the state of a connector, an empty one at first."""
        return self.connectors.setdefault(number, ConnectorState(connector=number))

    def age(self, stamped_at: float | None) -> float:
        """Return how long ago something happened that is told now with this time of the charger."""
        return 0.0 if stamped_at is None else self.charger_clock.age(stamped_at, self._clock.time())

    def report(self, report: Report) -> None:
        """Tell the listeners, each on its own turn, so that none can disturb the conversation."""
        loop = asyncio.get_running_loop()
        for listener in self.listeners:
            loop.call_soon(self._deliver, listener, report)

    def _deliver(self, listener: Listener, report: Report) -> None:
        if listener in self.listeners:
            listener(report)

    # -- starts that are not answered yet -----------------------------------------------------------------------------

    def begin_start(self, connector: int) -> None:
        """A start at a connector is judged: until it is answered the charger does not know what it is called."""
        self._starting[connector] += 1

    def end_start(self, connector: int) -> None:
        """A start at a connector was answered, or never will be."""
        self._starting[connector] -= 1
        if self._starting[connector] <= 0:
            del self._starting[connector]
            self._tell_start(connector)

    def is_starting(self, connector: int) -> bool:
        """Return whether a start at a connector is not answered yet."""
        return connector in self._starting

    def _tell_start(self, connector: int) -> None:
        opened = self._untold.pop(connector, None)
        if opened is not None:
            self.report(opened)

    def _transaction_changed(self, report: TransactionOpened | TransactionClosed) -> None:
        if isinstance(report, TransactionOpened) or not report.late:
            self.connector(report.connector).new_vehicle()
        if isinstance(report, TransactionOpened) and self.is_starting(report.connector):
            # Whoever hears of it sends a limit for it at once, and the charger would refuse that.
            self._untold[report.connector] = report
            return
        self._tell_start(report.connector)
        self.report(report)
