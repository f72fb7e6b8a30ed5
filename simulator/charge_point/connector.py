"""One connector of a charge point: its car, its transaction, its pilot signal and its status.

A connector is moved on by `tick`; it never waits. Whatever it has to say goes through its station, which knows whether
the central system can be reached.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from ..physics import Outlet
from ..vehicle import PILOT_MINIMUM_A, Car
from .configuration import Configuration
from .measurands import Instant, Reading, Reporting, readings_of
from .misbehaviour import EnergyForm, Misbehaviour
from .reservations import Reservations
from .spec import AtZero, ChargePointSpec, ConnectorSpec, StartBy
from .voice import Voice

FREE_VEND_AFTER_S = 2.0
"""From plugging in to a transaction that needs no card."""

NO_TRANSACTION = -1
"""Transaction id of a transaction that the central system never gave an id."""


JUMPS_AT_EVERY, JUMP_WH = 4, 1100.0
"""At every how many samples a register leaps that does so, and by how much."""

TRICKLE_A = 1.0
"""What flows where a charge point goes on at a limit that is too low to charge with."""


class Status(StrEnum):
    """ChargePointStatus of OCPP 1.6."""

    AVAILABLE = "Available"
    PREPARING = "Preparing"
    CHARGING = "Charging"
    SUSPENDED_EV = "SuspendedEV"
    SUSPENDED_EVSE = "SuspendedEVSE"
    FINISHING = "Finishing"
    RESERVED = "Reserved"
    UNAVAILABLE = "Unavailable"
    FAULTED = "Faulted"


@dataclass(slots=True, kw_only=True)
class Transaction:
    """One transaction, from the charge point's point of view."""

    tag: str | None
    """None: it began with the plug, and nobody may charge yet."""
    began_at: float
    """Virtual seconds."""
    began_utc: float
    """By the charge point's clock."""
    register_wh: float
    """The outlet's register when it began."""
    transaction_id: int | str | None = None
    """None: the central system has not given one yet. In OCPP 2.x the charge point chooses it."""
    next_sample_at: float = 0.0
    reservation_id: int | None = None
    remote: bool = False
    """The central system asked for it."""

    @property
    def authorised(self) -> bool:
        """Return whether current may flow."""
        return self.tag is not None


class Station(Protocol):
    """What a connector needs of its charge point."""

    spec: ChargePointSpec
    configuration: Configuration
    misbehaviour: Misbehaviour
    voice: Voice
    reservations: Reservations

    @property
    def volts(self) -> float:
        """Return the present voltage of a phase."""

    @property
    def may_begin(self) -> bool:
        """Return whether a transaction may begin now, as far as the central system is concerned."""

    def utc(self) -> float:
        """Return what the charge point's clock shows."""

    def allowed_a(self, connector: Connector) -> float:
        """Return what the charging profiles allow now."""

    def asked_phases(self, connector: Connector) -> int:
        """Return how many phases the charging profiles ask for now."""

    def authorise(self, connector: Connector, tag: str) -> None:
        """Ask whether a tag may charge; the answer comes as `Connector.tag_answered`."""

    def forget_profiles(self, connector: Connector) -> None:
        """Forget the charging profiles of a connector's transaction."""

    def status_changed(self, connector: Connector) -> None:
        """Send StatusNotification, now or when it can be sent."""


