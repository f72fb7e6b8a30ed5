"""What one simulated charge point is: hardware, habits of its model, and faults it can be told to have.

`ChargePointSpec` is fixed; `Misbehaviour` may be changed while it runs. Defaults describe a charge point that follows
its version of OCPP in everything.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from .misbehaviour import Misbehaviour

DEFAULT_MEASURANDS = ("Current.Import", "Power.Active.Import", "Energy.Active.Import.Register", "Voltage")


class OcppVersion(StrEnum):
    """The version of OCPP that the charge point speaks."""

    V16 = "1.6"
    V201 = "2.0.1"
    V21 = "2.1"


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
    TRICKLES = "trickles"
    """Goes on with 1 A on each phase, which no pilot signal can offer."""


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


class Security(StrEnum):
    """How it dials, and by what it proves who it is."""

    PLAIN = "plain"
    """Unencrypted, by its key if it has one (security profiles 0 and 1 of OCPP)."""
    TLS = "tls"
    """Over TLS, by its key (profile 2)."""
    CERTIFICATE = "certificate"
    """Over TLS, by a certificate of its own (profile 3): it asks for one, and comes by its key until it has it."""


class MessageIds(StrEnum):
    """How the charge point numbers its calls."""

    RANDOM = "random"
    COUNTER = "counter"
    """Plain numbers that begin at 1 after each restart."""
    REPEATED = "repeated"
    """They look like chance, and are the same ones in the same order after each restart."""


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
    """In OCPP 2.x each of them is an EVSE with one connector."""
    version: OcppVersion = OcppVersion.V16
    name: str = ""
    mode: str = ""
    """What its owner chooses for it in whatever manages it; nothing here depends on that. Empty: nothing."""
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
    security: Security = Security.PLAIN
    clock_offset_s: float = 0.0
    clock_drift_ppm: float = 0.0
    takes_time: bool = False
    """Sets its clock by the central system's answers to BootNotification and Heartbeat."""
    sampling_s: int = 10
    """MeterValueSampleInterval that it is delivered with."""
    measurands: tuple[str, ...] = DEFAULT_MEASURANDS
    """What it measures as it is delivered; some are delivered with nothing."""
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
    steps_a: tuple[float, ...] = ()
    """The only currents that it can offer, ascending; between two of them it offers the lower. Empty: any."""
    switches_phases: bool = False
    """Connects the number of phases that a schedule asks for, while nothing flows; otherwise always all."""
    watts_by: WattsBy = WattsBy.WIRED
    station_maximum: StationMaximum = StationMaximum.SPLIT
    at_zero: AtZero = AtZero.SUSPENDS
    new_key: NewKey = NewKey.NEXT_CONNECT
    after_power_cut: AfterPowerCut = AfterPowerCut.ENDS
    message_ids: MessageIds = MessageIds.RANDOM
    register_per_transaction: bool = False
    """The energy register begins at 0 with each transaction."""
    begins_with_plug: bool = False
    """As delivered, an OCPP 2.x transaction begins with the plug, before anybody may charge."""
    vendor_settings: int = 0
    """How many settings of its vendor's own it has, each of 200 characters: asked for all, it answers at length."""
    main_meter: str = ""
    """Circuit whose currents it measures besides and tells as those of connector 0 (EVSE 0), as masters of clusters do;
    empty: none."""
    security_events: bool = False
    """Tells of security events such as a restart."""
    misbehaviour: Misbehaviour = field(default_factory=Misbehaviour)
    """What it does wrong from the beginning."""

    @property
    def serial_number(self) -> str:
        """Return the serial number, at most 25 characters as OCPP 1.6 demands."""
        return (self.serial if self.serial is not None else f"SIM-{self.identity}")[:25]
