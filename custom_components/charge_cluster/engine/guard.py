"""What may flow at most: the proofs that a ceiling rests on.

The *draw bound* of a connector is the history of proof about one charger: a limit counts from the moment it is sent if
it is higher, and frees current only after it was accepted *and* a later measurement shows it. Who gets what is decided
elsewhere; what flows if every controller dies is in `fallback_proof`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise

from .model import INDUCED_CURRENT_A, NO_AMPS, PHASES, Connector, PhaseAmps

HISTORY_S = 90.0
"""How far back draws, orders and meter samples are remembered: the greatest skew (60 s) and a charger's reaction."""

MAX_HISTORY = 120
"""Entries kept of a history, whatever comes: a charger that floods samples costs bounded memory."""

MEASURING_TOLERANCE_A = 0.5
MEASURING_TOLERANCE = 0.03
"""Chargers have been seen 1 % over their limit, and their meters are of class B or worse; a draw within the larger of
the two of a limit obeys it. It is counted as measured all the same."""

SAME_A = 1e-6
"""Currents closer than this are equal but for float noise."""

CLOCK_SLACK_S = 2.0
"""By how much the times of a meter's sample and of a change at a charger may be off against each other."""

SEEN_TWICE_WITHIN_S = 2 * CLOCK_SLACK_S
"""After so long it does not matter any more by how much they are."""

BEFORE_START = float("-inf")
"""When a limit was sent that is only remembered."""

CAR_SETTLING_S = 15.0
"""After this a car has followed its pilot signal (IEC 61851-1 allows 5 s, cars have been seen to need 11 s)."""


ONE_PHASE = 1
"""Phases asked for by a limit that is for the first phase of its connector alone."""

ONE_PHASE_SEEN_AT_A = 4.0
"""A draw on one phase proves that only one is connected while a real charging current flows."""

ELSEWHERE_SHARE = 0.1
"""What flows on another phase is less than this share of the current of the first, or it is a vehicle's."""


class OnePhase(StrEnum):
    """What is known of a charger whose limit is for one phase alone."""

    ORDERED = "ordered"
    """It accepted that; it may draw on all of its phases as before."""
    SEEN = "seen"
    """It was measured since to draw on the first phase alone."""
    BROKEN = "broken"
    """It was measured to draw on another phase as well."""


@dataclass(frozen=True, slots=True)
class Draw:
    """What a connector was measured to draw on the supply's phases."""

    at: float
    amps: PhaseAmps
    least: PhaseAmps
    """What it drew at least: less than `amps` where the rotation is unknown."""


@dataclass(frozen=True, slots=True)
class Order:
    """From this time on the connector may have been at `amps`."""

    at: float
    amps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawBound:
    """What is proved about the current of one connector; replaced by each of the functions below."""

    held_a: float
    """The most that it may draw per phase by what was ordered and seen."""
    limit_a: float | None = None
    """The limit in force: accepted, or the fallback that took over. None: not known."""
    since: float = 0.0
    """When `limit_a` came into force."""
    expires_at: float | None = None
    """From here on it may have gone to its fallback by itself. None: does not run out."""
    in_flight: tuple[float, ...] = ()
    """Limits sent and not yet answered, or answered in a way that proves nothing."""
    ordered_at: float | None = None
    """When a limit was sent last; `BEFORE_START`: in an earlier life of ours."""
    changed_at: float = 0.0
    """When the limit in force changed last."""
    fallback_a: float | None = None
    """The fallback that is proved to be in the charger; None: not proved, so that its hardware maximum counts."""
    fallback_sent_a: float = 0.0
    """The highest fallback that was sent since: it may have been stored."""
    ends_a: float = 0.0
    """What the limits it was sent for its transaction end in, at most: the fallback as it was configured then."""
    online: bool = False
    offline_since: float | None = None
    unseen_since: float | None = None
    """Since then it may have lost its power for a while: nothing it drew before says what it draws. None: it was
    measured since."""
    draws: tuple[Draw, ...] = ()
    orders: tuple[Order, ...] = ()
    limits: tuple[Order, ...] = ()
    """Past values of `limit_a` that are known: each in force until the next one."""
    helds: tuple[Order, ...] = ()
    """Past values of `held_a`: each held until the next one."""
    delay_s: float = 0.0
    """How much later than others it may follow an order: as its connector's."""
    one_phase: OnePhase | None = None
    """Where every limit that may be in force is for one phase alone: what is known of that. None: one of them may be
    for all phases."""
    one_phase_since: float = 0.0
    """When that was accepted."""

    @property
    def follows_within_s(self) -> float:
        """Return the time after which an order has been followed by the vehicle, if it is followed at all."""
        return CAR_SETTLING_S + self.delay_s


