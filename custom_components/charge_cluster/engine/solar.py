"""Solar mode: charging from what would be exported, beside all other ceilings and after everybody else.

The surplus is one more ceiling, on the sum of the phases of the vehicles in solar mode alone. What they get is taken
from what the ceilings of the circuits leave when everybody in normal mode has a full share; so they take nothing from
others, and what others draw makes the surplus smaller. The minimum of a vehicle that has it always is an ordinary
share; only what it gets beyond that is found here. The guard is the same for all: a raise needs its proof.

A vehicle that has nothing without the sun begins when the surplus has carried its minimum for a minute, and ends when
it has not for five: a cloud leaves it at its minimum. Where it carries some of them, they take turns.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from .admission import Candidate, Places, admit, turn_of
from .allocation import ROUNDING_A, Claim, fair_shares
from .budget import Budget
from .model import ChargingMode, MeterReading, MeterScope, Reason, SharingRule, SiteModel, VehicleState
from .seat import Seat, take_out
from .snapshot import Decision, Memory, Snapshot
from .steps import current_below, step_from
from .surplus import RESERVE_A, SolarMemory, Sunlit, awaits_measurement, drawn_around, follow_surplus

STARTS_AFTER_S = 60.0
"""So long the surplus must have carried a vehicle's minimum before it is given current."""

STOPS_AFTER_S = 300.0
"""So long it must have been too small for that before it is given none any more."""

ON_TIME_S = 300.0
"""And so long it has current at least: contactors and cars are spared."""

PROVES_WITHIN_S = 60.0
"""A vehicle that charges when it is put in solar mode goes on, and stops sooner where the surplus does not carry it."""


@dataclass(slots=True, kw_only=True)
class Sun:
    """What a pass found about the surplus."""

    memory: SolarMemory
    blind: bool = False
    """Whether the meter of the supply does not show it."""
    holds: bool = False
    """Whether not everything has been heard since the start: everybody stays as it is."""
    with_minimum: list[Seat] = field(default_factory=list)
    """Those that have their minimum without it."""
    running: list[Seat] = field(default_factory=list)
    """Others that it is shared among, in their order."""
    resting: list[Seat] = field(default_factory=list)
    """Others that take nothing now and may begin again."""
    paused: list[Seat] = field(default_factory=list)
    """Others that it does not carry."""
    asked: set[str] = field(default_factory=set)
    """Connectors that should be measured now."""

    @property
    def shared_a(self) -> float:
        """Return what they may have together, summed over the phases."""
        return max(self.memory.shared_a or 0.0, 0.0)


def follow_sun(snapshot: Snapshot, memory: Memory, seats: Mapping[str, Seat]) -> Sun | None:
    """Return what there is of the sun and who is given current of it; None: nobody is in solar mode."""
    solar = snapshot.site.solar
    if not solar:
        return None
    before = memory.solar or SolarMemory()
    there = [seats[key] for key in solar if seats[key].fixed is None]
    eager = ((before.sunlit.get(seat.connector.connector_id), seat.facts.since) for seat in there if _is_eager(seat))
    # Who comes later begins with as little service as who has least.
    services = (each.served(snapshot.now) for each, since in eager if each is not None and each.since == since)
    least_s = min(services, default=0.0)
    known = {
        key: _sunlit(snapshot, memory, before, seats[key], least_s)
        for key in solar
        if seats[key].connector.mode is ChargingMode.SOLAR
    }
    reading = _reading(snapshot, memory)
    if snapshot.starting or snapshot.site.supply_id in snapshot.unheard:
        held = sum(seat.solar_phases * _limit_of(seat) for seat in there if _limit_of(seat) >= seat.lower)
        sun = Sun(memory=SolarMemory(shared_a=max(held, before.shared_a or 0.0), sunlit=known), holds=True)
    elif reading is None:
        dark = {key: each.turned(snapshot.now) if each.runs else each for key, each in known.items()}
        sun = Sun(memory=SolarMemory(sunlit=dark), blind=True)
    else:
        samples, shared_a = before.samples, before.shared_a
        if not samples or reading.measured_at > samples[-1].at:
            drawn = [drawn_around(seat.bound, seat.solar_phases, reading.measured_at) for seat in there]
            samples, shared_a = follow_surplus(before, reading, drawn)
        sun = Sun(memory=SolarMemory(samples=samples, shared_a=shared_a, sunlit=known))
        sun.asked = {seat.connector.connector_id for seat in there if awaits_measurement(seat.bound, snapshot.now)}
    sun.with_minimum = [seat for seat in there if seat.connector.mode is ChargingMode.MINIMUM_AND_SOLAR]
    _take_turns(snapshot, memory, sun, [seat for seat in there if seat.connector.mode is ChargingMode.SOLAR])
    return sun


