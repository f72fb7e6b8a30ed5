"""The real ledger, alive in a process of its own, which can be killed as the process of a host is killed.

A trial runs in virtual time, the ledger's own thread in real time. They meet only where the trial says so: what a site
writes is handed over at once and waits in the ledger's queue; for what reads, commits or closes the trial waits, and
virtual time stands still meanwhile. Nothing is committed by the real clock, so that a kill costs the same in every run.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol, cast

from custom_components.charge_cluster.ledger import Ledger, writer
from custom_components.charge_cluster.ocpp.protocols import StoredTransaction, TransactionStart, TransactionStop
from custom_components.charge_cluster.site.ledger_records import LedgerRecords
from custom_components.charge_cluster.site.records import Kept, SiteRecords

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([__name__])
"""Each life begins with everything imported, in a few milliseconds."""


class WallClock(Protocol):
    """Where the time of a record comes from."""

    def time(self) -> float:
        """Return UTC POSIX seconds."""


@dataclass(frozen=True, slots=True)
class Call:
    """What a life is called upon to do, and when."""

    at: float
    """UTC POSIX seconds."""
    name: str
    arguments: tuple[Any, ...]
    named: dict[str, Any]


class Life:
    """The ledger in a folder from its opening to its end; the next life opens the same files."""

    def __init__(self, folder: Path, site_id: str, clock: WallClock) -> None:
        """Begin it."""
        self._clock = clock
        self._pipe, theirs = PROCESSES.Pipe()
        self._process = PROCESSES.Process(target=_live, args=(theirs, folder, site_id), daemon=True)
        self._process.start()
        theirs.close()
        self._over = False

    @property
    def records(self) -> SiteRecords:
        """Return the records of its site; when it is over they take note of nothing more."""
        return cast("SiteRecords", _Records(self))  # each call of the Protocol goes over by its name

    def commit(self) -> None:
        """Have all that was handed over on the disk."""
        self.ask("commit")

    def begin_transaction(self, start: TransactionStart) -> StoredTransaction:
        """Journal the start of a transaction."""
        return cast("StoredTransaction", self.ask("start_transaction", start))

    def end_transaction(self, stop: TransactionStop) -> StoredTransaction | None:
        """Journal the end of a transaction."""
        return cast("StoredTransaction | None", self.ask("stop_transaction", stop))

    def close(self) -> None:
        """End it in good order."""
        if not self._over:
            self.ask("close")
            self._end()

    def kill(self) -> None:
        """End it as it is."""
        if not self._over:
            self._process.kill()
            self._end()

    def tell(self, name: str, *arguments: Any, **named: Any) -> None:
        """Hand over; wait for nothing."""
        if not self._over:
            self._pipe.send(Call(self._clock.time(), name, arguments, named))

    def ask(self, name: str, *arguments: Any) -> Any:
        """Hand over, and wait for the answer. Raises EOFError where it died of the question."""
        self.tell(name, *arguments)
        return self._pipe.recv()

    def _end(self) -> None:
        self._over = True
        self._process.join()
        self._process.close()
        self._pipe.close()


class _Records:
    """The records of a site, as `SiteRecords` has them, in a life of the ledger."""

    available = True
    replaced = None

    def __init__(self, life: Life) -> None:
        self._life = life

    async def load(self) -> Kept:
        return cast("Kept", self._life.ask("load"))

    def __getattr__(self, name: str) -> Callable[..., None]:
        return partial(self._life.tell, name)


# In the process of the ledger -----------------------------------------------------------------------------------------


class _ToldClock:
    """A clock that stands where the last call was made."""

    def __init__(self) -> None:
        self.now = 0.0

    def time(self) -> float:
        return self.now


def _live(pipe: Connection, folder: Path, site_id: str) -> None:
    writer.GROUP_EVERY_S = threading.TIMEOUT_MAX
    asyncio.run(_serve(pipe, folder, site_id))


async def _serve(pipe: Connection, folder: Path, site_id: str) -> None:
    clock = _ToldClock()
    ledger = await Ledger.open(folder, clock=clock)
    records = LedgerRecords(ledger, site_id)
    answered: dict[str, Callable[..., Awaitable[object]]] = {
        "load": records.load,
        "commit": partial(ledger.run, _nothing),
        "start_transaction": ledger.journal.start_transaction,
        "stop_transaction": ledger.journal.stop_transaction,
        "close": ledger.close,
    }
    call: Call | None = None
    while call is None or call.name != "close":
        try:
            call = cast("Call", pipe.recv())
        except EOFError:
            return  # who began it is gone
        clock.now = call.at
        answer = answered.get(call.name)
        if answer is None:
            getattr(records, call.name)(*call.arguments, **call.named)
        else:
            pipe.send(await answer(*call.arguments, **call.named))


def _nothing(_session: object) -> None:
    """Wait until everything before is committed."""
