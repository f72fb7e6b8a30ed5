"""What limits a charge point holds, and how it is made to hold one.

A running transaction is limited by its own profile, renewed with every wish. A connector without transaction draws
nothing; should one start, the charger's permanent fallback governs until the transaction's profile arrives. So a wish
for an idle connector is fulfilled without a word when it allows at least the fallback. One below the fallback is
written as a default profile above it, for long, because such profiles may wear the charger's flash.

Some chargers accept a transaction's profile and do not obey it. Told so (`LimitWish.reworded`), the next form of the
same limit is used for that connector from then on, until the charger restarts or has run through all of them. Beside
the usual form a default profile or the station's maximum never holds more than the fallback, so that it may stand for
long and is written only when it changes: what such a charger cannot be trusted to give back in time, it is not given.

What somebody else wrote could govern instead, see `ocpp.rivals`: while it does the fallback is not said to be held.

`ACCEPTED` is said only when what the charger holds makes it true that it will draw no more than the wish.

Versions of OCPP differ in spelling alone: that is left to a `ProfileDialect`.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

from .conversation import LimitAnsweredLate, LimitWish, Outcome, ProfileWrites, Report, Terminals
from .experience import ABLE, NO_EXPERIENCE, UNABLE, Experience, Topic
from .frames import ErrorCode, JsonObject
from .profiles import (
    OWN_IDS,
    STATION_HELD_S,
    STATION_LEVEL,
    Ending,
    Form,
    ProfileAbilities,
    ProfileDialect,
    Purpose,
    RateUnit,
    TransactionKey,
    Wording,
    fallback_wordings,
    forms_of,
    in_unit,
    later_profile,
    permanent_profile,
    profile_id,
    sendable_amps,
    start_wordings,
    station_profile,
    temporary_profile,
    transaction_wordings,
)
from .protocols import Clock
from .quirks import Quirk, begun_with
from .rivals import ReadHeld, Rivals
from .rpc import Ask, CallFailed, CallNotSent, CallRefused, Compose, Late
from .times import ChargerClock
from .voltages import NOMINAL_V

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


@dataclass(slots=True, kw_only=True)
class _Ladder:
    """What was learned about wording one kind of limit."""

    taken: Wording | None = None
    taken_for: TransactionKey | None = None
    """The transaction that `taken` was found for."""
    next_climb_at: float = 0.0

    def best_for(self, transaction: TransactionKey | None) -> Wording | None:
        """Return the wording to begin with.

        A default profile in place of a transaction's own is written to flash each time, and the reason may have been
        that the charger did not know that transaction: the next one is worth a new trial.
        """
        makeshift = self.taken is not None and self.taken.purpose is Purpose.DEFAULT
        return None if makeshift and transaction != self.taken_for else self.taken


@dataclass(frozen=True, slots=True, kw_only=True)
class _StartLimit:
    """What a default profile, or the station's maximum, holds for long."""

    amps: float
    until: float
    ends_a: float
    """What it passes into then."""

    def serves(self, amps: float, until: float) -> bool:
        """Return whether it need not be written anew for a limit beside which it stands."""
        return amps - WORTH_WRITING_A < self.amps <= amps + EQUAL_A and self.until > until


