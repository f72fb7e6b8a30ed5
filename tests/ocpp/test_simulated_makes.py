"""Makes that are known for something, over real sockets: charge points that say who they are and behave so."""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from custom_components.charge_cluster.chargers import (
    DrawSample,
    LimitOrder,
    LimitOutcome,
    Quirk,
    QuirkShown,
    TransactionStarted,
    TransactionStopped,
    WentOnline,
)
from custom_components.charge_cluster.chargers.ocpp import OcppCharger
from custom_components.charge_cluster.ocpp.conversation import Terminals
from custom_components.charge_cluster.ocpp.listener import CentralSystem
from simulator import Scenario, SimulatedSite
from simulator.charge_point import ChargePointSpec, ConnectorSpec, Misbehaviour
from simulator.charge_point.misbehaviour import EnergyForm
from simulator.charge_point.spec import AtZero
from simulator.physics import CircuitSpec, OutletSpec
from simulator.vehicle import CarSpec

from .surroundings import MemoryJournal
from .test_simulated import Witness, draws

OUTLET = "CP1/1"
CAR = CarSpec(name="car", battery_kwh=90.0, soc=0.2, reaction_s=0.5, ramp_a_per_s=40.0)
METERED_BEFORE_WH = 361_900.0

GO_E = {"vendor": "go-e", "model": "go-eCharger_V4", "firmware": "055.5"}
HUAWEI = {"vendor": "", "model": "ACChargePoint", "firmware": "V100R023C10SPC231"}
OPENEVSE = {"vendor": "OpenEVSE", "model": "Advanced Series", "firmware": "4.2.2"}

type RunMake = Callable[..., Awaitable[SimulatedSite]]


@pytest.fixture
async def run_make(central: CentralSystem) -> AsyncIterator[RunMake]:
    """Run a site with one charge point of a make that dials the central system."""
    sites: list[SimulatedSite] = []

    async def run(**spec: Any) -> SimulatedSite:
        point = ChargePointSpec(
            identity="CP1",
            connectors=(ConnectorSpec(number=1, outlet_id=OUTLET),),
            **{"sampling_s": 60, "boot_s": 0.1, "applies_after_s": 0.1} | spec,
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


@pytest.fixture
async def charger(central: CentralSystem) -> AsyncIterator[OcppCharger]:
    charger = OcppCharger(central.conversation("CP1"), [Terminals(connector=1)])
    yield charger
    await charger.close()


async def held_to(charger: OcppCharger, amps: float) -> None:
    order = LimitOrder(amps=amps, fallback_a=0, validity_s=60)
    assert await charger.apply_limit(1, order) is LimitOutcome.ACCEPTED


async def test_a_limit_that_was_lost_in_a_pause_is_sent_again_as_soon_as_the_vehicle_goes_on(
    charger: OcppCharger, run_make: RunMake
) -> None:
    witness = Witness(charger)
    site = await run_make(**GO_E, misbehaviour=Misbehaviour(forgets_limit_in_pause=True))
    await witness.hears(WentOnline)
    site.plug(OUTLET, CAR)
    await witness.hears(TransactionStarted)
    outlet = site.truth.outlets[OUTLET]
    for amps in (10, 0):
        await held_to(charger, amps)
        await site.until(partial(draws, outlet, amps), within_s=15)
    await site.until(lambda: witness_status(witness) == "SuspendedEVSE", within_s=15)

    await held_to(charger, 8)

    connector = site.charge_points["CP1"].connectors[1]
    assert connector.unlimited
    await site.until(lambda: not connector.unlimited, within_s=15)
    await site.until(partial(draws, outlet, 8), within_s=15)


async def test_one_that_is_not_known_for_it_is_held_again_by_the_next_renewal_alone(
    charger: OcppCharger, run_make: RunMake
) -> None:
    witness = Witness(charger)
    site = await run_make(misbehaviour=Misbehaviour(forgets_limit_in_pause=True))
    await witness.hears(WentOnline)
    site.plug(OUTLET, CAR)
    await witness.hears(TransactionStarted)
    outlet = site.truth.outlets[OUTLET]
    await held_to(charger, 0)
    await site.until(lambda: witness_status(witness) == "SuspendedEVSE", within_s=15)

    await held_to(charger, 8)
    await site.until(partial(draws, outlet, CAR.maximum_a), within_s=15)
    await held_to(charger, 8)

    await site.until(partial(draws, outlet, 8), within_s=15)


def witness_status(witness: Witness) -> str | None:
    """Return what the connector was last said to do."""
    told = [event.status for event in witness.events if hasattr(event, "status")]
    return told[-1] if told else None


async def test_a_make_that_ends_transactions_at_0_a_is_told_of_before_it_has_done_so(
    charger: OcppCharger, run_make: RunMake
) -> None:
    witness = Witness(charger)
    site = await run_make(**HUAWEI, rate_units=("Power",), at_zero=AtZero.ENDS_TRANSACTION)
    shown = await witness.hears(QuirkShown)
    assert (shown.quirk, shown.gone) == (Quirk.ZERO_ENDS_TRANSACTIONS, False)
    assert [event for event in witness.events if isinstance(event, TransactionStopped)] == []

    site.plug(OUTLET, CAR)
    await witness.hears(TransactionStarted)
    # In watts that is a third of it on each phase.
    await held_to(charger, 32)
    await site.until(lambda: max(site.truth.outlets[OUTLET].drawn) > 6, within_s=15)
    await held_to(charger, 0)

    stopped = await witness.hears(TransactionStopped)
    assert stopped.reason == "Other"


async def test_kwh_that_are_called_wh_are_counted_as_what_they_are(
    charger: OcppCharger, run_make: RunMake, journal: MemoryJournal
) -> None:
    witness = Witness(charger)
    site = await run_make(**OPENEVSE, misbehaviour=Misbehaviour(energy=EnergyForm.WHOLE_KWH_AS_WH))
    await witness.hears(WentOnline)
    outlet = site.truth.outlets[OUTLET]
    outlet.register_wh = METERED_BEFORE_WH
    site.plug(OUTLET, CAR)
    await witness.hears(TransactionStarted)
    await site.until(lambda: max(outlet.drawn) > 10, within_s=15)
    await charger.measure(1)
    sample = await witness.hears(DrawSample, lambda told: told.energy_wh is not None)
    outlet.register_wh = METERED_BEFORE_WH + 1000.0
    site.unplug(OUTLET)
    stopped = await witness.hears(TransactionStopped)

    assert sample.energy_wh == pytest.approx(361_000)
    assert (stopped.meter_start_wh, stopped.meter_stop_wh) == (361_000, 362_000)
    (stored,) = journal.stored.values()
    assert (stored.meter_start_wh, stored.meter_stop_wh) == (361_000, 362_000)
