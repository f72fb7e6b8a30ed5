"""The transactions of one charge point: which runs where, and what is stored of them.

The journal is the authority on what was; this book says what *is*. Starts, ends and adoptions go through one lane in
the order they came, and are answered only after the journal holds them. What arrives late (a charger was offline) is
stored, but does not disturb a younger transaction at the same connector; the register of a late end is told on. A disk
that is full or broken stops records, not control: a transaction can be limited under the id that the charger itself
gives it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from .conversation import TransactionClosed, TransactionOpened
from .frames import JsonObject
from .protocols import (
    Clock,
    JournalUnavailable,
    StoredTransaction,
    TransactionJournal,
    TransactionStart,
    TransactionStop,
)

_LOGGER = logging.getLogger(__name__)

REMEMBERED_ENDED = 64
SIGHTINGS_TO_ADOPT = 2
"""A foreign id has to be seen so often before it displaces a transaction that we know."""
STALE_REASON = "Stale"
"""The reason under which an end is stored that the charger never told; its own end replaces it."""
STALE_AFTER_S = 60.0
"""A charger that says Available may still have the end in its queue for so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartNotice:
    """The start of a transaction as it is told."""

    connector: int
    id_tag: str | None
    meter_start_wh: int | None
    """None: the first register that is told later."""
    stamped_at: float | None
    reservation_id: int | None
    charger_id: str | None = None
    """The id that the charger gave it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopNotice:
    """The end of a transaction as it is told."""

    transaction_id: int
    id_tag: str | None
    meter_stop_wh: int | None
    stamped_at: float | None
    reason: str | None
    values: tuple[JsonObject, ...] = ()


@dataclass(slots=True, kw_only=True)
class RunningTransaction:
    """The transaction at a connector."""

    stored: StoredTransaction
    resumed: bool
    register_wh: float
    """The newest register that was told."""
    seen_at: float
    """When it was last known to run; UTC POSIX seconds."""
    start_untold: bool = False
    """Whether the register at its start is not known yet."""
    start_unstored: bool = False
    """Whether it got known after the start was stored."""


class TransactionBook:
    """What runs at the connectors of one charge point."""

    def __init__(
        self,
        charge_point_id: Callable[[], str],
        journal: TransactionJournal,
        clock: Clock,
        report: Callable[[TransactionOpened | TransactionClosed], None],
    ) -> None:
        """Open an empty book; `report` is told of TransactionOpened and TransactionClosed."""
        self.running: dict[int, RunningTransaction] = {}
        self.restored = False
        self._charge_point_id = charge_point_id
        self._journal = journal
        self._clock = clock
        self._report = report
        self._lane = asyncio.Lock()
        self._ended: OrderedDict[int, None] = OrderedDict()
        self._sightings: dict[int, tuple[int, int]] = {}
        """Connector → the id that the charger gives a transaction which is not ours, and how often it did."""
        self._startless: OrderedDict[int, bool] = OrderedDict()
        """Transactions of which something was told before their start."""

    async def restore(self) -> None:
        """Take up the transactions that were open when we stopped. Raises JournalUnavailable."""
        async with self._lane:
            if self.restored:
                return
            stored = await self._journal.open_transactions(self._charge_point_id())
            self.restored = True
            for transaction in sorted(stored, key=lambda t: (t.started_at, t.transaction_id)):
                known = self.running.get(transaction.connector)
                if known is not None and known.stored.transaction_id == transaction.transaction_id:
                    continue
                if known is None or known.stored.started_at <= transaction.started_at:
                    self._open(transaction, resumed=True)

    async def start(self, notice: StartNotice) -> StoredTransaction:
        """Store a start, once however often it comes. Raises JournalUnavailable."""
        now = self._clock.time()
        async with self._lane:
            if notice.stamped_at is None and (same := self._same_without_stamp(notice)) is not None:
                return same
            stored = await self._journal.start_transaction(self._start(notice, now))
            startless = self._startless.pop(stored.transaction_id, False)
            if startless and stored.stopped_at is not None:
                self._report(_closed_as_stored(stored, stored.stopped_at))
            known = self.running.get(notice.connector)
            if known is not None and known.stored.transaction_id == stored.transaction_id:
                self._correct(known, stored)
                return stored
            overtaken = known is not None and known.stored.started_at > stored.started_at
            if stored.stopped_at is None and not overtaken and notice.connector > 0:
                await self._displace(notice.connector)
                self._open(stored, resumed=False, start_untold=notice.meter_start_wh is None)
            return stored

    def _start(self, notice: StartNotice, now: float) -> TransactionStart:
        return TransactionStart(
            charge_point_id=self._charge_point_id(),
            connector=notice.connector,
            id_tag=notice.id_tag,
            meter_start_wh=notice.meter_start_wh or 0,
            started_at=now if notice.stamped_at is None else notice.stamped_at,
            received_at=now,
            reservation_id=notice.reservation_id,
            charger_id=notice.charger_id,
        )

    def _correct(self, running: RunningTransaction, stored: StoredTransaction) -> None:
        """Take over what got known of a running transaction after it was told."""
        before, running.stored = running.stored, stored
        told = (before.id_tag, before.meter_start_wh, before.started_at)
        if told != (stored.id_tag, stored.meter_start_wh, stored.started_at):
            # It began before: what governs it is as it was.
            self._report(opened(running, resumed=True))

    async def stop(self, notice: StopNotice) -> StoredTransaction | None:
        """Store an end; that of an unknown transaction ends no other one. Raises JournalUnavailable.

        The end of one that does not run any more (its end was presumed, or we were not there) is told as a late one.
        """
        now = self._clock.time()
        async with self._lane:
            connector = self.connector_of(notice.transaction_id)
            running = self.running[connector] if connector is not None else None
            meter_stop_wh = notice.meter_stop_wh
            if meter_stop_wh is None:
                meter_stop_wh = int(running.register_wh) if running is not None else 0
            stop = TransactionStop(
                charge_point_id=self._charge_point_id(),
                transaction_id=notice.transaction_id,
                id_tag=notice.id_tag,
                meter_stop_wh=meter_stop_wh,
                stopped_at=now if notice.stamped_at is None else notice.stamped_at,
                received_at=now,
                reason=notice.reason,
            )
            stored = await self._journal.stop_transaction(stop)
            is_news = notice.transaction_id not in self._ended
            self._note_ended(notice.transaction_id)
            for at, (told, _) in list(self._sightings.items()):
                if told == notice.transaction_id:
                    del self._sightings[at]
            if connector is not None:
                self._close(connector, stop)
            elif stored is not None and is_news:
                self._report(_closed_late(stored, stop))
            return stored

    # -- transactions that have ids of the charger ---------------------------------------------------------------------

    def of_charger(self, charger_id: str) -> RunningTransaction | None:
        """Return the running transaction that a charger gave an id."""
        return next((running for running in self.running.values() if running.stored.charger_id == charger_id), None)

    async def find(self, charger_id: str) -> StoredTransaction | None:
        """Return what is stored of a transaction that a charger gave an id. Raises JournalUnavailable."""
        return await self._journal.find_transaction(self._charge_point_id(), charger_id)

    async def adopt_event(self, notice: StartNotice) -> StoredTransaction:
        """Take up a transaction of which something is told whose start is not known here. Raises JournalUnavailable.

        Args:
            notice: what is known of it, with the time of the event.
        """
        now = self._clock.time()
        async with self._lane:
            stored = await self._adopted(self._start(notice, now))
            known = self.running.get(stored.connector)
            at = now if notice.stamped_at is None else notice.stamped_at
            overtaken = known is not None and known.stored.started_at > at
            if stored.stopped_at is None and not overtaken and stored.connector > 0:
                await self._displace(stored.connector)
                self._open(stored, resumed=True, start_untold=notice.meter_start_wh is None)
            return stored

    async def take_in(self, notice: StartNotice) -> StoredTransaction:
        """Store a transaction that has ended, of which no start was told so far. Raises JournalUnavailable."""
        async with self._lane:
            return await self._adopted(self._start(notice, self._clock.time()))

    async def _adopted(self, start: TransactionStart) -> StoredTransaction:
        """Store a transaction without its start, which may still come."""
        stored = await self._journal.adopt_transaction(start, None)
        if stored.stopped_at is None:
            self._startless[stored.transaction_id] = True
            while len(self._startless) > REMEMBERED_ENDED:
                self._startless.popitem(last=False)
        return stored

    def begin_register(self, charger_id: str, register_wh: float | None) -> None:
        """Take the first register of a transaction that began without one."""
        running = self.of_charger(charger_id)
        if running is None or register_wh is None or not running.start_untold:
            return
        running.start_untold, running.start_unstored = False, True
        running.register_wh = register_wh
        self._correct(running, replace(running.stored, meter_start_wh=round(register_wh)))

    async def complete(self, connector: int, *, id_tag: str | None = None) -> None:
        """Store what got known of a running transaction after its start was stored. Raises JournalUnavailable."""
        async with self._lane:
            running = self.running.get(connector)
            if running is None or not (id_tag is not None or running.start_unstored):
                return
            stored = await self._journal.complete_transaction(
                running.stored.transaction_id,
                id_tag=id_tag,
                meter_start_wh=running.stored.meter_start_wh if running.start_unstored else None,
            )
            running.start_unstored = False
            if stored is not None:
                self._correct(running, stored)

    # -- all transactions ----------------------------------------------------------------------------------------------

    def connector_of(self, transaction_id: int) -> int | None:
        """Return where a transaction runs."""
        return next((c for c, r in self.running.items() if r.stored.transaction_id == transaction_id), None)

    def id_at(self, connector: int) -> int | None:
        """Return the id under which the transaction at a connector can be addressed, stored or not."""
        running = self.running.get(connector)
        if running is not None:
            return running.stored.transaction_id
        told = self._sightings.get(connector)
        return told[0] if told is not None else None

    def gone_from(self, connector: int) -> None:
        """Forget what was never stored: the charger says that nothing runs at a connector."""
        self._sightings.pop(connector, None)

    def saw(self, connector: int, transaction_id: int, register_wh: float | None, at: float) -> bool:
        """Note that a transaction was told of in a measurement; return whether it should be adopted.

        Args:
            register_wh: the charger's own register, where it was told.
            at: UTC POSIX seconds.
        """
        running = self.running.get(connector)
        if running is not None and running.stored.transaction_id == transaction_id:
            running.seen_at = max(running.seen_at, at)
            if register_wh is not None:
                running.register_wh = max(running.register_wh, register_wh)
            self._sightings.pop(connector, None)
            return False
        if transaction_id in self._ended or self.connector_of(transaction_id) is not None:
            return False
        foreign, count = self._sightings.get(connector, (transaction_id, 0))
        count = count + 1 if foreign == transaction_id else 1
        self._sightings[connector] = (transaction_id, count)
        return self.restored and (running is None or count >= SIGHTINGS_TO_ADOPT)

    async def adopt(self, connector: int, transaction_id: int, register_wh: float | None, at: float) -> None:
        """Take up a transaction that a charger runs under an id that we do not know. Raises JournalUnavailable."""
        async with self._lane:
            known = self.running.get(connector)
            if transaction_id in self._ended or (known is not None and known.stored.transaction_id == transaction_id):
                return
            stored = await self._journal.adopt_transaction(
                TransactionStart(
                    charge_point_id=self._charge_point_id(),
                    connector=connector,
                    id_tag=None,
                    meter_start_wh=int(register_wh or 0),
                    started_at=at,
                    received_at=self._clock.time(),
                ),
                transaction_id,
            )
            self._sightings.pop(connector, None)
            if stored.stopped_at is not None:
                self._note_ended(transaction_id)
                return
            await self._displace(connector)
            self._open(stored, resumed=True)

    async def end_stale(self, connector: int, transaction_id: int) -> None:
        """End a transaction that the charger no longer has, with the last that is known of it.

        Raises:
            JournalUnavailable: it stays open.
        """
        async with self._lane:
            running = self.running.get(connector)
            if running is not None and running.stored.transaction_id == transaction_id:
                await self._displace(connector)

    async def _displace(self, connector: int) -> None:
        running = self.running.get(connector)
        if running is None:
            return
        stop = TransactionStop(
            charge_point_id=self._charge_point_id(),
            transaction_id=running.stored.transaction_id,
            id_tag=None,
            meter_stop_wh=max(running.stored.meter_start_wh, int(running.register_wh)),
            stopped_at=max(running.stored.started_at, running.seen_at),
            received_at=self._clock.time(),
            reason=STALE_REASON,
        )
        try:
            await self._journal.stop_transaction(stop)
        except JournalUnavailable:
            _LOGGER.warning("The end of a transaction that is gone could not be stored; it stays open on disk")
        self._close(connector, stop, presumed=True)

    def _open(self, stored: StoredTransaction, *, resumed: bool, start_untold: bool = False) -> None:
        # One that was stored without the register at its start has none to this day where none was told since.
        never_told = stored.charger_id is not None and stored.meter_start_wh == 0 and stored.last_meter_wh is None
        self.running[stored.connector] = RunningTransaction(
            stored=stored,
            resumed=resumed,
            register_wh=float(stored.last_meter_wh if stored.last_meter_wh is not None else stored.meter_start_wh),
            seen_at=stored.started_at,
            start_untold=start_untold or (resumed and never_told),
        )
        self._report(opened(self.running[stored.connector]))

    def _close(self, connector: int, stop: TransactionStop, *, presumed: bool = False) -> None:
        stored = self.running.pop(connector).stored
        self._report(
            TransactionClosed(
                connector=connector,
                transaction_id=stop.transaction_id,
                meter_start_wh=float(stored.meter_start_wh),
                meter_stop_wh=float(stop.meter_stop_wh),
                stopped_at=stop.stopped_at,
                reason=stop.reason,
                presumed=presumed,
            )
        )

    def _note_ended(self, transaction_id: int) -> None:
        self._ended[transaction_id] = None
        while len(self._ended) > REMEMBERED_ENDED:
            self._ended.popitem(last=False)

    def _same_without_stamp(self, notice: StartNotice) -> StoredTransaction | None:
        """Return the running transaction that a start without a time repeats."""
        running = self.running.get(notice.connector)
        if running is None:
            return None
        stored = running.stored
        same = (stored.id_tag, stored.meter_start_wh) == (notice.id_tag, notice.meter_start_wh)
        return stored if same else None


def _closed_as_stored(stored: StoredTransaction, stopped_at: float) -> TransactionClosed:
    """Return the report of an end that was told before, now that the start is known."""
    return TransactionClosed(
        connector=stored.connector,
        transaction_id=stored.transaction_id,
        meter_start_wh=float(stored.meter_start_wh),
        meter_stop_wh=float(stored.meter_start_wh if stored.meter_stop_wh is None else stored.meter_stop_wh),
        stopped_at=stopped_at,
        reason=stored.stop_reason,
        late=True,
    )


def _closed_late(stored: StoredTransaction, stop: TransactionStop) -> TransactionClosed:
    """Return the report of an end as it is on disk, where the first that was told counts."""
    return TransactionClosed(
        connector=stored.connector,
        transaction_id=stored.transaction_id,
        meter_start_wh=float(stored.meter_start_wh),
        meter_stop_wh=float(stop.meter_stop_wh if stored.meter_stop_wh is None else stored.meter_stop_wh),
        stopped_at=stop.stopped_at if stored.stopped_at is None else stored.stopped_at,
        reason=stop.reason,
        late=True,
    )


def opened(running: RunningTransaction, *, resumed: bool | None = None) -> TransactionOpened:
    """Return the report of a running transaction."""
    stored = running.stored
    return TransactionOpened(
        connector=stored.connector,
        transaction_id=stored.transaction_id,
        id_tag=stored.id_tag,
        meter_start_wh=float(stored.meter_start_wh),
        started_at=stored.started_at,
        resumed=running.resumed if resumed is None else resumed,
    )
