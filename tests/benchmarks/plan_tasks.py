"""Made-up tasks for plans: a car park with feeders, a day of prices, a base load, and cars that stay for some hours.

Every ceiling is in whole amps, so that what a plan loses by whole amps is its own doing.
"""

from __future__ import annotations

import math
import random

from custom_components.charge_cluster.engine.model import PhaseAmps
from custom_components.charge_cluster.engine.planner import PlannedSession, PlanTask
from custom_components.charge_cluster.engine.tariff import Grid

START = 1_800_000_000.0
STEP_S = 900.0
FEEDERS = 3
FEEDER_SHARE = 0.45


def a_plan_task(
    sessions: int, seed: int, *, slots: int = 96, scarce: float = 1.2, three_phase: float = 0.25, hourly: bool = True
) -> PlanTask:
    """Return a task.

    Args:
        sessions: so many of them.
        seed: another one, another task.
        slots: quarter-hours.
        scarce: so many times the energy that is wanted could flow in the hours in which most cars are there; below 1
            not all of it fits.
        three_phase: such a share of the cars charges on three phases.
        hourly: whether the price changes each hour, or each quarter-hour.
    """
    chance = random.Random(seed)
    planned = [_session(index, chance, slots, three_phase) for index in range(sessions)]
    wanted_ah = sum(session.wanted_wh for session in planned) / 230.0 / 3.0
    supply_a = scarce * wanted_ah / (slots * 0.45 * STEP_S / 3600.0)
    supply: list[PhaseAmps] = []
    for slot in range(slots):
        base_a = supply_a * (0.12 + 0.1 * math.sin(2.0 * math.pi * slot / 96.0))
        free = [float(math.floor((supply_a - base_a) * chance.uniform(0.9, 1.1))) for _ in range(3)]
        supply.append((free[0], free[1], free[2]))
    feeder_a = float(math.floor(FEEDER_SHARE * supply_a))
    feeder: list[PhaseAmps] = [(feeder_a, feeder_a, feeder_a)] * slots
    names = [f"feeder {index}" for index in range(FEEDERS)]
    return PlanTask(
        grid=Grid(START, STEP_S, slots),
        now=START,
        paths={"supply": ("supply",), **{name: (name, "supply") for name in names}},
        free_a={"supply": supply, **dict.fromkeys(names, feeder)},
        cost=_prices(chance, slots, hourly=hourly),
        sessions=planned,
    )


def _session(index: int, chance: random.Random, slots: int, three_phase: float) -> PlannedSession:
    three = chance.random() < three_phase
    maximum_a = 16.0 if three or chance.random() < 0.3 else 32.0
    first = max(0, int(chance.gauss(-4.0, 16.0)))
    end = max(first + 4, first + int(chance.gauss(30.0, 12.0)))
    end = slots if chance.random() < 0.15 else min(end, slots)
    first = min(first, end - 4)
    delivers_w = 230.0 * (3 if three else 1)
    most_wh = (end - first) * STEP_S / 3600.0 * maximum_a * delivers_w
    return PlannedSession(
        key=f"P{index}",
        circuit_id=f"feeder {index % FEEDERS}",
        phases=(0, 1, 2) if three else (index // FEEDERS % 3,),
        maximum_a=maximum_a,
        ready_at=START + first * STEP_S,
        leave_at=START + end * STEP_S,
        wanted_wh=min(most_wh, chance.uniform(10.0, 60.0 if three else 80.0) * delivers_w),
    )


def _prices(chance: random.Random, slots: int, *, hourly: bool) -> list[float]:
    """Return prices with a peak in the morning and one in the evening, and a valley at noon."""
    prices: list[float] = []
    while len(prices) < slots:
        hour = (len(prices) / 4.0 + 7.0) % 24.0
        price = 0.2 + 0.04 * _bell(hour, 8.0, 2.0) + 0.06 * _bell(hour, 19.0, 2.5) - 0.05 * _bell(hour, 13.0, 2.0)
        prices += [price + chance.gauss(0.0, 0.01)] * (4 if hourly else 1)
    return prices[:slots]


def _bell(hour: float, middle: float, width: float) -> float:
    return math.exp(-(((hour - middle) / width) ** 2))
