"""The records of one site in the ledger. See `records.SiteRecords`."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from ..chargers import LimitOutcome
from ..engine.habits import MOST_STAYS
from ..engine.model import PhaseAmps
from ..engine.snapshot import Command
from ..ledger import Ledger
from ..ledger.findings import FindingRecord
from ..ledger.limits import LimitRecord
from ..ledger.sessions import SessionRecord
from ..ledger.writer import StoreUnavailable
from ..ocpp.protocols import UNPLUGGED, JournalUnavailable
from .battery import SocSource, StateOfCharge, Target
from .bill import Bill
from .billing import MonthView
from .cap import Afterwards, Cap
from .commissioning.findings import CommissioningTest, Finding, Verdict
from .connector import ConnectorState
from .exposure import KeptExposure, Spell
from .foresight import PastStay
from .month_peak import KeptPeak
from .plan import KeptPlan, Said
from .records import Kept, KeptBound
from .session import Session
from .session_wish import NO_PROFILE, Profile, SessionWish
from .standing import KeptDemand, KeptStanding
from .token_policy import ListNumber
from .wear import KeptWear

LOGGER = logging.getLogger(__name__)

BOUND, BASE, CAP, EXPOSURE, KEY_DUE, RUN, SESSION = "bound", "base", "cap", "exposure", "key_due", "run", "session"
LIST_NUMBER = "list_number"
DEMAND, STANDING, STUCK, TURN, UNGUARDED, WEAR = "demand", "standing", "stuck", "turn", "unguarded", "wear"
MONTH, PEAK, PLAN, USUAL_LOAD = "month", "peak", "plan", "usual_load"
PLAN_FIELDS = {field.name for field in fields(KeptPlan)}
"""A plan that another version kept is made anew."""
"""The kinds of what is kept over a restart."""

BEGUN, ENDED = "begun", "ended"
"""The runs of a site are numbered: one that was killed begun and never ended."""


class LedgerRecords:
    """Writes what one site has to write down."""

    def __init__(self, ledger: Ledger, site_id: str) -> None:
        self._ledger = ledger
        self._site_id = site_id
        self.keys_due: set[str] = set()
        """OCPP identities that have not confirmed yet that they took their key."""
        self.list_numbers: dict[str, ListNumber] = {}
        """Of the lists of tokens that charge points keep, by the rule that they follow."""
        self._run = 0

    @property
    def available(self) -> bool:
        """Return whether records reach the disk."""
        return self._ledger.state.available

    @property
    def drivers_known(self) -> bool:
        """Return whether the drivers have been read since the start."""
        return self._ledger.drivers.learned

    @property
    def replaced(self) -> str | None:
        """Return what a damaged ledger was replaced with at start."""
        return self._ledger.state.replaced_with

    async def load(self) -> Kept:
        """Return what was kept."""
        kept = await self._ledger.kept.load(self._site_id)
        orderly = await self._begin(kept.get(RUN, {}))
        self.keys_due = set(kept.get(KEY_DUE, {}))
        self.list_numbers = {mode: ListNumber(**fields) for mode, fields in kept.get(LIST_NUMBER, {}).items()}
        sessions = {key: _session(fields) for key, fields in kept.get(SESSION, {}).items()}
        await self._settle(sessions.values())
        await self._learn_drivers()
        return Kept(
            orderly=orderly,
            bounds={key: KeptBound(key=key, **fields) for key, fields in kept.get(BOUND, {}).items()},
            sessions=sessions,
            bases={key: _phases(fields["amps"]) for key, fields in kept.get(BASE, {}).items()},
            unguarded=sorted(kept.get(UNGUARDED, {})),
            stuck={key: _phases(fields["amps"]) for key, fields in kept.get(STUCK, {}).items()},
            findings=await self._findings(),
            caps=[_cap(fields) for fields in kept.get(CAP, {}).values()],
            exposures={key: _exposure(fields) for key, fields in kept.get(EXPOSURE, {}).items()},
            standings={key: _standing(fields) for key, fields in kept.get(STANDING, {}).items()},
            demands={key: KeptDemand(**fields) for key, fields in kept.get(DEMAND, {}).items()},
            wear={key: KeptWear(**fields) for key, fields in kept.get(WEAR, {}).items()},
            turn=kept.get(TURN, {}).get(TURN, {}).get("number"),
            plans={key: _plan(fields) for key, fields in kept.get(PLAN, {}).items() if fields.keys() == PLAN_FIELDS},
            usual_loads={_day_of(key): _day(fields["amps"]) for key, fields in kept.get(USUAL_LOAD, {}).items()},
            month=next((MonthView(**fields) for fields in kept.get(MONTH, {}).values()), None),
            peak=next((KeptPeak(**fields) for fields in kept.get(PEAK, {}).values()), None),
            stays=await self._stays(),
        )

    async def _begin(self, runs: Mapping[str, dict[str, int]]) -> bool:
        """Note on the disk that a run begins; return whether the one before ended."""
        before = runs.get(BEGUN, {}).get("number", 0)
        self._run = before + 1
        try:
            await self._ledger.kept.put_now(self._site_id, RUN, BEGUN, {"number": self._run})
        except StoreUnavailable:
            LOGGER.warning("The ledger cannot be written; limits from before this start are not relied on")
            return False
        return before > 0 and runs.get(ENDED, {}).get("number") == before

    def complete(self) -> None:
        """Note that the site stopped."""
        self._keep(RUN, ENDED, {"number": self._run})

    async def _settle(self, sessions: Iterable[Session]) -> None:
        """Take over the registers of transactions that ended while nobody looked after their session."""
        unsettled = {
            int(transaction_id): session
            for session in sessions
            for transaction_id, energy_wh in session.settled_wh.items()
            if energy_wh is None and transaction_id.isdecimal()
        }
        if not unsettled:
            return
        try:
            ended = await self._ledger.journal.ended(unsettled.keys())
        except JournalUnavailable:
            LOGGER.warning("The transactions of sessions that were kept cannot be read; what was measured counts")
            return
        for stored in ended:
            if stored.meter_stop_wh is not None:
                energy_wh = float(stored.meter_stop_wh - stored.meter_start_wh)
                session = unsettled[stored.transaction_id]
                session.settle(str(stored.transaction_id), energy_wh)
                if stored.stop_reason == UNPLUGGED and session.transaction_id == str(stored.transaction_id):
                    session.left_at = stored.stopped_at

    def ordered(self, state: ConnectorState, command: Command, outcome: LimitOutcome, before_a: float) -> None:
        """Record a limit, what became of it and the limit that was in force until then."""
        drawn = state.drawn_a
        self._ledger.limits.record(
            LimitRecord(
                site_id=self._site_id,
                connector=state.key,
                at=None,
                limit_a=command.amps,
                before_a=before_a,
                reason=str(command.reason),
                circuit_id=state.limit.circuit_id,
                outcome=str(outcome),
                drawn_a=None if drawn is None else max(drawn),
                sent_at=command.decided_at,
                form=str(command.form),
            )
        )

    def limit_seen(self, key: str, limit_a: float, seen_a: float, seen_ago_s: float) -> None:
        """Record that the last accepted order for a connector was seen to be kept."""
        self._ledger.limits.seen(self._site_id, key, limit_a, seen_a, seen_ago_s)

    def keep_bound(self, bound: KeptBound) -> None:
        """Keep the proof about a connector."""
        self._keep(
            BOUND,
            bound.key,
            {
                "limit_a": bound.limit_a,
                "held_a": bound.held_a,
                "expires_at": bound.expires_at,
                "fallback_a": bound.fallback_a,
                "one_phase": bound.one_phase,
            },
        )

    def keep_base(self, circuit_id: str, amps: PhaseAmps) -> None:
        """Keep the believed base load of a circuit."""
        self._keep(BASE, circuit_id, {"amps": list(amps)})

    def keep_unguarded(self, circuit_id: str, *, lost: bool) -> None:
        """Keep that the meter of a circuit was taken away, or that this is settled."""
        self._keep(UNGUARDED, circuit_id, {} if lost else None)

    def keep_stuck(self, circuit_id: str, amps: PhaseAmps | None) -> None:
        """Keep that the meter of a circuit repeats these figures, or that it does not."""
        self._keep(STUCK, circuit_id, None if amps is None else {"amps": list(amps)})

    def keep_cap(self, cap: Cap) -> None:
        """Keep a ceiling from outside."""
        self._keep(CAP, _cap_key(cap.circuit_id, cap.source), asdict(cap))

    def drop_cap(self, circuit_id: str, source: str) -> None:
        """Forget a ceiling from outside."""
        self._keep(CAP, _cap_key(circuit_id, source), None)

    def keep_exposure(self, circuit_id: str, exposure: KeptExposure | None) -> None:
        """Keep what a circuit has carried above its rating, or that there is nothing."""
        self._keep(EXPOSURE, circuit_id, None if exposure is None else asdict(exposure))

    def keep_standing(self, key: str, standing: KeptStanding | None) -> None:
        """Keep how a connector stands in the sharing, or that there is nothing to say."""
        self._keep(STANDING, key, None if standing is None else asdict(standing))

    def keep_wear(self, key: str, wear: KeptWear | None) -> None:
        """Keep what a connector has been through, or that it is gone."""
        self._keep(WEAR, key, None if wear is None else asdict(wear))

    def keep_demand(self, circuit_id: str, demand: KeptDemand) -> None:
        """Keep what has flowed in the running clock window of a circuit."""
        self._keep(DEMAND, circuit_id, asdict(demand))

    def keep_turn(self, turn: int) -> None:
        """Keep the turn of the places that is running."""
        self._keep(TURN, TURN, {"number": turn})

    def keep_peak(self, peak: KeptPeak) -> None:
        """Keep the highest demand of a month."""
        self._keep(PEAK, PEAK, asdict(peak))

    def keep_plan(self, key: str, kept: KeptPlan | None) -> None:
        """Keep the plan of a connector's session, or that it has none."""
        self._keep(PLAN, key, None if kept is None else asdict(kept))

    def keep_month(self, month: MonthView) -> None:
        """Keep what the sessions of a month have cost."""
        self._keep(MONTH, MONTH, asdict(month))

    def keep_usual_load(self, circuit_id: str, weekday: int, day: Sequence[PhaseAmps | None] | None) -> None:
        """Keep the usual base load of a circuit on a weekday, or that the circuit is gone."""
        self._keep(USUAL_LOAD, f"{circuit_id}/{weekday}", None if day is None else {"amps": list(day)})

    def key_is_due(self, identity: str, *, due: bool) -> None:
        """Keep that a charge point has (not) yet taken its key."""
        if due:
            self.keys_due.add(identity)
        else:
            self.keys_due.discard(identity)
        self._keep(KEY_DUE, identity, {} if due else None)

    def keep_list_number(self, mode: str, number: ListNumber) -> None:
        """Keep which number the list of tokens has that follows a rule."""
        self._keep(LIST_NUMBER, mode, asdict(number))

    def keep_finding(self, finding: Finding) -> None:
        """Keep what a commissioning test found."""
        self._ledger.findings.record(
            FindingRecord(
                site_id=self._site_id,
                subject=finding.subject,
                test=finding.test.value,
                verdict=finding.verdict.value,
                at=finding.at,
                firmware=finding.firmware,
                figures=finding.figures,
                outdated=finding.outdated,
            )
        )

    def outdate_findings(self, subject: str, tests: Sequence[CommissioningTest]) -> None:
        """Mark what tests of a subject found as outdated."""
        self._ledger.findings.outdate(self._site_id, subject, [test.value for test in tests])

    async def finding_history(self, subject: str) -> Sequence[Finding]:
        """Return all that was found about a subject, newest first. Raises StoreUnavailable."""
        return _known(await self._ledger.findings.load(self._site_id, subject))

    async def _learn_drivers(self) -> None:
        try:
            await self._ledger.drivers.learn()
        except StoreUnavailable:
            LOGGER.warning("The drivers cannot be read; until they can, only those are known that were known before")

    async def _findings(self) -> Sequence[Finding]:
        try:
            return _known(await self._ledger.findings.load(self._site_id))
        except StoreUnavailable:
            LOGGER.warning("What commissioning found cannot be read; nothing is taken as proved")
            return ()

    async def _stays(self) -> Sequence[PastStay]:
        try:
            ended = await self._ledger.sessions.for_habits(self._site_id, MOST_STAYS)
        except StoreUnavailable:
            LOGGER.warning("The sessions that have ended cannot be read; nothing is known of anybody's habits")
            return ()
        return [
            PastStay(
                key=record.connector,
                started_at=record.started_at,
                ended_at=record.ended_at,
                energy_wh=record.energy_wh,
                id_tag=record.id_tag,
                departure_at=record.departure_at,
                wanted_wh=record.wanted_wh,
                phases=record.phases,
            )
            for record in ended
            if record.ended_at is not None
        ]

    def keep_session(self, key: str, session: Session | None) -> None:
        """Keep the session of a connector, or that there is none."""
        self._keep(SESSION, key, None if session is None else asdict(session))

    def driver_priority(self, id_tag: str) -> int | None:
        """Return the priority of the driver with an idTag."""
        return self._ledger.drivers.priority(id_tag)

    def driver_profile(self, id_tag: str) -> Profile:
        """Return what the driver with an idTag wishes of all its sessions."""
        driver = self._ledger.drivers.known(id_tag)
        if driver is None:
            return NO_PROFILE
        return Profile(
            leave_by_s=driver.leave_by_s,
            usual_wh=driver.usual_wh,
            target_soc=driver.target_soc,
            battery_wh=driver.battery_wh,
            battery_entity=driver.battery_entity,
        )

    def session(self, key: str, session: Session) -> None:
        """Record a session of a connector as it is now."""
        self._ledger.sessions.record(
            SessionRecord(
                site_id=self._site_id,
                session_id=session.session_id,
                connector=key,
                started_at=session.started_at,
                ended_at=session.ended_at,
                energy_wh=session.energy_wh,
                id_tag=session.id_tag,
                transaction_id=session.transaction_id,
                departure_at=session.told_departure_at,
                wanted_wh=session.wish.wanted_wh,
                phases=session.phases,
                cost=session.bill.cost_known,
                saving=session.bill.saving,
                saving_against_alone=session.bill.saving_against_alone,
                unpriced_wh=session.bill.unpriced_wh,
                currency=session.bill.currency,
            )
        )

    def demand(
        self, circuit_id: str, minute_start: float, peak_a: PhaseAmps, mean_power_w: float, samples: int
    ) -> None:
        """Record a minute of a circuit."""
        self._ledger.demand.record(self._site_id, circuit_id, minute_start, peak_a, mean_power_w, samples)

    def _keep(self, kind: str, key: str, fields: dict[str, Any] | None) -> None:
        self._ledger.kept.put(self._site_id, kind, key, fields)


