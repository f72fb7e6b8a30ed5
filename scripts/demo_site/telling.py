"""One line of what happens: what truly flows, and what Home Assistant makes of it."""

from collections.abc import Iterable

from simulator.physics import Outlet

from .commissioning import SUPPLY
from .shown import Shown, shown_of
from .stage import Stage

FLOWS_A = 0.5


async def line(stage: Stage) -> str:
    """Return the present moment in one line.

    Raises:
        NotReachable: Home Assistant does not answer.
    """
    minutes, seconds = divmod(int(stage.simulated.now), 60)
    return f"{minutes:3d}:{seconds:02d}  {_truth(stage)}  ║ HA: {_said(await shown_of(stage.client, stage.site))}"


def _truth(stage: Stage) -> str:
    truth = stage.simulated.truth
    cars = [outlet for outlet in truth.outlets.values() if outlet.car is not None]
    parts = [f"{_cars(cars)}"]
    for circuit in stage.scenario.circuits:
        rating = f"of {min(circuit.rating_a):g} A"
        parts.append(f"{circuit.name} {_amps(truth.amps(circuit.circuit_id))} {rating}")
    supply = next(circuit for circuit in stage.scenario.circuits if circuit.parent_id is None)
    parts.insert(1, f"building {_amps(truth.base_load(supply.circuit_id))}")
    online = sum(point.connected for point in stage.simulated.charge_points.values())
    if online < len(stage.simulated.charge_points):
        parts.append(f"{online} of {len(stage.simulated.charge_points)} charge points online")
    return " │ ".join(parts)


def _cars(cars: Iterable[Outlet]) -> str:
    plugged = list(cars)
    return f"{sum(max(outlet.drawn) > FLOWS_A for outlet in plugged)} of {len(plugged)} cars charge"


def _amps(amps: Iterable[float]) -> str:
    return " ".join(f"{value:3.0f}" for value in amps)


def _said(shown: Shown) -> str:
    said = [
        f"load {shown.amps(SUPPLY, 'load')}",
        f"headroom {shown.amps(SUPPLY, 'headroom')}",
        f"{shown.circuit(SUPPLY, 'vehicles_charging') or '–'} charging",
        f"{shown.circuit(SUPPLY, 'waiting') or '–'} waiting",
        f"if all dies {shown.circuit(SUPPLY, 'if_all_dies') or '–'} A",
    ]
    surplus = shown.circuit(SUPPLY, "surplus")
    if surplus is not None:
        said.append(f"surplus {surplus} kW")
    for key, word in (("limited", "limited"), ("stale", "meter stale")):
        if shown.circuit(SUPPLY, key) == "on":
            said.append(word)
    return ", ".join(said)
