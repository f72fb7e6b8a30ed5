"""What the tests of the simulator share: a central system, and sites that are stopped whatever happens."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest

from simulator import Scenario, SimClock, SimulatedSite, load_scenario
from simulator.charge_point import ChargePointSpec, OcppVersion

from .central_system import CentralSystem
from .stories_2 import VERSIONS

FACTOR = 25.0
"""How much faster than real time the simulated sites of the tests run."""

type RunSite = Callable[..., Awaitable[SimulatedSite]]


@pytest.fixture
async def central() -> AsyncIterator[CentralSystem]:
    system = CentralSystem()
    await system.start()
    yield system
    await system.stop()


@pytest.fixture
async def run_site(central: CentralSystem) -> AsyncIterator[RunSite]:
    """Start a site that dials the central system."""
    sites: list[SimulatedSite] = []

    async def run(scenario: Scenario, *, factor: float = FACTOR) -> SimulatedSite:
        site = SimulatedSite(scenario, clock=SimClock(factor=factor))
        sites.append(site)
        await site.start(central.url, secure_url=central.secure_url, trusted=central.certified.pem)
        return site

    yield run
    for site in sites:
        await site.stop()


@pytest.fixture
def quiet() -> Scenario:
    """Three charge points where nothing happens by itself."""
    return load_scenario("quiet")


@pytest.fixture
def one_point(quiet: Scenario) -> Callable[..., Scenario]:
    """Return the quiet site with its first charge point alone, changed as told."""

    def make(**changes: object) -> Scenario:
        point: ChargePointSpec = quiet.charge_points[0]
        changed = replace(point, **changes)  # type: ignore[arg-type] # the test names fields of the spec
        return replace(quiet, charge_points=(changed,))

    return make


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> OcppVersion:
    return OcppVersion(request.param)


@pytest.fixture
def point_2(one_point: Callable[..., Scenario], version: OcppVersion) -> Callable[..., Scenario]:
    """Return the quiet site with one charge point that speaks a version of 2.x."""

    def make(**changes: object) -> Scenario:
        return one_point(version=version, **changes)

    return make
