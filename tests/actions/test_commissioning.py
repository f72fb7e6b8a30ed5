"""Commissioning as actions: what can be asked for, what is answered, and that every finding has its sentence."""

import json
from pathlib import Path

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError

from custom_components.charge_cluster.report.finding_words import FindingWords
from custom_components.charge_cluster.site.commissioning.findings import (
    CHARGE_POINT_TESTS,
    METER_TESTS,
    CommissioningTest,
    Finding,
    Verdict,
)
from tests.entities.stage import Controls, Dial, plug_in_and_charge
from tests.site_entry import a_charge_point, a_cluster, a_meter, a_site, free_port, set_up

from .stage import answer, device, member

INTEGRATION = Path(__file__).parents[2] / "custom_components" / "charge_cluster"
COMMON = json.loads((INTEGRATION / "translations" / "en.json").read_text())["common"]
METER = ("sensor.m1", "sensor.m2", "sensor.m3")


def words() -> FindingWords:
    return FindingWords(COMMON)


async def test_a_charge_point_without_connection_proves_nothing_and_says_so(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1"), a_meter("Main", METER)))

    found = (await answer(hass, "commission", device(hass, entry, "CP1")))["findings"]

    assert [finding["test"] for finding in found] == [test.value for test in CHARGE_POINT_TESTS[:5]]
    assert {finding["verdict"] for finding in found} == {"inconclusive"}
    assert found[0]["sentence"] == "Response to limits: Nothing was proved. The charge point was not connected."
    assert found[0]["device"] == "CP1"
    kept = (await answer(hass, "get_commissioning", by=member(hass)))["findings"]
    assert kept == found
    await hass.async_block_till_done()
    state = Controls(hass, entry, "CP1").state("sensor", "commissioned")
    assert state.state == "not_done"
    assert state.attributes["verdicts"]["limit_response"] == "inconclusive"


async def test_what_does_not_fit_is_refused_in_words(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_cluster("B"), a_charge_point("CP1"), a_meter("Main", METER)))

    with pytest.raises(ServiceValidationError, match="cannot be put to: meter_ratio"):
        await answer(hass, "commission", device(hass, entry, "CP1"), tests=["meter_ratio"])
    with pytest.raises(ServiceValidationError, match="cannot be put to: minimum"):
        await answer(hass, "commission", device(hass, entry, "Main"), tests=["minimum"])
    with pytest.raises(ServiceValidationError, match="neither a charge point nor a meter"):
        await answer(hass, "commission", device(hass, entry, "B"))


async def test_one_thing_is_tested_at_a_time(hass: HomeAssistant, dial: Dial) -> None:
    points = a_charge_point("CP1"), a_charge_point("CP2")
    entry = await set_up(hass, a_site(port := free_port(), *points, base_load=0.0, rating=100.0))
    await plug_in_and_charge(await dial(port, "CP1"))
    connector = Controls(hass, entry, "CP1", 1)
    await connector.sees(lambda view: view.limit_a == 6.0)
    first = hass.async_create_background_task(
        answer(hass, "commission", device(hass, entry, "CP1"), tests=["limit_response"]), "the first"
    )
    await connector.sees(lambda view: view.cap_a == 16.0)

    with pytest.raises(ServiceValidationError, match="another test runs"):
        await answer(hass, "commission", device(hass, entry, "CP2"))

    assert entry.runtime_data.site.commissioning.cancel()
    [finding] = (await first)["findings"]
    assert finding["figures"] == {"why": "cancelled"}
    await connector.sees(lambda view: view.cap_a == 32.0)


@pytest.mark.parametrize("test", [*CHARGE_POINT_TESTS, *METER_TESTS])
@pytest.mark.parametrize("verdict", [Verdict.PASSED, Verdict.FAILED])
def test_every_finding_has_its_sentence(test: CommissioningTest, verdict: Verdict) -> None:
    finding = Finding(subject="x", test=test, verdict=verdict, at=0.0, firmware=None, figures={"steps": 6.0})
    assert words().sentence(finding) not in {"", verdict.value}
    assert words().test(test) != test.value
    assert words().verdict(verdict) != verdict.value


def test_every_reason_for_proving_nothing_has_its_sentence() -> None:
    rooms = INTEGRATION / "site" / "commissioning"
    code = "\n".join(file.read_text() for file in rooms.glob("*.py"))
    reasons = {key.removeprefix("why_") for key in COMMON if key.startswith("why_")}
    for reason in reasons:
        assert f'"{reason}"' in code, f"{reason} is never given"
        finding = Finding(
            subject="x",
            test=CommissioningTest.MINIMUM,
            verdict=Verdict.INCONCLUSIVE,
            at=0.0,
            firmware=None,
            figures={"why": reason},
            outdated=True,
        )
        assert COMMON[f"why_{reason}"] in words().sentence(finding)


def test_phases_and_words_are_told_as_people_say_them() -> None:
    finding = Finding(
        subject="x",
        test=CommissioningTest.PHASE_MAP,
        verdict=Verdict.FAILED,
        at=0.0,
        firmware=None,
        figures={"rotation": "l2", "own": "l1", "configured": "l1_l2_l3"},
    )
    assert words().sentence(finding) == "Terminals L1 are wired to L2 of the supply; configured is L1, L2, L3."
    scope = Finding(
        subject="x",
        test=CommissioningTest.METER_SCOPE,
        verdict=Verdict.FAILED,
        at=0.0,
        firmware=None,
        figures={"scope": "all_but_evs", "configured": "everything"},
    )
    assert words().sentence(scope) == "It sees everything but the vehicles; configured is everything."
