"""The truth of a site: supply, clusters, outlets, cars and building load, and every ampere that flows.

Pure: no sockets, no clock of its own, nothing of OCPP or Modbus. Charge points set what an outlet offers, meters read
what a circuit carries, and `SiteTruth.step` moves time. Currents are in amps per supply phase and add up as in phase
with each other (power factor 1); an outlet's own terminals are mapped onto supply phases by its rotation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .building import NO_LOAD, LoadProgramme, SupplyAmps
from .overload import CircuitAccount
from .vehicle import NOTHING, PILOT_MINIMUM_A, Car, CarSpec, OwnAmps

NOMINAL_VOLTAGE_V = 230.0

SUPPLY_IMPEDANCE_OHM = 0.03
"""Resistance of one conductor up to the site: 100 A lower the voltage by 3 V."""

CONTACTOR_OPENS_AFTER_S = 6.0
"""A charge point opens its contactor so long after it withdrew the pilot signal, if the car goes on (IEC 61851-1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitSpec:
    """The supply (no parent) or a cluster."""

    circuit_id: str
    name: str = ""
    parent_id: str | None = None
    rating_a: SupplyAmps
    load: LoadProgramme = field(default_factory=LoadProgramme)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutletSpec:
    """Where one car can be plugged in."""

    outlet_id: str
    circuit_id: str
    rotation: tuple[int, ...] = (0, 1, 2)
    """Supply phase (0–2) of each of its terminals L1, L2, L3; one entry: a single-phase outlet."""
    maximum_a: float = 32.0


@dataclass(slots=True, kw_only=True)
class Session:
    """One stay of one car, as it truly was."""

    car: str
    outlet_id: str
    phases: int
    plugged_at: float
    wanted_wh: float
    delivered_wh: float = 0.0
    first_current_at: float | None = None
    unplugged_at: float | None = None
    sated: bool = False
    starts: int = 0
    """How often current began to flow."""
    phase_switches: int = 0
    """How often the contactors connected another number of phases."""


class Outlet:
    """A socket or a lead: the pilot signal, the contactor and the energy register of one connector."""

    def __init__(self, spec: OutletSpec) -> None:
        """Begin without a car and with the contactor open."""
        self.spec = spec
        self.phases = len(spec.rotation)
        self.connected_phases = self.phases
        """How many of them its contactors connect, the first ones."""
        self.phase_switches = 0
        """How often that changed since the car was plugged in."""
        self.car: Car | None = None
        self.offered_a = 0.0
        self.drawn: OwnAmps = NOTHING
        self.register_wh = 0.0
        self.trickle_a = 0.0
        """What flows on each phase of the car although no pilot signal is given; no outlet should do that."""
        self._withdrawn_at: float | None = None

    def offer(self, amps: float, now: float) -> None:
        """Set the pilot signal; less than 6 A withdraws it, more than the hardware's maximum is impossible."""
        amps = min(amps, self.spec.maximum_a) if amps >= PILOT_MINIMUM_A else 0.0
        if amps == self.offered_a:
            return
        self._withdrawn_at = now if amps == 0.0 else None
        self.offered_a = amps
        if self.car is not None:
            self.car.offer(amps, now)

    @property
    def at_rest(self) -> bool:
        """Return whether nothing flows, and no car is about to begin after a signal that was given until now."""
        return not any(self.drawn) and self.offered_a == 0.0 and (self.car is None or not self.car.expects_current)

    def connect(self, phases: int) -> None:
        """Connect another number of phases.

        Raises:
            ContactorsUnderLoad: current flows, or may begin to at any moment.
        """
        if not self.at_rest:
            raise ContactorsUnderLoad(f"{self.spec.outlet_id} offers {self.offered_a} and draws {self.drawn}")
        connected = min(phases, self.phases)
        self.phase_switches += connected != self.connected_phases
        self.connected_phases = connected

    def switch_to(self, phases: int) -> bool:
        """Connect another number of phases as soon as the car has let go; return whether so many are connected."""
        phases = min(phases, self.phases)
        if phases != self.connected_phases and self.at_rest:
            self.connect(phases)
        return phases == self.connected_phases

    def cut_off(self, now: float) -> None:
        """Open the contactor at once, as a loss of power does."""
        self.offer(0.0, now)
        self.trickle_a = 0.0
        self.drawn = NOTHING
        if self.car is not None:
            self.car.cut_off()

    def step(self, now: float, dt: float, volts: float) -> None:
        """Let the car follow for `dt` seconds up to `now`, and count the energy."""
        car = self.car
        if car is None:
            return
        car.step(now, dt)
        if self._withdrawn_at is not None and now - self._withdrawn_at >= CONTACTOR_OPENS_AFTER_S:
            car.cut_off()
            self._withdrawn_at = None
        self.drawn = car.drawn(self.connected_phases)
        if self.trickle_a and self.drawn is NOTHING and not car.sated:
            self.drawn = car.trickle(self.trickle_a, self.connected_phases)
        energy = sum(self.drawn) * volts * dt / 3600.0
        if energy > 0.0:
            self.register_wh += energy
            car.receive(energy)


class ContactorsUnderLoad(Exception):
    """The phases of an outlet are not switched while current flows or is offered."""


class OutletTaken(Exception):
    """A second car cannot be plugged into the same outlet."""


@dataclass(slots=True)
class _Branch:
    """A circuit while it is being added up."""

    spec: CircuitSpec
    account: CircuitAccount
    parent: _Branch | None = None
    load_override: SupplyAmps | None = None
    base: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    total: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])


