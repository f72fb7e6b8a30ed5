"""Words that the tests of charge points share: cars, profiles, and what a charge point tells."""

from collections.abc import Callable
from typing import Any

from simulator import Scenario
from simulator.vehicle import CarSpec

from .central_system import CentralSystem, Heard

type OnePoint = Callable[..., Scenario]

OUTLET = "CP-01/1"


def a_car(**fields: Any) -> CarSpec:
    facts: dict[str, Any] = {"name": "car", "reaction_s": 5.0, "ramp_a_per_s": 100.0, **fields}
    return CarSpec(**facts)


def a_profile(*limits: tuple[int, float], purpose: str = "TxDefaultProfile", **changes: Any) -> dict[str, Any]:
    schedule = {
        "chargingRateUnit": changes.pop("unit", "A"),
        "chargingSchedulePeriod": [{"startPeriod": start, "limit": limit} for start, limit in limits],
    }
    return {
        "chargingProfileId": 1,
        "stackLevel": 0,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute",
        "chargingSchedule": schedule,
        **changes,
    }


async def limit(central: CentralSystem, *limits: tuple[int, float], connector: int = 1, **changes: Any) -> str:
    answer = await central.call(
        "CP-01", "SetChargingProfile", {"connectorId": connector, "csChargingProfiles": a_profile(*limits, **changes)}
    )
    return str(answer["status"])


def drawn(heard: Heard) -> list[float]:
    """Return the currents that MeterValues report."""
    sampled = heard.payload["meterValue"][0]["sampledValue"]
    return [float(one["value"]) for one in sampled if one["measurand"] == "Current.Import"]
