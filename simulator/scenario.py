"""What a scenario is: a site, its building load, the cars that come, and the faults that happen.

A scenario is data (`scenarios/*.yaml`, read by `scenario_file`) and can be built in Python just as well. Times are
virtual seconds from the start.
"""

from dataclasses import dataclass
from enum import StrEnum

from .charge_point import ChargePointSpec
from .meter import MeterSpec
from .physics import CircuitSpec, OutletSpec
from .vehicle import CarSpec

EVERYTHING = "*"
"""Target of a fault that befalls all charge points, or all meters."""


class FaultKind(StrEnum):
    """Everything that can be made to go wrong."""

    # Charge points.
    IGNORES_LIMITS = "ignores_limits"
    IGNORES_FORM = "ignores_form"
    """Accepts all profiles and obeys some. Value, what it ignores: "amps" or "transaction"."""
    REFUSES_PROFILES = "refuses_profiles"
    """Value: "rejected" or "error"."""
    DROPS = "drops"
    """Drops the connection, and makes no new one while the fault lasts."""
    HALF_OPEN = "half_open"
    ANSWERS_LATE = "answers_late"
    """Value: seconds."""
    RESENDS = "resends"
    """Value: "same_id" or "new_id"."""
    WRONG_UNITS = "wrong_units"
    SINGLE_PHASE_VALUES = "single_phase_values"
    NEVER_BOOTS = "never_boots"
    NO_SUBPROTOCOL = "no_subprotocol"
    IGNORES_PINGS = "ignores_pings"
    CALLS_AT_ONCE = "calls_at_once"
    EXPIRED_PREVAILS = "expired_prevails"
    EXTERNAL_LIMIT = "external_limit"
    """Somebody else limits all its connectors. Value: amps, 10 if none is given."""
    REBOOTS = "reboots"
    POWER_CUT = "power_cut"
    """The power comes back when the fault ends."""
    OUT_OF_ORDER = "out_of_order"
    """All its connectors are faulted. Value: an OCPP error code."""

    # Meters: the wire.
    METER_SILENT = "meter_silent"
    METER_LATE = "meter_late"
    """Value: seconds."""
    METER_SHORT = "meter_short"
    """Value: how many registers too few."""
    METER_WRONG_TRANSACTION = "meter_wrong_transaction"
    METER_EXCEPTION = "meter_exception"
    """Value: a Modbus exception code."""
    METER_CLOSES = "meter_closes"
    METER_DOWN = "meter_down"
    """Does not listen while the fault lasts: a restart."""

    # Meters: the values.
    METER_NAN = "meter_nan"
    METER_FROZEN = "meter_frozen"
    METER_LOST_PHASE = "meter_lost_phase"
    """Value: 1 to 3."""
    METER_EXPORTING = "meter_exporting"


METER_FAULTS = frozenset(kind for kind in FaultKind if kind.startswith("meter_"))

type FaultValue = str | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something goes wrong at a time."""

    kind: FaultKind
    target: str
    """Identity of a charge point, id of a meter, or `EVERYTHING`."""
    at_s: float = 0.0
    for_s: float | None = None
    """How long it lasts; None: for good."""
    value: FaultValue = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A car comes; where the outlet is taken it waits until that is free."""

    at_s: float
    outlet_id: str
    car: CarSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What energy costs: slots of equal length that repeat.

    Nothing here depends on it; whoever manages the site is told.
    """

    slot_s: float
    per_kwh: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Everything that happens at a site."""

    name: str
    title: str = ""
    seed: int = 0
    duration_s: float | None = None
    """After which it has told its story; it goes on if nobody stops it."""
    circuits: tuple[CircuitSpec, ...]
    outlets: tuple[OutletSpec, ...]
    charge_points: tuple[ChargePointSpec, ...]
    meters: tuple[MeterSpec, ...] = ()
    arrivals: tuple[Arrival, ...] = ()
    faults: tuple[Fault, ...] = ()
    prices: Prices | None = None
    powers_up_within_s: float = 2.0
    """Charge points start up spread over this time."""

    def __post_init__(self) -> None:
        """Check what refers to something else.

        Raises:
            ValueError: an outlet, circuit or target does not exist, or something appears twice.
        """
        outlets = {outlet.outlet_id for outlet in self.outlets}
        circuits = {circuit.circuit_id for circuit in self.circuits}
        identities = [point.identity for point in self.charge_points]
        meters = [meter.meter_id for meter in self.meters]
        for twice in [name for name in {*identities, *meters} if (identities + meters).count(name) > 1]:
            raise ValueError(f"{twice} appears twice")
        for meter in self.meters:
            if meter.circuit_id not in circuits:
                raise ValueError(f"meter {meter.meter_id} sits on circuit {meter.circuit_id}, which does not exist")
        for point in self.charge_points:
            if point.main_meter and point.main_meter not in circuits:
                raise ValueError(f"{point.identity} measures circuit {point.main_meter}, which does not exist")
        for arrival in self.arrivals:
            if arrival.outlet_id not in outlets:
                raise ValueError(f"{arrival.car.name} comes to outlet {arrival.outlet_id}, which does not exist")
        for fault in self.faults:
            possible = meters if fault.kind in METER_FAULTS else identities
            if fault.target not in (*possible, EVERYTHING):
                raise ValueError(f"{fault.kind} befalls {fault.target}, which does not exist")