def _cap_key(circuit_id: str, source: str) -> str:
    return f"{circuit_id}/{source}"


def _session(fields: dict[str, Any]) -> Session:
    wishes = {name: SessionWish(**fields.get(name, {})) for name in ("wish", "told_by_vehicle")}
    bill = fields.get("bill", {})
    prices = [(start, price) for start, price in bill.get("prices", ())]
    target, soc = fields.get("target"), fields.get("soc")
    battery = {
        "target": None if target is None else Target(**target),
        "soc": None if soc is None else StateOfCharge(**{**soc, "source": SocSource(soc["source"])}),
    }
    return Session(**{**fields, **wishes, **battery, "bill": Bill(**{**bill, "prices": prices})})


def _plan(fields: dict[str, Any]) -> KeptPlan:
    said = {name: Said(fields[name]) for name in ("leave_by", "wanted_by")}
    return KeptPlan(**{**fields, **said, "amps": tuple(fields["amps"]), "pauses": tuple(map(tuple, fields["pauses"]))})


def _day_of(key: str) -> tuple[str, int]:
    circuit_id, _, weekday = key.rpartition("/")
    return circuit_id, int(weekday)


def _day(quarters: Iterable[list[float] | None]) -> list[PhaseAmps | None]:
    return [None if amps is None else _phases(amps) for amps in quarters]


