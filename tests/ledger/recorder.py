"""A program that records as fast as it can and tells what was acknowledged, until it is killed.

For each folder that it reads it begins anew, in a process of its own: `pid <number>` comes first, then a line for each
record that the ledger acknowledged, then `end` when the process is gone.
"""

import asyncio
import os
import sys
from pathlib import Path

from custom_components.charge_cluster.ledger import Ledger
from custom_components.charge_cluster.ledger.drivers import DriverRecord
from tests.ledger.records import NOON, WallClock, a_limit, a_reading, a_start, a_stop


def say(line: str) -> None:
    """Write a line in one piece: what was said before the kill arrives whole."""
    os.write(1, f"{line}\n".encode())


async def record(folder: Path, life: int) -> None:
    """Record until killed."""
    ledger = await Ledger.open(folder, clock=WallClock())
    await asyncio.gather(*(charge(ledger, life, point) for point in range(4)))


async def charge(ledger: Ledger, life: int, point: int) -> None:
    """Charge one car after another."""
    name = f"L{life}P{point}"
    second = 0
    while True:
        second += 1
        stored = await ledger.journal.start_transaction(a_start(name, started_at=NOON + second))
        say(f"start {stored.transaction_id} {name} {second}")
        ledger.journal.record_meter_values([a_reading(stored.transaction_id, name, measured_at=NOON + second)])
        ledger.limits.record(a_limit(NOON + second))
        await ledger.journal.stop_transaction(a_stop(stored.transaction_id, name, meter_stop_wh=1000 + second))
        say(f"stop {stored.transaction_id} {1000 + second}")
        if second % 5 == 0:
            await ledger.drivers.put(DriverRecord(id_tag=f"{name}-{second}", name="Ada"))
            say(f"driver {name}-{second}")


def main() -> None:
    """Begin a life for each folder."""
    for life, folder in enumerate(sys.stdin):
        child = os.fork()
        if child == 0:
            asyncio.run(record(Path(folder.strip()), life))
        say(f"pid {child}")
        os.waitpid(child, 0)
        say("end")


if __name__ == "__main__":
    main()