class SiteTruth:
    """The whole site at one moment; `step` moves it on."""

    def __init__(self, circuits: Sequence[CircuitSpec], outlets: Sequence[OutletSpec]) -> None:
        """Build the tree.

        Raises:
            ValueError: a parent or circuit is unknown, an id is used twice, a rotation is impossible, or there is not
                exactly one supply.
        """
        self.now = 0.0
        self.volts = NOMINAL_VOLTAGE_V
        self._branches = _tree(circuits)
        self._upwards = sorted(self._branches.values(), key=_depth, reverse=True)
        self._supply = self._upwards[-1]
        self.accounts: Mapping[str, CircuitAccount] = {
            circuit_id: branch.account for circuit_id, branch in self._branches.items()
        }
        self.outlets: dict[str, Outlet] = {}
        self._wiring: list[tuple[Outlet, _Branch]] = []
        for spec in outlets:
            self._connect(spec)
        self.sessions: list[Session] = []
        self._running: dict[str, Session] = {}
        self._add_up()

    def amps(self, circuit_id: str) -> SupplyAmps:
        """Return all that flows through a circuit."""
        total = self._branches[circuit_id].total
        return (total[0], total[1], total[2])

    def base_load(self, circuit_id: str) -> SupplyAmps:
        """Return what flows through a circuit besides charging."""
        base = self._branches[circuit_id].base
        return (base[0], base[1], base[2])

    def set_base_load(self, circuit_id: str, amps: SupplyAmps | None) -> None:
        """Replace the programme of a circuit's own load by a constant; None: the programme again."""
        self._branches[circuit_id].load_override = amps

    def plug(self, outlet_id: str, spec: CarSpec) -> Car:
        """Plug a car in now.

        Raises:
            OutletTaken: another car stands there.
        """
        outlet = self.outlets[outlet_id]
        if outlet.car is not None:
            raise OutletTaken(f"{outlet.car.spec.name} is plugged in at {outlet_id}")
        car = Car(spec, plugged_at=self.now)
        outlet.car = car
        outlet.phase_switches = 0
        car.offer(outlet.offered_a, self.now)
        session = Session(
            car=spec.name,
            outlet_id=outlet_id,
            phases=min(spec.phases, outlet.phases),
            plugged_at=self.now,
            wanted_wh=car.wanted_wh,
        )
        self.sessions.append(session)
        self._running[outlet_id] = session
        return car

    def unplug(self, outlet_id: str) -> None:
        """Pull the plug; nothing happens where no car is."""
        outlet = self.outlets[outlet_id]
        if outlet.car is None:
            return
        self._note(outlet_id, outlet.car)
        self._running.pop(outlet_id).unplugged_at = self.now
        outlet.car = None
        outlet.drawn = NOTHING

    def step(self, dt: float) -> None:
        """Move on by `dt` seconds: what flows at the end is taken as flowing all the time."""
        if dt <= 0.0:
            return
        self.now += dt
        for outlet in self.outlets.values():
            outlet.step(self.now, dt, self.volts)
        self._add_up()
        for branch in self._upwards:
            total, base = branch.total, branch.base
            branch.account.add((total[0], total[1], total[2]), (base[0], base[1], base[2]), self.volts, dt)
        self.volts = NOMINAL_VOLTAGE_V - SUPPLY_IMPEDANCE_OHM * sum(self._supply.total) / 3.0

    def settle_sessions(self) -> None:
        """Bring the sessions that still run up to date."""
        for outlet_id in self._running:
            car = self.outlets[outlet_id].car
            if car is not None:
                self._note(outlet_id, car)

    def _note(self, outlet_id: str, car: Car) -> None:
        session = self._running[outlet_id]
        session.delivered_wh = car.delivered_wh
        session.first_current_at = car.first_current_at
        session.sated = car.sated
        session.starts = car.starts
        session.phase_switches = self.outlets[outlet_id].phase_switches

    def _connect(self, spec: OutletSpec) -> None:
        if spec.outlet_id in self.outlets:
            raise ValueError(f"outlet {spec.outlet_id} appears twice")
        if spec.circuit_id not in self._branches:
            raise ValueError(f"outlet {spec.outlet_id} hangs on circuit {spec.circuit_id}, which does not exist")
        if len(spec.rotation) not in (1, 3) or len(set(spec.rotation)) != len(spec.rotation):
            raise ValueError(f"outlet {spec.outlet_id} has the impossible rotation {spec.rotation}")
        if not set(spec.rotation) <= {0, 1, 2}:
            raise ValueError(f"outlet {spec.outlet_id} is wired to a phase that does not exist: {spec.rotation}")
        outlet = Outlet(spec)
        self.outlets[spec.outlet_id] = outlet
        self._wiring.append((outlet, self._branches[spec.circuit_id]))

    def _add_up(self) -> None:
        for branch in self._upwards:
            load = branch.load_override
            if load is None:
                load = branch.spec.load.amps_at(self.now)
            branch.base[:] = load
            branch.total[:] = load
        for outlet, branch in self._wiring:
            if outlet.drawn is NOTHING:
                continue
            total = branch.total
            for terminal, phase in enumerate(outlet.spec.rotation):
                total[phase] += outlet.drawn[terminal]
        for branch in self._upwards:
            parent = branch.parent
            if parent is None:
                continue
            for phase in (0, 1, 2):
                parent.base[phase] += branch.base[phase]
                parent.total[phase] += branch.total[phase]


