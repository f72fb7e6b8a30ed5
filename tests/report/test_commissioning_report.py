"""The commissioning report as a reader finds it: complete, honest about what is open, bounded, the same each time."""

import time
from dataclasses import replace
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from custom_components.charge_cluster.engine.exposure import DeviceKind, ProtectiveDevice
from custom_components.charge_cluster.engine.model import MeterScope
from custom_components.charge_cluster.meters.settings import EntityMeterSettings, OcppMeterSettings
from custom_components.charge_cluster.report.commissioning_report import UNSEEN, commissioning_report
from custom_components.charge_cluster.report.facts import ReportFacts, ToMend
from custom_components.charge_cluster.site.commissioning.findings import CommissioningTest, Verdict
from custom_components.charge_cluster.site.settings import ConnectorSettings, SatelliteSettings
from custom_components.charge_cluster.site.views import CapView

from .stage import (
    ENGLISH,
    a_charge_point,
    a_circuit,
    a_finding,
    a_meter,
    a_picture,
    all_passed,
    pages_of,
    text_of,
    the_facts,
)


def written(facts: ReportFacts) -> str:
    """Return the text of a report in English."""
    return text_of(commissioning_report(facts, ENGLISH))


def test_the_beginning_says_what_it_is_about_and_what_it_is_not() -> None:
    text = written(the_facts(a_charge_point(), name="Depot West"))

    assert text.startswith("Commissioning report Depot West Made on 2027-03-05 14:30 (CET)")
    assert "Charge Cluster 0.1.0, Home Assistant 2026.10.4" in text
    assert "not a protective device. Fuses, circuit breakers" in text


def test_a_circuit_shows_all_that_is_configured_and_whether_it_fits() -> None:
    circuit = a_circuit(
        rating_a=(63.0, 50.0, 63.0),
        margin_a=4.0,
        neutral_a=63.0,
        power_kva=41.4,
        demand_kw=30.0,
        demand_window_min=30,
        unbalance_a=20.0,
        generation_a=(16.0,) * 3,
        device=ProtectiveDevice(kind=DeviceKind.MCB_C, rated_a=63.0),
        ways=12,
    )

    text = written(the_facts(circuits=(circuit,)))

    assert "Depot 63 / 50 / 63 A 4 A 20 A 38 / 32 / 32 A yes 17.1 s" in text
    for part in (
        "protective device C63",
        "neutral 63 A",
        "at most 41.4 kVA",
        "at most 30 kW on the mean of 30 clock minutes",
        "at most 20 A between two phases",
        "generation and storage up to 16 A, not counted on",
        "12 ways",
    ):
        assert part in text


def test_a_circuit_that_does_not_fit_and_what_is_not_told_are_said() -> None:
    cap = CapView(
        circuit_id="supply",
        source="grid_operator",
        amps=None,
        watts=12_000.0,
        vehicles_only=False,
        expires_at=None,
        after="lift",
        lapsed=False,
    )
    picture = a_picture(fallback_fits=False, if_all_dies_a=(70.0,) * 3, caps=(cap,))

    text = written(the_facts(circuits=(a_circuit(declared_base_load_a=None),), pictures=(picture,)))

    assert "Depot 63 A 3.2 A not declared 70 A no 17.1 s" in text
    assert "protective device not told" in text
    assert "held to 12 kW for a while by the grid operator" in text


def test_settings_of_a_breaker_are_told() -> None:
    device = ProtectiveDevice(kind=DeviceKind.MCCB, rated_a=160.0, long_delay_s=5.0, short_pickup=4.0)

    assert "MCCB 160, tr 5 s, Isd 4 × Ir, tsd 0.1 s, Ii 10 × Ir" in written(
        the_facts(circuits=(a_circuit(device=device),))
    )


def test_a_site_with_one_phase_shows_one() -> None:
    circuit = a_circuit(rating_a=(63.0, 0.0, 0.0))

    assert "Depot 63 A" in written(the_facts(circuits=(circuit,), phases=(0,)))


def test_a_charge_point_shows_who_it_is_how_it_is_wired_and_what_was_found() -> None:
    text = written(the_facts(a_charge_point(), findings={"p1/1": all_passed("p1/1")}))

    assert "Place p1 (CP-p1)" in text
    assert "Acme Wall 11, serial number SN-0815, firmware 1.4.2; fed by Depot; connected: yes" in text
    assert "Connector 1: wired to L2, L3, L1; 6 A to 32 A; fallback 6 A (stored in the charge point)" in text
    assert "Least current Passed The vehicle charges from 6 A; 6 A is set. 2027-03-05 13:05 1.4.2" in text
    assert "7 passed, 0 failed, 0 proved nothing, 0 outdated, 0 not made" in text


