"""What limits a charge point holds, and how it is made to hold one.

A running transaction is limited by its own profile, renewed with every wish. A connector without transaction draws
nothing; should one start, the charger's permanent fallback governs until the transaction's profile arrives. So a wish
for an idle connector is fulfilled without a word when it allows at least the fallback. One below the fallback is
written as a default profile above it, for long, because such profiles may wear the charger's flash.

Some chargers accept a transaction's profile and do not obey it. Told so (`LimitWish.reworded`), the next form of the
same limit is used for that connector from then on, until the charger restarts or has run through all of them. Beside
the usual form a default profile or the station's maximum never holds more than the fallback, so that it may stand for
long and is written only when it changes: what such a charger cannot be trusted to give back in time, it is not given.

`ACCEPTED` is said only when what the charger holds makes it true that it will draw no more than the wish.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

from ..conversation import LimitAnsweredLate, LimitWish, Outcome, Report, Terminals
from ..frames import ErrorCode, JsonObject
from ..protocols import Clock
from ..rpc import CallFailed, CallNotSent, CallRefused, Compose, Late
from ..times import ChargerClock
from . import requests
from .configuration import Configuration
from .profiles import (
    STATION_HELD_S,
    STATION_LEVEL,
    Form,
    ProfileAbilities,
    Wording,
    fallback_wordings,
    forms_of,
    in_unit,
    permanent_profile,
    profile_id,
    sendable_amps,
    start_wordings,
    station_profile,
    temporary_profile,
    transaction_wordings,
)
from .requests import Purpose, RateUnit

_LOGGER = logging.getLogger(__name__)

START_LIMIT_VALIDITY_S = 900.0
"""A limit below the fallback may hold longer than asked for: it only makes the charger draw less."""
WHOLE_LADDER_EVERY_S = 60.0
"""After a charger refused every wording only the best is tried again until then."""
TRANSACTION_TAKEN_IN_S = 1.0
"""After this a charger knows the id that its transaction was given."""
COMPOSITE_DURATION_S = 86400
EQUAL_A = 0.05
WORTH_WRITING_A = 1.0
"""What is kept beside a limit in another form is raised only by so much: it may wear the charger's flash."""

_REFUSALS = frozenset(
    {
        ErrorCode.NOT_IMPLEMENTED,
        ErrorCode.NOT_SUPPORTED,
        ErrorCode.PROTOCOL_ERROR,
        ErrorCode.SECURITY_ERROR,
        ErrorCode.FORMATION_VIOLATION,
        ErrorCode.PROPERTY_CONSTRAINT_VIOLATION,
        ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION,
        ErrorCode.TYPE_CONSTRAINT_VIOLATION,
        "FormatViolation",
        "OccurrenceConstraintViolation",
    }
)
"""CALLERRORs that stand for a no; after any other the limit may hold."""

type AskLimit = Callable[[int, Compose, Late], Awaitable[JsonObject]]
"""Sends SetChargingProfile for a connector before everything else. Raises CallFailed."""
type AskAnything = Callable[[str, JsonObject], Awaitable[JsonObject]]
"""Sends any other call. Raises CallFailed."""


@dataclass(slots=True, kw_only=True)
class _Ladder:
    """What was learned about wording one kind of limit."""

    taken: Wording | None = None
    taken_for: int | None = None
    """The transaction that `taken` was found for."""
    next_climb_at: float = 0.0

    def best_for(self, transaction_id: int | None) -> Wording | None:
        """Return the wording to begin with.

        A default profile in place of a transaction's own is written to flash each time, and the reason may have been
        that the charger did not know that transaction: the next one is worth a new trial.
        """
        makeshift = self.taken is not None and self.taken.purpose is Purpose.DEFAULT
        return None if makeshift and transaction_id != self.taken_for else self.taken


@dataclass(frozen=True, slots=True, kw_only=True)
class _StartLimit:
    """What a default profile, or the station's maximum, holds for long."""

    amps: float
    until: float

    def serves(self, amps: float, until: float) -> bool:
        """Return whether it need not be written anew for a limit beside which it stands."""
        return amps - WORTH_WRITING_A < self.amps <= amps + EQUAL_A and self.until > until