def _reading(snapshot: Snapshot, memory: Memory) -> MeterReading | None:
    """Return the newest reading of the supply, where it is to be believed and shows what is exported."""
    supply_id = snapshot.site.supply_id
    reading, base = snapshot.meters.get(supply_id), memory.circuits.get(supply_id)
    if reading is None or reading.scope is not MeterScope.EVERYTHING or (base is not None and base.stuck):
        return None
    return None if snapshot.now - reading.measured_at > reading.timeout_s else reading


def _is_eager(seat: Seat) -> bool:
    """Return whether its vehicle would take what it is offered now."""
    return seat.facts.vehicle is VehicleState.WANTS and not seat.sleeps


def _sunlit(snapshot: Snapshot, memory: Memory, before: SolarMemory, seat: Seat, least_s: float) -> Sunlit:
    """Return what is remembered of a vehicle; one that is new here goes on if it charged as another mode allowed."""
    key, since, now = seat.connector.connector_id, seat.facts.since, snapshot.now
    known = before.sunlit.get(key)
    if known is not None and known.since == since:
        return known
    charges = _limit_of(seat) >= seat.lower > 0.0 and seat.fixed is None
    if charges and snapshot.starting:
        return Sunlit(since=since, runs=True, changed_at=now, served_s=least_s)
    earlier = memory.connectors.get(key)
    if charges and earlier is not None and earlier.since == since:
        return Sunlit(
            since=since,
            runs=True,
            changed_at=now - ON_TIME_S,
            against_since=now + PROVES_WITHIN_S - STOPS_AFTER_S,
            served_s=max(0.0, least_s - ON_TIME_S),
        )
    return Sunlit(since=since, served_s=least_s)


def _limit_of(seat: Seat) -> float:
    return seat.bound.limit_a or 0.0


def _minima_a(seats: Iterable[Seat]) -> float:
    """Return what vehicles need at least, all phases together."""
    return sum(seat.solar_phases * seat.lower for seat in seats)


def _weight(site: SiteModel, seat: Seat) -> tuple[int, float]:
    """Return class and weight of a vehicle by the rule that holds in its circuit; who came first is not asked here."""
    rule = site.rules[seat.connector.circuit_id].rule
    of_class = seat.connector.priority if rule is SharingRule.PRIORITY else 0
    return of_class, 1.0 if rule is SharingRule.EQUAL else seat.solar_upper


def with_sun(decision: Decision, sun: Sun) -> Decision:
    """Return the outcome of a pass with what it found about the sun."""
    shared_a = sun.memory.shared_a
    return replace(
        decision,
        memory=replace(decision.memory, solar=sun.memory),
        surplus_a=None if shared_a is None or sun.holds else shared_a + RESERVE_A,
        asked=sorted(sun.asked.union(decision.asked)),
    )


# Who is given current -------------------------------------------------------------------------------------------------


def _take_turns(snapshot: Snapshot, memory: Memory, sun: Sun, there: Sequence[Seat]) -> None:
    """Sort those that have nothing without the sun, and remember it."""
    eager = [seat for seat in there if _is_eager(seat)]
    others = [seat for seat in there if not _is_eager(seat)]
    sunlit = dict(sun.memory.sunlit)
    if not sun.holds and not sun.blind:
        certain = [seat for seat in sun.with_minimum if seat.wants and _is_eager(seat)]
        room_a = (sun.memory.shared_a or 0.0) - _minima_a(certain)
        carried = _carried(snapshot, room_a, eager, sunlit)
        # Who takes nothing may begin again where there is more than the others need.
        served = [seat for seat in eager if seat.connector.connector_id in carried.admitted]
        resumes = _carried(snapshot, room_a - _minima_a(served), others, sunlit)
        swapped = _swap(snapshot, memory, carried, room_a, eager, sunlit)
        for seat in there:
            key = seat.connector.connector_id
            if key not in swapped:
                carries = key in carried.admitted or key in resumes.admitted
                sunlit[key] = _after_a_while(sunlit[key], snapshot.now, carries=carries)
        sun.memory = replace(sun.memory, sunlit=sunlit)
    for seats, running in ((eager, sun.running), (others, sun.resting)):
        for seat in seats:
            (running if sunlit[seat.connector.connector_id].runs else sun.paused).append(seat)
    sun.running.sort(key=lambda seat: _order(snapshot, seat, sunlit))