def unknown_bound(connector: Connector) -> DrawBound:
    """Return the bound of a connector that nothing is known of: its hardware maximum."""
    return DrawBound(held_a=connector.maximum_a)


def remembered_bound(
    connector: Connector,
    *,
    limit_a: float | None,
    held_a: float,
    fallback_a: float | None,
    expires_at: float | None,
    now: float,
    fallback_sent_a: float = 0.0,
    one_phase: bool = False,
) -> DrawBound:
    """Return the bound of a connector from what was kept over a restart of ours; it has not been heard of yet.

    `fallback_sent_a` is the highest fallback that may have been sent since; `one_phase` whether the limit in force was
    seen to be kept on one phase alone.
    """
    return DrawBound(
        held_a=held_a if limit_a is not None else connector.maximum_a,
        limit_a=limit_a,
        since=now,
        changed_at=now,
        expires_at=expires_at,
        fallback_a=fallback_a,
        fallback_sent_a=fallback_sent_a,
        one_phase=OnePhase.SEEN if one_phase and limit_a is not None else None,
        one_phase_since=now,
        ordered_at=None if limit_a is None else BEFORE_START,
        offline_since=now,
    )


def went_online(bound: DrawBound, connector: Connector, now: float) -> DrawBound:
    """Return the bound after a connection was established; what the charger holds is as it was."""
    if bound.online:
        return bound
    bound = _out_of_sight(at_time(bound, connector, now), now)
    return replace(bound, online=True, offline_since=None)


def went_offline(bound: DrawBound, now: float) -> DrawBound:
    """Return the bound after the connection was lost: it counts as before, and may have lost its power too."""
    if not bound.online and bound.offline_since is not None:
        return bound
    orders = _remember(bound.orders, Order(now, 0.0), now)
    bound = _out_of_sight(bound, now)
    return replace(bound, online=False, offline_since=now, unseen_since=now, orders=orders)


def _out_of_sight(bound: DrawBound, now: float) -> DrawBound:
    """Return the bound of a charger that could not be seen for a while: that it uses one phase is to be seen anew."""
    if bound.one_phase is None or bound.one_phase is OnePhase.BROKEN:
        return bound
    return replace(bound, one_phase=OnePhase.ORDERED, one_phase_since=now)


def sent(
    bound: DrawBound, amps: float, now: float, runs_out_at: float | None = None, *, phases: int | None = None
) -> DrawBound:
    """Return the bound after a limit was sent that runs out at a time: an increase counts at once.

    Whether it arrived may never be known. So nothing is taken to have run out before it, and one for all phases counts
    on all of them from here on.
    """
    if bound.one_phase is not None and phases != ONE_PHASE:
        bound = replace(bound, one_phase=None)
    pending = (*(a for a in bound.in_flight if a != amps), amps)
    expires_at = bound.expires_at
    if runs_out_at is not None:
        expires_at = runs_out_at if expires_at is None else max(expires_at, runs_out_at)
    orders = _remember(bound.orders, Order(now, amps), now)
    return _hold(
        replace(bound, in_flight=pending, ordered_at=now, expires_at=expires_at, orders=orders),
        max(bound.held_a, amps),
        now,
    )


def accepted(
    bound: DrawBound, amps: float, now: float, expires_at: float | None, *, phases: int | None = None
) -> DrawBound:
    """Return the bound after the charger accepted a limit, for one phase or for all.

    A reduction frees nothing yet. Older orders still in flight were overtaken, because a charger carries out one call
    after the other; newer ones (the answer came late) stay in flight.
    """
    pending = bound.in_flight
    if amps in pending:
        pending = pending[pending.index(amps) + 1 :]
    if phases != ONE_PHASE or pending:
        # What is still in flight may be for all phases.
        bound = bound if bound.one_phase is None else replace(bound, one_phase=None)
    elif bound.one_phase is None:
        bound = replace(bound, one_phase=OnePhase.ORDERED, one_phase_since=now)
    changed = bound.limit_a is None or abs(bound.limit_a - amps) > SAME_A
    return replace(
        _hold(bound, max(bound.held_a, amps), now),
        limit_a=amps,
        since=now if changed else bound.since,
        changed_at=now if changed else bound.changed_at,
        limits=_remember(bound.limits, Order(now, amps), now),
        expires_at=expires_at,
        in_flight=pending,
    )


