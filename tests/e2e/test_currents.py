"""What flows when something happens at the site: loads that jump, meters and charge points that fall silent."""

import math

import pytest

from simulator.scenario import FaultKind

from .car_parks import METER, a_car_park
from .conftest import Opening
from .witness import REACTION_S, USED_WITHIN_S, Witness

pytestmark = pytest.mark.timeout(240)

ALL_CHARGE_WITHIN_S = 90.0
METER_TIMEOUT_S = 10.0
VALIDITY_S = 30.0
REPORTED_AFTER_S = 6.0
"""By then every charge point, sampling each 3 s, has told what its car draws."""

BACK_WITHIN_S = 30.0
"""The minima of all fit beside the new base load."""

CLOCK_ERROR_S = 5.0
"""How much longer than its validity a limit may hold in a charger, for what is not known of the charger's clock."""

FALLBACK_A = 6.0
"""What the form chooses where the minima of all fit beside the worst base load."""

TOLERANCE_A = 0.5


async def test_a_building_load_that_jumps_while_eight_cars_charge_is_answered_within_the_reaction_time(
    opened: Opening,
) -> None:
    stage = await opened(a_car_park(name="step", rating_a=125.0, points=8, cars=8))
    witness = Witness(stage)
    await witness.sees(witness.all_charge, within_s=ALL_CHARGE_WITHIN_S, what="all eight cars charge")
    await witness.sees(lambda: witness.supply_a() > 110.0, within_s=USED_WITHIN_S, what="the supply is well used")
    await witness.watches(lambda: witness.supply_a() > 110.0, for_s=REPORTED_AFTER_S, what="it stays so")
    assert witness.seconds_above() == 0.0

    witness.site.set_base_load("supply", (60.0, 60.0, 60.0))
    await witness.sees(lambda: not witness.within_ratings(), within_s=5.0, what="the jump overloads the supply")
    await witness.sees(witness.within_ratings, within_s=REACTION_S, what="charging gives way")
    await witness.watches(witness.within_ratings, for_s=REACTION_S, what="nothing creeps back")

    await witness.sees(witness.all_charge, within_s=BACK_WITHIN_S, what="whoever had to pause has its minimum again")

    assert witness.seconds_above() <= REACTION_S
    assert witness.redialled() == set()


async def test_a_meter_that_dies_leaves_the_declared_worst_and_its_return_brings_the_current_back(
    opened: Opening,
) -> None:
    stage = await opened(a_car_park(name="meter", rating_a=125.0, points=8, cars=8, worst_base_load_a=60.0))
    witness = Witness(stage)
    await witness.sees(witness.all_charge, within_s=ALL_CHARGE_WITHIN_S, what="all eight cars charge")

    def charging_a() -> float:
        return witness.supply_a() - 20.0

    await witness.sees(lambda: charging_a() > 80.0, within_s=USED_WITHIN_S, what="cars use what the building leaves")

    witness.site.fault(FaultKind.METER_SILENT, METER)
    left = 125.0 - 6.25 - 60.0
    await witness.sees(
        lambda: charging_a() <= left,
        within_s=METER_TIMEOUT_S + REACTION_S,
        what="charging goes down to what the declared base load leaves",
    )
    witness.site.set_base_load("supply", (60.0, 60.0, 60.0))  # the worst case that was declared comes true, unseen
    await witness.watches(witness.within_ratings, for_s=5.0, what="the supply carries it")
    witness.site.set_base_load("supply", None)

    witness.site.mend(FaultKind.METER_SILENT, METER)
    await witness.sees(lambda: charging_a() > 80.0, within_s=USED_WITHIN_S, what="current comes back with the meter")

    assert witness.seconds_above() == 0.0
    assert witness.redialled() == set()


async def test_a_charge_point_that_is_cut_off_goes_to_its_fallback_and_on_with_its_transaction_afterwards(
    opened: Opening,
) -> None:
    stage = await opened(a_car_park(name="offline", rating_a=63.0, points=4, cars=4, worst_base_load_a=20.0))
    witness = Witness(stage)
    await witness.sees(witness.all_charge, within_s=ALL_CHARGE_WITHIN_S, what="all four cars charge")
    await witness.sees(lambda: witness.drawn("P01") > 7.0, within_s=USED_WITHIN_S, what="more than the fallback flows")
    transaction = witness.transaction("P01")

    witness.site.fault(FaultKind.DROPS, "P01")
    await witness.sees(
        lambda: abs(witness.drawn("P01") - FALLBACK_A) < TOLERANCE_A,
        within_s=VALIDITY_S + CLOCK_ERROR_S + REACTION_S,
        what="it goes to its fallback by itself",
    )
    assert witness.charging() >= {"P02", "P03", "P04"}

    witness.site.mend(FaultKind.DROPS, "P01")
    await witness.sees(lambda: witness.online("P01"), within_s=60.0, what="it dials again")
    await witness.sees(
        lambda: witness.drawn("P01") > 7.0, within_s=USED_WITHIN_S, what="it is given more than its fallback again"
    )

    assert witness.transaction("P01") == transaction
    assert witness.seconds_above() == 0.0
    assert witness.redialled() == {"P01"}


async def test_where_the_minima_do_not_fit_every_car_is_given_its_turn(opened: Opening) -> None:
    places, cars, on_time_s = 2, 4, 60.0
    park = a_car_park(name="turns", rating_a=36.0, points=cars, cars=cars, worst_base_load_a=20.0)
    stage = await opened(park, on_time_min=on_time_s / 60.0)
    witness = Witness(stage)
    most = 0

    def had_a_turn() -> set[str]:
        nonlocal most
        most = max(most, len(witness.charging()))
        return {identity for identity in witness.with_cars() if witness.outlet(identity).register_wh > 0.0}

    await witness.sees(lambda: len(had_a_turn()) == places, within_s=60.0, what="as many as fit charge")
    await witness.sees(
        lambda: had_a_turn() == witness.with_cars(),
        within_s=math.ceil(cars / places) * on_time_s + REACTION_S,
        what="places go round",
    )

    assert most == places
    assert witness.seconds_above() == 0.0
    assert witness.redialled() == set()
