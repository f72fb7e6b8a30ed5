"""A process that is killed at any instant loses nothing that it acknowledged, and leaves a sound file."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from custom_components.charge_cluster.ledger import Ledger, LedgerState

from .records import WallClock, a_start, on_disk

LIVES = 40
MOST_LIVES = 400
"""A machine that is busy with something else records less in a life, so that it takes more of them, and longer ones."""
LONGEST_LIFE_S = 0.15
BIRTHS = 12
BIRTH_S = 0.06
"""The tables are made in about half of it."""
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def recorder() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.ledger.recorder"]
    with subprocess.Popen(  # noqa: S603 - our own program
        command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def live_and_die(process: subprocess.Popen[str], folder: Path, after_s: float) -> list[str]:
    """Return what was acknowledged in a life."""
    questions, answers = pipes(process)
    questions.write(f"{folder}\n")
    questions.flush()
    lines: list[str] = []
    killer: threading.Timer | None = None
    for line in answers:
        word, *rest = line.split()
        if word == "pid":
            killer = threading.Timer(after_s, os.kill, (int(rest[0]), signal.SIGKILL))
            killer.start()
        elif word == "end":
            break
        else:
            lines.append(line)
    assert killer is not None
    assert killer.finished.is_set(), "it ended by itself"
    killer.join()
    return lines


def pipes(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


def test_nothing_acknowledged_is_lost_whenever_it_is_killed(recorder: subprocess.Popen[str], folder: Path) -> None:
    dice = random.Random(7)
    starts: dict[int, tuple[str, float]] = {}
    stops: dict[int, int] = {}
    drivers: set[str] = set()
    lives = 0
    while lives < LIVES or (len(stops) <= LIVES and lives < MOST_LIVES):
        longest_s = LONGEST_LIFE_S * (1 + lives // LIVES)
        lives += 1
        for line in live_and_die(recorder, folder, dice.uniform(0.0, longest_s)):
            match line.split():
                case ["start", number, name, second]:
                    assert int(number) not in starts, "a number was given twice"
                    starts[int(number)] = (name, 1_790_000_000.0 + int(second))
                case ["stop", number, register]:
                    stops[int(number)] = int(register)
                case ["driver", tag]:
                    drivers.add(tag)
        path = folder / "ledger.db"
        if not path.exists():
            continue
        assert on_disk(path, "PRAGMA integrity_check") == [("ok",)]
        if not starts:
            continue
        rows = on_disk(
            path, "SELECT transaction_id, charge_point_id, started_at, meter_stop_wh FROM charge_transaction"
        )
        stored = {number: (name, second) for number, name, second, _ in rows}
        assert starts.items() <= stored.items()
        assert stops.items() <= {number: register for number, _, _, register in rows}.items()
        assert drivers <= {tag for (tag,) in on_disk(path, "SELECT id_tag FROM driver")}
    assert len(stops) > LIVES, "too little was recorded to prove anything"
    assert list(folder.glob("*corrupt*")) == []


async def test_a_ledger_that_was_killed_while_it_was_made_is_made_anew(
    recorder: subprocess.Popen[str], folder: Path
) -> None:
    dice = random.Random(8)
    for birth in range(BIRTHS):
        own = folder / str(birth)
        lines = await asyncio.to_thread(live_and_die, recorder, own, dice.uniform(0.0, BIRTH_S))
        ledger = await Ledger.open(own, clock=WallClock())
        assert ledger.state == LedgerState(available=True)
        await ledger.journal.start_transaction(a_start("after"))
        await ledger.close()
        acknowledged = sum(line.startswith("start") for line in lines)
        ((stored,),) = on_disk(own / "ledger.db", "SELECT count(*) FROM charge_transaction")
        assert stored >= acknowledged + 1