class Limits:
    """The limits of one charge point."""

    def __init__(
        self,
        *,
        dialect: ProfileDialect,
        ask_limit: AskLimit,
        ask: Ask,
        clock: Clock,
        charger_clock: ChargerClock,
        transaction_at: Callable[[int], TransactionKey | None],
        busy: Callable[[int], bool],
        proved_phases: Callable[[int], int],
        forget_phases: Callable[[int], None],
        report: Callable[[Report], None],
        read_held: ReadHeld | None = None,
        supplied_phases: Callable[[int], int | None] = lambda _: None,
        quirks: Callable[[], frozenset[Quirk]] = frozenset,
        experience: Experience = NO_EXPERIENCE,
    ) -> None:
        """Set up without knowledge of the charger.

        Args:
            dialect: how profiles are spelled for this charge point, and what it says that it can do with them.
            transaction_at: the id under which the transaction at a connector can be addressed.
            busy: whether the charger's own word for a connector means that a transaction runs.
            proved_phases: on so many phases the vehicle at a connector was measured to draw.
            forget_phases: told that what was measured of that does not hold any more.
            read_held: asks what the charger holds; None: there is no way to ask.
            supplied_phases: on so many phases the charger says that a connector is fed; None: it does not say.
            quirks: what its make is known for.
            experience: which wordings chargers of its model took.
        """
        self.by_default_profile = False
        """A charger that ignores profiles of transactions is limited by default profiles only."""
        self.terminals: dict[int, Terminals] = {}
        self._dialect = dialect
        self._ask_limit = ask_limit
        self._ask = ask
        self._clock = clock
        self._charger_clock = charger_clock
        self._transaction_at = transaction_at
        self._busy = busy
        self._proved_phases = proved_phases
        self._forget_phases = forget_phases
        self._report = report
        self._writes: dict[int, ProfileWrites] = {}
        self._fallbacks: dict[int, float] = {}
        self._start_limits: dict[int, _StartLimit] = {}
        self._ladders: dict[str, _Ladder] = {}
        self._unit: RateUnit | None = None
        """In which it took a profile: what it refuses in this unit it refuses for another reason, such as a transaction
        that it does not know of yet."""
        self._limited: dict[int, TransactionKey] = {}
        """Connector → transaction that took a profile of its own."""
        self._awaited: dict[int, TransactionKey | None] = {}
        """Connector → transaction for which a refusal was once taken for haste."""
        self._newest: dict[int, LimitWish] = {}
        self._forms: dict[int, Form] = {}
        """Connector → form in use, where it is not the usual one."""
        self._station_limits: dict[int, _StartLimit] = {}
        self._refuses_plans = False
        """Whether it refused a limit with a plan behind it and took the same one without."""
        self._supplied_phases = supplied_phases
        self._quirks = quirks
        self._experience = experience
        self._is_unlike_its_make = False
        """Whether it refused every wording that its make is known to take."""
        first = dialect.wire_id(OWN_IDS.start)
        self.rivals = Rivals(
            read_held, take_out=self._clear, own=range(first, first + len(OWN_IDS)), now=self._now_at_the_charger
        )
        """What others wrote that could govern in place of ours."""

    def look_again(self) -> None:
        """The connection is a new one: somebody else may have written to the charger meanwhile."""
        self.rivals.look_again()

    def _now_at_the_charger(self) -> float:
        return self._clock.time() + self._charger_clock.offset.offset_s

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
        self._refuses_plans = False
        self._is_unlike_its_make = False
        self.rivals.forget()

    def form_of(self, connector: int) -> Form:
        """Return the form in which a running transaction is limited."""
        return self._forms.get(connector, Form.USUAL)

    @property
    def kept_at_fallback(self) -> bool:
        """Return whether nobody is given more than the fallback here, since no limit would end by itself."""
        ladder = self._ladders.get("transaction")
        taken = ladder.taken if ladder is not None else None
        return taken is not None and taken.ending is Ending.NEVER

    def of(self, connector: int) -> Terminals:
        """Return what is known of a connector."""
        return self.terminals.get(connector) or Terminals(connector=connector)

    def _spoken_of(self, connector: int) -> Terminals:
        """Return a connector as its profiles speak of it: one that is fed on fewer phases may refuse more of them.

        What is measured goes by the configuration all the same: a charger that is wrong about itself draws on all.
        """
        terminals = self.of(connector)
        supplied = self._supplied_phases(connector)
        return terminals if supplied is None else replace(terminals, phases=min(terminals.phases, supplied))

    async def hold(self, connector: int, wish: LimitWish) -> Outcome:
        """Make a connector draw no more than a wish allows."""
        if not self._clock.synchronised():
            return Outcome.NOT_SENT
        self._newest[connector] = wish
        if wish.phases is not None:
            # It may draw on fewer phases from here on, also for a while after it is told to use all again.
            self._forget_phases(connector)
        transaction = self._transaction_at(connector)
        if transaction is not None:
            if wish.reworded:
                await self._next_form(connector)
            outcome = await self._limit_in_form(connector, wish, transaction)
            overruled = outcome is Outcome.ACCEPTED and self.rivals.overrule_transaction(connector, transaction)
            return Outcome.UNKNOWN if overruled else outcome
        if self.by_default_profile:
            wordings = start_wordings(self._abilities)
            return await self._climb("default", connector, wordings, asked=wish, worded=wish)
        return await self._limit_idle(connector, wish)

    async def store_fallback(self, connector: int, fallback_a: float) -> Outcome:
        """Make the fallback govern a connector by itself: write it unless the charger is known or found to hold it."""
        amps = sendable_amps(fallback_a, self.of(connector))
        await self.rivals.look()
        outcome = await self._store(connector, amps)
        if not self.rivals.at(connector) or outcome not in {Outcome.ACCEPTED, Outcome.REFUSED}:
            return outcome
        # A charger may refuse a second profile on the level of one that it has.
        await self.rivals.oust(connector)
        if outcome is Outcome.REFUSED:
            outcome = await self._store(connector, amps)
        exceeded = self.rivals.exceed(connector, amps, maximum_a=self.of(connector).maximum_a)
        return Outcome.REFUSED if exceeded and outcome is Outcome.ACCEPTED else outcome

    async def _store(self, connector: int, amps: float) -> Outcome:
        if self._fallbacks.get(connector) == amps:
            return Outcome.ACCEPTED
        if self._transaction_at(connector) is None and await self._shows(connector, amps):
            self._fallbacks[connector] = amps
            return Outcome.ACCEPTED
        self._fallbacks.pop(connector, None)
        outcome = Outcome.REFUSED
        for wording in fallback_wordings(self._abilities):
            profile = permanent_profile(amps, wording, self._spoken_of(connector))
            self._count(connector, wording.purpose)
            outcome = await self._send_fallback(self._dialect.set_profile(connector, profile))
            if outcome is Outcome.ACCEPTED:
                self._unit = wording.unit
                outcome = await self._lower_start(connector, amps)
            if outcome is Outcome.ACCEPTED:
                self._fallbacks[connector] = amps
            if outcome is not Outcome.REFUSED:
                break
        return outcome

    async def _lower_start(self, connector: int, amps: float) -> Outcome:
        """Take out what holds an idle connector below a fallback of before: that one may be above the new one.

        It lies above the fallback and passes into the one that counted when it was written, perhaps in an earlier life
        of ours.
        """
        held, transaction = self._start_limits.get(connector), self._transaction_at(connector)
        if held is not None and held.ends_a <= amps + EQUAL_A:
            return Outcome.ACCEPTED
        if transaction is not None and self._limited.get(connector) != transaction:
            # That may be what limits it now; the next renewal ends in the new fallback.
            return Outcome.ACCEPTED
        if not (wordings := start_wordings(self._abilities)):
            return Outcome.ACCEPTED
        self._start_limits.pop(connector, None)
        outcome = await self._clear(self._dialect.wire_id(profile_id(connector, wordings[0])))
        if outcome is not Outcome.REFUSED:
            return outcome
        now = self._clock.monotonic()
        in_its_place = LimitWish(amps=amps, fallback_a=amps, validity_s=START_LIMIT_VALIDITY_S)
        for wording in wordings:
            outcome = await self._send_limit(connector, in_its_place, wording, transaction)
            if outcome is Outcome.ACCEPTED:
                self._start_limits[connector] = self._held(in_its_place, now)
            if outcome is not Outcome.REFUSED:
                return outcome
        # It takes no profile on that level, so that it cannot have one there.
        return Outcome.ACCEPTED

    async def _clear(self, wire_id: int) -> Outcome:
        """Take a profile out; one that is not there is out as well."""
        try:
            answer = await self._ask("ClearChargingProfile", self._dialect.clear_profile(wire_id))
        except CallRefused:
            return Outcome.REFUSED
        except CallFailed:
            return Outcome.UNKNOWN
        return Outcome.ACCEPTED if answer.get("status") in ("Accepted", "Unknown") else Outcome.REFUSED

    @property
    def _abilities(self) -> ProfileAbilities:
        said, quirks = self._dialect.abilities, self._quirks()
        return begun_with(said, quirks) if quirks and not self._is_unlike_its_make else said

    # -- forms --------------------------------------------------------------------------------------------------------

    async def _limit_in_form(self, connector: int, wish: LimitWish, transaction: TransactionKey) -> Outcome:
        """Limit a transaction in the form in use, or in the first one after it that the charger does not refuse."""
        while (form := self.form_of(connector)) is not Form.USUAL:
            if form is Form.OTHER_UNIT:
                outcome = beside = await self._limit_in_other_unit(connector, wish, transaction)
            else:
                outcome = await self._limit_transaction(connector, wish, transaction)
                if outcome is not Outcome.ACCEPTED:
                    return outcome
                by = self._hold_default if form is Form.DEFAULT else self._hold_station
                beside = await by(connector, wish, transaction)
            if beside is not Outcome.REFUSED:
                return outcome
            await self._next_form(connector)
        return await self._limit_transaction(connector, wish, transaction)

    async def _next_form(self, connector: int) -> None:
        forms = forms_of(
            self._abilities, connectors=self._dialect.connectors, by_default_profile=self.by_default_profile
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

    async def _limit_in_other_unit(self, connector: int, wish: LimitWish, transaction: TransactionKey) -> Outcome:
        usual = self._unit or self._abilities.units[0]
        wordings = tuple(
            wording
            for wording in transaction_wordings(self._abilities)
            if wording.purpose is Purpose.TRANSACTION and wording.unit is not usual
        )
        return await self._climb(
            "other unit", connector, wordings, asked=wish, worded=wish, transaction=transaction, any_unit=True
        )

    async def _hold_default(self, connector: int, wish: LimitWish, transaction: TransactionKey) -> Outcome:
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
            transaction=transaction,
        )
        if outcome is Outcome.ACCEPTED:
            self._start_limits[connector] = self._held(long_wish, now)
        return outcome

    async def _hold_station(self, connector: int, wish: LimitWish, _transaction: TransactionKey) -> Outcome:
        """Keep a maximum of the station beside the profile of the transaction."""
        long_wish = self._for_long(connector, wish)
        held, now = self._station_limits.get(connector), self._clock.monotonic()
        if held is not None and held.serves(long_wish.amps, now + wish.validity_s):
            return Outcome.ACCEPTED
        unit, terminals = self._unit or self._abilities.units[0], self._spoken_of(connector)

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
            self._count(connector, Purpose.STATION_MAXIMUM)
            return self._dialect.set_profile(0, profile)

        outcome = await _outcome_of(self._ask_limit(0, compose, _nothing_depends_on_it))
        if outcome is Outcome.ACCEPTED:
            kept = self._held(long_wish, now)
            self._station_limits[connector] = replace(kept, until=min(kept.until, now + STATION_HELD_S / 2))
        return outcome

    async def _release_station(self, connector: int) -> None:
        wording = Wording(purpose=Purpose.STATION_MAXIMUM, level=STATION_LEVEL, unit=RateUnit.AMPS)
        if await self._clear(self._dialect.wire_id(profile_id(connector, wording))) is not Outcome.ACCEPTED:
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
        return _StartLimit(amps=wish.amps, until=now + lasts_s, ends_a=wish.fallback_a)

    # -- wordings -----------------------------------------------------------------------------------------------------

    async def _limit_transaction(self, connector: int, wish: LimitWish, transaction: TransactionKey) -> Outcome:
        wordings: Iterable[Wording] = transaction_wordings(self._abilities, by_default_profile=self.by_default_profile)
        if self._limited.get(connector) == transaction:
            # Its own profile would overrule a default one.
            wordings = [wording for wording in wordings if wording.purpose is Purpose.TRANSACTION]
        return await self._climb(
            "transaction", connector, tuple(wordings), asked=wish, worded=wish, transaction=transaction
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
            self._start_limits[connector] = _StartLimit(
                amps=long_wish.amps, until=now + long_wish.validity_s / 2, ends_a=long_wish.fallback_a
            )
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
        transaction: TransactionKey | None = None,
        any_unit: bool = False,
    ) -> Outcome:
        """Try the wordings, the one that was taken before first, until one is not refused.

        Args:
            use: what they are for: what is learned is learned for it.
            asked: the wish that came; once a newer one has come this one is dropped.
            worded: the limit to write for it.
            transaction: that the limit is for; once it has ended the limit is pointless.
            any_unit: other units than the one that was taken are worth trying too, and nothing is learned of that.
        """
        ladder = self._ladders.setdefault(use, _Ladder())
        now = self._clock.monotonic()
        speakable = [wording for wording in wordings if any_unit or self._unit in {None, wording.unit}]
        best = ladder.best_for(transaction) or (None if ladder.taken else self._experience.first(use))
        ways = sorted(speakable, key=lambda wording: wording != best)
        if ladder.next_climb_at > now:
            ways = ways[:1]
        remaining = deque(ways)
        while remaining:
            if self._transaction_at(connector) != transaction or self._newest.get(connector) is not asked:
                return Outcome.NOT_SENT
            wording = remaining[0]
            outcome = await self._send_limit(connector, worded, wording, transaction)
            if outcome is Outcome.REFUSED:
                if wording.purpose is Purpose.TRANSACTION and self._awaited.get(connector) != transaction:
                    # It may not have taken in yet that we answered its start: no reason to word the limit otherwise.
                    self._awaited[connector] = transaction
                    await asyncio.sleep(TRANSACTION_TAKEN_IN_S)
                else:
                    remaining.popleft()
                continue
            if outcome is Outcome.ACCEPTED:
                self._unit = self._unit if any_unit else wording.unit
                ladder.taken, ladder.taken_for = wording, transaction
                self._experience.took(use, wording)
                ladder.next_climb_at = 0.0
                if wording.purpose is Purpose.TRANSACTION and transaction is not None:
                    self._limited[connector] = transaction
                elif wording.purpose is Purpose.DEFAULT:
                    self._start_limits.pop(connector, None)
            return outcome
        self._gave_up(ladder, now)
        return Outcome.REFUSED

    def _gave_up(self, ladder: _Ladder, now: float) -> None:
        """Take note that every wording was refused."""
        if not self._is_unlike_its_make and self._abilities != self._dialect.abilities:
            # What is observed outweighs what others have seen of its make.
            self._is_unlike_its_make = True
        elif ladder.next_climb_at <= now:
            ladder.next_climb_at = now + WHOLE_LADDER_EVERY_S

    async def _send_limit(
        self, connector: int, wish: LimitWish, wording: Wording, transaction: TransactionKey | None
    ) -> Outcome:
        terminals = self._spoken_of(connector)
        if wording.ending is Ending.LATER:
            # Its end comes first: a limit that went out before could be left without one.
            end = partial(self._worded, wish, wording, terminals, transaction, is_end=True)
            outcome = await _outcome_of(self._ask_limit(connector, end, _nothing_depends_on_it))
            if outcome is not Outcome.ACCEPTED:
                return outcome
        plain = replace(wish, afterwards=())
        late = partial(self._answered_late, wish, terminals)
        compose = partial(self._worded, plain if self._refuses_plans else wish, wording, terminals, transaction)
        outcome = await _outcome_of(self._ask_limit(connector, compose, late))
        if outcome is not Outcome.REFUSED or self._refuses_plans or plain == wish:
            return outcome
        # It says that it holds so many periods, and does not: a limit matters more than what comes after it.
        compose = partial(self._worded, plain, wording, terminals, transaction)
        outcome = await _outcome_of(self._ask_limit(connector, compose, late))
        self._refuses_plans = outcome is Outcome.ACCEPTED
        return outcome

    def _worded(
        self,
        wish: LimitWish,
        wording: Wording,
        terminals: Terminals,
        transaction: TransactionKey | None,
        *,
        is_end: bool = False,
    ) -> JsonObject:
        """Return a limit, or the profile that is its end, as it goes out now."""
        word = later_profile if is_end else partial(temporary_profile, abilities=self._abilities)
        profile = word(
            wish,
            wording,
            terminals,
            now=self._clock.time(),
            offset=self._charger_clock.offset,
            proved_phases=self._proved_phases(terminals.connector),
            transaction=transaction,
        )
        self._count(terminals.connector, wording.purpose)
        return self._dialect.set_profile(terminals.connector, profile)

    def _count(self, connector: int, purpose: Purpose) -> None:
        """Count a profile that goes out."""
        sent = self._writes.get(connector, ProfileWrites())
        if purpose is Purpose.TRANSACTION:
            self._writes[connector] = replace(sent, passing=sent.passing + 1)
        else:
            self._writes[connector] = replace(sent, lasting=sent.lasting + 1)

    def writes(self, connector: int) -> ProfileWrites:
        """Return how many profiles were sent for a connector."""
        return self._writes.get(connector, ProfileWrites())

    def _answered_late(self, wish: LimitWish, terminals: Terminals, answer: JsonObject | None) -> None:
        accepted = answer is not None and _outcome(answer) is Outcome.ACCEPTED
        limit_a = sendable_amps(wish.amps, terminals)
        self._report(LimitAnsweredLate(connector=terminals.connector, limit_a=limit_a, accepted=accepted))

    async def _send_fallback(self, payload: JsonObject) -> Outcome:
        return await _outcome_of(self._ask("SetChargingProfile", payload))

    async def _shows(self, connector: int, amps: float) -> bool:
        """Return whether the charger says that it holds the fallback already, which spares its flash."""
        unit = self._abilities.units[0]
        if not self._experience.worth_asking(Topic.COMPOSITE):
            return False
        try:
            answer = await self._ask(
                "GetCompositeSchedule", self._dialect.composite_schedule(connector, COMPOSITE_DURATION_S, unit)
            )
        except CallRefused as refusal:
            if refusal.code in _NEVER:
                self._experience.learned(Topic.COMPOSITE, UNABLE)
            return False
        except CallFailed:
            return False
        composite = self._dialect.read_composite(answer)
        if composite is not None:
            self._experience.learned(Topic.COMPOSITE, ABLE)
        if composite is None or composite.unit is not unit:
            return False
        expected = in_unit(amps, unit, proved_phases=1)
        tolerance = EQUAL_A if unit is RateUnit.AMPS else EQUAL_A * NOMINAL_V
        shown = all(abs(limit - expected) <= tolerance for limit in composite.limits)
        if shown:
            self._unit = unit
        return shown


_NEVER = frozenset({ErrorCode.NOT_IMPLEMENTED, ErrorCode.NOT_SUPPORTED})
"""CALLERRORs that mean a call which the charger will never understand."""


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