class Limits:
    """The limits of one charge point."""

    def __init__(
        self,
        *,
        ask_limit: AskLimit,
        ask: AskAnything,
        clock: Clock,
        charger_clock: ChargerClock,
        transaction_at: Callable[[int], int | None],
        busy: Callable[[int], bool],
        proved_phases: Callable[[int], int],
        report: Callable[[Report], None],
    ) -> None:
        """Set up without knowledge of the charger.

        Args:
            transaction_at: the id under which the transaction at a connector can be addressed.
            busy: whether the charger's own word for a connector means that a transaction runs.
        """
        self.configuration = Configuration()
        self.by_default_profile = False
        """A charger that ignores profiles of transactions is limited by default profiles only."""
        self.terminals: dict[int, Terminals] = {}
        self._ask_limit = ask_limit
        self._ask = ask
        self._clock = clock
        self._charger_clock = charger_clock
        self._transaction_at = transaction_at
        self._busy = busy
        self._proved_phases = proved_phases
        self._report = report
        self._fallbacks: dict[int, float] = {}
        self._start_limits: dict[int, _StartLimit] = {}
        self._ladders: dict[str, _Ladder] = {}
        self._unit: RateUnit | None = None
        """In which it took a profile: what it refuses in this unit it refuses for another reason, such as a transaction
        that it does not know of yet."""
        self._limited: dict[int, int] = {}
        """Connector → transaction that took a profile of its own."""
        self._awaited: dict[int, int | None] = {}
        """Connector → transaction for which a refusal was once taken for haste."""
        self._newest: dict[int, LimitWish] = {}
        self._forms: dict[int, Form] = {}
        """Connector → form in use, where it is not the usual one."""
        self._station_limits: dict[int, _StartLimit] = {}

    def forget(self) -> None:
        """The charger restarted: what it holds and how it takes it has to be found out again."""
        self._fallbacks.clear()
        self._start_limits.clear()
        self._ladders.clear()
        self._unit = None
        self._limited.clear()
        self._awaited.clear()
        self._forms.clear()
        self._station_limits.clear()

    def form_of(self, connector: int) -> Form:
        """Return the form in which a running transaction is limited."""
        return self._forms.get(connector, Form.USUAL)

    def of(self, connector: int) -> Terminals:
        """Return what is known of a connector."""
        return self.terminals.get(connector) or Terminals(connector=connector)

    async def hold(self, connector: int, wish: LimitWish) -> Outcome:
        """Make a connector draw no more than a wish allows."""
        if not self._clock.synchronised():
            return Outcome.NOT_SENT
        self._newest[connector] = wish
        transaction_id = self._transaction_at(connector)
        if transaction_id is not None:
            if wish.reworded:
                await self._next_form(connector)
            return await self._limit_in_form(connector, wish, transaction_id)
        if self.by_default_profile:
            wordings = start_wordings(self._abilities)
            return await self._climb("default", connector, wordings, asked=wish, worded=wish)
        return await self._limit_idle(connector, wish)

    async def store_fallback(self, connector: int, fallback_a: float) -> Outcome:
        """Write the permanent fallback unless the charger is known or found to hold it."""
        amps = sendable_amps(fallback_a, self.of(connector))
        if self._fallbacks.get(connector) == amps:
            return Outcome.ACCEPTED
        if self._transaction_at(connector) is None and await self._shows(connector, amps):
            self._fallbacks[connector] = amps
            return Outcome.ACCEPTED
        self._fallbacks.pop(connector, None)
        outcome = Outcome.REFUSED
        for wording in fallback_wordings(self._abilities):
            profile = permanent_profile(amps, wording, self.of(connector))
            outcome = await self._send_fallback(requests.set_charging_profile(connector, profile))
            if outcome is Outcome.ACCEPTED:
                self._unit = wording.unit
                self._fallbacks[connector] = amps
            if outcome is not Outcome.REFUSED:
                break
        return outcome

    @property
    def _abilities(self) -> ProfileAbilities:
        return self.configuration.abilities

    # -- forms --------------------------------------------------------------------------------------------------------

    async def _limit_in_form(self, connector: int, wish: LimitWish, transaction_id: int) -> Outcome:
        """Limit a transaction in the form in use, or in the first one after it that the charger does not refuse."""
        while (form := self.form_of(connector)) is not Form.USUAL:
            if form is Form.OTHER_UNIT:
                outcome = beside = await self._limit_in_other_unit(connector, wish, transaction_id)
            else:
                outcome = await self._limit_transaction(connector, wish, transaction_id)
                if outcome is not Outcome.ACCEPTED:
                    return outcome
                by = self._hold_default if form is Form.DEFAULT else self._hold_station
                beside = await by(connector, wish, transaction_id)
            if beside is not Outcome.REFUSED:
                return outcome
            await self._next_form(connector)
        return await self._limit_transaction(connector, wish, transaction_id)

    async def _next_form(self, connector: int) -> None:
        forms = forms_of(
            self._abilities, connectors=self.configuration.connectors, by_default_profile=self.by_default_profile
        )
        before = self.form_of(connector)
        place = forms.index(before) + 1 if before in forms else len(forms)
        if place < len(forms):
            self._forms[connector] = forms[place]
        else:
            self._forms.pop(connector, None)
        _LOGGER.info(
            "Limits of connector %d were not obeyed in the form %s: now in the form %s",
            connector,
            before,
            self.form_of(connector),
        )
        if self._station_limits.pop(connector, None) is not None:
            await self._release_station(connector)

    async def _limit_in_other_unit(self, connector: int, wish: LimitWish, transaction_id: int) -> Outcome:
        usual = self._unit or self._abilities.units[0]
        wordings = tuple(
            wording
            for wording in transaction_wordings(self._abilities)
            if wording.purpose is Purpose.TRANSACTION and wording.unit is not usual
        )
        return await self._climb(
            "other unit", connector, wordings, asked=wish, worded=wish, transaction_id=transaction_id, any_unit=True
        )

    async def _hold_default(self, connector: int, wish: LimitWish, transaction_id: int) -> Outcome:
        """Keep a default profile beside the one of the transaction."""
        long_wish = self._for_long(connector, wish)
        held, now = self._start_limits.get(connector), self._clock.monotonic()
        if held is not None and held.serves(long_wish.amps, now + wish.validity_s):
            return Outcome.ACCEPTED
        outcome = await self._climb(
            "default",
            connector,
            start_wordings(self._abilities),
            asked=wish,
            worded=long_wish,
            transaction_id=transaction_id,
        )
        if outcome is Outcome.ACCEPTED:
            self._start_limits[connector] = self._held(long_wish, now)
        return outcome

    async def _hold_station(self, connector: int, wish: LimitWish, _transaction_id: int) -> Outcome:
        """Keep a maximum of the station beside the profile of the transaction."""
        long_wish = self._for_long(connector, wish)
        held, now = self._station_limits.get(connector), self._clock.monotonic()
        if held is not None and held.serves(long_wish.amps, now + wish.validity_s):
            return Outcome.ACCEPTED
        unit, terminals = self._unit or self._abilities.units[0], self.of(connector)

        def compose() -> JsonObject:
            profile = station_profile(
                long_wish.amps,
                long_wish.fallback_a,
                unit,
                terminals,
                held_s=long_wish.validity_s,
                now=self._clock.time(),
                offset=self._charger_clock.offset,
            )
            return requests.set_charging_profile(0, profile)

        outcome = await _outcome_of(self._ask_limit(0, compose, _nothing_depends_on_it))
        if outcome is Outcome.ACCEPTED:
            kept = self._held(long_wish, now)
            self._station_limits[connector] = replace(kept, until=min(kept.until, now + STATION_HELD_S / 2))
        return outcome

    async def _release_station(self, connector: int) -> None:
        wording = Wording(purpose=Purpose.STATION_MAXIMUM, level=STATION_LEVEL, unit=RateUnit.AMPS)
        try:
            await self._ask("ClearChargingProfile", requests.clear_charging_profile(profile_id(connector, wording)))
        except CallFailed:
            _LOGGER.info("The maximum of a charge point could not be taken back; it ends by itself within a day")

    def _for_long(self, connector: int, wish: LimitWish) -> LimitWish:
        """Return what may stand beside a limit for long: never more than the fallback."""
        terminals = self.of(connector)
        stored = self._fallbacks.get(connector)
        below = stored if stored is not None else sendable_amps(wish.fallback_a, terminals)
        amps = min(sendable_amps(wish.amps, terminals), below)
        return LimitWish(amps=amps, fallback_a=below, validity_s=max(START_LIMIT_VALIDITY_S, wish.validity_s))

    @staticmethod
    def _held(wish: LimitWish, now: float) -> _StartLimit:
        lasts_s = math.inf if wish.amps == wish.fallback_a else wish.validity_s / 2
        return _StartLimit(amps=wish.amps, until=now + lasts_s)

    # -- wordings -----------------------------------------------------------------------------------------------------

    async def _limit_transaction(self, connector: int, wish: LimitWish, transaction_id: int) -> Outcome:
        wordings: Iterable[Wording] = transaction_wordings(self._abilities, by_default_profile=self.by_default_profile)
        if self._limited.get(connector) == transaction_id:
            # Its own profile would overrule a default one.
            wordings = [wording for wording in wordings if wording.purpose is Purpose.TRANSACTION]
        return await self._climb(
            "transaction", connector, tuple(wordings), asked=wish, worded=wish, transaction_id=transaction_id
        )

    async def _limit_idle(self, connector: int, wish: LimitWish) -> Outcome:
        terminals = self.of(connector)
        amps = sendable_amps(wish.amps, terminals)
        fallback_a = self._fallbacks.get(connector)
        # A transaction whose id nobody told may still go by a profile of its own: nothing can be proved then.
        done = Outcome.UNKNOWN if self._busy(connector) else Outcome.ACCEPTED
        if fallback_a is not None and fallback_a <= amps + EQUAL_A:
            return done
        now = self._clock.monotonic()
        held = self._start_limits.get(connector)
        if held is not None and held.amps <= amps + EQUAL_A and held.until - now > wish.validity_s:
            return done
        # A start needs no more than the fallback: the wish itself follows with the transaction.
        long_wish = self._for_long(connector, wish)
        outcome = await self._climb("default", connector, start_wordings(self._abilities), asked=wish, worded=long_wish)
        if outcome is Outcome.ACCEPTED:
            self._start_limits[connector] = _StartLimit(amps=long_wish.amps, until=now + long_wish.validity_s / 2)
        elif outcome is Outcome.UNKNOWN:
            self._start_limits.pop(connector, None)
        return done if outcome is Outcome.ACCEPTED else outcome

    async def _climb(
        self,
        use: str,
        connector: int,
        wordings: tuple[Wording, ...],
        *,
        asked: LimitWish,
        worded: LimitWish,
        transaction_id: int | None = None,
        any_unit: bool = False,
    ) -> Outcome:
        """Try the wordings, the one that was taken before first, until one is not refused.

        Args:
            use: what they are for: what is learned is learned for it.
            asked: the wish that came; once a newer one has come this one is dropped.
            worded: the limit to write for it.
            transaction_id: that the limit is for; once it has ended the limit is pointless.
            any_unit: other units than the one that was taken are worth trying too, and nothing is learned of that.
        """
        ladder = self._ladders.setdefault(use, _Ladder())
        now = self._clock.monotonic()
        speakable = [wording for wording in wordings if any_unit or self._unit in {None, wording.unit}]
        ways = sorted(speakable, key=lambda wording: wording != ladder.best_for(transaction_id))
        if ladder.next_climb_at > now:
            ways = ways[:1]
        remaining = deque(ways)
        while remaining:
            if self._transaction_at(connector) != transaction_id or self._newest.get(connector) is not asked:
                return Outcome.NOT_SENT
            wording = remaining[0]
            outcome = await self._send_limit(connector, worded, wording, transaction_id)
            if outcome is Outcome.REFUSED:
                if wording.purpose is Purpose.TRANSACTION and self._awaited.get(connector) != transaction_id:
                    # It may not have taken in yet that we answered its start: no reason to word the limit otherwise.
                    self._awaited[connector] = transaction_id
                    await asyncio.sleep(TRANSACTION_TAKEN_IN_S)
                else:
                    remaining.popleft()
                continue
            if outcome is Outcome.ACCEPTED:
                self._unit = self._unit if any_unit else wording.unit
                ladder.taken, ladder.taken_for = wording, transaction_id
                ladder.next_climb_at = 0.0
                if wording.purpose is Purpose.TRANSACTION and transaction_id is not None:
                    self._limited[connector] = transaction_id
                elif wording.purpose is Purpose.DEFAULT:
                    self._start_limits.pop(connector, None)
            return outcome
        if ladder.next_climb_at <= now:
            ladder.next_climb_at = now + WHOLE_LADDER_EVERY_S
        return Outcome.REFUSED

    async def _send_limit(
        self, connector: int, wish: LimitWish, wording: Wording, transaction_id: int | None
    ) -> Outcome:
        terminals = self.of(connector)
        compose = partial(self._worded, wish, wording, terminals, transaction_id)
        late = partial(self._answered_late, wish, terminals)
        return await _outcome_of(self._ask_limit(connector, compose, late))

    def _worded(
        self, wish: LimitWish, wording: Wording, terminals: Terminals, transaction_id: int | None
    ) -> JsonObject:
        profile = temporary_profile(
            wish,
            wording,
            terminals,
            now=self._clock.time(),
            offset=self._charger_clock.offset,
            proved_phases=self._proved_phases(terminals.connector),
            transaction_id=transaction_id,
        )
        return requests.set_charging_profile(terminals.connector, profile)

    def _answered_late(self, wish: LimitWish, terminals: Terminals, answer: JsonObject | None) -> None:
        accepted = answer is not None and _outcome(answer) is Outcome.ACCEPTED
        limit_a = sendable_amps(wish.amps, terminals)
        self._report(LimitAnsweredLate(connector=terminals.connector, limit_a=limit_a, accepted=accepted))

    async def _send_fallback(self, payload: JsonObject) -> Outcome:
        return await _outcome_of(self._ask("SetChargingProfile", payload))

    async def _shows(self, connector: int, amps: float) -> bool:
        """Return whether the charger says that it holds the fallback already, which spares its flash."""
        unit = self._abilities.units[0]
        try:
            answer = await self._ask(
                "GetCompositeSchedule", requests.get_composite_schedule(connector, COMPOSITE_DURATION_S, unit)
            )
        except CallFailed:
            return False
        schedule = answer.get("chargingSchedule")
        if answer.get("status") != "Accepted" or not isinstance(schedule, dict):
            return False
        periods = schedule.get("chargingSchedulePeriod")
        if schedule.get("chargingRateUnit") != unit.value or not isinstance(periods, list) or not periods:
            return False
        expected = in_unit(amps, unit, proved_phases=1)
        tolerance = EQUAL_A if unit is RateUnit.AMPS else EQUAL_A * 230
        limits = [period.get("limit") if isinstance(period, dict) else None for period in periods]
        shown = all(isinstance(limit, int | float) and abs(limit - expected) <= tolerance for limit in limits)
        if shown:
            self._unit = unit
        return shown


def _nothing_depends_on_it(_answer: JsonObject | None) -> None:
    """A late answer to what only stands beside a limit changes nothing."""


async def _outcome_of(answer: Awaitable[JsonObject]) -> Outcome:
    """Wait for the answer to a profile and return what became of it."""
    try:
        return _outcome(await answer)
    except CallRefused as refusal:
        return Outcome.REFUSED if refusal.code in _REFUSALS else Outcome.UNKNOWN
    except CallNotSent:
        return Outcome.NOT_SENT
    except CallFailed:
        return Outcome.UNKNOWN


def _outcome(answer: JsonObject) -> Outcome:
    match answer.get("status"):
        case "Accepted":
            return Outcome.ACCEPTED
        case "Rejected" | "NotSupported":
            return Outcome.REFUSED
    return Outcome.UNKNOWN