def _cap(fields: dict[str, Any]) -> Cap:
    return Cap(**{**fields, "after": Afterwards(fields["after"])})


def _known(records: Iterable[FindingRecord]) -> list[Finding]:
    """Return findings of the tests that there are; an older version may have had others."""
    tests, verdicts = set(CommissioningTest), set(Verdict)
    return [
        Finding(
            subject=record.subject,
            test=CommissioningTest(record.test),
            verdict=Verdict(record.verdict),
            at=record.at,
            firmware=record.firmware,
            figures=record.figures,
            outdated=record.outdated,
        )
        for record in records
        if record.test in tests and record.verdict in verdicts
    ]


def _exposure(fields: dict[str, Any]) -> KeptExposure:
    spells = tuple(
        Spell(**{**spell, "above_s": _phases(spell["above_s"]), "above_as": _phases(spell["above_as"])})
        for spell in fields["spells"]
    )
    return KeptExposure(**{**fields, "used": _phases(fields["used"]), "spells": spells})


def _standing(fields: dict[str, Any]) -> KeptStanding:
    phases = fields["phases"]
    return KeptStanding(**{**fields, "phases": None if phases is None else tuple(phases)})


def _phases(amps: list[float]) -> PhaseAmps:
    return (float(amps[0]), float(amps[1]), float(amps[2]))