def ending_in(bound: DrawBound, fallback_a: float) -> DrawBound:
    """Return the bound after a limit was sent that ends in a fallback: until it is accepted either may hold."""
    return bound if fallback_a <= bound.ends_a else replace(bound, ends_a=fallback_a)


def ends_in(bound: DrawBound, fallback_a: float) -> DrawBound:
    """Return the bound after a limit was accepted that ends in a fallback."""
    return bound if fallback_a == bound.ends_a else replace(bound, ends_a=fallback_a)


def refused(bound: DrawBound, amps: float) -> DrawBound:
    """Return the bound after the charger refused a limit: the one before still holds."""
    return replace(bound, in_flight=tuple(a for a in bound.in_flight if a != amps))


def took_over(bound: DrawBound, amps: float, now: float) -> DrawBound:
    """Return the bound after the charger went to a limit by itself (its fallback after a boot or an expiry)."""
    return replace(
        _hold(bound, max(bound.held_a, amps), now),
        limit_a=amps,
        since=now,
        changed_at=now,
        limits=_remember(bound.limits, Order(now, amps), now),
        expires_at=None,
        in_flight=(),
        orders=_remember(bound.orders, Order(now, amps), now),
        one_phase=None,
    )


def _fell_back(bound: DrawBound, connector: Connector, now: float) -> DrawBound:
    """Return the bound after the charger went to its fallback; where that is not proved its limit is not known."""
    after = took_over(bound, fallback_of(connector, bound), now)
    return after if fallback_proved(connector, bound) else replace(after, limit_a=None)


def transaction_began(bound: DrawBound, connector: Connector, now: float) -> DrawBound:
    """Return the bound after a transaction began: the permanent fallback governs.

    What was promised to the connector while it was idle is sent anew for the transaction, without another word from
    here; until an order for the transaction is accepted it counts as in flight.
    """
    fallback = fallback_of(connector, bound)
    began = _fell_back(bound, connector, now)
    binds = bound.limit_a is not None and (bound.expires_at is None or now < bound.expires_at)
    promised = max((*bound.in_flight, bound.limit_a if bound.limit_a is not None and binds else 0.0))
    if promised <= fallback + SAME_A:
        return ends_in(began, 0.0)
    return sent(began, promised, now, bound.expires_at)


def transaction_ended(bound: DrawBound, connector: Connector, now: float) -> DrawBound:
    """Return the bound after a transaction ended: its limits are gone, and the permanent fallback governs."""
    bound = ends_in(bound, 0.0)
    return _fell_back(bound, connector, now)


def rebooted(bound: DrawBound, connector: Connector, now: float) -> DrawBound:
    """Return the bound after the charger said that it restarted: it is at its fallback, its car perhaps at nothing."""
    bound = replace(bound, ends_a=0.0, unseen_since=now, orders=_remember(bound.orders, Order(now, 0.0), now))
    return _fell_back(bound, connector, now)


def fallback_sent(bound: DrawBound, fallback_a: float) -> DrawBound:
    """Return the bound after a fallback was sent: until one is known to be stored either of the two may hold."""
    return bound if fallback_a <= bound.fallback_sent_a else replace(bound, fallback_sent_a=fallback_a)


def fallback_stored(bound: DrawBound, fallback_a: float, *, idle: bool, now: float) -> DrawBound:
    """Return the bound after the charger stored its fallback.

    Where no transaction runs (`idle`) the fallback is the limit in force, unless another one is known.
    """
    bound = replace(bound, fallback_a=fallback_a, fallback_sent_a=0.0)
    if idle and bound.limit_a is None and not bound.in_flight:
        return took_over(bound, fallback_a, now)
    return bound