def test_what_failed_what_proved_nothing_and_what_was_not_made_is_told() -> None:
    found = (
        a_finding("p1/1", CommissioningTest.CONNECTION_LOSS, Verdict.FAILED, fallback_a=16.0, configured_a=6.0),
        a_finding("p1/1", CommissioningTest.POWER_CYCLE, Verdict.INCONCLUSIVE, why="no_vehicle"),
    )

    text = written(the_facts(a_charge_point(), findings={"p1/1": found}))

    assert "Loss of connection Failed After its connection was lost it drew 16 A" in text
    assert "Power cycle Nothing proved Nothing was proved. No vehicle charged there." in text
    assert "Least current Not made" in text
    assert "0 passed, 1 failed, 1 proved nothing, 0 outdated, 5 not made" in text


def test_an_outdated_finding_is_marked_and_not_counted_as_passed() -> None:
    old = tuple(replace(finding, outdated=True) for finding in all_passed("p1/1")[:1])

    text = written(the_facts(a_charge_point(), findings={"p1/1": old}))

    assert "Outdated (Passed)" in text
    assert "test again" in text
    assert "0 passed, 0 failed, 0 proved nothing, 1 outdated, 6 not made" in text


def test_a_charge_point_that_nobody_tested_or_heard_of_says_so() -> None:
    facts = the_facts(a_charge_point(connectors=(ConnectorSettings(number=1, rotation=None),)))

    text = written(replace(facts, charge_points={}, connectors={}))

    assert "serial number –, firmware –; fed by Depot; connected: no" in text
    assert "wired to unknown phases" in text
    assert "not confirmed by the charge point" in text
    assert "Not tested." in text


def test_a_meter_shows_what_it_sees_and_what_was_found() -> None:
    speed = a_finding("m1", CommissioningTest.METER_SPEED, Verdict.PASSED, interval_s=1.0, lag_s=2.0)
    roof = a_meter(
        meter_id="m2",
        name="Roof",
        scope=MeterScope.GENERATION,
        source=EntityMeterSettings(currents=("sensor.a", "sensor.b", "sensor.c"), inverted=True),
        ratio=1.0,
        timeout_s=30.0,
    )

    text = written(the_facts(meters=(a_meter(), roof), findings={"m1": (speed,)}))

    assert (
        "Supply meter On Depot: Modbus TCP 192.0.2.7:502, unit 1, profile sunspec; sees everything; current "
        "transformer ratio 0.05; inverted: no; time-out learned from its interval"
    ) in text
    assert "A reading every 1 s, at most 2 s late." in text
    assert "Roof On Depot: made of sensor.a, sensor.b, sensor.c; sees generation" in text
    assert "inverted: yes; time-out 30 s" in text


def test_exposure_is_there_where_it_is_known() -> None:
    assert "Depot C63 2 % 0 % 17 s, 320 As 17 s, 320 As 0 s" in written(the_facts())
    assert "Exposure" not in written(the_facts(pictures=(a_picture(exposure=None),)))


def test_open_problems_are_listed_and_their_absence_is_said() -> None:
    problem = ToMend(title="Place p1 does not keep its fallback", text="Left alone it drew 16 A.")

    text = written(the_facts(to_mend=(problem,)))

    assert "Open problems Place p1 does not keep its fallback Left alone it drew 16 A." in text
    assert "None when this report was made." not in text
    assert "None when this report was made." in written(the_facts())


def test_what_cannot_be_observed_and_lines_to_sign_close_it() -> None:
    text = written(the_facts())

    for fault in UNSEEN:
        assert ENGLISH[f"report_unseen_{fault}"] in text
    assert "Tested by" in text
    assert text.index("Name Company Date Signature") < text.index("Taken over by Name Date Signature")


def test_every_page_has_its_number_and_says_that_it_protects_nothing() -> None:
    points = [a_charge_point(f"p{number}") for number in range(12)]
    findings = {f"p{number}/1": all_passed(f"p{number}/1") for number in range(12)}

    pages = pages_of(commissioning_report(the_facts(*points, findings=findings), ENGLISH))

    assert len(pages) > 3
    for number, page in enumerate(pages, start=1):
        assert f"Page {number} of {len(pages)}" in page
        assert "load management, not a protective device" in page


def test_a_table_that_goes_on_has_its_head_again_and_loses_no_row() -> None:
    circuits = tuple(a_circuit(f"c{number}", f"Cluster {number:03}") for number in range(120))

    pages = pages_of(commissioning_report(the_facts(circuits=(a_circuit(), *circuits)), ENGLISH))

    with_rows = [page for page in pages if "Cluster 0" in page or "Cluster 1" in page]
    assert len(with_rows) > 2
    assert all("Worst base load" in page for page in with_rows)
    text = " ".join(pages)
    places = [text.index(circuit.name) for circuit in circuits]
    assert all(first < second for first, second in pairwise(places))


