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
    FALLBACK_UNPROVED = "fallback_unproved"
    BASE_LOAD_UNDECLARED = "base_load_undeclared"
    METER_STALE = "meter_stale"
    METER_UNREACHABLE = "meter_unreachable"
    METER_MISSING = "meter_missing"
    GENERATION_UNSEEN = "generation_unseen"
    G100_TOO_SLOW = "g100_too_slow"
    LIMIT_IGNORED = "limit_ignored"
    LIMIT_REFUSED = "limit_refused"
    LEDGER_UNAVAILABLE = "ledger_unavailable"
    LEDGER_REPLACED = "ledger_replaced"
    CLUSTER_MISSING = "cluster_missing"
    HOST_CLOCK = "host_clock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing to mend; `placeholders` are names and figures for its sentence."""

    key: ProblemKey
    subject: str
    """Id of the circuit, charge point, connector or meter; the site's id where it is about the whole."""
    severity: Severity
    placeholders: Mapping[str, str] = field(default_factory=dict)
