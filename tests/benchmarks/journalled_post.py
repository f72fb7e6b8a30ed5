"""A charge point whose transactions go through the journal of the real ledger, as those of OCPP do.

The central system stores the start and the end of a transaction before it answers and before it tells the site, and the
numbers are the journal's. Registers are told in whole Wh.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import override

from custom_components.charge_cluster.chargers import (
    ChargerEvent,
    ReportEvent,
    TransactionStarted,
    TransactionStopped,
)
from custom_components.charge_cluster.ocpp.protocols import StoredTransaction, TransactionStart, TransactionStop
from tests.attack.posts import Post
from tests.attack.stores import Socket
from tests.attack.world import World

from .bookkeeping import Charged
from .ledger_life import Life


class JournalledPost(Post):
    """A post whose transactions are in the journal before the site hears of them, and have the journal's numbers."""

    def __init__(self, world: World, name: str, sockets: list[Socket], ledger: Callable[[], Life]) -> None:
        super().__init__(world, name, sockets, world.chance)
        self.ledger = ledger
        self.journalled: dict[str, StoredTransaction] = {}
        """By its own number of a transaction."""
        self.ended: list[Charged] = []
        """The transactions that truly ended."""

    @override
    def listen(self, report: ReportEvent) -> Callable[[], None]:
        return super().listen(lambda event: report(self._by_the_journal(event)))

    def _by_the_journal(self, event: ChargerEvent) -> ChargerEvent:
        if not isinstance(event, TransactionStarted | TransactionStopped):
            return event
        stored = self.journalled[event.transaction_id]
        number, start_wh = str(stored.transaction_id), float(stored.meter_start_wh)
        if isinstance(event, TransactionStarted):
            return replace(event, transaction_id=number, meter_start_wh=start_wh)
        stop_wh = float(round(event.meter_stop_wh))
        return replace(event, transaction_id=number, meter_start_wh=start_wh, meter_stop_wh=stop_wh)

    @override
    def _end(self, socket: Socket, reason: str) -> None:
        if socket.transaction is not None:
            energy_wh = socket.outlet.register_wh - socket.began_wh
            self.ended.append(Charged(connector=socket.key, energy_wh=energy_wh))
        super()._end(socket, reason)

    @override
    def _deliver(self, serial: int, event: ChargerEvent) -> None:
        if serial == self._serial and self.listeners:
            self._journal(event)
        super()._deliver(serial, event)

    def _journal(self, event: ChargerEvent) -> None:
        now, ledger = self.world.clock.time(), self.ledger()
        if isinstance(event, TransactionStarted):
            self.journalled[event.transaction_id] = ledger.begin_transaction(
                TransactionStart(
                    charge_point_id=self.name.lower(),
                    connector=event.connector,
                    id_tag=None,
                    meter_start_wh=round(event.meter_start_wh),
                    started_at=event.started_at,
                    received_at=now,
                )
            )
        elif isinstance(event, TransactionStopped):
            ledger.end_transaction(
                TransactionStop(
                    charge_point_id=self.name.lower(),
                    transaction_id=self.journalled[event.transaction_id].transaction_id,
                    id_tag=None,
                    meter_stop_wh=round(event.meter_stop_wh),
                    stopped_at=event.stopped_at,
                    received_at=now,
                    reason=event.reason,
                )
            )