def measured(bound: DrawBound, connector: Connector, amps: PhaseAmps, at: float, now: float) -> DrawBound:
    """Return the bound after a measurement on the connector's own terminals, taken at `at`.

    A measurement taken after a reduction was accepted, and within it, proves the reduction.
    """
    if bound.draws and at < bound.draws[-1].at:
        return bound
    on_supply = connector.on_supply(amps)
    if connector.rotation is None:
        floor = min(amps)
        least = (floor, floor, floor)
    else:
        least = on_supply
    draws = _trim((*bound.draws, Draw(at, on_supply, least)), now)
    seen = bound.unseen_since is None or (bound.online and at > bound.unseen_since)
    bound = replace(bound, draws=draws, unseen_since=None if seen else bound.unseen_since)
    if bound.one_phase is not None:
        bound = _seen_on_one_phase(bound, connector, draws[-1])
    most = max(on_supply)
    limit = bound.limit_a
    # A renewal under way changes nothing; samples that always meet one would prove nothing for ever.
    if limit is None or undecided(bound) or at <= bound.since + _lag_s(bound, limit):
        return _hold(bound, max(bound.held_a, most), now)
    if most <= limit + max(MEASURING_TOLERANCE_A, MEASURING_TOLERANCE * limit):
        return _hold(bound, max(limit, most), now)
    return _hold(bound, max(bound.held_a, most), now)


def _seen_on_one_phase(bound: DrawBound, connector: Connector, draw: Draw) -> DrawBound:
    """Return the bound of a charger that was told to use one phase, after a measurement.

    A charger may switch later than it answers, and a car may begin on one phase before it takes the others: what is
    seen before the time that a car needs to follow proves nothing. One that was seen to use one phase keeps that.
    """
    first = connector.phases[0]
    amps = draw.amps[first]
    elsewhere = max(draw.amps[phase] for phase in PHASES if phase != first)
    alone = elsewhere <= max(INDUCED_CURRENT_A, ELSEWHERE_SHARE * amps)
    if bound.one_phase is OnePhase.SEEN:
        return bound if alone else replace(bound, one_phase=OnePhase.BROKEN)
    if bound.one_phase is OnePhase.BROKEN or draw.at < bound.one_phase_since + bound.follows_within_s:
        return bound
    if not alone:
        return replace(bound, one_phase=OnePhase.BROKEN)
    return bound if amps < ONE_PHASE_SEEN_AT_A else replace(bound, one_phase=OnePhase.SEEN)


def _lag_s(bound: DrawBound, limit: float) -> float:
    """Return how long after a reduction a low draw proves nothing.

    A car that was offered more a moment ago may still be about to follow that offer; a car that had followed it is
    seen to come down. One that was only told less and less is seen to come down as well, one step after the other.
    """
    lag = bound.follows_within_s
    since = bound.since - lag
    before = -1.0
    for order in bound.orders:
        if order.at >= since and order.amps > limit and order.amps > before:
            return lag
        before = order.amps
    return 0.0


def unplugged(bound: DrawBound, now: float) -> DrawBound:
    """Return the bound after the charger said that no vehicle is plugged in: nothing flows."""
    draws = (
        _trim((*bound.draws, Draw(now, NO_AMPS, NO_AMPS)), now)
        if not bound.draws or bound.draws[-1].at < now
        else bound.draws
    )
    return idle(replace(bound, draws=draws, one_phase=None), now)


def idle(bound: DrawBound, now: float) -> DrawBound:
    """Return the bound of a connector that is known to be empty: it may not draw more than a start would."""
    if bound.limit_a is None or bound.in_flight or bound.held_a == bound.limit_a:
        return bound
    return _hold(bound, bound.limit_a, now)


def at_time(bound: DrawBound, connector: Connector, now: float) -> DrawBound:
    """Return the bound as time alone has made it: limits that ran out, reductions proved by their settling time."""
    if bound.delay_s != connector.delay_s:
        bound = replace(bound, delay_s=connector.delay_s)
    if bound.expires_at is not None and now >= bound.expires_at and not bound.online:
        bound = _fell_back(bound, connector, max(bound.expires_at, bound.since))
    settling = connector.settling_s
    if not bound.online and bound.offline_since is not None and bound.expires_at is None:
        # Nobody can measure it now. Its fallback is proved to take over by itself, and a car follows within this time.
        settling = bound.follows_within_s if settling is None else settling
    unmeasured = settling is not None and not bound.in_flight and bound.limit_a is not None
    if unmeasured and settling is not None and bound.limit_a is not None and bound.limit_a < bound.held_a:
        seen_above = (
            bound.draws and bound.draws[-1].at > bound.since and max(bound.draws[-1].amps) > bound.limit_a + 1.0
        )
        if now >= bound.since + settling and not seen_above:
            bound = _hold(bound, bound.limit_a, now)
    return bound


