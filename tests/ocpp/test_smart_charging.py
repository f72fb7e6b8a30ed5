"""What a charge point tells of limits and needs in OCPP 2.x."""

from typing import Any

import pytest
from hypothesis import given, strategies as st

from custom_components.charge_cluster.ocpp.conversation import ChargingNeeds, LimitFromOutside, PriorityAsked, Report
from custom_components.charge_cluster.ocpp.frames import JsonObject
from custom_components.charge_cluster.ocpp.rpc import CallFault
from custom_components.charge_cluster.ocpp.times import stamp
from custom_components.charge_cluster.ocpp.v2.smart_charging import MOST_WH, SmartCharging

from .schemas import V21, V201, conforms

NOW = 1_796_000_000.0
LEAVES = NOW + 4 * 3600
AC = {"energyAmount": 18_000, "evMinCurrent": 6, "evMaxCurrent": 16, "evMaxVoltage": 240}
DC = {"evMaxCurrent": 300, "evMaxVoltage": 450, "stateOfCharge": 40}


class Scene:
    """What is told, and what comes of it."""

    def __init__(self, clock_offset_s: float = 0.0) -> None:
        self.reports: list[Report] = []
        self.part = SmartCharging(
            self._ask,
            self.reports.append,
            now=lambda: NOW,
            clock_offset_s=lambda: clock_offset_s,
            runs_at={"T-7": 2}.get,
            speaks_21=True,
        )

    async def _ask(self, action: str, _payload: JsonObject) -> JsonObject:
        raise AssertionError(action)

    def tell(self, action: str, payload: JsonObject) -> Any:
        answer = self.part.actions[action].answer(payload)
        assert conforms(f"{action}Response", answer, V201)
        assert conforms(f"{action}Response", answer, V21)
        return answer

    def told(self, action: str, payload: JsonObject) -> Report:
        self.tell(action, payload)
        (report,) = self.reports
        return report


def test_a_driver_who_asks_at_the_charger_to_charge_now_is_heard() -> None:
    asked = {"transactionId": "T-7", "activated": True}
    assert conforms("NotifyPriorityCharging", asked, V21)
    scene = Scene()
    for payload in (asked, {**asked, "activated": False}, {**asked, "transactionId": "T-8"}, {"activated": True}):
        assert conforms(
            "NotifyPriorityChargingResponse", scene.part.actions["NotifyPriorityCharging"].answer(payload), V21
        )
    assert scene.reports == [PriorityAsked(connector=2, asked=True), PriorityAsked(connector=2, asked=False)]


def needs(*, evse: int = 2, transfer: str = "AC_three_phase", **more: Any) -> JsonObject:
    return {"evseId": evse, "chargingNeeds": {"requestedEnergyTransfer": transfer, **more}}


def test_what_a_vehicle_needs_is_told() -> None:
    payload = needs(acChargingParameters=AC, departureTime=stamp(LEAVES))
    assert conforms("NotifyEVChargingNeeds", payload, V201)
    assert Scene().told("NotifyEVChargingNeeds", payload) == ChargingNeeds(
        connector=2, departure_at=LEAVES, energy_wh=18_000, least_a=6, most_a=16, phases=3
    )
    assert Scene().tell("NotifyEVChargingNeeds", payload) == {"status": "Accepted"}


def test_the_departure_is_by_the_clock_of_the_charger() -> None:
    told = Scene(clock_offset_s=3600).told("NotifyEVChargingNeeds", needs(departureTime=stamp(LEAVES)))
    assert isinstance(told, ChargingNeeds)
    assert told.departure_at == LEAVES - 3600


@pytest.mark.parametrize(
    ("parameters", "energy_wh"),
    [
        ({**DC, "energyAmount": 20_000}, 20_000),
        ({**DC, "evEnergyCapacity": 50_000}, 30_000),
        ({**DC, "evEnergyCapacity": 50_000, "fullSoC": 80}, 20_000),
        ({**DC, "evEnergyCapacity": 50_000, "fullSoC": 30}, None),
        (DC, None),
    ],
    ids=["told", "to be full", "to be as full as it wants", "full", "not told"],
)
def test_direct_current_is_asked_for_by_energy_or_by_the_state_of_the_battery(
    parameters: JsonObject, energy_wh: float | None
) -> None:
    payload = needs(transfer="DC", dcChargingParameters=parameters)
    assert conforms("NotifyEVChargingNeeds", payload, V201)
    told = Scene().told("NotifyEVChargingNeeds", payload)
    assert told == ChargingNeeds(connector=2, energy_wh=energy_wh, soc_percent=40)


