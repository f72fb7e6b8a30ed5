"""Simulated charge points of the second generation at the central system, over real sockets and in real time.

They were written by somebody who knows the specification and not this integration.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from functools import partial

import pytest

from custom_components.charge_cluster.chargers import (
    ChargeNowAsked,
    ChargerEvent,
    DrawSample,
    LimitOrder,
    LimitOutcome,
    NeedsTold,
    TransactionStarted,
    TransactionStopped,
    WentOnline,
)
from custom_components.charge_cluster.chargers.ocpp import OcppCharger
from custom_components.charge_cluster.ocpp.conversation import Terminals
from custom_components.charge_cluster.ocpp.listener import CentralSystem
from custom_components.charge_cluster.ocpp.versions import OcppVersion
from simulator import Scenario, SimulatedSite
from simulator.charge_point import ChargePointSpec, ConnectorSpec, OcppVersion as SimulatedVersion
from simulator.charge_point.spec import StartBy
from simulator.physics import CircuitSpec, Outlet, OutletSpec
from simulator.vehicle import CarSpec

from .surroundings import MemoryJournal

OUTLET = "CP1/1"
CAR = CarSpec(name="car", battery_kwh=90.0, soc=0.2, reaction_s=0.5, ramp_a_per_s=40.0)

type RunPoint = Callable[..., Awaitable[SimulatedSite]]


@pytest.fixture(params=[OcppVersion.V201, OcppVersion.V21])
def version(request: pytest.FixtureRequest) -> OcppVersion:
    return OcppVersion(request.param)


@pytest.fixture
async def run_point(central: CentralSystem, version: OcppVersion) -> AsyncIterator[RunPoint]:
    """Run a site with one charge point of the version that dials the central system."""
    sites: list[SimulatedSite] = []

    async def run(
        *,
        starts_by: StartBy = StartBy.PLUG,
        begins_with_plug: bool = False,
        rate_units: tuple[str, ...] = ("Current", "Power"),
    ) -> SimulatedSite:
        point = ChargePointSpec(
            identity="CP1",
            connectors=(ConnectorSpec(number=1, outlet_id=OUTLET),),
            version=SimulatedVersion(version.value),
            sampling_s=60,
            boot_s=0.1,
            applies_after_s=0.1,
            starts_by=starts_by,
            begins_with_plug=begins_with_plug,
            rate_units=rate_units,
        )
        site = SimulatedSite(
            Scenario(
                name="one",
                title="One",
                circuits=(CircuitSpec(circuit_id="supply", name="Supply", rating_a=(100.0,) * 3),),
                outlets=(OutletSpec(outlet_id=OUTLET, circuit_id="supply"),),
                charge_points=(point,),
                meters=(),
                arrivals=(),
            )
        )
        sites.append(site)
        await site.start(f"ws://127.0.0.1:{central.port}/ocpp/")
        return site

    yield run
    for site in sites:
        await site.stop()


def draws(outlet: Outlet, amps: float) -> bool:
    return abs(max(outlet.drawn) - amps) < 0.6


class Witness:
    """Hears what a charger tells, and waits for it."""

    def __init__(self, charger: OcppCharger) -> None:
        self.events: list[ChargerEvent] = []
        self._news = asyncio.Event()
        charger.listen(self._hear)

    def _hear(self, event: ChargerEvent) -> None:
        self.events.append(event)
        self._news.set()

    async def hears[E](self, kind: type[E], holds: Callable[[E], bool] = lambda _: True) -> E:
        """Wait until something was told of which this holds."""
        async with asyncio.timeout(30):
            while True:
                for event in self.events:
                    if isinstance(event, kind) and holds(event):
                        return event
                self._news.clear()
                await self._news.wait()


async def test_a_limit_is_obeyed_and_the_session_recorded(
    central: CentralSystem, run_point: RunPoint, journal: MemoryJournal, version: OcppVersion
) -> None:
    charger = OcppCharger(central.conversation("CP1"), [Terminals(connector=1)])
    witness = Witness(charger)
    site = await run_point()
    await witness.hears(WentOnline)
    assert charger.identity.protocol == f"OCPP {version.value}"
    assert await charger.provision_fallback(1, 0) is LimitOutcome.ACCEPTED
    site.plug(OUTLET, CAR)
    started = await witness.hears(TransactionStarted)
    outlet = site.truth.outlets[OUTLET]
    for amps in (12, 8):
        assert await charger.apply_limit(1, LimitOrder(amps=amps, fallback_a=0, validity_s=60)) is LimitOutcome.ACCEPTED
        await site.until(partial(draws, outlet, amps), within_s=15)
    # What it samples by itself comes later.
    await charger.measure(1)
    sample = await witness.hears(DrawSample, lambda told: 7 <= max(told.amps) <= 8.2)
    assert sample.amps == pytest.approx((8, 8, 8), abs=0.6)
    await charger.stop(1)
    stopped = await witness.hears(TransactionStopped)
    assert stopped.transaction_id == started.transaction_id
    assert stopped.meter_stop_wh > stopped.meter_start_wh
    (stored,) = journal.stored.values()
    assert str(stored.transaction_id) == started.transaction_id
    assert stored.charger_id is not None
    await site.until(lambda: max(outlet.drawn) == 0, within_s=10)
    await charger.close()


async def test_a_vehicle_is_let_in_from_here(central: CentralSystem, run_point: RunPoint) -> None:
    charger = OcppCharger(central.conversation("CP1"), [Terminals(connector=1)], start_tag="FREE")
    witness = Witness(charger)
    site = await run_point(starts_by=StartBy.REMOTE, begins_with_plug=True)
    await witness.hears(WentOnline)
    site.plug(OUTLET, CAR)
    await witness.hears(TransactionStarted, lambda told: told.id_tag == "FREE")
    outlet = site.truth.outlets[OUTLET]
    await site.until(lambda: max(outlet.drawn) > 10, within_s=20)
    await charger.close()


async def test_what_a_vehicle_tells_over_the_cable_is_heard(
    central: CentralSystem, run_point: RunPoint, version: OcppVersion
) -> None:
    charger = OcppCharger(central.conversation("CP1"), [Terminals(connector=1)])
    witness = Witness(charger)
    site = await run_point()
    await witness.hears(WentOnline)
    site.plug(OUTLET, replace(CAR, iso15118=True, stays_s=3600.0, wanted_kwh=20.0))
    needs = await witness.hears(NeedsTold)
    assert needs.energy_wh == pytest.approx(20_000, abs=100)
    assert needs.departure_at == pytest.approx(time.time() + 3600, abs=60)
    assert (needs.phases, charger.identity.protocol) == (3, f"OCPP {version.value}")
    await charger.close()


@pytest.mark.parametrize("version", [OcppVersion.V21], indirect=True)
async def test_a_driver_who_asks_at_the_charge_point_to_charge_now_is_heard(
    central: CentralSystem, run_point: RunPoint
) -> None:
    charger = OcppCharger(central.conversation("CP1"), [Terminals(connector=1)])
    witness = Witness(charger)
    site = await run_point()
    await witness.hears(WentOnline)
    site.plug(OUTLET, CAR)
    await witness.hears(TransactionStarted)
    site.ask_priority(OUTLET)
    assert (await witness.hears(ChargeNowAsked, lambda told: told.asked)).connector == 1
    site.ask_priority(OUTLET, asked=False)
    assert (await witness.hears(ChargeNowAsked, lambda told: not told.asked)).connector == 1
    await charger.close()


async def test_watts_are_those_of_each_phase_in_2_1_and_of_one_before(
    central: CentralSystem, run_point: RunPoint, version: OcppVersion
) -> None:
    """As long as nobody has seen on how many phases a vehicle draws, ten amps may flow on one of them only."""
    charger = OcppCharger(central.conversation("CP1"), [Terminals(connector=1)])
    witness = Witness(charger)
    site = await run_point(rate_units=("Power",))
    await witness.hears(WentOnline)
    assert await charger.provision_fallback(1, 0) is LimitOutcome.ACCEPTED
    site.plug(OUTLET, CAR)
    await witness.hears(TransactionStarted)
    point = site.charge_points["CP1"]
    outlet, connector = site.truth.outlets[OUTLET], point.connectors[1]

    order = LimitOrder(amps=10, fallback_a=0, validity_s=60)
    assert await charger.apply_limit(1, order) is LimitOutcome.ACCEPTED

    allowed = point.allowed_a(connector)
    if version is OcppVersion.V21:
        assert 9 <= allowed <= 10
        await site.until(partial(draws, outlet, allowed), within_s=15)
    else:
        # A third of it on each of three phases is too little to charge with.
        assert 3 <= allowed <= 10 / 3
        assert outlet.offered_a == 0
    await charger.close()
