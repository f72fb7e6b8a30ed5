"""What one simulated charge point is: hardware, habits of its model, and faults it can be told to have.

`ChargePointSpec` is fixed; `Misbehaviour` may be changed while it runs. Defaults describe a charge point that follows
OCPP 1.6 in everything.
"""

from dataclasses import dataclass, field
from enum import StrEnum


class StartBy(StrEnum):
    """What begins a transaction at this charge point."""

    PLUG = "plug"
    """Plugging in, with a fixed tag of the charge point's own (free vend)."""
    TAG = "tag"
    """The driver's card."""
    REMOTE = "remote"
    """Only a RemoteStartTransaction."""


class AtZero(StrEnum):
    """What the charge point makes of a limit too low to charge with."""

    SUSPENDS = "suspends"
    """Withdraws the pilot signal and says SuspendedEVSE."""
    SAYS_CHARGING = "says_charging"
    """Withdraws the pilot signal, but its status stays Charging."""
    ENDS_TRANSACTION = "ends_transaction"
    KEEPS_MINIMUM = "keeps_minimum"
    """Goes on with 6 A."""


class StationMaximum(StrEnum):
    """What a ChargePointMaxProfile means for each of several connectors."""

    SPLIT = "split"
    """Those with a transaction share it equally."""
    EACH = "each"
    """It holds for each connector alone."""


class WattsBy(StrEnum):
    """The phases by which a limit in watts is divided."""

    WIRED = "wired"
    """Those of the connector."""
    IN_USE = "in_use"
    """Those on which the car draws."""


class NewKey(StrEnum):
    """When a new AuthorizationKey comes into use."""

    NEXT_CONNECT = "next_connect"
    RECONNECTS = "reconnects"
    """At once: the charge point redials."""
    REBOOTS = "reboots"


class AfterPowerCut(StrEnum):
    """What becomes of a transaction when the power comes back."""

    ENDS = "ends"
    """It is stopped with the reason PowerLoss and the time of the cut."""
    RESUMES = "resumes"
    """It goes on under its id."""


class MessageIds(StrEnum):
    """How the charge point numbers its calls."""

    RANDOM = "random"
    COUNTER = "counter"
    """Plain numbers that begin at 1 after each restart."""


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


@dataclass(slots=True, kw_only=True)
class Misbehaviour:
    """What the charge point does wrong just now."""

    ignores_limits: bool = False
    """Accepts profiles and offers its maximum all the same."""
    ignores_form: IgnoredForm | None = None
    refuses_profiles: Refusal | None = None
    half_open: bool = False
    """Reads nothing, answers nothing and sends nothing, while the connection stays up."""
    answers_late_s: float = 0.0
    """Virtual seconds before each answer to the central system."""
    resends: Resending | None = None
    wrong_units: bool = False
    """Every second energy value is in kWh (and says so) instead of Wh."""
    single_phase_values: bool = False
    """Reports the current of L1 only."""
    never_boots: bool = False
    """Sends no BootNotification and begins with its status."""
    no_subprotocol: bool = False
    ignores_pings: bool = False
    """Does not answer pings of the websocket."""
    calls_at_once: bool = False
    """Does not wait for an answer before the next call: BootNotification and StatusNotification go out together."""
    expired_prevails: bool = False
    """A schedule whose duration has ended still hides those below it, and limits nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorSpec:
    """One connector; the outlet behind it is part of the truth."""

    number: int
    outlet_id: str
    maximum_a: float = 32.0
    rotation: tuple[int, ...] = (0, 1, 2)
    """Supply phase (0–2) of each of its terminals, as the installer told the charge point."""

    @property
    def phases(self) -> int:
        """Return how many phases it has."""
        return len(self.rotation)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargePointSpec:
    """One charge point."""

    identity: str
    connectors: tuple[ConnectorSpec, ...]
    name: str = ""
    vendor: str = "Simulated"
    model: str = "Post 22"
    serial: str | None = None
    """None: made of the identity."""
    firmware: str = "1.0.0"
    starts_by: StartBy = StartBy.PLUG
    id_tag: str = "FREEVEND"
    """The tag of transactions that plugging in begins."""
    key: str | None = field(default=None, repr=False)
    """AuthorizationKey for Basic authentication; None: it sends none until it is given one."""
    key_is_hex: bool = False
    """The key is the hexadecimal form of the password's bytes."""
    clock_offset_s: float = 0.0
    clock_drift_ppm: float = 0.0
    takes_time: bool = False
    """Sets its clock by the central system's answers to BootNotification and Heartbeat."""
    sampling_s: int = 10
    """MeterValueSampleInterval that it is delivered with."""
    boot_s: float = 10.0
    """From power to the first attempt to connect."""
    boots_on_reconnect: bool = False
    """Sends a BootNotification on every connection, not only after a restart."""
    rate_units: tuple[str, ...] = ("Current", "Power")
    stack_levels: int = 8
    """ChargeProfileMaxStackLevel."""
    schedule_periods: int = 24
    profiles: int = 20
    """MaxChargingProfilesInstalled."""
    defaults_survive_power: bool = True
    applies_after_s: float = 0.5
    """From a change of the limit to the change of the pilot signal."""
    whole_amps: bool = False
    """Offers whole amps only, rounded down."""
    watts_by: WattsBy = WattsBy.WIRED
    station_maximum: StationMaximum = StationMaximum.SPLIT
    at_zero: AtZero = AtZero.SUSPENDS
    new_key: NewKey = NewKey.NEXT_CONNECT
    after_power_cut: AfterPowerCut = AfterPowerCut.ENDS
    message_ids: MessageIds = MessageIds.RANDOM
    register_per_transaction: bool = False
    """The energy register begins at 0 with each transaction."""
    misbehaviour: Misbehaviour = field(default_factory=Misbehaviour)
    """What it does wrong from the beginning."""

    @property
    def serial_number(self) -> str:
        """Return the serial number, at most 25 characters as OCPP 1.6 demands."""
        return (self.serial if self.serial is not None else f"SIM-{self.identity}")[:25]
