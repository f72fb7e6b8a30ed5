"""The first contact: found out step by step, remembered for the model and firmware, never while somebody charges."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, strategies as st

from custom_components.charge_cluster.ocpp.conversation import DeviceFacts, LimitWish, Outcome
from custom_components.charge_cluster.ocpp.experience import (
    ABLE,
    UNABLE,
    Experience,
    Forgetful,
    Known,
    Stage as How,
    Topic,
    model_of,
    wording_from,
    wording_text,
)
from custom_components.charge_cluster.ocpp.profiles import Ending, Kind, Purpose, RateUnit, Wording
from custom_components.charge_cluster.ocpp.standing import Services
from custom_components.charge_cluster.ocpp.v16.conversation import Conversation16
from tests.ocpp.charge_point_2 import ChargePoint2, variable
from tests.ocpp.stage import Stage, Stage2, virtually, virtually_2

WISH = LimitWish(amps=10.0, fallback_a=0.0, validity_s=30)
MODEL = "Sample|One|1.2"


class Memory:
    """A memory to look into."""

    def __init__(self, **found: str) -> None:
        self.found: dict[str, dict[str, str]] = {MODEL: found} if found else {}

    def recall(self, model: str) -> Mapping[str, str]:
        return self.found.get(model, {})

    def keep(self, model: str, topic: str, finding: str) -> None:
        self.found.setdefault(model, {})[topic] = finding


def remembering(stage: Stage, memory: Memory) -> Memory:
    """Give the stage a memory, before anybody dials in."""
    stage.services = Services(journal=stage.journal, authoriser=stage.tags, clock=stage.clock, memory=memory)
    stage.conversation = Conversation16("CP1", stage.services)
    stage.conversation.listen(stage.reports.append)
    return memory


def measurands(stage: Stage) -> list[str]:
    return [
        call["value"]
        for call in stage.points[-1].calls("ChangeConfiguration")
        if call["key"] == "MeterValuesSampledData"
    ]


def takes_only(*wanted: str) -> Any:
    def answer(payload: Any) -> Any:
        known = payload["key"] != "MeterValuesSampledData" or set(payload["value"].split(",")) <= set(wanted)
        return {"status": "Accepted" if known else "Rejected"}

    return answer


# -- what a model is ----------------------------------------------------------------------------------------------


def test_a_model_is_who_says_model_and_firmware() -> None:
    assert model_of(DeviceFacts(vendor="Sample", model="One", firmware="1.2")) == MODEL
    assert model_of(DeviceFacts(model="One", firmware="1.2")) == "|One|1.2"
    assert model_of(DeviceFacts(vendor="Sample", model="One")) is None
    assert model_of(DeviceFacts(vendor="Sample", firmware="1.2")) is None


def test_other_firmware_is_another_model() -> None:
    memory = Memory()
    old, new = (DeviceFacts(vendor="Sample", model="One", firmware=firmware) for firmware in ("1.2", "1.3"))
    Experience(memory, lambda: old).learned(Topic.COMPOSITE, UNABLE)
    assert Experience(memory, lambda: old).known(Topic.COMPOSITE) == Known(stage=How.REMEMBERED, finding=UNABLE)
    assert Experience(memory, lambda: new).known(Topic.COMPOSITE) == Known()


def test_what_was_found_with_this_one_outweighs_what_is_remembered_until_it_restarts() -> None:
    device = DeviceFacts(vendor="Sample", model="One", firmware="1.2")
    memory = Memory(composite=UNABLE)
    experience = Experience(memory, lambda: device)
    assert not experience.worth_asking(Topic.COMPOSITE)
    experience.learned(Topic.COMPOSITE, ABLE)
    assert experience.known(Topic.COMPOSITE) == Known(stage=How.KNOWN, finding=ABLE)
    experience.forget()
    assert experience.known(Topic.COMPOSITE) == Known(stage=How.REMEMBERED, finding=ABLE)


def test_nothing_is_remembered_of_nobody() -> None:
    experience = Experience(Forgetful(), DeviceFacts)
    experience.learned(Topic.MEASURANDS, "x" * 9999)
    assert len(experience.known(Topic.MEASURANDS).finding or "") == 500
    assert Experience(Forgetful(), DeviceFacts).known(Topic.MEASURANDS) == Known()


@given(
    st.builds(
        Wording,
        purpose=st.sampled_from(Purpose),
        level=st.integers(0, 9),
        unit=st.sampled_from(RateUnit),
        kind=st.sampled_from(Kind),
        ending=st.sampled_from(Ending),
    )
)
def test_a_wording_is_found_again_as_it_was_written(wording: Wording) -> None:
    assert wording_from(wording_text(wording)) == wording


@pytest.mark.parametrize("text", [None, "", "purpose=default", "purpose=x level=1 unit=A kind=Absolute ending=period"])
def test_a_wording_of_another_version_is_none(text: str | None) -> None:
    assert wording_from(text) is None


# -- the first contact --------------------------------------------------------------------------------------------


@virtually
async def test_a_first_contact_finds_out_and_remembers(stage: Stage) -> None:
    memory = remembering(stage, Memory())
    assert {known.stage for known in stage.conversation.known.values()} == {How.UNKNOWN}
    await stage.booted(
        ChangeConfiguration=takes_only("Current.Import", "Power.Active.Import"),
        GetCompositeSchedule=lambda _: "NotImplemented",
    )
    await stage.conversation.store_fallback(1, 6.0)
    await stage.points[-1].start()
    assert await stage.conversation.hold_limit(1, WISH) is Outcome.ACCEPTED

    found = {topic: known.finding for topic, known in stage.conversation.known.items()}
    assert found == {
        Topic.STATUS_ON_DEMAND: ABLE,
        Topic.CONFIGURATION: ABLE,
        Topic.REPORT: None,
        Topic.MEASURANDS: "Current.Import,Power.Active.Import",
        Topic.COMPOSITE: UNABLE,
        Topic.ZERO: None,
        Topic.DEFAULT_WORDING: None,
        Topic.TRANSACTION_WORDING: "purpose=transaction level=2 unit=A kind=Absolute ending=period",
    }
    assert memory.found[MODEL] == {topic.value: finding for topic, finding in found.items() if finding is not None}


@virtually
async def test_the_next_one_of_the_model_is_not_asked_again_for_what_none_of_them_can(stage: Stage) -> None:
    remembering(
        stage,
        Memory(
            configuration=UNABLE,
            measurands="Current.Import,Power.Active.Import",
            composite=UNABLE,
            transaction_wording="purpose=transaction level=0 unit=W kind=Absolute ending=period",
        ),
    )
    point = await stage.booted(ChangeConfiguration=takes_only("Current.Import", "Power.Active.Import"))
    assert all("key" in call for call in point.calls("GetConfiguration"))
    assert measurands(stage) == ["Current.Import,Power.Active.Import"]
    await stage.conversation.store_fallback(1, 6.0)
    assert point.calls("GetCompositeSchedule") == []


@virtually
async def test_limits_begin_with_the_wording_that_others_took_and_go_on_where_it_is_refused(stage: Stage) -> None:
    taken = "purpose=transaction level=0 unit=W kind=Absolute ending=period"
    remembering(stage, Memory(transaction_wording=taken))
    point = await stage.booted(
        SetChargingProfile=lambda payload: {
            "status": "Rejected"
            if payload["csChargingProfiles"]["chargingSchedule"]["chargingRateUnit"] == "W"
            else "Accepted"
        }
    )
    await point.start()
    assert await stage.conversation.hold_limit(1, WISH) is Outcome.ACCEPTED
    tried = [
        (profile["stackLevel"], profile["chargingSchedule"]["chargingRateUnit"])
        for profile in point.profiles("TxProfile")
    ]
    assert tried[0] == (0, "W")
    assert tried[-1] == (2, "A")
    assert stage.conversation.known[Topic.TRANSACTION_WORDING].stage is How.KNOWN


@virtually
async def test_nothing_is_tried_one_by_one_while_somebody_charges(stage: Stage) -> None:
    remembering(stage, Memory())
    point = await stage.connect(ChangeConfiguration=takes_only("Current.Import"))
    await point.boot()
    transaction = await point.start()
    await stage.settle()
    assert len(measurands(stage)) == 1  # all at once, which it refused

    await point.stop(transaction)
    await stage.settle()
    for _ in range(3):
        stage.conversation.tick()
        await stage.settle()
    assert len(measurands(stage)) > 2
    assert stage.conversation.known[Topic.MEASURANDS] == Known(stage=How.KNOWN, finding="Current.Import")


# -- the second generation ----------------------------------------------------------------------------------------

MODEL_2 = "Sample|Two|2.3"
UPDATED = ("SampledDataCtrlr", "TxUpdatedMeasurands")


def remembering_2(stage: Stage2, **found: str) -> Memory:
    memory = Memory()
    memory.found[MODEL_2] = dict(found)
    stage.services = Services(journal=stage.journal, authoriser=stage.tags, clock=stage.clock, memory=memory)
    stage.conversation = stage.begin()
    stage.conversation.listen(stage.reports.append)
    return memory


def choosy(point: ChargePoint2, *takes: str) -> list[str]:
    """Have a charge point take some measurands only; return what it is asked for."""
    asked_for: list[str] = []
    take = point.answers["SetVariables"]

    def answer(payload: Any) -> Any:
        (asked,) = payload["setVariableData"]
        if asked["variable"]["name"] != UPDATED[1]:
            return take(payload)
        asked_for.append(asked["attributeValue"])
        if set(asked["attributeValue"].split(",")) <= set(takes):
            return take(payload)
        refused = {"component": asked["component"], "variable": asked["variable"], "attributeStatus": "Rejected"}
        return {"setVariableResult": [refused]}

    point.answers["SetVariables"] = answer
    return asked_for


@virtually_2
async def test_in_2_x_a_first_contact_is_remembered_as_well(stage: Stage2) -> None:
    memory = remembering_2(stage)
    point = await stage.connect(
        GetBaseReport=lambda asked: {"status": "NotSupported" if asked["reportBase"] == "FullInventory" else "Accepted"}
    )
    choosy(point, "Current.Import", "Voltage")
    await point.boot()
    await stage.settle()
    assert memory.found[MODEL_2] == {
        "status_on_demand": ABLE,
        "measurands": "Current.Import,Voltage",
        "report": "ConfigurationInventory",
    }


@virtually_2
async def test_in_2_x_the_next_one_of_the_model_is_begun_with_what_was_found(stage: Stage2) -> None:
    remembering_2(stage, measurands="Current.Import,Voltage", report=UNABLE)
    point = await stage.connect()
    asked_for = choosy(point, "Current.Import", "Voltage")
    await point.boot()
    await stage.settle()
    assert asked_for == ["Current.Import,Voltage"]
    assert point.calls("GetBaseReport") == []


@virtually_2
async def test_in_2_x_nothing_is_tried_one_by_one_while_somebody_charges(stage: Stage2) -> None:
    remembering_2(stage)
    point = await stage.connect()
    asked_for = choosy(point, "Current.Import")
    await point.boot()
    await point.begin()
    await stage.settle()
    assert len(asked_for) == 1  # all at once, which it refused

    await point.end()
    await stage.settle()
    for _ in range(3):
        stage.conversation.tick()
        await stage.settle()
    assert stage.conversation.known[Topic.MEASURANDS] == Known(stage=How.KNOWN, finding="Current.Import")
    assert point.variables[UPDATED] == "Current.Import"


@virtually_2
async def test_an_evse_that_is_fed_on_one_phase_is_not_told_of_three(stage: Stage2) -> None:
    point = await stage.booted()
    await point.report([variable("EVSE", "SupplyPhases", "1", evse=1, read_only=True)])
    await point.begin()
    assert await stage.conversation.hold_limit(1, WISH) is Outcome.ACCEPTED
    [schedule] = point.profiles("TxProfile")[-1]["chargingSchedule"]
    assert {period["numberPhases"] for period in schedule["chargingSchedulePeriod"]} == {1}
