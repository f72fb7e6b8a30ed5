"""What truly happened, held against what a person finds in the tables of the ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.ledger.records import on_disk

ROUNDED_WH = 2.0
"""Chargers tell their registers in whole Wh, and a session may be made of two transactions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Charged:
    """A session or a transaction as it truly was."""

    connector: str
    energy_wh: float
    unseen_wh: float = 0.0
    """So much of it nobody could know of: it was charged after the last measurement that could be had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A session or a transaction as it is on record."""

    connector: str
    energy_wh: float | None
    """None: it has no end."""

    def tells_of(self, charged: Charged) -> bool:
        """Return whether it is what truly was."""
        known = self.energy_wh
        return known is not None and -charged.unseen_wh - ROUNDED_WH <= known - charged.energy_wh <= ROUNDED_WH


def lost(truth: Iterable[Charged], records: Iterable[Record]) -> int:
    """Return how many are missing from the records, doubled in them, without an end, or wrong in their energy."""
    happened: dict[str, list[Charged]] = defaultdict(list)
    for charged in truth:
        happened[charged.connector].append(charged)
    recorded: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        recorded[record.connector].append(record)
    return sum(_lost(happened[connector], recorded[connector]) for connector in happened.keys() | recorded.keys())


def _lost(happened: Sequence[Charged], recorded: Sequence[Record]) -> int:
    left = list(recorded)
    for charged in happened:
        told = next((record for record in left if record.tells_of(charged)), None)
        if told is not None:
            left.remove(told)
    right = len(recorded) - len(left)
    return max(len(happened), len(recorded)) - right


def sessions_in(ledger: Path) -> list[Record]:
    """Return the sessions on record, as somebody else sees them in the file."""
    rows = on_disk(ledger, "SELECT connector, energy_wh, ended_at FROM session")
    return [
        Record(connector=connector, energy_wh=None if ended_at is None else energy_wh)
        for connector, energy_wh, ended_at in rows
    ]


def transactions_in(ledger: Path) -> list[Record]:
    """Return the transactions on record, as somebody else sees them in the file."""
    rows = on_disk(ledger, "SELECT charge_point_id, connector, meter_start_wh, meter_stop_wh FROM charge_transaction")
    return [
        Record(connector=f"{charge_point_id}/{connector}", energy_wh=None if stop_wh is None else stop_wh - start_wh)
        for charge_point_id, connector, start_wh, stop_wh in rows
    ]