def _order(snapshot: Snapshot, seat: Seat, sunlit: Mapping[str, Sunlit]) -> tuple[float, float, float, str]:
    connector = seat.connector
    served = sunlit[connector.connector_id].served(snapshot.now)
    return (-connector.priority, served, seat.memory.came_at, connector.connector_id)


def _carried(
    snapshot: Snapshot, room_a: float, seats: Sequence[Seat], sunlit: Mapping[str, Sunlit], *, new_turn: bool = False
) -> Places:
    """Return whose minima the surplus carries; who runs comes first, but for a new turn."""
    candidates = [
        Candidate(
            key=seat.connector.connector_id,
            rows=(0,) * seat.solar_phases,
            minimum_a=seat.lower,
            reserved_a=0.0,
            priority=seat.connector.priority,
            holds_place=sunlit[seat.connector.connector_id].runs,
            paused=False,
            served_s=sunlit[seat.connector.connector_id].served(snapshot.now),
            since=seat.memory.came_at,
        )
        for seat in seats
    ]
    return admit([room_a], candidates, new_turn=new_turn)


def _after_a_while(before: Sunlit, now: float, *, carries: bool) -> Sunlit:
    """Return the same, or turned where the surplus has said the other thing for long enough."""
    if carries is before.runs:
        return before if before.against_since is None else replace(before, against_since=None)
    since = now if before.against_since is None else before.against_since
    wait_s = STOPS_AFTER_S if before.runs else STARTS_AFTER_S
    if now - since >= wait_s and (not before.runs or now - before.changed_at >= ON_TIME_S):
        return before.turned(now)
    return before if before.against_since is not None else replace(before, against_since=since)


def _swap(  # noqa: PLR0917 - one call, from the function above
    snapshot: Snapshot,
    memory: Memory,
    carried: Places,
    room_a: float,
    eager: Sequence[Seat],
    sunlit: dict[str, Sunlit],
) -> Collection[str]:
    """Let those that wait have their turn, on the clock, and return whom that concerns; a cloud is no time for it."""
    if memory.turn is None or turn_of(snapshot.wall, snapshot.on_time_s) == memory.turn or not carried.waiting:
        return ()
    runs = {seat.connector.connector_id for seat in eager if sunlit[seat.connector.connector_id].runs}
    if not runs <= carried.admitted:
        return ()
    now = snapshot.now
    anew = _carried(snapshot, room_a, eager, sunlit, new_turn=True).admitted
    begin, end = anew - runs, runs - anew
    if not begin or not end or any(now - sunlit[key].changed_at < ON_TIME_S for key in end):
        return ()
    for key in begin | end:
        sunlit[key] = sunlit[key].turned(now)
    return begin | end


# How much they get ----------------------------------------------------------------------------------------------------


def share_surplus(sun: Sun, site: SiteModel, left: list[float], admitted: Collection[str], budget: Budget) -> None:
    """Set target and reason of everybody in solar mode; `left` is what the circuits have for them, and is used up."""
    supply_row = budget.layout.first_row(site.supply_id)
    for seat in (*sun.paused, *sun.running, *sun.resting):
        seat.target, seat.minimum = 0.0, seat.lower
    takers = [seat for seat in sun.with_minimum if seat.connector.connector_id in admitted]
    if sun.blind:
        for seat in (*takers, *sun.paused):
            seat.row, seat.reason = supply_row, Reason.METER_STALE
        return
    for seat in sun.paused:
        seat.row, seat.reason = supply_row, Reason.SURPLUS
    takers = [seat for seat in takers if not seat.sleeps]
    takers += [seat for seat in sun.running if _takes_minimum(seat, left, budget)]
    _share_more(sun, site, takers, left, budget)
    for seat in sun.resting:
        if _takes_minimum(seat, left, budget):
            seat.reason = Reason.ASLEEP if seat.sleeps else Reason.VEHICLE_TAKES_LESS


