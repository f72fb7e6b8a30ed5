"""An independent judge of plans: the linear programme of the same task, without minimum and without steps.

Twice: the most energy, each session's by its weight, and then the least cost of so much energy. What it says is a bound
for every plan that knows the same; one that gives a minimum and whole amps cannot quite reach it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_array, csr_array, vstack

from custom_components.charge_cluster.engine.planner import PlannedSession, PlanTask

from .oracle import NoAnswer

HOUR_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """What the programme comes to; expected arrivals are part of both."""

    energy_wh: float
    cost: float
    """Of so much energy as was asked for, or of all that."""


def best_plan(task: PlanTask, *, energy_wh: float | None = None, capacity: float = 1.0) -> Best:
    """Return the most energy of a task, and the least cost of it or of a given energy.

    Raises:
        NoAnswer: the solver gave up.
    """
    sessions = [session for session in chain(task.sessions, task.expected) if session.wanted_wh > 0.0]
    if not sessions:
        return Best(energy_wh=0.0, cost=0.0)
    programme = _Programme(task, sessions, capacity)
    if not programme.wh:
        return Best(energy_wh=0.0, cost=0.0)
    weights = np.array([sessions[index].weight for index in programme.of_session])
    most = programme.solved(-np.array(programme.wh) * weights)
    met = float(most.x @ np.array(programme.wh))
    wanted = met if energy_wh is None else min(energy_wh, met)
    prices = np.array([task.cost[slot] for slot in programme.slots])
    cheapest = programme.solved(np.array(programme.wh) * prices / 1000.0, at_least_wh=wanted * (1.0 - 1e-9))
    return Best(energy_wh=met, cost=float(cheapest.fun))


class _Programme:
    """Amps of each session in each slot in which it can charge: what is kept for it, and what is beyond that."""

    def __init__(self, task: PlanTask, sessions: list[PlannedSession], capacity: float) -> None:
        first = {circuit_id: 3 * index for index, circuit_id in enumerate(task.free_a)}
        stride = 3 * len(first)
        used: list[int] = []
        variables: list[int] = []
        self.wh: list[float] = []
        self.upper: list[float] = []
        self.of_session: list[int] = []
        self.slots: list[int] = []
        for index, session in enumerate(sessions):
            circuits = [circuit for circuit in task.paths[session.circuit_id] if circuit in first]
            for slot in range(task.grid.count):
                window = task.grid.slot(slot)
                begin = max(window.start, session.ready_at, task.now)
                hours = (min(window.end, session.leave_at) - begin) / HOUR_S
                if hours <= 0.0 or (session.allowed is not None and not session.allowed[slot]):
                    continue
                rows = [slot * stride + first[circuit] + phase for circuit in circuits for phase in session.phases]
                kept_a = min(session.kept_a, session.maximum_a)
                for stands_in, upper_a in (((), kept_a), (rows, session.maximum_a - kept_a)):
                    if upper_a <= 0.0:
                        continue
                    used += stands_in
                    variables += [len(self.wh)] * len(stands_in)
                    self.wh.append(hours * session.delivers_w)
                    self.upper.append(upper_a)
                    self.of_session.append(index)
                    self.slots.append(slot)
        shape = (stride * task.grid.count, len(self.wh))
        matrix = csr_array(coo_array((np.ones(len(used)), (used, variables)), shape=shape))
        needed = np.diff(matrix.indptr) > 0
        room = [
            max(0.0, free[slot][phase]) * capacity
            for slot in range(task.grid.count)
            for free in task.free_a.values()
            for phase in range(3)
        ]
        energy = csr_array(
            coo_array((self.wh, (self.of_session, np.arange(len(self.wh)))), shape=(len(sessions), len(self.wh)))
        )
        self._matrix = vstack([matrix[needed], energy], format="csr")
        self._room = np.concatenate([np.array(room)[needed], [session.wanted_wh for session in sessions]])

    def solved(self, objective: Any, *, at_least_wh: float | None = None) -> Any:
        """Return the solution that makes an objective smallest."""
        matrix, room = self._matrix, self._room
        if at_least_wh is not None:
            matrix = vstack([matrix, csr_array(-np.array(self.wh).reshape(1, -1))], format="csr")
            room = np.append(room, -at_least_wh)
        bounds = np.column_stack([np.zeros(len(self.wh)), self.upper])
        solved = linprog(objective, A_ub=matrix, b_ub=room, bounds=bounds, method="highs")
        if solved.status != 0:
            raise NoAnswer(solved.message)
        return solved
