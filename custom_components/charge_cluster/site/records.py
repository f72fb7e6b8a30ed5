"""What a running site writes down, stated as a Protocol; `ledger_records.py` fulfils it with the ledger.

None of these calls blocks or raises: a full or broken disk never stops the control of current.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ..chargers import LimitOutcome
from ..engine.model import PhaseAmps
from ..engine.snapshot import Command
from .billing import MonthView
from .cap import Cap
from .commissioning.findings import CommissioningTest, Finding
from .connector import ConnectorState
from .exposure import KeptExposure
from .foresight import PastStay
from .month_peak import KeptPeak
from .plan import KeptPlan
from .session import Session
from .session_wish import Profile
from .standing import KeptDemand, KeptStanding
from .wear import KeptWear


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptBound:
    """What must be known of a connector's limit after a restart."""

    key: str
    limit_a: float | None
    held_a: float
    expires_at: float | None
    """UTC POSIX seconds."""
    fallback_a: float | None
    """Proved to be in the charger."""
    one_phase: bool = False
    """Whether the limit is for one phase alone, and that was seen to be kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What was kept over a restart; bounds and sessions by connector key."""

    orderly: bool = False
    """Whether it was kept when the site stopped. A site that was killed may have sent limits that are not in it."""
    bounds: Mapping[str, KeptBound] = field(default_factory=dict)
    sessions: Mapping[str, Session] = field(default_factory=dict)
    """Those whose end has not been told."""
    bases: Mapping[str, PhaseAmps] = field(default_factory=dict)
    """The base load that was believed, by circuit: without it every car's draw would look like base load at first."""
    unguarded: Sequence[str] = ()
    """Circuits whose meter was taken away, and whose settings nobody has looked at since."""
    stuck: Mapping[str, PhaseAmps] = field(default_factory=dict)
    """What meters showed that were caught repeating themselves, by circuit."""
    findings: Sequence[Finding] = ()
    """What commissioning found."""
    caps: Sequence[Cap] = ()
    """Ceilings from outside that were in force."""
    exposures: Mapping[str, KeptExposure] = field(default_factory=dict)
    """What was carried above ratings, by circuit."""
    standings: Mapping[str, KeptStanding] = field(default_factory=dict)
    """How connectors stood in the sharing, by their key."""
    demands: Mapping[str, KeptDemand] = field(default_factory=dict)
    """What had flowed in the running clock window, by circuit."""
    wear: Mapping[str, KeptWear] = field(default_factory=dict)
    """What connectors had been through, by their key."""
    turn: int | None = None
    """The turn of the places that was running."""
    plans: Mapping[str, KeptPlan] = field(default_factory=dict)
    """What was planned for sessions, by connector key."""
    usual_loads: Mapping[tuple[str, int], Sequence[PhaseAmps | None]] = field(default_factory=dict)
    """The usual base load of each quarter of an hour, by circuit and weekday."""
    month: MonthView | None = None
    """What the sessions of a month had cost."""
    peak: KeptPeak | None = None
    """The highest demand of a month."""
    stays: Sequence[PastStay] = ()
    """Sessions that have ended, oldest first, as far as habits are learned from them."""


class SiteRecords(Protocol):
    """The records of one site."""

    @property
    def available(self) -> bool:
        """Return whether records reach the disk."""

    @property
    def drivers_known(self) -> bool:
        """Return whether the drivers have been read since the start."""

    @property
    def replaced(self) -> str | None:
        """Return what happened to a damaged ledger at start ("snapshot", "fresh"); None: it was sound."""

    async def load(self) -> Kept:
        """Return what was kept, nothing where nothing can be read; from now on it is not orderly until `complete`."""

    def complete(self) -> None:
        """Note that the site stopped: what was kept up to here is all that there was."""

    def ordered(self, state: ConnectorState, command: Command, outcome: LimitOutcome, before_a: float) -> None:
        """Record a limit, what became of it and the limit that was in force until then."""

    def limit_seen(self, key: str, limit_a: float, seen_a: float, seen_ago_s: float) -> None:
        """Record that the last accepted order for a connector was seen to be kept."""

    def keep_bound(self, bound: KeptBound) -> None:
        """Keep the proof about a connector for the next start."""

    def keep_base(self, circuit_id: str, amps: PhaseAmps) -> None:
        """Keep the believed base load of a circuit for the next start."""

    def keep_unguarded(self, circuit_id: str, *, lost: bool) -> None:
        """Keep that the meter of a circuit was taken away, or that somebody has looked at its settings since."""

    def keep_stuck(self, circuit_id: str, amps: PhaseAmps | None) -> None:
        """Keep that the meter of a circuit repeats these figures for the next start; None: it does not."""

    def keep_cap(self, cap: Cap) -> None:
        """Keep a ceiling from outside for the next start, in place of what its source set on the circuit before."""

    def drop_cap(self, circuit_id: str, source: str) -> None:
        """Forget the ceiling that a source set on a circuit."""

    def keep_finding(self, finding: Finding) -> None:
        """Keep what a commissioning test found."""

    def outdate_findings(self, subject: str, tests: Sequence[CommissioningTest]) -> None:
        """Mark what tests of a subject found as outdated."""

    async def finding_history(self, subject: str) -> Sequence[Finding]:
        """Return all that was found about a subject, newest first. Raises StoreUnavailable."""

    def keep_exposure(self, circuit_id: str, exposure: KeptExposure | None) -> None:
        """Keep what a circuit has carried above its rating for the next start; None: nothing, or it is gone."""

    def keep_wear(self, key: str, wear: KeptWear | None) -> None:
        """Keep what a connector has been through for the next start; None: it is gone."""

    def keep_standing(self, key: str, standing: KeptStanding | None) -> None:
        """Keep how a connector stands in the sharing for the next start; None: there is nothing to say of it."""

    def keep_demand(self, circuit_id: str, demand: KeptDemand) -> None:
        """Keep what has flowed in the running clock window of a circuit for the next start."""

    def keep_plan(self, key: str, kept: KeptPlan | None) -> None:
        """Keep the plan of a connector's session for the next start; None: it has none."""

    def keep_usual_load(self, circuit_id: str, weekday: int, day: Sequence[PhaseAmps | None] | None) -> None:
        """Keep the usual base load of a circuit on a weekday for the next start; None: the circuit is gone."""

    def keep_month(self, month: MonthView) -> None:
        """Keep what the sessions of a month have cost for the next start."""

    def keep_turn(self, turn: int) -> None:
        """Keep the turn of the places that is running for the next start."""

    def keep_peak(self, peak: KeptPeak) -> None:
        """Keep the highest demand of a month for the next start."""

    def keep_session(self, key: str, session: Session | None) -> None:
        """Keep the session of a connector for the next start; None: there is none whose end has not been told."""

    def driver_priority(self, id_tag: str) -> int | None:
        """Return the priority of the driver with an idTag; None: it has none, or nobody is known by it."""

    def driver_profile(self, id_tag: str) -> Profile:
        """Return what the driver with an idTag wishes of all its sessions."""

    def session(self, key: str, session: Session) -> None:
        """Record a session of a connector as it is now; one that was recorded before is mended."""

    def demand(
        self, circuit_id: str, minute_start: float, peak_a: PhaseAmps, mean_power_w: float, samples: int
    ) -> None:
        """Record a minute of a circuit."""