def _takes_minimum(seat: Seat, left: list[float], budget: Budget) -> bool:
    """Take the minimum out of what the circuits have left, or say where that does not fit."""
    extra = seat.lower - min(seat.reserve, seat.lower)
    if take_out(seat, extra - ROUNDING_A, left):
        seat.target = seat.lower
        return True
    rows = seat.share_rows
    row = min(rows, key=lambda row: left[row] / rows.count(row))
    stale = budget.layout.circuit_of(row) in budget.stale
    seat.row, seat.reason = row, Reason.METER_STALE if stale else budget.why.get(row, Reason.SHARED)
    return False


def _most(seat: Seat, *, holds: bool) -> float:
    """Return the most that is worth offering to it."""
    least = seat.target
    most = least if seat.scarce else max(least, min(seat.solar_upper, max(seat.takes, least)))
    return max(least, min(most, _limit_of(seat))) if holds else most


def _share_more(sun: Sun, site: SiteModel, takers: Sequence[Seat], left: list[float], budget: Budget) -> None:
    """Share what there is beyond the minima: weighted max-min, whole steps, and who has a step already keeps it."""
    surplus = len(left)
    most = [_most(seat, holds=sun.holds) for seat in takers]
    exact, held_by = _exact(sun, site, takers, left, most)
    spare_a = sun.shared_a
    wishes: list[tuple[bool, float, str, int]] = []
    for index, seat in enumerate(takers):
        least = seat.target
        target = max(current_below(seat.connector, exact[index]), least)
        if target > least:
            for at in seat.share_rows:
                left[at] -= target - least
        seat.target = target
        spare_a -= seat.solar_phases * target
        row = held_by[index]
        if row is None:
            seat.row, seat.reason = None, _why_no_more(seat)
            continue
        lacks = _limit_of(seat) < target + step_from(seat.connector, target) - ROUNDING_A
        wishes.append((lacks, target - exact[index], seat.connector.connector_id, index))
        if row == surplus:
            seat.row, seat.reason = budget.layout.first_row(site.supply_id), Reason.SURPLUS
        else:
            seat.row, seat.reason = row, budget.why.get(row, Reason.SHARED)
    wishes.sort()
    for *_, index in wishes:
        seat = takers[index]
        step = step_from(seat.connector, seat.target)
        amps = seat.solar_phases * step
        fits = amps <= spare_a + ROUNDING_A and seat.target + step <= most[index] + ROUNDING_A
        if fits and take_out(seat, step, left):
            seat.target += step
            spare_a -= amps


def _exact(
    sun: Sun, site: SiteModel, takers: Sequence[Seat], left: Sequence[float], most: Sequence[float]
) -> tuple[list[float], list[int | None]]:
    """Return the exact share of each, and the row that holds it back; the row beyond all others is the surplus."""
    surplus = len(left)
    room = [max(amps, 0.0) for amps in left]
    amps = [seat.target for seat in takers]
    minima_a = 0.0
    for seat in takers:
        minima_a += seat.solar_phases * seat.target
        for at in seat.share_rows:
            room[at] += seat.target
    room.append(max(sun.shared_a, minima_a))
    held_by: list[int | None] = [None] * len(takers)
    weights = [_weight(site, seat) for seat in takers]
    for priority in sorted({of_class for of_class, _ in weights}, reverse=True):
        members: dict[tuple[int, int, float, float, float], list[int]] = {}
        for index, (seat, (of_class, weight)) in enumerate(zip(takers, weights, strict=True)):
            share = amps[index]
            upper = most[index] if of_class == priority else share
            key = (id(seat.share_rows), seat.solar_phases, share, upper, weight)
            members.setdefault(key, []).append(index)
        claims = [
            Claim((*takers[alike[0]].share_rows, *(surplus,) * phases), lower, upper, weight, len(alike))
            for (_, phases, lower, upper, weight), alike in members.items()
        ]
        shares = fair_shares(room, claims)
        for (_, _, lower, upper, _), alike, share, row in zip(
            members, members.values(), shares.amps, shares.bottleneck, strict=True
        ):
            if upper > lower:
                for index in alike:
                    amps[index] = share
                    held_by[index] = row if share < upper - ROUNDING_A else None
    return amps, held_by


def _why_no_more(seat: Seat) -> Reason:
    if seat.takes < seat.solar_upper and seat.target < seat.solar_upper - ROUNDING_A:
        return Reason.VEHICLE_TAKES_LESS
    connector = seat.connector
    capped = connector.cap_a is not None and connector.cap_a < connector.maximum_a
    return connector.cap_reason if capped else Reason.FULL_POWER
