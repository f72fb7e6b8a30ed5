"""What a person must mend: faults that the site works around safely but cannot remove by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Severity(StrEnum):
    """How urgent a problem is."""

    ERROR = "error"
    WARNING = "warning"


class ProblemKey(StrEnum):
    """The problems that there are."""

    FALLBACK_DOES_NOT_FIT = "fallback_does_not_fit"
    FALLBACK_ABOVE_NEUTRAL = "fallback_above_neutral"
    FALLBACK_ABOVE_UNBALANCE = "fallback_above_unbalance"
    FALLBACK_ABOVE_POWER = "fallback_above_power"
    FALLBACK_UNPROVED = "fallback_unproved"
    BASE_LOAD_UNDECLARED = "base_load_undeclared"
    METER_STALE = "meter_stale"
    METER_UNREACHABLE = "meter_unreachable"
    METER_MISSING = "meter_missing"
    GENERATION_UNSEEN = "generation_unseen"
    G100_TOO_SLOW = "g100_too_slow"
    G100_FALLBACK_TOO_HIGH = "g100_fallback_too_high"
    OVERLOAD_EXPOSURE = "overload_exposure"
    STRANGER_DRAWS = "stranger_draws"
    LIMIT_IGNORED = "limit_ignored"
    FOREIGN_LIMIT = "foreign_limit"
    LIMIT_REFUSED = "limit_refused"
    LIMIT_WITHOUT_END = "limit_without_end"
    FOREIGN_PROFILE = "foreign_profile"
    ZERO_ENDS_TRANSACTIONS = "zero_ends_transactions"
    PHASES_NOT_SWITCHED = "phases_not_switched"
    MORE_PHASES = "more_phases"
    ROTATION_MISMATCH = "rotation_mismatch"
    FALLBACK_NOT_KEPT = "fallback_not_kept"
    DELAYS_BY_ITSELF = "delays_by_itself"
    MINIMUM_TOO_LOW = "minimum_too_low"
    COMMISSIONING_FAILED = "commissioning_failed"
    METER_INVERTED = "meter_inverted"
    METER_RATIO_WRONG = "meter_ratio_wrong"
    METER_SCOPE_WRONG = "meter_scope_wrong"
    METER_TOO_SLOW = "meter_too_slow"
    LEDGER_UNAVAILABLE = "ledger_unavailable"
    LEDGER_REPLACED = "ledger_replaced"
    DRIVERS_UNREADABLE = "drivers_unreadable"
    CLUSTER_MISSING = "cluster_missing"
    HOST_CLOCK = "host_clock"
    TLS_UNAVAILABLE = "tls_unavailable"
    CERTIFICATE_EXPIRES = "certificate_expires"
    KEY_NOT_CHANGED = "key_not_changed"
    PRICES_MISSING = "prices_missing"
    PRICES_LATE = "prices_late"
    TARIFF_UNREADABLE = "tariff_unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing to mend; `placeholders` are names and figures for its sentence."""

    key: ProblemKey
    subject: str
    """Id of the circuit, charge point, connector or meter; the site's id where it is about the whole."""
    severity: Severity
    placeholders: Mapping[str, str] = field(default_factory=dict)
