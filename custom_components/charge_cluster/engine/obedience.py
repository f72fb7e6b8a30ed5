"""Does a charger keep the limits that it accepted, and what is done about one that does not?

A charger that draws more than it accepted is *suspected* from the first measurement on that shows it: it counts at
what it draws, is asked for its minimum, and the others pay. Some chargers take a limit in one form and obey it in
another, so the same limit is then ordered in *another form*. What is still drawn too much after that is a case for a
person: it *ignores* its limits. Measurements alone decide, and one within the limit ends the matter at any time.

The one idea: a single measurement is enough to notice. The first one that is taken after the car had its time to follow
(15 s) comes within 30 s, or within two of the charger's own sample intervals where those are longer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from statistics import median

from . import guard
from .guard import CAR_SETTLING_S, DrawBound, Order
from .model import Connector

NOTICED_WITHIN_S = 30.0
"""Disobedience is noticed within this time or two sample intervals, whichever is longer."""

SHORTEST_INTERVAL_S = 1.0
LONGEST_INTERVAL_S = 300.0
INTERVALS_LOOKED_AT = 5

CONFIRMED_AFTER_S = 5.0
"""A charger's measurement may be a mean over some time before: so long is waited for before a limit is reworded."""

MOST_FORMS = 3
"""So many other forms are tried before a charger is left alone: all that one can have."""

FORGIVEN_AFTER_S = 600.0
"""Who has obeyed for so long gets all trials again; sooner, one that obeys now and then would be tried for ever."""


class LimitForm(StrEnum):
    """How a limit is worded."""

    USUAL = "usual"
    """As the charger takes it, in the form that was used last."""
    OTHER = "other"
    """In the next form that the charger can do: it did not obey the last one."""


class Obedience(StrEnum):
    """What is known of a charger's obedience."""

    OBEYS = "obeys"
    SUSPECTED = "suspected"
    """It was seen to draw more than it accepted."""
    OTHER_FORM = "other_form"
    """The limit was ordered in another form, and it is not yet seen whether that helps."""
    IGNORES = "ignores"
    """Another form did not help, or could not be tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """What is remembered of the obedience of one connector during a session."""

    state: Obedience = Obedience.OBEYS
    since: float | None = None
    """When the first measurement above the limit was taken (monotonic)."""
    seen_at: float = float("-inf")
    """When the newest of them was taken."""
    forms: int = 0
    """Other forms that were tried."""
    trial_at: float | None = None
    """When another form was ordered whose effect is not known yet."""
    answered_at: float | None = None
    """When that order was found answered."""
    obeyed_at: float = float("-inf")
    """When it was last seen to obey after all."""

    @property
    def in_doubt(self) -> bool:
        """Return whether it counts at what it draws."""
        return self.state is not Obedience.OBEYS


FAITHFUL = Conduct()


def sample_interval_s(bound: DrawBound) -> float | None:
    """Return the time between measurements of a charger; None: not known yet."""
    newest = bound.draws[-INTERVALS_LOOKED_AT - 1 :]
    gaps = [later.at - earlier.at for earlier, later in pairwise(newest)]
    return min(max(median(gaps), SHORTEST_INTERVAL_S), LONGEST_INTERVAL_S) if gaps else None


def noticed_within_s(bound: DrawBound) -> float:
    """Return the time within which disobedience is noticed, from the answer to a limit on."""
    interval = sample_interval_s(bound)
    delay = bound.follows_within_s - CAR_SETTLING_S
    return delay + max(NOTICED_WITHIN_S, 2 * (LONGEST_INTERVAL_S if interval is None else interval))


def judge(conduct: Conduct, bound: DrawBound, now: float) -> Conduct:
    """Return what is known of a charger's obedience by its newest measurement."""
    obeys = guard.obeys(bound)
    if obeys:
        return _acquitted(conduct, now)
    if obeys is False and bound.draws[-1].at > conduct.seen_at:
        conduct = _caught(conduct, bound.draws[-1].at)
    if conduct.trial_at is not None:
        conduct = _tried(conduct, bound, conduct.trial_at, exceeds=obeys is False, now=now)
    if conduct.state is Obedience.SUSPECTED and conduct.forms >= MOST_FORMS:
        return replace(conduct, state=Obedience.IGNORES)
    return conduct


def wants_other_form(conduct: Conduct, bound: DrawBound) -> bool:
    """Return whether the limit has to be ordered in another form now."""
    if conduct.trial_at is not None or conduct.forms >= MOST_FORMS or bound.in_flight or not bound.draws:
        return False
    if conduct.state is Obedience.SUSPECTED:
        return _is_confirmed(conduct, bound)
    return conduct.state is Obedience.IGNORES


def by_measurements(bound: DrawBound, connector: Connector, now: float) -> DrawBound:
    """Return the bound of one in doubt as far as its measurements alone tell of what flowed: orders tell nothing.

    One that still rises may have reached its hardware's maximum since. What a meter shows of that is no base load. One
    that is not heard of any more may have stopped: whoever sees it draw sees a base load then.
    """
    newest = bound.draws[-1]
    orders = () if bound.unseen_since is None else (Order(bound.unseen_since, 0.0),)
    rises = len(bound.draws) == 1 or max(newest.amps) > max(bound.draws[-2].amps) + guard.MEASURING_TOLERANCE_A
    if rises and now < newest.at + bound.follows_within_s:
        return replace(bound, orders=orders, helds=(), held_a=connector.maximum_a)
    return replace(bound, orders=orders)


def ordered_otherwise(conduct: Conduct, now: float) -> Conduct:
    """Return the memory after the limit was ordered in another form."""
    state = Obedience.OTHER_FORM if conduct.state is Obedience.SUSPECTED else conduct.state
    return replace(conduct, state=state, forms=conduct.forms + 1, trial_at=now, answered_at=None)


def _acquitted(conduct: Conduct, now: float) -> Conduct:
    if conduct.in_doubt:
        return Conduct(forms=conduct.forms, obeyed_at=now)
    forgiven = conduct is not FAITHFUL and now - conduct.obeyed_at >= FORGIVEN_AFTER_S
    return FAITHFUL if forgiven else conduct


def _caught(conduct: Conduct, at: float) -> Conduct:
    return replace(
        conduct,
        state=conduct.state if conduct.in_doubt else Obedience.SUSPECTED,
        since=at if conduct.since is None else conduct.since,
        seen_at=at,
    )


def _tried(conduct: Conduct, bound: DrawBound, trial_at: float, *, exceeds: bool, now: float) -> Conduct:
    """Return the memory by what is seen of another form: a car needs its time to follow that as well."""
    answered_at = conduct.answered_at
    if answered_at is None and not bound.in_flight:
        answered_at = now
        conduct = replace(conduct, answered_at=now)
    if not exceeds:
        return conduct
    follows_s = bound.follows_within_s
    failed = answered_at is not None and bound.draws[-1].at >= answered_at + follows_s
    if failed or now >= trial_at + follows_s + noticed_within_s(bound):
        return replace(conduct, state=Obedience.IGNORES, trial_at=None)
    return conduct


def _is_confirmed(conduct: Conduct, bound: DrawBound) -> bool:
    """Return whether it lasts; measurements that come seldom are believed at once."""
    interval = sample_interval_s(bound)
    frequent = interval is not None and interval <= CAR_SETTLING_S
    return not frequent or (conduct.since is not None and conduct.seen_at >= conduct.since + CONFIRMED_AFTER_S)
