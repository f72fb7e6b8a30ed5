"""What a charge point does wrong, by name: each field is something that real charge points were seen to do.

All of it can be switched on and off while the charge point runs. What is merely a property of a model, and not wrong,
is in `spec`.
"""

from dataclasses import dataclass
from enum import StrEnum


class IgnoredForm(StrEnum):
    """Charging profiles that are accepted and ignored, while others are obeyed."""

    AMPS = "amps"
    """All that limit current: only watts count."""
    TRANSACTION = "transaction"
    """Those of a transaction: the default profile beneath counts."""


class Refusal(StrEnum):
    """How charging profiles are refused."""

    REJECTED = "rejected"
    ERROR = "error"
    """With a CALLERROR in place of an answer."""


class Resending(StrEnum):
    """How messages of a transaction are sent a second time although they were answered."""

    SAME_ID = "same_id"
    NEW_ID = "new_id"


class Silence(StrEnum):
    """From when on nothing is said, while calls are answered."""

    FROM_THE_START = "from_the_start"
    """Its own check of its BootNotification failed."""
    AFTER_BOOT = "after_boot"


class Backlog(StrEnum):
    """In which order messages of transactions come that waited through an outage."""

    NEWEST_FIRST = "newest_first"
    SHUFFLED = "shuffled"
    AFTER_FRESH = "after_fresh"
    """In order, but only when nothing newer is to be said."""


class EnergyForm(StrEnum):
    """How the energy register is reported, where it is not in Wh throughout."""

    KWH = "kwh"
    KWH_AT_END = "kwh_at_end"
    """In Wh while a transaction runs, and in kWh when it ends."""
    UNNAMED_KWH = "unnamed_kwh"
    """In kWh without saying so, which means Wh."""
    WHOLE_KWH_AS_WH = "whole_kwh_as_wh"
    """In whole kWh that are called Wh, also where a transaction begins and ends."""
    ONE_PHASE = "one_phase"
    """As the third that flowed on L1."""


class CurrentForm(StrEnum):
    """How currents are reported, where it is not one for each phase."""

    TOTAL = "total"
    """Their sum alone."""
    ONE_FOR_ALL = "one_for_all"
    """One current without a phase, which is that of each phase and not their sum."""
    PHASES_AND_ONE = "phases_and_one"
    """One for each phase, and beside them one without a phase that is no sum either."""


class CompositeForm(StrEnum):
    """What is wrong with composite schedules."""

    NONE = "none"
    """They are accepted and not there."""
    EMPTY = "empty"
    """They have no period, and an absurd duration."""
    MINUS_ONE = "minus_one"
    """In amps each limit is -1."""
    WATTS = "watts"
    """They are in watts, whatever was asked for."""


class Inventory(StrEnum):
    """What is wrong with reports of the device model."""

    ABSENT = "absent"
    """They are accepted and never come."""
    PARTIAL = "partial"
    """The last part never comes."""
    LATE = "late"
    """They come half a minute later."""


ABSURD_DURATION_S = 835_805_807
"""As one charge point answered when it was asked for 60 s."""


@dataclass(slots=True, kw_only=True)
class Misbehaviour:
    """What the charge point does wrong just now."""

    # Connecting and starting up.

    never_boots: bool = False
    """Sends no BootNotification and begins with its status."""
    no_subprotocol: bool = False
    offers_deflate: bool = False
    """Offers to compress what it sends (permessage-deflate)."""
    ignores_pings: bool = False
    """Does not answer pings of the websocket."""
    pongs_late_s: float = 0.0
    """Virtual seconds before each answer to a ping."""
    calls_at_once: bool = False
    """Does not wait for an answer before the next call: BootNotification and StatusNotification go out together."""
    silence: Silence | None = None
    half_open: bool = False
    """Reads nothing, answers nothing and sends nothing, while the connection stays up."""

    # How messages are written.

    no_timestamps: bool = False
    """Its StatusNotification has no timestamp."""
    writes_nulls: bool = False
    """Optional fields that it has nothing to say in are there and null."""
    writes_numbers: bool = False
    """Measured values are numbers in OCPP 1.6, and texts in 2.x."""
    writes_fractions: bool = False
    """Whole numbers that name a connector or an EVSE have a fraction: 1.0."""
    writes_unknown_words: bool = False
    """Adds fields and measurands that no specification knows."""

    # How commands are answered.

    answers_late_s: float = 0.0
    """Virtual seconds before each answer to the central system."""
    errors_for_rejected: bool = False
    """Answers with a CALLERROR, described at length, whatever it rejects."""
    ignores_limits: bool = False
    """Accepts profiles and offers its maximum all the same."""
    ignores_form: IgnoredForm | None = None
    forgets_limit_in_pause: bool = False
    """Accepts a profile that lifts a pause at 0 A, and then offers its maximum until the next one comes."""
    refuses_profiles: Refusal | None = None
    expired_prevails: bool = False
    """A schedule whose duration has ended still hides those below it, and limits nothing."""
    composite: CompositeForm | None = None
    accepts_every_start: bool = False
    """Accepts each remote start, though nothing comes of a second one."""
    never_unlocks: bool = False
    """Cannot unlock a connector."""
    stays_down: bool = False
    """Does not come back after a reset."""
    inventory: Inventory | None = None

    # What is told of transactions and measured values.

    resends: Resending | None = None
    backlog: Backlog | None = None
    loses_values: bool = False
    """Keeps no measured values while it is out of reach; in OCPP 2.x the numbers of the events show the gap."""
    status_late_s: float = 0.0
    """Virtual seconds before each status is told."""
    omits_station_status: bool = False
    """Tells no status of connector 0 (OCPP 1.6)."""
    tells_evse_zero: bool = False
    """Tells a status of EVSE 0, connector 0, which does not exist (OCPP 2.x)."""
    sequence_stuck: bool = False
    """Numbers each event of a transaction 0 (OCPP 2.x)."""
    updates_after_s: float = 0.0
    """Tells nothing of a transaction for so long after it began but that it did (OCPP 2.x)."""
    values_apart: bool = False
    """Sends measured values as MeterValues although a transaction runs (OCPP 2.x)."""
    values_after_stop: bool = False
    """Sends measured values of a transaction once more after its end."""
    foreign_values: bool = False
    """Measured values name a transaction that nobody knows."""
    wrong_units: bool = False
    """Every second energy value is in kWh (and says so) instead of Wh."""
    single_phase_values: bool = False
    """Reports the current of L1 only."""
    energy: EnergyForm | None = None
    currents: CurrentForm | None = None
    power_stays_zero: bool = False
    """Reports a power of 0 while the energy climbs."""
    register_jumps: bool = False
    """The energy register leaps by 1.1 kWh at every fourth sample, for good."""
