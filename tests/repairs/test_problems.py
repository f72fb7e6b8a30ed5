"""The problems of a site come and go as issues that say what is wrong, with names, and where it is explained."""

import json
import re
import string
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.charge_cluster import repairs
from custom_components.charge_cluster.site import dispatch
from custom_components.charge_cluster.site.problems import Problem, ProblemKey, Severity
from tests.entities.stage import Controls, Dial, plug_in_and_charge
from tests.site_entry import a_charge_point, a_cluster, a_meter, a_site, add, free_port, set_up, subentry_called

from .stage import METER_ENTITIES, REPOSITORY, Repairs, next_tick, sentences

CONNECTOR = {"charge_point": "CP1", "connector": "1", "maximum": "32", "fallback": "6"}
TESTED = {"charge_point": "CP1", "connector": "1"}
GIVEN = {
    ProblemKey.FALLBACK_DOES_NOT_FIT: {"circuit": "Cluster B", "excess": "5", "worst": "68", "most": "63"},
    ProblemKey.FALLBACK_ABOVE_NEUTRAL: {"circuit": "Cluster B", "excess": "5", "worst": "45", "most": "40"},
    ProblemKey.FALLBACK_ABOVE_UNBALANCE: {"circuit": "Cluster B", "excess": "4", "worst": "24", "most": "20"},
    ProblemKey.FALLBACK_ABOVE_POWER: {"circuit": "Cluster B", "excess": "1.5", "worst": "44.5", "most": "43"},
    ProblemKey.FALLBACK_UNPROVED: CONNECTOR,
    ProblemKey.BASE_LOAD_UNDECLARED: {"circuit": "Cluster B"},
    ProblemKey.PRICES_MISSING: {"tariff": "Market", "fault": "–"},
    ProblemKey.PRICES_LATE: {"tariff": "Market", "fault": "–"},
    ProblemKey.TARIFF_UNREADABLE: {"tariff": "Holidays", "fault": "missing_entity: calendar.x does not exist"},
    ProblemKey.METER_STALE: {"meter": "Main", "fault": "currents (nan, 0, 0)"},
    ProblemKey.METER_UNREACHABLE: {"meter": "Main", "fault": "no route"},
    ProblemKey.METER_MISSING: {"circuit": "Cluster B"},
    ProblemKey.GENERATION_UNSEEN: {"meter": "Roof", "fault": ""},
    ProblemKey.G100_TOO_SLOW: {
        "circuit": "Cluster B",
        "detection": "12",
        "validity": "35",
        "reaction": "15",
        "total": "62",
        "allowed": "60",
        "timeout": "10",
    },
    ProblemKey.G100_FALLBACK_TOO_HIGH: {"circuit": "Cluster B", "cap": "40 A", "worst": "52 A", "excess": "12 A"},
    ProblemKey.OVERLOAD_EXPOSURE: {"circuit": "Cluster B", "device": "gG 63", "share": "55"},
    ProblemKey.ROTATION_MISMATCH: TESTED | {"found": "L2", "configured": "L1, L2, L3", "own": "L1"},
    ProblemKey.FALLBACK_NOT_KEPT: TESTED | {"found": "32", "fallback": "6", "maximum": "32"},
    ProblemKey.DELAYS_BY_ITSELF: TESTED | {"raise_delay": "45", "reduction_delay": "—"},
    ProblemKey.MINIMUM_TOO_LOW: TESTED | {"found": "8", "configured": "6"},
    ProblemKey.COMMISSIONING_FAILED: TESTED,
    ProblemKey.METER_INVERTED: {"meter": "Main", "phases": "L2"},
    ProblemKey.METER_RATIO_WRONG: {"meter": "Main", "found": "2", "ratio": "0.5", "configured": "1"},
    ProblemKey.METER_SCOPE_WRONG: {"meter": "Main", "found": "all_but_evs"},
    ProblemKey.METER_TOO_SLOW: {"meter": "Main", "interval": "40", "lag": "20"},
    ProblemKey.STRANGER_DRAWS: {"charge_point": "Master North", "connector": "5", "drawn": "13"},
    ProblemKey.LIMIT_IGNORED: CONNECTOR | {"drawn": "25", "limit": "6", "since": "2026-11-23 08:00 UTC"},
    ProblemKey.FOREIGN_LIMIT: CONNECTOR | {"offered": "10", "limit": "16", "since": "2026-11-23 08:00 UTC"},
    ProblemKey.LIMIT_REFUSED: CONNECTOR,
    ProblemKey.LIMIT_WITHOUT_END: CONNECTOR,
    ProblemKey.FOREIGN_PROFILE: CONNECTOR,
    ProblemKey.ZERO_ENDS_TRANSACTIONS: CONNECTOR | {"minimum": "6"},
    ProblemKey.PHASES_NOT_SWITCHED: CONNECTOR,
    ProblemKey.MORE_PHASES: CONNECTOR | {"beyond": "16"},
    ProblemKey.LEDGER_UNAVAILABLE: {},
    ProblemKey.LEDGER_REPLACED: {"source": "fresh"},
    ProblemKey.DRIVERS_UNREADABLE: {},
    ProblemKey.CLUSTER_MISSING: {"circuit": "Cluster B"},
    ProblemKey.HOST_CLOCK: {},
    ProblemKey.TLS_UNAVAILABLE: {"cause": "the private key cannot be read"},
    ProblemKey.CERTIFICATE_EXPIRES: {"date": "2026-12-24"},
    ProblemKey.KEY_NOT_CHANGED: {"charge_point": "Place 1", "date": "2026-11-01"},
}
"""What the site gives with each problem."""

