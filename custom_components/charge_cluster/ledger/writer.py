"""The one thread that writes: what waits together is committed together.

Durable work is committed at once, with everything else that waits by then (three hundred transactions that start in the
same second share a few commits, not three hundred). Periodic work may wait for a few seconds. A failing disk loses
nothing durable (its caller is told) and keeps a bounded amount of the rest for another try.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, cast

from sqlalchemy import Engine
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError, SQLAlchemyError
from sqlalchemy.orm import Session

LOGGER = logging.getLogger(__name__)

GROUP_EVERY_S = 2.0
"""Periodic work is committed at least this often (promise 7: within 5 s)."""

RETRY_EVERY_S = 5.0
MAX_WAITING = 20_000
"""Periodic records kept while the disk fails; beyond it the oldest are dropped, and that is logged."""

GROUP_SIZE = 2_000

WRONG_CONTENT = (IntegrityError, DataError, ProgrammingError)
"""The database is well; it is this record that it cannot take."""

UNSTORABLE = (SQLAlchemyError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What else a record can raise before it gets to the database (a number of more than 64 bits, half a character)."""

type Work[T] = Callable[[Session], T]


class Store[RowT](Protocol):
    """Writes many rows of a kind together, which costs a fraction of writing each by itself."""

    def __call__(self, session: Session, rows: Sequence[RowT]) -> None:
        """Write rows in their order."""


class StoreUnavailable(Exception):
    """The database cannot be written or read now."""


@dataclass(frozen=True, slots=True)
class _Row:
    """Something that is written together with its like."""

    store: Store[Any]
    row: Any


@dataclass(slots=True)
class _Durable:
    work: Work[object]
    done: Callable[[object, Exception | None], None]


class Writer:
    """Writes to one database from one thread."""

    def __init__(self, engine: Callable[[], Engine], state: Callable[[Exception | None], None]) -> None:
        """`engine` opens the database when needed and may raise; `state` is told of failure and recovery."""
        self._engine = engine
        self._tell = state
        self._wake = threading.Condition()
        self._durable: deque[_Durable] = deque()
        self._periodic: deque[Work[object] | _Row] = deque()
        self._dropped = 0
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="charge_cluster ledger", daemon=True)
        self._thread.start()

    async def run[T](self, work: Work[T]) -> T:
        """Do work and return its result once it is committed. Raises StoreUnavailable."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def settle(result: object, error: Exception | None) -> None:
            if future.cancelled():
                return
            if error is None:
                future.set_result(cast("T", result))
            else:
                future.set_exception(error)

        def done(result: object, error: Exception | None) -> None:
            # A loop that is closed by now has nobody left who waits.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(settle, result, error)

        with self._wake:
            if self._closing:
                raise StoreUnavailable("the ledger is closed")
            self._durable.append(_Durable(work, done))
            self._wake.notify()
        return await future

    def enqueue(self, work: Work[object]) -> None:
        """Have work done soon; never blocks, never raises."""
        self._wait_with(work)

    def enqueue_row[RowT](self, store: Store[RowT], row: RowT) -> None:
        """Have a row written soon, together with others of the same store; never blocks, never raises."""
        self._wait_with(_Row(store, row))

    def _wait_with(self, work: Work[object] | _Row) -> None:
        with self._wake:
            if len(self._periodic) >= MAX_WAITING:
                self._periodic.popleft()
                self._dropped += 1
            self._periodic.append(work)

    def close(self) -> None:
        """Write what waits and end the thread. Blocks."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(timeout=30.0)

    def _run(self) -> None:
        failed_at = float("-inf")
        while True:
            with self._wake:
                rested = time.monotonic() - failed_at >= RETRY_EVERY_S
                if not (self._durable or self._closing or (rested and len(self._periodic) >= GROUP_SIZE)):
                    self._wake.wait(GROUP_EVERY_S)
                    rested = time.monotonic() - failed_at >= RETRY_EVERY_S
                durable = list(self._durable)
                self._durable.clear()
                size = min(GROUP_SIZE, len(self._periodic)) if durable or rested or self._closing else 0
                periodic = [self._periodic.popleft() for _ in range(size)]
                closing = self._closing and not durable and not periodic
                dropped, self._dropped = self._dropped, 0
            if dropped:
                LOGGER.warning("%d periodic records were dropped, because the disk has failed for too long", dropped)
            if closing:
                return
            if durable or periodic:
                failed_at = self._commit(durable, periodic, failed_at)

    def _commit(self, durable: list[_Durable], periodic: list[Work[object] | _Row], failed_at: float) -> float:
        """Commit a group; return when it failed last."""
        try:
            outcomes = self._write(durable, periodic)
        except (SQLAlchemyError, OSError, StoreUnavailable) as error:
            first = _first(error)
            self._tell(first)
            failure = StoreUnavailable(str(first))
            for waiting in durable:
                waiting.done(None, failure)
            self._put_back(periodic)
            return time.monotonic()
        self._tell(None)
        for waiting, (result, fault) in zip(durable, outcomes, strict=True):
            waiting.done(result, fault)
        return failed_at

    def _put_back(self, periodic: list[Work[object] | _Row]) -> None:
        """Keep work for another try, as much as there is room for; when closing there is none."""
        with self._wake:
            if self._closing:
                self._dropped += len(periodic) + len(self._periodic)
                self._periodic.clear()
                return
            lost = max(0, len(periodic) + len(self._periodic) - MAX_WAITING)
            self._dropped += lost
            self._periodic.extendleft(reversed(periodic[lost:]))

    def _write(
        self, durable: list[_Durable], periodic: list[Work[object] | _Row]
    ) -> list[tuple[object, Exception | None]]:
        with Session(self._engine(), expire_on_commit=False) as session, session.begin():
            session.connection()
            # Periodic work first: who asks after it was handed over finds it.
            rows: dict[Store[Any], list[Any]] = {}
            for work in periodic:
                if isinstance(work, _Row):
                    rows.setdefault(work.store, []).append(work.row)
                else:
                    self._attempt_periodic(session, work)
            for store, together in rows.items():
                _, fault = self._attempt(session, partial(store, rows=together))
                if fault is not None:
                    # One of them is not as it should be: the others are written all the same.
                    for row in together:
                        self._attempt_periodic(session, partial(store, rows=[row]))
            return [self._attempt(session, waiting.work) for waiting in durable]

    def _attempt_periodic(self, session: Session, work: Work[object]) -> None:
        _, fault = self._attempt(session, work)
        if fault is not None:
            LOGGER.error("A periodic record could not be written: %s", fault)

    def _attempt(self, session: Session, work: Work[object]) -> tuple[object, Exception | None]:
        """Do one piece of work, so that its failure undoes nobody else's."""
        try:
            with session.begin_nested():
                return work(session), None
        except WRONG_CONTENT as error:
            return None, StoreUnavailable(str(error))
        except DBAPIError:
            # The disk is full, the file is locked, damaged or gone: the whole group fails.
            raise
        except UNSTORABLE as error:
            return None, StoreUnavailable(str(error))


def _first(error: Exception) -> Exception:
    """Return the fault of the database that others followed: a full disk undoes all, and the undoing then stumbles."""
    first: Exception = error
    before = error.__context__
    while before is not None:
        if isinstance(before, DBAPIError):
            first = before
        before = before.__context__
    return first