def _tree(circuits: Sequence[CircuitSpec]) -> dict[str, _Branch]:
    branches: dict[str, _Branch] = {}
    for spec in circuits:
        if spec.circuit_id in branches:
            raise ValueError(f"circuit {spec.circuit_id} appears twice")
        branches[spec.circuit_id] = _Branch(spec, CircuitAccount(spec.rating_a))
    supplies = [spec.circuit_id for spec in circuits if spec.parent_id is None]
    if len(supplies) != 1:
        raise ValueError(f"a site has exactly one supply, not {len(supplies)}: {', '.join(supplies)}")
    for branch in branches.values():
        parent_id = branch.spec.parent_id
        if parent_id is None:
            continue
        if parent_id not in branches:
            raise ValueError(f"circuit {branch.spec.circuit_id} hangs on {parent_id}, which does not exist")
        branch.parent = branches[parent_id]
    for branch in branches.values():
        _depth(branch)
    return branches


def _depth(branch: _Branch) -> int:
    depth = 0
    above = branch.parent
    seen = {branch.spec.circuit_id}
    while above is not None:
        if above.spec.circuit_id in seen:
            raise ValueError(f"circuit {branch.spec.circuit_id} is its own ancestor")
        seen.add(above.spec.circuit_id)
        depth += 1
        above = above.parent
    return depth


__all__ = [
    "CONTACTOR_OPENS_AFTER_S",
    "NOMINAL_VOLTAGE_V",
    "NO_LOAD",
    "CircuitSpec",
    "ContactorsUnderLoad",
    "Outlet",
    "OutletSpec",
    "OutletTaken",
    "Session",
    "SiteTruth",
]