def fallback_of(connector: Connector, bound: DrawBound) -> float:
    """Return the amps that it may go to by itself: its fallback if that is proved, else its hardware maximum."""
    if bound.fallback_a is None or not connector.fallback_kept:
        return connector.maximum_a
    return stored_at_most_a(bound)


def stored_at_most_a(bound: DrawBound) -> float:
    """Return the highest fallback that it may go to, where one is proved."""
    return max(bound.fallback_a or 0.0, bound.fallback_sent_a, bound.ends_a)


def fallback_proved(connector: Connector, bound: DrawBound) -> bool:
    """Return whether it is known what it goes to by itself."""
    return bound.fallback_a is not None and connector.fallback_kept


def worst_case_a(connector: Connector, bound: DrawBound) -> float:
    """Return the most that a connector may draw per phase from now on, plugged in or not (promise 1)."""
    worst = max(bound.held_a, fallback_of(connector, bound))
    for amps in bound.in_flight:
        worst = max(worst, amps)
    return worst


def undecided(bound: DrawBound) -> bool:
    """Return whether an order in flight would change the limit in force; one that renews it changes nothing."""
    if not bound.in_flight:
        return False
    limit = bound.limit_a
    return any(limit is None or abs(amps - limit) > SAME_A for amps in bound.in_flight)


def obeys(bound: DrawBound) -> bool | None:
    """Return whether the newest draw keeps the limit in force; None: it does not, but may be following an earlier one.

    It breaks the limit where it is above all that the vehicle may have been following: what was in force or ordered
    in the time that it has to follow. Limits that change often hide no disobedience so.
    """
    limit = bound.limit_a
    if limit is None or not bound.draws:
        return None
    draw = bound.draws[-1]
    most, since = max(draw.amps), draw.at - bound.follows_within_s
    settled = since >= bound.changed_at
    if most <= tolerated_a(limit):
        return True if settled else None
    allowed = _told_at_most_a(bound, limit, since)
    return False if allowed is not None and most > tolerated_a(allowed) else None


def told_at_most_a(bound: DrawBound, at: float) -> float | None:
    """Return the most that a vehicle that obeys can draw at a time, by what it was told in the time that it has for it.

    None: that is not known, or it was seen not to obey.
    """
    limit = bound.limit_a
    if limit is None or not bound.orders:
        return None
    told = _told_at_most_a(bound, limit, at - bound.follows_within_s - CLOCK_SLACK_S)
    return None if told is not None and told < bound.held_a and obeys(bound) is False else told


def _told_at_most_a(bound: DrawBound, limit: float, since: float) -> float | None:
    """Return the highest limit that was in force or ordered since a time; None: that far nothing is remembered."""
    if since < bound.changed_at and (not bound.limits or bound.limits[0].at > since):
        return None
    allowed = max((limit, *bound.in_flight, *(order.amps for order in bound.orders if order.at >= since)))
    until = float("inf")
    for past in reversed(bound.limits):
        if until < since:
            break
        allowed = max(allowed, past.amps)
        until = past.at
    return allowed


def comes_down(bound: DrawBound, now: float) -> bool:
    """Return whether a vehicle was told less than it is proved to draw, or has been seen to come down just now.

    Whoever was seen once to have come down may not have been so yet when a meter was read shortly before or after that.
    """
    limit = bound.limit_a
    if limit is None:
        return False
    over = bound.held_a - limit
    if over > MEASURING_TOLERANCE_A:
        # What was measured within the tolerance obeys, unless it is about to come down further.
        return over > MEASURING_TOLERANCE * limit or now < bound.changed_at + bound.follows_within_s
    helds = bound.helds
    return len(helds) > 1 and now < helds[-1].at + SEEN_TWICE_WITHIN_S and helds[-1].amps < helds[-2].amps


def tolerated_a(limit: float) -> float:
    """Return the most that may be measured of a draw that keeps a limit."""
    return limit + max(2 * MEASURING_TOLERANCE_A, 2 * MEASURING_TOLERANCE * limit)


def drawn_at(bound: DrawBound, connector: Connector, at: float) -> tuple[PhaseAmps, PhaseAmps]:
    """Return the least and the most that the connector can have drawn at a time, by what is known around it."""
    before, after = _draws_around(bound, at)
    return _least_between(bound, before, after, at), _most_between(bound, connector, before, after, at)


