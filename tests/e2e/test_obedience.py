"""A charge point that accepts limits in all forms and obeys one, in a real Home Assistant over real sockets."""

import pytest

from simulator.scenario import FaultKind

from .car_parks import a_car_park
from .conftest import Opening
from .witness import REACTION_S, USED_WITHIN_S, Witness

pytestmark = pytest.mark.timeout(240)

ALL_CHARGE_WITHIN_S = 90.0
NOTICED_WITHIN_S = 30.0
REWORDED_WITHIN_S = 45.0
"""Two judgements of a car that has 15 s to follow, and a sample of each."""


async def test_limits_that_are_ignored_in_amps_are_obeyed_in_watts_and_the_others_pay_only_meanwhile(
    opened: Opening,
) -> None:
    stage = await opened(a_car_park(name="form", rating_a=63.0, points=4, cars=4, worst_base_load_a=30.0))
    witness = Witness(stage)
    await witness.sees(witness.all_charge, within_s=ALL_CHARGE_WITHIN_S, what="all four cars charge")
    await witness.sees(lambda: witness.supply_a() > 55.0, within_s=USED_WITHIN_S, what="the supply is well used")
    fair_a = witness.drawn("P01")

    witness.site.fault(FaultKind.IGNORES_FORM, "P01")
    await witness.sees(lambda: witness.drawn("P01") > fair_a + 3.0, within_s=30.0, what="one takes more than its share")
    await witness.sees(
        witness.within_ratings, within_s=NOTICED_WITHIN_S + REACTION_S, what="the others have made room for it"
    )
    await witness.sees(
        lambda: witness.drawn("P01") <= fair_a + 1.0,
        within_s=REWORDED_WITHIN_S,
        what="it obeys what it is told in watts",
    )
    await witness.watches(witness.within_ratings, for_s=20.0, what="nothing is above its rating")
    await witness.sees(lambda: witness.supply_a() > 55.0, within_s=USED_WITHIN_S, what="all share again")
    assert witness.redialled() == set()
