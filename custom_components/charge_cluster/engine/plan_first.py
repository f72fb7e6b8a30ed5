"""What of a session is charged before anything of it is put off, because nobody knows when its vehicle leaves.

Waiting pays in the mean, and the mean is paid by few: the vehicle that leaves hours before it was likely to has got
nothing at all. So a first part of what a session wants is planned as early as there is room, whatever the prices are,
and only the rest goes by them. Who has had the smallest share of what it wants comes first, slot after slot, so that
those who want it at the same time take turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .model import NOMINAL_VOLTAGE_V
from .plan_flow import DUST_AH, Car, Kind, room_for, take_room

FIRST_SHARE = 0.2
"""Of what a session wants in all, what it has taken included."""

FIRST_AH = 3000.0 / NOMINAL_VOLTAGE_V
"""And so much more, of a single phase: many a short stay wants no more than these 3 kWh. Both were chosen in the replay
of docs/planning.md, where the tenth that gets least comes to what it gets when everybody charges at once."""


def first_amount(car: Car) -> float:
    """Return how many ampere-hours a vehicle is to have as early as possible, beside what it has taken."""
    if car.risk is None:
        return 0.0
    first = FIRST_SHARE * car.in_all + FIRST_AH / car.worth
    return min(car.wanted, max(0.0, first - car.taken))


def as_early_as_possible(kinds: Sequence[Kind], cars: Sequence[Car], room: Sequence[list[float]]) -> list[list[float]]:
    """Return what each vehicle takes in each slot of its first part, in ampere-hours.

    Args:
        kinds: where vehicles stand.
        cars: the vehicles.
        room: what each row has, slot by slot, in ampere-hours; what is taken is taken out of it.
    """
    found = [[0.0] * len(room) for _ in cars]
    uses = [tuple(kind.uses.items()) for kind in kinds]
    left = {index: amount for index, car in enumerate(cars) if (amount := first_amount(car)) > DUST_AH}
    had = {index: cars[index].taken for index in left}
    for slot, free in enumerate(room):
        if not left:
            break
        order = sorted(left, key=lambda index: (-cars[index].weight, had[index] / cars[index].in_all, index))
        for index in order:
            rows = uses[cars[index].kind]
            car = cars[index]
            kept, metered = 0.0 if car.kept is None else car.kept[slot], kinds[car.kind].metered
            amount = min(left[index], car.most[slot], room_for(free, rows, metered, kept))
            if amount <= DUST_AH:
                continue
            found[index][slot] = amount
            had[index] += amount
            left[index] -= amount
            take_room(free, rows, metered, amount, max(0.0, amount - kept))
            if left[index] <= DUST_AH:
                del left[index]
    return found


def without(car: Car, first: Sequence[float]) -> Car:
    """Return a vehicle that has its first part already."""
    amount = sum(first)
    if not amount:
        return car
    most = [most - part for most, part in zip(car.most, first, strict=True)]
    kept = None if car.kept is None else [max(0.0, kept - part) for kept, part in zip(car.kept, first, strict=True)]
    return replace(car, most=most, kept=kept, wanted=max(0.0, car.wanted - amount), taken=car.taken + amount)