def most_at(bound: DrawBound, connector: Connector, at: float) -> PhaseAmps:
    """Return the most that the connector can have drawn at a time."""
    return _most_between(bound, connector, *_draws_around(bound, at), at)


def _least_between(bound: DrawBound, before: Draw | None, after: Draw | None, at: float) -> PhaseAmps:
    if before is None or at - before.at > HISTORY_S:
        return NO_AMPS
    orders = bound.orders
    steady = not orders or orders[-1].at < before.at - bound.follows_within_s
    if after is None:
        if steady:
            return before.least
        l1, l2, l3 = before.least
    else:
        (l1, l2, l3), (a1, a2, a3) = before.least, after.least
        l1, l2, l3 = min(l1, a1), min(l2, a2), min(l3, a3)
        if steady or _only_reduced(bound, before.at - bound.follows_within_s, after.at):
            # It came down between the two samples, if at all: it was not below both in between.
            return (l1, l2, l3)
    since = before.at - bound.follows_within_s
    lowest = min((o.amps for o in orders if since <= o.at <= at), default=None)
    if lowest is not None and lowest < max(l1, l2, l3) - MEASURING_TOLERANCE_A:
        # An order to less may have been carried out by then. A sample taken after it settled shows the truth.
        l1, l2, l3 = min(l1, lowest), min(l2, lowest), min(l3, lowest)
    return (l1, l2, l3)


def _draws_around(bound: DrawBound, at: float) -> tuple[Draw | None, Draw | None]:
    """Return the last measurement up to a time and the first one after it."""
    after: Draw | None = None
    # The time that is asked for is recent: it is found sooner from the end.
    for draw in reversed(bound.draws):
        if draw.at <= at:
            return draw, after
        after = draw
    return None, after


def _only_reduced(bound: DrawBound, since: float, until: float) -> bool:
    """Return whether no order in a span of time was for more than the one before it."""
    amps = [order.amps for order in bound.orders if since <= order.at <= until]
    return all(later <= earlier for earlier, later in pairwise(amps))


def _most_between(
    bound: DrawBound, connector: Connector, before: Draw | None, after: Draw | None, at: float
) -> PhaseAmps:
    if before is not None and after is not None:
        # Between two samples with no order to more, it drew no more than the larger of them and its settled limit.
        orders, since = bound.orders, before.at - bound.follows_within_s
        rose = (
            orders
            and orders[-1].at >= since
            and any(since <= o.at <= after.at and o.amps > max(before.amps) for o in orders)
        )
        if not rose:
            (b1, b2, b3), (a1, a2, a3) = before.amps, after.amps
            return (max(b1, a1), max(b2, a2), max(b3, a3))
    most = _held_around(bound, at)
    rotation = connector.rotation
    if rotation is None or len(rotation) == len(PHASES):
        return (most, most, most)
    l1, l2, l3 = (most if phase in rotation else 0.0 for phase in PHASES)
    return (l1, l2, l3)


def _held_around(bound: DrawBound, at: float) -> float:
    """Return the most that it was held to at a time, give or take what the clocks of meter and charger may differ."""
    helds = bound.helds
    if not helds:
        return bound.held_a
    if helds[-1].at < at - CLOCK_SLACK_S:
        return helds[-1].amps
    most = 0.0
    until = float("inf")
    for past in reversed(helds):
        if until < at - CLOCK_SLACK_S:
            break
        if past.at <= at + CLOCK_SLACK_S:
            most = max(most, past.amps)
        until = past.at
    return most


def _hold(bound: DrawBound, held: float, now: float) -> DrawBound:
    if held == bound.held_a:
        return bound
    return replace(
        bound, held_a=held, helds=_remember(bound.helds or (Order(-HISTORY_S, bound.held_a),), Order(now, held), now)
    )


def _remember(orders: tuple[Order, ...], order: Order, now: float) -> tuple[Order, ...]:
    if orders and orders[-1].amps == order.amps:
        return orders
    kept = orders
    while len(kept) > 1 and kept[1].at < now - HISTORY_S:
        kept = kept[1:]
    return (*kept[-MAX_HISTORY:], order)


def _trim(draws: tuple[Draw, ...], now: float) -> tuple[Draw, ...]:
    while len(draws) > 1 and draws[1].at < now - HISTORY_S:
        draws = draws[1:]
    return draws[-MAX_HISTORY:]
