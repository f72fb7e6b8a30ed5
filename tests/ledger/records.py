"""Records as chargers and sites give them, a clock that can be set, and the file seen from outside."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from custom_components.charge_cluster.ledger.limits import LimitRecord
from custom_components.charge_cluster.ledger.sessions import SessionRecord
from custom_components.charge_cluster.ocpp.protocols import MeterRecord, TransactionStart, TransactionStop

NOON = 1_790_000_000.0
"""UTC POSIX seconds, in September 2026."""


class WallClock:
    """A wall clock that stands where it was set."""

    def __init__(self) -> None:
        self.now = NOON

    def time(self) -> float:
        return self.now


def a_start(
    charge_point_id: str = "CP1",
    *,
    connector: int = 1,
    id_tag: str | None = "04AA",
    meter_start_wh: int = 1000,
    started_at: float = NOON,
    received_at: float = NOON,
    charger_id: str | None = None,
) -> TransactionStart:
    return TransactionStart(
        charge_point_id=charge_point_id,
        connector=connector,
        id_tag=id_tag,
        meter_start_wh=meter_start_wh,
        started_at=started_at,
        received_at=received_at,
        charger_id=charger_id,
    )


def a_stop(
    transaction_id: int,
    charge_point_id: str = "CP1",
    *,
    meter_stop_wh: int = 9000,
    stopped_at: float = NOON + 3600.0,
    reason: str | None = "Local",
) -> TransactionStop:
    return TransactionStop(
        charge_point_id=charge_point_id,
        transaction_id=transaction_id,
        id_tag="04AA",
        meter_stop_wh=meter_stop_wh,
        stopped_at=stopped_at,
        received_at=stopped_at,
        reason=reason,
    )


def a_reading(
    transaction_id: int | None = None,
    charge_point_id: str = "CP1",
    *,
    measured_at: float = NOON,
    energy_wh: float | None = 1500.0,
    amps: tuple[float, float, float] | None = (16.0, 16.0, 16.0),
) -> MeterRecord:
    return MeterRecord(
        charge_point_id=charge_point_id,
        connector=1,
        transaction_id=transaction_id,
        measured_at=measured_at,
        energy_wh=energy_wh,
        power_w=None,
        amps=amps,
    )


def a_limit(at: float | None = NOON, *, limit_a: float = 16.0, connector: str = "cp1/1") -> LimitRecord:
    return LimitRecord(
        site_id="site",
        connector=connector,
        at=at,
        limit_a=limit_a,
        reason="share",
        circuit_id="supply",
        outcome="accepted",
        drawn_a=15.5,
    )


def a_session(session_id: str = "s1", *, ended_at: float | None = None, started_at: float = NOON) -> SessionRecord:
    return SessionRecord(
        site_id="site",
        session_id=session_id,
        connector="cp1/1",
        started_at=started_at,
        ended_at=ended_at,
        energy_wh=0.0 if ended_at is None else 8000.0,
        id_tag="04AA",
        transaction_id="7",
        held_back_s=12.5,
    )


def on_disk(path: Path, query: str, *values: object) -> list[Any]:
    """Return what somebody else sees in the file: committed rows only."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query, values).fetchall()


def appears_on_disk(path: Path, query: str, expected: list[Any], *, within_s: float) -> bool:
    """Wait until somebody else sees rows in the file; blocks. The file tells nobody that it changed."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if on_disk(path, query) == expected:
            return True
        time.sleep(0.01)
    return False
