"""Reports for tests: a site of any size at one moment, the English words, and the text of a file as a reader has it."""

import io
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pypdf import PdfReader

from custom_components.charge_cluster.chargers import DeviceIdentity
from custom_components.charge_cluster.engine.model import MeterScope, Reason, VehicleState
from custom_components.charge_cluster.report.facts import ReportFacts
from custom_components.charge_cluster.site.commissioning.findings import CommissioningTest, Finding, Verdict
from custom_components.charge_cluster.site.exposure import ExposureView
from custom_components.charge_cluster.site.settings import (
    ChargePointSettings,
    CircuitSettings,
    ConnectorSettings,
    MeterSettings,
    ModbusMeterSettings,
    SiteSettings,
)
from custom_components.charge_cluster.site.views import ChargePointView, CircuitView, ConnectorView, connector_key

INTEGRATION = Path(__file__).parents[2] / "custom_components" / "charge_cluster"
ENGLISH: Mapping[str, str] = json.loads((INTEGRATION / "translations" / "en.json").read_text())["common"]

MADE_AT = datetime(2027, 3, 5, 14, 30, tzinfo=ZoneInfo("Europe/Berlin"))
TESTED_AT = datetime(2027, 3, 5, 13, 5, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()


def a_circuit(circuit_id: str = "supply", name: str = "Depot", **changes: Any) -> CircuitSettings:
    """Return a circuit of 63 A."""
    plain = CircuitSettings(
        circuit_id=circuit_id,
        name=name,
        parent_id=None if circuit_id == "supply" else "supply",
        rating_a=(63.0,) * 3,
        declared_base_load_a=(20.0,) * 3,
    )
    return replace(plain, **changes)


def a_picture(circuit_id: str = "supply", **changes: Any) -> CircuitView:
    """Return a circuit as it is now, with everything in order."""
    plain = CircuitView(
        circuit_id=circuit_id,
        load_a=(30.0,) * 3,
        ev_load_a=(10.0,) * 3,
        ev_power_w=6900.0,
        base_load_a=(20.0,) * 3,
        headroom_a=(30.0,) * 3,
        worst_case_a=(40.0,) * 3,
        if_all_dies_a=(38.0, 32.0, 32.0),
        fallbacks_a=(6.0, 0.0, 0.0),
        fallback_fits=True,
        limited=False,
        stale=False,
        reaction_time_s=17.1,
        waiting=0,
        charging=1,
        exposure=ExposureView(
            device="C63", share_percent=2, above_s=17, above_as=320, day_above_s=17, day_above_as=320
        ),
    )
    return replace(plain, **changes)


def a_charge_point(charge_point_id: str = "p1", **changes: Any) -> ChargePointSettings:
    """Return a charge point on the supply with one connector."""
    plain = ChargePointSettings(
        charge_point_id=charge_point_id,
        name=f"Place {charge_point_id}",
        identity=f"CP-{charge_point_id}",
        circuit_id="supply",
        connectors=(ConnectorSettings(number=1, rotation=(1, 2, 0)),),
        fallback_a=6.0,
    )
    return replace(plain, **changes)


def a_finding(subject: str, test: CommissioningTest, verdict: Verdict, **figures: float | str | None) -> Finding:
    """Return a finding made at 13:05 in Berlin with firmware 1.4.2."""
    return Finding(subject=subject, test=test, verdict=verdict, at=TESTED_AT, firmware="1.4.2", figures=figures)


def all_passed(subject: str) -> tuple[Finding, ...]:
    """Return what a charge point in order shows."""
    passed = Verdict.PASSED
    return (
        a_finding(
            subject,
            CommissioningTest.LIMIT_RESPONSE,
            passed,
            steps=6.0,
            response_s=2.1,
            settling_s=6.5,
            overshoot_a=0.2,
        ),
        a_finding(subject, CommissioningTest.MINIMUM, passed, minimum_a=6.0, configured_a=6.0),
        a_finding(subject, CommissioningTest.ZERO_AMPS, passed, stops_s=4.0, resumes_s=9.0, drawn_a=0.0),
        a_finding(
            subject, CommissioningTest.PHASE_MAP, passed, rotation="l2_l3_l1", own="l1_l2_l3", configured="l2_l3_l1"
        ),
        a_finding(subject, CommissioningTest.RANDOM_DELAY, passed, raise_delay_s=2.0, reduction_delay_s=2.0),
        a_finding(subject, CommissioningTest.CONNECTION_LOSS, passed, fallback_a=6.0, configured_a=6.0, after_s=31.0),
        a_finding(subject, CommissioningTest.POWER_CYCLE, passed, fallback_a=6.0, configured_a=6.0, alone_s=90.0),
    )


def a_meter(**changes: Any) -> MeterSettings:
    """Return a meter over Modbus on the supply."""
    plain = MeterSettings(
        meter_id="m1",
        name="Supply meter",
        circuit_id="supply",
        source=ModbusMeterSettings(host="192.0.2.7", port=502, unit=1, profile="sunspec"),
        scope=MeterScope.EVERYTHING,
        ratio=0.05,
    )
    return replace(plain, **changes)


def the_facts(
    *points: ChargePointSettings,
    name: str = "Depot",
    circuits: tuple[CircuitSettings, ...] = (a_circuit(),),
    pictures: tuple[CircuitView, ...] = (a_picture(),),
    meters: tuple[MeterSettings, ...] = (),
    findings: Mapping[str, tuple[Finding, ...]] | None = None,
    **changes: Any,
) -> ReportFacts:
    """Return what a report tells of a site with these charge points, all of them online."""
    keys = [connector_key(point.charge_point_id, each.number) for point in points for each in point.connectors]
    facts = ReportFacts(
        settings=SiteSettings(site_id="site", name=name, circuits=circuits, charge_points=points, meters=meters),
        phases=(0, 1, 2),
        circuits={picture.circuit_id: picture for picture in pictures},
        charge_points={
            point.charge_point_id: ChargePointView(
                charge_point_id=point.charge_point_id,
                online=True,
                identity=DeviceIdentity(vendor="Acme", model="Wall 11", serial="SN-0815", firmware="1.4.2"),
                last_heard_at=TESTED_AT,
            )
            for point in points
        },
        connectors={key: a_connector(key) for key in keys},
        findings=dict.fromkeys(keys, ()) | dict(findings or {}),
        to_mend=(),
        made_at=MADE_AT,
        software="Charge Cluster 0.1.0, Home Assistant 2026.10.4",
    )
    return replace(facts, **changes)


def a_connector(key: str) -> ConnectorView:
    """Return a connector whose fallback is stored."""
    return ConnectorView(
        key=key,
        online=True,
        vehicle=VehicleState.ABSENT,
        status="Available",
        error=None,
        limit_a=0.0,
        target_a=0.0,
        reason=Reason.NO_VEHICLE,
        reason_circuit=None,
        expected_at=None,
        queue_position=None,
        drawn_a=None,
        power_w=None,
        energy_wh=None,
        soc_percent=None,
        worst_case_a=6.0,
        fallback_a=6.0,
        fallback_confirmed=True,
        cap_a=32.0,
        enabled=True,
        priority=0,
        session=None,
    )


def pages_of(file: bytes) -> list[str]:
    """Return the text of each page, as a reader that is not ours finds it, on one line."""
    return [" ".join(page.extract_text().split()) for page in PdfReader(io.BytesIO(file)).pages]


def text_of(file: bytes) -> str:
    """Return the text of a report on one line."""
    return " ".join(pages_of(file))