def test_the_energy_of_a_vehicle_that_can_give_back_is_its_target() -> None:
    payload = needs(transfer="AC_BPT", v2xChargingParameters={"evTargetEnergyRequest": 9_000})
    assert conforms("NotifyEVChargingNeeds", payload, V21)
    assert Scene().told("NotifyEVChargingNeeds", payload) == ChargingNeeds(connector=2, energy_wh=9_000)


@pytest.mark.parametrize(
    "more",
    [
        {"acChargingParameters": {"energyAmount": -1, "evMinCurrent": "6", "evMaxCurrent": 1e9}},
        {"acChargingParameters": {"energyAmount": MOST_WH * 2, "evMinCurrent": None}},
        {"acChargingParameters": {"energyAmount": float("nan"), "evMaxCurrent": True}},
        {"acChargingParameters": [1], "departureTime": "soon", "requestedEnergyTransfer": 3},
        {"departureTime": 5, "requestedEnergyTransfer": "Magic", "dcChargingParameters": "x"},
    ],
    ids=["impossible", "too much", "no number", "no object", "no time"],
)
def test_what_cannot_be_is_not_told(more: JsonObject) -> None:
    payload = {"evseId": 2, "chargingNeeds": {"requestedEnergyTransfer": "x", **more}}
    assert Scene().told("NotifyEVChargingNeeds", payload) == ChargingNeeds(connector=2)


@pytest.mark.parametrize("payload", [{}, {"evseId": 0}, {"evseId": "x"}, {"evseId": 5000}], ids=str)
def test_needs_of_nobody_are_a_fault(payload: JsonObject) -> None:
    scene = Scene()
    with pytest.raises(CallFault):
        scene.tell("NotifyEVChargingNeeds", payload)
    assert scene.reports == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=12), inside, max_size=4),
    max_leaves=8,
)
FIELDS = st.dictionaries(
    st.sampled_from(
        ["chargingNeeds", "chargingSchedule", "chargingLimit", "acChargingParameters", "departureTime", "energyAmount"]
    ),
    JSON,
    max_size=4,
)


@given(
    st.sampled_from(
        ["NotifyEVChargingNeeds", "NotifyEVChargingSchedule", "NotifyChargingLimit", "ClearedChargingLimit"]
    ),
    FIELDS,
    FIELDS,
)
def test_whatever_comes_is_answered(action: str, payload: JsonObject, inner: JsonObject) -> None:
    Scene().tell(action, {**payload, "evseId": 1, "chargingNeeds": inner, "chargingLimit": inner})


def test_the_plan_of_a_vehicle_is_answered() -> None:
    scene = Scene()
    schedule = {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16}]}
    payload: JsonObject = {"evseId": 2, "timeBase": stamp(NOW), "chargingSchedule": schedule}
    assert conforms("NotifyEVChargingSchedule", payload, V201)
    assert scene.tell("NotifyEVChargingSchedule", payload) == {"status": "Accepted"}
    assert scene.reports == []


def outside(*schedules: JsonObject, source: str = "SO", **more: Any) -> JsonObject:
    payload: JsonObject = {"chargingLimit": {"chargingLimitSource": source}, **more}
    return {**payload, "chargingSchedule": list(schedules)} if schedules else payload


def schedule(*steps: tuple[int, float], unit: str = "A", **more: Any) -> JsonObject:
    periods = [{"startPeriod": start, "limit": limit} for start, limit in steps]
    return {"id": 1, "chargingRateUnit": unit, "chargingSchedulePeriod": periods, **more}


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        (outside(), LimitFromOutside(connector=0, source="SO")),
        (outside(schedule((0, 8)), evseId=2), LimitFromOutside(connector=2, source="SO", limit_a=8)),
        (
            outside(schedule((0, 4200), unit="W"), source="EMS"),
            LimitFromOutside(connector=0, source="EMS", limit_w=4200),
        ),
        (
            outside(schedule((0, 8), (600, 16), startSchedule=stamp(NOW - 700))),
            LimitFromOutside(connector=0, source="SO", limit_a=16),
        ),
        (outside(schedule((0, 16)), schedule((0, 10))), LimitFromOutside(connector=0, source="SO", limit_a=10)),
        (outside({"id": 1}), LimitFromOutside(connector=0, source="SO")),
        ({}, LimitFromOutside(connector=0, source="Other")),
    ],
    ids=["no figure", "amps", "watts", "over time", "the lowest", "not to be read", "nothing"],
)
def test_a_limit_from_outside_is_told_as_it_is_now(payload: JsonObject, told: LimitFromOutside) -> None:
    assert Scene().told("NotifyChargingLimit", payload) == told


def test_its_end_is_told() -> None:
    payload: JsonObject = {"chargingLimitSource": "SO", "evseId": 2}
    assert conforms("ClearedChargingLimit", payload, V201)
    assert Scene().told("ClearedChargingLimit", payload) == LimitFromOutside(connector=2, source="SO", ended=True)
