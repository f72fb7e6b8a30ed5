"""The most energy that anybody could have delivered who knew all arrivals, departures and needs, and what it costs.

A linear programme for each group of sessions that follow each other without a gap: amps of each session in each step,
without steps of whole amps and without a minimum. What it says is a bound for every rule, and none that can be reached.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_array, csr_array

from .oracle import NoAnswer
from .staff_car_park import STEP_S, Session, capacity_of

PER_KWH_AT_LEAST = 100.0
"""Energy is worth so much more than it costs that none is left out for its price."""


def most_wh(sessions: Sequence[Session], supply_a: float) -> float:
    """Return the most energy that all sessions together can be delivered.

    Raises:
        NoAnswer: the solver gave up.
    """
    capacity = capacity_of(supply_a)
    return sum(_solved(group, capacity, lambda _: 0.0)[0] for group in _groups(sessions))


def cheapest(sessions: Sequence[Session], supply_a: float, price: Callable[[float], float]) -> tuple[float, float]:
    """Return the most energy that all sessions together can be delivered, and the least that it costs.

    Raises:
        NoAnswer: the solver gave up.
    """
    capacity = capacity_of(supply_a)
    solved = [_solved(group, capacity, price) for group in _groups(sessions)]
    return sum(wh for wh, _ in solved), sum(cost for _, cost in solved)


def _groups(sessions: Sequence[Session]) -> Iterator[list[Session]]:
    """Yield sessions that are bound together by others that are there at the same time."""
    group: list[Session] = []
    end = 0
    for session in sorted(sessions, key=lambda session: session.first_step):
        if group and session.first_step >= end:
            yield group
            group = []
        group.append(session)
        end = max(end, session.end_step)
    if group:
        yield group


def _solved(
    sessions: Sequence[Session], capacity: Sequence[float], price: Callable[[float], float]
) -> tuple[float, float]:
    begin = sessions[0].first_step
    steps = max(session.end_step for session in sessions) - begin
    rows = len(capacity)
    used: list[int] = []
    variables: list[int] = []
    wh: list[float] = []
    upper: list[float] = []
    of_session: list[int] = []
    costs: list[float] = []
    for index, session in enumerate(sessions):
        for step in range(session.first_step - begin, session.end_step - begin):
            used += [step * rows + row for row in session.rows]
            variables += [len(wh)] * len(session.rows)
            wh.append(session.wh_per_amp)
            upper.append(session.most_a)
            of_session.append(steps * rows + index)
            costs.append(session.wh_per_amp / 1000.0 * price(float((begin + step) * STEP_S)))
    matrix = csr_array(
        coo_array(
            (
                np.concatenate([np.ones(len(used)), wh]),
                (np.array(used + of_session), np.concatenate([variables, np.arange(len(wh))])),
            ),
            shape=(steps * rows + len(sessions), len(wh)),
        )
    )
    room = np.concatenate([np.tile(capacity, steps), [session.need_wh for session in sessions]])
    needed = np.diff(matrix.indptr) > 0
    solved = linprog(
        np.array(costs) - PER_KWH_AT_LEAST / 1000.0 * np.array(wh),
        A_ub=matrix[needed],
        b_ub=room[needed],
        bounds=np.column_stack([np.zeros(len(wh)), upper]),
        method="highs",
    )
    if solved.status != 0:
        raise NoAnswer(solved.message)
    return float(solved.x @ np.array(wh)), float(solved.x @ np.array(costs))