class Connector:
    """A connector and what goes on there."""

    def __init__(self, spec: ConnectorSpec, outlet: Outlet, station: Station) -> None:
        """Begin available."""
        self.number = spec.number
        self.spec = spec
        self.outlet = outlet
        self.transaction: Transaction | None = None
        self.status = Status.AVAILABLE
        self.reported: Status | None = None
        """The status that the central system was told last; None: none since the restart."""
        self.settled = Status.AVAILABLE
        """The last status that lasted."""
        self.operative = True
        self.inoperative_when_free = False
        self.fault: str | None = None
        """An OCPP error code while the connector is out of order."""
        self.unlimited = False
        """Whether it forgot the profile that lifted its pause."""
        self._station = station
        self._car: Car | None = None
        self._finished = False
        self._begin_at: float | None = None
        self._asked = False
        self._refused = False
        self._remote_tag: str | None = None
        self._remote_until = 0.0
        self._target_a = 0.0
        self._target_at = 0.0
        self._status_since = 0.0
        self._samples = 0
        self._jumped_wh = 0.0

    @property
    def transaction_id(self) -> int | str | None:
        """Return the id of the running transaction, None where it has none yet or none runs."""
        return None if self.transaction is None else self.transaction.transaction_id

    def tick(self, now: float) -> None:
        """Move on to a virtual moment; the charge point has power."""
        self._notice_car(now)
        self._begin_when_due(now)
        self._set_pilot(now)
        self._judge_status(now)
        self._sample_when_due(now)

    def lose_power(self) -> None:
        """Forget everything that is not stored; a transaction stays until the station decides on it."""
        self.status = self.settled = Status.AVAILABLE
        self.reported = None
        self.inoperative_when_free = False
        self._car = None
        self._finished = False
        self._begin_at = None
        self._asked = self._refused = False
        self._remote_tag = None
        self._target_a = 0.0

    @property
    def car(self) -> Car | None:
        """Return the car that it has noticed."""
        return self._car

    @property
    def free(self) -> bool:
        """Return whether nobody charges or waits to charge."""
        return self.transaction is None or not self.transaction.authorised

    def start_remotely(self, tag: str, now: float) -> None:
        """Begin a transaction for a tag once a car is there, if it comes within the connection time-out."""
        self._remote_tag = tag
        self._remote_until = now + self._station.configuration.number("ConnectionTimeOut")

    def tag_answered(self, tag: str, *, accepted: bool, now: float) -> None:
        """Take the central system's answer to a shown tag."""
        self._asked = False
        if accepted:
            self.begin(tag, now)
        else:
            self._refused = True

    def begin(self, tag: str, now: float, *, remote: bool = False) -> None:
        """Begin a transaction, or let one that began with the plug charge; nothing happens where no car is."""
        if self._car is None or not self.free or not self._station.reservations.admit(self.number, tag):
            return
        self._begin_at = None
        self._remote_tag = None
        self._finished = False
        opened = self.transaction
        if opened is None:
            opened = self._new_transaction(now)
            self._serve(opened, tag, remote=remote)
            self._station.voice.say_started(self, opened)
        else:
            self._serve(opened, tag, remote=remote)
            self._station.voice.say_authorised(self, opened)

    def open(self, now: float) -> None:
        """Begin a transaction with the plug; current may flow once it is authorised."""
        if self.transaction is None and self._car is not None:
            self.transaction = self._new_transaction(now)
            self._station.voice.say_started(self, self.transaction)

    def end(self, reason: str) -> None:
        """End the running transaction; the car may still be plugged in."""
        transaction = self.transaction
        if transaction is None:
            return
        names = self._station.configuration.names("StopTxnSampledData")
        readings = self.readings(names, "Transaction.End")
        self.transaction = None
        self._finished = True
        self._station.voice.say_stopped(self, transaction, reason, readings)
        self._station.forget_profiles(self)
        if self.inoperative_when_free:
            self.inoperative_when_free = False
            self.operative = False

    def _new_transaction(self, now: float) -> Transaction:
        self._samples = 0
        interval = self._station.configuration.number("MeterValueSampleInterval")
        transaction = Transaction(
            tag=None,
            began_at=now,
            began_utc=self._station.utc(),
            register_wh=self.outlet.register_wh,
            next_sample_at=now + interval,
        )
        self.transaction = transaction
        return transaction

    def _serve(self, transaction: Transaction, tag: str, *, remote: bool) -> None:
        transaction.tag = tag
        transaction.remote = remote
        transaction.reservation_id = self._station.reservations.use(self.number, tag)

    def start_answered(self, transaction: Transaction, *, accepted: bool) -> None:
        """Take what the central system says of the tag of a transaction that runs already."""
        if accepted or transaction is not self.transaction:
            return
        if self._station.configuration.flag("StopTransactionOnInvalidId"):
            self.end("DeAuthorized")

    def set_operative(self, *, operative: bool) -> str:
        """Take it out of service or back; return the status that ChangeAvailability answers with."""
        if not operative and self.transaction is not None:
            self.inoperative_when_free = True
            return "Scheduled"
        self.inoperative_when_free = False
        self.operative = operative
        return "Accepted"

    def register(self, transaction: Transaction | None) -> int:
        """Return what the energy register shows, in Wh."""
        register_wh = self.outlet.register_wh - self._register_offset(transaction)
        if self._station.misbehaviour.energy is EnergyForm.WHOLE_KWH_AS_WH:
            return int(register_wh // 1000.0)
        return round(register_wh)

    def readings(self, measurands: tuple[str, ...], context: str) -> list[Reading]:
        """Return what its meter reads now."""
        misbehaviour = self._station.misbehaviour
        self._samples += 1
        if misbehaviour.register_jumps and self._samples % JUMPS_AT_EVERY == 0:
            self._jumped_wh += JUMP_WH
        energy = misbehaviour.energy
        if energy is EnergyForm.KWH_AT_END:
            energy = EnergyForm.KWH if context == "Transaction.End" else None
        if misbehaviour.wrong_units:
            energy = EnergyForm.KWH if self._samples % 2 == 0 else None
        reporting = Reporting(
            context=context,
            register_offset_wh=self._register_offset(self.transaction),
            energy=energy,
            currents=misbehaviour.currents,
            single_phase=misbehaviour.single_phase_values,
            power_stays_zero=misbehaviour.power_stays_zero,
        )
        instant = Instant(outlet=self.outlet, volts=self._station.volts, reporting=reporting)
        return readings_of(instant, measurands)

    def _register_offset(self, transaction: Transaction | None) -> float:
        if transaction is None or not self._station.spec.register_per_transaction:
            return -self._jumped_wh
        return transaction.register_wh - self._jumped_wh

    def _notice_car(self, now: float) -> None:
        car = self.outlet.car
        if car is self._car:
            if car is None:
                self.end("EVDisconnected")  # it left while there was no power
            return
        left = self._car
        self._car = car
        if left is not None:
            self.end("EVDisconnected")
            self._finished = self._asked = self._refused = False
            self._begin_at = None
        if car is None:
            return
        self._station.voice.car_came(self)
        match self._station.spec.starts_by:
            case StartBy.PLUG:
                self._begin_at = now + FREE_VEND_AFTER_S
            case StartBy.TAG:
                self._begin_at = now + car.spec.tag_after_s

    def _begin_when_due(self, now: float) -> None:
        if self._remote_tag is not None and now > self._remote_until:
            self._remote_tag = None
        if self._car is None or not self.free or not self.operative or self.fault is not None:
            return
        if self._remote_tag is not None:
            self.begin(self._remote_tag, now, remote=True)
            return
        due = self._begin_at is not None and now >= self._begin_at
        if not due or self._asked or self._refused or not self._station.may_begin:
            return
        if self._station.spec.starts_by is StartBy.PLUG:
            self.begin(self._station.spec.id_tag, now)
        elif self._car.spec.id_tag is not None:
            self._asked = True
            self._station.authorise(self, self._car.spec.id_tag)

    def _set_pilot(self, now: float) -> None:
        amps = self._wanted_pilot_a()
        if self.transaction is not None and not self.outlet.switch_to(self._station.asked_phases(self)):
            # It withdraws the pilot signal until the car has let go.
            amps = 0.0
        if amps < self._target_a and amps == 0.0 and self._station.spec.at_zero is AtZero.ENDS_TRANSACTION:
            self.end("Other")
        if amps != self._target_a:
            self._target_a = amps
            self._target_at = now + self._station.spec.applies_after_s
        if now >= self._target_at:
            self.outlet.offer(self._target_a, now)
        trickles = self._station.spec.at_zero is AtZero.TRICKLES and not self.free and self.outlet.offered_a == 0.0
        self.outlet.trickle_a = TRICKLE_A if trickles else 0.0

    def _wanted_pilot_a(self) -> float:
        if self.free or not self.operative or self.fault is not None:
            return 0.0
        spec = self._station.spec
        amps = self._station.allowed_a(self)
        if spec.whole_amps:
            amps = float(int(amps + 1e-9))
        if spec.steps_a:
            amps = max((step for step in spec.steps_a if step <= amps + 1e-9), default=0.0)
        if amps >= PILOT_MINIMUM_A:
            return min(amps, self.spec.maximum_a)
        return PILOT_MINIMUM_A if spec.at_zero is AtZero.KEEPS_MINIMUM else 0.0

    def _judge_status(self, now: float) -> None:
        status = self._present_status()
        if status is not self.status:
            self.status = status
            self._status_since = now
        settled = now - self._status_since >= self._station.configuration.number("MinimumStatusDuration")
        if settled and self.status is not self.settled:
            self.settled = self.status
            self._station.voice.charging_changed(self)
        if self.status is not self.reported and (settled or self.reported is None):
            self._station.status_changed(self)

    def _present_status(self) -> Status:
        if self.fault is not None:
            return Status.FAULTED
        if not self.operative:
            return Status.UNAVAILABLE
        if self.free or self._car is None:
            if self._car is None:
                if self._remote_tag is not None:
                    return Status.PREPARING
                return Status.RESERVED if self._station.reservations.holds(self.number) else Status.AVAILABLE
            return Status.FINISHING if self._finished else Status.PREPARING
        if self.outlet.offered_a == 0.0:
            says_charging = self._station.spec.at_zero in (AtZero.SAYS_CHARGING, AtZero.TRICKLES)
            return Status.CHARGING if says_charging else Status.SUSPENDED_EVSE
        return Status.CHARGING if self._car.takes_current else Status.SUSPENDED_EV

    def _sample_when_due(self, now: float) -> None:
        transaction = self.transaction
        interval = self._station.configuration.number("MeterValueSampleInterval")
        if transaction is None or interval == 0 or now < transaction.next_sample_at:
            return
        transaction.next_sample_at = max(transaction.next_sample_at + interval, now)
        names = self._station.configuration.names("MeterValuesSampledData")
        context = "Sample.Periodic"
        if names:
            self._station.voice.say_values(self, transaction, self.readings(names, context), context)
