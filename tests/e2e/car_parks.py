"""Car parks for the end-to-end tests, built in code: small, quick to boot, and exactly known."""

from simulator import Scenario
from simulator.building import LoadChange, LoadProgramme
from simulator.charge_point import ChargePointSpec, ConnectorSpec, OcppVersion
from simulator.meter import MeterKind, MeterSpec
from simulator.physics import CircuitSpec, OutletSpec
from simulator.scenario import Arrival
from simulator.vehicle import CarSpec

ROTATIONS = ((0, 1, 2), (1, 2, 0), (2, 0, 1))
METER = "supply-meter"
NEVER_S = 1_000_000.0

CLUSTER_A, CLUSTER_B = "cluster-a", "cluster-b"


def a_car(name: str, **traits: object) -> CarSpec:
    """Return a three-phase car that follows its pilot signal in 6 s and stays hungry."""
    return CarSpec(**{"name": name, "battery_kwh": 90.0, "soc": 0.2, "reaction_s": 6.0, **traits})  # type: ignore[arg-type]  # the traits are the test's words


def a_car_park(
    *,
    name: str,
    rating_a: float,
    cluster_a: float = 100.0,
    points: int,
    base_load_a: float = 20.0,
    worst_base_load_a: float = 60.0,
    cars: int,
    spare: int = 0,
    sampling_s: int = 3,
    versions: tuple[OcppVersion, ...] = (OcppVersion.V16,),
) -> Scenario:
    """Return a car park with its charge points in turn on two clusters and a car at each of the first.

    Versions of OCPP are spoken in turn. The worst base load never comes by itself; it is what the electrician declares.
    Spare charge points have power and dial in like the others.
    """
    total = points + spare
    identities = [f"P{number:02d}" for number in range(1, total + 1)]
    rotation = {identity: ROTATIONS[number // 2 % 3] for number, identity in enumerate(identities)}
    programme = LoadProgramme(
        changes=(
            LoadChange(at_s=0.0, amps=(base_load_a,) * 3),
            LoadChange(at_s=NEVER_S, amps=(worst_base_load_a,) * 3),
        )
    )
    return Scenario(
        name=name,
        title=name,
        circuits=(
            CircuitSpec(circuit_id="supply", name="Car park", rating_a=(rating_a,) * 3, load=programme),
            CircuitSpec(circuit_id=CLUSTER_A, name="Cluster A", parent_id="supply", rating_a=(cluster_a,) * 3),
            CircuitSpec(circuit_id=CLUSTER_B, name="Cluster B", parent_id="supply", rating_a=(100.0,) * 3),
        ),
        outlets=tuple(
            OutletSpec(
                outlet_id=f"{identity}/1",
                circuit_id=(CLUSTER_A, CLUSTER_B)[number % 2],
                rotation=rotation[identity],
            )
            for number, identity in enumerate(identities)
        ),
        charge_points=tuple(
            ChargePointSpec(
                identity=identity,
                name=f"Bay {identity[1:]}",
                connectors=(ConnectorSpec(number=1, outlet_id=f"{identity}/1"),),
                sampling_s=sampling_s,
                boot_s=1.0,
                version=versions[number % len(versions)],
            )
            for number, identity in enumerate(identities)
        ),
        meters=(MeterSpec(meter_id=METER, circuit_id="supply", kind=MeterKind.SUNSPEC, latency_s=0.3),),
        arrivals=tuple(
            Arrival(at_s=0.0, outlet_id=f"{identity}/1", car=a_car(f"car at {identity}"))
            for identity in identities[:cars]
        ),
    )