def test_the_same_facts_make_the_same_file() -> None:
    facts = the_facts(a_charge_point(), meters=(a_meter(),), findings={"p1/1": all_passed("p1/1")})

    assert commissioning_report(facts, ENGLISH) == commissioning_report(facts, ENGLISH)


def test_times_are_those_of_the_site() -> None:
    facts = the_facts(a_charge_point(), findings={"p1/1": all_passed("p1/1")})

    there = replace(facts, made_at=facts.made_at.astimezone(ZoneInfo("America/New_York")))

    text = written(there)
    assert "2027-03-05 08:30 (EST)" in text
    assert "2027-03-05 07:05" in text


def test_three_hundred_charge_points_are_written_in_seconds() -> None:
    points = [a_charge_point(f"p{number}") for number in range(300)]
    findings = {f"p{number}/1": all_passed(f"p{number}/1") for number in range(300)}
    facts = the_facts(*points, findings=findings)

    began = time.process_time()
    file = commissioning_report(facts, ENGLISH)

    # A quarter of a second where this was written; the bound is what a person waits for without wondering.
    assert time.process_time() - began < 10.0
    assert len(file) < 1_000_000


@pytest.mark.parametrize("name", ["x" * 5000, "word " * 3000, "", " ", "{page} {0} %s \\ ( ) <b>**"])
def test_a_name_may_be_anything_that_somebody_types(name: str) -> None:
    facts = the_facts(
        a_charge_point(name=name, identity=name),
        name=name,
        circuits=(a_circuit(name=name),),
        meters=(a_meter(name=name),),
        to_mend=(ToMend(title=name, text=name),),
    )

    assert "Signature" in written(facts)


def test_the_words_are_those_of_the_caller() -> None:
    words = {key: f"{text}" for key, text in ENGLISH.items()} | {"report_title": "Inbetriebnahmeprotokoll"}

    assert text_of(commissioning_report(the_facts(), words)).startswith("Inbetriebnahmeprotokoll")


class _Seen(dict[str, str]):
    """Words that remember which of them were asked for."""

    def __init__(self, words: Any) -> None:
        super().__init__(words)
        self.asked: set[str] = set()

    def __getitem__(self, key: str) -> str:
        self.asked.add(key)
        return super().__getitem__(key)


def test_no_word_of_the_report_is_idle() -> None:
    words = _Seen(ENGLISH)
    breaker = ProtectiveDevice(kind=DeviceKind.MCCB, rated_a=160.0)
    everything = a_circuit(
        neutral_a=63.0, power_kva=41.4, demand_kw=30.0, unbalance_a=20.0, ways=3, generation_a=(1.0,) * 3, lost=True
    )
    cap = CapView(
        circuit_id="supply",
        source="me",
        amps=10.0,
        watts=None,
        vehicles_only=False,
        expires_at=None,
        after="lift",
        lapsed=False,
    )
    entities = a_meter(meter_id="m2", source=EntityMeterSettings(currents=("a", "b", "c")))
    station = a_meter(meter_id="m3", source=OcppMeterSettings(charge_point_id="p3", identity="CP-p3"))
    satellite = SatelliteSettings(satellite_id="s", name="Post 2", circuit_id="c1")
    master = a_charge_point("p3", connectors=(ConnectorSettings(number=2, rotation=(0, 1, 2), satellite=satellite),))
    points = (a_charge_point(), a_charge_point("p2"), master, a_charge_point("p4", connectors=()))
    old = tuple(replace(finding, outdated=True) for finding in all_passed("p1/1")[:1])
    full = the_facts(
        *points,
        name="Łódź 停車場",
        circuits=(everything, a_circuit("c1", "B", device=breaker, generation_a=(1.0,) * 3, generation_credit=True)),
        pictures=(a_picture(caps=(cap,), fallback_fits=False),),
        meters=(a_meter(), entities, station),
        findings={"p1/1": old},
    )
    unknown = a_charge_point(connectors=(ConnectorSettings(number=1, rotation=None),))
    bare = the_facts(unknown, circuits=(a_circuit(declared_base_load_a=None, device=breaker),))

    commissioning_report(full, words)
    commissioning_report(replace(bare, connectors={}), words)
    commissioning_report(
        the_facts(circuits=(a_circuit(device=ProtectiveDevice(kind=DeviceKind.MCB_B, rated_a=6.0)),)), words
    )

    assert {key for key in ENGLISH if key.startswith("report_")} - words.asked == set()
