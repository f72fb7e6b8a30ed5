"""A physical site to run against: cars, OCPP charge points, a Modbus meter, building load.

It is the other side of the wire and knows nothing of the integration. `SimulatedSite` runs a `Scenario`;
`python -m simulator --help` does the same from the command line.
"""

from .clock import SimClock
from .scenario import Scenario
from .scenario_file import ScenarioError, load_scenario, scenario_names
from .site import SimulatedSite

__all__ = ["Scenario", "ScenarioError", "SimClock", "SimulatedSite", "load_scenario", "scenario_names"]