EVERY_PROBLEM = [
    *(Problem(key=key, subject="x", severity=Severity.ERROR, placeholders=given) for key, given in GIVEN.items()),
    Problem(
        key=ProblemKey.METER_STALE,
        subject="x",
        severity=Severity.ERROR,
        placeholders={"meter": "Main", "fault": ""},
    ),
    *(
        Problem(
            key=ProblemKey.METER_SCOPE_WRONG,
            subject="x",
            severity=Severity.ERROR,
            placeholders={"meter": "Main", "found": found},
        )
        for found in ("everything", "evs_only")
    ),
    Problem(
        key=ProblemKey.LEDGER_REPLACED,
        subject="x",
        severity=Severity.WARNING,
        placeholders={"source": "snapshot"},
    ),
]


def show_meter(hass: HomeAssistant, *amps: float | str) -> None:
    for entity, value in zip(METER_ENTITIES, amps, strict=True):
        hass.states.async_set(entity, str(value), {"unit_of_measurement": "A"}, force_update=True)


def wanted_by(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


# Words --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("problem", EVERY_PROBLEM, ids=lambda problem: repairs.issue_of(problem, "").translation_key)
def test_every_problem_has_its_sentences_and_their_figures(problem: Problem) -> None:
    issue = repairs.issue_of(problem, "Depot")

    title, description = sentences(issue.translation_key)

    assert wanted_by(title) | wanted_by(description) <= issue.placeholders.keys()
    assert title != description


def test_no_problem_was_forgotten() -> None:
    assert {problem.key for problem in EVERY_PROBLEM} == set(ProblemKey)


@pytest.mark.parametrize("key", [*(key.value for key in ProblemKey), "settings_refused"])
def test_every_problem_is_explained_where_its_link_leads(key: str) -> None:
    guide = (REPOSITORY / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", guide, re.MULTILINE)

    assert key.replace("_", "-") in {heading.lower().replace(" ", "-") for heading in headings}


# Coming and going ---------------------------------------------------------------------------------------------------


async def test_a_cluster_that_is_missed_is_told_until_nothing_hangs_on_it(hass: HomeAssistant, shown: Repairs) -> None:
    entry = await set_up(hass, a_site(free_port(), a_cluster("Cluster B")))
    cluster = subentry_called(entry, "Cluster B")
    await add(hass, entry, a_charge_point("CP1", cluster=cluster.subentry_id))
    assert shown.issues == {}

    hass.config_entries.async_remove_subentry(entry, cluster.subentry_id)
    issue = await shown.appears("cluster_missing")

    assert issue.severity is ir.IssueSeverity.ERROR
    assert (issue.is_fixable, issue.is_persistent) == (False, False)
    assert "Cluster B at Depot is not configured any more" in shown.told("cluster_missing")

    hass.config_entries.async_remove_subentry(entry, subentry_called(entry, "CP1").subentry_id)
    await shown.goes("cluster_missing")


async def test_an_overload_that_used_half_of_a_curve_is_told_when_it_is_over_too(
    hass: HomeAssistant, shown: Repairs
) -> None:
    show_meter(hass, 20.0, 15.0, 5.0)
    meter = a_meter("Main", METER_ENTITIES)
    entry = await set_up(hass, a_site(free_port(), meter, device_kind="mcb_b", device_rated=63.0))
    site = entry.runtime_data.site
    await next_tick(site)
    assert shown.issues == {}

    show_meter(hass, 250.0, 15.0, 5.0)
    issue = await shown.appears("overload_exposure")
    assert issue.severity is ir.IssueSeverity.ERROR
    assert "used 100 % or more of the curve of its protective device (B63)" in shown.told("overload_exposure")

    show_meter(hass, 20.0, 15.0, 5.0)
    await next_tick(site)
    await next_tick(site)
    assert list(shown.issues) == ["overload_exposure"]


async def test_the_link_leads_into_the_repository_of_the_integration(hass: HomeAssistant, shown: Repairs) -> None:
    manifest = json.loads((REPOSITORY / "custom_components" / "charge_cluster" / "manifest.json").read_text())
    await set_up(hass, a_site(free_port(), a_charge_point("CP1"), base_load=None))

    issue = await shown.appears("base_load_undeclared")

    assert issue.learn_more_url == f"{manifest['documentation']}/blob/main/docs/troubleshooting.md#base-load-undeclared"


async def test_a_meter_that_was_removed_is_missed(hass: HomeAssistant, shown: Repairs) -> None:
    show_meter(hass, 20.0, 15.0, 5.0)
    entry = await set_up(hass, a_site(free_port(), a_meter("Main", METER_ENTITIES)))

    hass.config_entries.async_remove_subentry(entry, subentry_called(entry, "Main").subentry_id)
    await shown.appears("meter_missing")
    await add(hass, entry, a_meter("Again", METER_ENTITIES))

    await shown.goes("meter_missing")


async def test_a_new_name_is_told(hass: HomeAssistant, shown: Repairs) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1"), base_load=None))
    await shown.appears("base_load_undeclared")

    hass.config_entries.async_update_entry(entry, title="Car park")

    await shown.until(lambda _: "Car park" in shown.told("base_load_undeclared"))
    assert list(shown.issues) == ["base_load_undeclared"]


async def test_they_go_with_the_entry_and_come_back_with_it(hass: HomeAssistant, shown: Repairs) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1"), base_load=None))
    await shown.appears("base_load_undeclared")

    assert await hass.config_entries.async_unload(entry.entry_id)
    assert shown.issues == {}

    assert await hass.config_entries.async_setup(entry.entry_id)
    assert list(shown.issues) == ["base_load_undeclared"]

    await hass.config_entries.async_remove(entry.entry_id)
    assert shown.issues == {}


async def test_sites_have_their_own(hass: HomeAssistant, shown: Repairs) -> None:
    one = await set_up(hass, a_site(free_port(), a_charge_point("CP1"), base_load=None, name="North"))
    await set_up(hass, a_site(free_port(), a_charge_point("CP2"), base_load=None, name="South"))
    await shown.until(lambda issues: len(issues) == 2)

    assert await hass.config_entries.async_unload(one.entry_id)

    assert "South" in shown.told("base_load_undeclared")
    assert len(shown.issues) == 1


# What passes by itself ----------------------------------------------------------------------------------------------


async def test_what_often_passes_by_itself_is_not_told_at_once(hass: HomeAssistant, shown: Repairs) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1"), a_meter("Main", METER_ENTITIES)))
    site = entry.runtime_data.site
    await next_tick(site)
    keys = {problem.key for problem in site.problems()}
    assert keys >= {ProblemKey.METER_STALE, ProblemKey.FALLBACK_UNPROVED}

    assert shown.issues == {}


@pytest.mark.usefixtures("impatient")
async def test_a_meter_that_stays_away_is_told_and_back_it_is_not(hass: HomeAssistant, shown: Repairs) -> None:
    show_meter(hass, 20.0, 15.0, 5.0)
    entry = await set_up(hass, a_site(free_port(), a_meter("Main", METER_ENTITIES)))
    await shown.until(lambda issues: not issues)

    show_meter(hass, 20.0, STATE_UNAVAILABLE, 5.0)
    await shown.appears("meter_stale")
    assert "sensor.l2" in shown.told("meter_stale")

    show_meter(hass, 20.0, 15.0, 5.0)
    await shown.goes("meter_stale")
    assert entry.runtime_data.site.problems() == ()


@pytest.mark.usefixtures("impatient")
async def test_a_fault_that_changes_its_words_all_the_time_is_told_once(hass: HomeAssistant, shown: Repairs) -> None:
    show_meter(hass, 20.0, STATE_UNAVAILABLE, 5.0)
    entry = await set_up(hass, a_site(free_port(), a_meter("Main", METER_ENTITIES)))
    issue = await shown.appears("meter_stale")

    show_meter(hass, STATE_UNAVAILABLE, 15.0, 5.0)
    await next_tick(entry.runtime_data.site)

    (problem,) = entry.runtime_data.site.problems()
    assert "sensor.l1" in problem.placeholders["fault"]
    assert shown.issues["meter_stale"] is issue


@pytest.mark.usefixtures("impatient")
async def test_a_fallback_is_unproved_until_the_charge_point_confirms_it(
    hass: HomeAssistant, shown: Repairs, dial: Dial
) -> None:
    await set_up(hass, a_site(port := free_port(), a_charge_point("CP1", fallback=6.0)))
    issue = await shown.appears("fallback_unproved")
    assert issue.severity is ir.IssueSeverity.WARNING
    assert "its fallback of 6 A" in shown.told("fallback_unproved")

    await dial(port, "CP1")

    await shown.goes("fallback_unproved")


CEILINGS: Mapping[str, tuple[dict[str, Any], str, str]] = {
    "fallback_does_not_fit": ({"rating": 40.0}, "up to 42 A", "2 A more than its rating"),
    "fallback_above_neutral": ({"neutral": 30.0}, "up to 42 A", "12 A more than the 30 A"),
    "fallback_above_unbalance": ({"unbalance": 20.0}, "with 32 A more", "12 A more than the unbalance limit of 20 A"),
    "fallback_above_power": ({"power": 31.0}, "up to 31.9 kVA", "0.9 kVA more than its 31 kVA"),
}
"""Ceilings that the fallback of a charge point fits and its maximum of 32 A beside a base load of 10 A does not."""


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("key", CEILINGS)
async def test_a_fallback_that_is_not_confirmed_may_break_any_ceiling_until_it_is(
    hass: HomeAssistant, shown: Repairs, dial: Dial, key: str
) -> None:
    told, worst, excess = CEILINGS[key]
    await set_up(hass, a_site(port := free_port(), a_charge_point("CP1", fallback=6.0), **told))
    issue = await shown.appears(key)
    assert issue.severity is ir.IssueSeverity.ERROR
    assert shown.issues.keys() == {key, "fallback_unproved"}
    assert worst in shown.told(key)
    assert excess in shown.told(key)

    await dial(port, "CP1")

    await shown.goes(key)


async def test_a_newcomer_raises_no_alarm_for_the_seconds_until_its_fallback_is_confirmed(
    hass: HomeAssistant, shown: Repairs
) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1", fallback=6.0), unbalance=20.0))
    await next_tick(entry.runtime_data.site)

    assert ProblemKey.FALLBACK_ABOVE_UNBALANCE in {problem.key for problem in entry.runtime_data.site.problems()}
    assert shown.issues == {}


async def test_limits_that_are_refused_are_told_until_one_is_accepted(
    hass: HomeAssistant, shown: Repairs, dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "RETRY_AFTER_S", 0.0)
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    point = await dial(port, "CP1")
    await Controls(hass, entry, "CP1", 1).sees(lambda view: view.fallback_confirmed)
    point.answers["SetChargingProfile"] = lambda _: {"status": "Rejected"}
    await plug_in_and_charge(point)

    await shown.appears("limit_refused")
    assert "Connector 1 of CP1 at Depot has refused" in shown.told("limit_refused")

    point.answers["SetChargingProfile"] = lambda _: {"status": "Accepted"}
    await shown.goes("limit_refused")


@pytest.mark.usefixtures("impatient")
async def test_the_clock_is_one_problem_for_all_sites(
    hass: HomeAssistant, shown: Repairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.charge_cluster.host_clock.ask_kernel", lambda: False)
    monkeypatch.setattr("custom_components.charge_cluster.host_clock.uptime", lambda: 5.0)
    monkeypatch.setattr("custom_components.charge_cluster.host_clock.runs_while_off", lambda: False)
    one, other = [await set_up(hass, a_site(free_port(), name=name)) for name in ("North", "South")]
    await shown.appears("host_clock")
    await next_tick(other.runtime_data.site)
    assert list(shown.issues) == ["host_clock"]

    assert await hass.config_entries.async_unload(one.entry_id)
    assert list(shown.issues) == ["host_clock"], "the other site still says so"

    monkeypatch.setattr("custom_components.charge_cluster.host_clock.ask_kernel", lambda: True)
    await shown.goes("host_clock")


async def test_what_has_lasted_is_told(hass: HomeAssistant, shown: Repairs) -> None:
    entry = await set_up(hass, a_site(free_port(), a_meter("Main", METER_ENTITIES)))
    await next_tick(entry.runtime_data.site)

    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=repairs.LASTING_S + 1))

    assert "The meter Main" in shown.told("meter_stale")


async def test_what_passed_before_it_had_lasted_is_never_told(hass: HomeAssistant, shown: Repairs) -> None:
    entry = await set_up(hass, a_site(free_port(), a_meter("Main", METER_ENTITIES)))
    await next_tick(entry.runtime_data.site)
    assert [problem.key for problem in entry.runtime_data.site.problems()] == [ProblemKey.METER_STALE]

    show_meter(hass, 20.0, 15.0, 5.0)
    await next_tick(entry.runtime_data.site)
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=repairs.LASTING_S + 1))

    assert shown.issues == {}


async def test_after_the_end_nothing_is_told_any_more(hass: HomeAssistant, shown: Repairs) -> None:
    entry = await set_up(hass, a_site(free_port(), a_meter("Main", METER_ENTITIES)))
    await next_tick(entry.runtime_data.site)

    assert await hass.config_entries.async_unload(entry.entry_id)
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=repairs.LASTING_S + 1))

    assert shown.issues == {}
